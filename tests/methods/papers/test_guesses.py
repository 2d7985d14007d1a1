"""The first guesses of MIRI's flows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import OptionError
from jaximpute.methods.papers.miri import flows as rectified
from jaximpute.types import Observed


@pytest.mark.parametrize("start", ["normal", "uniform", "columns"])
def test_guesses_look_like_the_observed_columns(start):
    k_x, k_m = jax.random.split(jax.random.key(0))
    x = jnp.array([[5.0, -1.0]]) + jax.random.uniform(k_x, (3000, 2)) * jnp.array([[2.0, 0.5]])
    mask = jax.random.uniform(k_m, x.shape) < 0.5
    # padding rows know nothing
    data = Observed(jnp.where(mask, x, 0).at[0].set(99.0), mask, jnp.ones(3000).at[0].set(0.0))
    known = rectified.columns(data)
    guess = rectified.begin(jax.random.key(1), known, data, start)
    np.testing.assert_array_equal(guess[mask], data.values[mask])
    for j in range(2):
        real = guess[1:, j][~mask[1:, j]]
        np.testing.assert_allclose(real.mean(), x[:, j].mean(), atol=0.05)
        np.testing.assert_allclose(real.std(), x[:, j].std(), rtol=0.08)
        if start != "normal":
            assert known.levels[0, j] <= real.min() <= real.max() <= known.levels[-1, j]
        if start == "columns":
            assert set(np.asarray(real)) <= set(np.asarray(x[:, j]))


def test_guesses_for_pixels_are_like_their_neighbours():
    x = jnp.zeros((2, 8, 8, 1)).at[:, :, 4:].set(10.0)  # dark on the left, bright on the right
    mask = jax.random.uniform(jax.random.key(0), x.shape) < 0.6
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(2))
    guess = rectified.begin(jax.random.key(1), rectified.columns(data), data, "nearby")
    dark, bright = guess[:, :, :3][~mask[:, :, :3]], guess[:, :, 5:][~mask[:, :, 5:]]
    assert dark.mean() < 2
    assert bright.mean() > 8
    assert dark.std() > 0.5
    np.testing.assert_array_equal(guess[mask], x[mask])
    rows = Observed(jnp.zeros((2, 3)), jnp.full((2, 3), False), jnp.ones(2))
    with pytest.raises(OptionError, match="no images"):
        rectified.begin(jax.random.key(1), rectified.columns(rows), rows, "nearby")
