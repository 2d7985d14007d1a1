"""The command line: files in and out, exit codes, one clear paragraph, nothing half-written."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute import api, evaluation
from jaximpute.cli import app, common, settings
from jaximpute.cli.inspect import count_holes
from jaximpute.data.frames import read

SERIES = """day,level,word
2024-01-01,1.50,a
2024-01-02,,b
2024-01-03,3.5,
2024-01-05,5.50,a
"""


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")


@pytest.fixture
def path(tmp_path) -> Path:
    (tmp_path / "in.csv").write_text(SERIES)
    return tmp_path / "in.csv"


def call(*arguments: str | Path, **keywords):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **keywords)


def shell(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, **environment},
    )


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


@pytest.mark.fast
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
        patch.setattr(api, "fill", lambda *a, **k: pytest.fail("worked before refusing"))
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

    monkeypatch.setattr(api, "fill", fail)
    done = call("impute", path, "-o", path.with_name("out.csv"), "--time", "day")
    assert done.exit_code == code
    assert message in done.stderr
    assert "Traceback" not in done.output
    assert [entry.name for entry in path.parent.iterdir()] == ["in.csv"]


@pytest.mark.fast
def test_debug_lets_errors_through(path, monkeypatch):
    monkeypatch.setattr(api, "fill", lambda *a, **k: 1 / 0)
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


@pytest.mark.fast
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
        return pd.DataFrame({"column": [evaluation.OVERALL]})

    monkeypatch.setattr(evaluation, "evaluate", spy)
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
            settings.resolve({}, str(config))


def test_a_flag_of_zero_is_given(tmp_path):
    config = tmp_path / "run.toml"
    config.write_text("seed = 5\ndraws = 3\n")
    found = settings.resolve({"seed": 0, "draws": None, "quiet": False}, str(config))
    assert (found["seed"], found["draws"], found["quiet"]) == (0, 3, False)


@pytest.mark.fast
def test_values_are_read_as_toml_or_text():
    read_as = {"1": 1, "1e-3": 1e-3, "true": True, '"1"': "1", "[1, 2]": [1, 2], "a b": "a b"}
    assert {text: settings.parse_value(text) for text in read_as} == read_as
    assert settings.parse_value("1\nother = 2") == "1\nother = 2"


CACHED = """
import sys, jax
from jaximpute.cli.common import keep_compiled
keep_compiled()
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
print(jax.config.values["jax_compilation_cache_dir"])
"""


def test_programs_are_kept_in_the_users_cache_unless_told_otherwise(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    shell(CACHED, JAXIMPUTE_NO_CACHE="", XDG_CACHE_HOME=str(mine))
    assert list((mine / "jaximpute" / "compiled").iterdir())
    environment = {"JAX_COMPILATION_CACHE_DIR": str(theirs), "XDG_CACHE_HOME": str(tmp_path / "no")}
    done = shell(CACHED, JAXIMPUTE_NO_CACHE="", **environment)
    assert done.stdout.strip() == str(theirs)
    done = shell(CACHED, JAXIMPUTE_NO_CACHE="1", XDG_CACHE_HOME=str(tmp_path / "no"))
    assert done.stdout.strip() == "None"
    assert not (tmp_path / "no").exists()


@pytest.mark.fast
def test_importing_the_library_sets_no_cache():
    assert jax.config.values["jax_compilation_cache_dir"] is None
    assert common.keep_compiled() is None  # told not to, for all tests
    assert jax.config.values["jax_compilation_cache_dir"] is None


def on_a_terminal(*arguments: str | Path) -> list[tuple[float, str]]:
    """What a command shows where stderr is a terminal, each piece with its second."""
    pty = pytest.importorskip("pty")
    here, there = pty.openpty()
    begun = time.perf_counter()
    run = subprocess.Popen(
        [sys.executable, "-m", "jaximpute", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=there,
        text=True,
    )
    os.close(there)
    shown = []
    while True:
        try:
            piece = os.read(here, 4096)
        except OSError:
            break
        if not piece:
            break
        shown.append((time.perf_counter() - begun, piece.decode()))
    os.close(here)
    out, _ = run.communicate()
    assert run.returncode == 0
    return [*shown, (-1.0, out)]


def test_a_terminal_is_told_what_is_going_on(path, tmp_path):
    *shown, (_, out) = on_a_terminal("impute", path, "-o", tmp_path / "o.csv", "-m", "spirit")
    assert out == ""
    text = "".join(piece for _, piece in shown)
    told = ["reading", "preparing", "compiling", "steps", "spirit", "filling", "writing", "filled"]
    places = [text.index(word) for word in told[:4]]
    assert places == sorted(places)
    assert all(word in text for word in told)
    assert shown[0][1].startswith("\r\x1b[Kreading"), "before anything heavy is imported"


def test_stdout_and_quiet_commands_are_free_of_it(path):
    *shown, (_, out) = on_a_terminal("impute", path, "-m", "mean")
    assert "\x1b" not in out
    assert out.startswith("day,level,word")
    assert "".join(piece for _, piece in shown).count("reading") == 1
    assert on_a_terminal("impute", path, "-m", "mean", "-q")[:-1] == []


def test_a_user_without_a_home_is_served(path, tmp_path):
    code = """
