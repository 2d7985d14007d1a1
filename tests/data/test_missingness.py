"""Patterns, flux and Little's test against closed forms and slow plain twins."""

import numpy as np
import pytest
from scipy import stats

import jaximpute as ji
from jaximpute.data.missingness import flux, little, patterns, together

RNG = np.random.default_rng(0)


@pytest.mark.fast
def test_patterns_are_counted_the_most_frequent_first():
    mask = RNG.random((300, 4)) < 0.6
    found = patterns(mask)
    assert found.rows.sum() == 300
    assert (np.diff(found.rows) <= 0).all()
    np.testing.assert_array_equal(found.mask[found.of], mask)
    assert len(np.unique(found.mask, axis=0)) == len(found.mask)


@pytest.mark.fast
def test_together_and_flux_are_their_sums():
    mask = RNG.random((50, 4)) < 0.6
    mask[:, 3] = True
    pairs, (influx, outflux) = together(mask), flux(mask)
    for j in range(4):
        lacks = ~mask[:, j]
        into = out = 0
        for k in range(4):
            for i in range(50):
                into += (not mask[i, j]) and mask[i, k]
                out += mask[i, j] and not mask[i, k]
            if lacks.any():
                np.testing.assert_allclose(pairs[j, k], (~mask[lacks, k]).mean())
        np.testing.assert_allclose(influx[j], into / mask.sum())
        np.testing.assert_allclose(outflux[j], out / (~mask).sum())
    assert np.isnan(pairs[3]).all()
    assert (influx[3], outflux[3]) == (0, 1)
    assert not flux(np.ones((3, 2), bool)).any()


@pytest.mark.fast
def test_of_two_columns_it_compares_the_means_of_the_first():
    x = RNG.normal(size=(120, 2)) @ np.array([[1, 0.5], [0, 1]]) * [3, 0.1] + [100, 5]
    x[:40, 1] = np.nan
    first, n = x[:, 0], 120
    apart = (first[:40].mean() - first[40:].mean()) ** 2
    found = little(x)
    np.testing.assert_allclose(found.statistic, 40 * 80 / n * apart / first.var(), rtol=1e-5)
    assert (found.df, found.patterns, found.settled) == (1, 2, True)
    np.testing.assert_allclose(found.p_value, stats.chi2.sf(found.statistic, 1))


def plain(x):
    """The same by loops over rows."""
    n, d = x.shape
    mean, cov = np.nanmean(x, axis=0), np.diag(np.nanvar(x, axis=0))
    for _ in range(400):
        whole, extra = [], np.zeros((d, d))
        for row in x:
            o, m = np.flatnonzero(~np.isnan(row)), np.flatnonzero(np.isnan(row))
            slope = cov[np.ix_(m, o)] @ np.linalg.inv(cov[np.ix_(o, o)])
            filled = row.copy()
            filled[m] = mean[m] + slope @ (row[o] - mean[o])
            extra[np.ix_(m, m)] += cov[np.ix_(m, m)] - slope @ cov[np.ix_(o, m)]
            whole.append(filled)
        mean = np.mean(whole, axis=0)
        cov = ((whole - mean).T @ (whole - mean) + extra) / n
    total, kinds = 0.0, {}
    for row in x:
        kinds.setdefault(tuple(~np.isnan(row)), []).append(row)
    for seen, rows in kinds.items():
        o = np.flatnonzero(seen)
        off = np.mean(rows, axis=0)[o] - mean[o]
        total += len(rows) * off @ np.linalg.inv(cov[np.ix_(o, o)]) @ off
    return total, sum(sum(seen) for seen in kinds) - d


def test_it_is_what_loops_over_rows_give():
    x = RNG.normal(size=(60, 3)) @ RNG.normal(size=(3, 3)) * [1, 10, 0.1]
    mask = RNG.random(x.shape) < 0.75
    mask[~mask.any(axis=1), 0] = True
    x[~mask] = np.nan
    statistic, df = plain(x)
    found = little(x)
    np.testing.assert_allclose(found.statistic, statistic, rtol=1e-4)
    assert found.df == df


def test_it_finds_what_depends_on_values_and_not_what_is_by_chance():
    chance, dependent = [], []
    for _ in range(60):
        x = RNG.normal(size=(300, 3)) @ np.array([[1, 0.6, 0], [0, 1, 0.4], [0, 0, 1.0]])
        one, other = x.copy(), x.copy()
        one[RNG.random(300) < 0.3, 1] = one[RNG.random(300) < 0.2, 2] = np.nan
        other[RNG.random(300) < 1 / (1 + np.exp(1 - x[:, 0])), 1] = np.nan
        chance.append(little(one).p_value)
        dependent.append(little(other).p_value)
    assert np.mean(np.array(chance) < 0.05) < 0.13
    assert abs(np.mean(chance) - 0.5) < 0.12
    assert np.mean(np.array(dependent) < 0.05) > 0.9


@pytest.mark.fast
def test_what_cannot_be_tested_is_named():
    x = RNG.normal(size=(20, 2))
    with pytest.raises(ji.DataError, match="all rows lack the same cells"):
        little(x)
    holed = x.copy()
    holed[:5, 1] = np.nan
    for column, message in ((np.nan, "never observed"), (1.0, "constant")):
        with pytest.raises(ji.DataError, match=message):
            little(np.column_stack([holed, np.full(20, column)]))
