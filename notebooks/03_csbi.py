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
# # From noise to a series: CSBI
#
# CSBI (Chen et al., 2023) draws the missing part of a series, given the part that is there. It
# learns to run a diffusion backwards: from a prior that is nothing but noise to data that fit what
# was observed. Many draws make intervals.
#
# With `JAXIMPUTE_QUICK=1` in the environment everything is smaller, and done in under a minute.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import jaximpute as ji
from jaximpute.maths.solvers import euler_maruyama

QUICK = bool(os.environ.get("JAXIMPUTE_QUICK"))
GREEN, BLUE = "#4c9f70", "#2f5d8a"

# %% [markdown]
# ## 1. A diffusion that is known exactly
#
# A smooth Gaussian series of 40 steps, of which nine are observed. The process adds noise of
# growing size, $\sigma(t)$ from 0.02 to 5, so the noisy series is Gaussian at every time, and so is
# its law given the observed steps. Its score needs no network.

# %%
length, n = 40, 200
step = np.arange(length)
covariance = np.exp(-0.5 * ((step[:, None] - step[None]) / 4.0) ** 2) + 1e-3 * np.eye(length)
truth = np.random.default_rng(3).multivariate_normal(np.zeros(length), covariance)
seen = np.isin(step, (1, 4, 8, 9, 20, 22, 30, 35, 38))
gain = covariance[np.ix_(~seen, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
mean = jnp.asarray(gain @ truth[seen], jnp.float32)
rest = covariance[np.ix_(~seen, ~seen)] - gain @ covariance[np.ix_(seen, ~seen)]
values, vectors = (jnp.asarray(part, jnp.float32) for part in np.linalg.eigh(rest))

process = ji.processes.ve(0.02, 5.0)


def score(x, t):
    """Of the missing steps at noise level sigma(t), given the observed ones."""
    _, sigma = process.marginal(t)
    inside = (x - mean[None]) @ vectors / (values + sigma**2)[None]
    return -inside @ vectors.T


# %% [markdown]
# The reverse equation $dx = -g^2 \nabla\log p_t\,dt + g\,d\bar W$ is run from t = 1, where there is
# only the prior, to t = 0. Each panel shows 80 % of 200 paths; dark dots are observed, blue ones
# hidden. This is Figure 7 of the paper on a series where it can be checked.

# %%
steps = 200
k_prior, k_run = jax.random.split(jax.random.key(0))
start = process.prior(k_prior, (n, int((~seen).sum())))
paths = euler_maruyama(
    lambda x, t: -(process.diffusion(t) ** 2) * score(x, t),
    process.diffusion,
    k_run,
    start,
    t0=1.0,
    t1=0.0,
    steps=steps,
    save=True,
)
figure, panels = plt.subplots(5, 1, figsize=(7, 8), sharex=True)
for axes, share in zip(panels, (0.0, 0.4, 0.6, 0.8, 1.0), strict=True):
    state = start if share == 0 else paths[round(share * steps) - 1]
    low, high = np.quantile(state, (0.1, 0.9), axis=0)
    axes.fill_between(step[~seen], low, high, color=GREEN, alpha=0.5, label="80 % of the paths")
    axes.plot(step[seen], truth[seen], ".", color="black", label="observed")
    axes.plot(step[~seen], truth[~seen], ".", color=BLUE, markersize=4, label="hidden")
    axes.set_title(f"t = {1 - share:.1f}", loc="left", fontsize="medium")
panels[0].legend(loc="upper right", fontsize="x-small", ncols=3)
panels[-1].set_xlabel("step")
figure.tight_layout()

# %% [markdown]
# What arrives has the mean and spread of the exact conditional law.

# %%
end = np.asarray(paths[-1])
exact = np.sqrt(np.diag(rest))
print(f"mean off by {np.abs(end.mean(axis=0) - mean).max():.2f} at most")
print(f"spread {end.std(axis=0).mean():.3f}, exact {exact.mean():.3f}")

# %% [markdown]
# ## 2. Learning it
#
# Two waves with one random phase. The network is shown random parts of windows and
# asked for the rest. `fit` first takes the warm-up in steps that a hook sees with numbers up to 0,
# then a round of the bridge: forward paths from data for the backward policy, backward paths from
# the prior for the forward policy.

# %%
rng = np.random.default_rng(0)


def waves(number, time=24):
    t = np.arange(time) / time
    phase = rng.uniform(size=(number, 1))
    pair = [np.sin(2 * np.pi * (t + phase)), np.cos(2 * np.pi * (t + phase)) ** 2]
    return np.float32(np.stack(pair, axis=-1) + 0.05 * rng.normal(size=(number, time, 2)))


width, warmup = (16, 200) if QUICK else (32, 2000)
method = ji.methods.csbi(
    ji.nets.csdi_transformer((24, 2), width=width, layers=1 if QUICK else 2, heads=2),
    # compiling the bridge takes most of a minute: the quick version keeps the forward policy at 0
    None if QUICK else ji.nets.policy_unet(width=4, levels=2, blocks=1),
    ji.processes.ve(0.02, 5.0),
    warmup=warmup,
    warmup_batch=8 if QUICK else 16,
    warmup_lr=3e-3,
    batch=16,
    cache=32,
    sampler="exponential",
    draw_steps=8,
)
told = []


def look(t, state, info):
    """A hook: called after each step of the warm-up (t up to 0), then after each round."""
    told.append((t, float(info.loss[-1])))
    return False


data = ji.from_nan(waves(1000))
state = ji.fit(method, jax.random.key(1), data, 0 if QUICK else 2, chunk=1, hooks=[look])
for t, loss in told:
    print(f"step {t:4d}   loss {loss:.3f}")

# %% [markdown]
# ## 3. Intervals
#
# New windows, with a block and some single steps gone. A hundred draws of each; the band holds 80 %
# of them.

# %%
fresh = waves(20)
holes = np.zeros(fresh.shape, bool)
holes[:, 8:16, 0] = holes[:, 2:8, 1] = True
holes |= rng.random(fresh.shape) < 0.1
asked = ji.from_nan(np.where(holes, np.nan, fresh))
draws = np.asarray(ji.draw_many(method, jax.random.key(2), state, asked, 20 if QUICK else 100))
low, middle, high = np.quantile(draws, (0.1, 0.5, 0.9), axis=0)
figure, panels = plt.subplots(2, 3, figsize=(10, 4), sharex=True, sharey="row")
for row, axes in zip(range(3), panels.T, strict=True):
    for channel, one in enumerate(axes):
        here, t = holes[row, :, channel], np.arange(24)
        one.fill_between(
            t, low[row, :, channel], high[row, :, channel], where=here, color=GREEN, alpha=0.5
        )
        one.plot(t, np.where(here, middle[row, :, channel], np.nan), color=GREEN)
        one.plot(t[~here], fresh[row, ~here, channel], ".", color="black")
        one.plot(t[here], fresh[row, here, channel], ".", color=BLUE)
figure.tight_layout()
inside = ((low <= fresh) & (fresh <= high))[holes].mean()
error = np.sqrt(((middle - fresh)[holes] ** 2).mean())
print(f"{inside:.0%} of hidden values inside the band; RMSE {error:.3f}, noise alone 0.05")

# %% [markdown]
# ## 4. Forecasts
#
# A forecast asks for the last steps of a window. `ji.forecast` does what is around it: the dates
# that follow, windows seen relative to their last value, draws, intervals. The quick version leaves
# it out: compiling it takes half a minute.

# %%
if not QUICK:
    t = np.arange(400.0)
    series = pd.DataFrame(
        {"level": 0.02 * t + np.sin(t / 5) + 0.1 * rng.normal(size=t.size)},
        index=pd.date_range("2024-01-01", periods=t.size),
    )
    found = ji.forecast(series, 12, "csbi0", draws=100, context=36, warmup=2000)
    figure, axes = plt.subplots(figsize=(7, 3))
    past, ahead = series.iloc[-60:], found.median.index
    axes.plot(past.index, past["level"], color="black", linewidth=1)
    axes.plot(ahead, found.median["level"], color=GREEN)
    axes.fill_between(ahead, found.low["level"], found.high["level"], color=GREEN, alpha=0.4)
    figure.autofmt_xdate()
    figure.tight_layout()

# %% [markdown]
# `jaximpute forecast series.csv --time date --horizon 12 --plot ahead.png -o ahead.csv` does the
# same for files, and `ji.impute_many(frame, "csbi", time="date", draws=100)` fills gaps.
