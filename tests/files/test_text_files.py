"""Text files of any dialect: what is observed comes back as written, whatever stands around it."""

import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaximpute as ji
from jaximpute.data import frames
from jaximpute.data.dialect import Dialect, Reading, check, skipped
from jaximpute.files import compressed, csv, sheets
from tests.helpers.commands import call


def sheet_of(tmp_path, data, reading=None, name="a.csv"):
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return sheets.read_file(str(path), reading)


def fill(sheet: sheets.Sheet, value: float = 7.0) -> sheets.Sheet:
    """Every missing number becomes `value`, every missing level the first one."""
    frame = frames.read(sheet.table)
    values = np.where(frame.mask, frame.values, value)
    for i, column in enumerate(frame.columns):
        if column.kind in ("time", "other") or not frame.mask[:, i].any():
            values[~frame.mask[:, i], i] = np.nan
        elif column.levels:
            values[~frame.mask[:, i], i] = 0
    return sheets.complete(sheet, frames.write(frame, values))


def written(sheet: sheets.Sheet, path) -> str:
    sheets.write_file(sheet, str(path))
    return path.read_bytes().decode()


CELLS = st.one_of(
    st.sampled_from(["", "NA", "?", "1", "-2.50", "3,5", "1,234", "5 kg", "02138", "true", "#x"]),
    st.sampled_from(["2020-01-01", "-200", "999.9", "\u22125", "12%", "unknown", '"', "a\nb"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.integers(2, 4).flatmap(lambda d: st.lists(st.tuples(*[CELLS] * d), min_size=1, max_size=12)),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["utf-8", "utf-16-le", "utf-16-be"]),
    st.sampled_from(["", ".gz", ".bz2", ".xz", ".zip"]),
    st.sampled_from([None, ".", ","]),
)
def test_any_table_comes_back_with_only_gaps_filled(
    tmp_path, rows, delimiter, newline, encoding, packed, decimal
):
    if decimal == delimiter:
        decimal = None
    names = [f"c{i}" for i in range(len(rows[0]))]
    text = csv.made(names, rows, Dialect(delimiter, encoding, encoding != "utf-8", newline))
    data = csv.render(text)
    path = tmp_path / f"a.csv{packed}"
    path.write_bytes(compressed.pack(data, str(path)))
    reading = Reading(delimiter=delimiter, decimal=decimal, header=True)
    try:
        sheet = sheets.read_file(str(path), reading)
        filled = fill(sheet)
    except ji.DataError as error:  # infinite values, numbers with an odd one among them, no rows
        assert "column 'c" in str(error) or "no row" in str(error)  # noqa: PT017
        return
    assert csv.render(sheet.text) == data
    target = tmp_path / f"b.csv{packed}"
    sheets.write_file(filled, str(target), force=True)
    again = compressed.unpack(target.read_bytes(), packed, "b")
    back = csv.parse(again, "b", Reading(delimiter=delimiter, header=True))[0]
    assert len(back.records) == len(text.records)
    changed = {
        (sheet.text.at[i], sheet.text.columns[j])
        for i, j in np.argwhere(np.array(sheet.text.missing))
    }
    for i, (before, after) in enumerate(zip(text.records, back.records, strict=True)):
        for j, (old, new) in enumerate(zip(before, after, strict=True)):
            assert old == new or (i, j) in changed


@pytest.mark.fast
@pytest.mark.parametrize("target", [",", ";", "\t", "|"])
def test_another_delimiter_leaves_the_values(target):
    values = [["1,5", "a;b"], ["x\ty", 'q"q'], ["", "|"]]
    text = csv.made(["a,b", "c"], values, Dialect(";"))
    reading = Reading(delimiter=target, header=True)
    again = csv.parse(csv.render(text, target), "x", reading)[0]
    assert again.rows == values
    assert again.names == ["a,b", "c"]


@pytest.mark.fast
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "data",
    [
        '"a","b"\n"1","x"\n"","y"\n"3","x"\n',  # quotes that need not be there
        "a,b\n1,x\n\n,y\n3,x",  # a blank line, and no line break at the end
        "\n\na;b;;\n1;x;;\n;y;;\n2;x;;\n;;;\n;;;\n",
        "# by us, in 2024\n# all of it\na,b\n1,x\n,y\n2,x\n",
        "a,b\n1,x,\n,y,\n2,x,\n",
        "a\tb\n1\tx\n\ty\n2\tx\n",
    ],
)
def test_everything_around_the_gaps_is_kept(tmp_path, data, newline):
    data = data.replace("\n", newline)
    sheet = sheet_of(tmp_path, data)
    assert csv.render(sheet.text) == data.encode()
    assert sheet.text.names == ["a", "b"]
    assert sheet.table["a"].isna().sum() == 1
    result = written(fill(sheet), tmp_path / "b.csv")
    gap = next(i for i, hole in enumerate(sheet.text.missing) if hole[0])
    old, new = (data.split(newline), result.split(newline))
    at = sheet.text.at[gap]
    assert [line for i, line in enumerate(old) if i != at] == [
        line for i, line in enumerate(new) if i != at
    ]
    assert "7" in new[at]
    assert "7" not in old[at]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("data", "delimiter", "decimal"),
    [
        ("a;b\n1;2\n3;4\n", ";", "."),
        ("a\tb\n1\t2\n", "\t", "."),
        ("a|b\n1|2\n3|\n", "|", "."),
        ("a;b\n1,5;2,25\n;4\n", ";", ","),
        ('a,b\n"x;y",2\n"z;w",4\n', ",", "."),
        ("a,b\nx;y,2\nz;w,4\n", ",", "."),
    ],
)
def test_the_delimiter_and_decimal_mark_are_found(tmp_path, data, delimiter, decimal):
    sheet = sheet_of(tmp_path, data)
    assert sheet.text.dialect.delimiter == delimiter
    assert sheet.text.names == ["a", "b"]
    assert sheet.table["b"].iloc[0] == (2.25 if decimal == "," else 2)


