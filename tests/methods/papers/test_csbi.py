"""CSBI against Gaussians: its losses, its gradients, its paths and its draws have closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import OptionError
from jaximpute.engine.loop import fit
from jaximpute.maths import processes
from jaximpute.methods import csbi, csbi0, csbi_warmup
from jaximpute.methods._conditional import per_row
from jaximpute.methods.papers.csbi import bridge as bridges
from jaximpute.methods.papers.csbi.algorithm import in_pieces
from jaximpute.methods.papers.csbi.bridge import Bridge
from jaximpute.nets import csdi_transformer
from jaximpute.types import Net
from tests.helpers import gaussian_series as gaussian

PROCESSES = {"ve": processes.ve(0.05, 4.0), "vp": processes.vp()}


@pytest.fixture(params=PROCESSES)
def process(request):
    return PROCESSES[request.param]


@pytest.mark.parametrize("probe", ["rademacher", "gaussian"])
def test_the_divergence_of_a_linear_field_is_its_trace(probe):
    """With z = A x the terms sum to |Ax|^2 / 2 + z' b + g tr A, over the entries scored."""
    a = jax.random.normal(jax.random.key(0), (4, 4))
    x, other = jax.random.normal(jax.random.key(1), (2, 3, 4))
    where = jnp.array([True, False, True, True])[None] & jnp.full((3, 1), True)
    g = jnp.array([0.5, 1.0, 2.0])

    def terms(other):
        """The sum of each row, alone."""
        return [
            bridges.likelihood(
                lambda a, x: x @ a.T,
                a,
                other,
                g,
                jax.random.key(2),
                x,
                (where & (jnp.arange(3) == i)[:, None]).astype(x.dtype),
                probes=20_000,
                probe=probe,
            )
            for i in range(3)
        ]

    found = terms(other)
    np.testing.assert_array_equal(terms(jnp.where(where, other, 9.0)), found)
    z = x @ a.T
    trace = a[0, 0] + a[2, 2] + a[3, 3]
    expected = jnp.where(where, z**2 / 2 + z * other, 0).sum(axis=1) + g * trace
    np.testing.assert_allclose(found, expected, atol=0.12)


def test_one_rademacher_probe_is_exact_on_a_diagonal():
    a = jnp.diag(jnp.arange(1.0, 5.0))
    x, g = jnp.zeros((2, 4)), jnp.ones(2)
    for i in range(2):
        weight = jnp.zeros((2, 4)).at[i].set(1.0)
        found = bridges.likelihood(lambda a, x: x @ a, a, x, g, jax.random.key(0), x, weight)
        np.testing.assert_allclose(found, 10.0, rtol=1e-6)


@pytest.mark.fast
def test_no_gradient_reaches_the_other_policy():
    x, weight, g = jnp.ones((2, 3)), jnp.ones((2, 3)), jnp.ones(2)

    def loss(a):
        return bridges.likelihood(
            lambda b, x: b * x, 2.0 * jnp.ones(()), a * x, g, jax.random.key(0), x, weight
        )

    assert loss(1.0) != loss(2.0)
    assert jax.grad(loss)(1.0) == 0


@pytest.mark.parametrize("probes", [1, 3])
def test_the_gradient_is_that_of_the_terms_written_out(probes):
    """Against reverse over forward: the slow twin differentiates every term as it stands."""
    a = jax.random.normal(jax.random.key(0), (4, 4))
    x, other = jax.random.normal(jax.random.key(1), (2, 3, 4))
    weight = jax.random.uniform(jax.random.key(2), (3, 4)).at[1, 2].set(0.0)
    g = jnp.array([0.5, 1.0, 2.0])

    def own(a, x):
        return jnp.tanh(x @ a) * x

    def plain(a):
        signs = jax.random.rademacher(jax.random.key(3), (probes * x.size,), x.dtype).reshape(
            probes, 3, 4
        )
        total = jnp.zeros(())
        for e in jnp.where(weight[None] > 0, signs, 0):
            z, moved = jax.jvp(lambda x: own(a, x), (x,), (e,))
            terms = z**2 / 2 + z * other + g[:, None] * e * moved
            total = total + (weight * terms).sum() / probes
        return total

    def fast(a):
        key = jax.random.key(3)
        return 5 * bridges.likelihood(own, a, other, g, key, x, weight, probes=probes)

    found = jax.value_and_grad(fast)(a)
    value, slope = jax.value_and_grad(plain)(a)
    np.testing.assert_allclose(found[0], 5 * value, rtol=1e-5)
    np.testing.assert_allclose(found[1], 5 * slope, rtol=1e-4, atol=1e-5)


