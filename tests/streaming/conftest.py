"""A file for every test of streams."""

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.streams import rows


@pytest.fixture
def path(tmp_path) -> Path:
    np.save(tmp_path / "x.npy", rows())
    return tmp_path / "x.npy"
