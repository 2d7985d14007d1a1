"""A progress bar on stderr."""

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.segment import Segment, Segments

from jaximpute._terminal import stage
from jaximpute.types import Hook, Info, State


def progress(
    total: int, *, label: str = "imputing", warmup: int = 0, console: Console | None = None
) -> Hook:
    """Show a bar, the last loss and the time remaining; silent where stderr is not a terminal.

    The line is drawn once a chunk and nothing runs in between, so that a run that stops early or
    is interrupted leaves no thread and no hidden cursor behind. Of several processes the first one
    draws it.

    Args:
        total: steps of the whole run.
        label: what is going on.
        warmup: steps before the first one, which `fit` counts up to 0; see `warmup.warm_steps`.
        console: where to draw; stderr by default.

    Returns:
        A hook for one run, which never stops it.

    Example:
        >>> import jax, numpy as np, jaximpute as ji
        >>> data = ji.observe(np.array([[1.0], [np.nan]]))
        >>> bar = ji.hooks.progress(total=2)
        >>> _ = ji.fit(ji.methods.mean(), jax.random.key(0), data, 2, hooks=[bar])
    """
    screen = Console(stderr=True) if console is None else console
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(),
        console=screen,
    )
    task = bar.add_task(label, total=total + warmup, loss="-")
    first = [True]

    def hook(t: int, state: State, info: Info) -> bool:
        del state
        if screen.is_terminal and jax.process_index() == 0:
            if first[0]:
                first[0] = False
                stage("")  # a bar may be shorter than the line that stands there
            bar.update(task, completed=t + warmup, loss=f"{np.ravel(info.loss)[-1]:.4g}")
            (line,) = screen.render_lines(bar.get_renderable(), pad=False)[:1]
            end = Segment("\n" if t >= total else "\r")
            screen.print(Segments([*line, end]), end="")
        return False

    return hook
