# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The story of SPIRIT
#
# SPIRIT (Chen et al., 2026) starts from a reading of diffusion models: filling a gap by running a
# diffusion backwards is a sequence of small optimisation problems, and each of them holds two
# terms that imputation has no use for. This notebook shows the first of them at work, then the
# method on a real series, an honest comparison, and last the functions underneath.
#
# With `JAXIMPUTE_QUICK=1` in the environment everything is smaller, and done in under a minute.

# %%
import os
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.collections import LineCollection

import jaximpute as ji

QUICK = bool(os.environ.get("JAXIMPUTE_QUICK"))
ROOT = next(p for p in (Path.cwd(), *Path.cwd().parents) if (p / "examples").is_dir())

# %% [markdown]
# ## 1. Transport that may leave an outlier out
#
# Two clouds of points: a source with two modes, and a target with the same two modes a little to
# the right, and a few stray points far above. Optimal transport has to deliver the whole mass of
# the target, so the stray points must be reached from somewhere, and the modes are torn to feed
# them. The semi-proximal discrepancy, equation (6), keeps the masses of the source, and pays a
# Kullback-Leibler penalty where those of the target are not met.

# %%
k_source, k_target, k_stray = jax.random.split(jax.random.key(0), 3)
modes = jnp.repeat(jnp.array([[-1.5, 0.0], [1.5, 0.0]]), 20, axis=0)
source = modes + 0.25 * jax.random.normal(k_source, (40, 2))
target = modes + jnp.array([[0.4, 0.0]]) + 0.25 * jax.random.normal(k_target, (40, 2))
stray = jnp.array([[0.2, 6.0]]) + 0.2 * jax.random.normal(k_stray, (4, 2))
contaminated = jnp.concatenate([target, stray])


# %%
def draw(axis, coupling, title):
    """The points, and a line for each pair that exchanges a good share of a point's mass."""
    share = np.asarray(coupling) * len(source)
    pairs = [(i, j) for i, j in np.argwhere(share > 0.1)]
    ends = np.array([[source[i], contaminated[j]] for i, j in pairs])
    widths = [share[i, j] for i, j in pairs]
    axis.add_collection(LineCollection(ends, linewidths=widths, colors="0.6", zorder=0))
    axis.scatter(*source.T, s=12, label="source")
    axis.scatter(*contaminated.T, s=12, label="target")
    axis.set_title(title)


plain = ji.transport.balanced(source, contaminated, epsilon=0.05)
relaxed = ji.transport.semi_relaxed(source, contaminated, epsilon=0.05, rho=1.0)
figure, axes = plt.subplots(1, 2, figsize=(8, 4), sharey=True, layout="constrained")
draw(axes[0], plain.coupling, "optimal transport")
draw(axes[1], relaxed.coupling, "semi-proximal transport")
axes[0].legend()
plt.show()

# %% [markdown]
# The mass that each plan sends to the stray points, and what happens to the cost as they move
# away: the one grows with the square of the distance, the other stops growing.

# %%
shares = {
    "optimal transport": float(plain.coupling[:, len(target) :].sum()),
    "semi-proximal transport": float(relaxed.coupling[:, len(target) :].sum()),
}
print({name: round(share, 4) for name, share in shares.items()})

# %%
distances = np.array([1.0, 2.0, 4.0, 8.0])
costs = {name: [] for name in shares}
for distance in distances:
    moved = contaminated.at[len(target) :, 1].add(distance - 6.0)
    costs["optimal transport"].append(ji.transport.balanced(source, moved, epsilon=0.05).value)
    costs["semi-proximal transport"].append(
        ji.transport.semi_relaxed(source, moved, epsilon=0.05, rho=1.0).value
    )

figure, axis = plt.subplots(figsize=(5, 3), layout="constrained")
for name, values in costs.items():
    axis.plot(distances, values, "o-", label=name)
axis.set(xlabel="distance of the stray points", ylabel="cost", yscale="log")
axis.legend()
plt.show()

