"""The catalogue: every method by name, in one line each. It loads nothing."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

Exact = Literal["", "copies", "cells", "scaled"]


class Entry(NamedTuple):
    """One line of the registry.

    Attributes:
        summary: one line for humans.
        kinds: the kinds of data it takes: `table`, `series`, `image`, `field`.
        factory: what makes the `Method` from keyword options; a function, or `module:function` to
            be loaded when it is needed (`.module:function` lies in `jaximpute.methods`).
        recipe: likewise, what sets a factory up for given data: it takes
            `(data, *, kind, times, **options)` and returns a `Plan`; one that also takes
            `categories` is told which columns are one category, and `answer` what will be asked.
            The `PRESETS` of its module hold options by preset; the defaults are `balanced`.
        draws: whether it draws random completions, besides its estimate.
        inductive: whether it completes rows it was not given.
        settled: arguments of the factory that the recipe settles, and so no options.
        exact: of methods that copy, interpolate or average cells, which then run in float64: on the
            `cells` themselves, or on `scaled` ones if they compare columns; `copies` take cells of
            directions, too, as they are. Empty for all others, which run in float32.
        rates: options to lower where training diverges: learning rates, and bounds of gradients.
        costly: options to lower where memory runs out.
        reach: the option that says how many steps of a series it looks to either side.
        begins: the option that names the method whose answer it begins from.
        forecast: the options, of `window`, `split`, `horizon` and `centred`, that a forecast sets.
        grid_check: `(grid, mask, kept, method, options) -> notes`, asked before a run on fields or
            images, such as that of `context_query`; a function, or `module:function`.
    """

    summary: str
    kinds: tuple[str, ...]
    factory: str | Callable[..., Any]
    recipe: str | Callable[..., Any] | None = None
    draws: bool = False
    inductive: bool = True
    settled: tuple[str, ...] = ()
    exact: Exact = ""
    rates: tuple[str, ...] = ()
    costly: tuple[str, ...] = ()
    reach: str = ""
    begins: str = ""
    forecast: tuple[str, ...] = ()
    grid_check: str | Callable[..., list[str]] | None = None


_TABLE, _SERIES, _BOTH = ("table",), ("series",), ("table", "series")
_SPACE = ("image", "field")
_DEEP = ("batch", "width", "window", "layers")
_FIELDS: dict[str, Any] = {
    "draws": True,
    "settled": ("feeds", "sgd_steps", "scan", "sampler_net"),
    "rates": ("lr", "clip"),
    "costly": ("batch", "width", "members"),
    "grid_check": ".papers.context_query.grids:check",
}
_CONDITIONAL: dict[str, Any] = {
    "draws": True,
    "settled": ("on_gaussian",),
    "costly": _DEEP,
    "begins": "base",
    "forecast": ("window", "split", "horizon", "centred"),
}

METHODS: dict[str, Entry] = {
    "mean": Entry("each column's mean", _BOTH + _SPACE, ".simple.columns:mean", exact="cells"),
    "median": Entry("each column's median", _BOTH, ".simple.columns:median", exact="cells"),
    "mode": Entry(
        "each column's most frequent value", _BOTH, ".simple.columns:mode", exact="copies"
    ),
    "locf": Entry(
        "last observation carried forward", _SERIES, ".simple.interpolation:locf", exact="cells"
    ),
    "nocb": Entry(
        "next observation carried backward", _SERIES, ".simple.interpolation:nocb", exact="cells"
    ),
    "linear": Entry(
        "straight lines between observations",
        _SERIES,
        ".simple.interpolation:linear",
        exact="cells",
    ),
    "pchip": Entry("monotone cubic interpolation", _SERIES, ".simple.cubic:pchip", exact="cells"),
    "akima": Entry("Akima's cubic interpolation", _SERIES, ".simple.cubic:akima", exact="cells"),
    "moving_average": Entry(
        "exponentially weighted average of the neighbours in time",
        _SERIES,
        ".simple.interpolation:moving_average",
        exact="cells",
        costly=("width",),
    ),
    "kalman": Entry(
        "smoother of a random walk observed with noise, each channel apart",
        _SERIES,
        ".simple.kalman:kalman",
    ),
    "gaussian": Entry(
        "a Gaussian fitted by EM, over columns and time",
        _BOTH,
        ".simple.gaussian:gaussian",
        draws=True,
        costly=("block",),
        reach="context",
    ),
    "boosted_smoother": Entry(
        "the Gaussian's answer, corrected by boosted trees that saw where it errs",
        _SERIES,
        ".simple.boosted_smoother:boosted_smoother",
        ".simple.boosted_smoother:boosted_smoother_recipe",
        begins="base",
    ),
    "window_gaussian": Entry(
        "draws from one Gaussian of all steps and channels of a window",
        _SERIES,
        ".simple.window_gaussian:window_gaussian",
        draws=True,
        costly=("window",),
        forecast=("window",),
    ),
    "knn": Entry("average of the nearest rows", _TABLE, ".simple.knn:knn", exact="scaled"),
    "soft_impute": Entry(
        "low-rank completion by soft-thresholded singular values",
        _BOTH,
        ".simple.soft_impute:soft_impute",
        inductive=False,
    ),
    "sinkhorn": Entry(
        "missing entries that make batches of rows alike, by Sinkhorn divergence",
        _TABLE,
        ".relatives.sinkhorn:sinkhorn",
        ".relatives.sinkhorn:sinkhorn_recipe",
        inductive=False,
        rates=("lr",),
        costly=("batch", "max_iterations"),
    ),
    "tdm": Entry(
        "TDM (Zhao et al., 2023): batches made alike after an invertible network",
        _TABLE,
        ".relatives.tdm:tdm",
        ".relatives.tdm:tdm_recipe",
        inductive=False,
        rates=("lr", "net_lr", "clip"),
        costly=("batch", "width"),
    ),
    "knewimp": Entry(
        "KnewImp (Chen et al., 2024): a kernel's gradient flow under a learned energy",
        _TABLE,
        ".relatives.knewimp:knewimp",
        ".relatives.knewimp:knewimp_recipe",
        inductive=False,
        rates=("lr", "net_lr", "clip"),
        costly=("batch", "width", "layers"),
    ),
    "psw_i": Entry(
        "PSW-I (Wang et al., 2025): windows made alike by their spectra, by relaxed transport",
        _SERIES,
        ".relatives.psw_i:psw_i",
        ".relatives.psw_i:psw_i_recipe",
        inductive=False,
        rates=("lr",),
        costly=("batch", "window"),
        begins="start",
    ),
    "ice": Entry(
        "each column regressed on all others, in turn, until nothing changes",
        _TABLE,
        ".simple.mice:ice",
        ".simple.mice:ice_recipe",
        costly=("keep",),
    ),
    "mice": Entry(
        "draws of each column's regression on all others, in turn",
        _TABLE,
        ".simple.mice:mice",
        ".simple.mice:mice_recipe",
        draws=True,
        costly=("keep",),
    ),
    "trees": Entry(
        "randomised trees for each column, on top of a Gaussian of all",
        _TABLE,
        ".simple.trees:trees",
        ".simple.trees:trees_recipe",
        draws=True,
    ),
    "gain": Entry(
        "GAIN (Yoon et al., 2018): a generator against a discriminator of gaps",
        _TABLE,
        ".relatives.gain:gain",
        ".relatives.gain:gain_recipe",
        rates=("lr",),
        costly=("batch", "width"),
    ),
    "missdiff": Entry(
        "MissDiff (Ouyang et al., 2023): draws of a diffusion learned from observed entries only",
        ("table", "series", "image"),
        ".relatives.missdiff:missdiff",
        ".relatives.missdiff:missdiff_recipe",
        draws=True,
        rates=("lr",),
        costly=_DEEP,
        forecast=("window",),
    ),
    "diffputer": Entry(
        "DiffPuter (Zhang et al., 2025): EM with a diffusion",
        _TABLE,
        ".relatives.diffputer:diffputer",
        ".relatives.diffputer:diffputer_recipe",
        draws=True,
        rates=("lr",),
        costly=("batch", "width"),
    ),
    "harmonic": Entry(
        "a membrane through the observed entries of each frame", _SPACE, ".simple.harmonic:harmonic"
    ),
    "biharmonic": Entry(
        "a thin plate through the observed entries of each frame",
        _SPACE,
        ".simple.harmonic:biharmonic",
    ),
    "window_average": Entry(
        "the frame before or after, else a weighted average of the surroundings",
        _SPACE,
        ".simple.window:window_average",
        exact="cells",
        costly=("width",),
    ),
    "neighbour_ridge": Entry(
        "a linear regression on what is observed around each pixel, the same at all pixels",
        _SPACE,
        ".simple.neighbour_ridge:neighbour_ridge",
    ),
    "optimal_interpolation": Entry(
        "kriging: the nearest observed entries in space and time, by a covariance learned from all",
        _SPACE,
        ".simple.optimal:optimal_interpolation",
    ),
    "kriging": Entry(
        "kriging by maximum likelihood, with a level of each frame and an effect of each place",
        _SPACE,
        ".simple.kriging:kriging",
        draws=True,
    ),
    "eof": Entry(
        "a few modes that all films share, found by EM, and kriging of what they leave",
        _SPACE,
        ".simple.eof:eof",
        draws=True,
    ),
    "stack": Entry(
        "several methods, weighted by how well they fill cells hidden from them once more",
        _BOTH + _SPACE,
        ".simple.stack:stack",
        ".simple.stack:stack_recipe",
        draws=True,
        settled=("by_draws", "categories"),
        costly=("members",),
    ),
    "spirit": Entry(
        "SPIRIT (Chen et al., 2026): particles that climb a learned score",
        _BOTH,
        ".papers.spirit.algorithm:spirit",
        ".papers.spirit.recipe:spirit",
        rates=("lr", "eta"),
        costly=_DEEP,
        begins="start",
    ),
    "miri": Entry(
        "MIRI (Yu et al., 2025): rectified flows, learned from the rows as completed",
        ("table", "image"),
        ".papers.miri.algorithm:miri",
        ".papers.miri.recipe:miri",
        draws=True,
        settled=("rounds",),
        rates=("lr", "clip"),
        costly=("batch", "width", "layers", "keep"),
    ),
    "context_query": Entry(
        "context-query diffusion (Zhou et al., 2026): fields learned from incomplete samples",
        ("field", "image"),
        ".papers.context_query.algorithm:context_query",
        ".papers.context_query.recipe:context_query",
        **_FIELDS,
    ),
    "ambientdiff": Entry(
        "AmbientDiff (Daras et al., 2023): fields learned under a further corruption by pixels",
        ("field",),
        ".papers.context_query.algorithm:context_query",
        ".papers.context_query.recipe_ambientdiff:ambientdiff",
        **_FIELDS,
    ),
    "diffusion": Entry(
        "draws of a reverse diffusion under the same kind of score, which SPIRIT argues against",
        _BOTH,
        ".relatives.diffusion:diffusion",
        ".relatives.diffusion:diffusion_recipe",
        draws=True,
        rates=("lr",),
        costly=_DEEP,
        begins="start",
        forecast=("window",),
    ),
    "csdi": Entry(
        "CSDI (Tashiro et al., 2021): draws of a diffusion conditional on what is observed",
        _SERIES,
        ".relatives.csdi:csdi",
        ".relatives.csdi:csdi_recipe",
        rates=("lr",),
        **_CONDITIONAL,
    ),
    "tabcsdi": Entry(
        "TabCSDI (Zheng and Charoenphakdee, 2022): CSDI on the rows of a table",
        _TABLE,
        ".relatives.csdi:csdi",
        ".relatives.csdi:csdi_recipe",
        draws=True,
        settled=("centred", "on_gaussian"),
        begins="",
        forecast=(),
    ),
    "csbi": Entry(
        "CSBI (Chen et al., 2023): draws of a conditional Schrodinger bridge",
        _SERIES,
        ".papers.csbi.algorithm:csbi",
        ".papers.csbi.recipe:csbi",
        rates=("lr", "warmup_lr", "lr_forward"),
        **_CONDITIONAL,
    ),
    "csbi0": Entry(
        "CSBI without its forward policy: draws of a score-based model",
        _SERIES,
        ".papers.csbi.algorithm:csbi",
        ".papers.csbi.recipe_csbi0:csbi0",
        rates=("lr", "warmup_lr", "lr_forward"),
        **_CONDITIONAL,
    ),
}
