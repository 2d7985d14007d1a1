"""A process that was forked from one that had used JAX waits for threads that it does not have."""

import os
import sys

from jaximpute._errors import JaximputeError

_child = False


def refuse() -> None:
    """Refuse to work where no work would ever end.

    Raises:
        JaximputeError: this process was forked from one that had used JAX.
    """
    if _child:
        raise JaximputeError(
            "this process was forked from one that had used JAX, whose threads it does not have, "
            "and would wait for them for ever. Start processes otherwise: "
            "multiprocessing.get_context('spawn'), joblib's default backend 'loky', or os.fork "
            "before the first call"
        )


def _note() -> None:
    """In a new child: whether its parent had begun to use devices."""
    global _child
    bridge = sys.modules.get("jax._src.xla_bridge")
    # no public name tells without beginning to use them
    _child = _child or bool(getattr(bridge, "_backends", None))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note)
