"""Chained equations: every column regressed on all others, in turn, until nothing changes."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute._errors import DataError, OptionError
from jaximpute.baselines import _ridge
from jaximpute.masking import channel_moments, clamp
from jaximpute.types import Info, Method, Observed, PRNGKey


class Rules(NamedTuple):
    """One regression per column, for one sweep (or for several, along a leading axis)."""

    coef: Float[Array, "*kept d d"]
    intercept: Float[Array, "*kept d"]
    noise: Float[Array, "*kept d"]


class ChainState(NamedTuple):
    """The completed rows, in standardised columns, and the regressions of the last sweeps."""

    x: Float[Array, "n d"]
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    low: Float[Array, "d"]
    high: Float[Array, "d"]
    order: Int[Array, "d"]  # columns, the least missing first
    rules: Rules
    done: Int[Array, ""]


def ice(*, updates: int = 10, keep: int = 10, clip: bool = True) -> Method:
    r"""Imputation by chained equations: each missing entry is its regression's prediction.

    One `step` is a sweep. In turn, the least missing first, each column :math:`j` is regressed on
    all the others as completed so far,

    .. math:: x_j \approx c_j + \sum_{k \ne j} W_{jk} x_k \quad \text{on rows that have } x_j,

    by a ridge whose precisions maximise the evidence, and its missing entries become the
    predictions. The first completion is the column means. Columns are standardised first.

    Args:
        updates: of the ridge's two precisions in each fit, at least 1.
        keep: sweeps whose regressions are kept, at least 1; `sample` replays them in order.
        clip: whether predictions stay in the range observed in their column.

    Returns:
        A method for tables (tag `point`) with `fill` and `sample`. The time of a sweep grows with
        the cube of the number of columns, times rows or columns, whichever is more.

    Raises:
        OptionError: an argument out of range.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(200, 1)) @ np.array([[1.0, 2.0]])
        >>> x[0] = [1.0, np.nan]
        >>> data = ji.observe(x)
        >>> method = ji.baselines.ice()
        >>> state = ji.fit(method, jax.random.key(0), data, 3)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 1]), 1)
        2.0

    Source: van Buuren and Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations
    in R", J. Stat. Software 45 (2011); sweeps, order and ridge as in scikit-learn's
    `IterativeImputer`, which keeps the regressions of all sweeps and does not clip.
    """
    return _chain(updates, keep, clip, draws=False)


def mice(*, updates: int = 10, keep: int = 10, clip: bool = True) -> Method:
    r"""Multiple imputation by chained equations: each missing entry is drawn, not predicted.

    As `ice`, but each fit draws its slopes and level from their posterior, and each missing entry
    from the regression so drawn,

    .. math:: W_j \sim p(W_j \mid x), \qquad x_{ij} \sim N(c_j + W_j x_i, 1/\alpha_j),

    so that many completions differ by as much as is not known. `sample` runs a chain of `keep`
    sweeps, each under the regressions of one of the kept sweeps, chosen at random.

    Args:
        updates: see `ice`, as for all arguments.
        keep: of sweeps.
        clip: whether draws stay in the observed range, at whose ends they are reflected. Without it
            collinear columns can drift off.

    Returns:
        A method for tables (tag `draws`) with `fill`, the last state of its chain, and `sample`.

    Raises:
        OptionError: an argument out of range.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(400, 2))
        >>> x[:200, 1] = np.nan  # unrelated columns: draws spread as the column does
        >>> data = ji.observe(x)
        >>> method = ji.baselines.mice(clip=False)
        >>> state = ji.fit(method, jax.random.key(0), data, 10)
        >>> drawn = method.sample(jax.random.key(1), state, data)[:200, 1]
        >>> 0.8 < float(drawn.std()) < 1.2
        True

    Source: van Buuren and Groothuis-Oudshoorn (2011), method `norm`, with the ridge of `ice` in
    place of its fixed one. scikit-learn's `sample_posterior=True` adds the slopes' uncertainty to
    each row by itself; here one draw serves all rows of a sweep, as multiple imputation asks.
    """
    return _chain(updates, keep, clip, draws=True)


def _chain(updates: int, keep: int, clip: bool, *, draws: bool) -> Method:
    if updates < 1 or keep < 1:
        raise OptionError(f"updates is {updates} and keep {keep}; expected at least 1")

    def init(key: PRNGKey, data: Observed) -> ChainState:
        del key
        if data.values.ndim != 2:
            raise DataError(
                f"data has shape {data.values.shape}; chained equations take a table, (n, columns)"
            )
        mean, scale = channel_moments(data)
        x = _standardise(data, mean, scale)
        used = data.mask & (data.weight > 0)[:, None]
        low = jnp.where(used, x, jnp.inf).min(0)
        high = jnp.where(used, x, -jnp.inf).max(0)
        # a column with nothing observed has no range, and is its mean
        low, high = (jnp.where(jnp.isfinite(a), a, 0) for a in (low, high))
        order = jnp.argsort(-used.sum(0), stable=True).astype(jnp.int32)
        zeros = jnp.zeros((keep, x.shape[1]), x.dtype)
        rules = Rules(jnp.zeros((*zeros.shape, x.shape[1]), x.dtype), zeros, zeros)
        return ChainState(x, mean, scale, low, high, order, rules, jnp.zeros((), jnp.int32))

    def bounded(column: jax.Array, state: ChainState, j: jax.Array) -> jax.Array:
        if not clip:
            return column
        low, high = state.low[j], state.high[j]
        return _reflected(column, low, high) if draws else jnp.clip(column, low, high)

    def step(key: PRNGKey, state: ChainState, data: Observed) -> tuple[ChainState, Info]:
        def column(x, inputs):
            j, turn = inputs
            k_rule, k_noise = jax.random.split(jax.random.fold_in(key, turn))
            others = x.at[:, j].set(0)
            usable = jnp.where(data.mask[:, j], data.weight, 0)
            ridge = _ridge.fit(others, x[:, j], usable, updates=updates)
            rule = _drawn(k_rule, ridge, j) if draws else _expected(ridge)
            return _apply(k_noise, x, data.mask, rule, j, lambda c: bounded(c, state, j)), rule

        turns = jnp.arange(len(state.order))
        x, found = jax.lax.scan(column, state.x, (state.order, turns))
        latest = jax.tree.map(lambda leaf: jnp.zeros_like(leaf).at[state.order].set(leaf), found)
        rules = jax.tree.map(
            lambda old, new: jnp.concatenate([old[1:], new[None]]), state.rules, latest
        )
        moved = jnp.where((data.weight > 0)[:, None], jnp.abs(x - state.x), 0)
        missing = jnp.maximum((~data.mask & (data.weight > 0)[:, None]).sum(), 1)
        change = moved.sum() / missing.astype(x.dtype)
        after = state._replace(x=x, rules=rules, done=state.done + 1)
        return after, Info(change, {"largest_change": moved.max()})

    def fill(state: ChainState, data: Observed) -> jax.Array:
        return clamp(state.x * state.scale[None] + state.mean[None], data)

    def sample(key: PRNGKey, state: ChainState, data: Observed) -> jax.Array:
        k_which, k_run = jax.random.split(key)
        which = jnp.arange(keep)
        if draws:
            ready = jnp.clip(state.done, 1, keep)
            which = keep - 1 - jax.random.randint(k_which, (keep,), 0, ready)

        def column(x, turn):
            i, j = which[turn // d], state.order[turn % d]
            rule = jax.tree.map(lambda leaf: leaf[i, j], state.rules)
            k = jax.random.fold_in(k_run, turn)
            return _apply(k, x, data.mask, rule, j, lambda c: bounded(c, state, j)), None

        x, d = _standardise(data, state.mean, state.scale), len(state.order)
        x, _ = jax.lax.scan(column, x, jnp.arange(keep * d))
        return clamp(x * state.scale[None] + state.mean[None], data)

    return Method(init, step, fill=fill, sample=sample, tag="draws" if draws else "point")


def _reflected(x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Folded at both ends: clipped draws would pile up there."""
    span = high - low
    turn = jnp.mod(x - low, jnp.where(span > 0, 2 * span, 1))
    folded = jnp.where(span > 0, low + jnp.minimum(turn, 2 * span - turn), low)
    return jnp.where((x >= low) & (x <= high), x, folded)


