"""Text apart by blanks: several count as one, and lines come back as they were but for gaps."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import jaximpute as ji
from jaximpute.data import dialect
from jaximpute.data.dialect import Reading
from jaximpute.files import csv, draws
from tests.files.test_text_files import fill, sheet_of, written

BLANK = Reading(delimiter="whitespace")
DATED = " year mon   co2 \n 1958   3 315.7\n 1958   4    NA\n 1958  10 317.5\n"


@pytest.mark.fast
@pytest.mark.parametrize("reading", [None, BLANK])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_several_blanks_are_one_and_columns_stay_straight(tmp_path, reading, newline):
    data = DATED.replace("\n", newline)
    sheet = sheet_of(tmp_path, data, reading)
    assert sheet.table.columns.tolist() == ["year", "mon", "co2"]
    assert written(fill(sheet), tmp_path / "o.csv") == data.replace("    NA", "   7.0")


@pytest.mark.fast
def test_words_of_different_lengths_and_tabs(tmp_path):
    data = 'a b \t c\n1   22\t333\n?\t4 5  \n10 -999   "?"\n'
    sheet = sheet_of(tmp_path, data, Reading(delimiter="whitespace", missing=("-999",)))
    assert sheet.table["c"].tolist()[:2] == [333, 5]
    text = written(fill(sheet), tmp_path / "o.csv")
    assert re.sub("[ \t]+", " ", text) == "a b c\n1 22 333\n7 4 5 \n10 7 7\n"
    assert text.splitlines()[:2] == data.splitlines()[:2]
    assert text.splitlines()[2] == "7\t4 5  "


@pytest.mark.fast
def test_texts_with_blanks_are_quoted(tmp_path):
    data = 'n place\n1 "New York"\n2 "New York"\n3 NA\n'
    sheet = sheet_of(tmp_path, data, BLANK)
    text = written(fill(sheet), tmp_path / "o.csv")
    assert text == data.replace("3 NA", '3 "New York"')


@pytest.mark.fast
def test_places_tell_which_cells_are_empty(tmp_path):
    data = "id  city    x     y\n 1  Bonn  1.5  10.0\n 2  Rome       12.5\n 3  Oslo  2.5\n"
    sheet = sheet_of(tmp_path, data, BLANK)
    assert sheet.text.dialect.fixed
    assert [list(row) for row in sheet.text.missing] == [
        [False] * 4,
        [False, False, True, False],
        [False, False, False, True],
    ]
    text = written(fill(sheet), tmp_path / "o.csv")
    wanted = data.replace("Rome       12.5", "Rome  7.0  12.5")
    assert text == wanted.replace("Oslo  2.5", "Oslo  2.5   7.0")


@pytest.mark.fast
def test_a_fill_longer_than_its_places_is_refused(tmp_path):
    data = "id  x     y\n 1  1.5  10.0\n 2       12.5\n 3  2.5\n"
    sheet = sheet_of(tmp_path, data, BLANK)
    with pytest.raises(ji.DataError, match=r"column 'x': the fill '-1234567\.0' takes"):
        fill(sheet, -1234567.0)


@pytest.mark.fast
def test_nothing_stands_beside_columns_told_by_their_places(tmp_path):
    sheet = sheet_of(tmp_path, "id  x     y\n 1  1.5  10.0\n 2       12.5\n 3  2.5\n", BLANK)
    with pytest.raises(ji.DataError, match="nothing can stand beside"):
        draws.check_names(sheet, interval=True)
    text = csv.render(csv.below([sheet.text] * 11, "draw"))
    again, _ = csv.parse(text, "x.txt", BLANK)
    assert again.names == ["draw", "id", "x", "y"]
    assert again.rows[-1] == ["11", "3", "2.5", ""]


@pytest.mark.fast
def test_what_cannot_be_told_is_refused_by_name(tmp_path):
    with pytest.raises(ji.DataError, match=r"line 3: 2 cells; expected 3.*Write NA"):
        csv.parse(b"a b c\n1 2 3\n11 22\n1 222 3\n", "x.txt", BLANK)
    # R writes the numbers of rows, and no name for them
    with pytest.raises(ji.DataError, match="a name is missing"):
        csv.parse(b"a b\n1 5 6\n2 7 8\n", "x.txt", BLANK)
    with pytest.raises(ji.DataError, match="apart by blanks; if so: --delimiter whitespace"):
        csv.parse(b"a  b   c\n1  2   3\n4      6\n7  8   9\n", "x.txt")


@pytest.mark.fast
def test_a_nameless_first_column_is_told_by_its_place():
    text, _ = csv.parse(b"     a  b\n0  1.0  2\n1  NaN  3\n", "x.txt", BLANK)
    assert text.names == ["column_1", "a", "b"]
    assert text.rows[1] == ["1", "NaN", "3"]


@pytest.mark.fast
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (['18.0  8 307.\t"a b c"', '15.0  8 350.\t"a b"'], dialect.BLANKS),
        (["a b c", "1 2 3", "4 5 6"], dialect.BLANKS),
        (["a b", "1,5 2,5", "1,5 3,5"], dialect.BLANKS),
        (["full name", "John Smith", "Ann Lee"], ","),
        (["street number", "Main 12", "Side 13"], ","),
        (["a, b, c", "1, 2, 3", "4, 5, 6"], ","),
        (["when,x", "2020-01-01 00:00,1", "2020-01-01 01:00,2"], ","),
        (["pop total;b c", "1 234;5 678", "1 234;5 678"], ";"),
        (["a\tb", "1\t2", "3\t4"], "\t"),
        (["Deg C", "1.5", "2.5"], ","),
    ],
)
def test_blanks_are_found_where_nothing_else_makes_numbers(lines, expected):
    assert dialect.sniff(lines, ",") == expected


@pytest.mark.fast
def test_another_delimiter_and_draws(tmp_path):
    sheet = fill(sheet_of(tmp_path, DATED))
    assert csv.render(sheet.text, "\t").decode() == (
        "year\tmon\tco2\n1958\t3\t315.7\n1958\t4\t7.0\n1958\t10\t317.5\n"
    )
    many = csv.render(csv.below([sheet.text, sheet.text], "draw")).decode().splitlines()
    assert [line.split() for line in many[:2]] == [
        ["draw", "year", "mon", "co2"],
        ["1", "1958", "3", "315.7"],
    ]
    assert len(many) == 7


WORDS = st.sampled_from(["1", "-2.50", "33", "NA", "?", "x", "1e5", "(3)", '"a b"', "2020-01-01"])
GAPS = st.sampled_from([" ", "  ", "    ", "\t", " \t "])


@settings(max_examples=100, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda d: st.lists(st.lists(WORDS, min_size=d, max_size=d), min_size=1, max_size=8)
    ),
    st.lists(GAPS, min_size=4, max_size=4),
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_is_read_is_written_and_gaps_alone_change(rows, gaps, edge, newline):
    rows = [["1"] * len(rows[0]), *rows]  # words alone below the names would be units
    names = [f"n{j}" for j in range(len(rows[0]))]
    lines = [
        edge + "".join(word + gaps[(i + j) % 4] for j, word in enumerate(row)) + edge
        for i, row in enumerate([names, *rows])
    ]
    data = "".join(line + newline for line in lines).encode()
    text, _ = csv.parse(data, "x.txt", BLANK._replace(header=True))
    assert csv.render(text) == data
    assert text.rows == [[word.strip('"') for word in row] for row in rows]
    holes = [(i, j) for i, row in enumerate(text.missing) for j, hole in enumerate(row) if hole]
    cells = {hole: f"{7.125:.{sum(hole) % 4}f}" for hole in holes}
    filled = csv.changed(text, cells, [[False] * len(names) for _ in rows])
    again, _ = csv.parse(csv.render(filled), "x.txt", BLANK._replace(header=True))
    for i, row in enumerate(again.rows):
        for j, word in enumerate(row):
            assert word == cells.get((i, j), text.rows[i][j])


@pytest.mark.fast
@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.sampled_from(["1", "2.5", "-33", ""]), min_size=3, max_size=3),
        min_size=2,
        max_size=8,
    ),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.booleans(),
)
def test_places_are_read_and_written(rows, left, cut):
    # one row is whole, so that there are as many columns as words
    rows = [["-33"] * 3, *rows]
    lines = [
        " ".join(
            cell.ljust(5) if side else cell.rjust(5) for cell, side in zip(row, left, strict=True)
        )
        for row in [["nam1", "nam2", "nam3"], *rows]
    ]
    lines = [line.rstrip() or line for line in lines] if cut else lines
    data = ("\n".join(lines) + "\n").encode()
    text, _ = csv.parse(data, "x.txt", BLANK._replace(header=True))
    assert csv.render(text) == data
    kept = [row for row in rows if any(row)]
    if not text.dialect.fixed:
        assert all(all(row) for row in kept)
        return
    assert [row for row in text.rows if any(row)] == kept
    holes = {
        (i, j): "9.5" for i, row in enumerate(text.missing) for j, hole in enumerate(row) if hole
    }
    filled = csv.changed(text, holes, [[False] * 3 for _ in text.rows])
    again, _ = csv.parse(csv.render(filled), "x.txt", BLANK._replace(header=True))
    wanted = [[cell or "9.5" for cell in row] for row in text.rows]
    assert again.rows == wanted
