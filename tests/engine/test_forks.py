"""Work in several processes, and in several threads of one."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import jax
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine import compiled


@pytest.mark.parametrize("how", ["fork", "spawn", "loky"])
def test_other_processes(how):
    if how == "fork" and not hasattr(os, "fork"):
        pytest.skip("nothing forks here")
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.forked", how],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.splitlines()
    assert first == "4.0"
    assert len(others) == 2
    for other in others:
        if how == "fork":
            assert "forked from one that had used JAX" in other
            assert "get_context('spawn')" in other
        else:
            assert other == first


def rows(seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return np.where(draw.random((30, 3)) < 0.2, np.nan, draw.normal(size=(30, 3)))


def test_threads_that_call_at_once(monkeypatch):
    data = [rows(seed) for seed in range(8)]
    monkeypatch.setattr(compiled, "_MOST", 3)  # what is compiled is forgotten all the time
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: ji.impute(x, "median"), data))
    for x, filled in zip(data, found, strict=True):
        np.testing.assert_array_equal(filled, ji.impute(x, "median"))


def test_threads_that_need_one_program_compile_it_once():
    made = []

    def listen(event, duration_secs, **about):
        if event == compiled._COMPILED:
            made.append(about.get("fun_name"))

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(listen)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda x: ji.impute(x, "median"), [rows(0)] * 4))
    assert made.count("jit(_initialise)") == made.count("jit(_complete)") == 1
    assert len(made) < 20


def test_what_is_compiled_is_bounded(monkeypatch):
    forgotten = []
    monkeypatch.setattr(jax, "clear_caches", lambda: forgotten.append(compiled._made[0]))
    monkeypatch.setattr(compiled, "_MOST", 10)
    compiled.keep_compiled()
    compiled._made[0], calls = 0, 6
    for i in range(calls):
        ji.impute(np.pad(rows(i), ((0, 0), (0, i))), "mean")
    assert 0 < len(forgotten) < calls
