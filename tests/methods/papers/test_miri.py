"""MIRI: its loss and flow against exact answers, its replay, options, and rounds past the last."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import OptionError, metrics
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.methods import miri
from jaximpute.methods.papers.miri import flows as rectified
from jaximpute.methods.papers.miri.dependence import dependence
from jaximpute.nets import velocity_mlp
from jaximpute.tasks import imputer as estimators
from jaximpute.types import Net, Observed

del estimators  # imported so that an import cycle would show


def table(key, n=200, d=2, share=0.7, rho=0.9):
    """Correlated Gaussian rows with holes, and the truth."""
    k_x, k_m = jax.random.split(key)
    cov = rho + (1 - rho) * jnp.eye(d)
    x = jax.random.normal(k_x, (n, d)) @ jnp.linalg.cholesky(cov).T
    mask = jax.random.uniform(k_m, x.shape) < share
    return x, Observed(jnp.where(mask, x, 0), mask, jnp.ones(n))


def exact_net(rho: float) -> Net:
    """The best velocity from N(0, 1) guesses to a Gaussian pair of unit variances.

    With X_1 | w of mean `mean` and variance `var`, and X_0 ~ N(0, 1), Z_t is Gaussian and
    E[X_1 - X_0 | Z_t = z] is linear in z. Both missing: the pair is turned to its own axes.
    """

    def linear(z, t, mean, var):
        total = t**2 * var + (1 - t) ** 2
        return mean + (t * var - (1 - t)) / total * (z - t * mean)

    def apply(params, x, t, cond, key=None):
        other, m = cond
        t = t[:, None]
        alone = linear(x, t, rho * other[:, ::-1], 1 - rho**2)
        turn = jnp.array([[1.0, 1.0], [1.0, -1.0]]) / jnp.sqrt(2.0)
        pair = linear(x @ turn, t, 0.0, jnp.array([[1 + rho, 1 - rho]])) @ turn
        return jnp.where(m.sum(axis=1, keepdims=True) == 0, pair, alone)

    return Net(lambda key, x, t, cond: {"unused": jnp.zeros(1)}, apply)


@pytest.mark.parametrize(("solver", "steps"), [("heun", 20), ("tsit5", 6)])
def test_the_exact_velocity_draws_from_the_exact_conditional(solver, steps):
    rho = 0.8
    _, data = table(jax.random.key(0), n=4000, rho=rho)
    data = data._replace(values=jnp.where(data.mask, 1.5, 0.0))  # every observed value is 1.5
    known = rectified.Columns(jnp.zeros(2), jnp.ones(2), jnp.array([[-9.0, -9.0], [9.0, 9.0]]))
    start = rectified.begin(jax.random.key(1), known, data, "normal")
    flow = rectified.Flow(exact_net(rho), solver=solver, ode_steps=steps)
    x = rectified.impute_by_flow(flow, {}, start, data.mask, known)
    alone = data.mask.sum(axis=1) == 1
    drawn = x[alone][~data.mask[alone]]
    np.testing.assert_allclose(drawn.mean(), rho * 1.5, atol=0.05)
    np.testing.assert_allclose(drawn.std(), np.sqrt(1 - rho**2), rtol=0.06)
    pairs = x[data.mask.sum(axis=1) == 0]
    np.testing.assert_allclose(np.corrcoef(pairs.T)[0, 1], rho, atol=0.06)
    np.testing.assert_array_equal(x[data.mask], data.values[data.mask])


@pytest.mark.parametrize(
    ("solver", "times"), [("euler_end", [0.25, 0.5, 0.75, 1.0]), ("euler", [0.0, 0.25, 0.5, 0.75])]
)
def test_euler_takes_the_velocity_at_the_times_that_are_printed(solver, times):
    """Algorithm 2: tau = k / N for k = 1..N, of the state before the step."""
    net = Net(
        lambda key, x, t, cond: {},
        lambda params, x, t, cond, key=None: x + 3 * t[:, None] ** 2,
    )
    known = rectified.Columns(jnp.zeros(2), jnp.ones(2), jnp.array([[-99.0] * 2, [99.0] * 2]))
    mask = jnp.array([[True, False]])
    flow = rectified.Flow(net, solver=solver, ode_steps=4, clip=False)
    x = rectified.impute_by_flow(flow, {}, jnp.array([[7.0, 2.0]]), mask, known)
    z = 2.0
    for t in times:
        z = z + (z + 3 * t**2) / 4
    np.testing.assert_allclose(x, [[7.0, z]], rtol=1e-6)


def test_the_exact_velocity_has_the_least_loss():
    """The loss of a shrunken or shifted field is larger, and 0 if nothing counts."""
    rho, net = 0.8, exact_net(0.8)
    x, data = table(jax.random.key(0), n=4000, rho=rho)
    x0 = jnp.where(data.mask, data.values, jax.random.normal(jax.random.key(1), x.shape))
    x1, _ = table(jax.random.key(2), n=4000, rho=rho)

    def loss(scale, shift, counts):
        other = Net(net.init, lambda *given: net.apply(*given) * scale + shift)
        return rectified.flow_loss(other, {}, jax.random.key(3), x0, x1, data.mask, counts)

    least = loss(1.0, 0.0, ~data.mask)
    for scale, shift in ((0.8, 0.0), (1.2, 0.0), (1.0, 0.3)):
        assert loss(scale, shift, ~data.mask) > least + 0.01
    assert loss(1.0, 0.0, jnp.zeros_like(data.mask)) == 0


def test_the_loss_equals_a_plain_loop():
    net = velocity_mlp((3,), width=8, layers=1)
    k0, k1, k2, k3, k_time = jax.random.split(jax.random.key(0), 5)
    x0, x1 = jax.random.normal(k0, (5, 3)), jax.random.normal(k1, (5, 3))
    mask = jax.random.uniform(k2, (5, 3)) < 0.5
    params = net.init(k3, x0, jnp.zeros(5), (x0, x0))
    found = rectified.flow_loss(net, params, k_time, x0, x1, mask, ~mask)
    total, entries = 0.0, 0
    times = (np.arange(5) + np.asarray(jax.random.uniform(jax.random.clone(k_time), (5,)))) / 5
    for i, t in enumerate(times):
        z = (1 - t) * x0[i] + t * x1[i]
        a, b = jnp.where(mask[i], x0[i], z), jnp.where(mask[i], x1[i], z)
        cond = (b[None], mask[i][None].astype(float))
        v = net.apply(params, a[None], jnp.array([t]), cond)[0]
        for j in range(3):
            if not mask[i, j]:
                total += float(x1[i, j] - x0[i, j] - v[j]) ** 2
                entries += 1
    np.testing.assert_allclose(found, total / entries, rtol=1e-5)


@pytest.mark.fast
def test_layouts_show_what_they_say():
    seen = {}

    def spy(params, x, t, cond, key=None):
        seen[len(cond)] = (x, *cond)
        return x

    z, own, other = (jnp.full((1, 2), v) for v in (1.0, 2.0, 3.0))
    mask = jnp.array([[True, False]])
    for layout in rectified.LAYOUTS:
        rectified.velocity(Net(None, spy), {}, z, own, other, mask, jnp.zeros(1), layout)
    filled, padded = ([a.tolist()[0] for a in seen[size]] for size in (2, 3))
    assert filled == [[2, 1], [3, 1], [1, 0]]
    assert padded == [[0, 1], [2, 0], [3, 0], [1, 0]]


@pytest.mark.fast
def test_partners_are_a_permutation_of_the_real_rows():
    weight = jnp.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    partner = np.asarray(rectified.partners(jax.random.key(0), weight))
    assert sorted(partner[[0, 2, 3, 5]]) == [0, 2, 3, 5]


@pytest.mark.fast
def test_chunks_of_rows_change_nothing():
    x = jnp.arange(14.0).reshape(7, 2)
    double = rectified.by_chunks(lambda rows: rows[0] * 2 + rows[1], (x, x), chunk=3)
    np.testing.assert_array_equal(double, 3 * x)


@pytest.fixture(scope="module", params=[True, False], ids=["restart", "chain"])
def fitted(request):
    """Enough learning that completions look like data."""
    x, data = table(jax.random.key(0), n=600)
    x, data = (
        x.at[:, 0].add(3.0),
        data._replace(values=jnp.where(data.mask, data.values + jnp.array([[3.0, 0.0]]), 0)),
    )
    options = {"restart": request.param, "rounds": 3, "sgd_steps": 300, "ode_steps": 4}
    method = miri(velocity_mlp((2,), width=32, layers=2), batch=64, lr=3e-3, **options)
    state = loop.fit(method, jax.random.key(1), data, 3, chunk=1)
    return x, data, method, state


def test_learned_rounds_take_information_on_the_mask_away(fitted):
    """What Proposition 1 says of exact rounds, of the field that was learned."""
    _, data, _method, state = fitted
    guess = rectified.begin(jax.random.key(2), state.known, data, "normal")

    def told(x):
        scaled = (x - x.mean(axis=0, keepdims=True)) / x.std(axis=0, keepdims=True)
        return float(dependence(scaled, data.mask))

    assert told(guess) > 0.02
    assert told(state.x) < 0.4 * told(guess)


def distance(a, b):
    return float(metrics.energy_distance(a, b))


def test_completions_look_like_the_truth_and_begin_far_from_it(fitted):
    x, data, _method, state = fitted
    guess = rectified.begin(jax.random.key(2), state.known, data, "normal")
    begun, ended = distance(guess, x), distance(state.x, x)
    assert ended < 0.15 * begun
    assert begun > 0.02


def test_replayed_rows_have_the_fitted_distribution(fitted):
    """Training rows, completed anew from other guesses, and new rows."""
    _, data, method, state = fitted
    once = state.x
    again = jax.jit(method.sample)(jax.random.key(2), state, data)
    assert np.abs(once - again)[~data.mask].mean() > 0.05
    floor = distance(*(table(jax.random.key(k), n=600)[0] for k in (5, 6)))
    assert distance(once, again) < max(2 * floor, 0.01)
    fresh, new = table(jax.random.key(3), n=600)
    new = new._replace(values=jnp.where(new.mask, new.values + jnp.array([[3.0, 0.0]]), 0))
    drawn = jax.jit(method.sample)(jax.random.key(4), state, new)
    assert distance(drawn, fresh + jnp.array([[3.0, 0.0]])) < max(2 * floor, 0.01)


def test_the_estimate_is_the_mean_of_draws_and_has_less_error(fitted):
    x, data, method, state = fitted
    found = jax.jit(method.estimate)(jax.random.key(9), state, data)
    draws = draw_many(method, jax.random.key(8), state, data, 30)
    assert np.abs(found - draws.mean(axis=0)).mean() < 0.5 * np.abs(draws[0] - draws[1]).mean()
    assert metrics.rmse(x, found, ~data.mask) < 0.9 * metrics.rmse(x, draws[0], ~data.mask)
    np.testing.assert_array_equal(ji.complete(method, jax.random.key(9), state, data), found)


def test_values_missing_at_random_are_drawn_from_where_they_lie():
    """The mask depends on a column that is always observed: the rest looks lower than it is."""
    k_x, k_e, k_m = jax.random.split(jax.random.key(7), 3)
    x0 = jax.random.normal(k_x, (800,))
    x = jnp.stack([x0, 0.8 * x0 + 0.6 * jax.random.normal(k_e, (800,))], axis=1)
    seen = jax.random.uniform(k_m, (800,)) > jnp.where(x0 > 0, 0.8, 0.1)
    mask = jnp.stack([jnp.ones(800, bool), seen], axis=1)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(800))
    method = miri(
        velocity_mlp((2,), width=32, layers=2), sgd_steps=400, batch=64, lr=3e-3, ode_steps=4
    )
    state = loop.fit(method, jax.random.key(1), data, 4, chunk=4)
    hidden = np.asarray(~mask)
    naive = float(x[:, 1][seen].mean() - x[hidden].mean())
    assert naive < -0.6
    bias = float((state.x - x)[hidden].mean())
    assert abs(bias) < 0.2 * abs(naive)


SMALL = {"sgd_steps": 5, "batch": 16, "ode_steps": 2}


def small(**options):
    cond = 3 if options.get("layout") == "padded" else 2
    return miri(velocity_mlp((2,), cond=cond, width=8, layers=1), **(SMALL | options))


@pytest.mark.parametrize(
    "options",
    [
        {"pairing": "fixed"},
        {"layout": "padded"},
        {"targets": "all", "warm": False, "schedule": "constant"},
        {"restart": False, "keep": False, "solver": "euler"},
        {"solver": "euler_end", "clip": False},
    ],
    ids=lambda options: "-".join(options),
)
def test_every_option_runs_past_its_last_round(options):
    _, data = table(jax.random.key(0), n=9)  # fewer rows than a batch
    method = small(rounds=2, **options)
    state = loop.fit(method, jax.random.key(1), data, 4, chunk=4)
    assert int(state.rounds) == 4
    filled = state.x
    assert np.isfinite(filled).all()
    assert not np.array_equal(
        filled, rectified.begin(jax.random.key(1), state.known, data, "normal")
    )
    if method.sample is None:
        with pytest.raises(OptionError, match="one estimate, not random draws"):
            draw_many(method, jax.random.key(2), state, data, 2)
    else:
        assert np.isfinite(method.sample(jax.random.key(2), state, data)).all()


def test_a_chain_replays_every_round_it_kept():
    """From the same guesses, the replay of a chain ends where the chain did."""
    _, data = table(jax.random.key(0), n=30)
    method = small(rounds=3, restart=False)
    key = jax.random.key(1)
    state = method.init(key, data)
    for t in range(3):
        state, _ = jax.jit(method.step)(jax.random.key(t), state, data)
    again = method.sample(jax.random.clone(key), state, data)
    np.testing.assert_allclose(again, state.x, rtol=1e-5, atol=1e-5)
    assert jax.tree.leaves(state.fields)[0].shape[0] == 3
    before = method.sample(jax.random.clone(key), state._replace(rounds=jnp.asarray(2)), data)
    assert np.abs(before - state.x).max() > 1e-4


def test_completions_stay_in_the_observed_range_unless_told_otherwise():
    _, data = table(jax.random.key(0), n=50)

    def extreme(clip):
        net = Net(
            lambda key, x, t, cond: {"v": jnp.asarray(50.0)},
            lambda params, x, t, cond, key=None: params["v"] + 0 * x,
        )
        method = miri(net, sgd_steps=1, batch=4, ode_steps=2, clip=clip)
        state, _ = method.step(jax.random.key(1), method.init(jax.random.key(2), data), data)
        return state.x.max(axis=0)

    seen = jnp.where(data.mask, data.values, -jnp.inf).max(axis=0)
    np.testing.assert_allclose(extreme(True), seen)
    assert (extreme(False) > seen + 10).all()


def test_the_number_of_learning_steps_is_not_in_the_program():
    _, data = table(jax.random.key(0), n=12)
    texts = []
    for n in (3, 700):
        method = small(sgd_steps=n)
        state = jax.eval_shape(method.init, jax.random.key(0), data)
        texts.append(jax.jit(method.step).lower(jax.random.key(1), state, data).as_text())
    assert texts[0] == texts[1]


def test_more_steps_are_taken_and_lower_the_loss():
    _, data = table(jax.random.key(0), n=100)
    losses = {}
    for n in (1, 2, 1000):
        method = small(sgd_steps=n)
        _, info = jax.jit(method.step)(
            jax.random.key(1), method.init(jax.random.key(0), data), data
        )
        losses[n] = float(info.loss)
        assert 0 <= info.metrics["dependence"] <= 1
        assert info.metrics["mmd"] >= 0
    assert all(np.isfinite(value) for value in losses.values())
    assert losses[1000] < 0.8 * losses[2]


def test_a_table_without_holes_and_one_without_values():
    x, data = table(jax.random.key(0), n=6)
    for mask in (jnp.ones_like(data.mask), data.mask.at[:, 1].set(False)):
        given = Observed(jnp.where(mask, x, 0), mask, data.weight)
        state = loop.fit(small(), jax.random.key(1), given, 1, chunk=1)
        assert np.isfinite(state.x).all()
        np.testing.assert_array_equal(state.x[mask], x[mask])


@pytest.mark.fast
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"pairing": "none"}, "fresh, fixed"),
        ({"layout": "flat"}, "filled, padded"),
        ({"start": "zero"}, "normal, uniform, columns"),
        ({"solver": "rk"}, "euler, heun, tsit5, euler_end"),
        ({"targets": "some"}, "observed, all"),
        ({"schedule": "step"}, "cosine, constant"),
        ({"batch": 0}, "batch is 0"),
        ({"sgd_steps": 0}, "sgd_steps is 0"),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(OptionError, match=message):
        small(**option)
