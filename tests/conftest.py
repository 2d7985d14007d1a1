"""Strict settings: rank promotion raises, key reuse raises, warnings are errors (pyproject)."""

import os
from pathlib import Path

import jaxlib

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# factorisations of small matrices: threads that spin for one another only slow them down
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# most of the time in these tests is compilation, of programs that run for milliseconds: the older
# emitters take a third of it (a later jax may not know them, and ends at an unknown flag)
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_backend_optimization_level=0"
    + " --xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    * jaxlib.__version__.startswith("0.10."),
)
# no test writes to the user's cache
os.environ["JAXIMPUTE_NO_CACHE"] = "1"

import jax
import pytest

_MAPS = Path("/proc/self/maps")
_MOST_MAPS = 7_000  # some three gigabytes

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def key():
    return jax.random.key(0)


@pytest.fixture(autouse=True)
def _forget_programs():
    """Compiled programs hold memory maps; past the system's limit (65530) the compiler crashes."""
    yield
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()
