"""The regression on neighbours: exact where it can be, a plain twin, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import OptionError, masking
from jaximpute.methods import neighbour_ridge
from tests.helpers.running import complete


def test_planes_are_continued_and_channels_tell_of_one_another():
    y, x = np.mgrid[:9, :8]
    plane = np.stack([2.0 * y - x, np.cos(3.0 * y * x), np.cos(3.0 * y * x) - 1], axis=-1)[None]
    holed = plane.copy()
    holed[0, 4, 4, 0] = holed[0, 2, 5, 1] = np.nan
    filled = complete(neighbour_ridge(radius=1, ridge=1e-5), holed)
    assert abs(filled - plane)[0, 4, 4, 0] < 0.1
    # the second channel cannot be told from its neighbours, but from the third
    assert abs(filled - plane)[0, 2, 5, 1] < 0.05


def test_the_pixel_itself_is_hidden_as_often_as_where_it_is_missing():
    """Channels that are equal, but missing together: the other one must not be relied on."""
    noise = np.random.default_rng(0).normal(size=(6, 10, 10, 1))
    x = np.repeat(noise, 2, axis=-1)
    hole = np.random.default_rng(1).random((6, 10, 10, 1)) < 0.3
    holed = np.where(hole, np.nan, x)
    method = neighbour_ridge(radius=1)
    data = masking.observe(holed.astype(np.float32))
    state = method.init(jax.random.key(0), data)
    # the last input is the other channel of the pixel, which could tell all and is never shown
    np.testing.assert_allclose(state.coef[:, -1], 0, atol=1e-6)
    apart = masking.observe(np.where(np.random.default_rng(2).random(x.shape) < 0.3, np.nan, x))
    assert (method.init(jax.random.key(0), apart).coef[:, -1] > 0.5).all()


def test_one_channel_against_least_squares():
    rng = np.random.default_rng(0)
    x = np.cumsum(rng.normal(size=(3, 1, 40, 1)), axis=2).repeat(2, axis=1)
    mask = rng.random(x.shape) > 0.3
    ridge, data = 1e-2, masking.observe(np.where(mask, x, np.nan).astype(np.float32))
    state = neighbour_ridge(radius=1, ridge=ridge).init(jax.random.key(0), data)
    z = np.where(mask, (x - float(state.mean[0])) / float(state.scale[0]), 0)[..., 0]
    m = mask[..., 0]
    around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
    rows, targets = [], []
    for n, i, j in zip(*np.nonzero(m), strict=True):
        near, known, weight = np.zeros(8), np.zeros(8, bool), np.zeros(8)
        for k, (a, b) in enumerate(around):
            if 0 <= i + a < 2 and 0 <= j + b < 40:
                near[k], known[k] = z[n, i + a, j + b], m[n, i + a, j + b]
                weight[k] = known[k] / (a * a + b * b)
        average = (weight * near).sum() / weight.sum() if known.any() else 0
        apart = np.where(known, near - average, 0)
        rows.append([known.any(), average, *apart, *(apart * known.mean())])
        targets.append(z[n, i, j])
    a, b = np.array(rows, float), np.array(targets)
    gram = a.T @ a + ridge * a[:, 0].sum() * np.eye(a.shape[1])
    np.testing.assert_allclose(state.coef[0], np.linalg.solve(gram, a.T @ b), atol=2e-3)


def test_padding_and_options():
    x = jax.random.normal(jax.random.key(0), (3, 5, 6, 1))
    mask = jax.random.uniform(jax.random.key(1), x.shape) < 0.7
    method = neighbour_ridge(radius=1)

    def coef(last):
        values = jnp.where(mask, x.at[2].set(last), 0)
        data = masking.Observed(values, mask, jnp.array([1.0, 1.0, 0.0]))
        return method.init(jax.random.key(2), data).coef

    np.testing.assert_array_equal(coef(0.0), coef(50.0))
    for wrong in ({"radius": 0}, {"ridge": 0.0}):
        with pytest.raises(OptionError, match="expected radius at least 1"):
            neighbour_ridge(**wrong)
