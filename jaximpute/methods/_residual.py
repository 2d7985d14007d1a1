r"""What a conditional diffusion learns on a base: where the truth lies among the base's draws.

A row is :math:`r = (x - \mu_c) / s_c`, and the base says :math:`r \sim e` (`_base.framed`). Noise
is the base's own, and the network answers for the speed along an arc from one to the other:

.. math:: r_\phi = \cos\phi\, r + \sin\phi\, e, \qquad
    \min_\theta \mathbb{E}\,\| F_\theta(r_\phi, \phi) - (\cos\phi\, e - \sin\phi\, r) \|^2

A draw starts at :math:`r_{\pi/2} = e` and solves :math:`dr / d\phi = F`. Where F is 0 nothing
moves: the network's start is the base, exactly, with its covariances.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaximpute import masking
from jaximpute.engine.lessons import spread
from jaximpute.maths import optimise
from jaximpute.maths.choice import Choice, metrics, prefer, undecided
from jaximpute.methods import _base
from jaximpute.methods._base import Base, Frame
from jaximpute.methods._conditional import per_row
from jaximpute.missing.again import again
from jaximpute.types import Info, Method, Net, Observed, Params, PRNGKey, Scalar, Split
from jaximpute.views import row_weight, windows

SHARES = (0.0, 0.5, 1.0)  # of what the network says, to choose from
CHUNK = 256  # rows completed at a time
_POOL, _WORK, _NOISES = 2048, 10**8, 4  # rows of a round; what they may cost; draws of noise
_JUDGED, _DRAWS = 160, 12  # rows to choose by, and draws of each
_MANY = 32  # rows, some of which can be left out of training
_EVERY = 4  # rounds between two choices


class ResidualState(NamedTuple):
    """A base and what was learned on it.

    Attributes:
        base: the fitted Gaussian.
        learner: the network.
        rounds: taken.
        choice: how much of what the network says is believed, 0 = draws are the base's; by the CRPS
            of draws at entries hidden once more, in scores.
    """

    base: Base
    learner: optimise.Learner
    rounds: Int[Array, ""]
    choice: Choice


class Lesson(NamedTuple):
    """Rows whose truth is known.

    Attributes:
        frame: what the base says of them.
        truth: in the base's units.
        noise: of the base, several draws each.
        query: what is asked for.
    """

    frame: Frame
    truth: Float[Array, "n time d"]
    noise: Float[Array, "n k time d"]
    query: Bool[Array, "n time d"]


def speed(net: Net, params: Params, r, phi: Float[Array, "n"], frame: Frame, key=None) -> jax.Array:
    """The network's answer, 0 in the context."""
    found = net.apply(params, r, phi * (2 / math.pi), frame.cond, key)
    return jnp.where(frame.context, 0, found)


def loss(net: Net, params: Params, key: PRNGKey, lesson: Lesson) -> Float[Array, ""]:
    """The squared error of the speed on rows with one noise each, angles uniform."""
    k_angle, k_net = jax.random.split(key)
    r, e = lesson.truth, lesson.noise[:, 0]
    phi = jax.random.uniform(k_angle, (len(r),), r.dtype, 0.0, math.pi / 2)
    c, s = (per_row(part, r) for part in (jnp.cos(phi), jnp.sin(phi)))
    off = speed(net, params, c * r + s * e, phi, lesson.frame, k_net) - (c * e - s * r)
    return masking.masked_mean(off**2, lesson.query)


def follow(
    net: Net, params: Params, frame: Frame, noise: Float[Array, "n time d"], share, steps: int
) -> Float[Array, "n time d"]:
    """From the base's noise to a draw, in its units; second order, one evaluation a step."""
    h = math.pi / 2 / steps

    def one(carry, i):
        r, before = carry
        phi = jnp.full(len(r), math.pi / 2 - i * h, r.dtype)
        now = share * speed(net, params, r, phi, frame)
        ahead = jnp.where(i > 0, 1.5 * now - 0.5 * before, now)
        return (r - h * ahead, now), None

    (r, _), _ = jax.lax.scan(one, (noise, jnp.zeros_like(noise)), jnp.arange(steps))
    return r


