"""A Gaussian series whose conditional laws are known, and networks that are exact on it."""

import jax.numpy as jnp
import numpy as np

from jaximpute.types import Net, Observed

LENGTH = 6
COVARIANCE = 0.9 ** np.abs(np.subtract.outer(np.arange(LENGTH), np.arange(LENGTH)))
MASK = np.array([True, False, False, True, False, True])


def rows(n: int, values=(1.0, 0.0, 0.0, -0.5, 0.0, 0.8)) -> Observed:
    """The same row `n` times, with three holes."""
    x = jnp.broadcast_to(jnp.asarray(values)[None, :, None], (n, LENGTH, 1))
    mask = jnp.broadcast_to(jnp.asarray(MASK)[None, :, None], x.shape)
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(n))


def conditional(values) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance of the holes given the rest."""
    seen, holes = COVARIANCE[np.ix_(MASK, MASK)], COVARIANCE[np.ix_(~MASK, ~MASK)]
    gain = COVARIANCE[np.ix_(~MASK, MASK)] @ np.linalg.inv(seen)
    return gain @ np.asarray(values)[MASK], holes - gain @ COVARIANCE[np.ix_(MASK, ~MASK)]


def conditional_score(x, values, alpha, sigma):
    """Of the noisy holes of `rows`, given the rest; 0 in the context. `x` is `(n, LENGTH, 1)`."""
    gain = COVARIANCE[np.ix_(~MASK, MASK)] @ np.linalg.inv(COVARIANCE[np.ix_(MASK, MASK)])
    _, cov = conditional(np.zeros(LENGTH))
    mean = values[:, MASK, 0] @ jnp.asarray(gain).T
    noisy = alpha**2 * jnp.asarray(cov) + sigma**2 * jnp.eye(len(cov))
    off = x[:, ~MASK, 0] - alpha * mean
    score = -jnp.linalg.solve(noisy, off.T).T
    return jnp.zeros_like(x).at[:, ~MASK, 0].set(score)


def exact(answer) -> Net:
    """A network without weights: `answer(x, t, values)`, `t` a scalar."""

    def apply(params, x, t, cond, key=None):
        return answer(x, t[0], cond[0])

    return Net(lambda key, x, t, cond: {"none": jnp.zeros(1)}, apply)


def check(draws, atol: float) -> None:
    """Draws of `rows(n)` have the conditional mean and covariance."""
    holes = np.asarray(draws)[:, ~MASK, 0]
    mean, cov = conditional((1.0, 0.0, 0.0, -0.5, 0.0, 0.8))
    np.testing.assert_allclose(holes.mean(axis=0), mean, atol=atol)
    np.testing.assert_allclose(np.cov(holes.T), cov, atol=atol)
