"""Streams that are closed, or lead to a device that is full, end in words."""

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="of Linux")
@pytest.mark.parametrize(
    ("how", "words"),
    [(">/dev/full", "cannot write to stdout: No space left"), (">&-", "stdout: it is closed")],
)
def test_where_stdout_takes_nothing(path, how, words):
    line = f"'{sys.executable}' -m jaximpute impute '{path}' -m mean {how}"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True)
    assert done.returncode == 1
    *notes, last = done.stderr.splitlines()
    assert words in last
    assert all(note.startswith("note: ") for note in notes)
