"""Information between rows and mask: Proposition 1 where all is exact, and the estimates of it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import diagnostics
from jaximpute.types import Observed

LEVELS, WIDTH = 3, 2
ROWS = list(itertools.product(range(LEVELS), repeat=WIDTH))
MASKS = list(itertools.product([False, True], repeat=WIDTH))


def information(joint):
    """Mutual information of a joint table, rows by masks."""
    product = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    used = joint > 0
    return float((joint[used] * np.log(joint[used] / product[used])).sum())


def seen(row, mask):
    return tuple(v if m else None for v, m in zip(row, mask, strict=True))


def one_round(joint):
    """Proposition 2: p(x, m) becomes p(x_m, m) q(x_{1-m} | x_m), q the rows of the round before."""
    q = joint.sum(axis=1)
    after = np.zeros_like(joint)
    for c, mask in enumerate(MASKS):
        groups = {}
        for r, row in enumerate(ROWS):
            groups.setdefault(seen(row, mask), []).append(r)
        for rows in groups.values():
            given = q[rows].sum()
            if given > 0:
                after[rows, c] = joint[rows, c].sum() * q[rows] / given
    return after


def first_imputation(truth, masks, how):
    """The joint of rows and masks where hidden entries are 0, or uniform."""
    joint = np.zeros((len(ROWS), len(MASKS)))
    for r, row in enumerate(ROWS):
        for c, mask in enumerate(MASKS):
            places = [
                s for s, other in enumerate(ROWS)
                if seen(other, mask) == seen(row, mask)
                and (how == "uniform" or all(m or v == 0 for v, m in zip(other, mask, strict=True)))
            ]  # fmt: skip
            joint[places, c] += truth[r] * masks[c] / len(places)
    return joint


@pytest.mark.fast
@pytest.mark.parametrize("how", ["constant", "uniform"])
def test_proposition_1_information_never_rises(how):
    """Exact conditionals on a finite space, from guesses that give the mask away."""
    for seed in range(5):
        random = np.random.default_rng(seed)
        truth, masks = random.dirichlet(np.ones(len(ROWS))), random.dirichlet(np.ones(len(MASKS)))
        joint = first_imputation(truth, masks, how)
        found = [information(joint)]
        for _ in range(40):
            joint = one_round(joint)
            found.append(information(joint))
        assert found[0] > 0.02
        assert (np.diff(found) <= 1e-12).all()
        assert found[-1] < 0.2 * found[0]


def gaussian(key, n=600, d=3, shift=0.0):
    """Independent rows and masks; a shift of the hidden entries makes them dependent."""
    k_x, k_m = jax.random.split(key)
    x = jax.random.normal(k_x, (n, d))
    mask = jax.random.uniform(k_m, x.shape) < 0.6
    return jnp.where(mask, x, x + shift), mask


def test_dependence_equals_its_definition_and_tells_dependence():
    x, mask = gaussian(jax.random.key(0), n=40)
    n = len(x)
    centre = np.eye(n) - 1 / n

    def gram(rows):
        rows = np.asarray(rows, float)
        squared = ((rows[:, None] - rows[None]) ** 2).sum(axis=-1)
        return centre @ np.exp(-squared / rows.shape[1]) @ centre

    k, m = gram(x), gram(mask)
    expected = np.trace(k @ m) / np.sqrt(np.trace(k @ k) * np.trace(m @ m))
    np.testing.assert_allclose(diagnostics.dependence(x, mask), expected, rtol=1e-4)
    found = [
        float(diagnostics.dependence(*gaussian(jax.random.key(1), shift=s)))
        for s in (0.0, 1.0, 3.0)
    ]
    assert 3 * found[0] < found[1] < found[2] <= 1
    assert diagnostics.dependence(x, jnp.ones_like(mask)) == 0


@pytest.mark.parametrize("how", ["mine", "classifier"])
def test_estimates_find_what_is_there_and_nothing_else(how):
    def estimate(shift):
        k_data, k_run = jax.random.split(jax.random.key(3))
        x, mask = gaussian(k_data, n=1500, d=1, shift=shift)
        if how == "mine":
            return float(diagnostics.mine(k_run, x, mask, width=32, epochs=60, lr=0.02))
        return float(diagnostics.classifier_information(k_run, x, mask).information)

    # the mask is a fair coin of 0.6, and a shift of 3 gives it away but for the tails
    grid = np.linspace(-8, 11, 4001)
    a, b = (np.exp(-((grid - s) ** 2) / 2) / np.sqrt(2 * np.pi) for s in (0.0, 3.0))
    both = 0.6 * a + 0.4 * b
    exact = np.trapezoid(0.6 * a * np.log(a / both) + 0.4 * b * np.log(b / both), grid)
    assert -0.1 < estimate(0.0) < 0.05
    found = estimate(3.0)
    assert found < exact + 0.1
    assert found > (0.75 if how == "mine" else 0.4) * exact


def test_a_look_leaves_padding_out():
    x, mask = gaussian(jax.random.key(0), n=50)
    weight = jnp.ones(50).at[40:].set(0.0)
    data = Observed(jnp.where(mask, x, 0), mask, weight)
    found = diagnostics.look(jax.random.key(1), x + 1, x, data)
    spoilt = diagnostics.look(jax.random.key(1), x + 1, x.at[40:].set(50.0), data)
    assert found["dependence"] < 1
    assert found["mmd"] > 0
    np.testing.assert_allclose(found["mmd"], spoilt["mmd"])
