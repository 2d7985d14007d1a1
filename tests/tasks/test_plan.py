"""Cost before compute, and what is said when there is not enough memory."""

import jax
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import registry
from jaximpute.data import frames
from jaximpute.engine import loop
from jaximpute.engine.warmup import WarmUp
from jaximpute.masking import clamp
from jaximpute.tasks import plan
from tests.helpers.commands import call


def rows(n: int = 40) -> np.ndarray:
    x = np.random.default_rng(0).normal(size=(n, 3))
    x[::4, 1] = np.nan
    return x


def test_a_plan_counts_and_multiplies():
    options = {"steps": 7, "keep": 2}
    cost = ji.plan(rows(), "ice", **options)
    assert (cost.method, cost.rows, cost.event) == ("ice", 40, (3,))
    assert (cost.missing, cost.steps) == (10, 7)
    # what holds rows is no parameter
    data = ji.observe(rows())
    method = registry.build("ice", data, kind="table", options=options).method
    state = jax.eval_shape(method.init, jax.random.key(0), data)
    assert 0 < cost.parameters < sum(leaf.size for leaf in jax.tree.leaves(state))
    assert cost.state_mb * 1e6 == sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state))
    assert cost.peak_mb > cost.state_mb
    assert cost.flops > 0
    assert cost.seconds > cost.compile_seconds + 7 * cost.step_seconds > 0


def test_a_plan_takes_one_step_of_a_warm_up_and_one_of_many_draws():
    def step(key, state, data):
        return state + 1, ji.Info(jax.numpy.float32(0.0), {})

    def sample(key, state, data):
        return clamp(state + jax.random.normal(key, data.values.shape), data)

    def init(key, data):
        return jax.numpy.float32(0.0)

    first = ji.Method(init, step)
    method = ji.Method(WarmUp(first, 900, lambda s: s), step, sample=sample)
    data = ji.observe(rows())
    trial = plan.try_out(registry.Plan(method, 7, chunk=2), data, 20)
    # start, warm-up, its end, chunks of steps and a remainder, draws
    assert [part.times for part in trial.parts] == [1, 900, 1, 3.5, 20]
    assert [part.programs for part in trial.parts] == [1, 1, 1, 2, 1]
    assert np.isfinite(trial.completed).all()
    assert plan.try_out(registry.Plan(method), data, 3).parts[-1].times == 3


def test_a_plan_of_nothing_to_learn():
    assert ji.plan(np.array([[1.0, 2.0], [np.nan, 2.0]]), "mean").seconds == 0


def test_dry_run_writes_nothing(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("a,b\n1,2\n3,\n2,5\n")
    done = call("impute", path, "-o", tmp_path / "out.csv", "--method", "mean", "--dry-run")
    assert done.exit_code == 0, done.stderr
    assert [line.split(":")[0] for line in done.stdout.splitlines()] == [
        "method",
        "data",
        "to fill",
        "to learn",
        "time",
        "memory",
    ]
    assert "3 rows of 2 numbers" in done.stdout
    assert "1 missing cell\n" in done.stdout
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("RESOURCE_EXHAUSTED: 9 GB")])
def test_want_of_memory_names_what_to_lower(tmp_path, monkeypatch, error):
    def fail(*arguments, **keywords):
        raise error

    monkeypatch.setattr(loop, "fit", fail)
    with pytest.raises(
        ji.OutOfMemoryError, match=r"'spirit' on 40 rows of 3. Lower batch, .*width"
    ):
        ji.impute(rows(), "spirit")
    monkeypatch.setattr(plan, "try_out", fail)
    with pytest.raises(MemoryError, match="Take --preset fast, fewer rows"):
        ji.plan(rows(), "mean")
    path = tmp_path / "in.csv"
    path.write_text("a,b\n1,2\n3,\n2,5\n")
    done = call("impute", path, "--method", "spirit")
    assert done.exit_code == 5
    assert "Lower batch" in done.stderr


def test_a_limit_of_memory_is_kept_before_the_run(tmp_path):
    path, out = tmp_path / "in.csv", tmp_path / "out.csv"
    np.savetxt(path, rows(), delimiter=",", header="a,b,c", comments="")
    given = ("impute", path, "-o", out, "-m", "ice", "--set", "steps=2", "--max-memory")
    assert "expected a number and kB, MB, GB or TB" in call(*given, "12").stderr
    refused = call(*given, "0.1kB")
    assert refused.exit_code == 5
    assert "its run may take 0.0001 MB (--max-memory)" in refused.stderr
    refused = call(*given, "5kB")
    assert refused.exit_code == 5
    assert "'ice' needs about" in refused.stderr
    assert "may take 0.005 MB (--max-memory). Lower" in refused.stderr
    assert not out.exists()
    assert call(*given, "20GB").exit_code == 0
    assert out.exists()


def test_a_program_that_would_take_more_is_not_run(monkeypatch):
    ran = []
    monkeypatch.setattr(plan.jax, "block_until_ready", ran.append)
    with pytest.raises(ji.OutOfMemoryError, match=r"needs about .* MB here, and may take 1e-06 MB"):
        plan.measure(frames.read(rows()), "mean", most=1e-6)
    assert not ran
