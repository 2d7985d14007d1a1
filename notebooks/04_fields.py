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
# # Complete fields from incomplete ones
#
# A satellite sees a part of the sea on each pass, and never all of it. Can a network that has never
# seen a complete field learn to complete one? It can, if it is asked the right questions (Zhou et
# al., 2026): show it a part of what was observed, the *context*, ask for another part, the *query*,
# and choose the two so that what is hidden looks like a real hole.
#
# With `JAXIMPUTE_QUICK=1` in the environment everything is smaller, and done in about a minute.

# %%
import os

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import xarray as xr

import jaximpute as ji
from jaximpute import missing, partitions
from jaximpute.methods.papers.context_query.exposure import exposure_audit
from jaximpute.physics import advection, bayes, initial

QUICK = bool(os.environ.get("JAXIMPUTE_QUICK"))
FILMS, STEPS = (1500, 1200) if QUICK else (4000, 3000)

# %% [markdown]
# ## 1. Films with holes
#
# A random field that the wind carries to the right by 2.6 cells a frame, four frames of 12 x 12. Of
# nine blocks only five are observed, others in each film, and the same in all its frames. Because
# everything is linear and Gaussian, the least error that any method could make is known.

# %%
SIZE, FRAMES, WIND = 12, 4, jnp.array([0.0, 2.6])
crests = np.hypot(*initial.wavenumbers((SIZE, SIZE)))
amplitude = initial.band((SIZE, SIZE), high=5.5) / np.maximum(crests, 1e-9)
amplitude /= np.sqrt((amplitude**2).mean())  # of unit variance
carry = jax.vmap(lambda first: advection.advect(first, WIND, FRAMES))
waves = carry(jnp.asarray(initial.modes(amplitude), jnp.float32))  # what each wave becomes
weights = np.random.default_rng(0).normal(size=(FILMS, len(waves))).astype(np.float32)
truth = np.tensordot(weights, np.asarray(waves), axes=1)[..., None]
mask = np.asarray(missing.blocks(5)(jax.random.key(0), jnp.ones(truth.shape)))
holed = np.where(mask, truth, np.nan)
TEST = 32  # films to look at and to score; all are learned from, for none is complete
best = float(bayes.least_error(waves, mask[:TEST, ..., 0])[~mask[:TEST, ..., 0]].mean())
print(f"{(~mask).mean():.0%} missing; the least mean squared error possible is {best:.3f}")

# %% [markdown]
# As a user would have them: one `Dataset`, with dimensions and units. Other dimensions than time,
# rows and columns are samples.

# %%
sea = xr.Dataset(
    {"sst": (("film", "time", "y", "x"), holed[..., 0], {"units": "K"})},
    coords={"time": np.arange(FRAMES)},
)
print(sea)

# %% [markdown]
# ## 2. Which questions teach what?
#
# The *exposure* of a place is the probability that it is asked for, given that it and its
# surroundings are not shown: what a hole looks like from the inside. Where it is zero, nothing is
# ever learned of the inside of a hole (Theorem 1). `jaximpute inspect field.nc` prints this for
# files.

# %%
splits = {
    "blocks, one left out": partitions.block(),
    "single pixels": partitions.pixel(0.5, "rest"),
    "all shown, all asked (MissDiff)": partitions.missdiff,
}
figure, panels = plt.subplots(1, 3, figsize=(9, 2.8))
for axes, (name, split) in zip(panels, splits.items(), strict=True):
    audit = exposure_audit(
        split, mask[:, :1], key=jax.random.key(1), draws=1024, radius=1, strict=False
    )
    shown = np.nan_to_num(audit.probability[0, :, :, 0])
    picture = axes.imshow(shown, vmin=0, vmax=0.3, cmap="viridis")
    axes.set_title(f"{name}\n{len(audit.refused)} of {shown.size} places refused", fontsize="small")
    axes.set_axis_off()
figure.colorbar(picture, ax=panels, label="P(asked | not shown)")

# %% [markdown]
# ## 3. Completions
#
# The same network and the same training under two partitions. Beside them a membrane through the
# observed entries (`harmonic`), which learns nothing. Usually the network corrects such a surface;
# here it has none (`surface="none"`), so that all there is to see was learned. Each film lacks its
# blocks in all frames: `never_impute=False` says that these places are no land.

