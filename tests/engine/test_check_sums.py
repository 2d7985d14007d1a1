"""Check sums of checkpoints, and fingerprints of rows, against what they are defined to be."""

import hashlib

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaximpute.engine import fingerprint
from jaximpute.engine.hooks import _sums
from jaximpute.engine.hooks._sums import WORD, check_sums, part_sum

pytestmark = pytest.mark.fast


def weight(place: int) -> int:
    """SplitMix64 in whole numbers."""
    z = (place + 1) * 0x9E3779B97F4A7C15 % WORD
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
    return z ^ z >> 31 | 1


def test_a_sum_is_of_bits_times_odd_numbers():
    x = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    bits = x.reshape(-1).view(np.uint32)
    expected = sum(int(b) * weight(i) for i, b in enumerate(bits)) % WORD
    assert check_sums([x, jnp.asarray(x)]) == [expected, expected]


@given(st.integers(1, 7), st.integers(1, 7), st.sampled_from(["f4", "f8", "i1", "?", "f2"]))
def test_parts_add_up_to_the_whole(down, right, dtype):
    x = (np.random.default_rng(0).normal(size=(8, 8, 2)) > 0.3).astype(dtype)
    cuts = [
        (slice(*rows), slice(*columns), slice(None))
        for rows in [(0, down), (down, 8)]
        for columns in [(0, right), (right, 8)]
    ]
    assert sum(part_sum(x[cut], cut, x.shape) for cut in cuts) % WORD == check_sums([x])[0]


def test_complex_numbers_are_two():
    x = np.array([1 + 2j, 3 + 4j])
    assert check_sums([x]) == check_sums([np.array([1.0, 3.0, 2.0, 4.0])])


@given(st.integers(0, 31), st.integers(0, 99))
def test_one_flipped_bit_changes_it(bit, place):
    x = np.arange(100, dtype=np.float32)
    harmed = x.copy()
    harmed.view(np.uint32)[place] ^= np.uint32(1 << bit)
    assert check_sums([x]) != check_sums([harmed])


def test_cells_that_change_places_change_it():
    x = np.zeros(16, bool)
    pairs = [(a, b) for a in range(16) for b in range(a)]  # equal means, equal numbers of ones
    sums = set()
    for pair in pairs:
        x[:] = False
        x[list(pair)] = True
        sums.add(check_sums([x])[0])
    assert len(sums) == len(pairs)


def test_large_arrays_go_in_blocks(monkeypatch):
    x = np.random.default_rng(0).normal(size=(7, 11))
    whole = check_sums([x, np.float32(3), np.zeros((0, 3))])
    monkeypatch.setattr(_sums, "_BLOCK", 10)
    assert check_sums([x, np.float32(3), np.zeros((0, 3))]) == whole
    assert whole[2] == 0


def test_a_fingerprint_is_the_sum_of_hashes_of_rows(monkeypatch):
    random = np.random.default_rng(0)
    x, mask = random.normal(size=(7, 3)).astype(np.float32), random.random((7, 3)) < 0.5
    real = np.array([1, 1, 0, 1, 1, 1, 0], np.float32)
    total = np.zeros(8, np.uint32)
    for i, row in enumerate(np.flatnonzero(real), start=1):
        text = f"{i};".encode()
        text += b"<f4(3,);" + x[row].tobytes() + b"|b1(3,);" + mask[row].tobytes()
        total += np.frombuffer(hashlib.sha256(text).digest(), "<u4")
    for size in (2**16, 30, 1):
        monkeypatch.setattr(fingerprint, "_BYTES", size)
        assert fingerprint.rows([x, mask], real) == total.tobytes().hex()
