"""Empirical orthogonal functions from films with holes, and what they leave, kriged."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Shaped

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, clamp
from jaximpute.maths.hole_boxes import hole_shaped
from jaximpute.methods.simple import _chunks, _field_draws, _field_kriging, _modes
from jaximpute.methods.simple._blocks import Blocks
from jaximpute.methods.simple._field_kriging import Kriging
from jaximpute.methods.simple._grid import restored, standardised
from jaximpute.methods.simple._modes import Modes
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

_RANKS = (4, 6, 9, 14, 20, 30, 45, 60)  # to choose from
_PASSES = 24
_STEPS = 20  # of each search for a likely covariance, which begins where the last one ended
_MANY = 512  # films, from which on a row is a film and not a frame
# of the fitted lengths: modes that fit what is seen leave less of the long waves than elsewhere
_STRETCHES = (1.0, 2.0, 4.0)
_NUMBERS = 2**25  # in the largest array
_ROWS = 4  # that show a place, on average, for each of its modes
_REACH = 24  # of kriging, in cells


class EofState(NamedTuple):
    """What has been learned, of values that are centred and scaled.

    Attributes:
        mean: of each channel.
        scale: of each channel.
        modes: filled up with zeros to the largest number of modes.
        kriging: of what the modes leave, for each channel.
        kriged: whether that is kriged at all.
        inflation: factor by which draws are wider than the model says, see
            `_field_draws.inflation`.
        errors: squared errors at held-out entries for each number of modes; infinite if not tried.
    """

    mean: Float[Array, "c"]
    scale: Float[Array, "c"]
    modes: Modes
    kriging: Kriging
    kriged: Bool[Array, ""]
    inflation: Float[Array, ""]
    errors: Float[Array, "ranks"]


def eof(*, modes: int | None = None, rows: str = "auto", passes: int = _PASSES) -> Method:
    r"""Few modes that all films share, found by EM, and the rest kriged.

    .. math:: x_n = \mu + W z_n + r_n

    :math:`\mu` is a mean of each place and :math:`W` its modes, with priors of learned width
    (`_modes.fit`); :math:`r` is a stationary field with a Matérn covariance of maximum likelihood,
    completed from the 128 nearest observed entries. A tenth of the observed entries is held out, in
    boxes shaped like the holes (`partitions.hole_shaped`): there the number of modes is chosen, and
    whether the rest is kriged. The chosen model then learns from all.

    A draw is :math:`\hat x(x_o - \epsilon_o) + \epsilon` (Matheron's rule), with :math:`\epsilon` a
    draw of :math:`W z + r`. It is made wider by the factor that the errors at held-out entries ask
    for, since the modes fit what they were learned from.

    Args:
        modes: how many, at least 1; by default the best of 4, 6, 9, 14, 20, 30, 45 and 60, as far
            as four times as many rows show a place, on average, and the largest array has no more
            than 32 million numbers.
        rows: what a mode is of: a whole `film` with all its frames and channels, or a `frame` with
            all its channels. `auto` takes films from 512 of them on.
        passes: of EM, at least 1.

    Returns:
        An inductive method for images and fields, with an estimate and draws. Rows to come must
        have the frames' shape.

    Raises:
        OptionError: an option out of range.
        DataError: later, for data that is neither images nor fields.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> rng = np.random.default_rng(0)
        >>> x = (rng.normal(size=(40, 1)) @ rng.normal(size=(1, 36))).reshape(40, 6, 6, 1)
        >>> holes = rng.random(x.shape) < 0.3
        >>> data, method = ji.observe(np.where(holes, np.nan, x)), ji.methods.eof(modes=1)
        >>> state = ji.fit(method, jax.random.key(0), data, 0)
        >>> filled = ji.complete(method, jax.random.key(1), state, data)
        >>> bool(np.abs(filled - x)[holes].mean() < 0.1 * x.std())
        True

    Source: Beckers and Rixen, "EOF calculations and data filling from incomplete oceanographic data
    sets" (2003), with the held-out entries of DINEOF; by EM and with a prior as in Ilin and Raiko
    (2010).
    """
    if (modes is not None and modes < 1) or passes < 1:
        raise OptionError(f"modes is {modes} and passes {passes}; expected at least 1 of each")
    if rows not in ("auto", "film", "frame"):
        raise OptionError(f"rows is {rows!r}; expected auto, film or frame")

    def learn(key, data: Observed) -> EofState:
        k_hide, k_rows, k_chunks, k_modes, k_draw = jax.random.split(key, 5)
        mean, scale = channel_moments(data)
        x, mask = standardised(data, mean, scale)
        mask = mask & (data.weight > 0).reshape(-1, 1, 1, 1, 1)
        shown, hidden = (
            jnp.moveaxis(part, -1, 1) for part in hole_shaped()(k_hide, jnp.moveaxis(mask, 1, -1))
        )
        film = rows == "film" or (rows == "auto" and len(x) >= _MANY)
        ranks = _ranks(x.shape, film) if modes is None else [modes]
        columns = x[0].size if film else x[0].size // x.shape[2]
        seen = mask.sum() / columns
        blocks = Blocks(x.shape[2:], _REACH)
        some = _field_kriging.some_rows(k_rows, data.weight, blocks)

        def modes_of(rank: int, seen):
            weight = jnp.repeat(data.weight, 1 if film else x.shape[2])
            flat = _flat(x, film), _flat(seen, film)
            k = jax.random.fold_in(k_modes, rank)
            found = _modes.fit(k, *flat, weight, modes=rank, passes=passes)
            return _modes.padded(found, max(ranks))

        def channel(inputs):
            first, rest, seen, shown, hidden = inputs
            known = _chunks.chunks(jax.random.fold_in(k_chunks, 0), rest, seen)
            model, rough = _chunks.likeliest(known, first, jnp.zeros(1, int), _STEPS)
            rest, shown, hidden = rest[some], shown[some], hidden[some]
            best = _field_kriging.choose_order(model, rough, blocks, rest, shown | hidden)

            def stretched(stretch):
                longer = model._replace(length=model.length + jnp.log(stretch))
                kriging = best._replace(model=longer)
                return kriging, _field_kriging.error(kriging, blocks, rest, shown, hidden)

            krigings, errors = jax.lax.map(stretched, jnp.asarray(_STRETCHES, x.dtype))
            error = errors.min()
            kriging = jax.tree.map(lambda leaf: leaf[jnp.argmin(errors)], krigings)
            plain = jnp.where(hidden, rest**2, 0).sum()
            return kriging, jnp.stack([plain, error * hidden.sum(), hidden.sum()])

        def attempt(number, seen, before: Kriging):
            """Modes, kriging of the rest, and the errors without it and with it."""
            branches = [partial(modes_of, rank) for rank in ranks]
            found = jax.lax.switch(number, branches, seen)
            rest = jnp.where(mask, x - _explained(found, x, seen), 0)
            apart = (a.swapaxes(0, 1) for a in (rest, seen, shown, hidden))
            kriging, sums = jax.lax.map(channel, (before.model, *apart))
            errors = sums[:, :2].sum(0) / jnp.maximum(sums[:, 2].sum(), 1)
            return found, kriging, jnp.where(jnp.isfinite(errors), errors, jnp.inf)

        def job(now: _Search, number):
            last = number == len(ranks)  # the best once more, on all that is observed

            def run(now: _Search) -> _Search:
                rank = jnp.where(last, now.best, number)
                found, kriging, errors = attempt(rank, jnp.where(last, mask, shown), now.kriging)
                error = errors.min()
                better = ~last & (error < now.errors.min())
                # what the rest is like is known from where it was held out alone
                kriging = jax.tree.map(partial(jnp.where, better), kriging, now.kriging)
                modes = jax.tree.map(partial(jnp.where, better | last), found, now.modes)
                return _Search(
                    jnp.where(better, number, now.best),
                    modes,
                    kriging,
                    jnp.where(better, errors[1] < errors[0], now.kriged),
                    now.errors.at[number].set(error, mode="drop"),
                )

            # a mode is at each place what the rows that show it say
            fits = _ROWS * jnp.asarray(ranks)[jnp.minimum(number, len(ranks) - 1)] <= seen
            return jax.lax.cond(last | fits | (number == 0), run, lambda now: now, now), None

        start = _Search(
            jnp.zeros((), int),
            _modes.none(columns, max(ranks), x.dtype),
            _field_kriging.first_kriging(x, mask),
            jnp.zeros((), bool),
            jnp.full(len(ranks), jnp.inf, x.dtype),
        )
        end, _ = jax.lax.scan(job, start, jnp.arange(len(ranks) + 1))
        found = end.modes
        one = jnp.ones((), x.dtype)
        state = EofState(mean, scale, found, end.kriging, end.kriged, one, end.errors)
        drawn = random_films(k_draw, state, x[some])
        shown, hidden = shown[some], hidden[some]
        base = jnp.where(shown, _mean_film(found, x[some]), 0)

        def complete(drawn):
            filled = filled_films(state, jnp.where(shown, base + drawn, 0), shown)
            return filled - _mean_film(found, drawn)

        wider = _field_draws.inflation(end.errors.min(), complete, drawn, shown, hidden)
        return state._replace(inflation=wider)

    def filled_films(state: EofState, x, mask) -> Float[Array, "n c t y x"]:
        """Modes and, if so chosen, kriging of the rest, given what is observed."""
        trend = _explained(state.modes, x, mask)
        blocks = Blocks(x.shape[2:], _REACH)

        def channel(inputs):
            kriging, rest, mask = inputs
            return _field_kriging.complete(kriging, blocks, rest, mask, ~mask)

        def kriged(rest):
            apart = rest.swapaxes(0, 1), mask.swapaxes(0, 1)
            return jax.lax.map(channel, (state.kriging, *apart)).swapaxes(0, 1)

        rest = jnp.where(mask, x - trend, 0)
        return trend + jax.lax.cond(state.kriged, kriged, jnp.zeros_like, rest)

    def random_films(key, state: EofState, like) -> Float[Array, "n c t y x"]:
        """Draws of the model without its mean."""
        k_modes, k_rest = jax.random.split(key)
        n, c, *_ = like.shape
        film = len(state.modes.shape) == like[0].size
        count = n if film else n * like.shape[2]
        modes = _unflat(_modes.drawn(k_modes, state.modes, count), like, film)

        def channel(inputs):
            number, kriging = inputs
            k = jax.random.fold_in(k_rest, number)
            return _field_draws.field(k, kriging, (n, *like.shape[2:]))

        rest = jax.lax.map(channel, (jnp.arange(c), state.kriging)).swapaxes(0, 1)
        return state.inflation * (modes + rest)

    def estimate(key, state: EofState, data: Observed) -> jax.Array:
        del key
        x, mask = standardised(data, state.mean, state.scale)
        filled = filled_films(state, x, mask)
        return clamp(restored(filled, state.mean, state.scale, data), data)

    def sample(key, state: EofState, data: Observed) -> jax.Array:
        x, mask = standardised(data, state.mean, state.scale)
        drawn = random_films(key, state, x)
        filled = drawn + filled_films(state, jnp.where(mask, x - drawn, 0), mask)
        return clamp(restored(filled, state.mean, state.scale, data), data)

    return static_method(learn, estimate=estimate, sample=sample)


class _Search(NamedTuple):
    """The best number of modes so far."""

    best: Int[Array, ""]
    modes: Modes
    kriging: Kriging
    kriged: Bool[Array, ""]
    errors: Float[Array, "ranks"]


def _ranks(shape: tuple[int, ...], film: bool) -> list[int]:
    n, c, t, y, x = shape
    count, columns = (n, c * t * y * x) if film else (n * t, c * y * x)
    most = (_NUMBERS / max(count, columns)) ** 0.5 - 1
    return [k for k in _RANKS if 4 * k <= count and k <= min(columns, most)] or [1]


def _flat(a: Shaped[Array, "n c t y x"], film: bool) -> Shaped[Array, "rows columns"]:
    """Whole films as rows, or each frame."""
    if film:
        return a.reshape(len(a), -1)
    return a.swapaxes(1, 2).reshape(a.shape[0] * a.shape[2], -1)


def _explained(modes: Modes, x: Float[Array, "n c t y x"], mask) -> Float[Array, "n c t y x"]:
    """What mean and modes say of films, given what is observed of them."""
    film = len(modes.shape) == x[0].size
    return _unflat(_modes.complete(modes, _flat(x, film), _flat(mask, film)), x, film)


def _mean_film(modes: Modes, like: Float[Array, "n c t y x"]) -> Float[Array, "n c t y x"]:
    """The mean, for each film."""
    film = len(modes.shape) == like[0].size
    rows = len(like) if film else len(like) * like.shape[2]
    mean = modes.shape[:, 0]
    return _unflat(jnp.broadcast_to(mean[None], (rows, len(mean))), like, film)


def _unflat(rows: Float[Array, "rows columns"], like, film: bool) -> Float[Array, "n c t y x"]:
    """The inverse of `_flat`."""
    n, c, t, *space = like.shape
    return rows.reshape(like.shape) if film else rows.reshape(n, t, c, *space).swapaxes(1, 2)
