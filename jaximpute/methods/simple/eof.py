"""Empirical orthogonal functions from films with holes, and what they leave, kriged."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import OptionError
from jaximpute.masking import channel_moments, masked_mean
from jaximpute.methods.simple import _chunks, _field_draws, _field_kriging, _film_modes, _modes
from jaximpute.methods.simple._blocks import Blocks
from jaximpute.methods.simple._field_kriging import Kriging
from jaximpute.methods.simple._grid import hold_out, restored, standardised
from jaximpute.methods.simple._modes import Modes
from jaximpute.methods.simple._static import static_method
from jaximpute.types import Method, Observed

_RANKS = (4, 6, 9, 14, 20, 30, 45, 60)  # to choose from
_PASSES = 24
_STEPS = 30  # of the search for a likely covariance
_MANY = 512  # films, from which on a row is a film and not a frame
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
    (`_modes.fit`); :math:`r` is a stationary field with a covariance of maximum likelihood.
    To complete a row, :math:`z` is found beside :math:`r` (`_film_modes.explained_beside`), and
    :math:`r` from the 128 nearest observed entries. A tenth of the observed entries is held out, in
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
        film = rows == "film" or (rows == "auto" and len(x) >= _MANY)
        ranks = _ranks(x.shape, film) if modes is None else [modes]
        mask = mask & (data.weight > 0).reshape(-1, 1, 1, 1, 1)
        shown, hidden = hold_out(k_hide, mask)
        blocks = Blocks(x.shape[2:], _REACH)
        some = _field_kriging.some_rows(k_rows, data.weight, blocks)
        films = _Films(x, mask, shown, hidden, data.weight, some, film, blocks)
        found = _search(k_chunks, k_modes, films, ranks, passes)
        wider = _inflation(k_draw, found, films)
        return EofState(mean, scale, found.modes, found.kriging, found.kriged, wider, found.errors)

    def estimate(key, state: EofState, data: Observed) -> jax.Array:
        del key
        x, mask = standardised(data, state.mean, state.scale)
        found = _complete(state, x, mask, ~mask)
        return restored(found, state.mean, state.scale, data)

    def sample(key, state: EofState, data: Observed) -> jax.Array:
        x, mask = standardised(data, state.mean, state.scale)
        drawn = state.inflation * _film_modes.drawn(key, state.modes, state.kriging, x)
        found = drawn + _complete(state, jnp.where(mask, x - drawn, 0), mask, ~mask)
        return restored(found, state.mean, state.scale, data)

    return static_method(learn, estimate=estimate, sample=sample)


class _Films(NamedTuple):
    """Standardised films `(n, c, t, y, x)`, some of whose observed entries are held out.

    Attributes:
        some: films to judge by.
        film: whether a mode is of a whole film, and not of a frame.
    """

    x: Array
    mask: Array
    shown: Array
    hidden: Array
    weight: Array
    some: Array
    film: bool
    blocks: Blocks


class _Search(NamedTuple):
    """The best number of modes so far."""

    best: Int[Array, ""]
    modes: Modes
    kriging: Kriging
    kriged: Bool[Array, ""]
    errors: Float[Array, "ranks"]


def _search(k_chunks, k_modes, films: _Films, ranks: list[int], passes: int) -> _Search:
    """The best number of modes at held-out entries, learned once more from all entries."""
    columns = films.x[0].size // (1 if films.film else films.x.shape[2])
    seen = films.mask.sum() / columns
    most = max(ranks)
    fits = [partial(_fit, k_modes, films, rank, most, passes) for rank in ranks]

    def tried(now: _Search, number):
        last = number == len(ranks)

        def run(now: _Search) -> _Search:
            which = jnp.where(last, now.best, number)
            modes = jax.lax.switch(which, fits, jnp.where(last, films.mask, films.shown))

            def judged(modes):
                kriging = _krige(k_chunks, films, modes)
                errors = _errors(films, modes, kriging)
                found = _Search(number, modes, kriging, errors[1] < errors[0], now.errors)
                better = errors.min() < now.errors.min()
                best = jax.tree.map(partial(jnp.where, better), found, now)
                return best._replace(errors=now.errors.at[number].set(errors.min()))

            return jax.lax.cond(last, lambda m: now._replace(modes=m), judged, modes)

        # a mode is at each place what the rows that show it say
        enough = _ROWS * jnp.asarray(ranks)[jnp.minimum(number, len(ranks) - 1)] <= seen
        return jax.lax.cond(last | enough | (number == 0), run, lambda now: now, now), None

    start = _Search(
        jnp.zeros((), int),
        _modes.none(columns, most, films.x.dtype),
        _field_kriging.first_kriging(films.x, films.mask),
        jnp.zeros((), bool),
        jnp.full(len(ranks), jnp.inf, films.x.dtype),
    )
    return jax.lax.scan(tried, start, jnp.arange(len(ranks) + 1))[0]


def _fit(key, films: _Films, rank: int, most: int, passes: int, seen) -> Modes:
    """So many modes of what is seen, filled up with zeros to the most."""
    film = films.film
    weight = jnp.repeat(films.weight, 1 if film else films.x.shape[2])
    known = _film_modes.flat(films.x, film), _film_modes.flat(seen, film)
    key = jax.random.fold_in(key, rank)
    return _modes.padded(_modes.fit(key, *known, weight, modes=rank, passes=passes), most)


def _krige(key, films: _Films, modes: Modes) -> Kriging:
    """The likeliest covariance of the rest beside that of the modes, for each channel."""
    some = films.some

    def channel(inputs):
        number, x, seen, mask = inputs
        known = _chunks.chunks(jax.random.fold_in(key, 0), x, seen)
        first = _chunks.start(modes.noise)
        at = known.at[: _chunks.LIKELY]
        beside = _film_modes.covariance(modes, at, number, films.x, films.film)
        model, rough = _chunks.likeliest(known, first, jnp.zeros(1, int), _STEPS, beside)
        return _field_kriging.choose_order(model, rough, films.blocks, x[some], mask[some])

    rest = jnp.where(films.shown, films.x - _film_modes.mean(modes, films.x), 0)
    each = (a.swapaxes(0, 1) for a in (rest, films.shown, films.mask))
    return jax.lax.map(channel, (jnp.arange(films.x.shape[1]), *each))


def _errors(films: _Films, modes: Modes, kriging: Kriging) -> Float[Array, "2"]:
    """At held-out entries, without kriging and with it."""
    x, shown, hidden = (a[films.some] for a in (films.x, films.shown, films.hidden))
    plain = _film_modes.explained(modes, x, shown)
    kriged = _film_modes.completed(modes, kriging, films.blocks, x, shown, hidden)
    errors = [masked_mean((one - x) ** 2, hidden) for one in (plain, kriged)]
    return jnp.nan_to_num(jnp.stack(errors), nan=jnp.inf)


def _inflation(key, found: _Search, films: _Films) -> Float[Array, ""]:
    x, shown, hidden = (a[films.some] for a in (films.x, films.shown, films.hidden))
    drawn = _film_modes.drawn(key, found.modes, found.kriging, x)
    base = _film_modes.mean(found.modes, drawn)

    def complete(drawn):
        return _complete(found, jnp.where(shown, base + drawn, 0), shown, hidden) - base

    return _field_draws.inflation(found.errors.min(), complete, drawn, shown, hidden)


def _complete(model: EofState | _Search, x, mask, wanted) -> Float[Array, "n c t y x"]:
    """By modes and, if so chosen, with the rest kriged."""
    blocks = Blocks(x.shape[2:], _REACH)

    def kriged(x):
        return _film_modes.completed(model.modes, model.kriging, blocks, x, mask, wanted)

    return jax.lax.cond(
        model.kriged, kriged, lambda x: _film_modes.explained(model.modes, x, mask), x
    )


def _ranks(shape: tuple[int, ...], film: bool) -> list[int]:
    n, c, t, y, x = shape
    count, columns = (n, c * t * y * x) if film else (n * t, c * y * x)
    most = (_NUMBERS / max(count, columns)) ** 0.5 - 1
    return [k for k in _RANKS if 4 * k <= count and k <= min(columns, most)] or [1]