def residual(
    net: Net,
    *,
    window: int | None,
    split: Split,
    times: Any = None,
    lr: Scalar,
    total: int | None,
    sgd_steps: int,
    batch: int,
    draw_steps: int,
    decay: Scalar,
) -> Method:
    """A method that learns on the joint Gaussian of its rows; see above.

    What is learned is believed as far as it lowers the CRPS of draws by two standard errors, at
    rows, or cells of long series, that the network has not seen; the base has, which favours it.

    Args:
        net: takes `(mean, context, times, log scale)`, such as `nets.residual_mlp`.
        window: steps of a row; None = whole rows.
        split: what is asked for in training.
        times: positions of a series' steps.
        lr: first learning rate.
        total: steps over which it falls to 0; None = constant.
        sgd_steps: steps of a round.
        batch: rows in a step.
        draw_steps: of a draw.
        decay: of the averaged weights.

    Returns:
        An inductive method that draws.
    """
    optimiser = optimise.adamw(lr, total=total)

    def init(key: PRNGKey, data: Observed) -> ResidualState:
        k_base, k_net = jax.random.split(key)
        series = _base.as_series(data)
        length = length_of(series, window)
        base = _base.fit(k_base, series, length)
        none = jnp.zeros((1, length, series.values.shape[2]), series.values.dtype)
        frame = Frame(none, none + 1, none > 0, none[..., 0])
        params = net.init(k_net, none, none[:, 0, 0], frame.cond)
        learner = optimise.learner(params, optimiser, decay)
        unknown = undecided(jnp.zeros((), none.dtype))
        return ResidualState(base, learner, jnp.zeros((), int), unknown)

    def step(key: PRNGKey, state: ResidualState, data: Observed):
        k_judge, k_pool, k_train = jax.random.split(key, 3)
        series, base = _base.as_series(data), state.base
        length = length_of(series, window)
        kept, hidden = hold_out(series)
        taught = pool(k_pool, base, kept, length, split, times)

        def own(params, k):
            k_rows, k_noise, k_loss = jax.random.split(k, 3)
            i = jax.random.randint(k_rows, (batch,), 0, len(taught.truth))
            j = jax.random.randint(k_noise, (batch,), 0, _NOISES)
            rows = masking.share(jax.tree.map(lambda a: a[i], taught._replace(noise=taught.query)))
            rows = rows._replace(noise=masking.share(taught.noise[i, j])[:, None])
            return loss(net, params, k_loss, rows)

        learner, losses = optimise.train(own, optimiser, k_train, state.learner, sgd_steps, decay)
        rounds = state.rounds + 1
        state = state._replace(learner=learner, rounds=rounds)
        last = rounds * sgd_steps >= total if total is not None else False

        def choose(state: ResidualState) -> ResidualState:
            rows, part, count = judged(k_judge, base, series, kept, hidden, length, split, times)
            return state._replace(choice=_chosen(net, state, rows, part, count, draw_steps))

        state = jax.lax.cond(last | (rounds % _EVERY == 0), choose, lambda state: state, state)
        return state, Info(losses.mean(), metrics(state.choice))

    def sample(key: PRNGKey, state: ResidualState, data: Observed) -> jax.Array:
        def draw(frame: Frame, e):
            return drawn(net, state, frame, e, draw_steps)

        return completed(draw, key, state.base, data, times)

    return Method(init, step, sample=sample)


def drawn(net: Net, state: ResidualState, frame: Frame, noise, steps: int) -> jax.Array:
    """A draw in the base's units, as far as the network is believed."""
    params = optimise.averaged(state.learner)
    return jax.lax.cond(
        state.choice.share > 0,
        lambda: follow(net, params, frame, noise, state.choice.share, steps),
        lambda: noise,
    )


def completed(
    draw: Callable[[Frame, jax.Array], jax.Array],
    key: PRNGKey,
    base: Base,
    data: Observed,
    times: Any,
) -> Float[Array, "n *event"]:
    """All rows completed by `draw(frame, noise) -> r`, long series block after block."""
    series = _base.as_series(data)
    length = base.model.mean.shape[0] // series.values.shape[2]

    def rows(key, z, mask, at):
        frame, noise = _base.framed(key, base, z, mask, at)
        return jnp.where(mask, z, frame.mean + frame.scale * draw(frame, noise[:, 0]))

    def block(number, z, mask, at):
        return _in_chunks(rows, jax.random.fold_in(key, number), z, mask, at)

    z, at = _base.scores(base, series), _positions(series, times)
    z = _base.in_blocks(block, z, series.mask, at, length)
    found = _base.values(base, z).reshape(data.values.shape)
    return masking.clamp(found.astype(data.values.dtype), data)


def length_of(series: Observed, window: int | None) -> int:
    return min(window or series.values.shape[1], series.values.shape[1])


def _positions(series: Observed, times: Any) -> Float[Array, "n time"]:
    n, time, _ = series.values.shape
    steps = jnp.arange(time) if times is None else jnp.asarray(times)
    return jnp.broadcast_to(steps.astype(jnp.float32), (n, time))


