"""How much of a correction is believed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.maths.choice import SHARES, believe

PARTS = 50


def _case(key, share, noise, n=4000):
    k_said, k_noise = jax.random.split(jax.random.key(key))
    said = jax.random.normal(k_said, (n,))
    missed = share * said + noise * jax.random.normal(k_noise, (n,))
    return missed, said, jnp.ones(n, bool), jnp.arange(n) * PARTS // n


@pytest.mark.parametrize("power", [1, 2])
@pytest.mark.parametrize("share", SHARES)
def test_the_share_that_made_the_data_is_found(share, power):
    got = believe(*_case(0, share, 0.5), PARTS, power=power)
    assert got.share == share
    assert (got.after < got.before) == (share > 0)


def test_errors_are_those_of_a_plain_loop():
    missed, said, where, part = _case(1, 0.5, 1.0, 300)
    where = where.at[::3].set(False)
    got = believe(missed, said, where, part, PARTS)
    m, s, w, p = map(np.asarray, (missed, said, where, part))
    best = {}
    for half in (0, 1):
        cells = w & (p % 2 == half)
        best[half] = min(SHARES, key=lambda share: np.abs(m - share * s)[cells].sum())
    shares = np.where(p % 2 == 0, best[1], best[0])
    gain = (np.abs(m) - np.abs(m - shares * s)) * w
    by_part = np.array([gain[p == i].sum() for i in range(PARTS)])
    count = np.array([w[p == i].sum() for i in range(PARTS)])
    mean = by_part.sum() / count.sum()
    doubt = np.sqrt(((by_part - mean * count) ** 2).sum()) / count.sum()
    assert np.allclose(got.before, np.abs(m)[w].mean(), rtol=1e-5)
    assert np.allclose(got.doubt, doubt, rtol=1e-4)
    assert np.allclose(got.after, got.before - mean if mean > 2 * doubt else got.before, rtol=1e-5)


def test_a_correction_of_noise_is_seldom_believed():
    # of 100 corrections that say nothing; entries of a part err alike
    def one(key):
        k_part, k_said = jax.random.split(key)
        part = jnp.arange(2000) * PARTS // 2000
        missed = jax.random.normal(k_part, (PARTS,))[part]
        said = 0.3 * jax.random.normal(k_said, (PARTS,))[part]
        return believe(missed, said, jnp.ones(2000, bool), part, PARTS).share

    shares = jax.vmap(one)(jax.random.split(jax.random.key(2), 100))
    assert float((shares > 0).mean()) < 0.06


def test_nothing_to_judge_by_is_nothing_believed():
    missed, said, where, part = _case(3, 1.0, 0.0)
    got = believe(missed, said, ~where, part, PARTS)
    assert got.share == 0
    assert got.before == got.after == 0
