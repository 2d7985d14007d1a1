"""Information between rows and mask: Proposition 1 where all is exact, and the estimates of it."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.methods import miri
from jaximpute.methods.papers.miri import dependence
from jaximpute.types import Net, Observed

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
def test_exact_conditionals_never_add_information(how):
    """The proposition itself, which the test below holds MIRI's rounds to."""
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


def counted(x, mask):
    """The joint table of completed rows, all at points of the finite space, and their masks."""
    levels, pattern = np.rint(np.asarray(x)).astype(int), np.asarray(mask).astype(int)
    joint = np.zeros((len(ROWS), len(MASKS)))
    np.add.at(joint, (levels @ [LEVELS, 1], pattern @ [2, 1]), 1 / len(levels))
    return joint


def best_velocity(q, known):
    """The minimiser of (6) in closed form, for targets with probabilities `q` on the space.

    From guesses N(mean, std) the state at time t is Gaussian about each target that agrees with
    the observed entries, and the best velocity leads to their posterior mean.
    """
    places = jnp.asarray(ROWS, jnp.float32)

    def apply(params, z, t, cond, key=None):
        other, seen = cond
        t = t.reshape(-1, 1, 1)
        agrees = ((places[None] == other[:, None]) | (seen[:, None] == 0)).all(axis=2)
        middle = t * places[None] + (1 - t) * known.mean[None, None]
        far = ((z[:, None] - middle) / ((1 - t) * known.std[None, None])) ** 2
        fit = jnp.log(q)[None] - (far * (1 - seen[:, None])).sum(axis=2) / 2
        share = jax.nn.softmax(jnp.where(agrees, fit, -jnp.inf), axis=1)
        return (share @ places - z) / (1 - t[:, 0])

    return Net(lambda key, x, t, cond: {"unused": jnp.zeros(1)}, apply)


@pytest.mark.parametrize("how", ["constant", "uniform"])
def test_proposition_1_holds_for_the_rounds_of_miri(how):
    """MIRI's own rounds, with the velocity that its loss asks for, on a space that is finite.

    Each brings the joint table of rows and masks to where Proposition 2 says, and information
    falls as it does there.
    """
    random, n = np.random.default_rng(2), 6000
    truth = random.dirichlet(np.ones(len(ROWS)))
    x = np.asarray(ROWS, np.float32)[random.choice(len(ROWS), n, p=truth)]
    mask = random.random(x.shape) < [0.5, 0.7]
    first = random.integers(0, LEVELS, x.shape) if how == "uniform" else 0
    data = Observed(jnp.where(mask, x, 0), jnp.asarray(mask), jnp.ones(n))
    state = miri(best_velocity(None, None)).init(jax.random.key(0), data)
    state = state._replace(x=jnp.asarray(np.where(mask, x, first), jnp.float32))
    joint = counted(state.x, mask)
    found = [information(joint)]
    began = float(dependence.dependence(state.x[:500], data.mask[:500]))
    for t in range(5):
        net = best_velocity(jnp.asarray(joint.sum(axis=1), jnp.float32), state.known)
        method = miri(net, sgd_steps=1, batch=8, solver="euler", ode_steps=40)
        state, info = jax.jit(method.step)(jax.random.key(t), state, data)
        np.testing.assert_allclose(state.x, np.rint(state.x), atol=1e-3)
        np.testing.assert_array_equal(state.x[mask], x[mask])
        expected, joint = one_round(joint), counted(state.x, mask)
        np.testing.assert_allclose(joint, expected, atol=0.012)
        np.testing.assert_allclose(information(joint), information(expected), 0.15, 0.004)
        found.append(information(joint))
    # six thousand rows show a little information where there is none
    assert found[0] > 0.05
    assert (np.diff(found) < 0.003).all()
    assert found[-1] < 0.1 * found[0]
    assert info.metrics["dependence"] < 0.7 * began


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
    np.testing.assert_allclose(dependence.dependence(x, mask), expected, rtol=1e-4)
    found = [
        float(dependence.dependence(*gaussian(jax.random.key(1), shift=s))) for s in (0.0, 1.0, 3.0)
    ]
    assert 3 * found[0] < found[1] < found[2] <= 1
    assert dependence.dependence(x, jnp.ones_like(mask)) == 0


@pytest.mark.parametrize("how", ["mine", "classifier"])
def test_estimates_find_what_is_there_and_nothing_else(how):
    def estimate(shift):
        k_data, k_run = jax.random.split(jax.random.key(3))
        x, mask = gaussian(k_data, n=1500, d=1, shift=shift)
        if how == "mine":
            return float(dependence.mine(k_run, x, mask, width=32, epochs=60, lr=0.02))
        return float(dependence.classifier_information(k_run, x, mask).information)

    # the mask is a fair coin of 0.6, and a shift of 3 gives it away but for the tails
    grid = np.linspace(-8, 11, 4001)
    a, b = (np.exp(-((grid - s) ** 2) / 2) / np.sqrt(2 * np.pi) for s in (0.0, 3.0))
    both = 0.6 * a + 0.4 * b
    exact = np.trapezoid(0.6 * a * np.log(a / both) + 0.4 * b * np.log(b / both), grid)
    assert 0 <= estimate(0.0) < 0.05
    found = estimate(3.0)
    assert found < exact + 0.1
    assert found > (0.75 if how == "mine" else 0.4) * exact


@pytest.mark.parametrize("how", [dependence.mine, dependence.classifier_information])
def test_information_of_few_independent_rows_is_not_negative(how):
    """Overfitting brings held-out bounds far below 0, which is a bound itself."""
    for seed in range(3):
        k_data, k_run = jax.random.split(jax.random.key(seed))
        few = {"width": 16} if how is dependence.mine else {}
        found = how(k_run, *gaussian(k_data, n=60), **few)
        value = found if how is dependence.mine else found.information
        assert 0 <= value < 0.2


def test_a_look_leaves_padding_out():
    x, mask = gaussian(jax.random.key(0), n=50)
    weight = jnp.ones(50).at[40:].set(0.0)
    data = Observed(jnp.where(mask, x, 0), mask, weight)
    found = dependence.look(jax.random.key(1), x + 1, x, data)
    spoilt = dependence.look(jax.random.key(1), x + 1, x.at[40:].set(50.0), data)
    assert found["dependence"] < 1
    assert found["mmd"] > 0
    np.testing.assert_allclose(found["mmd"], spoilt["mmd"])