# %% [markdown]
# ## 2. A real series with its own gaps
#
# The weekly CO2 record of Mauna Loa: 2284 weeks, 59 of them missing, the longest gap 18 weeks.
# The picture shows the years in which most are missing. Observed values come back as they were.

# %%
co2 = pd.read_csv(ROOT / "examples" / "co2.csv", parse_dates=["date"], index_col="date")
if QUICK:
    co2 = co2[:"1968"]
filled = ji.impute(co2, "spirit", preset="fast" if QUICK else "balanced")
observed = co2["co2"].notna()
assert (filled["co2"][observed] == co2["co2"][observed]).all()

figure, axis = plt.subplots(figsize=(8, 3))
early = filled[:"1966"]
axis.plot(co2[:"1966"], color="0.6", label="observed")
axis.plot(early[~observed[:"1966"]], ".", color="C3", label="filled in")
axis.set_ylabel("CO2 (ppm)")
axis.legend()
plt.show()

# %% [markdown]
# ## 3. Is that better than a straight line?
#
# On the real gaps nobody knows. On cells that are known, hidden from the method and then
# compared, one can: `evaluate` does that, with all methods on the same cells. Here it hides
# blocks of weeks, as the record's own gaps are blocks. Read the rows of the simple imputers
# before that of SPIRIT.

# %%
scores = ji.evaluate(
    co2,
    ["spirit", "gaussian", "linear", "mean"],
    pattern="block",
    repeats=1 if QUICK else 3,
    preset="fast" if QUICK else "balanced",
)

# %% [markdown]
# ## 4. The functions underneath
#
# `impute` standardises, chooses windows and a network, and runs the loop. The same by hand: data
# with holes become values and a mask, a method is a tuple of pure functions, `fit` runs it and
# `complete` reads the result.
#
# This is the algorithm as it is printed, with the noise on all entries. The level of this series
# never recurs, so the score is learned on windows of 24 weeks with their means taken off
# (`centre`). The start is linear interpolation.

# %%
values = co2.to_numpy(np.float32)[None]  # one long series is one row: (1, weeks, 1)
level, spread = np.nanmean(values), np.nanstd(values)
data = ji.observe((values - level) / spread)
method = ji.methods.spirit(
    ji.nets.adaln_mlp((24, 1), width=64 if QUICK else 256),
    ji.methods.linear(),
    noise_on="all",
    sigma=0.1,
    moves=12,
    holdout=0.05,
    view=partial(ji.views.windows, length=24),
    centre=True,
    score_steps=100 if QUICK else 400,
)

# %% [markdown]
# A hook sees what each pass of the outer loop reports. The error is that on a few observed
# entries which the method hides from itself; the best pass is what comes back.

# %%
passes = []


def remember(t, state, info):
    passes.append(jax.device_get(info))
    return False


k_fit, k_complete = jax.random.split(jax.random.key(1))
state = ji.fit(method, k_fit, data, n=3 if QUICK else 10, chunk=1, hooks=[remember])
completed = ji.complete(method, k_complete, state, data)
assert bool(jnp.all(jnp.where(data.mask, completed == data.values, True)))

# %%
loss = np.concatenate([info.loss for info in passes])
error = np.concatenate([info.metrics["error"] for info in passes]) * spread
start = passes[0].metrics["start_error"][0] * spread

figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].plot(1 + np.arange(len(loss)), loss, "o-")
axes[0].set(xlabel="pass", ylabel="score-matching loss (15)")
axes[1].plot(1 + np.arange(len(error)), error, "o-", label="SPIRIT")
axes[1].axhline(start, color="0.6", label="its start: linear")
axes[1].set(xlabel="pass", ylabel="error on held-out weeks (ppm)")
axes[1].legend()
plt.show()

# %% [markdown]
# A loss of 1 is that of a network which has learned nothing. How far the particles then move, and
# whether the moves help, is the other curve's business: compare it with the line, and with the
# table above, before believing in any of it.
