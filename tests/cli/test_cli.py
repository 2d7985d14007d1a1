"""The command line: files in and out, exit codes, one clear paragraph, nothing half-written."""

import json

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.cli import app, settings
from jaximpute.cli.inspect import count_holes
from jaximpute.data.frames import read
from jaximpute.tasks import evaluate, filling
from tests.helpers.commands import SERIES, call, shell

LOADED = """
import atexit, sys
atexit.register(lambda: print("HEAVY", sorted({"jax", "pandas", "sklearn"} & set(sys.modules))))
from jaximpute.__main__ import main
main()
"""


@pytest.mark.fast
def test_help_is_not_cut_and_flags_are_the_same_everywhere():
    commands = {}
    listed = call("--help").stdout
    assert "..." not in listed.replace("[ARGS]...", "")
    for command in app.registered_commands:
        name = command.callback.__name__
        words = " ".join(listed.split())
        assert " ".join(command.callback.__doc__.split("\n")[0].rstrip(".").split()) in words
        commands[name] = call(name, "--help").stdout
        assert "..." not in commands[name].replace("[ARGS]...", "")
    short = {"--method": "-m", "--output": "-o", "--save": "-o", "--quiet": "-q"}
    for text in commands.values():
        for long, flag in short.items():
            assert f"  {long} " not in text, f"{long} without {flag}"
    assert "-m, --method" in commands["impute"]


@pytest.mark.parametrize("arguments", ["--help", "--version", "methods --help", "impute --help"])
def test_help_loads_nothing_heavy(arguments):
    done = shell(LOADED, *arguments.split())
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    assert (ji.__version__ if arguments == "--version" else "Usage:") in done.stdout


@pytest.mark.fast
def test_only_missing_cells_change(path):
    out = path.with_name("out.csv")
    done = call("impute", path, "-o", out, "--time", "day", "--method", "linear")
    assert done.exit_code == 0, done.stderr
    assert out.read_text() == SERIES.replace("02,,b", "02,2.50,b").replace("3.5,\n", "3.5,b\n")
    assert "filled 2 of 2 missing cells with 'linear'" in done.stderr
    assert done.stdout == ""


@pytest.mark.fast
def test_standard_streams(path):
    done = call("impute", "-", "--method", "mean", "--quiet", input=SERIES)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[2] == "2024-01-02,3.50,b"
    assert "'day' holds dates" in done.stderr
    assert "--time 'day'" in done.stderr


@pytest.mark.fast
def test_a_complete_file_comes_back_as_it_was(tmp_path):
    text = 'x,"a ""name"""\n1.0,2\n3.50,4\n'
    done = call("impute", "-", "--method", "mean", input=text)
    assert done.stdout == text
    assert "nothing is missing" in done.stderr


def test_report_plot_and_settings(path):
    folder = path.parent
    config = folder / "run.toml"
    config.write_text(
        f'method = "moving_average"\ntime = "day"\nseed = 7\nplot = "{folder}/from_file.png"\n'
        "max-gap = 3\n[options]\nwidth = 9\ntau = 2.0\n"
    )
    done = call(
        *("impute", path, "-o", folder / "out.csv", "--config", config, "--seed", "8"),
        *("--set", "width=5", "--plot", folder / "p.png", "--report", folder / "r.json"),
    )
    assert done.exit_code == 0, done.stderr
    assert (folder / "p.png").read_bytes().startswith(b"\x89PNG")
    assert not (folder / "from_file.png").exists()
    report = json.loads((folder / "r.json").read_text())
    assert report["options"] == {"width": 5, "tau": 2.0}
    assert report["seed"] == report["settings"]["seed"] == 8
    assert report["settings"]["max_gap"] == 3
    assert report["missing"] == {"level": 1, "word": 1}


