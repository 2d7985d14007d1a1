"""Trees on a base's residual: what they see, that they learn it, and that noise changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import registry
from jaximpute.engine.onhost import OnHost
from jaximpute.methods.simple import _cells

SMALL = {"hidings": 5, "iterations": 40}


def _series(seed=0, time=900):
    """A second channel that is bent and lags: no line through time knows it."""
    rng = np.random.default_rng(seed)
    x = np.zeros(time + 2)
    for t in range(1, time + 2):
        x[t] = 0.6 * x[t - 1] + rng.normal()
    return np.stack([x[1:-1], np.abs(x[2:]) + 0.1 * rng.normal(size=time)], axis=1)[None]


def _holed(x, seed=1):
    return np.where(np.random.default_rng(seed).random(x.shape) < 0.15, np.nan, x)


def _filled(method, state, x):
    return np.asarray(jax.jit(method.estimate)(jax.random.key(1), state, ji.observe(x)))


def test_trees_learn_what_lines_miss_and_say_it_of_other_series():
    base = ji.methods.linear()
    method = ji.methods.boosted_smoother(base, **SMALL)
    full = _series()
    state = ji.fit(method, jax.random.key(0), ji.observe(_holed(full)), 1)
    assert state.error < 0.9 * state.start_error
    assert state.share.max() > 0
    for seed in (0, 5):
        full = _series(seed)
        holed = _holed(full, seed + 1)
        missing = np.isnan(holed)
        boosted, lines = _filled(method, state, holed), _filled(base, state.base, holed)
        errors = [np.abs(got - full)[missing].mean() for got in (boosted, lines)]
        assert errors[0] < 0.9 * errors[1]


def test_where_there_is_nothing_to_learn_the_base_is_the_answer():
    noise = np.random.default_rng(0).normal(size=(1, 600, 2))
    holed, base = _holed(noise), ji.methods.mean()
    method = ji.methods.boosted_smoother(base, **SMALL)
    state = ji.fit(method, jax.random.key(0), ji.observe(holed), 1)
    np.testing.assert_array_equal(state.share, 0)
    assert state.error == state.start_error
    np.testing.assert_allclose(
        _filled(method, state, holed), _filled(base, state.base, holed), atol=1e-6
    )


def test_too_few_cells_grow_no_trees():
    holed = _holed(_series(time=40))
    method = ji.methods.boosted_smoother(ji.methods.linear(), **SMALL)
    state = ji.fit(method, jax.random.key(0), ji.observe(holed), 1)
    assert not np.asarray(state.trees.value).any()
    assert np.isfinite(_filled(method, state, holed)).all()


def test_features_are_what_they_are_said_to_be():
    rng = np.random.default_rng(0)
    filled = rng.normal(size=(2, 40, 3)).astype(np.float32)
    mask = rng.random(filled.shape) < 0.6
    cells = _cells.look(jnp.asarray(filled), jnp.asarray(mask))
    near, period = [2, 0, 1], 7
    rows, steps = np.array([0, 1, 1]), np.array([1, 20, 39])
    given = jnp.array(near), jnp.asarray(period), jnp.asarray(rows), jnp.asarray(steps)
    got = np.asarray(_cells.features(cells, *given))
    assert got.shape == (3, _cells.width(3))
    for features, i, t in zip(got, rows, steps, strict=True):
        x, seen, here = filled[i], mask[i], filled[i, t, 2]

        def at(step, channel, x=x, seen=seen, here=here):
            inside = 0 <= step < 40
            return (x[step, channel] - here, seen[step, channel]) if inside else (0.0, False)

        around = [at(t + k, c) for k in range(-3, 4) for c in near]
        steps_seen = np.flatnonzero(seen[:, 2])
        before = t - steps_seen[steps_seen <= t]
        after = steps_seen[steps_seen >= t] - t
        squares = [(x[s, 2] - x[s - 1, 2]) ** 2 for s in range(max(t - 12, 1), min(t + 13, 40))]
        expected = [
            *(value for value, _ in around),
            *(float(shown) for _, shown in around),
            here,
            np.sqrt(np.sum(squares) / 25),
            before.min() if len(before) else None,
            after.min() if len(after) else None,
            t % period,
            *at(t - period, 2),
            *at(t + period, 2),
        ]
        for value, wanted in zip(features, expected, strict=True):
            if wanted is not None:
                np.testing.assert_allclose(value, float(wanted), rtol=1e-4, atol=1e-5)


@pytest.mark.fast
def test_it_learns_on_the_host_and_refuses_what_it_cannot_use():
    method = ji.methods.boosted_smoother(ji.methods.linear())
    assert isinstance(method.init, OnHost)
    with pytest.raises(ji.OptionError, match="no `estimate`"):
        ji.methods.boosted_smoother(ji.methods.soft_impute())
    with pytest.raises(ji.OptionError, match="share is 1"):
        ji.methods.boosted_smoother(ji.methods.linear(), share=1.0)
    data = ji.observe(_series(time=30))
    with pytest.raises(ji.OptionError, match="takes steps"):
        registry.build("boosted_smoother", data, kind="series", options={"base": "spirit"})
