"""Do chains of `mice` forget where they began, and do they agree?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaximpute import registry
from jaximpute._errors import DataError, OptionError
from jaximpute.data.codec import Codec
from jaximpute.data.frames import Container, Frame, read
from jaximpute.data.layout import lay_out
from jaximpute.engine.compiled import keep_compiled
from jaximpute.metrics.chains import r_hat
from jaximpute.types import Method, Observed


class Chains(NamedTuple):
    """What chains of `mice` did, sweep by sweep.

    Attributes:
        columns: a name for each number with missing cells, and for each level of a category
            (`sex = f`) or sine and cosine of a direction.
        mean: `(chains, sweeps, columns)` means of the filled cells, in the units of the column; of
            a level its share.
        sd: `(chains, sweeps, columns)` their standard deviations.
        r_hat: by column the `metrics.r_hat` of `mean` and `sd`, over the second half of the sweeps.
    """

    columns: tuple[str, ...]
    mean: np.ndarray
    sd: np.ndarray
    r_hat: pd.DataFrame


def chains(
    data: Container,
    *,
    count: int = 4,
    sweeps: int = 40,
    seed: int = 0,
    preset: str = "balanced",
    options: Mapping[str, Any] | None = None,
) -> Chains:
    r"""Run several chains of `mice` side by side and follow what they fill in.

    The completions of `impute_many(data, "mice")` are draws from the distribution of the missing
    cells if the chains behind them have converged: means and standard deviations of the filled
    cells then have no trend, and chains from different starts mix. :math:`\hat R` measures it; see
    `metrics.r_hat`. Values near 1 do not prove convergence. Values above 1.1 disprove it: give
    `mice` more sweeps (`options={"steps": 100}`), or look for columns that are nearly copies.

    Args:
        data: a table, of the kinds that `impute` takes.
        count: of chains, at least 2.
        sweeps: of each chain, at least 8.
        seed: of everything random.
        preset: of `mice`.
        options: of `mice`.

    Returns:
        The traces, and R-hat by column.

    Raises:
        DataError: the data is no table, or no cell that can be learned is missing.
        OptionError: too few chains or sweeps, or an option that `mice` does not take.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(200, 2)) @ np.array([[1.0, 2.0], [0.0, 1.0]])
        >>> x[:60, 1] = np.nan
        >>> found = chains(x, sweeps=20)
        >>> found.mean.shape, bool((found.r_hat < 1.5).all(axis=None))
        ((4, 20, 1), True)

    Source: van Buuren, "Flexible Imputation of Missing Data", 2nd ed. (2018), section 6.5.2.
    """
    if count < 2 or sweeps < 8:
        raise OptionError(
            f"count is {count} and sweeps {sweeps}; expected at least 2 chains of 8 sweeps"
        )
    frame = read(data)
    if frame.kind != "table":
        raise DataError(f"the data is a {frame.kind}; chained equations complete tables")
    keep_compiled()
    registry.check("mice", kind=frame.kind, preset=preset, options=options or {})
    laid = lay_out(frame)
    missing = np.isnan(laid.matrix).any(axis=0)
    if laid.data is None or not missing.any():
        raise DataError("no cell of a column that can be learned is missing; nothing to follow")
    plan = registry.build(
        "mice",
        laid.data,
        kind=frame.kind,
        preset=preset,
        categories=laid.categories,
        options=dict(options or {}),
        answer="draw",
    )
    keys = jax.random.split(jax.random.key(seed), count)
    mean, sd = (
        np.asarray(trace)[..., missing] for trace in _follow(plan.method, keys, laid.data, sweeps)
    )
    names, centre, scale = _coordinates(frame, laid.codec)
    names = [name for name, asked in zip(names, missing, strict=True) if asked]
    centre, scale = centre[missing], scale[missing]
    late = sweeps // 2
    agreement = {
        what: np.asarray(r_hat(jnp.asarray(trace[:, late:])))
        for what, trace in (("mean", mean), ("sd", sd))
    }
    return Chains(
        tuple(names),
        mean * scale + centre,
        sd * scale,
        pd.DataFrame(agreement, index=pd.Index(names, name="column")),
    )


def _follow(method: Method, keys: jax.Array, data: Observed, sweeps: int) -> Any:
    """Means and standard deviations of the missing cells after every sweep of every chain."""
    missing = ~data.mask & (data.weight > 0)[:, None]

    def one(key):
        k_init, k_run = jax.random.split(key)

        def sweep(state, t):
            state, _ = method.step(jax.random.fold_in(k_run, t), state, data)
            x = state.x * state.scale[None] + state.mean[None]
            mean = jnp.mean(x, axis=0, where=missing)
            return state, (mean, jnp.std(x, axis=0, where=missing))

        return jax.lax.scan(sweep, method.init(k_init, data), jnp.arange(sweeps))[1]

    return jax.jit(jax.vmap(one))(keys)


def _coordinates(frame: Frame, codec: Codec) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Of each column of the matrix its name, centre and scale."""
    names = [frame.columns[i].name for i in codec.numeric]
    centre, scale = codec.centre.tolist(), codec.scale.tolist()
    for block in codec.levels:
        column = frame.columns[block.column]
        names += [f"{column.name} = {column.levels[int(code)]}" for code in block.codes]
        centre += block.share.tolist()
        scale += [block.scale] * len(block.codes)
    for circle in codec.circles:
        names += [f"{frame.columns[circle.column].name} ({part})" for part in ("sine", "cosine")]
        centre += np.asarray(circle.centre).tolist()
        scale += [circle.scale] * 2
    return names, np.array(centre), np.array(scale)
