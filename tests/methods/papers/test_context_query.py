"""Context-query diffusion: no leakage, Theorems 1 and 2 exactly, Algorithm 4, its relatives."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute._errors import OptionError
from jaximpute.maths import processes
from jaximpute.methods.papers.context_query import contexts, partitions, sampling
from jaximpute.methods.papers.context_query.loss import query_loss
from jaximpute.types import Net, Observed
from tests.oracles import gaussian_field as oracle

DELTA = 1e-2
VP = processes.vp()
ALPHA, SIGMA = (float(v) for v in VP.marginal(DELTA))
SIDE, GRID = 6, (3, 3)
SHAPE = (1, SIDE, SIDE, 1)


def constant(shape=SHAPE):
    """A network whose answer is its parameters."""
    return Net(
        lambda key, x, t, cond: {"out": jnp.zeros(shape)},
        lambda params, x, t, cond, key=None: jnp.broadcast_to(params["out"], x.shape),
    )


def table(cells):
    """The class of all rules linear in the context, one matrix for each set of blocks shown."""
    number = len(cells)
    power, corner = 2 ** jnp.arange(number), jnp.asarray([int(c.argmax()) for c in cells])

    def apply(params, x, t, cond, key=None):
        flat = x.reshape(x.shape[0], -1)
        code = jnp.sum(cond[0].reshape(flat.shape)[:, corner].astype(int) * power[None], axis=1)
        return jnp.einsum("nij,nj->ni", params["W"][code], flat).reshape(x.shape)

    return Net(lambda key, x, t, cond: {}, apply)


def codes(cells, context):
    return int(sum(2**b for b, cell in enumerate(cells) if context[cell].any()))


def fields(S, n, seed=0):
    z = np.random.default_rng(seed).normal(size=(n, len(S)))
    return (z @ np.linalg.cholesky(S).T).astype(np.float32).reshape(n, *SHAPE)


def test_only_the_query_has_a_gradient_and_nothing_hidden_leaks(key):
    k_mask, k_context, k_query, k_x, k_loss = jax.random.split(key, 5)
    mask = jax.random.uniform(k_mask, (5, *SHAPE)) < 0.6
    context = mask & (jax.random.uniform(k_context, mask.shape) < 0.5)
    query = mask & (jax.random.uniform(k_query, mask.shape) < 0.5)
    x = jax.random.normal(k_x, mask.shape)

    def fixed(key, mask):
        return (context, query)

    net = constant((5, *SHAPE))

    def loss(out, x):
        return query_loss(net, {"out": out}, jax.random.clone(k_loss), x, mask, fixed, VP)

    gradient = jax.grad(loss)(jnp.zeros_like(x), x)
    np.testing.assert_array_equal(np.asarray(gradient) != 0, query)
    garbage = jnp.where(mask, x, 1e6)
    np.testing.assert_array_equal(gradient, jax.grad(loss)(jnp.zeros_like(x), garbage))
    # the network sees the context and nothing else
    seen = []

    def spy(params, x, t, cond, key=None):
        seen.append((x, cond[0]))
        return jnp.zeros_like(x)

    query_loss(Net(constant().init, spy), {}, jax.random.clone(k_loss), garbage, mask, fixed, VP)
    np.testing.assert_array_equal(seen[0][1], context)
    np.testing.assert_array_equal(jnp.where(context, 0, seen[0][0]), 0)

    # an empty query gives no loss and no gradient
    def nothing(key, mask):
        return (context, jnp.zeros_like(mask))

    empty = jax.grad(
        lambda out: query_loss(net, {"out": out}, jax.random.clone(k_loss), x, mask, nothing, VP)
    )
    np.testing.assert_array_equal(empty(jnp.zeros_like(x)), 0)


def test_what_is_not_observed_changes_no_step_and_no_sample(key):
    mask = jax.random.uniform(key, (8, 2, 6, 6, 1)) < 0.6
    x = jax.random.normal(jax.random.key(1), mask.shape)
    net = ji.nets.field_mlp(mask.shape[1:], width=8, layers=1)
    method = ji.methods.context_query(net, partitions.pixel(0.5), batch=4, steps=2, members=1)
    both = []
    for hidden in (0.0, 1e6):
        data = Observed(jnp.where(mask, x, hidden), mask, jnp.ones(8))
        state = ji.fit(method, jax.random.key(2), data, 2, chunk=1)
        both.append((state, ji.complete(method, jax.random.key(3), state, data)))
    jax.tree.map(np.testing.assert_array_equal, both[0], both[1])


@pytest.mark.parametrize("name", ["missdiff", "ambient"])
def test_relatives_are_partitions_of_the_same_loss(name, key):
    split = partitions.missdiff if name == "missdiff" else partitions.ambient(0.6)
    mask = jax.random.uniform(jax.random.key(1), (4, *SHAPE)) < 0.7
    x = jnp.where(mask, jax.random.normal(jax.random.key(2), mask.shape), 0)
    net = Net(
        constant().init,
        lambda params, x, t, cond, key=None: 0.3 * x + t.reshape(-1, 1, 1, 1, 1) * cond[0],
    )
    loss = query_loss(net, {}, jax.random.clone(key), x, mask, split, VP)
    k_time, _, k_noise, k_split, _ = jax.random.split(key, 5)
    t = np.asarray(jax.random.uniform(k_time, (4,), minval=1e-3, maxval=1.0))
    noise = np.asarray(jax.random.normal(k_noise, x.shape))
    shown = np.asarray(split(k_split, mask)[0] if name == "ambient" else mask)
    total, n = 0.0, 0
    for i in range(4):
        integral = 0.1 * t[i] + t[i] ** 2 * 19.9 / 2
        alpha, sigma = np.exp(-integral / 2), np.sqrt(1 - np.exp(-integral))
        for place in np.argwhere(np.asarray(mask[i])):
            where = (i, *place)
            noisy = alpha * float(x[where]) + sigma * noise[where]
            answer = (0.3 * noisy + t[i]) if shown[where] else 0.0
            total, n = total + (answer - float(x[where])) ** 2, n + 1
    np.testing.assert_allclose(loss, total / n, rtol=1e-5)


def test_gains_are_conditional_means():
    S = oracle.covariance(4, 4)
    c = np.random.default_rng(0).random(16) < 0.5
    joint = np.block([[S, ALPHA * S[:, c]], [ALPHA * S[c], ALPHA**2 * S[np.ix_(c, c)]]])
    joint[16:, 16:] += SIGMA**2 * np.eye(int(c.sum()))
    precision = np.linalg.inv(joint)
    brute = -np.linalg.solve(precision[:16, :16], precision[:16, 16:])
    np.testing.assert_allclose(oracle.gain(S, c, ALPHA, SIGMA)[:, c], brute, atol=1e-8)
    left = np.trace(np.linalg.inv(precision[:16, :16]))
    np.testing.assert_allclose(oracle.variance(S, c, ALPHA, SIGMA), left, rtol=1e-9)


def test_theorem_2_is_bias_and_a_variance_that_falls_as_one_over_k(key):
    S, cells = oracle.covariance(SIDE, SIDE), oracle.blocks(SIDE, SIDE, *GRID)
    mask = cells[[0, 2, 4, 5, 7]].any(axis=0)
    left = [mask & ~cells[b] for b in (0, 2, 4, 5, 7)]
    exact = oracle.ensemble(S, mask, left, ALPHA, SIGMA)
    # equation (11)
    np.testing.assert_allclose(exact.bias2 + exact.var, exact.context - exact.best, rtol=1e-9)
    gains = np.zeros((512, SIDE**2, SIDE**2), np.float32)
    for c in left:
        gains[codes(cells, c)] = oracle.gain(S, c, ALPHA, SIGMA)
    model = sampling.Model(table(cells), {"W": jnp.asarray(gains)}, VP, rows=4000)
    n = 2000
    x = fields(S, n)
    seen = jnp.broadcast_to(jnp.asarray(mask.reshape(SHAPE))[None], x.shape)
    data = Observed(jnp.where(seen, x, 0), seen, jnp.ones(n))

    def errors(feed):
        out = sampling.single_steps(
            model, jax.random.clone(key), data, [feed], DELTA, jnp.ones(())
        )[0]
        return ((np.asarray(out) - x) ** 2).reshape(n, -1).sum(axis=1)

    every = errors(contexts.every_block(GRID))
    limit = exact.best + exact.bias2
    assert abs(every.mean() - limit) < 4 * every.std() / n**0.5
    members, gaps = (1, 2, 4, 8), []
    for k in members:
        gap = errors(contexts.drawn(partitions.block(GRID), k)) - every
        gaps.append(gap.mean())
        assert abs(gap.mean() - exact.var / k) < 4 * gap.std() / n**0.5
    slope = np.polyfit(np.log(members), np.log(gaps), 1)[0]
    assert abs(slope + 1) < 0.08


def theorem_1(split, n=8000):
    """Least squares on incomplete samples, one matrix a context: its error over the best one.

    Also the numbers of pairs (context, place outside it) that were ever asked for, and of all.
    """
    grid, S = (2, 2), oracle.covariance(SIDE, SIDE)
    cells = oracle.blocks(SIDE, SIDE, *grid)
    rng = np.random.default_rng(1)
    missing = rng.integers(4, size=n)
    mask = ~cells[missing]
    x = fields(S, n).reshape(n, -1)
    y = ALPHA * x + SIGMA * rng.normal(size=x.shape)
    context, query = (
        np.asarray(part).reshape(n, -1)
        for part in split(jax.random.key(0), jnp.asarray(mask.reshape(n, *SHAPE)))
    )
    code = np.array([codes(cells, c) for c in context])
    ratios, asked, places = [], 0, 0
    for one in np.unique(code):
        rows = code == one
        c = context[rows][0]
        exact = oracle.gain(S, c, ALPHA, SIGMA)
        for i in np.flatnonzero(~c):
            places += 1
            used = rows & query[:, i]
            asked += bool(used.any())
            if used.any():
                w = np.linalg.lstsq(y[used][:, c], x[used, i], rcond=None)[0]
                inside = ALPHA**2 * S[np.ix_(c, c)] + SIGMA**2 * np.eye(int(c.sum()))
                error = [
                    S[i, i] - 2 * ALPHA * v @ S[c, i] + v @ inside @ v for v in (w, exact[i, c])
                ]
                m, p = used.sum(), c.sum()
                ratios.append(error[0] / error[1] / (1 + p / (m - p - 1)))
    return ratios, asked, places


def test_theorem_1_least_squares_reaches_the_best_where_all_is_asked_for():
    ratios, asked, places = theorem_1(partitions.block((2, 2)))
    assert asked == places == 6 * 18
    assert abs(np.mean(ratios) - 1) < 0.01


def test_theorem_1_what_is_never_asked_for_is_never_touched(key):
    _, asked, places = theorem_1(partitions.missdiff)
    assert (asked, places) == (0, 4 * 9)
    cells = oracle.blocks(SIDE, SIDE, 2, 2)
    S = oracle.covariance(SIDE, SIDE)
    mask = ~cells[np.arange(64) % 4].reshape(64, *SHAPE)
    data = Observed(jnp.where(mask, fields(S, 64), 0), jnp.asarray(mask), jnp.ones(64))
    start = np.random.default_rng(0).normal(size=(16, 36, 36)).astype(np.float32)
    net = table(cells)._replace(init=lambda key, x, t, cond: {"W": jnp.asarray(start)})
    for split, taught in ((partitions.missdiff, False), (partitions.block((2, 2)), True)):
        method = ji.methods.context_query(net, split, lr=1e-2, batch=64, sgd_steps=4, decay=0.0)
        state = ji.fit(method, jax.random.clone(key), data, 5, chunk=5)
        moved = np.asarray(state.learner.params["W"]) != start
        for code in range(16):
            shown = np.array([code >> b & 1 for b in range(4)], bool)
            outside = cells[~shown].any(axis=0)
            usual = shown.sum() == (2 if taught else 3)
            assert moved[code][outside].any() == (taught and usual), code


def test_the_better_feed_is_chosen_on_entries_hidden_once_more(key):
    x = jnp.asarray(fields(oracle.covariance(SIDE, SIDE), 32))
    mask = jax.random.uniform(key, x.shape) < 0.7
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(32).at[3].set(0))
    # a network that is right about what it is shown, and says 3 where it is shown little
    net = Net(
        lambda key, x, t, cond: {},
        lambda params, x, t, cond, key=None: (
            jnp.where(cond[0].mean(axis=(1, 2, 3, 4), keepdims=True) < 0.5, 3.0, 0.0) + 0 * x
        ),
    )
    little = contexts.drawn(partitions.pixel(0.3), 2)
    method = partial(ji.methods.context_query, net, partitions.pixel(0.3))
    state = method().init(jax.random.key(1), data)
    for feeds in ((little, contexts.observed), (contexts.observed, little)):
        out = method(feeds=feeds).estimate(jax.random.key(2), state, data)
        np.testing.assert_array_equal(np.asarray(out)[~np.asarray(mask)], 0.0)
    out = method(feeds=(little,)).estimate(jax.random.key(2), state, data)
    np.testing.assert_allclose(np.asarray(out)[~np.asarray(mask)], 3.0)


def test_observed_entries_return_and_draws_differ(key):
    x = jax.random.normal(key, (6, 2, 6, 6, 1))
    mask = jax.random.uniform(jax.random.key(1), x.shape) < 0.6
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(6))
    net = ji.nets.field_mlp(x.shape[1:], width=8, layers=1)
    method = ji.methods.context_query(net, partitions.pixel(), steps=3, members=1, rows=4)
    state = ji.fit(method, jax.random.key(2), data, 1, chunk=1)
    one, two = (method.sample(jax.random.key(s), state, data) for s in (3, 4))
    for out in (one, two):
        np.testing.assert_array_equal(np.asarray(out)[mask], np.asarray(x)[mask])
    assert (np.asarray(one) != np.asarray(two))[~np.asarray(mask)].all()


def test_scanned_and_unscanned_steps_agree(key):
    x = jax.random.normal(key, (6, 1, 6, 6, 1))
    data = Observed(x, jnp.full(x.shape, True), jnp.ones(6))
    net = ji.nets.field_mlp(x.shape[1:], width=8, layers=1)
    after = [
        ji.fit(
            ji.methods.context_query(
                net, partitions.block(), batch=4, sgd_steps=3, scan=scan, total=10
            ),
            jax.random.key(1),
            data,
            2,
            chunk=1,
        )
        for scan in (True, False)
    ]
    close = partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, after[0].learner, after[1].learner)


def test_the_rate_grows_over_the_warm_up():
    data, moved = ji.observe(np.ones((4, 2, 6, 6, 1))), []
    for warmup in (0, 10):
        method = ji.methods.context_query(
            ji.nets.field_mlp((2, 6, 6, 1), width=8), partitions.missdiff, warmup=warmup
        )
        state = method.init(jax.random.key(0), data)
        after = method.step(jax.random.key(1), state, data)[0]
        pair = (one.learner.params for one in (after, state))
        moved.append(jax.tree.map(jnp.subtract, *pair))
    close = partial(np.testing.assert_allclose, rtol=2e-3, atol=1e-8)
    jax.tree.map(lambda whole, tenth: close(10 * tenth, whole), *moved)
    assert max(np.abs(leaf).max() for leaf in jax.tree.leaves(moved[0])) > 1e-4


def test_wrong_options_are_refused():
    for options in (
        {"lr": 0.0},
        {"delta": 1.0},
        {"at_delta": 1.5},
        {"decay": 1.0},
        {"steps": 0},
        {"warmup": -1},
        {"objective": "score"},
    ):
        with pytest.raises(OptionError, match="expected"):
            ji.methods.context_query(constant(), partitions.missdiff, **options)
