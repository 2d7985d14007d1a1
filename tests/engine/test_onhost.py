"""An `init` on the host: its shapes are known without it, and no program runs it by accident."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine import parallel
from jaximpute.engine.onhost import OnHost, learns_on_host
from jaximpute.masking import clamp
from jaximpute.methods.simple._static import static_method

DATA = ji.observe(np.array([[1.0, 5.0], [2.0, np.nan], [6.0, 7.0]]))


def _method(calls, value=np.median):
    def learn(key, data):
        calls.append(data)
        seen = np.where(data.mask, data.values, np.nan)
        return jnp.asarray([value(column[~np.isnan(column)]) for column in seen.T], jnp.float32)

    def estimate(key, state, data):
        return clamp(jnp.broadcast_to(state[None], data.values.shape), data)

    return static_method(OnHost(learn, lambda data: data.values[0]), estimate=estimate)


@pytest.mark.fast
def test_fit_learns_once_from_arrays():
    calls = []
    method = _method(calls)
    state = ji.fit(method, jax.random.key(0), DATA, 2)
    assert len(calls) == 1
    np.testing.assert_array_equal(state, [2.0, 6.0])
    completed = ji.complete(method, jax.random.key(1), state, DATA)
    assert completed.tolist() == [[1.0, 5.0], [2.0, 6.0], [6.0, 7.0]]


@pytest.mark.fast
def test_shapes_are_known_without_learning():
    calls = []
    method = _method(calls)
    state = parallel.outline(method, jax.random.key(0), DATA)
    assert (state.shape, state.dtype) == ((2,), jnp.float32)
    assert parallel.row_specs(method, DATA) == jax.sharding.PartitionSpec()
    assert not calls


@pytest.mark.fast
def test_a_program_refuses_by_name():
    init = _method([]).init
    with pytest.raises(ji.OptionError, match="learns on the host"):
        jax.jit(init)(jax.random.key(0), DATA)
    with pytest.raises(ji.OptionError, match="learns on the host"):
        jax.vmap(init, (0, None))(jax.random.split(jax.random.key(0), 2), DATA)


@pytest.mark.fast
def test_a_state_that_is_not_finite_is_told():
    with pytest.raises(ji.DivergenceError, match="in `init`"):
        ji.fit(_method([], lambda column: np.nan), jax.random.key(0), DATA, 0)


def test_a_mesh_is_given_the_state():
    calls = []
    on = parallel.mesh(1)
    data = parallel.put(DATA, on)
    method = parallel.spread(_method(calls), data, on)
    assert learns_on_host(method.init)
    state = ji.fit(method, jax.random.key(0), data, 0)
    np.testing.assert_array_equal(state, [2.0, 6.0])
    assert state.sharding.mesh.size == 1
    assert len(calls) == 1
