"""Rubin's rules against their formulas, known limits, and the truth of many small surveys."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import jaximpute as ji
from jaximpute.tasks.multiple import Multiple
from jaximpute.tasks.pooling import joint, pool

RNG = np.random.default_rng(0)


def test_the_rules_are_those_of_the_book():
    q, u = np.array([1.0, 1.4, 0.9, 1.1]), np.array([0.04, 0.05, 0.04, 0.03])
    pooled = pool(q, u, dfcom=40.0)
    between = q.var(ddof=1)
    total = 0.04 + 1.25 * between
    lost = 1.25 * between / total
    old = 3 / lost**2
    seen = 41 / 43 * 40 * (1 - lost)
    df = old * seen / (old + seen)
    np.testing.assert_allclose(pooled.estimate, 1.1)
    np.testing.assert_allclose(pooled.error, total**0.5)
    np.testing.assert_allclose(pooled.df, df)
    ratio = 1.25 * between / 0.04
    np.testing.assert_allclose(pooled.fmi, (ratio + 2 / (df + 3)) / (1 + ratio))
    np.testing.assert_allclose(pooled.high - 1.1, stats.t.ppf(0.975, df) * total**0.5)
    np.testing.assert_allclose(pooled.p_value, 2 * stats.t.sf(1.1 / total**0.5, df))
    np.testing.assert_array_equal(pooled.enough, np.ceil(1 + 0.5 * (pooled.fmi / 0.05) ** 2))
    np.testing.assert_allclose(pool(q, u).df, old)
    table = pool(np.stack([q, q], 1), np.stack([u, u], 1), names=["a", "b"]).to_frame()
    assert list(table.index) == ["a", "b"]
    assert (table.loc["a"] == table.loc["b"]).all()


def test_where_nothing_is_missing_it_is_the_analysis_itself():
    pooled = pool([[2.0, 3.0]] * 5, [np.diag([0.25, 1.0])] * 5, dfcom=20.0)
    np.testing.assert_allclose(pooled.error, [0.5, 1.0])
    np.testing.assert_allclose(pooled.df, 21 / 23 * 20)
    np.testing.assert_array_equal(pooled.fmi, 0)
    np.testing.assert_array_equal(pooled.enough, 1)


def test_the_joint_test_of_one_parameter_is_about_its_own():
    q, u = RNG.normal(1.0, 0.3, (30, 1)), np.full((30, 1), 0.2)
    for dfcom in (None, 500.0):
        pooled = pool(q, u, dfcom=dfcom)
        found = joint(pooled)
        np.testing.assert_allclose(found.statistic, (pooled.estimate / pooled.error) ** 2)
        np.testing.assert_allclose(found.p_value, pooled.p_value, atol=0.01)


def test_small_samples_have_the_degrees_of_freedom_of_large_ones_in_the_limit():
    q = RNG.normal(size=(10, 3)) * 0.3 + [1.0, 0.0, 0.0]
    u = np.tile(np.eye(3) * 0.2, (10, 1, 1))
    large, huge, small = (joint(pool(q, u, dfcom=df)) for df in (None, 1e7, 30.0))
    np.testing.assert_allclose(huge.df, large.df, rtol=1e-3)
    assert small.df[1] < large.df[1]
    assert joint(pool(q, u), q.mean(axis=0)).statistic == pytest.approx(0, abs=1e-9)


def test_intervals_cover_the_mean_of_a_survey():
    """Half of a column is missing; its mean is estimated from proper draws."""
    covered = 0
    for _ in range(400):
        seen = RNG.normal(5.0, 2.0, 40)
        draws = []
        for _ in range(20):
            spread = np.sqrt(seen.var(ddof=1) * 39 / RNG.chisquare(39))
            mean = RNG.normal(seen.mean(), spread / 40**0.5)
            draws.append(np.concatenate([seen, RNG.normal(mean, spread, 40)]))
        pooled = pool([d.mean() for d in draws], [d.var(ddof=1) / 80 for d in draws], dfcom=79.0)
        covered += bool(pooled.low[0] <= 5.0 <= pooled.high[0])
    assert 0.92 <= covered / 400 <= 0.98


class Model:
    """What statsmodels returns, in as far as it is used."""

    df_resid = 57.0

    def __init__(self, frame):
        self.params = pd.Series({"level": frame["a"].mean(), "slope": frame["b"].mean()})

    def cov_params(self):
        return pd.DataFrame(np.eye(2) * 0.1)


def many(m=3):
    draws = [pd.DataFrame(RNG.normal(size=(6, 2)), columns=["a", "b"]) for _ in range(m)]
    return Multiple(draws, draws[0], draws[0], draws[0], {})


def test_a_model_brings_names_and_degrees_of_freedom():
    pooled = many().analyse(Model)
    assert pooled.names == ("level", "slope")
    assert pooled.dfcom == 57
    assert many().analyse(Model, dfcom=9.0).dfcom == 9


@pytest.mark.parametrize(
    ("fit", "words"),
    [
        (lambda frame: frame["a"].mean(), "completion 0 failed: it returned a float"),
        (lambda frame: frame["c"], "completion 0 failed: 'c'"),
        (lambda frame: ([np.nan], [1.0]), "completion 0 is not finite"),
        (lambda frame: ([1.0], [-1.0]), "variance of completion 0 is negative"),
        (lambda frame: ([1.0], [[1.0, 2.0]]), "expected the same, or"),
        (lambda frame: (np.ones(1 + (frame["a"][0] > 0)), np.ones(1 + (frame["a"][0] > 0))), "."),
    ],
)
def test_analyses_that_cannot_be_pooled_are_named(fit, words):
    with pytest.raises(ji.DataError, match=words):
        many(8).analyse(fit)


def test_too_few_completions_and_wrong_numbers_are_named():
    with pytest.raises(ji.OptionError, match="2 or more"):
        many(1).analyse(Model)
    with pytest.raises(ji.OptionError, match="there are 1 estimates"):
        pool([1.0], [1.0])
    for wrong in ({"level": 1.0}, {"dfcom": 0.0}, {"precision": 0.0}):
        with pytest.raises(ji.OptionError, match="expected a share"):
            pool([1.0, 2.0], [1.0, 1.0], **wrong)
    with pytest.raises(ji.DataError, match="no inverse"):
        joint(pool([[1.0, 2.0], [1.0, 2.1]], [np.zeros((2, 2))] * 2))
