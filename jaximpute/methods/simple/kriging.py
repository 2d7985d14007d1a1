"""Kriging by maximum likelihood, with a level for each frame and a static effect of each place."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaximpute._errors import check_positive
from jaximpute.masking import channel_moments
from jaximpute.methods.simple import _chunks, _field_draws, _field_kriging, _place
from jaximpute.methods.simple._blocks import Blocks
from jaximpute.methods.simple._field_kriging import Kriging
from jaximpute.methods.simple._grid import hold_out, restored, standardised
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

_AGAIN = 20  # steps of the search that goes on without the static effect


class KrigingState(NamedTuple):
    """What has been learned of each channel, of values that are centred and scaled.

    Attributes:
        mean: of each channel.
        scale: of each channel.
        effect: of each place, the same in all frames.
        kriging: of the rest.
        inflation: factor by which draws are wider than the covariance says, see
            `_field_draws.inflation`.
        errors: squared errors at held-out entries: without an effect, and for each of its priors.
    """

    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    effect: Float[Array, "c y x"]
    kriging: Kriging
    inflation: Float[Array, "c"]
    errors: Float[Array, "c priors"]


def kriging(*, place: bool = True, reach: int = 24) -> Method:
    r"""The conditional mean of a Gaussian field whose covariance is the likeliest.

    .. math:: x_{tp} = \mu + s_p + f_{tp}, \qquad
        \mathrm{cov}(f_{tp}, f_{t'p'}) = \sigma^2 M(r) + \lambda^2 e^{-|t - t'| / \tau}
        + \nu^2 \delta

    :math:`M` is a Matérn correlation of one of three degrees of smoothness, of lags that are
    measured in lengths of their own along time, rows and columns, after a drift of so many cells a
    frame (`_chunks.covariance`). The second term is a level that each frame has for itself. The
    parameters maximise the likelihood of the observed entries in small chunks, each taken alone.

    :math:`s`, what a place is on average, is a field with an exponential covariance, found from all
    frames at once by conjugate gradients. Whether there is one, and how wide and long its
    covariance is, is chosen at a tenth of the observed entries, held out in boxes shaped like the
    holes (`partitions.hole_shaped`). Each block of 8 x 8 cells (4 x 4 where there are frames before
    and after) is then completed from 128 observed entries: those that vary most with it, or those
    of its own frame first, or own frame and others in turn, whichever makes the variance of kriging
    least at the cells that are missing. Each channel is filled from itself alone.

    A draw is :math:`\hat x(x_o - \epsilon_o) + \epsilon` (Matheron's rule), with :math:`\epsilon` a
    draw of the field, by circulant embedding, with its noise. It is made wider by the factor that
    the errors at held-out entries ask for, since parameters and effect are taken for known.

    Args:
        place: whether to try a static effect of each place.
        reach: how many cells, frames or steps away along each axis neighbours may lie, at least 1.

    Returns:
        An inductive method for images and fields, with an estimate and draws. Rows to come must
        have the frames' shape.

    Raises:
        OptionError: an option below 1.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.sin(np.arange(100.0) / 5).reshape(1, 10, 10, 1)
        >>> holes = np.random.default_rng(0).random(x.shape) < 0.3
        >>> data, method = ji.observe(np.where(holes, np.nan, x)), ji.methods.kriging(place=False)
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> filled = ji.complete(method, jax.random.key(1), state, data)
        >>> bool(np.abs(filled - x)[holes].mean() < 0.2 * x.std())
        True

    Source: Cressie, "Statistics for spatial data" (1993), §2.6 and §3; the likelihood of chunks as
    in Caragea and Smith (2007); a covariance that drifts as in Gneiting, Genton and Guttorp (2007).
    """
    check_positive(reach=reach)

    def learn(key, data: Observed) -> KrigingState:
        k_hide, k_rows, k_chunks, k_draw = jax.random.split(key, 4)
        mean, scale = channel_moments(data)
        x, mask = standardised(data, mean, scale)
        mask = mask & (data.weight > 0).reshape(-1, 1, 1, 1, 1)
        shown, hidden = hold_out(k_hide, mask)
        blocks = Blocks(x.shape[2:], reach)
        some = _field_kriging.some_rows(k_rows, data.weight, blocks)

        def channel(inputs):
            first, x, mask, shown, hidden = inputs
            known = _Films(x, mask, shown, hidden, some, blocks)
            effect, kriging, errors = _fit(k_chunks, known, first, place)
            wider = _inflation(k_draw, known, kriging, errors)
            return effect, kriging, wider, errors

        first = _field_kriging.first_kriging(x, mask)
        films = (a.swapaxes(0, 1) for a in (x, mask, shown, hidden))
        return KrigingState(mean, scale, *jax.lax.map(channel, (first, *films)))

    def completed(key, state: KrigingState, data: Observed) -> jax.Array:
        """The means given what is observed, or with a key a draw."""
        x, mask = standardised(data, state.mean, state.scale)
        blocks = Blocks(x.shape[2:], reach)

        def channel(inputs):
            number, effect, kriging, wider, x, mask = inputs
            x = x - effect[None, None]
            if key is None:
                found = _field_kriging.complete(kriging, blocks, x, mask, ~mask)
            else:
                k = jax.random.fold_in(key, number)
                drawn = wider * _field_draws.field(k, kriging, x.shape)
                rest = jnp.where(mask, x - drawn, 0)
                found = drawn + _field_kriging.complete(kriging, blocks, rest, mask, ~mask)
            return effect[None, None] + found

        parts = state.effect, state.kriging, state.inflation
        apart = jnp.arange(x.shape[1]), *parts, x.swapaxes(0, 1), mask.swapaxes(0, 1)
        filled = jax.lax.map(channel, apart).swapaxes(0, 1)
        return restored(filled, state.mean, state.scale, data)

    return static_method(
        learn, estimate=lambda _, *given: completed(None, *given), sample=completed
    )


class _Films(NamedTuple):
    """A channel of all films `(n, t, y, x)`, some of whose observed entries are held out."""

    x: Array
    mask: Array
    shown: Array
    hidden: Array
    some: Array  # films to judge by
    blocks: Blocks


def _fit(key, films: _Films, first: Kriging, place: bool) -> tuple[Array, Kriging, Array]:
    """The effect of each place, the covariance of the rest, and errors at held-out entries."""
    x, mask, shown, hidden, some, blocks = films

    def chunks(x, mask):
        return _chunks.chunks(jax.random.fold_in(key, 0), x, mask)

    known = chunks(x, shown)
    model, rough = _chunks.likeliest(known, first.model, jnp.arange(3))
    judge = x[some], shown[some], hidden[some]
    plain = _field_kriging.choose_order(model, rough, blocks, x[some], mask[some])
    error = _field_kriging.error(plain, blocks, *judge)
    everything = chunks(x, mask)
    if not place:
        model, _ = _chunks.likeliest(everything, model, rough[None], _AGAIN)
        return jnp.zeros(x.shape[2:], x.dtype), plain._replace(model=model), error[None]

    def judged(effect):
        values, *masks = judge
        return _field_kriging.error(plain, blocks, values - effect[None, None], *masks)

    effects = _effects(known, plain, x.shape[2:])
    errors = jnp.append(error, jax.lax.map(judged, effects[1:]))
    effect = _effects(everything, plain, x.shape[2:])[jnp.argmin(errors)]
    known = chunks(x - effect[None, None], mask)
    model, _ = _chunks.likeliest(known, model, rough[None], _AGAIN)
    return effect, plain._replace(model=model), errors


def _effects(known: _chunks.Chunks, kriging: Kriging, shape) -> Float[Array, "priors y x"]:
    """The effect of each place under each prior, none of it first."""
    inverse = _place.inverses(known, kriging.model, kriging.rough)
    priors = jnp.asarray(_place.PRIORS, known.x.dtype)
    found = jax.lax.map(lambda prior: _place.effect(known, inverse, shape, *prior), priors)
    return jnp.concatenate([jnp.zeros_like(found[:1]), found])


def _inflation(key, films: _Films, kriging: Kriging, errors) -> Float[Array, ""]:
    shown, hidden = films.shown[films.some], films.hidden[films.some]

    def complete(x):
        return _field_kriging.complete(kriging, films.blocks, x, shown, hidden)

    drawn = _field_draws.field(jax.random.fold_in(key, 0), kriging, shown.shape)
    return _field_draws.inflation(errors.min(), complete, drawn, shown, hidden)
