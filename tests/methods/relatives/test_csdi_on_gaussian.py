"""CSDI on a joint Gaussian: its start draws from the exact conditional, and it learns the rest."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import metrics, registry
from jaximpute.engine.draws import draw_many
from jaximpute.engine.loop import fit
from jaximpute.maths import precisions
from jaximpute.maths.choice import prefer
from jaximpute.methods import _base, _residual
from jaximpute.methods.simple._marginals import Marginals
from jaximpute.methods.simple._windowed import Windowed
from jaximpute.types import Net, Observed


def built(data, kind="series", **options):
    given = {"steps": 0, "width": 32, "layers": 1} | options
    name = "csdi" if kind == "series" else "tabcsdi"
    return registry.build(name, data, kind=kind, options=given)


def still() -> Net:
    """A network that answers 0."""
    return Net(lambda key, x, t, cond: {}, lambda params, x, t, cond, key=None: jnp.zeros_like(x))


def test_frames_are_the_conditional_moments():
    a = jax.random.normal(jax.random.key(0), (6, 6))
    cov, mean = a @ a.T + jnp.eye(6), jnp.arange(6.0)
    mask = jnp.array([[True, False, False, True, False, True], [False] * 6, [True] * 6])
    x = jax.random.normal(jax.random.key(1), (3, 6))
    noise = jax.random.normal(jax.random.key(2), (3, 5, 6))
    found, deviation, drawn = precisions.frames_from_precision(
        x, mask, noise, mean, jnp.linalg.inv(cov)
    )
    own = np.asarray(mask[0])
    seen, cross = cov[np.ix_(own, own)], cov[np.ix_(~own, own)]
    left = cov[np.ix_(~own, ~own)] - cross @ jnp.linalg.solve(seen, cross.T)
    expected = mean[~own] + cross @ jnp.linalg.solve(seen, x[0, own] - mean[own])
    np.testing.assert_allclose(found[0, ~own], expected, atol=2e-4)
    np.testing.assert_allclose(deviation[0, ~own] ** 2, jnp.diag(left), rtol=1e-3)
    np.testing.assert_allclose(deviation[1] ** 2, jnp.diag(cov), rtol=1e-3)
    np.testing.assert_array_equal(found[2], x[2])
    np.testing.assert_array_equal(drawn[2], 0 * noise[2])
    np.testing.assert_array_equal(drawn[0][:, own], 0)


def test_where_the_network_answers_0_draws_are_the_exact_conditional():
    """Mean and covariance of what is missing, in closed form, through the solver too."""
    d, n, own = 5, 6000, np.array([True, False, False, True, False])
    cov = 0.8 ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))
    mean = np.linspace(-0.2, 0.2, d)
    line = jnp.linspace(-3.0, 3.0, 5)[None]
    precision = jnp.asarray(np.linalg.inv(cov), jnp.float32)
    model = Windowed(
        Marginals(line, line), jnp.asarray(mean, jnp.float32), precision, jnp.zeros(())
    )
    base = _base.Base(jnp.zeros(1), jnp.ones(1), model)
    context = jnp.broadcast_to(jnp.asarray(own)[None, :, None], (n, d, 1))
    z = jnp.where(context, jnp.asarray([1.0, 0, 0, -0.5, 0])[None, :, None], 0)
    frame, noise = _base.framed(jax.random.key(1), base, z, context, jnp.zeros((n, d)))
    r = _residual.follow(still(), {}, frame, noise[:, 0], jnp.ones(()), 3)
    drawn = np.asarray(frame.mean + frame.scale * r)[..., 0]
    gain = cov[np.ix_(~own, own)] @ np.linalg.inv(cov[np.ix_(own, own)])
    left = cov[np.ix_(~own, ~own)] - gain @ cov[np.ix_(own, ~own)]
    expected = mean[~own] + gain @ (np.array([1.0, -0.5]) - mean[own])
    np.testing.assert_allclose(drawn[:, ~own].mean(0), expected, atol=0.04)
    np.testing.assert_allclose(np.cov(drawn[:, ~own].T), left, atol=0.04)
    np.testing.assert_allclose(drawn[:, own], np.tile([1.0, -0.5], (n, 1)), rtol=1e-5)


def bent(n, key):
    """A value and its square: uncorrelated, so a Gaussian knows nothing of one from the other."""
    x = jax.random.normal(key, (n, 1))
    noise = 0.1 * jax.random.normal(jax.random.key(9), (n, 1))
    x = jnp.concatenate([x, (x**2 - 1) / 2**0.5 + noise], axis=1)
    mask = jnp.full(x.shape, True).at[: n // 3, 1].set(False)
    return x, Observed(jnp.where(mask, x, 0), mask, jnp.ones(n))


def test_it_learns_what_the_gaussian_misses_and_no_steps_are_the_gaussian():
    x, data = bent(900, jax.random.key(0))
    options = {"sgd_steps": 300, "width": 64, "layers": 2, "batch": 128, "lr": 3e-3}
    learned = built(data, "table", steps=4, **options)
    state = fit(learned.method, jax.random.key(1), data, 4)
    assert float(state.choice.share) == 1.0
    assert float(state.choice.after) < 0.7 * float(state.choice.before)

    def crps(state):
        drawn = draw_many(learned.method, jax.random.key(2), state, data, 40)
        np.testing.assert_array_equal(drawn[:, data.mask], jnp.stack([x[data.mask]] * 40))
        return float(metrics.crps_from_draws(x, drawn, ~data.mask))

    start = fit(learned.method, jax.random.key(1), data, 0)
    assert float(start.choice.share) == 0.0
    assert crps(state) < 0.6 * crps(start)


def test_a_network_that_is_worse_is_not_used():
    """Trained at a rate that breaks it, draws are the base's."""
    _, data = bent(300, jax.random.key(0))
    broken = built(data, "table", steps=1, sgd_steps=5, lr=5.0)
    state = fit(broken.method, jax.random.key(1), data, 1)
    start = fit(broken.method, jax.random.key(1), data, 0)
    assert float(state.choice.share) == 0.0
    assert float(state.choice.after) == float(state.choice.before)
    key = jax.random.key(2)
    np.testing.assert_array_equal(
        broken.method.sample(key, state, data), broken.method.sample(key, start, data)
    )


def test_scores_choose_a_share_only_where_sure():
    part, every = jnp.arange(400) // 10, jnp.ones(400, bool)
    noise = jax.random.normal(jax.random.key(0), (400,))
    found = prefer(jnp.stack([1 + 0 * noise, 1 + noise]), (0.0, 1.0), every, part, 40)
    assert float(found.share) == 0.0
    found = prefer(
        jnp.stack([1 + noise, 0.5 + noise, 0.8 + noise]), (0.0, 0.5, 1.0), every, part, 40
    )
    assert float(found.share) == 0.5
    assert abs(float(found.before - found.after) - 0.5) < 1e-5


@pytest.mark.fast
def test_blocks_see_both_sides_and_what_was_drawn_before():
    """Windows of 6 whose middle 2 are kept: each block is told of its number and surroundings."""
    z, mask = jnp.zeros((1, 7, 1)), jnp.zeros((1, 7, 1), bool).at[0, 4].set(True)

    def draw(number, z, mask, times):
        assert z.shape == (1, 6, 1)
        return jnp.where(mask, z, number + 1.0)

    found = _base.in_blocks(draw, z, mask, jnp.arange(7.0)[None], 6)
    np.testing.assert_array_equal(found[0, :, 0], [1, 1, 2, 2, 0, 3, 4])
