"""What a report tells of the machine it was made on: versions, and nothing else."""

import json
import os
from pathlib import Path

import pytest

from tests.helpers.commands import call


@pytest.mark.fast
def test_a_manifest_holds_no_environment_and_no_path_but_those_given(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    monkeypatch.setenv("SECRET_TOKEN", "xyzzy-123")
    done = call("impute", "in.csv", "-o", "out.csv", "-m", "mean", "--report", "run.json")
    assert done.exit_code == 0, done.stderr
    text = Path("run.json").read_text()
    about = json.loads(text)
    assert about["input"] == "in.csv"
    private = {"xyzzy-123", str(path.parent), os.path.expanduser("~"), os.environ.get("USER")}
    assert not [each for each in private if each and len(each) > 1 and f'"{each}' in text]
    assert "/" not in json.dumps({**about["settings"], "report": "", "output": ""})