import os, pwd
def nobody(uid): raise KeyError(uid)
pwd.getpwuid = nobody
os.environ.pop("HOME"), os.environ.pop("XDG_CACHE_HOME", None)
from jaximpute.__main__ import main
main()
"""
    done = shell(code, "impute", str(path), "-m", "mean")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("day,level,word")


def test_a_damaged_cache_is_told_of_once(path, tmp_path):
    environment = {"XDG_CACHE_HOME": str(tmp_path), "JAX_COMPILATION_CACHE_DIR": ""}
    code = "from jaximpute.__main__ import main; main()"
    first = shell(code, "impute", str(path), "-m", "mean", **environment)
    kept = list((tmp_path / "jaximpute").rglob("*-cache"))
    assert len(kept) > 1
    for each in kept:
        each.write_bytes(b"damaged")
    again = shell(code, "impute", str(path), "-m", "mean", **environment)
    assert again.stdout == first.stdout
    assert again.stderr.count("compiled programs that were kept cannot be read") == 1
    assert "Warning" not in again.stderr


def test_an_interrupt_before_a_command_begins_shows_no_traceback():
    code = """
import builtins
real = builtins.__import__
def interrupted(name, *rest):
    if name == "typer": raise KeyboardInterrupt
    return real(name, *rest)
builtins.__import__ = interrupted
from jaximpute.__main__ import main
main()
"""
    done = shell(code, "--help")
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_messages_on_a_field_speak_of_variables():
    xarray = pytest.importorskip("xarray")
    cells = np.full((3, 2, 2), 300.0)
    cells[0, 0, 0], cells[1, 1, 1] = np.nan, 290.0
    data = xarray.DataArray(cells, dims=("time", "lat", "lon"), name="sst")
    with pytest.warns(ji.ImputationWarning, match=r"variable 'sst'.*outside") as told:
        ji.impute(data, "mean", bounds={"sst": (295, None)})
    assert "row" not in str(told[0].message)
    with pytest.raises(ji.OptionError, match=r"no variable is called 'ssh'"):
        ji.impute(data, "mean", bounds={"ssh": (0, None)})
    with pytest.raises(ji.DataError, match=r"variable 'sst' holds inf at place \(0, 2, 1, 0\)"):
        ji.impute(data.where(data.time > 5, other=cells).copy(data=_with_infinity(cells)), "mean")
    land = data.where(data.lat > 0)
    with pytest.warns(ji.ImputationWarning, match=r"variable 'sst': missing cells left empty"):
        ji.impute(land, "mean")


def _with_infinity(cells):
    changed = cells.copy()
    changed[2, 1, 0] = np.inf
    return changed


@pytest.mark.parametrize("name", ["speed [km/h]", "[/foo]", "[red]x"])
def test_brackets_in_names_are_no_markup(tmp_path, name):
    path = tmp_path / "in.csv"
    path.write_text(f"{name},b\n" + "".join(f"{i},{i % 3}\n" for i in range(30)) + ",1\n")
    assert name in call("inspect", path).stdout
    assert call("impute", path, "-m", "mean").stdout.startswith(f"{name},b\n")
    label = {name: ("mean", {}), "none such": ("knn", {"k": -1})}
    scores = ji.evaluate(pd.read_csv(path), label, repeats=1, verbose=False)
    from rich.console import Console

    with (console := Console(width=120)).capture() as shown:
        console.print(evaluation.as_table(scores, f"with {name}"))
    assert shown.get().count(name) == 2


def test_a_terminal_obeys_no_name(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("a,\x1b]0;x\x07b\n1,\n2,\n3,\n")
    for arguments in (["inspect", path], ["impute", path, "-m", "mean", "-o", tmp_path / "o.csv"]):
        done = call(*arguments)
        assert "\x1b" not in done.stderr + done.stdout.replace("\x1b[1m", "")
        assert r"\x1b]0;x\x07b" in done.stderr + done.stdout
    frame = pd.DataFrame({"a": [1.0, 2.0], "\x1bb": [np.nan, np.nan]})
    with pytest.warns(ji.ImputationWarning) as told:
        ji.impute(frame, "mean")
    assert "\x1b" not in str(told[0].message)
    with pytest.raises(ji.OptionError) as refused:
        ji.impute(frame, "mean", bounds={"\x1b": (0, 1)})
    assert "\x1b" not in str(refused.value)