def hold_out(series: Observed) -> tuple[Observed, Bool[Array, "n time d"]]:
    """What the network learns from, and what it does not see: some of many rows, or cells."""
    n = len(series.weight)
    if n >= _MANY:
        out = jnp.zeros(n, bool).at[spread(n, min(n // 8, _JUDGED))].set(True)
        hidden = series.mask & out[:, None, None]
        return series._replace(weight=jnp.where(out, 0, series.weight)), hidden
    # the same in every round
    shown, hidden = again(0.1)(jax.random.key(0), series.mask)
    return series._replace(values=jnp.where(shown, series.values, 0), mask=shown), hidden


def pool(
    key,
    base: Base,
    kept: Observed,
    length: int,
    split: Split,
    times,
    *,
    size: int = _POOL,
    noises: int = _NOISES,
) -> Lesson:
    """Rows of a round: entries that are not known are the base's, drawn given all that is."""
    k_rows, k_split, k_fill, k_frame = jax.random.split(key, 4)
    rows = windows(kept.values.shape, length)
    weight = row_weight(rows, kept.weight, kept.mask)
    width = base.model.mean.shape[0]
    i = masking.pick(k_rows, weight, min(size, max(_WORK // width**2, 64)))
    at = rows.take(_positions(kept, times)[..., None], i)[..., 0]
    z, mask = rows.take(_base.scores(base, kept), i), rows.take(kept.mask, i)
    context, query = split(k_split, mask)
    z = _base.completed(k_fill, base, z, mask)
    frame, noise = _base.framed(k_frame, base, z, context, at - at[:, :1], noises)
    return Lesson(frame, jnp.where(context, 0, (z - frame.mean) / frame.scale), noise, query)


def judged(key, base: Base, series: Observed, kept: Observed, hidden, length, split, times):
    """Rows that the network has not seen, their parts, and how many of these there are."""
    k_split, k_frame = jax.random.split(key)
    n, time, _ = series.values.shape
    z, at = _base.scores(base, series), _positions(series, times)
    if n >= _MANY:
        i: Any = jnp.asarray(spread(n, min(n // 8, _JUDGED)))
        rows = windows(series.values.shape, length, length)
        i = i * (rows.size // n)  # the first window of each
        truth, mask = rows.take(z, i), rows.take(series.mask, i)
        context, query = split(k_split, mask)
        query = query & (rows.take(series.weight[:, None, None] * (z * 0 + 1), i) > 0)
        numbers, count = np.arange(len(i)), len(i)
    else:
        side = length // 3 if time > length else 0
        rows = windows(series.values.shape, length, length - 2 * side)
        i = np.unique(np.linspace(0, rows.size - 1, min(rows.size, _JUDGED)).astype(int))
        middle = (jnp.arange(length) >= side) & (jnp.arange(length) < length - side)
        i = jnp.asarray(i)
        real = series.weight[:, None, None] * (z * 0 + 1) > 0
        truth, context = rows.take(z, i), rows.take(kept.mask, i)
        query = rows.take(hidden & real, i) & middle[None, :, None]
        count = min(len(i), _MANY)
        numbers = np.arange(len(i)) * count // len(i)
    times = rows.take(at[..., None], i)[..., 0]
    frame, noise = _base.framed(k_frame, base, truth, context, times - times[:, :1], _DRAWS)
    part = jnp.broadcast_to(jnp.asarray(numbers)[:, None, None], truth.shape)
    truth = jnp.where(query, (truth - frame.mean) / frame.scale, 0)
    return Lesson(frame, truth, noise, query), part, count


def _chosen(net: Net, state: ResidualState, rows: Lesson, part, count: int, steps: int) -> Choice:
    """The share of what the network says whose draws score best, if surely better than none."""
    params = optimise.averaged(state.learner)

    def score(share):
        def draw(e):
            return jax.lax.cond(
                share > 0, lambda: follow(net, params, rows.frame, e, share, steps), lambda: e
            )

        return scored(draw, rows)

    errors = jax.lax.map(score, jnp.asarray(SHARES, rows.truth.dtype))
    return prefer(errors, SHARES, rows.query, part, count)


def scored(draw: Callable[[jax.Array], jax.Array], rows: Lesson) -> Float[Array, "n time d"]:
    """The CRPS of draws at each entry, in scores."""
    drawn = jax.lax.map(draw, rows.noise.swapaxes(0, 1))
    off = (drawn - rows.truth[None]) * rows.frame.scale[None]
    rank = jnp.arange(1 - _DRAWS, _DRAWS, 2, dtype=off.dtype)
    spread = jnp.tensordot(rank, jnp.sort(off, axis=0), axes=1) / (_DRAWS * (_DRAWS - 1))
    return jnp.abs(off).mean(0) - spread


def _in_chunks(draw, key, *rows):
    """`draw(key, *rows)` for some rows at a time."""
    n = len(rows[0])
    blocks = -(-n // CHUNK)
    if blocks == 1:
        return draw(key, *rows)
    each = -(-n // blocks)
    i = jnp.minimum(jnp.arange(blocks * each), n - 1).reshape(blocks, each)
    found = jax.lax.map(
        lambda job: draw(jax.random.fold_in(key, job[0]), *(a[job[1]] for a in rows)),
        (jnp.arange(blocks), i),
    )
    return found.reshape(-1, *found.shape[2:])[:n]