def test_likelihood_gradients_match_finite_differences():
    """Forward over reverse, through a network with attention, gates and masks."""
    process = PROCESSES["ve"]
    net = csdi_transformer((4, 2), width=8, layers=1, heads=2)
    policy = bridges.backward_policy(net, process, True)
    x = jax.random.normal(jax.random.key(0), (2, 4, 2))
    context = jnp.arange(8).reshape(1, 4, 2) % 3 == 0
    context = jnp.broadcast_to(context, x.shape)
    cond = (jnp.where(context, x, 0), context, jnp.zeros((2, 4)) + jnp.arange(4.0)[None])
    t = jnp.array([0.3, 0.8])
    params = net.init(jax.random.key(1), x, t, cond)
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(2), len(leaves))
    leaves = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, leaves)
    keys = jax.random.split(jax.random.key(3), len(leaves))
    way = jax.tree.unflatten(
        tree, [jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    )

    @jax.jit
    def loss(size):
        moved = jax.tree.map(lambda p, d: p + size * d, params, way)
        return bridges.likelihood(
            lambda moved, x: policy(moved, x, t, cond),
            moved,
            0.3 * x,
            process.diffusion(t),
            jax.random.key(4),
            x,
            bridges.entry_weights(Bridge(process, 10), t, ~context),
        )

    slope = (loss(2e-3) - loss(-2e-3)) / 4e-3
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(0.0), slope, rtol=0.02)


def linear(process) -> Net:
    """z = -a g x for a single weight a: the exact policy of N(0, s^2) has a = 1 / (a^2 s^2 + v)."""

    def apply(params, x, t, cond, key=None):
        return -params["a"] * per_row(process.diffusion(t), x) * x

    return Net(lambda key, x, t, cond: {"a": jnp.ones(())}, apply)


@pytest.mark.parametrize("a", [0.3, 1.0])
def test_csbi0_is_score_matching_in_expectation(process, a):
    """At one time, eq. (12a) without a forward policy is denoising score matching, less a constant.

    For data N(0, s^2) both are quadratic in a, with the same slope and curvature.
    """
    n, s, t = 200_000, 0.7, jnp.full(200_000, 0.4)
    alpha, sigma = process.marginal(0.4)
    total = alpha**2 * s**2 + sigma**2
    k_data, k_noise, k_match, k_probe = jax.random.split(jax.random.key(0), 4)
    clean = s * jax.random.normal(k_data, (n, 1))
    x = alpha * clean + sigma * jax.random.normal(k_noise, (n, 1))
    where = jnp.full((n, 1), True)
    policy = bridges.backward_policy(linear(process), process, False)
    implicit = bridges.likelihood(
        lambda a, x: policy({"a": a}, x, t, ()),
        jnp.asarray(a),
        0 * x,
        process.diffusion(t),
        k_probe,
        x,
        bridges.entry_weights(Bridge(process, 10), t, where),
    )
    expected = sigma**2 * (a**2 * total / 2 - a)
    np.testing.assert_allclose(implicit, expected, atol=0.02)
    matched = bridges.score_matching(policy, process, {"a": a}, k_match, clean, where, t, ())
    # half of |sigma z / g + noise|^2 without its weight: the same up to |noise|^2 / 2
    explicit = matched / (1 + (sigma / alpha) ** 2) / 2 - 0.5
    np.testing.assert_allclose(explicit, implicit, atol=0.02)


def test_training_finds_the_score_by_rounds_and_by_the_warm_up():
    """One weight: warm-up and bridge without forward policy have the same minimiser."""
    process = processes.ve(0.5, 2.0)
    data = gaussian.rows(64)._replace(
        values=0.7 * jax.random.normal(jax.random.key(9), (64, 6, 1)),
        mask=jnp.full((64, 6, 1), True),
    )

    def at(process):  # one weight cannot serve all times: scale it by what is right at each
        def apply(params, x, t, cond, key=None):
            variance = 0.49 + process.marginal(t)[1] ** 2
            return -params["a"] * per_row(process.diffusion(t) / variance, x) * x

        return Net(lambda key, x, t, cond: {"a": jnp.zeros(())}, apply)

    options = {"scaled": False, "sde_steps": 10, "warmup": 0, "lr": 2e-2, "sgd_steps": 200}
    method = csbi0(at(process), process, batch=256, cache=256, total=400, **options)
    state = fit(method, jax.random.key(0), data, 2)
    warm = csbi_warmup(at(process), None, process, scaled=False, lr=2e-2, sgd_steps=200)
    first = fit(warm, jax.random.key(1), data, 2)
    found = [float(s.backward.total["a"] / s.backward.mass) for s in (state, first)]
    np.testing.assert_allclose(found, 1.0, atol=0.15)


