"""The published methods, one file each."""

from jaximpute.methods.spirit import spirit

__all__ = ["spirit"]