@pytest.mark.fast
def test_options_of_reading(tmp_path):
    data = "made by X\n//\na:b\n1.500:x\n% aside\n2.250:NA\n-9:y\n".encode("utf-16")
    reading = Reading(
        delimiter=":",
        decimal=",",
        encoding="utf-16",
        skip_rows="2",
        comment="%",
        missing=("a=-9",),
        missing_only=("b=",),
    )
    sheet = sheet_of(tmp_path, data, reading)
    assert sheet.table["a"].tolist()[:2] == [1500, 2250]
    assert sheet.table["a"].isna().tolist() == [False, False, True]
    assert sheet.table["b"].tolist() == ["x", "NA", "y"]
    named = Reading(delimiter=":", encoding="utf-16", skip_rows="1-2,5-5", kinds={"a": "text"})
    assert sheet_of(tmp_path, data, named).table["a"].tolist() == ["1.500", "2.250", "-9"]
    headless = sheet_of(tmp_path, "1,2\n3,\n", Reading(header=False))
    assert headless.text.names == ["column_1", "column_2"]
    assert written(fill(headless), tmp_path / "c.csv") == "1,2\n3,7\n"
    assert sheet_of(tmp_path, b"a\n\xe9\nx\n", Reading(encoding="latin-1")).table["a"][0] == "é"


@pytest.mark.fast
@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (Reading(delimiter=";;"), "--delimiter"),
        (Reading(decimal="x"), "--decimal"),
        (Reading(decimal=",", delimiter=","), "the same"),
        (Reading(encoding="klingon"), "--encoding"),
        (Reading(kinds={"a": "date"}), "--as a=date"),
        (Reading(comment=""), "--comment"),
        (Reading(skip_rows="x"), "--skip-rows"),
        (Reading(skip_rows="0-2"), "--skip-rows"),
    ],
)
def test_values_that_an_option_does_not_take(reading, message):
    with pytest.raises(ji.OptionError, match=message):
        check(reading)


