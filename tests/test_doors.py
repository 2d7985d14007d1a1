"""Every function that users call with arrays refuses shapes and types that do not fit."""

from functools import partial

import jax
import jax.numpy as jnp
import jaxtyping
import pytest

from jaximpute import masking, metrics, missing, views
from jaximpute.maths import choice, gaussians, kernels, losses, odes, precisions, solvers, transport
from jaximpute.maths.processes import vp
from jaximpute.types import Net, Observed

key = partial(jax.random.key, 0)  # a new one for each use
X, WIDE, ROWS = jnp.ones((4, 2)), jnp.ones((4, 3)), jnp.ones((5, 2))
MASK, FEWER, NUMBERS = X > 0, jnp.full((3, 2), True), jnp.ones((4, 2), int)
MEAN, COV, PART = jnp.zeros(2), jnp.eye(2), jnp.zeros((4, 2), int)
NET = Net(lambda key, x, t, cond: {}, lambda params, x, t, cond, key=None: x)
DATA = Observed(X, MASK, jnp.ones(4))
DRAWS = jnp.ones((6, 4, 2))


def short(x, t):
    return x[:, :1]  # what would broadcast


WRONG = {
    "from_nan, integers": lambda: masking.from_nan(NUMBERS),
    "from_nan, weight": lambda: masking.from_nan(X, jnp.ones(3)),
    "to_nan": lambda: masking.to_nan(X, FEWER),
    "check, mask": lambda: masking.check(DATA._replace(mask=FEWER)),
    "check, weight": lambda: masking.check(DATA._replace(weight=jnp.ones(3))),
    "clamp": lambda: masking.clamp(X[:1], DATA),
    "masked_mean": lambda: masking.masked_mean(X, MASK[:1]),
    "row_mean": lambda: masking.row_mean(jnp.ones(4), jnp.ones(1)),
    "pick": lambda: masking.pick(key(), X, 2),
    "windows": lambda: views.windows((1, 4, 2), 2).take(jnp.ones((1, 3, 2)), jnp.arange(1)),
    "tiles": lambda: views.tiles((1, 4, 4, 2), (2, 2), 0).take(jnp.ones((1, 4, 5, 2)), PART[0]),
    "row_weight": lambda: views.row_weight(views.identity((4, 2)), jnp.ones(1), MASK),
    "squared_distances": lambda: metrics.squared_distances(X, WIDE[:, :1]),
    "rbf": lambda: kernels.rbf(X, jnp.ones(2), 1.0),
    "rbf_sums": lambda: kernels.rbf_sums(X, ROWS, ROWS[:1], jnp.ones(5), 1.0),
    "balanced": lambda: transport.balanced(X, X, epsilon=1.0, a=jnp.ones(1)),
    "semi_relaxed": lambda: transport.semi_relaxed(X, WIDE[:, :1], epsilon=1.0),
    "sinkhorn_divergence": lambda: transport.sinkhorn_divergence(X, MEAN, epsilon=1.0),
    "denoising": lambda: losses.denoising_score_matching(NET, {}, key(), X, MASK[:, :1], 0.1),
    "denoising, mask": lambda: losses.denoising_score_matching(NET, {}, key(), X, X, 0.1),
    "conditional_mean": lambda: gaussians.conditional_mean(X, MASK, jnp.zeros(1), COV),
    "conditional_moments": lambda: gaussians.conditional_moments(X, MASK, MEAN, MEAN, COV),
    "draw_conditional": lambda: gaussians.draw_conditional(key(), X, MASK[:1], MEAN, COV),
    "conditional_deviation": lambda: gaussians.conditional_deviation(MASK, jnp.eye(1)),
    "leave_one_out": lambda: gaussians.leave_one_out(X, MASK, MEAN, jnp.eye(3)),
    "mean_from_precision": lambda: precisions.mean_from_precision(X, MASK, MEAN, jnp.eye(1)),
    "draw_from_precision": lambda: precisions.draw_from_precision(key(), X, FEWER, MEAN, COV),
    "marginals": lambda: precisions.marginals_from_precision(X, MASK, jnp.zeros(1), COV),
    "frames": lambda: precisions.frames_from_precision(X, MASK, DRAWS, MEAN, COV),
    "moments": lambda: precisions.moments_from_precision(X, MASK, MEAN, MEAN, COV),
    "mae": lambda: metrics.mae(X, X[:1], MASK),
    "mse": lambda: metrics.mse(X, X, MASK[:, :1]),
    "rmse": lambda: metrics.rmse(X[:, :1], X, MASK),
    "mre": lambda: metrics.mre(X, X[:1], MASK),
    "crps_from_draws": lambda: metrics.crps_from_draws(X, X, MASK),
    "crps_csdi": lambda: metrics.crps_csdi(X, DRAWS[:, :1], MASK),
    "coverage": lambda: metrics.coverage(X, DRAWS, MASK[:1]),
    "energy_distance": lambda: metrics.energy_distance(X, WIDE),
    "mmd": lambda: metrics.mmd(X, MEAN),
    "sliced_wasserstein": lambda: metrics.sliced_wasserstein(key(), X, X[:, :1]),
    "euler_maruyama": lambda: solvers.euler_maruyama(
        lambda x, t: x, lambda t: 1.0, key(), NUMBERS, t0=0.0, t1=1.0
    ),
    "reverse_sde": lambda: solvers.reverse_sde(vp(), short, key(), X, steps=1),
    "langevin": lambda: solvers.langevin(short)(key(), jnp.ones(()), X),
    "integrate": lambda: odes.integrate(short, X, steps=1),
    "believe": lambda: choice.believe(X, X[:1], MASK, PART, 2),
    "prefer": lambda: choice.prefer(DRAWS, (0.0, 1.0), MASK, PART, 2),
    "hidden_again": lambda: missing.hidden_again(key(), X, 0.1),
}


@pytest.fixture
def untyped():
    """As a user has it, without the checks of types that the tests add."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize("name", WRONG)
def test_a_door_refuses_what_does_not_fit(untyped, name):
    with pytest.raises(AssertionError, match=r"shape|rank|type|dimension"):
        WRONG[name]()


def test_checks_leave_no_trace_in_a_program():
    program = str(jax.make_jaxpr(masking.masked_mean)(X, MASK))
    assert not any(word in program for word in ("callback", "check", "assert"))