@pytest.mark.parametrize("total", [None, 40])
def test_a_warm_up_handed_over_is_a_start_and_no_end(total):
    """Its rate has fallen to 0 at its end; the bridge's optimiser begins at its own first rate."""
    process, data = PROCESSES["ve"], gaussian.rows(8)
    options = {"scaled": False, "lr": 0.1, "sgd_steps": 10, "batch": 8}
    warm = csbi_warmup(linear(process), None, process, total=total, **options)
    method = csbi0(
        linear(process),
        process,
        total=total,
        warmup=0,
        refreshes=1,
        cache=8,
        sde_steps=5,
        **options,
    )
    before = fit(warm, jax.random.key(0), data, 4)
    start = float(before.backward.params["a"])
    moved = abs(float(fit(warm, jax.random.key(0), data, 5).backward.params["a"]) - start)
    assert (moved == 0) is (total is not None)
    after = fit(method, jax.random.key(1), data, 1, state=jax.tree.map(jnp.copy, before))
    fresh = method.init(jax.random.key(0), data)
    assert abs(float(after.backward.params["a"]) - start) > 0.05
    for handed, new in ((before.backward.opt, fresh.backward.opt),):
        jax.tree.map(np.testing.assert_array_equal, handed, new)


def test_the_forward_policy_pulls_towards_the_prior():
    """Data wider than the prior: the forward policy learns to contract, and the draws gain by it.

    Without one, draws that start from the prior are too narrow.
    """
    process = processes.ve(0.1, 0.5)
    data = gaussian.rows(256)._replace(
        values=jax.random.normal(jax.random.key(9), (256, 6, 1)),
        mask=jnp.full((256, 6, 1), True),
    )

    def back(params, x, t, cond, key=None):
        shift = params["b"][0] + params["b"][1] * per_row(t, x)
        return -per_row(process.diffusion(t), x) * shift * x

    def fore(params, x, t, cond, key=None):
        shift = params["k"][0] + params["k"][1] * per_row(t, x)
        return -per_row(process.diffusion(t), x) * shift * x

    backward = Net(lambda key, x, t, cond: {"b": jnp.zeros(2)}, back)
    method = csbi(
        backward,
        Net(lambda key, x, t, cond: {"k": jnp.zeros(2)}, fore),
        process,
        scaled=False,
        sde_steps=20,
        warmup=0,
        lr=0.02,
        lr_forward=0.02,
        sgd_steps=150,
        refreshes=8,
        batch=256,
        cache=256,
    )
    state = fit(method, jax.random.key(0), data, 1)
    bridge = Bridge(process, 20)
    k = state.forward.total["k"] / state.forward.mass
    paths = bridges.forward_paths(
        bridge, lambda x, t: fore({"k": k}, x, t, ()), jax.random.key(1), data.values
    )
    free = bridges.forward_paths(bridge, lambda x, t: 0 * x, jax.random.key(1), data.values)
    ends = [float(p[-1].std()) for p in (paths, free)]
    # the prior has 0.49; without a forward policy the paths end at 1.11
    assert abs(ends[0] - 0.49) < 0.5 * abs(ends[1] - 0.49)
    holes = data._replace(mask=jnp.full((256, 6, 1), False))
    alone = csbi0(
        backward, process, scaled=False, sde_steps=20, warmup=0, lr=0.02, sgd_steps=150,
        refreshes=8, batch=256, cache=256,
    )  # fmt: skip
    widths = []
    for made in (method, alone):
        learned = state if made is method else fit(alone, jax.random.key(0), data, 1)
        widths.append(float(jax.jit(made.sample)(jax.random.key(2), learned, holes).std()))
    # of the data: 1
    assert abs(widths[0] - 1) < 0.5 * abs(widths[1] - 1)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"sampler": "euler"}, "sampler is 'euler'; expected one of sde"),
        ({"probe": "uniform"}, "probe is 'uniform'; expected one of rademacher"),
        ({"sde_steps": 0}, "sde_steps is 0; expected a positive number"),
        ({"probes": 0}, "probes is 0; expected a positive number"),
        ({"draw_steps": 0}, "draw_steps is 0; expected a positive number"),
        ({"warmup": -1}, "warmup is -1; expected at least 0"),
    ],
)
def test_wrong_options_are_refused(wrong, words):
    process = PROCESSES["ve"]
    with pytest.raises(OptionError, match=words):
        csbi0(linear(process), process, **wrong)


@pytest.mark.fast
@pytest.mark.parametrize("total", [0, 1, 99, 100, 101, 250, 3000])
def test_pieces_are_of_one_length_and_reach_the_end(total):
    pieces, each = in_pieces(total, 100)
    assert total <= pieces * each < total + max(pieces, 1)
    assert each <= 100
