"""Windows of a series made alike by their spectra, unless they are too far apart: PSW-I."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from jaximpute import registry
from jaximpute._errors import DataError, OptionError, check_chosen, check_positive
from jaximpute.maths.optimise import gradient
from jaximpute.methods._rows import rows
from jaximpute.methods.relatives import _entries
from jaximpute.methods.relatives._plans import relaxed_plan
from jaximpute.types import Info, Method, Observed, PRNGKey, Scalar, View
from jaximpute.views import row_weight

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 2},
    "best": {"steps": 10, "batch": 256},
    "paper": {
        "start": "moving_average",
        "steps": 10,
        "batch": 256,
        "iterations": 1000,
        "rho": 1.0,
    },
}


class PswState(NamedTuple):
    """The completed series, standardised, and what the optimiser remembers."""

    x: Float[Array, "n time channels"]
    opt: optax.OptState


def psw_i(
    start: Method,
    view: Callable[[tuple[int, ...]], View],
    *,
    rho: Scalar = 0.1,
    lr: Scalar = 1e-2,
    batch: int = 128,
    pairs: int = 2,
    moves: int = 20,
    iterations: int = 100,
    distance: str = "modulus",
) -> Method:
    r"""PSW-I (Wang et al., 2025): proximal spectrum Wasserstein imputation.

    The missing entries are parameters, and batches of windows drawn at random should be alike in
    the frequency domain. With :math:`F` the discrete Fourier transform along time,

    .. math::
        C_{ij} = \sum_{c, k} | F(x_i)_{ck} - F(y_j)_{ck} |, \qquad
        \mathcal{P} = \min_{P \ge 0} \langle C, P \rangle
            + \rho\, \mathrm{KL}(P 1 | a) + \rho\, \mathrm{KL}(P^\top 1 | b)

    The relaxed marginals let a window without a counterpart in the other batch go unmatched
    (selective matching), so that modes of a series that is not stationary do not drag each other
    along. Costs are divided by the largest of a batch. Each gradient step is one of Adam, on
    `pairs` pairs of batches; one `step` of the method is `moves` of them. Nothing is moved farther
    than about `lr` times the number of moves.

    **When it fails.** A window is pulled towards the windows it is matched with, so what is gained
    is the average shape of similar windows: some of what a linear-Gaussian smoother such as
    `gaussian` knows at once. Entries keep drifting after the gain is over, and a window whose like
    does not recur (a random walk) has nothing to be matched with.

    Departures from the printed paper, and why:
        * The transform is unitary and all its coefficients count (the public code leaves out the
          conjugate half). `distance="squared"` takes the squares, which by Parseval's identity
          sums to the Euclidean distance between the windows: the spectrum then changes nothing.
        * The public scripts relax the marginals at :math:`\rho = 1`, as the preset `paper` does;
          0.1 is more selective.
        * No entries are held out to choose the best step; the number of steps is short instead.

    Args:
        start: an inductive method that learns in `init` (the first imputation).
        view: `shape -> View`, the windows, for instance `partial(windows, length=24)`.
        rho: price of a change of mass, positive, as a share of the largest cost.
        lr: Adam's learning rate, in standard deviations of a channel.
        batch: windows in a batch; halved for few windows, see `sinkhorn`.
        pairs: of batches in one gradient step, at least 1.
        moves: gradient steps in one `step`, at least 1.
        iterations: of the transport solver, at least 1.
        distance: `modulus` or `squared`.

    Returns:
        A transductive method for series. Its `loss` is the mean cost of the plans of
        a step, as a share of the largest cost.

    Raises:
        OptionError: an option out of range, or a start without `sample`.
        DataError: later, for data that is not a series.

    Example:
        >>> from functools import partial
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.sin(np.arange(64.0)).reshape(1, 64, 1)
        >>> x[0, 10] = np.nan
        >>> data = ji.observe(x)
        >>> view = partial(ji.views.windows, length=8)
        >>> method = ji.methods.psw_i(ji.methods.linear(), view, batch=16, moves=5)
        >>> state = ji.fit(method, jax.random.key(0), data, 1, chunk=1)
        >>> ji.complete(method, jax.random.key(1), state, data).shape
        (1, 64, 1)

    Source: Wang et al., "Optimal transport for time series imputation" (ICLR 2025), algorithm 1.
    """
    check_positive(rho=rho, lr=lr, batch=batch, pairs=pairs, moves=moves, iterations=iterations)
    check_chosen(distance=(distance, ("modulus", "squared")))
    if start.estimate is None:
        raise OptionError("the start has no `estimate`; expected an inductive one such as linear()")
    begin, optimiser = start.estimate, optax.adam(lr)

    def init(key: PRNGKey, data: Observed) -> PswState:
        if data.values.ndim != 3:
            raise DataError(
                f"data has shape {data.values.shape}; expected series, (n, time, channels)"
            )
        k_learn, k_start = jax.random.split(key)
        z = _entries.standardised(data)
        x = begin(k_start, start.init(k_learn, z), z)
        return PswState(x, optimiser.init(x))

    def step(key: PRNGKey, state: PswState, data: Observed) -> tuple[PswState, Info]:
        z = _entries.standardised(data)
        rows = view(z.values.shape)
        size = _entries.batch_size(batch, rows.size)
        weight = row_weight(rows, z.weight, jnp.full(z.mask.shape, True))

        def loss(x, k):
            def one(i):
                return discrepancy(
                    x, rows, weight, jax.random.fold_in(k, i), size, rho, iterations, distance
                )

            return sum(one(i) for i in range(pairs)) / pairs

        def move(carry, i):
            x, opt = carry
            value, slope = gradient(loss)(x, jax.random.fold_in(key, i))
            shift, opt = optimiser.update(jnp.where(z.mask, 0, slope), opt)
            return (jnp.where(z.mask, x, x + shift), opt), value

        (x, opt), losses = jax.lax.scan(move, (state.x, state.opt), jnp.arange(moves))
        return PswState(x, opt), Info(losses.mean(), {})

    return Method(init, step, _entries.fill)


def discrepancy(
    x: Float[Array, "n time channels"],
    rows: View,
    weight: Float[Array, "rows"],
    key: PRNGKey,
    size: int,
    rho: Scalar,
    iterations: int,
    distance: str,
) -> Float[Array, ""]:
    """The loss of one pair of batches: the cost of a relaxed plan between their windows."""
    i, j = (_entries.draw(k, weight, size) for k in jax.random.split(key))
    cost = spectrum_costs(rows.take(x, i), rows.take(x, j), distance)
    a, b = (_entries.masses(weight[chosen]) for chosen in (i, j))
    fixed = jax.lax.stop_gradient(cost)
    unit = jnp.maximum(jnp.max(jnp.where((a[:, None] > 0) & (b[None] > 0), fixed, 0)), 1e-6)
    return jnp.sum(relaxed_plan(fixed / unit, a, b, rho, iterations) * cost) / unit


def spectrum_costs(
    x: Float[Array, "n time channels"],
    y: Float[Array, "m time channels"],
    distance: str = "modulus",
) -> Float[Array, "n m"]:
    """Distances between the Fourier coefficients of windows, summed over channels."""
    one, two = _spectrum(x), _spectrum(y)
    squared = ((one[:, None] - two[None]) ** 2).sum(axis=-1)
    if distance == "squared":
        apart = squared
    else:
        # coefficients that agree have no direction to each other
        differ = squared > 1e-12
        apart = jnp.where(differ, jnp.sqrt(jnp.where(differ, squared, 1)), 0)
    time = x.shape[1]
    frequency = np.arange(time // 2 + 1)
    # a real window's other coefficients are the conjugates of these
    twice = np.where((frequency == 0) | (2 * frequency == time), 1.0, 2.0)
    return jnp.einsum("nmkc,k->nm", apart, jnp.asarray(twice, x.dtype), precision="highest")


def _spectrum(x: Float[Array, "n time channels"]) -> Float[Array, "n k channels 2"]:
    """Unitary Fourier coefficients, by a product: windows are short, and FFTs slow in a scan."""
    time = x.shape[1]
    angle = 2 * np.pi * np.outer(np.arange(time // 2 + 1), np.arange(time)) / time
    basis = jnp.asarray(np.stack([np.cos(angle), -np.sin(angle)]) / np.sqrt(time), x.dtype)
    return jnp.einsum("rkt,ntc->nkcr", basis, x, precision="highest")


def psw_i_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 5,
    start: str = "linear",
    window: int = 24,
    stride: int = 1,
    **options: Any,
) -> registry.Plan:
    """PSW-I for series, on overlapping windows.

    Args:
        data, kind, times, categories: see `registry.build`.
        steps: passes, each of `moves` gradient steps.
        start: the name of an inductive method, which makes the first completion.
        window: steps in a window.
        stride: steps between window starts.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    first = registry.build(start, data, kind=kind, times=times, categories=categories).method
    _, view = rows(data, kind, window, stride)
    return registry.Plan(psw_i(first, view, **options), steps)
