"""What happens between chunks of steps: `(t, state, info) -> bool`, where True stops the run."""

from jaximpute.engine.hooks.checkpoint import CheckpointPolicy, Checkpoints, Kept
from jaximpute.engine.hooks.log import log
from jaximpute.engine.hooks.patience import patience
from jaximpute.engine.hooks.progress import progress

__all__ = ["CheckpointPolicy", "Checkpoints", "Kept", "log", "patience", "progress"]