def _standardise(data: Observed, mean: Float[Array, "d"], scale: Float[Array, "d"]) -> jax.Array:
    return jnp.where(data.mask, (data.values - mean[None]) / scale[None], 0)


def _expected(ridge: _ridge.Ridge) -> Rules:
    """The regression as fitted, without noise."""
    intercept = ridge.level - ridge.centre @ ridge.coef
    return Rules(ridge.coef, intercept, jnp.zeros_like(ridge.noise))


def _drawn(key: PRNGKey, ridge: _ridge.Ridge, j: Int[Array, ""]) -> Rules:
    """A regression from the posterior of its slopes and level."""
    k_slopes, k_level = jax.random.split(key)
    noise = jax.random.normal(k_slopes, ridge.coef.shape, ridge.coef.dtype)
    # by the symmetric root: the same draw whichever signs the eigenvectors came with
    away = ridge.vectors @ (ridge.spread * (ridge.vectors.T @ noise))
    # the posterior of the slope of the column itself is the prior, for it was left out
    coef = (ridge.coef + away).at[j].set(0)
    shift = jax.random.normal(k_level, (), coef.dtype) * ridge.noise
    level = ridge.level + shift / jnp.sqrt(jnp.maximum(ridge.rows, 1))
    return Rules(coef, level - ridge.centre @ coef, ridge.noise)


def _apply(
    key: PRNGKey,
    x: Float[Array, "n d"],
    mask: Bool[Array, "n d"],
    rule: Rules,
    j: Int[Array, ""],
    bounded,
) -> Float[Array, "n d"]:
    """`x` with the missing entries of column `j` as a regression has them."""
    noise = rule.noise * jax.random.normal(key, x.shape[:1], x.dtype)
    column = bounded(x @ rule.coef + rule.intercept + noise)
    return x.at[:, j].set(jnp.where(mask[:, j], x[:, j], column))
