"""Numbers as Fortran and bookkeepers write them, summaries, and files that are no tables."""

import gzip
import json

import pytest

import jaximpute as ji
from jaximpute.data import numerals
from jaximpute.data.dialect import Reading
from jaximpute.files import csv
from tests.files.test_text_files import fill, sheet_of, written
from tests.helpers.commands import call

pytestmark = pytest.mark.fast


def test_exponents_of_fortran(tmp_path):
    data = "i,x\n1,0.150D+03\n2,-0.250d-01\n3,\n4,0.400D+01\n"
    sheet = sheet_of(tmp_path, data)
    assert sheet.table["x"].tolist()[:2] == [150.0, -0.025]
    text = written(fill(sheet), tmp_path / "o.csv")
    assert text == data.replace("3,\n", "3,7.000D+00\n")
    assert "exponents behind D" in " ".join(sheet.notes)


def test_numbers_below_zero_in_parentheses(tmp_path):
    data = 'i,x\n1,"$1,250.00"\n2,"($3,000.50)"\n3,\n4,$4.00\n'
    sheet = sheet_of(tmp_path, data)
    assert sheet.table["x"].tolist()[:2] == [1250.0, -3000.5]
    text = written(fill(sheet, -7.0), tmp_path / "o.csv")
    assert text == data.replace("3,\n", "3,($7.00)\n")
    assert "below zero in parentheses" in " ".join(sheet.notes)


@pytest.mark.parametrize(
    "cells", [["(1)", "(2)"], ["(1)", "-2"], ["12D3", "4D5"], ["(a)", "1"], ["(-1)", "2"]]
)
def test_what_only_looks_like_such_numbers_is_none(cells):
    assert numerals.dress_of(cells) is None


@pytest.mark.parametrize("word", ["Total", "GRAND TOTAL:", "mean", "Sum of all"])
def test_a_last_row_that_sums_up_is_pointed_out(word):
    rows = "a,1\nb,2\nc,\nd,4\n"
    _, notes = csv.parse(f"n,x\n{rows}{word},7\n".encode(), "x.csv")
    assert f"the last row is called '{word}'" in notes[-1]
    assert "--skip-rows 6-6" in notes[-1]
    text, notes = csv.parse(f"n,x\n{rows}{word},7\n".encode(), "x.csv", Reading(skip_rows="6-6"))
    assert len(text.rows) == 4
    assert not notes
    _, notes = csv.parse(f"n,x\n{word},1\n{rows}{word},7\n".encode(), "x.csv")
    assert not notes


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"".join(json.dumps({"a": i, "b": 2}).encode() + b"\n" for i in range(4)), "JSON"),
        (json.dumps([{"a": 1}, {"a": None}], indent=1).encode(), "JSON"),
        (b"\n <html><body><table><tr><td>1</td></tr></table></body></html>", "HTML"),
        (b"PK\x03\x04\x14\x00\x06\x00", "an Excel file"),
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "name it .csv.gz"),
        (b"PAR1xxxxPAR1", "name it .parquet"),
    ],
)
def test_files_of_another_kind_are_named(data, what):
    with pytest.raises(ji.DataError, match=what.replace(".", r"\.")):
        csv.parse(data, "x.csv")


def test_braces_in_names_are_no_json():
    text, _ = csv.parse(b"{a},[b]\n1,2\n3,\n", "x.csv")
    assert text.names == ["{a}", "[b]"]


def test_a_decimal_mark_that_no_cell_shows_is_not_spoken_of(tmp_path):
    sheet = sheet_of(tmp_path, "a;b\n1;45%\n2;\n3;50%\n")
    said = " ".join(sheet.notes)
    assert "the unit '%'" in said
    assert "decimal commas" not in said


@pytest.mark.parametrize("sign", ["-nan", "-", ".", "#NA", "-1.#IND", "1.#QNAN"])
def test_signs_in_a_third_of_the_cells_are_no_category(sign, tmp_path):
    path = tmp_path / "in.csv"
    cells = [f"{i / 4:.2f}" if i % 3 else sign for i in range(30)]
    path.write_text("a,b\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)))
    done = call("impute", path, "-m", "mean")
    if done.exit_code:  # not known for a sign, and told how to say that it is one
        assert done.exit_code == 3
        assert f"'{sign}'" in done.stderr
        assert "--missing" in done.stderr
        done = call("impute", path, "-m", "mean", "--missing", sign)
    assert done.exit_code == 0
    filled = [line.split(",")[0] for line in done.stdout.splitlines()[1:]]
    assert filled[::3] == ["3.75"] * 10