# %%
OPTIONS = {"sgd_total": STEPS, "net": "mlp", "surface": "none"}
OPTIONS |= {"feed": "observed", "never_impute": False}
answers = {
    "harmonic": ji.impute(sea.isel(film=slice(TEST)), "harmonic", never_impute=False),
    "MissDiff": ji.impute(sea, "context_query", partition="missdiff", **OPTIONS),
    "blocks": ji.impute(sea, "context_query", partition="block", **OPTIONS),
}
hidden = ~mask[:TEST, ..., 0]
errors = {}
for name, filled in answers.items():
    gap = filled.sst.values[:TEST] - truth[:TEST, ..., 0]
    errors[name] = float((gap[hidden] ** 2).mean())
    print(f"{name:9} mean squared error {errors[name]:.3f}, {errors[name] / best:.1f} times least")

# %% [markdown]
# Holes, completions and errors of one film, second frame. The wrong partition does not fail at
# random: it fails inside the holes, where it was never asked.

# %%
film, frame = 0, 1


def panel(axes, values, title, **style):
    picture = axes.imshow(values, **style)
    axes.set_title(title, fontsize="small")
    axes.set_axis_off()
    return picture


figure, panels = plt.subplots(2, 4, figsize=(10, 4.6))
bound = {"vmin": -2.5, "vmax": 2.5, "cmap": "RdBu_r"}
panel(panels[0, 0], truth[film, frame, :, :, 0], "truth", **bound)
panel(panels[1, 0], holed[film, frame, :, :, 0], "observed", **bound)
for column, (name, filled) in zip(panels.T[1:], answers.items(), strict=True):
    values = filled.sst.values[film, frame]
    panel(column[0], values, name, **bound)
    wrong = np.abs(values - truth[film, frame, :, :, 0])
    picture = panel(column[1], wrong, f"its error ({errors[name]:.2f} overall)", vmin=0, vmax=2)
figure.colorbar(picture, ax=panels, label="absolute error")

# %% [markdown]
# ## 4. Where is it unsure?
#
# `impute_many` draws several completions (Algorithm 4). Its `spread` is a `Dataset` with the median
# and beside each variable its standard deviation: 0 where observed, in the variable's units.
# `jaximpute impute field.nc -o filled.nc --draws 20` writes the same to a file.

# %%
QUICKER = {"sgd_total": 600, "steps": 5, "members": 2, "draws": 4}
many = ji.impute_many(
    sea.isel(film=slice(512 if QUICK else None)),
    "context_query",
    partition="block",
    **OPTIONS | (QUICKER if QUICK else {"steps": 50, "draws": 20}),
)
spread = many.spread
gap = np.abs(spread.sst.values[:TEST] - truth[:TEST, ..., 0])
possible = np.sqrt(np.asarray(bayes.least_error(waves, mask[:TEST, ..., 0])))
figure, panels = plt.subplots(1, 4, figsize=(11, 2.8))
panel(panels[0], holed[film, frame, :, :, 0], "observed", **bound)
panel(panels[1], gap[film, frame], "error of the median", vmin=0, vmax=2)
panel(panels[2], spread.sst_std.values[film, frame], "standard deviation of draws", vmin=0, vmax=1)
picture = panel(panels[3], possible[film, frame], "of the exact posterior", vmin=0, vmax=1)
figure.colorbar(picture, ax=panels)
print(spread.sst_std.attrs)

# %% [markdown]
# The draws know where the holes are. They are a heuristic, though, and narrower than the exact
# posterior, all the more after a short training: calibrate before you trust a number.

# %%
wide = spread.sst_std.values[:TEST][hidden]
print(f"correlation of error and standard deviation: {np.corrcoef(gap[hidden], wide)[0, 1]:.2f}")
print(
    f"root mean square: error {np.sqrt((gap[hidden] ** 2).mean()):.2f}, "
    f"of draws {np.sqrt((wide**2).mean()):.2f}, exact {np.sqrt(best):.2f}"
)
