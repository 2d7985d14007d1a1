"""MIRI for given data: its network, its budget and its presets."""

import math
from functools import partial
from typing import Any

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.engine import hooks
from jaximpute.maths.choice import told
from jaximpute.methods._rows import channels_for
from jaximpute.methods.papers.miri.algorithm import miri as make_miri
from jaximpute.nets import residual_cnn, unet, velocity_mlp
from jaximpute.types import Net, Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 4, "sgd_steps": 500, "width": 128},
    "balanced": {},
    "best": {"steps": 10, "sgd_steps": 3000, "passes": 140, "batch": 256, "base": "best"},
    # as printed, but for the range of a column, which is kept: without it the chain runs off. The
    # networks, the batch and the epochs are not printed, and are the authors' code's. So is a rate
    # of 1e-2, at which learning diverges on standardised columns: the default is a tenth of it
    "paper": {
        "base": "none",
        "steps": 10,
        "net": "paper",
        "epochs": 100,
        "batch": 50,
        "schedule": "constant",
        "warm": False,
        "restart": False,
        "targets": "all",
        "solver": "euler_end",
        "ode_steps": 100,
    },
}
# of flows that begin at a base: their way is short, and its mean needs few draws
BASED: dict[str, Any] = {"ode_steps": 5, "draws": 10}
_BASES = {"auto": "gaussian", "best": "trees"}  # of tables
_NETS = ("mlp", "cnn", "unet", "paper")
_FEWEST = 100  # steps of a round that few rows get


def miri(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    categories: tuple[int, ...] | None = None,
    base: str = "auto",
    steps: int = 6,
    net: str = "auto",
    width: int | None = None,
    layers: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    sgd_steps: int | None = None,
    passes: int = 70,
    start: str | None = None,
    patience: int | None = None,
    **options: Any,
) -> registry.Plan:
    """MIRI for given data: an MLP for the rows of a table, a CNN for images.

    Args:
        data: what it will run on; only its shape matters.
        kind: `table` or `image`.
        times: unused.
        categories: the category that each column is of, for the base.
        base: the name of a method that learns in `init` and draws, at whose draws flows begin;
            `none` for the guesses of `start`. For tables `auto` is `gaussian`, and `best` is
            `trees`, which costs several fits of them; for images both are `none`.
        steps: rounds.
        net: `mlp`, `cnn`, `unet`, or `auto`, by kind of data. `paper` is the authors': for tables
            an MLP of width 1001, for images four residual blocks of 64 channels that are shown the
            pixels alone, without the local averages of `cnn`.
        width: hidden width of an MLP; an image network has an eighth as many channels (a U-Net so
            many at full resolution), rounded down to a multiple of 8. None = 256 (128 for rows of
            at most four entries), 64 channels, or 32.
        layers: hidden layers, residual blocks, or resolutions; None = 3, 4 or 3.
        epochs: learning steps of a round in passes over the rows, instead of `sgd_steps`.
        batch: rows in a batch; None = 128, for images 32.
        sgd_steps: learning steps in a round, at most; None = 1000, for images 500.
        passes: over the rows of a table in a round, at most, but at least 100 steps are taken if
            `sgd_steps` has them: few rows are soon learned by heart.
        start: see the factory; None = `normal`, for images `nearby`, or with `net="paper"`
            `uniform`.
        patience: stop after so many rounds without a new lowest `dependence` of completed rows and
            mask; None = never.
        options: of the factory.

    Returns:
        The method and its number of rounds.

    Raises:
        OptionError: no such network, or an image network for a table.
    """
    image = kind == "image"
    if base in _BASES:
        base = "none" if image else _BASES[base]
    batch = batch or (32 if image else 128)
    begin = ("uniform" if net == "paper" else "nearby") if image else "normal"
    rows = data.values.shape[0]
    if epochs is not None:
        sgd_steps = epochs * math.ceil(rows / batch)
    else:
        sgd_steps = sgd_steps or (500 if image else 1000)
        sgd_steps = sgd_steps if image else steps_for(rows, batch, passes, sgd_steps)
    cond = 3 if options.get("layout") == "padded" else 2
    based = base != "none"
    if based:
        plan = registry.build(base, data, kind=kind, categories=categories, answer="draw")
        if plan.steps:
            raise OptionError(f"base is '{base}', which takes steps; expected one like 'gaussian'")
        options = BASED | options | {"base": plan.method}
    method = make_miri(
        _net(data.values.shape[1:], kind, net, cond, width, layers, based),
        rounds=max(1, steps),
        batch=batch,
        sgd_steps=sgd_steps,
        start=start or begin,
        **options,
    )
    watching = () if patience is None else (hooks.patience("dependence", patience),)
    tells = partial(_tells, base) if based else None
    return registry.Plan(method, steps, hooks=watching, tells=tells)


def _tells(base: str, state: Any) -> dict[str, Any]:
    """What answers: the base, or how much of the flow from it, and the errors by which."""
    draws = "flow" if float(state.draws.share) > 0 else base
    return told(state.mean, base, "flow", "miri", 2) | {"draws": draws}


def steps_for(rows: int, batch: int, passes: int, most: int) -> int:
    """Learning steps of a round for a table.

    Args:
        rows: of the table.
        batch: rows in a batch.
        passes: over the rows, at most, but for 100 steps.
        most: steps in any case.

    Returns:
        The number of steps.

    Example:
        >>> [steps_for(rows, 128, 70, 1000) for rows in (178, 768, 45_000)]
        [100, 420, 1000]
    """
    return min(max(math.ceil(passes * rows / batch), _FEWEST), most)


def _net(
    event: tuple[int, ...],
    kind: str,
    name: str,
    cond: int,
    width: int | None,
    layers: int | None,
    zero: bool,
) -> Net:
    name = ("cnn" if kind == "image" else "mlp") if name == "auto" else name
    if name not in _NETS:
        raise OptionError(f"net is '{name}'; expected one of auto, {', '.join(_NETS)}")
    if name == "mlp" or (name == "paper" and kind != "image"):
        usual = 1001 if name == "paper" else 128 if math.prod(event) <= 4 else 256
        return velocity_mlp(event, cond=cond, width=width or usual, layers=layers or 3, zero=zero)
    if kind != "image":
        raise OptionError(f"net is '{name}', and this is a {kind}; images have convolutions")
    channels = channels_for(width)
    if name in ("cnn", "paper"):
        shown = {"averages": name == "cnn"}
        return residual_cnn(event, cond=cond, width=channels or 64, blocks=layers or 4, **shown)
    widths = tuple((channels or 32) * 2**i for i in range(layers or 3))
    return unet(event, cond=cond, widths=widths)
