"""Coding: standardised floats and back, and what is set aside."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import jaximpute as ji
from jaximpute.data.codec import FAR, decode, encode, learn
from jaximpute.data.codecplain import from_plain, to_plain
from jaximpute.data.frames import read
from jaximpute.streaming.moments import codec_of, count_levels, of_block


def mixed():
    rng = np.random.default_rng(0)
    n = 40
    frame = pd.DataFrame(
        {
            "height": rng.normal(170, 10, n),
            "pets": pd.array(rng.integers(0, 9, n), dtype="Int64"),
            "smoker": pd.array(rng.random(n) < 0.3, dtype="boolean"),
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], n),
            "size": pd.Categorical(
                rng.choice(["S", "M", "L"], n), categories=["S", "M", "L", "XL"], ordered=True
            ),
            "planet": "Earth",
            "note": [f"note {i}" for i in range(n)],
            "born": pd.date_range("1990", periods=n),
            "void": np.nan,
        }
    )
    holes = pd.DataFrame(rng.random(frame.shape) < 0.3, columns=frame.columns)
    return frame.mask(holes)


@pytest.mark.fast
def test_every_column_is_somewhere():
    frame = read(mixed())
    codec = learn(frame)
    learned = [frame.names[i] for i in codec.numeric] + [
        frame.names[block.column] for block in codec.levels
    ]
    assert learned == ["height", "pets", "smoker", "town", "size"]
    assert [frame.names[i] for i in codec.constants] == ["planet"]
    reasons = {frame.names[i]: reason for i, reason in codec.unlearned.items()}
    assert set(reasons) == {"note", "born", "void"}
    assert "too many" in reasons["note"]
    assert "dates" in reasons["born"]
    assert "nothing in it is observed" in reasons["void"]
    # XL is a category that nobody has: it gets no indicator, and can never be guessed
    assert codec.width == 2 + 2 + 3 + 3


@pytest.mark.fast
def test_matrix_is_standardised():
    frame = read(mixed())
    codec = learn(frame)
    matrix = encode(codec, frame.values)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(np.nanmean(matrix, axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.nanstd(matrix[:, :2], axis=0), 1, atol=1e-6)
    start = 2
    for block in codec.levels:
        stop = start + len(block.codes)
        np.testing.assert_allclose(np.nanvar(matrix[:, start:stop], axis=0).sum(), 1, atol=1e-5)
        missing = np.isnan(frame.values[:, block.column])
        assert (np.isnan(matrix[:, start:stop]) == missing[:, None]).all()
        start = stop


@pytest.mark.fast
def test_missing_cells_decode_to_the_truth_if_the_matrix_holds_it():
    whole = read(mixed().dropna(axis=1, how="all").bfill().ffill())
    codec = learn(whole)
    matrix = encode(codec, whole.values)
    hidden = np.full_like(whole.values, np.nan)
    decoded = decode(codec, matrix, hidden)
    learned = [*codec.numeric, *(block.column for block in codec.levels), *codec.constants]
    np.testing.assert_allclose(decoded[:, learned], whole.values[:, learned], rtol=1e-6)
    assert np.isnan(decoded[:, list(codec.unlearned)]).all()


@pytest.mark.fast
def test_observed_cells_are_not_recomputed():
    frame = read(mixed())
    codec = learn(frame)
    matrix = np.zeros((len(frame.values), codec.width), np.float32)
    decoded = decode(codec, matrix, frame.values)
    np.testing.assert_array_equal(decoded[frame.mask], frame.values[frame.mask])


@pytest.mark.fast
def test_zero_decodes_to_mean_rounded_mean_and_mode():
    data = pd.DataFrame(
        {
            "x": [1.0, 2.0, 6.0, np.nan],
            "k": pd.array([1, 2, 5, None], dtype="Int64"),
            "c": ["b", "b", "a", None],
        }
    )
    frame = read(data)
    codec = learn(frame)
    decoded = decode(codec, np.zeros((4, codec.width), np.float32), frame.values)
    assert decoded[3, 0] == 3.0
    assert decoded[3, 1] == 3.0  # 8 / 3, rounded
    assert frame.columns[2].levels[int(decoded[3, 2])] == "b"


@pytest.mark.fast
def test_level_of_argmax():
    frame = read(pd.DataFrame({"c": ["a", "b", "c", "c", None]}))
    codec = learn(frame)
    for level in range(3):
        shares = np.full((1, 3), 0.3)
        shares[0, level] = 0.4
        block = codec.levels[0]
        matrix = ((shares - block.share) / block.scale).astype(np.float32)
        assert decode(codec, matrix, np.array([[np.nan]]))[0, 0] == level


@pytest.mark.fast
def test_constants_fill_and_add_no_width():
    frame = read(np.array([[7.0, 1.0], [np.nan, 2.0]]))
    codec = learn(frame)
    assert codec.width == 1
    assert decode(codec, encode(codec, frame.values), frame.values)[1, 0] == 7.0


@pytest.mark.fast
@pytest.mark.parametrize(
    ("levels", "cells", "learned"),
    [(10, 12, True), (12, 20, False), (64, 200, True), (65, 900, False)],
)
def test_free_text_is_told_from_categories(levels, cells, learned):
    texts = [f"level {i % levels}" for i in range(cells)]
    codec = learn(read(pd.DataFrame({"c": texts})))
    assert (len(codec.levels) == 1) == learned


@pytest.mark.fast
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1.0, 1e30, 1e300])
def test_sizes_from_end_to_end_of_the_floats(size):
    x = size * np.array([[1.0], [2.0], [3.0], [np.nan]])
    codec = learn(read(x))
    np.testing.assert_allclose(codec.centre, 2 * size, rtol=1e-12)
    np.testing.assert_allclose(codec.scale, size * np.sqrt(2 / 3), rtol=1e-12)
    assert np.isfinite(encode(codec, x)[:3]).all()


@pytest.mark.fast
@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(
        np.float64,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6)),
    )
)
@example(np.array([[1.0], [9e-164], [0.0], [0.0]]))
def test_numbers_round_trip(x):
    frame = read(x)
    codec = learn(frame)
    assert len(codec.numeric) + len(codec.constants) + len(codec.unlearned) == x.shape[1]
    matrix = encode(codec, x)
    assert np.array_equal(np.isnan(matrix), np.isnan(x[:, codec.numeric]))
    back = matrix.astype(float) * codec.scale + codec.centre
    size = np.nanmax(np.abs(x[:, codec.numeric]), axis=0, initial=1e-300)
    gap = np.abs(back - x[:, codec.numeric]) / size
    # cells that lie further off than numbers of four bytes tell apart stand for all beyond
    far = np.abs(matrix) >= np.float32(FAR)
    assert np.nanmax(np.where(far, 0, gap), initial=0.0) < 1e-5
    beyond = np.sign(x[:, codec.numeric] - codec.centre)
    assert np.array_equal(np.sign(matrix)[far], beyond[far])


@pytest.mark.fast
def test_categories_are_numbered_and_pairs_come_back_exactly():
    frame = mixed().assign(flag=np.tile([0.0, 1.0, np.nan, 0.3, 0.3], 8))
    frame["pair"] = np.tile([0.1, 0.7, np.nan, 0.7], 10)
    read_in = read(frame)
    codec = learn(read_in)
    names = [read_in.names[i] for i in codec.numeric]
    assert names == ["height", "pets", "flag", "pair"]
    # a pair is a category of one column; then come booleans, texts and categories
    assert codec.categories == (-1, -1, -1, 0, 1, 1, 2, 2, 2, 3, 3, 3)
    np.testing.assert_array_equal(codec.pair[3], [0.1, 0.7])
    assert np.isnan(codec.pair[:3]).all()
    holed = np.where(read_in.mask, read_in.values, np.nan)
    matrix = encode(codec, np.where(np.isnan(holed), 0.7, holed))
    assert set(decode(codec, matrix, holed)[:, -1]) == {0.1, 0.7}
    again = from_plain(json.loads(json.dumps(to_plain(codec))))
    assert again.categories == codec.categories
    cells, columns = read_in.values, read_in.columns
    streamed = codec_of(of_block(cells), count_levels(cells, columns), columns, cells)
    assert streamed.categories == codec.categories
    np.testing.assert_array_equal(streamed.pair, codec.pair)


@pytest.mark.parametrize("size", [1.0, 1e300, 1e308, 1.7e308])
@pytest.mark.parametrize("method", ["mean", "gaussian"])
def test_the_largest_numbers_are_no_pair_of_all_numbers(size, method):
    cells = np.array([size, -size, size, np.nan])[:, None]
    filled = ji.impute(cells, method)
    assert filled[3, 0] == pytest.approx(size / 3, rel=1e-5)
    assert (filled[:3] == cells[:3]).all()
