"""Simple imputers, in the same shape as every other method."""

from jaximpute.baselines.columns import mean

__all__ = ["mean"]
