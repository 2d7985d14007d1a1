"""Chains of `mice`: R-hat against a plain twin, and chains that mix and that do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
import scipy.stats

import jaximpute as ji
from jaximpute import DataError, OptionError
from jaximpute.metrics import r_hat
from jaximpute.plots.chains import plot_chains


def twin(chains):
    """One quantity, by loops over chains."""
    n = chains.shape[1] // 2
    halves = [part for chain in chains for part in (chain[:n], chain[-n:])]
    found = []
    for x in (np.array(halves), np.abs(np.array(halves) - np.median(halves))):
        z = scipy.stats.norm.ppf((scipy.stats.rankdata(x) - 0.375) / (x.size + 0.25))
        z = z.reshape(x.shape)
        within = np.mean([np.var(half, ddof=1) for half in z])
        between = n * np.var([half.mean() for half in z], ddof=1)
        found.append(np.sqrt(((n - 1) / n * within + between / n) / within))
    return max(found)


@pytest.mark.parametrize("n", [8, 11])
def test_r_hat_is_what_loops_give(n):
    x = np.random.default_rng(0).normal(size=(3, n, 2)) * [1.0, 1e4]
    x[1, :, 0] += 2
    found = np.asarray(r_hat(jnp.asarray(x)))
    np.testing.assert_allclose(found, [twin(x[..., i]) for i in range(2)], rtol=1e-4)


@pytest.mark.fast
def test_r_hat_sees_levels_trends_and_widths():
    x = jax.random.normal(jax.random.key(0), (4, 100))
    assert r_hat(x) < 1.03
    assert r_hat(x + jnp.arange(4.0)[:, None]) > 1.5
    assert r_hat(x + jnp.linspace(0, 4, 100)[None]) > 1.3
    assert r_hat(x * jnp.array([[1.0], [1.0], [1.0], [6.0]])) > 1.1
    assert np.isnan(r_hat(jnp.ones((2, 8))))
    with pytest.raises(OptionError, match="of 3 values"):
        r_hat(x[:, :3])


def table(noise):
    rng = np.random.default_rng(1)
    x = rng.normal(size=300)
    frame = pd.DataFrame({"a": 50 + 10 * x, "b": 50 + 10 * x + noise * rng.normal(size=300)})
    frame["sex"] = np.where(x + rng.normal(size=300) > 0, "f", "m")
    frame.loc[rng.random(300) < 0.3, "b"] = np.nan
    frame.loc[rng.random(300) < 0.2, "sex"] = None
    return frame


def test_chains_that_mix_are_told_from_chains_that_do_not():
    frame = table(5.0)
    found = ji.chains(frame, sweeps=30)
    assert found.columns == ("b", "sex = f", "sex = m")
    assert found.mean.shape == found.sd.shape == (4, 30, 3)
    # in the units of the columns
    completed = ji.impute_many(frame, "mice", draws=5)
    lacks = frame["b"].isna()
    means = [one.loc[lacks, "b"].mean() for one in completed]
    assert abs(found.mean[..., 0].mean() - np.mean(means)) < 1.5
    shares = found.mean[..., 1:].sum(axis=-1)
    np.testing.assert_allclose(shares, 1, atol=1e-4)
    assert (found.r_hat < 1.2).all(axis=None)
    # two copies that lack the same half of their cells hold each other where they are
    stuck = pd.DataFrame({"a": frame["a"], "b": frame["a"] + 1e-3 * frame["b"].fillna(0)})
    stuck.loc[:200] = np.nan
    stuck["c"] = np.random.default_rng(2).normal(size=300)
    assert (ji.chains(stuck, sweeps=30).r_hat["mean"] > 1.2).any()


def test_the_picture_has_a_line_for_each_chain():
    found = ji.chains(table(5.0)[["a", "b"]], count=3, sweeps=8)
    axes = plot_chains(found).axes
    assert [len(one.lines) for one in axes] == [3, 3]
    assert "R-hat" in axes[0].get_title(loc="left")


def test_what_has_no_chains_is_refused():
    whole = table(1.0).dropna()
    with pytest.raises(DataError, match="nothing to follow"):
        ji.chains(whole)
    with pytest.raises(DataError, match="is a series"):
        ji.chains(np.ones((2, 5, 2)))
    with pytest.raises(OptionError, match="at least 2 chains"):
        ji.chains(table(1.0), count=1)
    with pytest.raises(OptionError, match="stepss"):
        ji.chains(table(1.0), options={"stepss": 3})
