"""Check sums of arrays, the same however an array is spread over devices and processes."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils

WORD = 2**64
_BLOCK = 2**18  # elements at a time


def check_sums(leaves: Sequence[Any]) -> list[int]:
    r"""A number for each array, of its bits and their places.

    .. math:: \sum_i b_i w_i \bmod 2^{64}

    with :math:`b_i` the bits of an element, and :math:`w_i` an odd number made of its place by the
    finaliser of SplitMix64 (Steele, Lea and Flood 2014). Any change of one element changes it, and
    parts of an array are added, so that processes find for theirs together what one finds for the
    whole. All processes call it at once.

    Args:
        leaves: arrays; of one that is spread, each process holds a part.
    """
    own = np.array([_own(leaf) for leaf in leaves], np.uint64)
    if jax.process_count() == 1:
        return own.tolist()
    # by 32 bits, for jax has no more by default
    parts = multihost_utils.process_allgather(own.view(np.uint32))
    together = np.ascontiguousarray(parts).view(np.uint64).reshape(jax.process_count(), -1).sum(0)
    return np.where([_is_spread(leaf) for leaf in leaves], together, own).tolist()


def _own(leaf: Any) -> int:
    """Of what this process holds."""
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return part_sum(np.asarray(leaf), (slice(None),) * leaf.ndim, leaf.shape)
    shards = leaf.addressable_shards
    kept = [s for s in shards if s.replica_id == 0] if _is_spread(leaf) else shards[:1]
    return sum(part_sum(np.asarray(s.data), s.index, leaf.shape) for s in kept) % WORD


def _is_spread(leaf: Any) -> bool:
    several = isinstance(leaf, jax.Array) and not leaf.is_fully_addressable
    return several and not leaf.is_fully_replicated


def part_sum(
    part: np.ndarray, index: tuple[slice, ...], shape: tuple[int, ...], first: int = 0
) -> int:
    """The summands of a part of an array.

    Args:
        part: its values.
        index: where they lie in the array.
        shape: of the array.
        first: the place of its first element.
    """
    if np.iscomplexobj(part):  # two numbers, of which the second lies behind all
        count = int(np.prod(shape))
        return (part_sum(part.real, index, shape) + part_sum(part.imag, index, shape, count)) % WORD
    bits = np.ascontiguousarray(part).reshape(-1).view(f"u{part.itemsize}")
    starts = [each.indices(n)[0] for each, n in zip(index, shape, strict=True)]
    total = 0
    for begin in range(0, bits.size, _BLOCK):
        some = bits[begin : begin + _BLOCK].astype(np.uint64)
        places = np.arange(begin, begin + some.size)
        if part.shape != shape:
            within = np.unravel_index(places, part.shape)
            moved = [at + start for at, start in zip(within, starts, strict=True)]
            places = np.ravel_multi_index(moved, shape)
        total += int((some * _odd((first + places).astype(np.uint64))).sum())
    return total % WORD


def _odd(places: np.ndarray) -> np.ndarray:
    """SplitMix64 of places, made odd: sums of weights in a row tell nothing of one another."""
    z = (places + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (z ^ (z >> np.uint64(31))) | np.uint64(1)
