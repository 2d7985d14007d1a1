"""Hooks: what they show, when they stop, what they keep."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import jaximpute as ji
from jaximpute.engine import hooks
from jaximpute.types import Info, Method

DATA = ji.observe(np.array([[1.0], [np.nan]]))


def countdown() -> Method:
    """A method whose loss at step t is 1 / t, and whose metric `twice` is 2 / t."""

    def init(key, data):
        return jnp.ones(())

    def step(key, state, data):
        return state + 1, Info(1 / state, {"twice": 2 / state})

    return Method(init, step, fill=lambda state, data: data.values)


def chunk(*losses: float, **metrics: list[float]) -> Info:
    return Info(jnp.array(losses), {name: jnp.array(m) for name, m in metrics.items()})


def terminal(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)


@pytest.mark.fast
def test_progress_shows_steps_and_loss_and_ends_the_line():
    console = terminal()
    bar = hooks.progress(4, label="working", console=console)
    assert not bar(2, None, chunk(3.0, 0.25))
    first = console.file.getvalue()
    assert "working" in first
    assert "2/4" in first
    assert "loss 0.25" in first
    assert first.endswith("\r")
    assert not bar(4, None, chunk(0.125, 0.0625))
    assert "4/4" in console.file.getvalue()
    assert console.file.getvalue().endswith("\n")


@pytest.mark.fast
def test_progress_keeps_to_one_line_and_hides_no_cursor():
    console = terminal(width=40)
    bar = hooks.progress(100, label="a label that is much longer than the line", console=console)
    bar(1, None, chunk(1.0))
    assert "\n" not in console.file.getvalue()
    assert "\x1b[?25l" not in console.file.getvalue()


@pytest.mark.fast
def test_progress_is_silent_where_there_is_no_terminal(capsys):
    ji.fit(countdown(), jax.random.key(0), DATA, 2, hooks=[hooks.progress(2)])
    assert capsys.readouterr() == ("", "")


@pytest.mark.fast
def test_patience_waits_from_the_last_improvement():
    stop = hooks.patience(chunks=2)
    losses = [3.0, 2.0, 2.5, 1.0, 1.0, float("nan")]
    assert [stop(t, None, chunk(loss)) for t, loss in enumerate(losses)] == [False] * 5 + [True]


@pytest.mark.fast
def test_patience_takes_the_mean_of_a_chunk_and_a_least_improvement():
    stop = hooks.patience("error", chunks=1, least=0.5)
    assert not stop(2, None, chunk(0.0, 0.0, error=[1.0, 3.0]))
    assert not stop(4, None, chunk(0.0, 0.0, error=[0.0, 2.9]))  # 1.45 is lower by more than 0.5
    assert stop(6, None, chunk(0.0, 0.0, error=[1.0, 1.0]))  # 1.0 is not


@pytest.mark.fast
def test_patience_names_the_metrics_that_exist():
    with pytest.raises(ji.OptionError, match="no metric 'eror'; it reports error, loss"):
        hooks.patience("eror")(1, None, chunk(1.0, error=[1.0]))
    with pytest.raises(ji.OptionError, match="chunks is 0"):
        hooks.patience(chunks=0)


@pytest.mark.fast
def test_patience_ends_a_run_that_gets_no_better():
    steps = []

    def count(t, state, info):
        steps.append(t)
        return False

    hook = hooks.patience("twice", chunks=1, least=0.3)  # 2, 1, 2/3, 1/2: the fourth gains 1/6
    ji.fit(countdown(), jax.random.key(0), DATA, 50, chunk=1, hooks=[count, hook])
    assert steps == [1, 2, 3, 4]


@pytest.mark.fast
def test_log_keeps_every_step_whatever_the_chunk():
    records = []
    ji.fit(countdown(), jax.random.key(0), DATA, 5, chunk=3, hooks=[hooks.log(records)])
    assert [record["t"] for record in records] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose([record["loss"] for record in records], 1 / np.arange(1, 6))
    np.testing.assert_allclose([record["twice"] for record in records], 2 / np.arange(1, 6))


@pytest.mark.fast
def test_log_appends_lines_of_json_and_is_complete_after_each_chunk(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"t": 0}\n')
    hook = hooks.log(path)
    hook(2, None, chunk(2.0, float("nan")))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"t": 0}, {"t": 1, "loss": 2.0}, {"t": 2, "loss": None}]
    hook(3, None, chunk(1.0))
    assert len(path.read_text().splitlines()) == 4


@pytest.mark.fast
def test_log_says_where_it_cannot_write(tmp_path):
    with pytest.raises(ji.OutputError, match="no_such_folder"):
        hooks.log(tmp_path / "no_such_folder" / "run.jsonl")(1, None, chunk(1.0))


@pytest.mark.fast
def test_patience_begins_anew_with_a_new_run():
    stop = hooks.patience(chunks=2)
    for _ in range(2):
        seen = [stop(t, None, chunk(loss)) for t, loss in ((1, 1.0), (2, 2.0), (3, 3.0))]
        assert seen == [False, False, True]
