"""Files: observed text untouched, errors that name file and line, whole or not at all."""

import errno
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaximpute as ji
from jaximpute.data import frames
from jaximpute.data.dialect import Dialect, Reading
from jaximpute.files import celltypes, cellwriting, csv, sheets

ROWS = """id,x,y,word,flag,day
1,1.50,2e-3,u,TRUE,2020-01-01
2,NA,1.25e-1,,FALSE,2020-01-02
,3.25,,"v, w",,
 4 ,1,3e2,u,TRUE,2020-01-04
"""


def write(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def fill(sheet: sheets.Sheet, value: float) -> sheets.Sheet:
    """Every missing number becomes `value`, every missing level the first one."""
    frame = frames.read(sheet.table)
    values = np.where(frame.mask, frame.values, value)
    for i, column in enumerate(frame.columns):
        if column.kind in ("time", "other") or not frame.mask[:, i].any():
            values[~frame.mask[:, i], i] = np.nan
        elif column.levels:
            values[~frame.mask[:, i], i] = 0
    return sheets.complete(sheet, frames.write(frame, values))


@pytest.mark.fast
def test_columns_get_the_type_that_all_their_cells_have(tmp_path):
    sheet = sheets.read_file(write(tmp_path / "a.csv", ROWS))
    kinds = [column.kind for column in frames.read(sheet.table).columns]
    assert kinds == ["integer", "number", "number", "text", "boolean", "time"]
    assert sheet.table.isna().sum().tolist() == [1, 1, 1, 1, 1, 1]


@pytest.mark.fast
def test_only_missing_cells_are_written_in_the_manner_of_their_column(tmp_path):
    path = tmp_path / "b.csv"
    sheet = sheets.read_file(write(tmp_path / "a.csv", ROWS))
    sheets.write_file(fill(sheet, 7.125), str(path))
    assert path.read_text().splitlines() == [
        "id,x,y,word,flag,day",
        "1,1.50,2e-3,u,TRUE,2020-01-01",
        "2,7.12,1.25e-1,u,FALSE,2020-01-02",
        '7,3.25,7.12e+00,"v, w",FALSE,',  # a date is never invented
        " 4 ,1,3e2,u,TRUE,2020-01-04",
    ]


@pytest.mark.fast
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_file_comes_back_byte_by_byte(tmp_path, newline, mark):
    text = mark + ROWS.replace("\n", newline).encode()
    sheet = sheets.read_file(write(tmp_path / "a.csv", text))
    sheets.write_file(sheets.complete(sheet, sheet.table), str(tmp_path / "b.csv"))
    assert (tmp_path / "b.csv").read_bytes() == text


CELLS = st.one_of(
    st.sampled_from(["", "NA", "nan", "1", "-2.50", "1e5", "true", "2020-02-31", "2020-01-01"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(2, 4).flatmap(lambda d: st.lists(st.tuples(*[CELLS] * d), min_size=1)))
def test_any_observed_text_survives(tmp_path, rows):
    names = [f"c{i}" for i in range(len(rows[0]))]
    text = csv.made(names, rows, Dialect())
    try:
        sheet = sheets.read_file(
            write(tmp_path / "a.csv", csv.render(text)), Reading(delimiter=",")
        )
        filled = fill(sheet, 1.0)
    except ji.DataError as error:  # infinite values, or numbers with an odd one among them
        assert "column 'c" in str(error)  # noqa: PT017
        return
    kept = [rows[i - 1] for i in sheet.text.at]  # without rows of nothing
    for row, hole, after in zip(kept, sheet.text.missing, filled.text.rows, strict=True):
        assert all(new == old for old, h, new in zip(row, hole, after, strict=True) if not h)


@pytest.mark.fast
def test_one_column_may_have_blank_lines(tmp_path):
    sheet = sheets.read_file(write(tmp_path / "a.csv", "x\n1.5\n\n2.5\n"))
    assert sheet.table["x"].isna().tolist() == [False, True, False]
    sheets.write_file(fill(sheet, 2.0), str(tmp_path / "b.csv"))
    assert (tmp_path / "b.csv").read_text() == "x\n1.5\n2.0\n2.5\n"


@pytest.mark.fast
def test_further_signs_of_a_missing_cell(tmp_path):
    path = write(tmp_path / "a.csv", "x,y\n-999,1\n3,-999\n4,?\n")
    sheet = sheets.read_file(path, Reading(missing=("-999", "?")))
    assert sheet.text.missing == [[True, False], [False, True], [False, True]]
    assert sheet.table["x"].dtype == "Int64"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv is empty"),
        ("\n\n", "a.csv is empty"),
        ("x,y\n", "a.csv has a header and no row below it"),
        ("x,y\n1,2\n1,2,3\n", r"a.csv, line 3: 3 cells; expected 2"),
        ("x,y\n1\n", r"a.csv, line 2: 1 cells; expected 2"),
        ("x,x\n1,2\n", "'x' occurs more than once"),
        ('x,y\n1,"2\n', "a.csv, line 2: unexpected end of data"),
        (b"x,y\n1,\xff\n", "a.csv is no UTF-8 text .line 2"),
        ("x\n" + "1\n" * 20 + "oops\n", "column 'x': row 20 below the header holds 'oops'"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, message):
    with pytest.raises(ji.DataError, match=message):
        sheets.read_file(write(tmp_path / "a.csv", text))


@pytest.mark.fast
def test_paths_that_cannot_be_read(tmp_path):
    with pytest.raises(ji.DataError, match=r"cannot read .*none.csv: No such file"):
        sheets.read_file(str(tmp_path / "none.csv"))
    with pytest.raises(ji.DataError, match=r"suffix '.xls'; expected one of .csv"):
        sheets.read_file(str(tmp_path / "a.xls"))
    with pytest.raises(ji.DataError, match=r"a.parquet is no Parquet file"):
        sheets.read_file(write(tmp_path / "a.parquet", "x,y\n"))


@pytest.mark.fast
def test_parquet_keeps_its_schema(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    words = pa.array(["a", None, "b"]).dictionary_encode()
    table = pa.table(
        {"n": pa.array([1, None, 3], pa.int16()), "x": pa.array([0.5, 1.5, None]), "w": words},
        metadata={"source": "here"},
    )
    pq.write_table(table, tmp_path / "a.parquet")
    sheet = sheets.read_file(str(tmp_path / "a.parquet"))
    sheets.write_file(fill(sheet, 2.0), str(tmp_path / "b.parquet"))
    after = pq.read_table(tmp_path / "b.parquet")
    assert after["n"].to_pylist() == [1, 2, 3]
    assert after["x"].to_pylist() == [0.5, 1.5, 2.0]
    assert after.schema.field("n").type == pa.int16()
    assert after.schema.metadata[b"source"] == b"here"


@pytest.mark.fast
def test_formats_convert_by_suffix(tmp_path):
    sheet = sheets.read_file(write(tmp_path / "a.csv", ROWS))
    sheets.write_file(sheet, str(tmp_path / "b.parquet"))
    back = sheets.read_file(str(tmp_path / "b.parquet"))
    sheets.write_file(back, str(tmp_path / "c.csv"))
    again = sheets.read_file(str(tmp_path / "c.csv"))
    pd.testing.assert_frame_equal(again.table[["id", "x", "y"]], sheet.table[["id", "x", "y"]])
    sheets.write_file(sheet, str(tmp_path / "d.tsv"))
    assert (tmp_path / "d.tsv").read_text().startswith("id\tx\ty\t")


@pytest.mark.fast
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_punched_cells_are_missing_and_others_as_before(tmp_path, suffix):
    sheet = sheets.read_file(write(tmp_path / "a.csv", ROWS))
    sheets.write_file(sheet, str(tmp_path / f"b{suffix}"))
    sheet = sheets.read_file(str(tmp_path / f"b{suffix}"))
    holes = np.zeros((4, 6), bool)
    holes[0, 0] = holes[3, 3] = True
    sheets.write_file(sheets.punch(sheet, holes), str(tmp_path / f"c{suffix}"))
    before = frames.read(sheet.table)
    after = frames.read(sheets.read_file(str(tmp_path / f"c{suffix}")).table)
    np.testing.assert_array_equal(after.mask, before.mask & ~holes)
    np.testing.assert_array_equal(after.values[after.mask], before.values[after.mask])


@pytest.mark.fast
def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ji.MissingExtraError, match=r"jaximpute\[parquet\]"):
        sheets.read_file(write(tmp_path / "a.parquet", "PAR1"))


@pytest.mark.fast
def test_existing_files_are_kept_unless_forced(tmp_path):
    path = tmp_path / "out.txt"
    path.write_text("old")
    with pytest.raises(ji.OutputError, match="exists; pass --force"), sheets.replacing(str(path)):
        pass
    assert path.read_text() == "old"
    path.chmod(0o640)
    with sheets.replacing(str(path), force=True) as file:
        file.write(b"new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.fast
def test_a_link_is_written_through(tmp_path):
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with sheets.replacing(str(tmp_path / "link.csv"), force=True) as file:
        file.write(b"new")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text() == "new"


@pytest.mark.fast
@pytest.mark.parametrize("where", ["no_folder/out.csv", "."])
def test_places_that_cannot_be_written(tmp_path, where):
    with pytest.raises(ji.OutputError, match=r"no folder|no regular file"):
        sheets.check_output(str(tmp_path / where), force=True)


@pytest.mark.fast
@pytest.mark.parametrize(
    ("failure", "seen"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), ji.OutputError),
        (KeyboardInterrupt(),) * 2,
    ],
    ids=["disk full", "interrupted"],
)
@pytest.mark.parametrize("before", [None, "old"])
def test_nothing_half_written_is_left(tmp_path, monkeypatch, failure, seen, before):
    path = tmp_path / "out.csv"
    if before is not None:
        path.write_text(before)

    def fail(descriptor):
        raise failure

    monkeypatch.setattr(os, "fsync", fail)
    sheet = sheets.read_file(write(tmp_path / "a.csv", ROWS))
    with pytest.raises(seen if isinstance(seen, type) else type(seen)) as caught:
        sheets.write_file(sheet, str(path), force=True)
    assert "No space left" in str(caught.value) or seen is not ji.OutputError
    left = {"a.csv"} if before is None else {"a.csv", "out.csv"}
    assert {entry.name for entry in tmp_path.iterdir()} == left
    assert before is None or path.read_text() == before


@pytest.mark.fast
@pytest.mark.parametrize(
    ("seen", "filled"), [("TRUE", "FALSE"), ("True", "False"), ("true", "false")]
)
def test_a_boolean_nowhere_observed_is_spelled_like_the_others(seen, filled):
    text, _ = csv.parse(f"a,b\n{seen},1\n,2\n".encode(), "x.csv")
    found = celltypes.typed(text, "x.csv")
    found.table.loc[1, "a"] = False
    completed = cellwriting.completed(text, found.table, found.dresses)
    assert completed.rows == [[seen, "1"], [filled, "2"]]