@pytest.mark.fast
def test_lines_are_named_by_count_or_by_number():
    assert skipped("3", 99) == {0, 1, 2}
    assert skipped("2-2", 99) == {1}
    assert skipped("1-2,4-4", 99) == {0, 1, 3}
    assert skipped(None, 99) == set()


@pytest.mark.fast
def test_options_of_text_are_refused_elsewhere(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, np.ones((2, 2)))
    with pytest.raises(ji.OptionError, match=r"--delimiter is for text files"):
        sheets.read_file(str(path), Reading(delimiter=";", missing=("1",)))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("# a\nx,y\n1,2\n# b\n3,4\n", "line 4: 1 cells; expected 2.*--comment '#'"),
        ("x,y,z\n1,2\n1,2,3\n", "line 2: 2 cells; expected 3.*The row is short"),
        ("Station A\nx,y\n1,2\n3,4\n", r"3 of 3 rows have 2.*--skip-rows 1"),
        ("x,y\n1,2,3\n4,5,6\n", "a name is missing"),
        ("x,y\n1,2\n3,4\n1,2,3\n", r"Quote cells that hold the delimiter ','"),
        ("a b;c\nx\ny\n", "looks like several apart by ';'.*--delimiter ';'"),
        ('x,y\n"1"2,3\n', "line 2: ',' expected after the quote"),
        (b"x\n\xe9\n", "--encoding cp1252"),
        ("x,y\n" + "1,2\n" * 19 + "oops,3\n", "--missing 'oops'.*--as 'x=text'"),
    ],
)
def test_errors_say_what_is_wrong(tmp_path, data, message):
    with pytest.raises(ji.DataError, match=message):
        sheet_of(tmp_path, data)


@pytest.mark.fast
def test_a_quote_that_never_closes_is_found_in_linear_time(tmp_path):
    data = 'x,y\n1,"2\n' + "3,4\n" * 20_000
    with pytest.raises(ji.DataError, match="line 2: unexpected end of data"):
        sheet_of(tmp_path, data)


@pytest.mark.fast
def test_compressed_files_by_their_suffix(tmp_path):
    data = b"a,b\n1,x\n,y\n"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("inner.csv", data)
    for packed, content in (
        (".gz", gzip.compress(data)),
        (".xz", lzma.compress(data)),
        (".zip", archive.getvalue()),
    ):
        sheet = sheet_of(tmp_path, content, name=f"a.csv{packed}")
        assert csv.render(sheet.text) == data
        sheets.write_file(sheet, str(tmp_path / f"b.tsv{packed}"))
        again = sheets.read_file(str(tmp_path / f"b.tsv{packed}"))
        assert again.text.rows == sheet.text.rows
    with pytest.raises(ji.DataError, match=r"cannot be decompressed"):
        sheet_of(tmp_path, b"no gzip", name="c.csv.gz")
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as made:
        made.writestr("a.csv", data)
        made.writestr("b.csv", data)
    with pytest.raises(ji.DataError, match="holds 2 files"):
        sheets.read_file(str(tmp_path / "two.csv.zip"))
    with pytest.raises(ji.DataError, match=r"suffix '.npy.gz'"):
        sheets.read_file("x.npy.gz")


@pytest.mark.fast
def test_numbers_of_lines_beyond_the_file_cost_nothing(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("title\na,b\n1,2\n2,\n3,4\n")
    for rows in ("1-1,99999999999999-999999999999999999", "1-1,6-999999999999"):
        done = call("impute", path, "-m", "mean", "--skip-rows", rows)
        assert (done.exit_code, done.stdout.splitlines()[3]) == (0, "2,3")
    assert call("impute", path, "-m", "mean", "--skip-rows", "999999999999").exit_code == 3
