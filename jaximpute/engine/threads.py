"""The threads that linear algebra may use while a method runs."""

import contextlib
import importlib
from collections.abc import Iterator

from threadpoolctl import threadpool_limits

# jax factorises on CPU by the LAPACK that SciPy brings, and loads it only when it first has to
_LAPACK = "scipy.linalg.cython_lapack"


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """One thread for BLAS and LAPACK; XLA keeps those of its own.

    The factorisations here are small: more threads would spin for one another, a hundred times
    slower where processors are shared. A library that is not loaded yet cannot be limited, so it
    is loaded first.
    """
    importlib.import_module(_LAPACK)
    with threadpool_limits(1, user_api="blas"):
        yield


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One thread for every library that runs on the host, scikit-learn's OpenMP included.

    Its threads wait for one another at each node of a tree: where processors are shared, for
    longer than one of them would take by itself.
    """
    with threadpool_limits(1):
        yield
