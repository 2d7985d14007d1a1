"""Driving a method: hooks, resuming, and what is the caller's."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine.warmup import WarmUp
from jaximpute.types import Info, Method

pytestmark = pytest.mark.fast
DATA = ji.Observed(jnp.ones((4, 2)), jnp.full((4, 2), True), jnp.ones(4))


def walk():
    """State: the data themselves plus random steps; `init` hands the caller's array on."""

    def step(key, state, data):
        state = state + jax.random.normal(key, state.shape)
        return state, Info(state.mean(), {})

    return Method(lambda key, data: data.values, step, fill=lambda state, data: state)


def test_hooks_see_every_step_and_can_stop():
    seen, stopped = [], []
    method = walk()

    def record(t, state, info):
        seen.append((t, info.loss.shape))
        return False

    def stop(t, state, info):
        stopped.append(t)
        return t >= 4

    ji.fit(method, jax.random.key(0), DATA, 10, chunk=2, hooks=[stop, record])
    assert stopped == [2, 4]
    assert seen == [(2, (2,)), (4, (2,))]


def test_a_remainder_is_run_and_zero_steps_only_initialise():
    method, lengths = walk(), []
    ji.fit(
        method, jax.random.key(0), DATA, 5, chunk=3,
        hooks=[lambda t, state, info: lengths.append(len(info.loss))],
    )  # fmt: skip
    assert lengths == [3, 2]
    np.testing.assert_array_equal(ji.fit(method, jax.random.key(0), DATA, 0), DATA.values)


def test_the_callers_state_and_data_are_not_consumed():
    method = walk()
    state = ji.fit(method, jax.random.key(0), DATA, 2, chunk=1)
    ji.fit(method, jax.random.key(1), DATA, 4, chunk=1, state=state, start=2)
    assert not state.is_deleted()
    assert not DATA.values.is_deleted()


def test_batches_are_drawn_with_a_key_of_their_own():
    method = walk()
    drawn = ji.fit(
        method, jax.random.key(0), DATA, 2, chunk=2,
        draw=lambda key, data: data._replace(values=jax.random.normal(key, data.values.shape)),
    )  # fmt: skip
    plain = ji.fit(method, jax.random.key(0), DATA, 2, chunk=2)
    assert not np.allclose(drawn, plain)


@pytest.mark.parametrize("wrong", [{"n": -1}, {"n": 1, "chunk": 0}])
def test_counts_out_of_range_are_named(wrong):
    with pytest.raises(ji.OptionError, match="expected n >= 0"):
        ji.fit(walk(), jax.random.key(0), DATA, **wrong)


def test_draws_differ_and_point_methods_refuse():
    method = Method(
        lambda key, data: 0.0,
        lambda key, state, data: (state, Info(jnp.zeros(()), {})),
        sample=lambda key, state, data: data.values + jax.random.normal(key, data.values.shape),
    )
    draws = ji.draw_many(method, jax.random.key(0), 0.0, DATA, 400, batch=50)
    assert draws.shape == (400, 4, 2)
    np.testing.assert_allclose(draws.std(0), 1.0, atol=0.2)
    with pytest.raises(ji.OptionError, match="one estimate"):
        ji.draw_many(method._replace(sample=None), jax.random.key(0), 0.0, DATA, 2)


def doubling():
    """Each step doubles the state, which float32 cannot hold for more than 127 of them."""

    def init(key, data):
        return {"x": data.values[0, 0], "best": jnp.asarray(jnp.inf)}

    def step(key, state, data):
        x = state["x"] * 2.0**50
        return {"x": x, "best": state["best"]}, Info(state["x"], {})

    return Method(init, step)


def test_divergence_names_the_step_and_keeps_the_last_good_state():
    method, seen = doubling(), []

    def look(t, state, info):
        assert np.isfinite(state["x"])
        return bool(seen.append(t))

    with pytest.raises(
        ji.DivergenceError, match="the method diverged in step 3 of 9: its state"
    ) as caught:
        ji.fit(method, jax.random.key(0), DATA, 9, chunk=1, hooks=[look])
    assert caught.value.what == "diverged in step 3 of 9: its state is not finite"
    assert seen == [1, 2]
    assert caught.value.step == 2
    assert caught.value.state["x"] == 2.0**100
    # a chunk that hides the state still tells the step whose loss is wrong
    with pytest.raises(
        ji.DivergenceError, match=r"step 4 of 8: its loss is inf\. Lower its"
    ) as caught:
        ji.fit(method, jax.random.key(0), DATA, 8, chunk=8)
    assert (caught.value.step, float(caught.value.state["x"])) == (0, 1.0)
    nan = method._replace(init=lambda key, data: data.values * jnp.nan)
    with pytest.raises(ji.DivergenceError, match="before its first step"):
        ji.fit(nan, jax.random.key(0), DATA, 1)


def test_a_warm_up_in_steps_is_that_of_init_and_is_checked():
    warm, seen = walk(), []
    method = walk()._replace(init=WarmUp(warm, 3, lambda state: 10 * state))
    key_init, _ = jax.random.split(jax.random.key(0))
    hooks = [lambda t, state, info: bool(seen.append(t))]
    state = ji.fit(method, jax.random.key(0), DATA, 0, hooks=hooks)
    np.testing.assert_allclose(state, method.init(key_init, DATA), rtol=1e-6)
    ji.fit(method, jax.random.key(0), DATA, 2, chunk=2, hooks=hooks)
    assert seen == [-2, -1, 0, -2, -1, 0, 2]
    stopped = ji.fit(method, jax.random.key(0), DATA, 2, hooks=[lambda t, *_: t == -1])
    assert not np.allclose(stopped, state)  # two steps of the warm-up, finished
    bad = method._replace(init=WarmUp(doubling(), 5, lambda state: state))
    with pytest.raises(ji.DivergenceError, match="step 3 of 5 of its warm-up") as caught:
        ji.fit(bad, jax.random.key(0), DATA, 2)
    assert caught.value.step == -3
