"""How a run is carried out, whatever the method: on which devices, with what arithmetic."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

from jaximpute._errors import OptionError
from jaximpute.engine import parallel
from jaximpute.engine.accumulate import accumulated
from jaximpute.registry import Plan
from jaximpute.types import Net, Observed

# rows are padded to a multiple of it: a checkpoint then fits any number of devices that divides it
ROWS = 64


class Execution(NamedTuple):
    """Options of a run that are no method's.

    Attributes:
        mesh: devices over which rows are spread, for instance of `parallel.mesh`; None = one.
        accumulate: batches to an update, see `optimise.accumulated`.
        bfloat16: activations of networks in bfloat16, see `nets.in_bfloat16`.
        remat: activations computed again for gradients, see `nets.remat`.
        most: megabytes that the run may take, see `tasks.limits`; None for no limit.
    """

    mesh: Any = None
    accumulate: int = 1
    bfloat16: bool = False
    remat: bool = False
    most: float | None = None


def wrappers(how: Execution) -> tuple[Callable[[Net], Net], ...]:
    """What is done to each network: the argument `wrap` of `registry.build`.

    Example:
        >>> [wrapper.__name__ for wrapper in wrappers(Execution(bfloat16=True, remat=True))]
        ['in_bfloat16', 'remat']
    """
    if not (how.bfloat16 or how.remat):
        return ()
    from jaximpute import nets  # loads flax, which most runs do not need

    chosen = {nets.in_bfloat16: how.bfloat16, nets.remat: how.remat}
    return tuple(wrapper for wrapper, wanted in chosen.items() if wanted)


def identity(how: Execution) -> dict[str, Any]:
    """What one run must share with another to go on from its checkpoints; where it runs may change.

    Example:
        >>> identity(Execution(remat=True)), identity(Execution())
        ({'run remat': True}, {})
    """
    usual = Execution()._asdict()
    return {
        f"run {name}": value
        for name, value in how._asdict().items()
        if name not in ("mesh", "most") and value != usual[name]
    }


def place(how: Execution, data: Observed) -> Observed:
    """Rows on the mesh, padded; every process is given all rows and keeps its part.

    Args:
        how: the run.
        data: all rows.

    Returns:
        The rows as `parallel.put` places them; the same if there is no mesh.

    Raises:
        OptionError: the mesh leaves a process without devices.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> how = Execution(ji.parallel.mesh(1))
        >>> place(how, ji.observe(np.ones((5, 2)))).values.shape
        (64, 2)
    """
    on = how.mesh
    if on is None:
        return data
    processes, this = jax.process_count(), jax.process_index()
    if processes > 1 and on.size != jax.device_count():
        raise OptionError(
            f"a mesh of {on.size} devices was asked for, and {processes} processes have "
            f"{jax.device_count()}; with several processes it takes all"
        )
    multiple = math.lcm(ROWS, on.size)
    rows = -(-len(data.values) // multiple) * multiple
    own = slice(this * rows // processes, (this + 1) * rows // processes)
    return parallel.put(jax.tree.map(lambda x: np.asarray(x)[own], data), on, rows=rows)


def adapt(how: Execution, plan: Plan, data: Observed) -> Plan:
    """A plan carried out so: its updates from several batches, its state on the mesh.

    Args:
        how: the run.
        plan: of a method whose networks are wrapped already.
        data: from `place`.

    Returns:
        The plan of another method with the same state.

    Example:
        >>> import numpy as np, jaximpute as ji
        >>> data = ji.observe(np.ones((5, 2)))
        >>> plan = ji.registry.build("mean", data, kind="table")
        >>> adapt(Execution(), plan, data) == plan
        True
    """
    method = accumulated(plan.method, how.accumulate)
    if how.mesh is not None:
        method = parallel.spread(method, data, how.mesh)
    return plan._replace(method=method)
