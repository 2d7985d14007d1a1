"""What happens between chunks of steps: `(t, state, info) -> bool`, where True stops the run."""

from jaximpute.hooks.checkpoint import Checkpoints, Keeping, Kept
from jaximpute.hooks.log import log
from jaximpute.hooks.patience import patience
from jaximpute.hooks.progress import progress

__all__ = ["Checkpoints", "Keeping", "Kept", "log", "patience", "progress"]
