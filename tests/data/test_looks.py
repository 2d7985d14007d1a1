"""One look at every column: what is certain is read, what is a guess is said."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

import jaximpute as ji
from jaximpute.data import frames, looks
from jaximpute.data.dialect import Reading
from jaximpute.files import sheets


def sheet_of(tmp_path, data, reading=None):
    (tmp_path / "a.csv").write_text(data)
    return sheets.read_file(str(tmp_path / "a.csv"), reading)


def column(name, cells):
    return f"{name},other\n" + "".join(f"{cell},{i % 7}\n" for i, cell in enumerate(cells))


@pytest.mark.fast
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8])
@pytest.mark.parametrize("sign", ["?", "-", ".", "n.a.", "Missing", "#VALUE!"])
def test_signs_among_numbers_are_missing_at_any_share(tmp_path, sign, share):
    hidden = int(share * 60)
    cells = [sign] * hidden + [f"{i}.5" for i in range(60 - hidden)]
    sheet = sheet_of(tmp_path, column("x", cells))
    assert sheet.table["x"].isna().sum() == hidden
    assert sheet.table["x"].max() == 59.5 - hidden
    assert any(f"'x': '{sign}' ({hidden} cells) is taken" in note for note in sheet.notes)


@pytest.mark.fast
def test_other_words_among_numbers_are_refused_or_kept_by_how_many_there_are(tmp_path):
    few = [f"{i}" for i in range(20)] + ["trace"] * 15
    with pytest.raises(ji.DataError, match=r"row 20 .*'trace' where 20 of 35"):
        sheet_of(tmp_path, column("x", few))
    assert sheet_of(tmp_path, column("x", few), Reading(kinds={"x": "text"})).text is not None
    many = [f"{i}" for i in range(20)] + [f"w{i}" for i in range(15)]
    assert sheet_of(tmp_path, column("x", many)).table["x"].dtype == "string"
    # levels that happen to be numbers
    assert sheet_of(tmp_path, column("x", ["1", "2", "K"] * 5)).table["x"].dtype == "string"


@pytest.mark.fast
def test_empty_cells_alone(tmp_path):
    data = "country,alley,price\nNA,None,10\nZA,Grvl,\n,Pave,NA\n"
    usual = sheet_of(tmp_path, data)
    assert usual.text.missing == [[True, True, False], [False, False, True], [True, False, True]]
    assert any("'NA' (1 cells)" in note and "country=" in note for note in usual.notes)
    kept = sheet_of(tmp_path, data, Reading(missing_only=("country=", "alley=")))
    assert kept.text.missing == [[False, False, False], [False, False, True], [True, False, True]]
    none = sheet_of(tmp_path, data.replace(",NA\n", ",9\n"), Reading(missing_only=("",)))
    assert none.text.missing == [[False, False, False], [False, False, True], [True, False, False]]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("cells", "values", "fill"),
    [
        (["1,234", "950", "12,400"], [1234, 950, 12400], "1,000"),
        (["62.5 kg", "70 kg", "1.2 kg"], [62.5, 70, 1.2], "1000.0 kg"),
        (["45%", "7%", "12%"], [45, 7, 12], "1000%"),
        (["$1,137.50", "$2", "-$3"], [1137.5, 2, -3], "$1,000.00"),
        (["3,39", "4,1", "5"], [3.39, 4.1, 5], "1000,00"),
        (["1.234,5", "2,5", "3"], [1234.5, 2.5, 3], "1.000,0"),
        (["\u22125", "5", "\u22122.5"], [-5, 5, -2.5], "1000.0"),
        (["1 234", "5", "6"], [1234, 5, 6], "1 000"),
        (["20 °C", "-3 °C", "4 °C"], [20, -3, 4], "1000 °C"),
        (["€ 5", "€ 7.25", "€ 1"], [5, 7.25, 1], "€ 1000.00"),
    ],
)
def test_numbers_in_other_dress_are_numbers_and_are_written_so(tmp_path, cells, values, fill):
    lines = [f'"{cell}";{i}' for i, cell in enumerate([*cells, ""])]
    sheet = sheet_of(tmp_path, "x;n\n" + "\n".join(lines) + "\n", Reading(delimiter=";"))
    np.testing.assert_allclose(sheet.table["x"].dropna().astype(float), values)
    assert any("column 'x': numbers with" in note for note in sheet.notes)
    frame = frames.read(sheet.table)
    filled = np.where(frame.mask, frame.values, 1000)
    assert sheets.complete(sheet, frames.write(frame, filled)).text.rows[-1][0] == fill


@pytest.mark.fast
@pytest.mark.parametrize("cells", [["A12", "B7", "C9"], ["1st", "2nd", "3rd"], ["5 kg", "3 lb"]])
def test_codes_and_mixed_units_are_no_numbers(tmp_path, cells):
    assert sheet_of(tmp_path, column("x", cells)).table["x"].dtype == "string"


@pytest.mark.fast
def test_codes_with_leading_zeros_are_texts(tmp_path):
    sheet = sheet_of(tmp_path, column("zip", ["02138", "94110", "", "01002"]))
    assert frames.read(sheet.table).columns[0].kind == "text"
    assert any("--as 'zip=number'" in note for note in sheet.notes)
    numbers = sheet_of(
        tmp_path, column("zip", ["02138", "94110", ""]), Reading(kinds={"zip": "number"})
    )
    assert numbers.table["zip"].tolist()[:2] == [2138, 94110]
    assert sheet_of(tmp_path, column("x", ["0.5", "0", "00.25"])).table["x"].dtype == "float64"


@pytest.mark.fast
@pytest.mark.parametrize("made", ["file", "pandas", "polars"])
def test_long_integers_are_exact_or_left(tmp_path, made):
    same, apart = 123456789012345678, [1577134800018226901 + i for i in range(5)]
    if made == "file":
        lines = [f"{same},{n}" for n in apart]
        data = "a,b\n" + "\n".join([*lines, f",{apart[-1] + 7}", f"{same},"]) + "\n"
        table = sheet_of(tmp_path, data).table
    else:
        cells = {"a": [same] * 5 + [None, same], "b": [*apart, apart[-1] + 7, None]}
        table = pl.DataFrame(cells) if made == "polars" else pd.DataFrame(cells, dtype="Int64")
    frame = frames.read(table)
    assert [about.kind for about in frame.columns] == ["category", "other"]
    assert "identifiers" in frame.columns[1].reason
    result = frames.write(frame, np.where(frame.mask, frame.values, [0.0, np.nan]))
    assert list(result["a"]) == [same] * 7
    assert list(result["b"])[:5] == apart


@pytest.mark.fast
def test_repeated_extremes_are_found():
    rng = np.random.default_rng(0)
    plain = rng.normal(10, 2, 200)
    for value, count in ((-9999.0, 2), (999.9, 3), (-200.0, 5), (99.0, 2), (9999.0, 1)):
        cells = plain.copy()
        cells[:count] = value
        (hit,) = looks.sentinels([cells])
        assert (hit.value, hit.cells, hit.sure) == (value, count, False)
        assert hit.low == plain[count:].min()
    both = plain.copy()
    both[:4], both[4:8] = -9999, 9999
    assert {hit.value for hit in looks.sentinels([both])} == {-9999, 9999}
    constant = np.where(np.arange(50) < 3, 9999.9, 1013.0)
    assert looks.sentinels([constant])[0].value == 9999.9


@pytest.mark.fast
@pytest.mark.parametrize(
    "cells",
    [
        np.random.default_rng(1).normal(size=500),
        np.random.default_rng(1).standard_t(2, 500),
        np.random.default_rng(1).lognormal(0, 2, 500),
        np.minimum(np.random.default_rng(1).lognormal(0, 1, 500), 2.0),  # an upper limit
        np.maximum(np.random.default_rng(1).normal(size=500), 0),  # rain
        np.arange(100.0),
        np.repeat([0.0, 1.0], 20),
        np.r_[np.zeros(90), np.arange(10)],
        np.random.default_rng(1).integers(90, 100, 100).astype(float),
        np.r_[np.zeros(5), np.random.default_rng(1).uniform(50, 60, 100)],
    ],
    ids=[
        "normal",
        "t2",
        "lognormal",
        "capped",
        "rain",
        "index",
        "flag",
        "rare",
        "nineties",
        "zero",
    ],
)
def test_usual_columns_hold_none(cells):
    assert looks.sentinels([cells]) == []


@pytest.mark.fast
def test_columns_that_agree_are_close_to_certain(tmp_path):
    rng = np.random.default_rng(0)
    near = [rng.uniform(0, 10, 50).round(1) for _ in range(2)]
    wide = rng.uniform(600, 2000, 50).round()
    for cells in (*near, wide):
        cells[rng.choice(50, 5, replace=False)] = -200
    assert [hit.sure for hit in looks.sentinels([*near, wide])] == [True] * 3
    assert not any(hit.sure for hit in looks.sentinels([near[0], rng.normal(size=50)]))
    # far off in one, and below zero in three that are not
    assert [hit.sure for hit in looks.sentinels([near[0], wide, wide + 0.0])] == [True] * 3
    assert [hit.sure for hit in looks.sentinels([near[0], wide])] == [False] * 2
    lines = zip(*near, wide, strict=True)
    data = "a,b,c\n" + "".join(",".join(map(str, line)) + "\n" for line in lines)
    sheet = sheet_of(tmp_path, data)
    assert sheet.table.isna().sum().tolist() == [5, 5, 5]
    assert any("-200 is taken for a missing cell 15 times" in note for note in sheet.notes)
    kept = sheet_of(tmp_path, data, Reading(missing_only=("NA",)))
    assert not kept.table.isna().any(axis=None)
    assert len(frames.read(kept.table).notes) == 3  # a frame is left alone, and warned of


@pytest.mark.fast
def test_a_number_that_means_missing_in_any_spelling(tmp_path):
    data = "x;y\n-200;1\n-200,0;2\n1,5;-200\n"
    sheet = sheet_of(tmp_path, data, Reading(missing=("x=-200",)))
    assert sheet.table["x"].isna().tolist() == [True, True, False]
    assert sheet.table["y"].tolist() == [1, 2, -200]


@pytest.mark.fast
def test_parquet_obeys_missing(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    import pyarrow as pa

    table = pa.table(
        {
            "v": [-9999.0, 1.0, 2.0],
            "n": pa.array([1, -9999, 3], pa.int16()),
            "w": pa.array(["-9999", "b", "?"]).dictionary_encode(),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    reading = Reading(missing=("-9999", "w=?"))
    sheet = sheets.read_file(str(tmp_path / "a.parquet"), reading)
    assert sheet.table.schema == table.schema
    assert sheet.table.to_pydict() == {
        "v": [None, 1.0, 2.0],
        "n": [1, None, 3],
        "w": [None, "b", None],
    }


@pytest.mark.fast
@pytest.mark.parametrize("digits", ["decimal128", "decimal256"])
def test_decimals_of_parquet_are_filled_at_their_digits(digits):
    from decimal import Decimal

    pa = pytest.importorskip("pyarrow")
    kind = getattr(pa, digits)(10, 2)
    table = pa.table({"p": pa.array([Decimal("1.50"), None, Decimal("2.94")], kind)})
    result = ji.impute(table, "mean")
    assert result.schema == table.schema
    assert result["p"].to_pylist() == [Decimal("1.50"), Decimal("2.22"), Decimal("2.94")]
    high = frames.write(frames.read(table), np.array([[1.5], [1e12], [2.94]]))
    assert high["p"].to_pylist()[1] == Decimal("99999999.99")


@pytest.mark.parametrize("library", ["pandas", "objects", "polars"])
def test_blank_texts_are_missing_in_frames_too(library):
    cells = ["a", "", None, " ", "a", "b"]
    if library == "polars":
        table = pl.DataFrame({"b": cells})
    else:
        table = pd.DataFrame({"b": pd.Series(cells, dtype=object)})
        if library == "pandas":
            table = table.astype("string")
    assert frames.read(table).mask[:, 0].tolist() == [True, False, False, False, True, True]
    assert list(ji.impute(table, "mode")["b"]) == ["a", "a", "a", "a", "a", "b"]


@pytest.mark.fast
def test_words_that_mean_unknown_are_pointed_out():
    table = pd.DataFrame({"sex": ["M", "F", "unknown", None, "-"] * 3})
    (note,) = frames.read(table).notes
    assert "'-' (3 cells), 'unknown' (3 cells)" in note
    assert "--missing 'sex=unknown'" in note
    with pytest.warns(ji.ImputationWarning, match="unknown"):
        ji.impute(table, "mode")


@pytest.mark.fast
def test_remarks_on_flags_identifiers_and_numbers_as_text():
    table = pd.DataFrame(
        {
            "temp_qc": pd.array([0, 1, 2, None] * 5, "Int64"),
            "user_id": pd.array([None, *(734512 + 11 * i**2 for i in range(19))], "Int64"),
            "price": ["1,5", "2,25", "3", None] * 5,
        }
    )
    notes = frames.read(table).notes
    assert [word for word in ("flags", "identifiers", "numbers as text") if word in str(notes)] == [
        "flags",
        "identifiers",
        "numbers as text",
    ]