@pytest.mark.fast
def test_max_gap_is_steps_or_a_duration(tmp_path):
    text = "t,x\n2024-01-01,1\n2024-01-02,\n2024-01-03,\n2024-01-04,4\n2024-01-05,\n2024-01-06,6\n"
    for most in ("1", "24h"):
        done = call(
            "impute", "-", "--time", "t", "--method", "linear", "--max-gap", most, input=text
        )
        filled = [line.split(",")[1] for line in done.stdout.splitlines()[1:]]
        assert filled == ["1", "", "", "4", "5", "6"]
        assert "gaps longer than max_gap" in done.stderr


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "arguments", "code", "message"),
    [
        ("", [], 3, "stdin is empty"),
        ("x,y\n", [], 3, "no row below it"),
        ("x,y\n1,inf\n", [], 3, "column 'y' holds inf"),
        (SERIES, ["--time", "dya"], 3, "did you mean 'day'"),
        (SERIES + "2024-01-01,1,a\n", ["--time", "day"], 3, "duplicate stamps"),
        (SERIES, ["--method", "maen"], 2, "did you mean 'mean'"),
        (SERIES, ["--method", "mean", "--set", "k=3"], 2, "has no option 'k'"),
        (SERIES, ["--set", "k"], 2, "--set takes name=value"),
        (SERIES, ["--method", "mean", "--max-gap", "3"], 2, "a table has no gaps in time"),
        (SERIES, ["--preset", "quick"], 2, "no preset is called 'quick'"),
        (SERIES, ["--config", "none.toml"], 2, "cannot read the settings in none.toml"),
        (SERIES, ["-o", "out.xls"], 1, "suffix '.xls'"),
        (SERIES, ["-o", "no/where.csv"], 1, "there is no folder no"),
        (SERIES, ["--seed", "x"], 2, "Invalid value for '--seed'"),
    ],
)
def test_errors_have_a_code_and_a_text(text, arguments, code, message):
    done = call("impute", "-", *arguments, input=text)
    assert done.exit_code == code, done.output
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


@pytest.mark.parametrize("kept", ["out.csv", "p.png", "r.json"])
def test_nothing_is_replaced_unless_forced(path, kept, monkeypatch):
    (path.parent / kept).write_text("precious")
    names = ("-o", "out.csv"), ("--plot", "p.png"), ("--report", "r.json")
    outputs = [word for flag, name in names for word in (flag, path.parent / name)]
    arguments = ["impute", path, "--method", "mean", *outputs]
    with monkeypatch.context() as patch:
        patch.setattr(filling, "fill", lambda *a, **k: pytest.fail("worked before refusing"))
        done = call(*arguments)
    assert done.exit_code == 1
    assert f"{kept} exists; pass --force" in done.stderr
    assert (path.parent / kept).read_text() == "precious"
    assert len(list(path.parent.iterdir())) == 2
    assert call(*arguments, "--force").exit_code == 0
    assert (path.parent / kept).read_bytes() != b"precious"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (MemoryError(), 5, "out of memory"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating"), 5, "out of memory"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ZeroDivisionError("by zero"), 1, "ZeroDivisionError: by zero"),
        (ji.DivergenceError("'spirit' diverged"), 1, "error: 'spirit' diverged"),
    ],
)
def test_a_run_that_fails_leaves_nothing(path, monkeypatch, failure, code, message):
    def fail(*arguments, **keywords):
        raise failure

    monkeypatch.setattr(filling, "fill", fail)
    done = call("impute", path, "-o", path.with_name("out.csv"), "--time", "day")
    assert done.exit_code == code
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert [entry.name for entry in path.parent.iterdir()] == ["in.csv"]


@pytest.mark.fast
def test_debug_lets_errors_through(path, monkeypatch):
    monkeypatch.setattr(filling, "fill", lambda *a, **k: 1 / 0)
    done = call("impute", path, "--debug")
    assert isinstance(done.exception, ZeroDivisionError)


def test_a_full_disk_and_an_interrupt_while_writing_keep_what_was_there(path):
    code = """
import errno, os, signal, sys
from jaximpute.__main__ import main
def full(descriptor):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
def interrupt(descriptor):
    signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell put us behind
os.fsync = {"full": full, "interrupt": interrupt}[sys.argv.pop(1)]
main()
"""
    out = path.with_name("out.csv")
    out.write_text("precious")
    arguments = ["impute", str(path), "-o", str(out), "--method", "mean", "--force"]
    for why, exit_code, message in [
        ("full", 1, f"cannot write {out}: No space left on device"),
        ("interrupt", 130, "interrupted; no half-written file is left"),
    ]:
        done = shell(code, why, *arguments)
        assert done.returncode == exit_code, done.stderr
        assert message in done.stderr
        assert "Traceback" not in done.stderr
        assert out.read_text() == "precious"
        assert {entry.name for entry in path.parent.iterdir()} == {"in.csv", "out.csv"}


