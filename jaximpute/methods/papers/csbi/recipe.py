"""CSBI for given data: its networks, rows, process and presets."""

from typing import Any

from jaximpute import registry
from jaximpute.maths import processes
from jaximpute.methods._conditional_rows import setting
from jaximpute.methods.papers.csbi.algorithm import csbi as make_csbi
from jaximpute.nets import policy_unet
from jaximpute.types import Observed

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {"steps": 1, "warmup": 800},
    "balanced": {},
    "best": {
        "steps": 10,
        "warmup": 12000,
        "warmup_lr": 1e-3,
        "width": 384,
        "layers": 4,
        "draw_steps": 16,
    },
    # appendix C.5: 40 stages of 480 iterations, paths drawn anew every 80. Rates fall along a
    # cosine and not exponentially; the window is PhysioNet's, and that of PM2.5 has 36 hours
    "paper": {
        "base": None,
        "split": "random",
        "steps": 40,
        "warmup": 6000,
        "warmup_batch": 64,
        "warmup_lr": 1e-3,
        "refreshes": 6,
        "sgd_steps": 80,
        "batch": 64,
        "cache": 1000,
        "lr": 2e-5,
        "lr_forward": 2e-6,
        "width": 64,
        "layers": 4,
        "heads": 8,
        "dropout": 0.1,
        "forward_width": 32,
        "forward_levels": 3,
        "forward_blocks": 2,
        "window": 48,
        "sigma_min": 0.001,
        "sigma_max": 20.0,
        "scaled": False,
        "sde_steps": 100,
        "sampler": "sde",
        "draw_steps": 100,
    },
}


@registry.passing_to(setting)
def csbi(
    data: Observed,
    *,
    kind: str,
    times: Any = None,
    steps: int = 2,
    forward_width: int = 8,
    forward_levels: int = 2,
    forward_blocks: int = 1,
    sigma_min: float = 0.01,
    sigma_max: float = 10.0,
    refreshes: int = 2,
    sgd_steps: int = 40,
    **options: Any,
) -> registry.Plan:
    """CSBI for given data, on windows of a series.

    Args:
        data: what it will run on; only its shape matters.
        kind: `series`.
        times: positions of the steps of a series.
        steps: rounds of Algorithm 2.
        forward_width: channels inside the forward network; 0 for none, as in `csbi0`.
        forward_levels: its resolutions.
        forward_blocks: its residual blocks at each.
        sigma_min: noise level at the data, in standard deviations of a column.
        sigma_max: noise level of the prior.
        refreshes: times that the paths are drawn anew in a round.
        sgd_steps: steps of each policy on each of these.
        options: of `methods._conditional_rows.setting` and of `methods.csbi`, whose defaults they
            have.

    Returns:
        The method and its number of steps.

    Raises:
        OptionError: no such split, base or network.
    """
    net, given = setting(data, kind=kind, times=times, **options)
    shape = {"width": forward_width, "levels": forward_levels, "blocks": forward_blocks}
    method = make_csbi(
        net,
        policy_unet(**shape) if forward_width else None,
        processes.ve(sigma_min, sigma_max),
        total=max(steps * refreshes * sgd_steps, 1),
        refreshes=refreshes,
        sgd_steps=sgd_steps,
        **given,
    )
    return registry.Plan(method, steps)
