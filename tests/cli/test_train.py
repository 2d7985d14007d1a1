"""`jaximpute train`: the model of `fit`, learned on a mesh; options of the run."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.engine import execution
from tests.helpers.commands import call
from tests.helpers.training import CONFIG


@pytest.fixture
def config(tmp_path) -> Path:
    x = np.random.default_rng(0).normal(size=(13, 3))
    rows = [f"r{i},{a:.3f},{b:.3f},{c:.3f}" for i, (a, b, c) in enumerate(x)]
    rows[4] = "r4,,0.5,"
    (tmp_path / "in.csv").write_text("\n".join(["id,a,b,c", *rows, ""]))
    (tmp_path / "run.toml").write_text(CONFIG.replace("DIR", str(tmp_path)))
    return tmp_path / "run.toml"


# whose state holds rows: padded, sharded and gathered
def test_two_devices_learn_what_one_learns(config):
    two = f"{os.environ['XLA_FLAGS']} --xla_force_host_platform_device_count=2"
    report = config.with_name("report.json")
    config.write_text(f'report = "{report}"\n' + config.read_text())
    done = subprocess.run(
        [sys.executable, "-m", "jaximpute", "train", str(config), "--mesh", "data=2"],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "XLA_FLAGS": two},
    )
    assert done.returncode == 0, done.stderr
    assert '"devices": 2' in report.read_text()
    table = pd.read_csv(config.with_name("in.csv"))[["a", "b", "c"]]
    plain = ji.Imputer("knn", options={"k": 2}).fit(table)
    learned = ji.Imputer.load(config.with_name("model"))
    assert learned.fitted_.shape[0] == execution.ROWS
    np.testing.assert_allclose(learned.transform(table), plain.transform(table), rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--mesh", "data=99"], 2, "a mesh of 99 devices was asked for, and there are"),
        (["--mesh", "model=2"], 2, "expected data=N"),
        (["--mesh", "data=x"], 2, "expected data=N"),
        (["--coordinator", "here:1"], 2, "go together"),
        (
            ["--coordinator", "here:1", "--processes", "2", "--process", "2"],
            2,
            "--process is 2; expected 0..1",
        ),
        (["--resume"], 2, "name their folder"),
        (["--set", "kk=3"], 2, "did you mean 'k'"),
    ],
)
def test_what_is_wrong_is_said(config, words, code, message):
    done = call("train", config, *words)
    assert done.exit_code == code, done.output
    assert message in " ".join(done.stderr.split())
    assert not config.with_name("model").exists()


def test_settings_are_checked(config):
    config.write_text("save = 'x'\nmash = 'data=2'\n")
    done = call("train", config)
    assert (done.exit_code, "did you mean 'mesh'" in done.stderr) == (2, True)
    config.write_text("save = 'x'\n")
    done = call("train", config)
    assert (done.exit_code, "sets no data" in done.stderr) == (2, True)


def prepared(how, data):
    plan = ji.registry.build("mice", data, kind="table", wrap=execution.wrappers(how))
    return execution.adapt(how, plan, data)


def test_options_of_a_run_are_refused_where_they_do_nothing():
    data = ji.from_nan(jax.numpy.ones((4, 2)))
    for how, message in (
        (execution.Execution(bfloat16=True), "has no network"),
        (execution.Execution(accumulate=0), "accumulate is 0"),
        (execution.Execution(accumulate=2**31), "below 2"),
    ):
        with pytest.raises(ji.OptionError, match=message):
            prepared(how, data)
