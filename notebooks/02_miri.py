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
# # Draws, not averages: MIRI
#
# A missing cell has no single right answer. The mean of what it may have been has the least squared
# error, and a table filled with means is not like data: modes are joined, spreads are too small,
# correlations too large. MIRI (Yu et al., 2025) draws each missing cell from what it may have been,
# given the cells that are there.
#
# With `JAXIMPUTE_QUICK=1` in the environment everything is smaller, and done in under a minute.

# %%
import os

import jax
import matplotlib.pyplot as plt
import numpy as np

import jaximpute as ji
from jaximpute.methods.papers.miri import dependence as diagnostics

QUICK = bool(os.environ.get("JAXIMPUTE_QUICK"))

# %% [markdown]
# ## 1. Two clusters with holes
#
# The mixture of the paper's Figure 1: two round clusters, and 30 % of the entries gone. A point
# that lacks one coordinate lies on a line through a cluster; a point that lacks both may be
# anywhere, and should fall into either cluster equally often.

# %%
rng = np.random.default_rng(0)
n = 1000 if QUICK else 6000
truth = np.where(rng.random((n, 1)) < 0.5, -2.0, 2.0) + 0.5 * rng.normal(size=(n, 2))
hidden = rng.random(truth.shape) < 0.3
holed = np.where(hidden, np.nan, truth)

# %% [markdown]
# ## 2. Four answers
#
# `impute` returns the estimate: for `miri`, the mean of thirty draws. `answer="draw"` asks for one
# of them.

# %%
options = {"sgd_steps": 400} if QUICK else {}
answers = {
    "mean": ji.impute(holed, "mean"),
    "ice (chained regressions)": ji.impute(holed, "ice"),
    "miri": ji.impute(holed, "miri", **options),
    "miri, a draw": ji.impute(holed, "miri", answer="draw", **options),
}
figure, panels = plt.subplots(1, 5, figsize=(13, 3), sharex=True, sharey=True)
for axes, (name, points) in zip(panels, {"truth": truth, **answers}.items(), strict=True):
    holes = hidden.any(axis=1)
    axes.scatter(*points[~holes].T, s=2, color="#5b7c99", label="nothing was missing")
    axes.scatter(*points[holes].T, s=2, color="#d55e00", label="completed")
    axes.set_title(name, fontsize="medium")
panels[0].legend(loc="upper left", fontsize="x-small", markerscale=3)
figure.tight_layout()

# %% [markdown]
# The errors alone would choose the wrong picture: the mean of draws has a smaller error than a
# draw. The distance between completed rows and true ones tells them apart.

# %%
for name, points in answers.items():
    error = np.sqrt(((points - truth)[hidden] ** 2).mean())
    distance = ji.metrics.energy_distance(*(np.float32(a[:1000]) for a in (points, truth)))
    print(f"{name:26} RMSE {error:.2f}   energy distance {float(distance):.4f}")

# %% [markdown]
# ## 3. Why it works: the mask is forgotten
#
# Where values are missing at random, true rows tell nothing of their mask. Completed rows do, as
# long as completions are unlike data: after filling with means, a row at the mean *is* one with
# holes. Each round of MIRI learns a flow under which that information cannot rise (Proposition 1).
# The library's functions let us watch it.

# %%
data = ji.from_nan(np.float32(holed))
net = ji.nets.velocity_mlp((2,), width=64 if QUICK else 128)
method = ji.methods.miri(net, **options)
told = []


def look(t, state, info):
    """A hook: called after every round, with what the round had to tell."""
    told.append((float(info.metrics["dependence"][-1]), float(info.metrics["mmd"][-1])))
    return False


rounds = 3 if QUICK else 6
state = ji.fit(method, jax.random.key(0), data, rounds, chunk=1, hooks=[look])
start = float(diagnostics.dependence(np.float32(answers["mean"] / 2), data.mask))
figure, axes = plt.subplots(figsize=(5, 3))
axes.plot(range(rounds + 1), [start, *(dependence for dependence, _ in told)], marker="o")
axes.set(xlabel="round (0: column means)", ylabel="dependence of rows and mask", yscale="log")
figure.tight_layout()

# %% [markdown]
# ## 4. Many draws
#
# `draw_many` starts the same rows from other guesses. A row that lacks its second coordinate gets
# a cloud around its own cluster; a row that lacks both gets either cluster.

# %%
draws = ji.draw_many(method, jax.random.key(1), state, data, 20 if QUICK else 100)
one = int(np.flatnonzero(~hidden[:, 0] & hidden[:, 1])[0])
both = int(np.flatnonzero(hidden.all(axis=1))[0])
figure, panels = plt.subplots(1, 2, figsize=(7, 3), sharey=True)
for axes, row, title in zip(panels, (one, both), ("one is missing", "both are"), strict=True):
    axes.hist(np.asarray(draws[:, row, 1]), bins=24, range=(-4, 4), color="#d55e00")
    axes.axvline(truth[row, 1], color="black", linewidth=1)
    axes.set(title=title, xlabel="second coordinate")
figure.tight_layout()

# %% [markdown]
# For data frames and files, `ji.impute_many(table, "miri", draws=5)` and
# `jaximpute impute table.csv --method miri --draws 5 -o draws/` do the same.
