"""Imputers of images and fields against slow twins and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import methods, missing
from jaximpute.methods.simple import _covariance
from jaximpute.physics import advection, bayes, initial
from tests.helpers.running import complete


def _laplacian(shape, closed=()):
    """Minus the Laplacian of a grid as a dense matrix, one pair of neighbours after another."""
    size = int(np.prod(shape))
    index, matrix = np.arange(size).reshape(shape), np.zeros((size, size))
    for axis in range(len(shape)):
        there = np.roll(index, -1, axis)
        pairs = np.stack([index, there], -1)
        if axis not in closed:
            pairs = np.take(pairs, np.arange(shape[axis] - 1), axis)
        for i, j in pairs.reshape(-1, 2):
            matrix[i, i] += 1
            matrix[j, j] += 1
            matrix[i, j] -= 1
            matrix[j, i] -= 1
    return matrix


def _dense(matrix, x):
    """The surface of least energy through what is observed."""
    flat, hole = x.ravel(), np.isnan(x.ravel())
    filled = flat.copy()
    filled[hole] = np.linalg.solve(
        matrix[np.ix_(hole, hole)], -matrix[np.ix_(hole, ~hole)] @ flat[~hole]
    )
    return filled.reshape(x.shape)


def _field(shape=(2, 3, 7, 6, 2), share=0.4, seed=0):
    rng = np.random.default_rng(seed)
    y, x = np.meshgrid(np.arange(shape[2]), np.arange(shape[3]), indexing="ij")
    values = np.sin(0.6 * y + rng.random((*shape[:2], 1, 1))) + 0.3 * x
    values = values[..., None] * np.linspace(1, 2, shape[-1]) + 5
    return values, np.where(rng.random(shape) < share, np.nan, values)


@pytest.mark.parametrize("name", ["harmonic", "biharmonic"])
@pytest.mark.parametrize("axes", ["yx", "tyx"])
@pytest.mark.parametrize("periodic", ["", "x"])
def test_surfaces_equal_the_dense_solution(name, axes, periodic):
    _, x = _field()
    got = complete(getattr(methods, name)(axes=axes, periodic=periodic, tol=1e-6), x)
    shape = x.shape[1:4] if axes == "tyx" else x.shape[2:4]
    closed = (len(shape) - 1,) if periodic else ()
    matrix = _laplacian(shape, closed)
    matrix = matrix @ matrix if name == "biharmonic" else matrix
    for n in range(2):
        for c in range(2):
            slices = [x[n, ..., c]] if axes == "tyx" else list(x[n, ..., c])
            expected = np.stack([_dense(matrix, part) for part in slices])
            np.testing.assert_allclose(got[n, ..., c], expected.reshape(3, 7, 6), atol=2e-3)


def test_a_membrane_is_linear_across_a_hole_and_a_plate_goes_on_beyond():
    ramp = np.tile(np.arange(8.0)[:, None], (1, 6))
    x = ramp.copy()
    x[5:] = np.nan  # from row 4 to the edge
    membrane = complete(methods.harmonic(tol=1e-6), x.reshape(1, 8, 6, 1))[0, ..., 0]
    plate = complete(methods.biharmonic(tol=1e-6), x.reshape(1, 8, 6, 1))[0, ..., 0]
    np.testing.assert_allclose(membrane[5:], 4, atol=1e-2)
    assert plate[7].min() > 4.5
    inside = ramp.copy()
    inside[3:6] = np.nan
    bridged = complete(methods.harmonic(tol=1e-6), inside.reshape(1, 8, 6, 1))[0, ..., 0]
    np.testing.assert_allclose(bridged, ramp, atol=1e-3)


@pytest.mark.parametrize(
    "name", ["harmonic", "biharmonic", "window_average", "optimal_interpolation"]
)
def test_a_frame_without_observations_gets_the_mean_or_its_neighbours(name):
    values, x = _field()
    x[:, :, :, :, 1] = np.where(np.arange(3)[:, None, None] == 1, np.nan, x[:, :, :, :, 1])
    near = {"neighbours": 8, "reach": 2} if name == "optimal_interpolation" else {}
    got = complete(getattr(methods, name)(**near), x)
    assert np.isfinite(got).all()
    mean = np.nanmean(x[..., 1])
    if name in ("harmonic", "biharmonic"):
        np.testing.assert_allclose(got[:, 1, :, :, 1], mean, rtol=1e-4)
    else:  # they look at other frames
        assert (
            np.abs(got[:, 1, :, :, 1] - values[:, 1, :, :, 1]).mean()
            < 0.7 * np.abs(mean - values[:, 1, :, :, 1]).mean()
        )


@pytest.mark.fast
def test_the_window_average_is_what_it_says():
    x = _field(shape=(1, 1, 9, 8, 1), share=0.5)[1]
    got = complete(methods.window_average(width=5), x)[0, 0, ..., 0]
    frame = x[0, 0, ..., 0]
    seen = ~np.isnan(frame)
    for i, j in np.argwhere(~seen):
        total = weight = 0.0
        for a, b in np.argwhere(seen):
            if max(abs(a - i), abs(b - j)) <= 2:
                w = np.exp(-((a - i) ** 2 + (b - j) ** 2) / (2 * 1.25**2))
                total, weight = total + w * frame[a, b], weight + w
        np.testing.assert_allclose(got[i, j], total / weight, rtol=1e-4)


@pytest.mark.fast
def test_the_window_average_copies_the_frame_before_first():
    x = np.arange(3.0)[:, None, None] + np.zeros((3, 5, 5))
    x[1, 2, 2] = x[0, 0, 0] = np.nan
    got = complete(methods.window_average(), x.reshape(1, 3, 5, 5, 1))[0, ..., 0]
    assert got[1, 2, 2] == pytest.approx(0, abs=1e-6)  # before it
    assert got[0, 0, 0] == pytest.approx(1, abs=1e-6)  # only after it
    alone = complete(methods.window_average(frames=False), x.reshape(1, 3, 5, 5, 1))
    assert alone[0, 1, 2, 2, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.fast
def test_the_window_average_reaches_across_a_wide_hole():
    x = np.full((1, 20, 20, 1), np.nan)
    x[0, :, 0] = 3.0
    x[0, 0, 0] = 4.0  # or there is no spread
    got = complete(methods.window_average(width=3), x)
    assert np.abs(got[0, :, -1] - 3).max() < 0.5


def test_the_correlogram_counts_every_pair():
    rng = np.random.default_rng(1)
    x, mask = rng.normal(size=(2, 3, 4, 5)), rng.random((2, 3, 4, 5)) < 0.6
    x = np.where(mask, x, 0)
    table = _covariance.lags((3, 4, 5), reach=1)
    assert table.half == (2, 2, 2)
    got, pairs = _covariance.correlogram(
        jnp.asarray(x, jnp.float32), jnp.asarray(mask), jnp.array([1.0, 0.0]), table
    )
    for h in np.ndindex(5, 5, 5):
        lag = np.array(h) - 2
        here = [p for p in np.ndindex(3, 4, 5) if mask[0][p]]
        there = [
            tuple(q)
            for p in here
            if (q := np.array(p) + lag).min() >= 0 and (q < (3, 4, 5)).all() and mask[0][tuple(q)]
        ]
        products = [x[0][q] * x[0][tuple(np.array(q) - lag)] for q in there]
        assert round(float(pairs[h])) == len(products)
        np.testing.assert_allclose(got[h], np.mean(products) if products else 0, atol=1e-4)


def test_optimal_interpolation_is_kriging_by_its_covariance():
    """With a place for each observed entry, the answer is the dense one."""
    x = _field(shape=(1, 2, 3, 3, 1), share=0.4)[1]
    method = methods.optimal_interpolation(neighbours=24, reach=2)
    data = ji.observe(x)
    state = jax.jit(method.init)(jax.random.key(0), data)
    got = np.asarray(ji.complete(method, jax.random.key(1), state, data))[0, ..., 0]
    table = _covariance.lags((2, 3, 3), 2)
    covariance, nugget = np.asarray(state.covariance[0], float), float(state.nugget[0])
    frame = (x[0, ..., 0] - float(state.mean[0])) / float(state.scale[0])
    seen, holes = np.argwhere(~np.isnan(frame)), np.argwhere(np.isnan(frame))

    def between(a, b):
        return covariance[table.zero + (a[:, None] - b[None]) @ table.strides]

    matrix = between(seen, seen) + nugget * np.eye(len(seen))
    weights = np.linalg.solve(matrix, frame[~np.isnan(frame)])
    expected = between(holes, seen) @ weights * float(state.scale[0]) + float(state.mean[0])
    np.testing.assert_allclose(got[np.isnan(frame)], expected, rtol=5e-3)


def test_optimal_interpolation_learns_that_a_pattern_drifts():
    """The measured covariance knows the velocity; the bound is what nothing can beat."""
    velocity, shape = jnp.array([0.0, 2.0]), (12, 12)
    amplitude = initial.band(shape, high=3)

    def simulate(key):
        return advection.advect(initial.field(key, amplitude), velocity, 4)

    x = np.asarray(initial.many(simulate, jax.random.key(0), 60, batch=20))[..., None]
    mask = np.asarray(missing.blocks(5)(jax.random.key(1), jnp.asarray(x)))
    holes = np.where(mask, np.nan, 1) == 1
    modes = jnp.asarray(initial.modes(amplitude), jnp.float32)
    waves = jax.vmap(lambda m: advection.advect(m, velocity, 4))(modes)[..., None]
    bound = float(bayes.least_error(waves, jnp.asarray(mask[:20]))[holes[:20]].mean())

    def error(method):
        return float(((complete(method, np.where(mask, x, np.nan)) - x)[holes] ** 2).mean())

    optimal = error(methods.optimal_interpolation(neighbours=16, reach=8))
    assert bound < optimal
    assert optimal < 0.5 * error(methods.harmonic())


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        lambda: methods.harmonic(axes="yz"),
        lambda: methods.harmonic(axes=""),
        lambda: methods.biharmonic(periodic="xx"),
        lambda: methods.harmonic(tol=2.0),
        lambda: methods.window_average(width=2),
        lambda: methods.optimal_interpolation(neighbours=0),
    ],
)
def test_wrong_options_are_refused(wrong):
    with pytest.raises(ji.OptionError, match="expected"):
        wrong()


@pytest.mark.fast
def test_tables_are_refused():
    with pytest.raises(ji.DataError, match="images"):
        complete(methods.harmonic(), np.array([[1.0, np.nan], [2.0, 3.0]]))
