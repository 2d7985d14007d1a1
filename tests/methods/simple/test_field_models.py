"""The pieces of kriging and of modes of fields, against closed forms and slow plain twins."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import methods
from jaximpute.methods.simple import (
    _chunks,
    _field_draws,
    _field_kriging,
    _film_modes,
    _modes,
    _patterns,
    _place,
)
from jaximpute.methods.simple._blocks import Blocks
from tests.helpers.running import complete


def _covariance(a, b, length, level):
    """Exponential along rows and columns, with a level of each frame, of places `(k, 3)`."""
    away = np.linalg.norm((a[:, None] - b[None]) / length, axis=-1)
    same = np.abs(a[:, None, 0] - b[None, :, 0])
    return 0.7 * np.exp(-away) + level * np.exp(-same / 2.0)


def _model(length, level, nugget, drift=(0.0, 0.0)):
    numbers = [0.7, nugget, level, 2.0]
    return _chunks.Matern(
        jnp.log(jnp.asarray(length)), *(jnp.log(jnp.asarray(v)) for v in numbers), jnp.array(drift)
    )


LENGTH = np.array([2.0, 3.0, 4.0])
MODEL = _model(LENGTH, 0.4, 0.01)
NOISE = 0.01 + 1e-4 * 1.1


def test_patterns_are_the_distinct_rows_and_sums_are_products():
    rng = np.random.default_rng(0)
    few = rng.random((7, 90)) < 0.5
    mask = few[rng.integers(0, 7, 200)]
    rows, columns = _patterns.distinct(jnp.asarray(mask)), _patterns.distinct(jnp.asarray(mask.T))
    assert int(rows.number) == len(np.unique(mask, axis=0))
    assert int(columns.number) == len(np.unique(mask, axis=1).T)
    np.testing.assert_array_equal(mask[np.asarray(rows.first)[np.asarray(rows.label)]], mask)
    small = _patterns.between(jnp.asarray(mask), rows, columns)
    values = rng.normal(size=(90, 3)).astype(np.float32)
    grouped = jax.ops.segment_sum(jnp.asarray(values), columns.label, 90)
    got = _patterns.sums(small, grouped, rows.number, columns.number)[rows.label]
    np.testing.assert_allclose(got, mask @ values, rtol=1e-4, atol=1e-4)


def _plain_modes(shape, x, mask, passes):
    """Variational principal components, one row and one column after another."""
    (n, d), k = x.shape, shape.shape[1]
    count = mask.sum()
    total = (x[mask] ** 2).sum()
    doubt, width, noise = np.zeros((d, k, k)), np.full(k, total / count), total / count / 2
    for _ in range(passes):
        z, moments, misfit = np.zeros((n, k)), np.zeros((n, k, k)), 0.0
        for i in range(n):
            seen = mask[i]
            gram = shape[seen].T @ shape[seen] + doubt[seen].sum(0)
            spread = np.linalg.inv(gram[1:, 1:] / noise + np.eye(k - 1))
            right = shape[seen].T @ x[i, seen] - gram[0]
            z[i] = np.append(1, spread @ right[1:] / noise)
            moments[i] = np.outer(z[i], z[i])
            moments[i, 1:, 1:] += spread
            fitted = shape[seen] @ z[i]
            misfit += (x[i, seen] ** 2).sum() - 2 * x[i, seen] @ fitted + (moments[i] * gram).sum()
        noise = misfit / count
        for j in range(d):
            seen = mask[:, j]
            inverse = np.linalg.inv(moments[seen].sum(0) + np.diag(noise / width))
            shape[j], doubt[j] = inverse @ (z[seen].T @ x[seen, j]), noise * inverse
        width = (shape**2 + np.diagonal(doubt, axis1=1, axis2=2)).mean(0)
    return shape, doubt.mean(0), noise


def test_modes_equal_a_plain_twin():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(40, 2)) @ rng.normal(size=(2, 12)) + 0.3 * rng.normal(size=(40, 12)) + 1
    mask = (rng.random((8, 12)) < 0.6)[rng.integers(0, 8, 40)]
    x = np.where(mask, x, 0)
    fit = jax.jit(lambda k, *a: _modes.fit(k, *a, modes=2, passes=6))
    got = fit(jax.random.key(0), jnp.asarray(x, jnp.float32), jnp.asarray(mask), jnp.ones(40))
    start = np.array(jax.random.normal(jax.random.key(0), (12, 3)), np.float64)
    start *= np.sqrt((x[mask] ** 2).mean() / 3)
    start[:, 0] = 0
    shape, doubt, noise = _plain_modes(start, x, mask, 6)
    np.testing.assert_allclose(got.shape, shape, atol=5e-3)
    np.testing.assert_allclose(got.doubt, doubt, atol=1e-3)
    np.testing.assert_allclose(got.noise, noise, rtol=5e-3)


def test_too_many_modes_shrink():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 1)) @ rng.normal(size=(1, 30)) + 0.1 * rng.normal(size=(60, 30))
    mask = rng.random(x.shape) < 0.7
    args = jnp.asarray(np.where(mask, x, 0), jnp.float32), jnp.asarray(mask), jnp.ones(60)
    errors = []
    for modes in (1, 8):
        found = _modes.fit(jax.random.key(0), *args, modes=modes, passes=40)
        filled = _modes.complete(found, *args[:2])
        errors.append(float(((filled - x)[~mask] ** 2).mean()))
    assert errors[1] < 1.5 * errors[0]
    assert errors[0] < 0.02


@pytest.mark.parametrize(("drift", "order"), [((0.0, 0.0), 0), ((1.0, -1.0), 1), ((0.5, 0.0), 2)])
def test_blocks_with_all_entries_near_are_the_conditional_mean(drift, order):
    rng = np.random.default_rng(3)
    shape = (2, 11, 9)
    x, mask = rng.normal(size=shape), rng.random(shape) < 0.4
    model = MODEL._replace(drift=jnp.array(drift))
    blocks = Blocks(shape, 12)
    kriging = _field_kriging.Kriging(model, jnp.array(0), jnp.array(order))
    run = jax.jit(lambda x, m: _field_kriging.moments(kriging, blocks, x, m, ~m))
    got, left = run(jnp.asarray(x[None], jnp.float32), jnp.asarray(mask[None]))[0]
    at = np.argwhere(np.ones(shape, bool)).astype(float)
    still = at - at[:, :1] * np.array([0.0, *drift])
    cov = _covariance(still, still, LENGTH, 0.4)
    seen = mask.ravel()
    inside = cov[np.ix_(seen, seen)] + NOISE * np.eye(seen.sum())
    weights = np.linalg.solve(inside, cov[np.ix_(seen, ~seen)])
    expected = weights.T @ x.ravel()[seen]
    variance = 1.1 - (cov[np.ix_(seen, ~seen)] * weights).sum(0)
    assert seen.sum() < 128
    np.testing.assert_allclose(np.asarray(got).ravel()[~seen], expected, atol=3e-3)
    np.testing.assert_allclose(np.asarray(left).ravel()[~seen], variance, atol=3e-3)


def test_chunks_hold_every_observed_entry_once():
    rng = np.random.default_rng(4)
    x, mask = rng.normal(size=(3, 2, 20, 13)), rng.random((3, 2, 20, 13)) < 0.5
    mask[1] = False
    args = jnp.asarray(x, jnp.float32), jnp.asarray(mask)
    known = _chunks.chunks(jax.random.key(0), *args)
    there = np.asarray(known.there)
    np.testing.assert_allclose(
        np.sort(np.asarray(known.x)[there]), np.sort(x[mask]).astype(np.float32)
    )
    at = np.asarray(known.at)[there]
    values = np.asarray(known.x)[there]
    assert all(np.isclose(x[:, t, i, j], v).any() for (t, i, j), v in zip(at, values, strict=True))
    counts = there.sum(1)
    assert counts[counts > 0].min() > 0.5 * counts.max()


def _field(n, shape, seed):
    at = np.argwhere(np.ones(shape, bool)).astype(float)
    cov = _covariance(at, at, LENGTH, 0.4) + 0.01 * np.eye(len(at))
    x = np.random.default_rng(seed).normal(size=(n, len(at))) @ np.linalg.cholesky(cov).T
    return x.reshape(n, *shape), cov


def test_the_likeliest_covariance_is_near_the_true_one():
    x, _ = _field(30, (1, 12, 12), 5)
    mask = np.random.default_rng(6).random(x.shape) < 0.6
    known = _chunks.chunks(jax.random.key(0), jnp.asarray(x, jnp.float32), jnp.asarray(mask))
    fit = jax.jit(
        lambda known: _chunks.likeliest(known, _chunks.start(jnp.array(1.0)), jnp.arange(3))
    )
    model, rough = fit(known)
    lag = jnp.array([[0.0, 2.0, 0.0], [0.0, 0.0, 2.0], [0.0, 4.0, 4.0]])
    got = _chunks.covariance(model, rough, jnp.zeros((1, 3))) - _chunks.covariance(
        model, rough, lag
    )
    true = 1.1 - _covariance(np.zeros((1, 3)), np.asarray(lag), LENGTH, 0.4)[0]
    np.testing.assert_allclose(got + jnp.exp(model.nugget), true + 0.01, rtol=0.35)


def test_the_effect_of_places_is_the_dense_posterior_mean():
    x, _ = _field(6, (1, 6, 7), 7)
    effect = np.random.default_rng(8).normal(size=(6, 7))
    mask = np.random.default_rng(9).random(x.shape) < 0.5
    values = np.where(mask, x + effect, 0)
    known = _chunks.chunks(jax.random.key(0), jnp.asarray(values, jnp.float32), jnp.asarray(mask))
    inverse = _place.inverses(known, MODEL, jnp.array(0))
    got = _place.effect(known, inverse, (6, 7), jnp.array(0.5), jnp.array(2.0))
    at = np.argwhere(np.ones((1, 6, 7), bool)).astype(float)
    within = _covariance(at, at, LENGTH, 0.4) + NOISE * np.eye(42)
    prior = 0.5 * np.exp(-np.linalg.norm(at[:, None] - at[None], axis=-1) / 2.0)
    precision, right = np.linalg.inv(prior), np.zeros(42)
    for film, seen in zip(values.reshape(6, -1), mask.reshape(6, -1), strict=True):
        inner = np.linalg.inv(within[np.ix_(seen, seen)])
        precision[np.ix_(seen, seen)] += inner
        right[seen] += inner @ film[seen]
    np.testing.assert_allclose(got.ravel(), np.linalg.solve(precision, right), atol=2e-2)


def test_kriging_learns_the_covariance_and_the_places():
    x, cov = _field(40, (1, 12, 12), 10)
    effect = 2 * np.random.default_rng(11).normal(size=(12, 12))
    x = (x + effect)[..., None]
    seen = np.random.default_rng(12).random(x.shape) < 0.4
    found = {
        place: complete(methods.kriging(place=place, reach=12), np.where(seen, x, np.nan))
        for place in (False, True)
    }
    errors = {place: ((got - x)[~seen] ** 2).mean() for place, got in found.items()}
    least = 0.0
    for row in seen.reshape(40, -1):
        inside = cov[np.ix_(row, row)]
        weights = np.linalg.solve(inside, cov[np.ix_(row, ~row)])
        least += (np.diag(cov)[~row] - (cov[np.ix_(row, ~row)] * weights).sum(0)).sum()
    least /= (~seen).sum()
    assert errors[True] < 1.6 * least  # the places are known from 16 frames each
    assert errors[True] < 0.5 * errors[False]


def test_eof_finds_films_of_few_modes_and_new_ones():
    rng = np.random.default_rng(13)
    wave = rng.normal(size=(2, 3 * 6 * 6 * 2))
    x = (rng.normal(size=(80, 2)) @ wave + 1).reshape(80, 3, 6, 6, 2)
    x += 0.02 * rng.normal(size=x.shape)
    seen = rng.random(x.shape) < 0.5
    got = complete(
        methods.eof(rows="film"), np.where(seen, x, np.nan)[:60], new=np.where(seen, x, np.nan)[60:]
    )
    assert ((got - x[60:])[~seen[60:]] ** 2).mean() < 0.01 * x.var()


def test_drawn_fields_have_the_covariance():
    kriging = _field_kriging.Kriging(MODEL, jnp.array(0), jnp.array(0))
    draw = jax.jit(lambda k: _field_draws.field(k, kriging, (4000, 2, 4, 3)))
    x = np.asarray(draw(jax.random.key(0))).reshape(4000, -1)
    at = np.argwhere(np.ones((2, 4, 3), bool)).astype(float)
    true = _covariance(at, at, LENGTH, 0.4) + NOISE * np.eye(len(at))
    # a standard error of a covariance is at most 1.1 * sqrt(2 / 4000) = 0.025
    np.testing.assert_allclose(x.T @ x / len(x), true, atol=0.11)


@pytest.mark.parametrize("name", ["kriging", "eof"])
def test_draws_are_as_wide_as_the_error(name):
    x, _ = _field(40, (1, 12, 12), 14)
    x = x[..., None]
    seen = np.random.default_rng(15).random(x.shape) < 0.4
    options = {"kriging": {"place": False, "reach": 12}, "eof": {"modes": 4}}[name]
    method = getattr(methods, name)(**options)
    data = ji.from_nan(jnp.asarray(np.where(seen, x, np.nan), jnp.float32))
    state = jax.jit(method.init)(jax.random.key(0), data)
    mean = np.asarray(jax.jit(method.estimate)(jax.random.key(1), state, data))
    sample = jax.jit(method.sample)
    draws = np.stack([sample(jax.random.key(2 + i), state, data) for i in range(20)])
    error, spread = (mean - x)[~seen].std(), draws.std(0)[~seen].mean()
    assert 0.8 < spread / error < 1.25
    # the mean of 20 draws is off the estimate by a spread over the root of 20, about
    assert (draws.mean(0) - mean)[~seen].std() < 1.5 * spread / np.sqrt(20)


@pytest.mark.parametrize("film", [True, False])
def test_coefficients_beside_a_field_are_the_dense_posterior_means(film):
    rng = np.random.default_rng(16)
    n, c, t, y, x = 3, 2, 2, 4, 5
    columns = c * t * y * x if film else c * y * x
    shape = rng.normal(size=(columns, 3)).astype(np.float32)
    modes = _modes.Modes(jnp.asarray(shape), jnp.zeros((3, 3)), jnp.array(0.1))
    kriging = _field_kriging.Kriging(
        jax.tree.map(lambda a: jnp.stack([a, a + 0.1]), MODEL), jnp.zeros(2, int), jnp.zeros(2, int)
    )
    values, mask = rng.normal(size=(n, c, t, y, x)), rng.random((n, c, t, y, x)) < 0.5
    given = jnp.asarray(np.where(mask, values, 0), jnp.float32), jnp.asarray(mask)
    got = jax.jit(lambda *a: _film_modes.explained_beside(modes, kriging, *a))(*given)
    rows, seen = (np.asarray(_film_modes.flat(a, film)) for a in given)
    at = jnp.asarray(np.argwhere(np.ones((t if film else 1, y, x), bool)), jnp.float32)
    cov = np.zeros((columns, columns))
    for i in range(c):
        model = jax.tree.map(lambda a, i=i: a[i], kriging.model)
        part = slice(i * len(at), (i + 1) * len(at))
        within = _chunks.covariance(model, jnp.array(0), at[:, None] - at[None])
        cov[part, part] = np.asarray(within) + float(_chunks.noise(model)) * np.eye(len(at))
    expected = []
    for row, s in zip(rows, seen, strict=True):
        inverse, w = np.linalg.inv(cov[np.ix_(s, s)]), shape[s, 1:]
        z = np.linalg.solve(np.eye(2) + w.T @ inverse @ w, w.T @ inverse @ (row[s] - shape[s, 0]))
        expected.append(shape[:, 0] + shape[:, 1:] @ z)
    np.testing.assert_allclose(_film_modes.flat(got, film), np.stack(expected), atol=5e-3)
