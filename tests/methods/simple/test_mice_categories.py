"""Chained equations on categories: frequencies that are known, and everything that is awkward."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

import jaximpute as ji
from jaximpute.engine import loop
from jaximpute.methods.simple import _multinomial


def _softmax(n, levels, seed=0):
    """Inputs, and a level of each row from known probabilities."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    logits = x @ rng.normal(size=(2, levels)) * 1.5 + rng.normal(size=levels)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    level = (rng.random((n, 1)) > p.cumsum(1)).sum(1)
    return x, np.minimum(level, levels - 1), p


def _fit(x, level, levels, penalty=1.0, weight=None, present=None):
    d = x.shape[1]
    start = _multinomial.Softmax(jnp.zeros((levels, d)), jnp.zeros(levels))
    return _multinomial.fit(
        jnp.asarray(x, jnp.float32),
        jnp.asarray(np.eye(levels)[level], jnp.float32),
        jnp.ones(len(x)) if weight is None else jnp.asarray(weight, jnp.float32),
        jnp.ones(levels, bool) if present is None else jnp.asarray(present),
        start,
        jnp.float32(penalty),
    )


@pytest.mark.parametrize("levels", [2, 3, 6])
@pytest.mark.parametrize("unused", [0, 40])
def test_the_regression_equals_scikit_learns(levels, unused):
    x, level, _ = _softmax(400, levels)
    weight = np.ones(400)
    weight[:unused] = 0
    got, _ = _fit(x, level, levels, weight=weight)
    # scikit-learn has one set of slopes for two levels, whose square is half of that of both
    wanted = LogisticRegression(C=2.0 if levels == 2 else 1.0, tol=1e-8, max_iter=500)
    wanted.fit(x[unused:], level[unused:])
    p = jax.nn.softmax(
        _multinomial.logits(got, jnp.asarray(x, jnp.float32), jnp.ones(levels, bool))
    )
    np.testing.assert_allclose(p, wanted.predict_proba(x), atol=0.01)


def test_separated_levels_and_absent_ones_have_finite_slopes():
    x = np.random.default_rng(0).normal(size=(200, 3))
    level = (x[:, 0] > 0).astype(int)
    penalty, fitted = 1.0, None
    for _ in range(5):
        fitted, penalty = _fit(x, level, 4, penalty, present=[True, True, False, False])
    assert np.abs(fitted.coef).max() < 100
    np.testing.assert_allclose(fitted.coef[2:], 0, atol=1e-6)
    logits = _multinomial.logits(fitted, jnp.asarray(x, jnp.float32), jnp.arange(4) < 2)
    assert (np.argmax(logits, axis=1) == level).mean() > 0.98


def _draws(frame, n=20, **options):
    return ji.impute_many(frame, "mice", draws=n, **options)


@pytest.mark.parametrize("levels", [2, 3, 20])
def test_draws_have_the_frequencies_of_the_conditional_distribution(levels):
    x, level, p = _softmax(1500, levels)
    frame = pd.DataFrame(x, columns=["a", "b"]).assign(kind=[f"l{k:02}" for k in level])
    hidden = np.arange(1500) % 3 == 0
    frame.loc[hidden, "kind"] = np.nan
    names = [f"l{k:02}" for k in range(levels)]
    draws = np.stack([one["kind"][hidden].to_numpy() for one in _draws(frame).draws])
    share = (draws[..., None] == np.array(names)).mean(0)
    # by row, up to twenty draws and the regression; on the whole, much closer
    assert np.abs(share - p[hidden]).sum(1).mean() / 2 < 0.1 + 0.25 * (levels > 2)
    np.testing.assert_allclose(share.mean(0), p[hidden].mean(0), atol=0.04)
    sure, open_ = p[hidden].max(1) > 0.98, p[hidden].max(1) < 0.6
    if levels == 3:
        assert share.max(1)[sure].mean() > 0.93
    assert share.max(1)[open_].mean() < 0.75


