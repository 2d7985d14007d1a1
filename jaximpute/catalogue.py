"""The catalogue: every method by name, in one line each. It loads nothing."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Exact = Literal["", "copies", "cells", "scaled"]


class Entry(NamedTuple):
    """One line of the registry.

    Attributes:
        summary: one line for humans.
        kinds: the kinds of data it takes: `table`, `series`, `image`, `field`.
        draws: whether it draws random completions, besides its estimate.
        inductive: whether it completes rows it was not given.
        factory: what makes the `Method` from keyword options; a function, or `module:function` to
            be loaded when it is needed.
        recipe: likewise, what sets a factory up for given data: it takes
            `(data, *, kind, times, **options)` and returns a `Plan`; one that also takes
            `categories` is told which columns are one category, and `answer` what will be asked.
            The `PRESETS` of its module hold options by preset; the defaults are `balanced`.
        settled: arguments of the factory that the recipe settles, and so no options.
        exact: of methods that copy, interpolate or average cells, which then run in float64: on the
            `cells` themselves, or on `scaled` ones if they compare columns; `copies` take cells of
            directions, too, as they are. Empty for all others, which run in float32.
    """

    summary: str
    kinds: tuple[str, ...]
    draws: bool
    inductive: bool
    factory: str | Callable[..., Any]
    recipe: str | Callable[..., Any] | None = None
    settled: tuple[str, ...] = ()
    exact: Exact = ""


_TABLE, _SERIES, _BOTH = ("table",), ("series",), ("table", "series")
_SPACE = ("image", "field")
_FIELD_SETTLED = ("feeds", "sgd_steps", "scan", "sampler_net")

METHODS: dict[str, Entry] = {
    "mean": Entry(
        "each column's mean",
        _BOTH + _SPACE,
        False,
        True,
        "jaximpute.methods.simple.columns:mean",
        exact="cells",
    ),
    "median": Entry(
        "each column's median",
        _BOTH,
        False,
        True,
        "jaximpute.methods.simple.columns:median",
        exact="cells",
    ),
    "mode": Entry(
        "each column's most frequent value",
        _BOTH,
        False,
        True,
        "jaximpute.methods.simple.columns:mode",
        exact="copies",
    ),
    "locf": Entry(
        "last observation carried forward",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.interpolation:locf",
        exact="cells",
    ),
    "nocb": Entry(
        "next observation carried backward",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.interpolation:nocb",
        exact="cells",
    ),
    "linear": Entry(
        "straight lines between observations",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.interpolation:linear",
        exact="cells",
    ),
    "pchip": Entry(
        "monotone cubic interpolation",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.cubic:pchip",
        exact="cells",
    ),
    "akima": Entry(
        "Akima's cubic interpolation",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.cubic:akima",
        exact="cells",
    ),
    "moving_average": Entry(
        "exponentially weighted average of the neighbours in time",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.interpolation:moving_average",
        exact="cells",
    ),
    "kalman": Entry(
        "smoother of a random walk observed with noise, each channel apart",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.kalman:kalman",
    ),
    "gaussian": Entry(
        "a Gaussian fitted by EM, over columns and time",
        _BOTH,
        True,
        True,
        "jaximpute.methods.simple.gaussian:gaussian",
    ),
    "boosted_smoother": Entry(
        "the Gaussian's answer, corrected by boosted trees that saw where it errs",
        _SERIES,
        False,
        True,
        "jaximpute.methods.simple.boosted_smoother:boosted_smoother",
        "jaximpute.methods.simple.boosted_smoother:boosted_smoother_recipe",
    ),
    "window_gaussian": Entry(
        "draws from one Gaussian of all steps and channels of a window",
        _SERIES,
        True,
        True,
        "jaximpute.methods.simple.window_gaussian:window_gaussian",
    ),
    "knn": Entry(
        "average of the nearest rows",
        _TABLE,
        False,
        True,
        "jaximpute.methods.simple.knn:knn",
        exact="scaled",
    ),
    "soft_impute": Entry(
        "low-rank completion by soft-thresholded singular values",
        _BOTH,
        False,
        False,
        "jaximpute.methods.simple.soft_impute:soft_impute",
    ),
    "sinkhorn": Entry(
        "missing entries that make batches of rows alike, by Sinkhorn divergence",
        _TABLE,
        False,
        False,
        "jaximpute.methods.relatives.sinkhorn:sinkhorn",
        "jaximpute.methods.relatives.sinkhorn:sinkhorn_recipe",
    ),
    "tdm": Entry(
        "TDM (Zhao et al., 2023): batches made alike after an invertible network",
        _TABLE,
        False,
        False,
        "jaximpute.methods.relatives.tdm:tdm",
        "jaximpute.methods.relatives.tdm:tdm_recipe",
    ),
    "knewimp": Entry(
        "KnewImp (Chen et al., 2024): a kernel's gradient flow under a learned energy",
        _TABLE,
        False,
        False,
        "jaximpute.methods.relatives.knewimp:knewimp",
        "jaximpute.methods.relatives.knewimp:knewimp_recipe",
    ),
    "psw_i": Entry(
        "PSW-I (Wang et al., 2025): windows made alike by their spectra, by relaxed transport",
        _SERIES,
        False,
        False,
        "jaximpute.methods.relatives.psw_i:psw_i",
        "jaximpute.methods.relatives.psw_i:psw_i_recipe",
    ),
    "ice": Entry(
        "each column regressed on all others, in turn, until nothing changes",
        _TABLE,
        False,
        True,
        "jaximpute.methods.simple.mice:ice",
        "jaximpute.methods.simple.mice:ice_recipe",
    ),
    "mice": Entry(
        "draws of each column's regression on all others, in turn",
        _TABLE,
        True,
        True,
        "jaximpute.methods.simple.mice:mice",
        "jaximpute.methods.simple.mice:mice_recipe",
    ),
    "trees": Entry(
        "randomised trees for each column, on top of a Gaussian of all",
        _TABLE,
        True,
        True,
        "jaximpute.methods.simple.trees:trees",
        "jaximpute.methods.simple.trees:trees_recipe",
    ),
    "gain": Entry(
        "GAIN (Yoon et al., 2018): a generator against a discriminator of gaps",
        _TABLE,
        False,
        True,
        "jaximpute.methods.relatives.gain:gain",
        "jaximpute.methods.relatives.gain:gain_recipe",
    ),
    "missdiff": Entry(
        "MissDiff (Ouyang et al., 2023): draws of a diffusion learned from observed entries only",
        ("table", "series", "image"),
        True,
        True,
        "jaximpute.methods.relatives.missdiff:missdiff",
        "jaximpute.methods.relatives.missdiff:missdiff_recipe",
    ),
    "diffputer": Entry(
        "DiffPuter (Zhang et al., 2025): EM with a diffusion",
        _TABLE,
        True,
        True,
        "jaximpute.methods.relatives.diffputer:diffputer",
        "jaximpute.methods.relatives.diffputer:diffputer_recipe",
    ),
    "harmonic": Entry(
        "a membrane through the observed entries of each frame",
        _SPACE,
        False,
        True,
        "jaximpute.methods.simple.harmonic:harmonic",
    ),
    "biharmonic": Entry(
        "a thin plate through the observed entries of each frame",
        _SPACE,
        False,
        True,
        "jaximpute.methods.simple.harmonic:biharmonic",
    ),
    "window_average": Entry(
        "the frame before or after, else a weighted average of the surroundings",
        _SPACE,
        False,
        True,
        "jaximpute.methods.simple.window:window_average",
        exact="cells",
    ),
    "neighbour_ridge": Entry(
        "a linear regression on what is observed around each pixel, the same at all pixels",
        _SPACE,
        False,
        True,
        "jaximpute.methods.simple.neighbour_ridge:neighbour_ridge",
    ),
    "optimal_interpolation": Entry(
        "kriging: the nearest observed entries in space and time, by a covariance learned from all",
        _SPACE,
        False,
        True,
        "jaximpute.methods.simple.optimal:optimal_interpolation",
    ),
    "kriging": Entry(
        "kriging by maximum likelihood, with a level of each frame and an effect of each place",
        _SPACE,
        True,
        True,
        "jaximpute.methods.simple.kriging:kriging",
    ),
    "eof": Entry(
        "a few modes that all films share, found by EM, and kriging of what they leave",
        _SPACE,
        True,
        True,
        "jaximpute.methods.simple.eof:eof",
    ),
    "stack": Entry(
        "several methods, weighted by how well they fill cells hidden from them once more",
        _BOTH + _SPACE,
        True,
        True,
        "jaximpute.methods.simple.stack:stack",
        "jaximpute.methods.simple.stack:stack_recipe",
        ("by_draws", "categories"),
    ),
    "spirit": Entry(
        "SPIRIT (Chen et al., 2026): particles that climb a learned score",
        _BOTH,
        False,
        True,
        "jaximpute.methods.papers.spirit.algorithm:spirit",
        "jaximpute.methods.papers.spirit.recipe:spirit",
    ),
    "miri": Entry(
        "MIRI (Yu et al., 2025): rectified flows, learned from the rows as completed",
        ("table", "image"),
        True,
        True,
        "jaximpute.methods.papers.miri.algorithm:miri",
        "jaximpute.methods.papers.miri.recipe:miri",
        ("rounds",),
    ),
    "context_query": Entry(
        "context-query diffusion (Zhou et al., 2026): fields learned from incomplete samples",
        ("field", "image"),
        True,
        True,
        "jaximpute.methods.papers.context_query.algorithm:context_query",
        "jaximpute.methods.papers.context_query.recipe:context_query",
        _FIELD_SETTLED,
    ),
    "ambientdiff": Entry(
        "AmbientDiff (Daras et al., 2023): fields learned under a further corruption by pixels",
        ("field",),
        True,
        True,
        "jaximpute.methods.papers.context_query.algorithm:context_query",
        "jaximpute.methods.papers.context_query.recipe_ambientdiff:ambientdiff",
        _FIELD_SETTLED,
    ),
    "diffusion": Entry(
        "draws of a reverse diffusion under the same kind of score, which SPIRIT argues against",
        _BOTH,
        True,
        True,
        "jaximpute.methods.relatives.diffusion:diffusion",
        "jaximpute.methods.relatives.diffusion:diffusion_recipe",
    ),
    "csdi": Entry(
        "CSDI (Tashiro et al., 2021): draws of a diffusion conditional on what is observed",
        _SERIES,
        True,
        True,
        "jaximpute.methods.relatives.csdi:csdi",
        "jaximpute.methods.relatives.csdi:csdi_recipe",
        settled=("on_gaussian",),
    ),
    "tabcsdi": Entry(
        "TabCSDI (Zheng and Charoenphakdee, 2022): CSDI on the rows of a table",
        _TABLE,
        True,
        True,
        "jaximpute.methods.relatives.csdi:csdi",
        "jaximpute.methods.relatives.csdi:csdi_recipe",
        settled=("centred", "on_gaussian"),
    ),
    "csbi": Entry(
        "CSBI (Chen et al., 2023): draws of a conditional Schrodinger bridge",
        _SERIES,
        True,
        True,
        "jaximpute.methods.papers.csbi.algorithm:csbi",
        "jaximpute.methods.papers.csbi.recipe:csbi",
        settled=("on_gaussian",),
    ),
    "csbi0": Entry(
        "CSBI without its forward policy: draws of a score-based model",
        _SERIES,
        True,
        True,
        "jaximpute.methods.papers.csbi.algorithm:csbi",
        "jaximpute.methods.papers.csbi.recipe_csbi0:csbi0",
        settled=("on_gaussian",),
    ),
}
