"""Learning that no compiled program can do: `init` by a library that runs on the host."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.extend
from jax.interpreters import batching, mlir

from jaximpute._errors import OptionError
from jaximpute.types import Observed, PRNGKey, State


@dataclass(frozen=True, eq=False)
class OnHost:
    """An `init` that runs outside of any program; its shapes are known without running it.

    Called with arrays, it learns. Called while a program is traced, as `jax.eval_shape` does, it
    gives shapes; the program itself does not compile, and says so. No callback stands in for it:
    on CPU a callback that reads large arrays waits for the device that waits for the callback, and
    a program that holds one cannot be kept for the next start.

    Attributes:
        learn: `(key, data) -> state`, given arrays.
        outline: `data -> state`, pure and traced: any state of the same shapes.

    Example:
        >>> import jax, jax.numpy as jnp, numpy as np, jaximpute as ji
        >>> host = OnHost(lambda key, data: jnp.asarray(np.median(data.values)), lambda data: 0.0)
        >>> data = ji.observe(np.array([[1.0], [5.0], [6.0]]))
        >>> float(host(jax.random.key(0), data))
        5.0
        >>> jax.eval_shape(host, jax.random.key(0), data).shape
        ()
    """

    learn: Callable[[PRNGKey, Observed], State]
    outline: Callable[[Observed], State]

    def __call__(self, key: PRNGKey, data: Observed) -> State:
        """What was learned; of tracers, its shapes."""
        given = jax.tree.leaves((key, data))
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in given):
            return self.learn(key, data)
        shapes = jax.eval_shape(self.outline, data)
        leaves, tree = jax.tree.flatten(shapes)
        avals = tuple(jax.core.ShapedArray(leaf.shape, leaf.dtype) for leaf in leaves)
        return jax.tree.unflatten(tree, _learned.bind(*given, avals=avals))


def learns_on_host(init: Callable[..., State]) -> bool:
    """Whether an `init`, or the one that it lays out on a mesh, has to be called with arrays."""
    return isinstance(getattr(init, "begin", init), OnHost)


def beginning_with(
    base: Callable[..., State], init: Callable[[Callable[..., Any], PRNGKey, Observed], State]
) -> Callable[..., State]:
    """An `init` that calls a base's, and so runs on the host where that does.

    Args:
        base: the base's.
        init: `(compiled, key, data) -> state`, pure but for the call of the base's. What it does
            beside that it passes through `compiled`: `jax.jit` on the host, nothing elsewhere.
    """

    def traced(key: PRNGKey, data: Observed) -> State:
        return init(lambda function: function, key, data)

    if not learns_on_host(base):
        return traced
    return OnHost(partial(init, jax.jit), lambda data: traced(jax.random.key(0), data))


# a step that has shapes and no program
_learned = jax.extend.core.Primitive("learned_on_host")
_learned.multiple_results = True


@_learned.def_abstract_eval
def _shapes(*given: Any, avals: tuple[Any, ...]) -> tuple[Any, ...]:
    del given
    return avals


def _refuse(*given: Any, **settings: Any) -> Any:
    raise OptionError(
        "this method learns on the host, so its `init` cannot be part of a compiled program; call "
        "it outside of jit and vmap, as `jaximpute.fit` does"
    )


mlir.register_lowering(_learned, _refuse)
batching.primitive_batchers[_learned] = _refuse