def _as_kinds():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 2))
    yes = x[:, 0] + 0.3 * x[:, 1] + 0.3 * rng.normal(size=400) > 0
    frame = pd.DataFrame(x, columns=["a", "b"])
    kinds = {
        "text": np.where(yes, "yes", "no").astype(object),
        "category": pd.Categorical(np.where(yes, "yes", "no")),
        "boolean": pd.array(yes, dtype="boolean"),
        "integer": pd.array(yes.astype(int), dtype="Int64"),
        "number": yes.astype(float),
        "coded": 1.0 + yes,
    }
    return frame, np.arange(400) % 4 == 0, kinds


@pytest.mark.parametrize("name", ["ice", "mice"])
def test_a_column_of_any_kind_gets_like_answers(name):
    frame, hidden, kinds = _as_kinds()
    right = {}
    for kind, column in kinds.items():
        whole = frame.assign(c=column)
        holed = whole.copy()
        holed.loc[hidden, "c"] = None
        answer = ji.impute(holed, name)["c"][hidden]
        assert set(answer) <= set(whole["c"]), kind
        right[kind] = float((answer == whole["c"][hidden]).mean())
    assert min(right.values()) > (0.85 if name == "ice" else 0.8), right
    assert max(right.values()) - min(right.values()) < 0.1, right


def test_awkward_categories():
    """A level seen once, one that another determines, one never seen beside another, a rare one."""
    rng = np.random.default_rng(0)
    n = 300
    town = rng.choice(["Ulm", "Bonn", "Kiel", "Graz"], n, p=[0.5, 0.3, 0.19, 0.01])
    land = np.where(town == "Graz", "AT", "DE")
    once = np.where(np.arange(n) == 7, "once", rng.choice(["x", "y"], n))
    height = rng.normal(size=n) + 2 * (town == "Ulm")
    frame = pd.DataFrame({"town": town, "land": land, "once": once, "height": height})
    holed = frame.mask(rng.random(frame.shape) < 0.25)
    holed.loc[town == "Bonn", "once"] = np.nan
    holed.loc[7, "once"] = "once"
    filled = ji.impute(holed, "ice")
    seen = holed["town"].notna() & holed["land"].isna()
    assert (filled["land"] == frame["land"])[seen].mean() > 0.97
    for one in _draws(holed, 5).draws:
        assert one.notna().all().all()
        assert set(one["town"]) <= set(town)
        assert ((one["land"] == "AT") == (one["town"] == "Graz")).mean() > 0.97


def test_penguins_are_told_apart_and_draws_differ_where_they_are_not():
    """Two groups a long way apart, and two that overlap: sure cells agree, others vary."""
    rng = np.random.default_rng(3)
    n = 400
    group = rng.integers(0, 3, n)
    x = np.array([0.0, 0.7, 12.0])[group, None] + rng.normal(size=(n, 1))
    frame = pd.DataFrame({"x": x[:, 0], "group": np.array(["a", "b", "c"])[group]})
    hidden = np.arange(n) % 4 == 0
    frame.loc[hidden, "group"] = np.nan
    draws = np.stack([one["group"][hidden].to_numpy() for one in _draws(frame).draws])
    far = group[hidden] == 2
    assert (draws[:, far] == "c").mean() > 0.99
    assert ((draws[:, ~far] == "a").mean(0) > 0.05).mean() > 0.8
    assert (draws[:, ~far] != draws[:1, ~far]).any(0).mean() > 0.8


def test_copies_of_a_column_do_not_hold_each_other_at_their_start():
    rng = np.random.default_rng(3)
    a = rng.normal(size=400)
    celsius = 20 + 5 * a
    frame = pd.DataFrame(
        {
            "c": celsius,
            "f": 32 + 1.8 * celsius,
            "k": 273.15 + celsius,
            "rh": 60 - 8 * a + rng.normal(0, 4, 400),
        }
    )
    holed = frame.mask(rng.random(frame.shape) < 0.2)
    copies = ["c", "f", "k"]
    known = holed[copies].isna() & holed[copies].notna().any(axis=1).to_numpy()[:, None]
    none = holed[copies].isna().all(axis=1) & holed["rh"].notna()
    assert known.to_numpy().sum() > 200
    answers = [ji.impute(holed, "ice"), *_draws(holed, 10).draws]
    for answer in answers:
        off = (answer - frame)[copies] / frame[copies].std()
        assert np.abs(off.to_numpy()[known.to_numpy()]).max() < 0.1
    # where all are missing, the other column says what they are, up to its noise
    guess = 20 + 5 * (60 - holed["rh"][none]) / 8 * 0.8
    assert np.abs(answers[0]["c"][none] - guess).max() < 1.5
    spread = np.std([answer["c"][none] for answer in answers[1:]], axis=0)
    assert (spread > 0.5).all()


