"""The command line and what is around it: terminals, caches, homes, interrupts, names."""

import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.engine import compiled
from jaximpute.tasks import evaluate
from tests.helpers.commands import call, shell

CACHED = """
import sys, jax
from jaximpute.engine.compiled import keep_compiled
keep_compiled()
jax.jit(lambda x: x + 1)(1.0).block_until_ready()
print(jax.config.values["jax_compilation_cache_dir"])
"""


def test_programs_are_kept_in_the_users_cache_unless_told_otherwise(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    own = {"JAX_COMPILATION_CACHE_DIR": ""}  # whatever whoever runs the tests has set
    shell(CACHED, JAXIMPUTE_NO_CACHE="", XDG_CACHE_HOME=str(mine), **own)
    assert list((mine / "jaximpute" / "compiled").iterdir())
    environment = {"JAX_COMPILATION_CACHE_DIR": str(theirs), "XDG_CACHE_HOME": str(tmp_path / "no")}
    done = shell(CACHED, JAXIMPUTE_NO_CACHE="", **environment)
    assert done.stdout.strip() == str(theirs)
    done = shell(CACHED, JAXIMPUTE_NO_CACHE="1", XDG_CACHE_HOME=str(tmp_path / "no"), **own)
    assert done.stdout.strip() in ("None", "")
    assert not (tmp_path / "no").exists()


IN_PYTHON = """
import numpy as np, jax, jaximpute as ji
jax.jit(lambda x: x + 1)(1.0)  # before the folder is named
ji.impute(np.array([[1.0, 2.0], [2.0, np.nan], [3.0, 4.0]]), "gaussian")
"""


def test_a_call_in_python_keeps_programs_too(tmp_path):
    environment = {"JAX_COMPILATION_CACHE_DIR": "", "XDG_CACHE_HOME": str(tmp_path)}
    done = shell(IN_PYTHON, JAXIMPUTE_NO_CACHE="1", **environment)
    assert not done.stderr
    assert not list(tmp_path.iterdir())
    shell(IN_PYTHON, JAXIMPUTE_NO_CACHE="", **environment)
    assert len(list((tmp_path / "jaximpute" / "compiled").iterdir())) > 1


@pytest.mark.fast
def test_importing_the_library_sets_no_cache():
    given = os.environ.get("JAX_COMPILATION_CACHE_DIR")
    assert jax.config.values["jax_compilation_cache_dir"] == given
    assert compiled.keep_compiled() is None  # told not to, for all tests
    assert jax.config.values["jax_compilation_cache_dir"] == given


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
    quiet = "".join(piece for _, piece in on_a_terminal("impute", path, "-m", "mean", "-q")[:-1])
    assert "reading" not in quiet
    assert "filled" not in quiet


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


def cached(tmp_path: Path, path: Path, **environment: str) -> tuple[str, str, list[Path]]:
    """What a command says that keeps its programs, and what is kept then."""
    environment = {"XDG_CACHE_HOME": str(tmp_path / "home"), "JAX_COMPILATION_CACHE_DIR": ""} | (
        environment
    )
    code = "from jaximpute.__main__ import main; main()"
    done = shell(code, "impute", str(path), "-m", "mean", JAXIMPUTE_NO_CACHE="", **environment)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout, done.stderr, sorted((tmp_path / "home").rglob("*-cache"))


def test_a_damaged_cache_heals_and_is_told_of_once(path, tmp_path):
    out, _, kept = cached(tmp_path, path)
    assert len(kept) > 1
    assert kept[0].parent.stat().st_mode & 0o777 == 0o700
    whole = [each.read_bytes() for each in kept]
    kept[0].write_bytes(b"damaged")
    for each, data in zip(kept[1:], whole[1:], strict=True):
        each.write_bytes(data[: len(data) // 2])  # of one that was killed while it wrote
    # whatever Python is told about warnings
    again, said, healed = cached(tmp_path, path, PYTHONWARNINGS="ignore")
    assert again == out
    assert said.count("some compiled programs that were kept are damaged") == 1
    assert healed == kept
    assert all(each.stat().st_size > len(data) // 2 for each, data in zip(kept, whole, strict=True))
    again, said, _ = cached(tmp_path, path)
    assert again == out
    assert "damaged" not in said


def test_a_users_own_cache_is_left_as_it_is(path, tmp_path):
    theirs = tmp_path / "theirs"
    own = {
        "JAX_COMPILATION_CACHE_DIR": str(theirs),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }
    cached(tmp_path, path, **own)
    kept = sorted(theirs.rglob("*-cache"))
    assert kept
    for one in kept:
        one.write_bytes(b"damaged")
    _, said, _ = cached(tmp_path, path, **own)
    assert said.count(f"kept in {theirs} cannot be read") == 1
    assert all(each.read_bytes() == b"damaged" for each in kept)


@pytest.mark.fast
def test_only_a_folder_of_ones_own_is_trusted(tmp_path, monkeypatch):
    folder = tmp_path / "jaximpute" / "compiled"
    assert compiled._is_ours(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o755)
    assert compiled._is_ours(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o770)  # others may have written to it
    assert not compiled._is_ours(folder)
    folder.chmod(0o700)
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK)  # read-only
    assert not compiled._is_ours(folder)
    monkeypatch.undo()
    monkeypatch.setattr(os, "getuid", lambda: 12345)
    assert not compiled._is_ours(folder)
    # root makes no folders in the home of another one
    monkeypatch.setattr(os, "getuid", lambda: 0)
    theirs = tmp_path / "home"
    theirs.mkdir()
    if hasattr(os, "chown") and os.geteuid() == 0:
        os.chown(theirs, 12345, 12345)
        assert not compiled._is_ours(theirs / "jaximpute" / "compiled")
        assert not list(theirs.iterdir())


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
        console.print(evaluate.as_table(scores, f"with {name}"))
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
