"""Chained equations: every column regressed on all others, in turn, until nothing changes."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaximpute import registry
from jaximpute._errors import DataError, OptionError
from jaximpute.masking import channel_moments, channel_range, clamp, standardise, used
from jaximpute.maths.averages import median_of
from jaximpute.methods.simple import _guess
from jaximpute.methods.simple._categories import likeliest, targets
from jaximpute.methods.simple._chain import Chain, Range, Rules
from jaximpute.types import Info, Method, Observed, PRNGKey, State

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 10},
    "best": {"steps": 100},
    # as scikit-learn has it
    "paper": {"steps": 10, "clip": False},
}
_SETTLED = 2e-4  # how far a missing entry moves in a sweep, in standard deviations


class ChainState(NamedTuple):
    """The completed rows, in standardised columns, and the regressions of the last sweeps."""

    x: Float[Array, "n d"]
    mean: Float[Array, "d"]
    scale: Float[Array, "d"]
    low: Float[Array, "d"]  # observed, in the units of the data
    high: Float[Array, "d"]
    order: Int[Array, "targets"]  # numbers and categories, the least missing first
    guess: tuple[Float[Array, "d"], Float[Array, "d d"]]  # a Gaussian, to complete rows at first
    first: Rules  # of the first sweep
    rules: Rules
    penalty: Float[Array, "d"]  # of the slopes of categories
    done: Int[Array, ""]

    @property
    def ends(self) -> Range:
        """The observed range, standardised."""
        return Range((self.low - self.mean) / self.scale, (self.high - self.mean) / self.scale)


def ice(
    *,
    updates: int = 10,
    keep: int = 10,
    clip: bool = True,
    categories: Sequence[int] | None = None,
) -> Method:
    r"""Imputation by chained equations: each missing entry is its regression's prediction.

    One `step` is a sweep. In turn, the least missing first, each column :math:`j` is regressed on
    all the others as completed so far,

    .. math:: x_j \approx c_j + \sum_{k \ne j} W_{jk} x_k \quad \text{on rows that have } x_j,

    by a ridge whose precisions maximise the evidence, and its missing entries become the
    predictions. Columns are standardised first. The indicators of a category are one target: none
    of them helps to predict another, and its level :math:`y` follows a multinomial regression with
    a ridge,

    .. math:: P(y_i = k) = p_{ik} \propto \exp(b_k + B_k x_i), \quad \max_{b, B} \;
        \sum_i \log p_{i y_i} - \frac{\lambda}{2} \|B\|^2 + \frac{1}{K} \sum_k \log p_k(\bar x),

    whose last term is a row at the mean :math:`\bar x` with a share of every level. Slopes and
    intercepts are finite also where levels are separated. :math:`\lambda` is updated once a sweep.
    Within the chain a missing level is its probabilities; the answer is the likeliest level. The
    sine and cosine of a direction are one target, too: neither helps to predict the other.

    The first completion is the conditional mean of a Gaussian, fitted by a few passes of EM, so
    that columns which determine one another do not hold each other at a poor guess. In the first
    sweep a category does not see those that come later in the order.

    Args:
        updates: of the ridge's two precisions in each fit, at least 1.
        keep: sweeps whose regressions are kept, at least 1; `sample` replays them in order.
        clip: whether predictions stay in the range observed in their column; in twice that range
            where the noise is below a tenth of a standard deviation, as for copies.
        categories: for each column the number of the category whose levels it and others indicate,
            -1 for a number; a category of one column is a number with two values, and gets one of
            them. The sine and cosine of a direction share a number of -2 or less. None = all
            plain numbers.

    Returns:
        A method for tables with `fill` and `estimate`. The time of a sweep grows with
        the cube of the number of columns, times rows or columns, whichever is more.

    Raises:
        OptionError: an argument out of range; later, `categories` of another length than the
            columns.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(200, 1)) @ np.array([[1.0, 2.0]])
        >>> x[0] = [1.0, np.nan]
        >>> data = ji.observe(x)
        >>> method = ji.methods.ice()
        >>> state = ji.fit(method, jax.random.key(0), data, 3)
        >>> round(float(ji.complete(method, jax.random.key(1), state, data)[0, 1]), 1)
        2.0

    Source: van Buuren and Groothuis-Oudshoorn, "mice: Multivariate Imputation by Chained Equations
    in R", J. Stat. Software 45 (2011); sweeps, order and ridge as in scikit-learn's
    `IterativeImputer`, which starts from column means, keeps the regressions of all sweeps and does
    not clip. The row of all levels is the augmentation of White, Daniel and Royston, "Avoiding bias
    due to perfect prediction in multiple imputation of incomplete categorical variables", Comput.
    Stat. Data Anal. 54 (2010), in its smallest form.
    """
    return _chain(updates, keep, clip, categories, draws=False)


def mice(
    *,
    updates: int = 10,
    keep: int = 10,
    clip: bool = True,
    categories: Sequence[int] | None = None,
) -> Method:
    r"""Multiple imputation by chained equations: each missing entry is drawn, not predicted.

    As `ice`, but each fit draws its noise, slopes and level from their posterior, and each missing
    entry from the regression so drawn. With :math:`\nu` the rows less the slopes they determine,

    .. math:: \sigma_j^2 \sim \hat\sigma_j^2 \, \nu / \chi^2_\nu, \qquad
        W_j \sim p(W_j \mid x, \sigma_j), \qquad x_{ij} \sim N(c_j + W_j x_i, \sigma_j^2),

    so that many completions differ by as much as is not known. Of a direction the sine is drawn
    first, and the cosine given it, which is one draw of the two. A category is fitted to rows with
    random weights :math:`\omega_i \sim \mathrm{Exp}(1)`, the Bayesian bootstrap, and its level is
    drawn from :math:`p_{ik}`. The first completion is a draw, too. `sample` makes such a completion
    of new rows, and runs a chain of `keep` sweeps on it after the first, each under the regressions
    of one of the kept sweeps, chosen at random.

    Args:
        updates: see `ice`, as for all arguments.
        keep: of sweeps.
        clip: whether draws stay in the observed range, at whose ends they are reflected. Without it
            collinear columns can drift off.
        categories: the category that each column is of.

    Returns:
        A method for tables with `sample`, and the median of draws for its `estimate`.

    Raises:
        OptionError: an argument out of range.
        DataError: later, for data that is not a table.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> x = np.random.default_rng(0).normal(size=(400, 2))
        >>> x[:200, 1] = np.nan  # unrelated columns: draws spread as the column does
        >>> data = ji.observe(x)
        >>> method = ji.methods.mice(clip=False)
        >>> state = ji.fit(method, jax.random.key(0), data, 10)
        >>> drawn = method.sample(jax.random.key(1), state, data)[:200, 1]
        >>> 0.8 < float(drawn.std()) < 1.2
        True

    Source: van Buuren and Groothuis-Oudshoorn (2011): methods `norm`, with the ridge of `ice` in
    place of its fixed one, and `logreg.boot` and `polyreg`, whose levels are drawn likewise;
    `polyreg` itself does not draw its regression. The weights are those of Newton, Polson and Xu,
    "Weighted Bayesian bootstrap for scalable posterior distributions", Can. J. Stat. 49 (2021).
    Directions in which the rows used do not differ get slope 0 for categories. scikit-learn's
    `sample_posterior=True` adds the slopes' uncertainty to each row by itself; here one draw serves
    all rows of a sweep, as multiple imputation asks.
    """
    return _chain(updates, keep, clip, categories, draws=True)


def _chain(
    updates: int, keep: int, clip: bool, categories: Sequence[int] | None, *, draws: bool
) -> Method:
    if updates < 1 or keep < 1:
        raise OptionError(f"updates is {updates} and keep {keep}; expected at least 1")

    def chain(data: Observed) -> Chain:
        return Chain(targets(categories, data.values.shape[1]), updates, clip, draws)

    def init(key: PRNGKey, data: Observed) -> ChainState:
        if data.values.ndim != 2:
            raise DataError(
                f"data has shape {data.values.shape}; chained equations take a table, (n, columns)"
            )
        return _start(key, chain(data), keep, data)

    def step(key: PRNGKey, state: ChainState, data: Observed) -> tuple[ChainState, Info]:
        after = _sweep(key, chain(data), state, data)
        real = (data.weight > 0)[:, None]
        moved = jnp.where(real, jnp.abs(after.x - state.x), 0)
        missing = jnp.maximum((~data.mask & real).sum(), 1)
        change = moved.sum() / missing.astype(moved.dtype)
        return after, Info(change, {"largest_change": moved.max()})

    def fill(state: ChainState, data: Observed) -> jax.Array:
        completed = state.x * state.scale[None] + state.mean[None]
        of = chain(data).of
        return clamp(likeliest(completed, state.low, state.high, data.mask, of), data)

    def complete(key: PRNGKey, state: ChainState, data: Observed) -> jax.Array:
        return fill(state._replace(x=_replay(key, chain(data), state, data)), data)

    if draws:
        estimate = median_of(complete, categories=categories)
        return Method(init, step, estimate=estimate, sample=complete)
    return Method(init, step, fill, estimate=complete)


def _start(key: PRNGKey, run: Chain, keep: int, data: Observed) -> ChainState:
    """Moments, ranges and order of the columns, and the first completion."""
    d = data.values.shape[1]
    mean, scale = channel_moments(data)
    x = standardise(data, mean, scale).values
    # a column with nothing observed has no range, and is its mean
    low, high = channel_range(data, mean)
    seen = used(data).sum(0)[run.of.members[:, 0]]
    order = jnp.argsort(-seen, stable=True).astype(jnp.int32)
    none = jnp.zeros(d, x.dtype)
    rules = Rules(jnp.zeros((d, d), x.dtype), none, none)
    kept = jax.tree.map(lambda leaf: jnp.zeros((keep, *leaf.shape), x.dtype), rules)
    done = jnp.zeros((), jnp.int32)
    k_rows, k_begin = jax.random.split(key)
    guess = _guess.fit(k_rows, x, data.mask, data.weight)
    state = ChainState(x, mean, scale, low, high, order, guess, rules, kept, none + 1, done)
    return state._replace(x=_begin(k_begin, run, state, data))


def _begin(key: PRNGKey, run: Chain, state: ChainState, data: Observed) -> jax.Array:
    """The first completion, by a Gaussian."""
    x = standardise(data, state.mean, state.scale).values
    x = _guess.complete(key if run.draws else None, x, data.mask, *state.guess)
    return likeliest(x, *state.ends, data.mask, run.of) if run.draws else x


def _sweep(key: PRNGKey, run: Chain, state: ChainState, data: Observed) -> ChainState:
    """Every target regressed on the others and completed, in turn."""
    begins, target = state.done == 0, jnp.asarray(run.of.target)
    levelled = jnp.asarray(run.of.levelled)
    hidden = jnp.asarray(run.of.hidden(drawn=run.draws))
    turns = jnp.arange(len(state.order))
    turn_of = jnp.zeros_like(state.order).at[state.order].set(turns)[target]

    def visit(carry, turn):
        x, rules, penalty = carry
        t = state.order[turn]
        k_rule, k_fill = jax.random.split(jax.random.fold_in(key, turn))
        # a category is first drawn without those that come later: what they determine of it
        # would hold it at their first guess
        later = begins & levelled[target] & levelled[t] & (turn_of > turn)
        use = ~hidden[t] & ~later
        rules, penalty = run.learn(k_rule, x, data, t, use, state.ends, rules, penalty)
        return (run.apply(k_fill, x, data.mask, t, state.ends, rules), rules, penalty), None

    before = jax.tree.map(lambda leaf: leaf[-1], state.rules)
    (x, latest, penalty), _ = jax.lax.scan(visit, (state.x, before, state.penalty), turns)

    def kept(old, new):
        all_new = jnp.broadcast_to(new[None], old.shape)
        return jnp.where(begins, all_new, jnp.concatenate([old[1:], new[None]]))

    first = jax.tree.map(lambda a, b: jnp.where(begins, a, b), latest, state.first)
    rules = jax.tree.map(kept, state.rules, latest)
    return state._replace(x=x, first=first, rules=rules, penalty=penalty, done=state.done + 1)


def _replay(key: PRNGKey, run: Chain, state: ChainState, data: Observed) -> jax.Array:
    """Rows completed by the first sweep's regressions and then the kept ones."""
    k_begin, k_which, k_run = jax.random.split(key, 3)
    keep, number = len(state.rules.coef), len(state.order)
    which = jnp.arange(keep)
    if run.draws:
        ready = jnp.clip(state.done - 1, 1, keep)
        which = keep - 1 - jax.random.randint(k_which, (keep,), 0, ready)
    rules = jax.tree.map(
        lambda first, kept: jnp.concatenate([first[None], kept]), state.first, state.rules
    )
    sweeps = jnp.concatenate([jnp.zeros_like(which[:1]), 1 + which])

    def visit(x, turn):
        sweep, t = sweeps[turn // number], state.order[turn % number]
        own = jax.tree.map(lambda leaf: leaf[sweep], rules)
        return run.apply(jax.random.fold_in(k_run, turn), x, data.mask, t, state.ends, own), None

    x = _begin(k_begin, run, state, data)
    return jax.lax.scan(visit, x, jnp.arange((1 + keep) * number))[0]


def ice_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 30,
    **options: Any,
) -> registry.Plan:
    """`ice` for given data; it stops when entries hardly move any more.

    Args:
        data, kind, times, categories: see `registry.build`.
        steps: sweeps, at most.
        options: of the factory.

    Returns:
        The method and its number of steps.
    """
    del data, kind, times
    return registry.Plan(ice(categories=categories, **options), steps, chunk=5, hooks=(_settled,))


def mice_recipe(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    steps: int = 30,
    **options: Any,
) -> registry.Plan:
    """`mice` for given data; see `ice`. A chain of draws never settles."""
    del data, kind, times
    return registry.Plan(mice(categories=categories, **options), steps, chunk=5)


def _settled(t: int, state: State, info: Info) -> bool:
    del t, state
    return bool(info.loss[-1] < _SETTLED)
