"""Learned modes against exact conditioning; shifts against what they should leave unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import OptionError
from jaximpute.maths import processes
from jaximpute.nets import field_eof, shifted
from jaximpute.nets.field_eof import LEAST, fit
from jaximpute.nets.shifted import roll
from jaximpute.physics import bayes
from jaximpute.types import Net

EVENT = (2, 3, 4, 1)


def test_with_the_true_modes_it_is_the_posterior_mean(key):
    k_modes, k_x, k_mask = jax.random.split(key, 3)
    modes = jax.random.normal(k_modes, (5, 24))
    x = jax.random.normal(k_x, (4, *EVENT))
    mask = (jax.random.uniform(k_mask, x.shape) < 0.4).at[0].set(False)
    mean = jnp.linspace(-1, 1, 24)
    params = {"mean": mean, "modes": modes, "log_noise": jnp.log(0.2)}
    t = 0.3
    alpha, sigma = processes.vp().marginal(t)
    net = field_eof(EVENT, modes=5)
    spoilt = jnp.where(mask, x, 9.0)  # which it must not look at
    found = jax.jit(net.apply)(params, spoilt, jnp.full(4, t), (mask.astype(x.dtype),))
    # the same data without the factor alpha, noisier by as much
    centred = x / alpha - mean.reshape(1, *EVENT)
    noise = jnp.sqrt(sigma**2 + LEAST + 0.2) / alpha
    exact = bayes.posterior(modes.reshape(1, 5, *EVENT), centred, mask, noise=noise)
    np.testing.assert_allclose(found, exact.mean + mean.reshape(1, *EVENT), atol=2e-4)
    np.testing.assert_allclose(found[0].ravel(), mean, atol=1e-6)


def test_the_gradient_is_that_of_a_dense_solve(key):
    k_modes, k_y, k_gain = jax.random.split(key, 3)
    modes, y = jax.random.normal(k_modes, (3, 6)), jax.random.normal(k_y, (2, 6))
    gain, noise = jax.random.uniform(k_gain, (2, 6)).at[:, 2].set(0), jnp.array([[0.3], [0.5]])

    def dense(modes, y, noise):
        shown = modes[None] * gain[:, None]
        system = shown @ shown.swapaxes(1, 2) + noise[..., None] * jnp.eye(3)[None]
        return (jnp.linalg.inv(system) @ (shown @ y[..., None]))[..., 0]

    def ours(modes, y, noise):
        return fit(modes, gain, y, noise)

    def both(f):
        target = jnp.arange(6.0).reshape(2, 3)
        return jax.jit(jax.value_and_grad(lambda *a: (target * f(*a)).sum(), argnums=(0, 1, 2)))

    for one, other in zip(
        jax.tree.leaves(both(ours)(modes, y, noise)),
        jax.tree.leaves(both(dense)(modes, y, noise)),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)
    # side by side the rows are still factorised one at a time
    several = jax.jit(jax.vmap(ours, in_axes=(0, None, None)))
    two = jnp.stack([2 * modes, modes])
    np.testing.assert_allclose(several(two, y, noise)[1], ours(modes, y, noise), rtol=1e-4)
    for line in several.lower(two, y, noise).as_text().splitlines():
        assert "potrf" not in line or "tensor<3x3xf32>" in line


@pytest.fixture
def dense_net(key):
    """Any linear map of values and context: as far from equivariance as can be."""
    weights = jax.random.normal(key, (2, 24, 24))

    def apply(params, x, t, cond, key=None):
        flat = [part.reshape(len(x), -1) @ w for part, w in zip((x, *cond), weights, strict=True)]
        return (t[:, None] * flat[0] + flat[1]).reshape(x.shape)

    return Net(lambda *given: {}, apply)


def test_averaged_over_all_shifts_a_network_moves_with_the_field(dense_net, key):
    x = jax.random.normal(jax.random.key(1), (2, *EVENT))
    cond, t = (jnp.where(x > 0, 1.0, 0.0),), jnp.array([0.1, 0.7])
    by = jnp.array([[1, 3], [2, 1]])
    for net, moves in ((shifted(dense_net, averaged=4), True), (shifted(dense_net), False)):
        out = net.apply({}, x, t, cond)
        moved = net.apply({}, roll(x, by), t, (roll(cond[0], by),))
        assert np.allclose(moved, roll(out, by), atol=1e-4) == moves
    np.testing.assert_array_equal(out, dense_net.apply({}, x, t, cond))  # none to average


def test_in_training_each_row_is_shifted_by_itself(dense_net):
    x = jax.random.normal(jax.random.key(1), (40, *EVENT))
    cond, t = (jnp.ones_like(x),), jnp.full(40, 0.5)
    out = shifted(dense_net, 2).apply({}, x, t, cond, jax.random.key(2))
    # one of the shifts by 0 or 2 along each axis, and all of them occur
    shifts = [(0, 0), (0, 2), (2, 0), (2, 2)]
    some = [jnp.broadcast_to(jnp.array(s), (40, 2)) for s in shifts]
    answers = [roll(dense_net.apply({}, roll(x, s), t, cond), -s) for s in some]
    far = np.abs(np.asarray(answers) - np.asarray(out)[None]).max(axis=(2, 3, 4, 5))
    np.testing.assert_allclose(far.min(axis=0), 0, atol=1e-5)
    assert set(far.argmin(axis=0)) == {0, 1, 2, 3}


def test_the_gradient_of_a_roll_is_the_roll_back(key):
    x, by = jax.random.normal(key, (2, *EVENT)), jnp.array([[1, 2], [0, 3]])
    target = jnp.arange(48.0).reshape(x.shape)
    gradient = jax.grad(lambda x: (target * roll(x, by)).sum())(x)
    np.testing.assert_array_equal(gradient, roll(target, -by))
    np.testing.assert_array_equal(roll(x, by)[0], jnp.roll(x[0], (1, 2), axis=(1, 2)))


def test_wrong_options_are_refused(dense_net):
    for make in (
        lambda: field_eof(EVENT, modes=0),
        lambda: shifted(dense_net, 0),
        lambda: shifted(dense_net, averaged=0),
    ):
        with pytest.raises(OptionError, match="expected"):
            make()
