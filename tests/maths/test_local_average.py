"""Local averages against a slow twin, and where nothing is known."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths.local_average import local_average

pytestmark = pytest.mark.fast


def test_averages_of_what_is_known():
    rng = np.random.default_rng(0)
    x, known = rng.normal(size=(2, 4, 3, 2)), rng.random((2, 4, 3, 2)) < 0.4
    known[1, ..., 0] = False
    found = local_average(jnp.asarray(x, jnp.float32), jnp.asarray(known), 1.3)
    for n, i, j, c in np.ndindex(x.shape):
        y, z = np.mgrid[:4, :3]
        weight = np.exp(-((y - i) ** 2 + (z - j) ** 2) / (2 * 1.3**2)) * known[n, ..., c]
        expected = (weight * x[n, ..., c]).sum() / weight.sum() if weight.sum() else 0
        np.testing.assert_allclose(found[n, i, j, c], expected, atol=1e-5)