def test_blocks_of_a_wrong_length_are_refused():
    data = ji.observe(np.ones((5, 3)) * np.arange(5)[:, None])
    with pytest.raises(ji.OptionError, match="2 entries; expected one for each of 3"):
        ji.methods.mice(categories=(0, 0)).init(jax.random.key(0), data)


@pytest.mark.parametrize("method", ["mode", "median"])
def test_the_mode_of_a_category_is_its_most_frequent_level(method):
    deck = pd.Series(["A"] * 15 + ["B"] * 47 + ["C"] * 59 + ["D"] * 33 + ["E"] * 32 + [None] * 9)
    frame = pd.DataFrame({"deck": deck, "n": np.arange(195.0)})
    assert set(ji.impute(frame, method)["deck"][-9:]) == {"C"}


def _coded(padding=0):
    """Two numbers, a category of three levels and a 0/1 number, with holes and padding rows."""
    rng = np.random.default_rng(0)
    x, level, _ = _softmax(60, 3)
    matrix = np.column_stack([x, np.eye(3)[level], x[:, 0] + 0.3 * x[:, 1] > 0]).astype(float)
    shown = rng.random((60, 4)) < 0.75
    matrix[~shown[:, [0, 1, 2, 2, 2, 3]]] = np.nan
    matrix = np.concatenate([matrix, np.tile([9.0, -9.0, 0, 0, 1, 1], (padding, 1))])
    weight = np.r_[np.ones(60), np.zeros(padding)]
    return ji.observe(matrix, weight=weight), (-1, -1, 0, 0, 0, 1)


@pytest.mark.parametrize("name", ["ice", "mice"])
def test_padding_counts_nothing_and_levels_come_out_whole(name):
    # the same shape twice: what is random is drawn for as many rows
    (data, categories), (padded, _) = _coded(5), _coded(5)
    padded = padded._replace(values=padded.values.at[60:].set(3.0))
    method = getattr(ji.methods, name)(categories=categories, keep=3)
    filled = []
    for rows in (data, padded):
        state = ji.fit(method, jax.random.key(0), rows, 4, chunk=2)
        answer = method.sample or method.estimate
        filled += [
            ji.complete(method, jax.random.key(2), state, rows),
            answer(jax.random.key(1), state, rows),
        ]
    for one, other in zip(filled[:2], filled[2:], strict=True):
        np.testing.assert_array_equal(one[:60], other[:60])
    # an estimate of `mice` holds the shares of its draws
    for one in filled[1:2] if name == "mice" else filled[:2]:
        assert set(np.unique(one[:60, 2:])) == {0.0, 1.0}
        np.testing.assert_array_equal(one[:60, 2:5].sum(1), 1)
        np.testing.assert_array_equal(one[data.mask], data.values[data.mask])


def test_chunks_do_not_matter_and_chunks_trace_once():
    data, categories = _coded()
    method = ji.methods.mice(categories=categories, keep=2)
    compiled = loop._advance._cache_size()
    whole = ji.fit(method, jax.random.key(0), data, 4, chunk=2)
    assert loop._advance._cache_size() == compiled + 1
    part = ji.fit(method, jax.random.key(0), data, 2, chunk=2)
    resumed = ji.fit(method, jax.random.key(0), data, 4, chunk=2, state=part, start=2)
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(resumed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_saved_imputer_draws_the_same_levels(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 2))
    table = np.column_stack([x, (x[:, 0] > 0).astype(float)])
    table[::5, 2] = np.nan
    imputer = ji.Imputer("mice", random_state=0, options={"steps": 5, "keep": 3}).fit(table)
    imputer.save(tmp_path / "model")
    filled = imputer.transform(table)
    assert set(filled[:, 2]) == {0.0, 1.0}
    assert (filled[::5, 2] == (x[::5, 0] > 0)).mean() > 0.8
    np.testing.assert_array_equal(ji.Imputer.load(tmp_path / "model").transform(table), filled)
