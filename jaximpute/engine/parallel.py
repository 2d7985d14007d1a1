r"""Many devices: rows sharded, networks replicated or spread, methods unchanged.

A method never names a mesh. Where its arrays lie decides where it runs: `jit` propagates the
layout of state and data and inserts the collectives. With rows :math:`1..n` in equal parts
:math:`P_1..P_D`, a mean over rows is the sum of :math:`\sum_{i \in P_d} w_i v_i` over the sum of
:math:`\sum_{i \in P_d} w_i`, each reduced over devices by itself.

Keys are folded by step and not by device, so a run draws the same numbers on any mesh; sums are
ordered differently, so results agree to rounding, and bit for bit on the same mesh.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from jaximpute._errors import OptionError
from jaximpute.engine.loop import Draw
from jaximpute.engine.onhost import OnHost
from jaximpute.masking import check, pick, sharing
from jaximpute.types import Info, Method, Observed, PRNGKey, State

AXIS = "data"


def mesh(size: int | None = None, *, devices: Sequence[Any] | None = None) -> Mesh:
    """Devices in a row, over which rows of data are spread.

    Args:
        size: how many; all of them if None.
        devices: which; those of `jax.devices()` if None, all processes' included.

    Returns:
        A mesh with the one axis `data`, laid out automatically by the compiler.

    Raises:
        OptionError: there are fewer devices.

    Example:
        >>> dict(mesh(1).shape)
        {'data': 1}
    """
    found = list(jax.devices() if devices is None else devices)
    size = len(found) if size is None else size
    if not 1 <= size <= len(found):
        raise OptionError(
            f"a mesh of {size} devices was asked for, and there are {len(found)}; on a CPU more "
            "are simulated with XLA_FLAGS=--xla_force_host_platform_device_count=8"
        )
    return jax.make_mesh((size,), (AXIS,), axis_types=(AxisType.Auto,), devices=found[:size])


def row_specs(method: Method, data: Observed) -> PyTree[PartitionSpec]:
    """Which leaves of a method's state hold rows, and along which axis.

    `init` is traced for n and for n + 1 rows; a leaf holds rows along the axis whose length grows
    in proportion. Nothing is computed.

    Args:
        method: the method.
        data: the rows, or their shapes.

    Returns:
        A tree like the state: `P("data")` along that axis, `P()` for what is no row's.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> data = ji.observe(np.zeros((8, 2)))
        >>> row_specs(ji.methods.mean(), data) == PartitionSpec()  # means of columns
        True
    """

    def shapes(rows: int) -> State:
        like = jax.tree.map(
            lambda x: jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype), _plain(data)
        )
        return jax.eval_shape(method.init, jax.random.key(0), like)

    n = data.values.shape[0]

    def spec(now: Any, more: Any) -> PartitionSpec:
        grown = [
            axis
            for axis, (a, b) in enumerate(zip(now.shape, more.shape, strict=True))
            if a != b and a * (n + 1) == b * n
        ]
        return PartitionSpec(*(None,) * grown[0], AXIS) if len(grown) == 1 else PartitionSpec()

    return jax.tree.map(spec, shapes(n), shapes(n + 1))


def layouts(specs: PyTree[PartitionSpec]) -> list[PartitionSpec]:
    """The specs of all leaves in order: to JAX a spec is a tuple, and would be taken apart.

    Example:
        >>> len(layouts([PartitionSpec("data"), PartitionSpec()]))
        2
    """
    return jax.tree.leaves(specs, is_leaf=_is_spec)


def fsdp(
    specs: PyTree[PartitionSpec], state: State, on: Mesh, *, least: int = 2**16
) -> PyTree[PartitionSpec]:
    """Spread large leaves that hold no rows, networks and their moments, over the same axis.

    Args:
        specs: from `row_specs`.
        state: the state, or its shapes.
        on: the mesh.
        least: entries of a leaf that is worth spreading.

    Returns:
        The specs, in which each such leaf is cut along its longest axis that divides evenly.

    Example:
        >>> import jax
        >>> large = jax.ShapeDtypeStruct((3, 100_000), "float32")
        >>> fsdp(PartitionSpec(), large, mesh(1)) == PartitionSpec(None, "data")
        True
    """

    def spread(spec: PartitionSpec, leaf: Any) -> PartitionSpec:
        even = [axis for axis, length in enumerate(leaf.shape) if length % on.size == 0]
        if AXIS in spec or leaf.size < least or not even:
            return spec
        longest = max(even, key=lambda axis: leaf.shape[axis])
        return PartitionSpec(*(None,) * longest, AXIS)

    return jax.tree.map(spread, specs, state, is_leaf=_is_spec)


def put(data: Observed, on: Mesh, *, rows: int | None = None) -> Observed:
    """Rows on the mesh, each device with its part; padded with rows of weight 0 to divide evenly.

    Args:
        data: the rows; with several processes, the part of this one.
        on: the mesh; with several processes, of devices of all of them.
        rows: at least so many of all processes together, by padding; by default as many as divide
            evenly, all parts being padded to the longest. A state that holds rows restores only
            where there are as many.

    Returns:
        `Observed` whose arrays are sharded by rows, those of the first process first.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> put(ji.observe(np.ones((5, 2))), mesh(1)).values.shape
        (5, 2)
    """
    check(data)
    processes = len({device.process_index for device in on.devices.flat})
    here = on.size // processes
    length = max(_longest(len(data.values), processes), -(-(rows or 0) // processes))
    length += -length % here
    short = length - len(data.values)
    padded = jax.tree.map(
        lambda x: np.concatenate([x, np.zeros((short, *x.shape[1:]), x.dtype)]), _plain(data)
    )
    sharding = NamedSharding(on, PartitionSpec(AXIS))
    return jax.tree.map(
        lambda x: jax.make_array_from_process_local_data(
            sharding, x, (length * processes, *x.shape[1:])
        ),
        padded,
    )


def _longest(length: int, processes: int) -> int:
    if processes == 1:
        return length
    return int(multihost_utils.process_allgather(np.asarray(length, np.int32)).max())


def local_rows(x: jax.Array | np.ndarray) -> np.ndarray:
    """The rows of an array that this process holds, in their order: what `put` was given, padded.

    Args:
        x: `(rows, ...)`, sharded by rows or not at all.

    Returns:
        All rows, if there is one process or if each holds all.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> local_rows(put(ji.observe(np.ones((2, 1))), mesh(1)).values).tolist()
        [[1.0], [1.0]]
    """
    if isinstance(x, np.ndarray) or x.is_fully_addressable or x.is_fully_replicated:
        return np.asarray(x)
    parts = {shard.index[0].start or 0: shard.data for shard in x.addressable_shards}
    return np.concatenate([np.asarray(parts[start]) for start in sorted(parts)])


def gathered(tree: PyTree) -> PyTree:
    """Arrays that lie on a mesh, as NumPy arrays; whole in every process, which all call this.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> gathered(put(ji.observe(np.ones((2, 1))), mesh(1))).values.tolist()
        [[1.0], [1.0]]
    """

    def whole(x: Any) -> np.ndarray:
        if not isinstance(x, jax.Array) or x.is_fully_addressable or x.is_fully_replicated:
            return np.asarray(x)
        return np.asarray(multihost_utils.process_allgather(x, tiled=True))

    return jax.tree.map(whole, tree)


@dataclass(frozen=True, eq=False)
class Pinned:
    """An `init` whose state is laid out on a mesh.

    Attributes:
        begin: the method's own `init`.
        layout: a tree like its state, of shardings.
    """

    begin: Callable[..., State]
    layout: PyTree[NamedSharding]

    def __call__(self, key: PRNGKey, data: Observed) -> State:
        """The state, pinned to the layout."""
        if isinstance(self.begin, OnHost) and not isinstance(data.values, jax.core.Tracer):
            data = jax.tree.map(jnp.asarray, gathered(data))  # every process learns from all rows
        return jax.tree.map(jax.lax.with_sharding_constraint, self.begin(key, data), self.layout)


def outline(method: Method, key: PRNGKey, data: Observed) -> State:
    """The shapes and types of a method's first state, and where it lies if it is pinned to a mesh.

    Args:
        method: any method.
        key: of `init`.
        data: the rows.

    Returns:
        A tree like the state, of `jax.ShapeDtypeStruct`. Nothing is computed.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.ones((2, 3)))
        >>> outline(ji.methods.mean(), jax.random.key(0), data).shape
        (3,)
    """
    state = jax.eval_shape(method.init, key, data)
    if not isinstance(method.init, Pinned):
        return state
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
        state,
        method.init.layout,
    )


def spread(
    method: Method, data: Observed, on: Mesh, *, specs: PyTree[PartitionSpec] | None = None
) -> Method:
    """The same method, with its state pinned to a mesh: rows sharded, the rest replicated.

    It may be given to `fit`, `steps`, `complete` and `draw_many` like any other, together with
    rows from `put`. Completed rows lie where the rows do.

    Args:
        method: any method.
        data: the rows that it will be given, from `put`.
        on: the mesh.
        specs: another layout, for instance from `fsdp`.

    Returns:
        A method; build it once, for it is a cache key.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> on = mesh(1)
        >>> data = put(ji.observe(np.array([[1.0, 2.0], [3.0, np.nan]])), on)
        >>> method = spread(ji.methods.mean(), data, on)
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> ji.complete(method, jax.random.key(1), state, data).tolist()
        [[1.0, 2.0], [3.0, 2.0]]
    """
    layout = jax.tree.map(
        lambda spec: NamedSharding(on, spec),
        row_specs(method, data) if specs is None else specs,
        is_leaf=_is_spec,
    )
    everywhere, by_rows = NamedSharding(on, PartitionSpec()), NamedSharding(on, PartitionSpec(AXIS))

    def pinned(state: State) -> State:
        return jax.tree.map(jax.lax.with_sharding_constraint, state, layout)

    def step(key: PRNGKey, state: State, data: Observed) -> tuple[State, Info]:
        with sharing(by_rows):
            state, info = method.step(key, pinned(state), data)
        # every process reads the losses
        return pinned(state), jax.lax.with_sharding_constraint(info, everywhere)

    def in_rows(values: jax.Array) -> jax.Array:
        uneven = len(values) % on.size
        return values if uneven else jax.lax.with_sharding_constraint(values, by_rows)

    def fill(state: State, data: Observed) -> jax.Array:
        return in_rows(method.fill(state, data))  # type: ignore[misc]

    def estimate(key: PRNGKey, state: State, data: Observed) -> jax.Array:
        return in_rows(method.estimate(key, state, data))  # type: ignore[misc]

    def sample(key: PRNGKey, state: State, data: Observed) -> jax.Array:
        return in_rows(method.sample(key, state, data))  # type: ignore[misc]

    return Method(
        Pinned(method.init, layout),
        step,
        fill if method.fill else None,
        estimate if method.estimate else None,
        sample if method.sample else None,
    )


def local_pick(on: Mesh, size: int) -> Draw:
    """A `draw` for `fit`: random batches whose rows stay on the device where they lie.

    Each device picks `size / devices` of its own rows, with replacement and in proportion to
    weight. No data is moved, in exchange for a batch that is stratified by device.

    Args:
        on: the mesh.
        size: rows in a batch; a multiple of the number of devices.

    Returns:
        `(key, data) -> batch`, sharded like the data.

    Raises:
        OptionError: `size` does not divide.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> on = mesh(1)
        >>> data = put(ji.observe(np.ones((5, 2))), on)
        >>> local_pick(on, 3)(jax.random.key(0), data).values.shape
        (3, 2)
    """
    if size < 1 or size % on.size:
        raise OptionError(f"size is {size}; expected a multiple of the mesh's {on.size} devices")
    rows, everywhere = PartitionSpec(AXIS), PartitionSpec()

    def local(key: PRNGKey, data: Observed) -> Observed:
        key = jax.random.fold_in(key, jax.lax.axis_index(AXIS))
        chosen = pick(key, data.weight, size // on.size)
        return jax.tree.map(lambda x: x[chosen], data)

    return jax.jit(
        jax.shard_map(local, mesh=on, in_specs=(everywhere, rows), out_specs=rows, check_vma=False)
    )


def _plain(data: Observed) -> Observed:
    return Observed(*(x if hasattr(x, "shape") else jnp.asarray(x) for x in data))


def _is_spec(x: Any) -> bool:
    return isinstance(x, PartitionSpec)