def test_simulate_hides_cells_and_keeps_the_text_of_others(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"day": pd.date_range("2024", periods=200), "id": range(200)})
    table = table.assign(x=rng.normal(size=200).round(3), w=rng.choice(["a", "b"], 200))
    table.to_csv(tmp_path / "in.csv", index=False)
    done = call(
        *("simulate", tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--rate", "0.3"),
        *("--keep", "id", "--mask", tmp_path / "mask.csv", "--seed", "4"),
    )
    assert done.exit_code == 0, done.stderr
    before = [line.split(",") for line in (tmp_path / "in.csv").read_text().splitlines()]
    after = [line.split(",") for line in (tmp_path / "out.csv").read_text().splitlines()]
    mask = pd.read_csv(tmp_path / "mask.csv")
    hidden = ~mask.to_numpy()
    assert hidden[:, :2].sum() == 0
    assert 0.2 < hidden[:, 2:].mean() < 0.4
    assert list(mask.columns) == before[0] == after[0]
    for i in range(200):
        assert after[i + 1] == [
            "" if hide else cell for hide, cell in zip(hidden[i], before[i + 1], strict=True)
        ]


@pytest.mark.fast
def test_inspect_counts_gaps_with_the_rows_that_are_not_there(path):
    done = call("inspect", path, "--time", "day", "--plot", path.with_name("p.png"))
    assert done.exit_code == 0, done.stderr
    level = next(line for line in done.stdout.splitlines() if "level" in line)
    assert [cell.strip() for cell in level.split("│")[1:-1]] == [
        *("level", "number", "1.5", "5.5", "2", "40.0", "2", "1")
    ]
    assert path.with_name("p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.fast
def test_gaps_are_runs_of_missing_cells():
    x = np.array([[np.nan, 1], [np.nan, 2], [1, 3], [np.nan, 4.0]])
    assert [tuple(column) for column in count_holes(read(x))] == [(3, 2, 2), (0, 0, 0)]


def test_evaluate_prints_writes_and_guards(tmp_path):
    t = np.arange(60)
    table = pd.DataFrame({"t": t, "x": np.sin(t / 5).round(4)})
    table.to_csv(tmp_path / "in.csv", index=False)
    arguments = ["evaluate", tmp_path / "in.csv", "--time", "t", "-m", "linear", "-m", "mean"]
    done = call(*arguments, "--repeats", "2", "-o", tmp_path / "scores.csv", "--fail-over", "0.3")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.index("linear") < done.stdout.index("mean")
    scores = pd.read_csv(tmp_path / "scores.csv").set_index(["method", "column", "metric"])["mean"]
    assert scores["linear", "x", "mae"] < scores["mean", "x", "mae"]
    done = call(*arguments, "--repeats", "1", "--quiet", "--fail-over", "0.0001")
    assert done.exit_code == 4
    assert "the best score is" in done.stderr
    assert done.stdout == ""


@pytest.mark.fast
def test_evaluate_takes_options_by_method(path, monkeypatch):
    seen = {}

    def spy(table, methods, **keywords):
        seen.update(keywords)
        return pd.DataFrame({"column": ["(overall)"]})

    monkeypatch.setattr(evaluate, "evaluate", spy)
    call("evaluate", path, "--set", "spirit.steps=3", "--set", "knn.weights=distance")
    assert seen["options"] == {"spirit": {"steps": 3}, "knn": {"weights": "distance"}}
    assert call("evaluate", path, "--set", "steps=3").exit_code == 2


@pytest.mark.fast
def test_methods_lists_all_with_options():
    done = call("methods")
    assert done.exit_code == 0
    for name in ji.registry.names():
        assert f"\n{name}: " in f"\n{done.stdout}"
    only = call("methods", "moving_average").stdout
    assert "options: width=" in only
    assert "linear" not in only
    assert call("methods", "no").exit_code == 2


@pytest.mark.fast
def test_settings_are_checked_by_name_and_type(tmp_path):
    config = tmp_path / "run.toml"
    for text, message in [
        ("sed = 1", "did you mean 'seed'"),
        ("seed = true", "sets seed to True; expected int"),
        ("force = 1", "expected true or false"),
        ("seed = ", "cannot read the settings"),
    ]:
        config.write_text(text)
        with pytest.raises(ji.OptionError, match=message):
            settings.resolve(settings.ImputeSettings, {}, str(config))


def test_a_flag_of_zero_is_given(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("seed = 5\ndraws = 3\n")
    flags = {"seed": 0, "draws": None, "quiet": False}
    found = settings.resolve(settings.ImputeSettings, flags, str(config))
    assert (found.seed, found.draws, found.quiet) == (0, 3, False)


@pytest.mark.fast
def test_values_are_read_as_toml_or_text():
    read_as = {"1": 1, "1e-3": 1e-3, "true": True, '"1"': "1", "[1, 2]": [1, 2], "a b": "a b"}
    assert {text: settings.parse_value(text) for text in read_as} == read_as
    assert settings.parse_value("1\nother = 2") == "1\nother = 2"
