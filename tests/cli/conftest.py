"""A terminal and a file for every test of the command line."""

from pathlib import Path

import pytest

from tests.helpers.commands import SERIES


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "in.csv").write_text(SERIES)
    return tmp_path / "in.csv"
