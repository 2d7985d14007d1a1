"""One regression of chained equations: a ridge for a number, class probabilities for a category."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaximpute.methods.simple import _multinomial, _ridge
from jaximpute.methods.simple._categories import Targets
from jaximpute.types import Observed, PRNGKey

_DETERMINED = 0.1  # noise in standard deviations, below which an extreme is no error


class Rules(NamedTuple):
    """A regression for each column (or several, along leading axes); of indicators, their logits.

    A column with two values has the logit of the greater one.
    """

    coef: Float[Array, "*kept d d"]
    intercept: Float[Array, "*kept d"]
    noise: Float[Array, "*kept d"]


class Range(NamedTuple):
    """The least and greatest value observed in each column; of indicators, absent and present."""

    low: Float[Array, "d"]
    high: Float[Array, "d"]


class Chain(NamedTuple):
    """What does not change while a chain runs.

    Attributes:
        of: the targets.
        updates: of a ridge's precisions.
        clip: whether numbers stay in their range.
        draws: whether regressions and entries are drawn, or are what is expected.
    """

    of: Targets
    updates: int
    clip: bool
    draws: bool

    def either(self, t: Int[Array, ""], levels: Callable[[], Any], number: Callable[[], Any]):
        """One of two, by what target `t` is."""
        if not self.of.levelled.any():
            return number()
        return (
            levels() if self.of.levelled.all() else jax.lax.cond(self._levelled(t), levels, number)
        )

    def _levelled(self, t: Int[Array, ""]) -> Bool[Array, ""]:
        return jnp.asarray(self.of.levelled)[t]

    def learn(
        self,
        key: PRNGKey,
        x: Float[Array, "n d"],
        data: Observed,
        t: Int[Array, ""],
        use: Bool[Array, "d"],
        ends: Range,
        rules: Rules,
        penalty: Float[Array, "d"],
    ) -> tuple[Rules, Float[Array, "d"]]:
        """The rules in which target `t` has a new regression on the columns in use."""
        others = jnp.where(use[None], x, 0)

        def number():
            j = jnp.asarray(self.of.members)[t, 0]
            usable = jnp.where(data.mask[:, j], data.weight, 0)
            ridge = _ridge.fit(others, x[:, j], usable, updates=self.updates)
            coef, intercept, noise = drawn(key, ridge, use) if self.draws else expected(ridge)
            return put(j, coef, intercept, noise), penalty

        def levels():
            slots = _slots(self.of, t, ends)
            seen = (_at(data.mask, slots.columns, True) | ~slots.real[None]).all(1)
            usable = jnp.where(seen, data.weight, 0)
            if self.draws:  # bootstrapped, for the posterior
                usable = usable * jax.random.exponential(key, usable.shape, usable.dtype)
            before = _multinomial.Softmax(*(_at(rule, slots.columns, 0, 0) for rule in rules[:2]))
            fitted, after = _multinomial.fit(
                others,
                slots.hot(x).astype(x.dtype),
                usable,
                slots.present,
                before,
                penalty[slots.columns[0]],
            )
            coef, intercept = (jnp.where(slots.lone, leaf - leaf[1:2], leaf) for leaf in fitted)
            coef = jnp.where(use[None], coef, 0)
            found = put(slots.columns, coef, intercept, jnp.zeros_like(intercept))
            return found, penalty.at[slots.columns].set(after, mode="drop")

        def put(columns, *rule):
            return Rules(
                *(
                    old.at[columns].set(new, mode="drop")
                    for old, new in zip(rules, rule, strict=True)
                )
            )

        return self.either(t, levels, number)

    def apply(
        self,
        key: PRNGKey,
        x: Float[Array, "n d"],
        mask: Bool[Array, "n d"],
        t: Int[Array, ""],
        ends: Range,
        rules: Rules,
    ) -> Float[Array, "n d"]:
        """`x` with the missing entries of target `t` as its regression has them."""

        def number():
            j = jnp.asarray(self.of.members)[t, 0]
            column = _ridge.exact(x, rules.coef[j]) + rules.intercept[j]
            if self.draws:
                normal = jax.random.normal(key, x.shape[:1], x.dtype)
                column = column + rules.noise[j] * normal
            if self.clip:
                margin = 0.5 * (ends.high[j] - ends.low[j])
                margin = jnp.where(rules.noise[j] < _DETERMINED, margin, 0)
                keep = _reflected if self.draws else jnp.clip
                column = keep(column, ends.low[j] - margin, ends.high[j] + margin)
            return x.at[:, j].set(jnp.where(mask[:, j], x[:, j], column))

        def levels():
            slots = _slots(self.of, t, ends)
            rule = _multinomial.Softmax(*(_at(one, slots.columns, 0, 0) for one in rules[:2]))
            logits = _multinomial.logits(rule, x, slots.present)
            if self.draws:
                noise = jax.random.gumbel(key, (logits.size,), logits.dtype).reshape(logits.shape)
                level = jnp.argmax(logits + noise, axis=1)
                share = jax.nn.one_hot(level, logits.shape[1], dtype=x.dtype)
            else:
                share = jax.nn.softmax(logits, axis=1)
            value = slots.low[None] + share * (slots.high - slots.low)[None]
            known = _at(mask, slots.columns, True)
            value = jnp.where(known, _at(x, slots.columns, 0), value)
            return x.at[:, slots.columns].set(value, mode="drop")

        return self.either(t, levels, number)


def _reflected(x: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """Folded at both ends: clipped draws would pile up there."""
    span = high - low
    turn = jnp.mod(x - low, jnp.where(span > 0, 2 * span, 1))
    folded = jnp.where(span > 0, low + jnp.minimum(turn, 2 * span - turn), low)
    return jnp.where((x >= low) & (x <= high), x, folded)


class _Slots(NamedTuple):
    """The levels of a category.

    Attributes:
        columns: their indicators, or the number of columns for a slot that has none.
        real: whether they have one.
        lone: whether there is one column, of two values; the second slot is then the lesser one.
        present: whether they occur in any row.
        low: the indicator's value where the level is absent.
        high: where it is present.
    """

    columns: Int[Array, "most"]
    real: Bool[Array, "most"]
    lone: Bool[Array, ""]
    present: Bool[Array, "most"]
    low: Float[Array, "most"]
    high: Float[Array, "most"]

    def hot(self, x: Float[Array, "n d"]) -> Bool[Array, "n most"]:
        """Which level each row holds."""
        held = _at(x, self.columns, 0) > (0.5 * (self.low + self.high))[None]
        held = held & self.real[None]
        return held.at[:, 1].set(jnp.where(self.lone, ~held[:, 0], held[:, 1]))


def _slots(of: Targets, t: Int[Array, ""], ends: Range) -> _Slots:
    columns, lone = jnp.asarray(of.members)[t], jnp.asarray(of.lone)[t]
    low, high = (_at(end, columns, 0, 0) for end in ends)
    real = columns < len(of.target)
    return _Slots(columns, real, lone, (real & (high > low)) | lone, low, high)


def _at(x: jax.Array, columns: jax.Array, other: Any, axis: int = 1) -> jax.Array:
    """Columns of a matrix, or entries along its first axis, and `other` where there are none."""
    where = (slice(None),) * axis + (columns,)
    return x.at[where].get(mode="fill", fill_value=other)


def expected(ridge: _ridge.Ridge) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Slopes, intercept and noise as fitted."""
    return ridge.coef, ridge.level - _ridge.exact(ridge.centre, ridge.coef), ridge.noise


def drawn(
    key: PRNGKey, ridge: _ridge.Ridge, use: Bool[Array, "d"]
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Slopes, intercept and noise from their posterior."""
    k_noise, k_slopes, k_level = jax.random.split(key, 3)
    # scaled inverse chi square
    chi = 2 * jax.random.gamma(k_noise, ridge.freedom / 2, (), ridge.noise.dtype)
    noise = ridge.noise * jnp.sqrt(ridge.freedom / jnp.maximum(chi, jnp.finfo(chi.dtype).tiny))
    normal = jax.random.normal(k_slopes, ridge.coef.shape, ridge.coef.dtype)
    # by the symmetric root: the same draw whichever signs the eigenvectors came with
    away = _ridge.exact(ridge.vectors, ridge.spread(noise) * _ridge.exact(ridge.vectors.T, normal))
    # the posterior of the slope of a column that was left out is the prior
    coef = jnp.where(use, ridge.coef + away, 0)
    shift = jax.random.normal(k_level, (), coef.dtype) * noise
    level = ridge.level + shift / jnp.sqrt(jnp.maximum(ridge.rows, 1))
    return coef, level - _ridge.exact(ridge.centre, coef), noise
