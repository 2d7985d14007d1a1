"""Two processes on one machine train, checkpoint, and exchange checkpoints with one process."""

import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine.hooks._sums import check_sums
from tests.helpers import processes

pytest.importorskip("orbax.checkpoint")
COUNT, PATIENCE = 2, 240


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def launch(folder: Path) -> None:
    """All processes to their end; none is left, whatever happens."""
    port = str(free_port())
    logs = [(folder / f"{i}.log").open("w+") for i in range(COUNT)]
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.helpers.processes",
                str(i),
                str(COUNT),
                port,
                str(folder),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        for i, log in enumerate(logs)
    ]
    try:
        codes = [one.wait(PATIENCE) for one in started]
    finally:
        for one in started:
            one.kill()
            one.wait()
        for log in logs:
            log.close()
    told = "\n".join((folder / f"{i}.log").read_text() for i in range(COUNT))
    assert codes == [0] * COUNT, told


def test_two_processes_do_what_one_does(tmp_path):
    method, data = processes.small(), processes.rows()
    whole = processes.train(method, data, tmp_path / "whole")
    processes.train(method, data, tmp_path / "one", lambda t, state, info: t == 2)
    launch(tmp_path)
    steps = {folder: [p.name for p in (tmp_path / folder).iterdir()] for folder in ("many", "one")}
    assert {name: max(found) for name, found in steps.items()} == {"many": "4", "one": "6"}

    # a signal to one of two stopped both, and one goes on where they were
    resumed = processes.train(method, data, tmp_path / "many")
    found = [np.load(tmp_path / f"{i}.npz") for i in range(COUNT)]
    for i, leaf in enumerate(jax.tree.leaves(whole)):
        np.testing.assert_allclose(jax.tree.leaves(resumed)[i], leaf, rtol=1e-4, atol=1e-5)
        for one in found:
            np.testing.assert_allclose(one[f"arr_{i}"], leaf, rtol=1e-4, atol=1e-5)

    # each process completes rows of its own
    filled = ji.complete(method, jax.random.key(1), whole, data)
    assert [len(one["filled"]) for one in found] == [7, 5]
    mine = np.concatenate([one["filled"] for one in found])
    np.testing.assert_array_equal(mine[data.mask], np.asarray(data.values)[data.mask])
    np.testing.assert_allclose(mine, filled, rtol=1e-4, atol=1e-5)

    # of an array that is spread over processes, all find the check sum of the whole
    spread = [np.concatenate([one[name] for one in found]) for name in ("spread", "seen")]
    for one in found:
        own = [one[f"arr_{i}"] for i in range(len(jax.tree.leaves(whole)))]
        expected = check_sums([*spread, *own])
        np.testing.assert_array_equal(one["sums"], np.array(expected, np.uint64))
