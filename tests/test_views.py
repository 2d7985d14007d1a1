"""Views against plain slices, and folding against the adjoint it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.views import identity, row_weight, tile_length, tile_starts, tiles, windows

CASES = [(9, 4, 1, False), (9, 4, 3, False), (10, 5, 5, False), (7, 9, 2, False), (9, 4, 3, True)]


def view_of(time, length, stride, apart):
    x = jax.random.normal(jax.random.key(1), (2, time, 3))
    return x, windows(x.shape, length, min(stride, length), apart)


@pytest.mark.parametrize("case", CASES)
def test_rows_are_slices(case):
    x, view = view_of(*case)
    time, length, stride, apart = case
    length = min(length, time)
    starts = list(range(0, time - length + 1, stride))
    if starts[-1] != time - length:
        starts.append(time - length)
    pieces = [s[:, c : c + 1] for s in np.asarray(x) for c in range(3)] if apart else np.asarray(x)
    expected = np.stack([piece[a : a + length] for piece in pieces for a in starts])
    assert view.size == len(expected)
    np.testing.assert_array_equal(view.take(x, jnp.arange(view.size)), expected)
    np.testing.assert_array_equal(view.take(x, jnp.array([1, 0])), expected[[1, 0]])


@pytest.mark.parametrize("case", CASES)
def test_fold_is_the_adjoint_over_the_cover(case):
    x, view = view_of(*case)
    every = jnp.arange(view.size)
    rows = jax.random.normal(jax.random.key(2), view.take(x, every).shape)
    adjoint = jax.vjp(lambda x: view.take(x, every), x)[1]
    cover = adjoint(jnp.ones_like(rows))[0]
    np.testing.assert_allclose(view.fold(rows), adjoint(rows)[0] / cover, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(view.fold(view.take(x, every)), x, rtol=1e-5, atol=1e-6)


@pytest.mark.fast
def test_identity_is_the_rows():
    x = jnp.arange(6.0).reshape(3, 2)
    view = identity(x.shape)
    np.testing.assert_array_equal(view.fold(view.take(x, jnp.arange(view.size))), x)


@pytest.mark.fast
def test_a_stride_that_leaves_gaps_is_refused():
    with pytest.raises(ValueError, match="stride is 5"):
        windows((1, 20, 1), length=4, stride=5)


@pytest.mark.fast
def test_rows_weigh_what_their_series_weigh_unless_nothing_is_in_them():
    view = windows((2, 4, 1), length=2, stride=2)
    where = jnp.array([[True, False, False, False], [True, True, True, True]])[..., None]
    np.testing.assert_array_equal(row_weight(view, jnp.array([1.0, 0.5]), where), [1, 0, 0.5, 0.5])


TILES = [
    ((2, 7, 9, 10, 2), (4, 5, 4), 2),
    ((1, 3, 8, 5, 1), (9, 3, 5), (0, 1, 0)),
    ((2, 9, 7, 3), (4, 7), 3),
]


@pytest.mark.parametrize(("shape", "size", "overlap"), TILES)
def test_tiles_are_slices_and_fold_back_bit_for_bit(shape, size, overlap):
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    view = tiles(shape, size, overlap)

    @jax.jit
    def run(x, numbers):
        every = jnp.arange(view.size)
        rows, places = view.take(x, every), view.take(numbers, every)
        constant = view.fold(jnp.full(rows.shape, 0.1))
        # fold is linear: its transpose gives each entry of each tile its weight
        weight = jax.vjp(view.fold, rows)[1](jnp.ones(shape))[0]
        return rows, places, view.fold(rows), constant, weight

    rows, places, again, constant, weight = map(
        np.asarray, run(x, np.arange(x.size).reshape(shape))
    )
    lengths = [min(pair) for pair in zip(size, shape[1:-1], strict=True)]
    assert rows.shape == (view.size, *lengths, shape[-1])
    for row, numbers in zip(rows, places, strict=True):
        sample, *corner = np.unravel_index(numbers.ravel()[0], shape)[:-1]
        inside = tuple(slice(a, a + n) for a, n in zip(corner, lengths, strict=True))
        np.testing.assert_array_equal(row, x[(sample, *inside)])
    np.testing.assert_array_equal(again, x)
    assert (constant == np.float32(0.1)).all()
    assert weight.min() >= -1e-6
    total = np.bincount(places.ravel(), weight.ravel(), x.size)
    np.testing.assert_allclose(total, 1, rtol=1e-5)  # a partition of unity


@pytest.mark.fast
def test_tiles_fade_into_each_other():
    view = tiles((1, 1, 1, 10, 1), (1, 1, 6), 2)
    assert view.size == 2
    rows = jnp.array([0.0, 1.0]).reshape(2, 1, 1, 1, 1) * jnp.ones((1, 1, 1, 6, 1))
    np.testing.assert_allclose(
        jax.jit(view.fold)(rows).ravel(), [0, 0, 0, 0, 1 / 3, 2 / 3, 1, 1, 1, 1], rtol=1e-6
    )
    for size, overlap in [((1, 1), 0), ((1, 1, 4), 4), ((0, 1, 4), 0)]:
        with pytest.raises(ValueError, match="expected"):
            tiles((1, 2, 1, 10, 1), size, overlap)


@pytest.mark.parametrize(("size", "overlap"), [(32, 8), (8, 2), (12, 3), (5, 4), (6, 0), (1, 0)])
def test_no_two_tiles_are_nearly_the_same(size, overlap):
    """At every length the axis is covered, no tile is much too long, and each brings much new."""
    for whole in range(1, 101):
        length, starts = tile_length(whole, size, overlap), tile_starts(whole, size, overlap)
        assert length <= min(whole, size + min(overlap, size - overlap))
        assert {at for start in starts for at in range(start, start + length)} == set(range(whole))
        if len(starts) > 1:
            steps = np.diff(starts)
            assert length - steps.max() >= overlap  # neighbours share what was asked for
            assert steps.min() >= max((size - overlap) // 2, 1)
    view = tiles((1, 41, 1, 1), (32, 1), (8, 0))
    rows = view.take(jnp.arange(41.0).reshape(1, -1, 1, 1), jnp.arange(view.size))
    assert rows.shape == (2, 25, 1, 1)
    assert rows[:, 0, 0, 0].tolist() == tile_starts(41, 32, 8).tolist()
    assert tile_length(33, 32, 8) == 33
    assert tiles((1, 33, 49, 1), (32, 32), 8).size == 2
