"""Matrix products that are no network's are asked for at full precision.

Fast units of accelerators keep three digits of a float32 product unless told otherwise. A network
learns around that; a covariance that is factorised does not.
"""

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaximpute import nets, registry
from jaximpute._errors import OptionError
from jaximpute.maths import transport
from tests.contract.cases import CASES, SMALL, awkward

HIGHEST = (jax.lax.Precision.HIGHEST,) * 2


def products(program, *given) -> list[str]:
    """The float products of a traced program whose precision is the device's own."""
    return [
        str(one)
        for one in equations(jax.make_jaxpr(program)(*given).jaxpr)
        if one.primitive.name in ("dot_general", "conv_general_dilated")
        and jnp.issubdtype(one.outvars[0].aval.dtype, jnp.floating)
        and one.params["precision"] != HIGHEST
    ]


def equations(jaxpr: Jaxpr) -> Iterator:
    for one in jaxpr.eqns:
        yield one
        for value in jax.tree.leaves(
            one.params, is_leaf=lambda x: isinstance(x, Jaxpr | ClosedJaxpr)
        ):
            if isinstance(value, ClosedJaxpr):
                yield from equations(value.jaxpr)
            elif isinstance(value, Jaxpr):
                yield from equations(value)


def has_a_network(name: str, kind: str) -> bool:
    try:
        registry.build(
            name,
            awkward(kind),
            kind=kind,
            preset="fast",
            options=SMALL.get(name),
            wrap=(nets.remat,),
        )
    except OptionError:
        return False
    return True


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_methods_without_networks_multiply_exactly(case):
    name, kind = case
    if has_a_network(name, kind):
        pytest.skip("its products are the network's")
    data, key = awkward(kind), jax.random.key(0)
    method = registry.build(name, data, kind=kind, preset="fast", options=SMALL.get(name)).method
    state = jax.eval_shape(method.init, key, data)
    programs = [(method.init, key, data), (method.step, key, state, data)]
    if method.fill is not None:
        programs.append((method.fill, state, data))
    for answer in (method.estimate, method.sample):
        if answer is not None:
            programs.append((answer, key, state, data))
    assert not [found for program, *given in programs for found in products(program, *given)]


@pytest.mark.parametrize(
    "solve",
    [
        lambda x: transport.balanced(x, x[::-1], epsilon=0.1).coupling,
        lambda x: transport.semi_relaxed(x, x[::-1], epsilon=0.1).coupling,
        lambda x: transport.sinkhorn_divergence(x, x[::-1], epsilon=0.1),
    ],
    ids=["balanced", "semi_relaxed", "sinkhorn_divergence"],
)
def test_transport_multiplies_exactly(solve):
    assert not products(solve, jnp.ones((5, 3)))


def test_the_modes_of_fields_are_fitted_exactly():
    net, x, t = nets.field_eof((2, 4, 4, 1), modes=3), jnp.ones((2, 2, 4, 4, 1)), jnp.full(2, 0.1)
    params = net.init(jax.random.key(0), x, t, (x,))

    def loss(params):
        return (net.apply(params, x, t, (x,)) ** 2).mean()

    assert not products(jax.grad(loss), params)


def test_a_default_product_is_seen():
    x = jnp.ones((3, 3))
    assert products(jax.jit(lambda x: jax.lax.map(lambda row: x @ row, x)), x)
    assert not products(lambda x: jnp.matmul(x, x, precision="highest"), x)
