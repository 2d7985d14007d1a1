"""Adapters: a Flax module becomes `Net(init, apply)`; nothing above this folder imports Flax."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
from flax import nnx

from jaximpute.maths.ambient import wrapped
from jaximpute.types import Net


def from_nnx(build: Callable[[nnx.Rngs], nnx.Module]) -> Net:
    """A pure network from an NNX module.

    Args:
        build: `rngs -> module`; the module's call is `(x, t, *cond) -> array`, or also takes
            `rngs=` if it has dropout (build dropout without `rngs`: a key kept inside the module
            would be hidden state).

    Returns:
        The two pure functions. Parameters are a nested dict of arrays, free of Flax classes.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from flax import nnx
        >>> class Linear(nnx.Module):
        ...     def __init__(self, rngs):
        ...         self.out = nnx.Linear(3, 3, rngs=rngs)
        ...     def __call__(self, x, t):
        ...         return self.out(x)
        >>> net = from_nnx(Linear)
        >>> x, t = jnp.ones((2, 3)), jnp.zeros(2)
        >>> params = net.init(jax.random.key(0), x, t, ())
        >>> net.apply(params, x, t, ()).shape
        (2, 3)
    """

    def init(key, x, t, cond):
        del x, t, cond  # an NNX module knows its own shapes
        return nnx.to_pure_dict(nnx.state(build(nnx.Rngs(key))))

    def apply(params, x, t, cond, key=None):
        graphdef, state = nnx.split(nnx.eval_shape(lambda: build(nnx.Rngs(0))))
        nnx.replace_by_pure_dict(state, params)
        module: Any = nnx.merge(graphdef, state)
        if key is None:
            module.eval()
            return module(x, t, *cond)
        module.train()
        rngs = {"rngs": nnx.Rngs(key)} if _takes_rngs(module) else {}
        return module(x, t, *cond, **rngs)

    return wrapped(Net(init, apply))


def _takes_rngs(module: Any) -> bool:
    return "rngs" in inspect.signature(type(module).__call__).parameters


def from_linen(module: Any) -> Net:
    """A pure network from a Linen module whose call is `(x, t, *cond, train=False) -> array`.

    Args:
        module: an unbound Linen module without mutable collections. Dropout uses the stream
            `"dropout"` and the flag `train`, which is passed only if the call takes it.

    Returns:
        The two pure functions.

    Example:
        >>> import jax, jax.numpy as jnp, flax.linen as nn
        >>> class Linear(nn.Module):
        ...     @nn.compact
        ...     def __call__(self, x, t):
        ...         return nn.Dense(x.shape[-1])(x)
        >>> net = from_linen(Linear())
        >>> x, t = jnp.ones((2, 3)), jnp.zeros(2)
        >>> net.apply(net.init(jax.random.key(0), x, t, ()), x, t, ()).shape
        (2, 3)
    """
    code = type(module).__call__
    names = getattr(code, "__wrapped__", code).__code__.co_varnames
    takes_train = "train" in names

    def init(key, x, t, cond):
        variables = module.init(key, x, t, *cond)
        if set(variables) - {"params"}:
            raise ValueError(
                f"{type(module).__name__} keeps the collections {sorted(variables)}; expected only "
                "'params'. Use group or layer norm instead of batch norm"
            )
        return variables.get("params", {})

    def apply(params, x, t, cond, key=None):
        options: dict[str, Any] = {"train": key is not None} if takes_train else {}
        if key is not None:
            options["rngs"] = {"dropout": jax.random.fold_in(key, 0)}
        return module.apply({"params": params}, x, t, *cond, **options)

    return wrapped(Net(init, apply))
