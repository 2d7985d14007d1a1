"""The catalogue: every method by name, in one line each. It loads nothing."""

from typing import NamedTuple


class Entry(NamedTuple):
    """One line of the registry.

    Attributes:
        summary: one line for humans.
        kinds: the kinds of data it takes: `table`, `series` or both.
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

METHODS: dict[str, Entry] = {
    "mean": Entry("each column's mean", _BOTH, "point", True, "jaximpute.baselines.columns:mean"),
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
    "csdi": Entry(
        "CSDI (Tashiro et al., 2021): draws of a diffusion conditional on what is observed",
        _SERIES,
        "draws",
        True,
        "jaximpute.baselines.csdi:csdi",
        "jaximpute.recipes.csdi:csdi",
    ),
    "tabcsdi": Entry(
        "TabCSDI (Zheng and Charoenphakdee, 2022): CSDI on the rows of a table",
        _TABLE,
        "draws",
        True,
        "jaximpute.baselines.csdi:csdi",
        "jaximpute.recipes.csdi:csdi",
    ),
    "csbi": Entry(
        "CSBI (Chen et al., 2023): draws of a conditional Schrodinger bridge",
        _SERIES,
        "draws",
        True,
        "jaximpute.methods.csbi:csbi",
        "jaximpute.recipes.csbi:csbi",
    ),
    "csbi0": Entry(
        "CSBI without its forward policy: draws of a score-based model",
        _SERIES,
        "draws",
        True,
        "jaximpute.methods.csbi:csbi",
        "jaximpute.recipes.csbi0:csbi0",
    ),
}
