"""The pieces of MIRI on a base, each by itself."""

import jax
import jax.numpy as jnp
import numpy as np

import jaximpute as ji
from jaximpute import masking
from jaximpute.methods.papers.miri.algorithm import MiriState, Settings, pair_loss
from jaximpute.methods.papers.miri.based import Judged, hide, judge, learn_bases
from jaximpute.methods.papers.miri.flows import Flow, columns
from jaximpute.missing.again import again
from jaximpute.types import Net, Observed

ROWS = 200


def data(seed=0):
    x = jax.random.normal(jax.random.key(seed), (ROWS, 2))
    mask = jax.random.uniform(jax.random.key(seed + 1), x.shape) < 0.8
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(ROWS))


def test_folds_share_what_is_not_held_out():
    rows = data()
    shown, *without = np.asarray(hide(jax.random.key(2), rows, again(0.2), 3))
    observed = np.asarray(rows.mask)
    assert not (shown & ~observed).any()
    assert 0.1 < (observed & ~shown).sum() / observed.sum() < 0.3
    left_out = [shown & ~one for one in without]
    assert (sum(one.astype(int) for one in left_out) == shown).all()  # each cell in one fold


def test_a_base_learns_from_each_part():
    rows = data()
    parts = jnp.stack([rows.mask, rows.mask.at[:100].set(False)])
    whole, teachers = learn_bases(ji.methods.mean(), jax.random.key(0), rows, parts)
    late = Observed(rows.values[100:], rows.mask[100:], rows.weight[100:])
    expected = [ji.methods.mean().init(jax.random.key(0), each) for each in (rows, late)]
    for found, one in zip((whole, jax.tree.map(lambda a: a[1], teachers)), expected, strict=True):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), found, one)


def judged(seed=0):
    """Eight draws about a mean, of rows all of whose cells are held out."""
    truth = jax.random.normal(jax.random.key(seed), (ROWS, 2))
    draws = jax.random.normal(jax.random.key(seed + 1), (8, ROWS, 2))
    asked = jnp.ones(truth.shape, bool)
    shown = Observed(jnp.zeros_like(truth), ~asked, jnp.ones(ROWS))
    return Judged(shown, truth, asked, draws, jnp.zeros_like(truth))


def test_a_flow_to_the_truth_is_believed_and_one_away_from_it_is_not():
    held_out = judged()
    nearer = held_out.draws + 0.9 * (held_out.truth[None] - held_out.draws)
    by_draws, by_mean, least = judge(held_out, nearer, jnp.ones(2))
    assert by_draws.share == 1
    assert by_mean.share > 0.8
    assert least < by_draws.before
    further = held_out.draws + 5.0
    by_draws, by_mean, least = judge(held_out, further, jnp.ones(2))
    assert by_draws.share == 0 == by_mean.share
    np.testing.assert_allclose(least, by_draws.before, rtol=1e-5)


def test_the_loss_of_pairs_is_the_printed_equation():
    """Eq. (6) with a velocity of `a` times the state, by a loop over rows and entries."""
    rows, a, n = data(), 0.3, 7
    k_x, key = jax.random.split(jax.random.key(5))
    x = jnp.where(rows.mask, rows.values, jax.random.normal(k_x, rows.values.shape))
    net = Net(lambda *given: {}, lambda params, z, t, cond, key=None: params * z)
    state = MiriState(x, {}, jnp.zeros((), int), jnp.ones((), int), columns(rows))
    partner = jnp.roll(jnp.arange(ROWS), 1)
    settings = Settings(restart=False, targets="all", pairing="fixed", start="normal")
    given = Flow(net, batch=n), settings, state, rows, rows.weight, partner
    found = pair_loss(*given, jnp.float32(a), jax.random.clone(key))
    k_rows, _, _, k_time = jax.random.split(key, 4)
    i = np.asarray(masking.pick(k_rows, rows.weight, n))
    t = (np.arange(n) + np.asarray(jax.random.uniform(k_time, (n,)))) / n
    total, count, x = 0.0, 0, np.asarray(x)
    for row, tau in zip(i, t, strict=True):
        x0, x1 = x[row], x[partner[row]]
        for missing in np.flatnonzero(~np.asarray(rows.mask)[row]):
            z = (1 - tau) * x0[missing] + tau * x1[missing]
            total, count = total + (x1[missing] - x0[missing] - a * z) ** 2, count + 1
    np.testing.assert_allclose(found, total / max(count, 1), rtol=1e-4)
