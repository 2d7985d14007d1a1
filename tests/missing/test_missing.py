"""Simulators: rates hit, the mechanism each claims, and no column ever left empty."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import missing
from jaximpute._errors import DataError, OptionError

TABLE = (4000, 4)
SERIES = (4, 30, 3)


def normal(seed, shape):
    return jax.random.normal(jax.random.key(seed), shape)


def hidden(simulate, x, seed=0):
    return ~np.asarray(jax.jit(simulate)(jax.random.key(seed), x))


def runs(gone):
    """Lengths of the runs of True that touch neither end."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], gone.astype(int), [0]])))
    begin, end = edges[::2], edges[1::2]
    inner = (begin > 0) & (end < len(gone))
    return (end - begin)[inner]


@pytest.mark.parametrize(
    "simulate",
    [
        missing.mcar(0.3),
        missing.mnar_self(0.3),
        missing.mnar_quantile(0.3),
        missing.mnar_quantile(0.3, share=0.4, tail="both"),
    ],
)
def test_every_column_loses_its_share(simulate):
    x = normal(1, TABLE) * jnp.array([1.0, 5.0, 0.1, 2.0])[None] + 3
    np.testing.assert_allclose(hidden(simulate, x).mean(0), 0.3, atol=0.03)


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(("law", "length"), [("geometric", 6), ("fixed", 5)])
def test_block_hits_its_rate_at_every_time(law, length, together):
    simulate = missing.block(0.3, length=length, law=law, together=together)
    gone = hidden(simulate, jnp.zeros((1500, 30, 3)))
    per_step = gone[..., 0].mean(0)  # in equilibrium from the first step to the last
    np.testing.assert_allclose(per_step, 0.3, atol=0.06)
    assert abs(gone[..., 0].mean() - 0.3) < 0.02
    shared = (gone == gone[..., :1]).all()
    assert shared if together else not shared


def test_block_gaps_have_the_lengths_asked_for():
    x = jnp.zeros((20, 400, 2))
    fixed = hidden(missing.block(0.2, length=7, law="fixed"), x)
    lengths = np.concatenate([runs(fixed[i, :, c]) for i in range(20) for c in range(2)])
    assert set(lengths) == {7}

    drawn = hidden(missing.block(0.2, length=4.0), x)
    lengths = np.concatenate([runs(drawn[i, :, c]) for i in range(20) for c in range(2)])
    assert abs(lengths.mean() - 4) < 0.4
    assert abs((lengths == 1).mean() - 1 / 4) < 0.05  # P(length = 1) of a geometric law


@pytest.mark.fast
def test_mar_depends_on_observed_columns_only():
    x = normal(1, TABLE)
    gone = hidden(missing.mar(0.4, always=0.5, slope=3.0), x)
    rates = gone.mean(0)
    kept = rates == 0
    assert kept.sum() == 2
    np.testing.assert_allclose(rates[~kept], 0.4, atol=0.03)
    x = np.asarray(x)
    for d in np.flatnonzero(~kept):
        on_kept = max(abs(np.corrcoef(gone[:, d], x[:, a])[0, 1]) for a in np.flatnonzero(kept))
        assert on_kept > 0.2
        assert abs(np.corrcoef(gone[:, d], x[:, d])[0, 1]) < 0.06  # independent of its own value


def test_mar_bias_is_solved_for_skewed_columns():
    x = jnp.exp(2 * normal(2, TABLE))  # few rows dominate: b = logit(p) would miss the rate
    gone = hidden(missing.mar(0.2, always=0.5, slope=5.0), x)
    np.testing.assert_allclose(gone.mean(0)[gone.any(0)], 0.2, atol=0.03)


def test_mnar_self_follows_the_logistic():
    slope, p = 1.5, 0.3
    x = normal(3, (40_000, 1))
    gone = hidden(missing.mnar_self(p, slope=slope), x)[:, 0]
    z = np.asarray((x - x.mean()) / x.std())[:, 0]
    # the odds of two bins differ by exp(slope * distance), whatever the bias
    low, high = (np.abs(z + 1) < 0.15), (np.abs(z - 1) < 0.15)
    odds = [gone[b].mean() / (1 - gone[b].mean()) for b in (low, high)]
    assert abs(np.log(odds[1] / odds[0]) - 2 * slope) < 0.3
    small = hidden(missing.mnar_self(p, slope=-slope), x)[:, 0]
    assert z[small].mean() < -0.3


@pytest.mark.parametrize(("tail", "side"), [("upper", 1), ("lower", -1), ("both", 0)])
def test_mnar_quantile_hides_only_the_tails(tail, side):
    x = jax.random.permutation(jax.random.key(4), jnp.arange(1000.0))[:, None]
    gone = hidden(missing.mnar_quantile(0.1, share=0.2, tail=tail), x)
    values = np.asarray(x)[gone]
    centred = values - 499.5
    if side:
        assert (side * centred > 299).all()
    else:
        assert (np.abs(centred) > 399).all()
        assert {-1.0, 1.0} == set(np.sign(centred))


@pytest.mark.fast
def test_mnar_quantile_keeps_its_rate_under_ties():
    gone = hidden(missing.mnar_quantile(0.25, share=0.5), jnp.zeros((2000, 2)))
    np.testing.assert_allclose(gone.mean(0), 0.25, atol=0.03)
    assert abs(gone[:1000].mean() - gone[1000:].mean()) < 0.06  # by chance, not by position


