"""Optimal interpolation of sparse fields: its neighbours, its choice, and the exact answer."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import methods
from jaximpute.methods.simple.optimal import _Around, _nearest
from tests.helpers.running import complete

OPTIMAL = methods.optimal_interpolation(neighbours=16, reach=14)
SIDE, LENGTH = 14, 5.0


def _gaussian(n, seed):
    """Fields of unit variance with a known covariance, and that covariance."""
    place = np.stack(np.meshgrid(*2 * [np.arange(SIDE)], indexing="ij"), -1).reshape(-1, 2)
    r = np.linalg.norm(place[:, None] - place[None], axis=-1) / LENGTH
    covariance = (1 + np.sqrt(3) * r) * np.exp(-np.sqrt(3) * r)
    root = np.linalg.cholesky(covariance + 1e-8 * np.eye(len(place)))
    x = np.random.default_rng(seed).normal(size=(n, len(place))) @ root.T
    return x.reshape(n, 1, SIDE, SIDE, 1), covariance


def _kriged(x, seen, covariance):
    """The conditional mean of each field, all observed places at once."""
    filled = x.reshape(len(x), -1).copy()
    for row, s in zip(filled, seen.reshape(len(x), -1), strict=True):
        inside = covariance[np.ix_(s, s)] + 1e-8 * np.eye(s.sum())
        row[~s] = covariance[np.ix_(~s, s)] @ np.linalg.solve(inside, row[s])
    return filled.reshape(x.shape)


@pytest.mark.parametrize(("share", "factor"), [(0.5, 1.25), (0.1, 1.25), (0.02, 1.25)])
def test_sparse_gaussian_fields_come_near_the_conditional_mean(share, factor):
    x, covariance = _gaussian(30, 0)
    seen = np.random.default_rng(1).random(x.shape) < share
    got = complete(OPTIMAL, np.where(seen, x, np.nan))
    error = ((got - x)[~seen] ** 2).mean()
    least = ((_kriged(x, seen, covariance) - x)[~seen] ** 2).mean()
    assert error < factor * least


def test_neighbours_are_the_nearest_that_are_observed():
    rng = np.random.default_rng(0)
    shape = (3, 9, 11)
    around = _Around(shape, reach=4)
    covariance = -jnp.asarray(_lags(around), jnp.float32)
    for share in (0.5, 0.05, 0.0):
        mask = rng.random(shape) < share
        seen, at = np.argwhere(mask), np.argwhere(np.ones(shape, bool))
        for frame in (False, True):
            offsets = around.ordered(covariance, jnp.array(frame))
            run = jax.jit(
                jax.vmap(
                    lambda i, o=offsets, m=mask: _nearest(
                        around, o, 6, around.padded(jnp.asarray(m)), around.place(i)
                    )
                )
            )
            lag, _, there = map(np.asarray, run(jnp.arange(mask.size)))
            for i in range(0, mask.size, 7):
                away = seen - at[i]
                away = away[(np.abs(away) <= 4).all(1) & (away != 0).any(1)]
                far = _distance(away) + 1000 * frame * (away[:, 0] != 0)
                expected = np.sort(far)[:6]
                assert there[i].sum() == len(expected)
                got = lag[i][there[i]]
                assert mask[tuple((at[i] + got).T)].all()
                np.testing.assert_allclose(
                    _distance(got) + 1000 * frame * (got[:, 0] != 0), expected, rtol=1e-5
                )


def _distance(lag):
    return (lag**2 @ np.array([9.0, 1.0, 2.0])) ** 0.5  # a frame is three rows away


def _lags(around):
    sides = [np.arange(-h, h + 1) for h in around.table.half]
    return _distance(np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3))


def test_other_frames_are_looked_at_where_holes_move():
    """A pattern that stays, behind holes that move: the frames before and after know it."""
    x = np.repeat(_gaussian(2, 2)[0], 4, axis=1)
    rng, seen = np.random.default_rng(3), np.ones(x.shape, bool)
    for film in seen:
        for frame in film:
            i, j = rng.integers(0, SIDE - 6, 2)
            frame[i : i + 6, j : j + 6] = False
    seen &= rng.random(x.shape) < 0.5
    holed = np.where(seen, x, np.nan)
    errors = [
        (complete(method, part) - whole)[np.isnan(part)].std()
        for method, part, whole in (
            (OPTIMAL, holed, x),
            (
                OPTIMAL,
                holed.reshape(-1, 1, SIDE, SIDE, 1),
                x.reshape(-1, 1, SIDE, SIDE, 1),
            ),
        )
    ]
    assert errors[0] < 0.5 * errors[1]


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.5])
def test_a_field_with_sparse_places_comes_right(share):
    """Weather on a slope: much nearer than the mean, and than the mean of what is around."""
    x = 3 * _gaussian(30, 4)[0] + np.linspace(0, 4, SIDE)[:, None, None]
    seen = np.broadcast_to(np.random.default_rng(5).random(x[:, :1].shape) < share, x.shape)
    holed = np.where(seen, x, np.nan)
    filled = np.asarray(ji.impute(holed, "optimal_interpolation", neighbours=16))
    np.testing.assert_array_equal(filled[seen], x[seen])
    errors = {
        name: ((np.asarray(ji.impute(holed, method=name)) - x)[~seen] ** 2).mean()
        for name in ("mean", "window_average", "harmonic")
    }
    assert ((filled - x)[~seen] ** 2).mean() < 0.9 * min(errors.values())
