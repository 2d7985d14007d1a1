"""Methods that were not written here: passed as objects, and found by their entry point."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import registry
from jaximpute.masking import clamp

X = np.array([[1.0, 4.0], [3.0, np.nan], [np.nan, 8.0], [2.0, 6.0]])


def shifted(*, by: float = 0.5) -> ji.Method:
    """Each column's mean and a bit; it draws, too, and counts its steps."""

    def init(key, data):
        total = jnp.where(data.mask, data.values, 0).sum(0)
        return {"mean": total / data.mask.sum(0), "steps": jnp.zeros(())}

    def step(key, state, data):
        return {**state, "steps": state["steps"] + 1}, ji.Info(jnp.zeros(()), {})

    def estimate(key, state, data):
        guess = state["mean"] + by + state["steps"]
        return clamp(jnp.broadcast_to(guess, data.values.shape), data)

    def sample(key, state, data):
        noise = jax.random.normal(key, data.values.shape)
        return clamp(estimate(key, state, data) + 0.1 * noise, data)

    return ji.Method(init, step, estimate=estimate, sample=sample)


def fitted_to(data, *, kind: str, by: float = 0.25, steps: int = 0) -> registry.Plan:
    """A recipe: it sees the data it will run on."""
    assert data.values.ndim == 2
    return registry.Plan(shifted(by=by), steps)


ENTRY = registry.Entry("a shifted mean", ("table",), shifted, fitted_to, draws=True)


def test_a_method_is_taken_as_it_is():
    mine = shifted(by=0.0)
    filled = ji.impute(X, mine)
    np.testing.assert_allclose(filled, [[1, 4], [3, 6], [2, 8], [2, 6]], atol=1e-6)
    moved = (ji.impute(X, mine, steps=2) - filled)[np.isnan(X)]
    np.testing.assert_allclose(moved, 2 * np.nanstd(X, axis=0)[::-1], rtol=1e-5)
    np.testing.assert_array_equal(ji.impute(X, registry.Plan(mine)), filled)
    draws = ji.impute_many(X, mine, draws=3).draws
    assert len({float(draw[1, 1]) for draw in draws}) == 3


def test_a_recipe_has_options_of_its_own():
    one, more = (ji.impute(X, ENTRY, **options) for options in ({}, {"by": 0.5}))
    np.testing.assert_allclose((more - one)[1, 1], 0.25 * np.nanstd(X[:, 1]), rtol=1e-5)
    report = ji.impute_with_report(X, ENTRY).report
    assert report["method"] == "fitted_to"
    with pytest.raises(ji.OptionError, match="no option 'width'"):
        ji.impute(X, ENTRY, width=3)
    with pytest.raises(ji.OptionError, match="takes table data"):
        ji.impute(X, ENTRY, time=[0, 1, 2, 3])


def test_it_is_evaluated_beside_others():
    x = np.random.default_rng(0).normal(size=(60, 2))
    scores = ji.evaluate(
        x, {"mine": shifted(by=3.0), "same": (ENTRY, {"by": 3.0}), "mean": "mean"}, repeats=1,
        verbose=False,
    )  # fmt: skip
    found = scores[scores["metric"] == "rmse_std"].set_index(["method", "column"])["mean"]
    assert found["mean", "(overall)"] < found["mine", "(overall)"]
    np.testing.assert_allclose(found["same", "(overall)"], found["mine", "(overall)"], rtol=1e-5)


def test_an_imputer_takes_it_and_says_that_it_cannot_be_saved(tmp_path):
    imputer = ji.Imputer(shifted(by=0.0)).fit(X)
    np.testing.assert_allclose(imputer.transform(X)[1, 1], 6.0, atol=1e-6)
    assert imputer.sample(X, 2).shape == (2, 4, 2)
    with pytest.raises(ji.OptionError, match=r"entry point of the group jaximpute\.methods"):
        imputer.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [3, None, np.mean, ("mean", {})])
def test_what_is_no_method_is_named(wrong):
    with pytest.raises(ji.OptionError, match="expected a name such as 'mean'"):
        ji.impute(X, wrong)
    with pytest.raises(ji.OptionError, match="expected at least one"):
        ji.impute(X, shifted()._replace(estimate=None, sample=None))


@pytest.fixture
def installed(monkeypatch):
    """What the metadata of another package would say."""

    def install(value):
        point = EntryPoint("theirs", value, "jaximpute.methods")
        monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [point])
        registry._installed.cache_clear()

    yield install
    registry._installed.cache_clear()


def test_an_installed_method_is_one_by_name(installed, tmp_path):
    installed(f"{__name__}:ENTRY")
    assert "theirs" in registry.names("table")
    assert "theirs" not in registry.names("image")
    np.testing.assert_array_equal(ji.impute(X, "theirs"), ji.impute(X, ENTRY))
    assert set(registry.options("theirs")) == {"by", "steps"}
    imputer = ji.Imputer("theirs").fit(X)
    imputer.save(tmp_path / "model")
    again = ji.Imputer.load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X), imputer.transform(X))


def test_an_entry_point_that_is_none_is_named(installed):
    installed(f"{__name__}:shifted")
    with pytest.raises(ji.OptionError, match=r"theirs = .*expected a jaximpute.registry.Entry"):
        registry.names()
    assert __name__ in sys.modules


def test_the_page_about_it_runs():
    page = (Path(__file__).parents[2] / "docs" / "own.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 5
    names: dict = {}
    exec(compile("\n".join(blocks), "own.md", "exec"), names)
    hidden = np.isnan(names["x"])
    assert np.isfinite(names["filled"]).all()
    drawn, donors = names["many"].draws[0][hidden], names["x"][~hidden]
    assert np.abs(drawn[:, None] - donors).min(axis=1).max() < 1e-6