def test_own_rows_are_borrowed_whole():
    patterns = jnp.array([[True, True, True], [True, False, False], [False, True, True]])
    own = patterns[jax.random.randint(jax.random.key(5), (600,), 0, 3)]
    result = ~hidden(missing.resample_own(own), jnp.zeros(own.shape))
    seen, counts = np.unique(result, axis=0, return_counts=True)
    assert {tuple(r) for r in seen} == {tuple(r) for r in np.asarray(patterns)}
    _, wanted = np.unique(np.asarray(own), axis=0, return_counts=True)
    np.testing.assert_allclose(counts, wanted, atol=60)
    # no row borrows from itself, so the one odd row's pattern goes elsewhere or nowhere
    lone = jnp.ones((6, 2), bool).at[0].set(jnp.array([True, False]))
    simulate = missing.resample_own(lone)
    assert not any(hidden(simulate, jnp.zeros((6, 2)), seed)[0].any() for seed in range(5))


@pytest.mark.fast
def test_own_gaps_keep_their_lengths():
    gone = np.zeros((2, 60, 2), bool)
    gone[0, 10:13, 0] = gone[0, 30:37, 0] = True
    gone[1, 5:9, 1] = gone[0, 20:22, 1] = True
    simulate = missing.resample_own(jnp.asarray(~gone))
    for seed in range(4):
        got = hidden(simulate, jnp.zeros(gone.shape), seed)
        for i in range(2):
            for c in range(2):
                before, after = gone[i, :, c], got[i, :, c]
                assert before.sum() == after.sum()
                shifts = [s for s in range(60) if (np.roll(before, s) == after).all()]
                assert shifts
                assert not before.any() or 0 not in shifts


def test_own_together_shifts_channels_alike():
    gone = np.zeros((1, 50, 3), bool)
    gone[0, 7:12] = True
    simulate = missing.resample_own(jnp.asarray(~gone), together=True)
    got = hidden(simulate, jnp.zeros(gone.shape))
    assert got.sum() == gone.sum()
    assert (got == got[..., :1]).all()


@pytest.mark.fast
def test_own_leaves_something_observed_in_all():
    own = jnp.array([[True, False], [False, True]])  # every borrowed row hides the other's entry
    simulate = jax.jit(missing.resample_own(own))
    for k in jax.random.split(jax.random.key(7), 5):
        assert (own & simulate(k, jnp.zeros((2, 2)))).any(axis=0).all()


@pytest.mark.parametrize(
    "simulate",
    [
        missing.mcar(0.999),
        missing.mnar_self(0.999),
        missing.mnar_quantile(0.999, share=1.0),
        missing.mar(0.999, always=0.3),
    ],
)
def test_no_column_is_left_empty(simulate):
    simulate = jax.jit(simulate)
    for k in jax.random.split(jax.random.key(8), 5):
        assert simulate(k, normal(9, (3, 5))).any(axis=0).all()


def test_block_leaves_no_channel_empty():
    simulate = jax.jit(missing.block(0.99, length=100, together=True))
    for k in jax.random.split(jax.random.key(8), 5):
        assert simulate(k, jnp.zeros((1, 6, 3))).any(axis=(0, 1)).all()


@pytest.mark.fast
def test_spare_gives_back_one_entry_at_random_and_only_where_needed():
    mask = jnp.zeros((50, 3), bool).at[4, 1].set(True)
    among = jnp.zeros((50, 3), bool).at[10:12, 0].set(True)
    chosen = set()
    for k in jax.random.split(jax.random.key(10), 12):
        got = np.asarray(missing.spare(k, mask, among))
        assert got.sum(0).tolist() == [1, 1, 0]  # nothing may be given back to the last column
        assert got[4, 1]
        chosen.add(int(np.flatnonzero(got[:, 0])[0]))
    assert chosen == {10, 11}


def test_series_are_taken_by_all_and_draws_differ():
    x = normal(11, SERIES)
    for simulate in (
        missing.mcar(0.2),
        missing.mar(0.2),
        missing.mnar_self(0.2),
        missing.mnar_quantile(0.2),
        missing.block(0.2),
        missing.resample_own(normal(12, SERIES) > -1),
    ):
        simulate = jax.jit(simulate)
        first, again, other = (simulate(jax.random.key(seed), x) for seed in (1, 1, 2))
        assert first.shape == SERIES
        assert first.dtype == bool
        assert (first == again).all()
        assert not (first == other).all()


@pytest.mark.fast
def test_options_out_of_range_are_named():
    for build, word in (
        (lambda: missing.mcar(0.0), "p is 0.0"),
        (lambda: missing.mnar_self(1.0), "p is 1.0"),
        (lambda: missing.mar(0.3, always=1.0), "always is 1.0"),
        (lambda: missing.mnar_quantile(0.6, share=0.5), "share is 0.5"),
        (lambda: missing.block(0.3, length=0.5), "length is 0.5"),
        (lambda: missing.block(0.3, length=2.5, law="fixed"), "whole number"),
        (lambda: missing.block(0.8, length=2), "length >= 4"),
    ):
        with pytest.raises(OptionError, match=word):
            build()


@pytest.mark.fast
def test_data_that_does_not_fit_is_named(key):
    with pytest.raises(DataError, match="at least two columns"):
        missing.mar(0.3)(key, jnp.zeros((5, 1)))
    with pytest.raises(DataError, match="x\\[None\\]"):
        missing.block(0.3)(key, jnp.zeros((5, 2)))
    with pytest.raises(DataError, match="mask to resample"):
        missing.resample_own(jnp.ones((5, 2), bool))(key, jnp.zeros((4, 2)))
    with pytest.raises(DataError, match="expected \\(n, columns\\)"):
        missing.resample_own(jnp.ones(5, bool))
