"""The catalogue: every method by name, in one line each. It loads nothing."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One line of the registry.

    Attributes:
        summary: one line for humans.
        kinds: the kinds of data it takes: `table`, `series`, `image`, `field`.
        tag: what a completion is: `point`, `mean` or `draws`.
        inductive: whether it completes rows it was not given.
        factory: `module:function`, which makes the `Method` from keyword options.
        recipe: `module:function`, which sets a factory up for given data: it takes
            `(data, *, kind, times, **options)` and returns a `Plan`. The `PRESETS` of its module
            hold options by preset; the defaults are `balanced`.
    """

    summary: str
    kinds: tuple[str, ...]
    tag: str
    inductive: bool
    factory: str
    recipe: str | None = None


_TABLE, _SERIES, _BOTH = ("table",), ("series",), ("table", "series")
_SPACE = ("image", "field")

METHODS: dict[str, Entry] = {
    "mean": Entry(
        "each column's mean", _BOTH + _SPACE, "point", True, "jaximpute.baselines.columns:mean"
    ),
    "median": Entry(
        "each column's median", _BOTH, "point", True, "jaximpute.baselines.columns:median"
    ),
    "mode": Entry(
        "each column's most frequent value",
        _BOTH,
        "point",
        True,
        "jaximpute.baselines.columns:mode",
    ),
    "locf": Entry(
        "last observation carried forward",
        _SERIES,
        "point",
        True,
        "jaximpute.baselines.interpolation:locf",
    ),
    "nocb": Entry(
        "next observation carried backward",
        _SERIES,
        "point",
        True,
        "jaximpute.baselines.interpolation:nocb",
    ),
    "linear": Entry(
        "straight lines between observations",
        _SERIES,
        "point",
        True,
        "jaximpute.baselines.interpolation:linear",
    ),
    "pchip": Entry(
        "monotone cubic interpolation", _SERIES, "point", True, "jaximpute.baselines.cubic:pchip"
    ),
    "akima": Entry(
        "Akima's cubic interpolation", _SERIES, "point", True, "jaximpute.baselines.cubic:akima"
    ),
    "moving_average": Entry(
        "exponentially weighted average of the neighbours in time",
        _SERIES,
        "point",
        True,
        "jaximpute.baselines.interpolation:moving_average",
    ),
    "kalman": Entry(
        "smoother of a random walk observed with noise, each channel apart",
        _SERIES,
        "point",
        True,
        "jaximpute.baselines.kalman:kalman",
    ),
    "gaussian": Entry(
        "conditional mean of a Gaussian fitted by EM, over columns and time",
        _BOTH,
        "point",
        True,
        "jaximpute.baselines.gaussian:gaussian",
    ),
    "knn": Entry(
        "average of the nearest rows", _TABLE, "point", True, "jaximpute.baselines.knn:knn"
    ),
    "soft_impute": Entry(
        "low-rank completion by soft-thresholded singular values",
        _BOTH,
        "point",
        False,
        "jaximpute.baselines.soft_impute:soft_impute",
    ),
    "harmonic": Entry(
        "a membrane through the observed entries of each frame",
        _SPACE,
        "point",
        True,
        "jaximpute.baselines.harmonic:harmonic",
    ),
    "biharmonic": Entry(
        "a thin plate through the observed entries of each frame",
        _SPACE,
        "point",
        True,
        "jaximpute.baselines.harmonic:biharmonic",
    ),
    "window_average": Entry(
        "the frame before or after, else a weighted average of the surroundings",
        _SPACE,
        "point",
        True,
        "jaximpute.baselines.window:window_average",
    ),
    "optimal_interpolation": Entry(
        "kriging: the nearest observed entries in space and time, by a covariance learned from all",
        _SPACE,
        "point",
        True,
        "jaximpute.baselines.optimal:optimal_interpolation",
    ),
    "spirit": Entry(
        "SPIRIT (Chen et al., 2026): particles that climb a learned score",
        _BOTH,
        "point",
        True,
        "jaximpute.methods.spirit:spirit",
        "jaximpute.recipes.spirit:spirit",
    ),
    "diffusion": Entry(
        "draws of a reverse diffusion under the same kind of score, which SPIRIT argues against",
        _BOTH,
        "draws",
        True,
        "jaximpute.methods.diffusion:diffusion",
        "jaximpute.recipes.diffusion:diffusion",
    ),
}
