"""First weights are those of `jax.nn.initializers`, drawn flat."""

import jax
import numpy as np
import pytest
from jax.nn import initializers as theirs

from jaximpute.nets import starts


@pytest.mark.parametrize("shape", [(7, 5), (3, 3, 4, 6)])
@pytest.mark.parametrize(
    ("ours", "wanted"),
    [
        (starts.lecun_normal, theirs.lecun_normal()),
        (starts.he_normal, theirs.he_normal()),
        (starts.xavier_normal, theirs.xavier_normal()),
        (
            starts.variance_scaling(1 / 3, uniform=True),
            theirs.variance_scaling(1 / 3, "fan_in", "uniform"),
        ),
    ],
    ids=["lecun", "he", "xavier", "uniform"],
)
def test_weights_are_those_of_jax(ours, wanted, shape):
    drawn = (draw(jax.random.key(3), shape, np.float32) for draw in (ours, wanted))
    np.testing.assert_array_equal(*drawn)
