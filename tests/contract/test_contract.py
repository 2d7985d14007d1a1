"""One contract over every registered method (and every kind of data it takes)."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import registry
from jaximpute.engine import loop
from jaximpute.engine.draws import draw_many
from jaximpute.engine.onhost import learns_on_host
from tests.contract.cases import CASES, awkward, build

# a method is built and fitted once per case: most of the time here is compilation
_fitted: dict = {}
_PARAMS = [
    pytest.param(case, id="-".join(case), marks=pytest.mark.xdist_group("-".join(case)))
    for case in CASES
]


@pytest.fixture(params=_PARAMS, scope="module")
def case(request):
    name, kind = request.param
    if request.param not in _fitted:
        _fitted.clear()  # the tests of a case come together
        data = awkward(kind)
        plan = build(name, kind, data)
        state = loop.fit(plan.method, jax.random.key(0), data, plan.steps, chunk=1)
        _fitted[request.param] = (plan, data, state)
    return name, *_fitted[request.param]


def completions(method, state, data):
    """All the ways in which a method completes these rows."""
    if method.fill is not None:
        yield jax.jit(method.fill)(state, data)
    for answer in (method.estimate, method.sample):
        if answer is not None:
            yield jax.jit(answer)(jax.random.key(1), state, data)


def test_abilities_match_the_registry(case):
    name, plan, _, _ = case
    entry = registry.entry(name)
    assert (plan.method.estimate is not None) == entry.inductive
    assert (plan.method.sample is not None) == entry.draws
    assert plan.method.fill is not None or plan.method.estimate is not None


def test_observed_entries_come_back_and_all_is_finite(case):
    _, plan, data, state = case
    for filled in completions(plan.method, state, data):
        assert filled.shape == data.values.shape
        assert filled.dtype == data.values.dtype
        np.testing.assert_array_equal(
            np.asarray(filled)[data.mask], np.asarray(data.values)[data.mask]
        )
        assert np.isfinite(filled).all()


def test_init_is_abstract_and_step_keeps_types(case):
    _, plan, data, _ = case
    state = jax.eval_shape(plan.method.init, jax.random.key(0), data)
    after, info = jax.eval_shape(plan.method.step, jax.random.key(0), state, data)
    # weak types would compile every chunk twice
    described = [
        jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree) for tree in (state, after)
    ]
    assert described[0] == described[1]
    assert not [leaf for leaf in jax.tree.leaves(state) if getattr(leaf, "weak_type", False)]
    assert info.loss.shape == ()
    assert all(value.shape == () for value in info.metrics.values())


def test_programs_hold_no_callbacks(case):
    # they would wait for the host, and be compiled anew at every start
    _, plan, data, state = case
    key, method = jax.random.key(1), plan.method
    programs = [
        (method.init, (key, data)),
        (method.step, (key, state, data)),
        (method.fill, (state, data)),
        (method.estimate, (key, state, data)),
        (method.sample, (key, state, data)),
    ]
    for program, given in programs:
        if program is not None:
            assert "callback" not in str(jax.make_jaxpr(program)(*given))


def test_jit_equals_no_jit(case):
    _, plan, data, state = case
    complete = plan.method.fill or (lambda s, d: plan.method.estimate(jax.random.key(1), s, d))
    np.testing.assert_allclose(
        complete(state, data), jax.jit(complete)(state, data), rtol=1e-3, atol=1e-4
    )


def test_many_draws_differ_where_nothing_is_observed(case):
    _, plan, data, state = case
    if plan.method.sample is None:
        pytest.skip("no method that draws")
    draws = np.asarray(draw_many(plan.method, jax.random.key(2), state, data, 2))
    assert np.isfinite(draws).all()
    np.testing.assert_array_equal(draws[0][data.mask], draws[1][data.mask])
    missing = ~np.asarray(data.mask) & _rows(np.asarray(data.weight) > 0, data)
    assert (draws[0] != draws[1])[missing].mean() > 0.5


def test_padding_rows_are_inert(case):
    _, plan, data, state = case
    real = np.asarray(data.weight) > 0
    spoilt = data._replace(values=jnp.where(data.mask & ~_rows(real, data), 9.0, data.values))
    other = loop.fit(plan.method, jax.random.key(0), spoilt, plan.steps, chunk=1)
    for before, after in zip(
        completions(plan.method, state, data),
        completions(plan.method, other, spoilt),
        strict=True,
    ):
        np.testing.assert_allclose(before[real], after[real], rtol=1e-4, atol=1e-4)


def test_the_callers_arrays_survive(case):
    _, _, data, _ = case
    assert not any(leaf.is_deleted() for leaf in data)


# the rest compile programs of their own, and a large one drops those of the tests above


def test_chunks_and_resume_do_not_matter_and_two_chunks_trace_once(case):
    _, plan, data, _ = case

    def fit(n, chunk, **resume):
        return loop.fit(plan.method, jax.random.key(3), data, n, chunk=chunk, **resume)

    fit(0, 1)  # a warm-up has a program of its own
    compiled = loop._advance._cache_size()
    whole = fit(4, 2)
    assert loop._advance._cache_size() == compiled + 1
    part, single = fit(2, 2), fit(4, 1)
    resumed = fit(4, 2, state=part, start=2)
    chex.assert_trees_all_equal(whole, resumed)
    chex.assert_trees_all_close(_numbers(whole), _numbers(single), rtol=2e-3, atol=2e-3)


def test_vmap_over_keys(case, request):
    name, plan, data, _ = case
    if not request.node.callspec.id.endswith(registry.entry(name).kinds[0]):
        pytest.skip("the same program as for the method's first kind of data, to compile once more")
    if name == "csbi":
        pytest.skip("csbi0 stands for it: two networks take minutes to compile under vmap")

    on_host = learns_on_host(plan.method.init)

    def fit(keys, begun):
        k_init, k_run = keys
        state = begun if on_host else plan.method.init(k_init, data)
        return loop.steps(plan.method, k_run, state, data, 0, 1)[0]

    keys = jax.vmap(jax.random.split)(jax.random.split(jax.random.key(5), 2))
    begun = jnp.zeros(2)
    if on_host:
        states = [plan.method.init(k_init, data) for k_init, _ in keys]
        begun = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    many = jax.jit(jax.vmap(fit))(keys, begun)
    key = jax.random.split(jax.random.key(5), 2)[1]
    one = loop.fit(plan.method, key, data, 1, chunk=1)
    second = jax.tree.map(lambda leaf: leaf[1], _numbers(many))
    # where a gradient is only rounding, Adam steps its full length either way: no entry by itself
    difference = jax.tree.map(lambda a, b: jnp.where(a == b, 0, a - b), second, _numbers(one))
    # infinities are meant, as for the weight of a padding row
    size = _norm([np.where(np.isinf(leaf), 0, leaf) for leaf in second])
    assert _norm(difference) <= 5e-3 * size


def _rows(real, data):
    return real.reshape(-1, *(1,) * (data.values.ndim - 1))


def _norm(leaves):
    return np.sqrt(sum(np.sum(np.square(leaf, dtype=np.float64)) for leaf in leaves))


def _numbers(tree):
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(leaf.dtype, jnp.floating)]
