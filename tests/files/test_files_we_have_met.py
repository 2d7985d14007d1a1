"""Files that people have: one command, and the same file with only its gaps filled."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import jaximpute as ji
from jaximpute.cli import app
from jaximpute.data import frames
from jaximpute.data.series import parse_stamps


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def call(*arguments, **keywords):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], **keywords)


def impute(tmp_path, data: str | bytes, *options, name="in.csv", out="out.csv"):
    """The output's text and what was said."""
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    done = call("impute", tmp_path / name, "-o", tmp_path / out, *options)
    assert done.exit_code == 0, done.stderr
    return (tmp_path / out).read_bytes().decode(), done.stderr


@pytest.mark.fast
def test_a_question_mark_in_a_third_of_the_cells(tmp_path):
    rows = [("?" if i % 3 == 0 else f"{37 + i / 10:.1f}", i % 2) for i in range(30)]
    data = "temp,sick\n" + "".join(f"{a},{b}\n" for a, b in rows)
    text, said = impute(tmp_path, data, "--method", "mean")
    assert "?" not in text
    assert "'?' (10 cells) is taken for a missing cell" in said
    assert [line for line in text.splitlines() if line in data.splitlines()] == [
        line for line in data.splitlines() if "?" not in line
    ]


def air(rows: int = 60) -> str:
    """Shaped like a European logger's export: decimal commas, -200, empty rows and columns."""
    rng = np.random.default_rng(0)
    lines = ["Date;Time;CO(GT);PT08.S1(CO);T;;"]
    for i in range(rows):
        cells = [f"{rng.uniform(1, 4):.1f}", f"{rng.uniform(900, 1300):.0f}"]
        cells += [f"{rng.uniform(5, 25):.1f}"]
        cells = ["-200" if rng.random() < 0.15 else cell.replace(".", ",") for cell in cells]
        lines.append(f"{10 + i // 24}/03/2004;{i % 24:02}.00.00;{';'.join(cells)};;")
    return "\r\n".join([*lines, ";;;;;;", ";;;;;;", ""])


@pytest.mark.parametrize("out", ["out.csv", "out.csv.gz"])
def test_a_loggers_export_in_one_command(tmp_path, out):
    import gzip

    data = air()
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(data.encode()))
    done = call("impute", tmp_path / "in.csv.gz", "-o", tmp_path / out, "--method", "mean")
    assert done.exit_code == 0, done.stderr
    held = (tmp_path / out).read_bytes()
    text = (gzip.decompress(held) if out.endswith("gz") else held).decode()
    before, after = ([line.split(";") for line in x.split("\r\n")] for x in (data, text))
    changes = [
        (old, new)
        for one, other in zip(before, after, strict=True)
        for old, new in zip(one, other, strict=True)
        if old != new
    ]
    assert len(changes) == data.count("-200") > 10
    assert {old for old, _ in changes} == {"-200"}
    assert all("," in new or new.isdecimal() for _, new in changes)
    assert "--time 'Date+Time'" in done.stderr
    assert "-200 is taken for a missing cell" in done.stderr
    assert "2 empty rows" in done.stderr


@pytest.mark.fast
def test_date_and_time_of_day_are_one_axis(tmp_path):
    _, said = impute(tmp_path, air(), "--method", "linear", "--time", "Date+Time")
    assert "with 'linear'" in said
    done = call("inspect", tmp_path / "in.csv", "--time", "Date+Time")
    assert "on a grid of 60 steps" in done.stdout


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_kept(tmp_path, separator):
    data = "day,flow\n0,3.0\n1,\n2,4.0\n".replace(",", separator)
    text, said = impute(tmp_path, data, "--method", "mean")
    assert text == data.replace(f"1{separator}\n", f"1{separator}3.5\n")
    assert "taken to be apart by" in said
    (tmp_path / "x.csv").write_text(data)
    done = call("impute", tmp_path / "x.csv", "--method", "mean", "-q")
    assert done.stdout == text  # stdout, too


@pytest.mark.fast
def test_a_repeated_extreme_is_named_with_the_option_that_mends_it(tmp_path):
    temperatures = [f"{10 + 5 * np.sin(i / 3):.1f}" for i in range(40)]
    for i in (5, 6, 20):
        temperatures[i] = "999.9"
    data = "t,TMP\n" + "".join(f"{i},{x}\n" for i, x in enumerate(temperatures))
    _, said = impute(tmp_path, data, "--method", "mean")
    assert "column 'TMP' holds 999.9 in 3 cells" in said
    assert "--missing 'TMP=999.9'" in said
    text, said = impute(tmp_path, data, "--method", "mean", "--missing", "TMP=999.9", "--force")
    assert "filled 3 of 3" in said
    assert "999.9" not in text
    shown = call("inspect", tmp_path / "in.csv")
    assert "999.9" in next(line for line in shown.stdout.splitlines() if "TMP" in line)
    assert "999.9 in 3 cells" in shown.stderr


def test_na_and_none_that_are_values(tmp_path):
    data = "country,alley,price\nNA,None,10\nZA,Grvl,12\nNA,None,9\nAO,Pave,\nZA,None,13\n"
    _, said = impute(tmp_path, data, "--method", "mode")
    assert "column 'country': 'NA' (2 cells) taken for missing" in said
    text, _ = impute(tmp_path, data, "--method", "mode", "--missing-only", "", "--force")
    assert text.splitlines()[1:4] == data.splitlines()[1:4]
    assert text.count("NA,") == 2
    settings = tmp_path / "run.toml"
    settings.write_text("method = 'mode'\nmissing-only = ['country=', 'alley=']\n")
    again, _ = impute(tmp_path, data, "--config", settings, "--force")
    assert again == text


@pytest.mark.parametrize(
    ("stamps", "values", "filled"),
    [
        ([20200130, 20200131, 20200201, 20200202], [0, None, None, 3], [1, 2]),
        (["20200130", "20200131", "20200201", "20200202"], [0, None, None, 3], [1, 2]),
        ([202010, 202011, 202012, 202101, 202102], [0, 1, None, None, 4], [2, 3]),
        (
            [202001312300, 202001312330, 202002010000, 202002010030],
            [0, None, None, 3],
            [1, 2],
        ),
        ([2020013123, 2020020100, 2020020101], [0, None, 2], [1]),
        (["30/01/2020", "31/01/2020", "01/02/2020", "02/02/2020"], [0, None, None, 3], [1, 2]),
        (["1/30/2020 23:00", "1/31/2020 0:00", "1/31/2020 1:00"], [0, None, 2], [1]),
    ],
)
def test_stamps_are_read_by_the_calendar(stamps, values, filled):
    table = pd.DataFrame({"t": stamps, "v": values})
    table["v"] = table["v"].astype(float)
    result = ji.impute(table, "linear", time="t")
    found = result["v"][table["v"].isna()].to_numpy()
    np.testing.assert_allclose(found, filled, atol=1e-5)
    assert result["t"].tolist() == stamps


@pytest.mark.fast
def test_days_and_months_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ji.TimeError, match="cannot be told apart"):
        parse_stamps(["01/02/2020", "02/02/2020"], 2)


@pytest.mark.fast
def test_whole_numbers_that_are_days_are_not_learned():
    table = pd.DataFrame({"day": [20240130, 20240131, 20240201], "x": [1.0, np.nan, 3.0]})
    assert frames.read(table).columns[0].kind == "time"
    table["day"] = [20240130, 20240199, 20240201]
    assert frames.read(table).columns[0].kind == "integer"


@pytest.mark.fast
def test_offsets_that_change_with_summer_time(tmp_path):
    hours = [("30T23", "+01"), ("31T00", "+01"), ("31T01", "+01"), ("31T03", "+02")]
    loads = ["1.0", "", "", "4.0"]
    data = "time,load\n" + "".join(
        f"2024-03-{hour}:00:00{offset}:00,{x}\n"
        for (hour, offset), x in zip(hours, loads, strict=True)
    )
    text, _ = impute(tmp_path, data, "--method", "linear", "--time", "time")
    filled = data.replace("31T00:00:00+01:00,", "31T00:00:00+01:00,2.0")
    assert text == filled.replace("31T01:00:00+01:00,", "31T01:00:00+01:00,3.0")


@pytest.mark.fast
def test_a_row_of_units_is_kept_and_not_learned(tmp_path):
    data = "TIMESTAMP,Air,RH\nTS,Deg C,%\n,Avg,Smp\n2021-06-01 00:00,15.0,60\n" + "".join(
        f"2021-06-01 {i:02}:00,{'' if i == 3 else 15 + i}.0,{60 + i}\n" for i in range(1, 9)
    )
    data = data.replace(",.0,", ",,")
    text, said = impute(tmp_path, data, "--method", "linear", "--time", "TIMESTAMP")
    assert text == data.replace("03:00,,", "03:00,18.0,")
    assert "holds units ('TS', 'Deg C', '%')" in said


@pytest.mark.fast
@pytest.mark.parametrize(
    ("data", "filled"),
    [
        ("5.1,,1.4\n4.9,3.0,1.5\n4.7,3.2,\n", "5.1,3.1,1.4\n4.9,3.0,1.5\n4.7,3.2,1.4\n"),
        (
            "5.1,1.4,setosa\n4.9,,setosa\n4.9,1.4,other\n4.7,1.4,setosa\n",
            "5.1,1.4,setosa\n4.9,1.4,setosa\n4.9,1.4,other\n4.7,1.4,setosa\n",
        ),
    ],
)
def test_a_file_without_names(tmp_path, data, filled):
    text, said = impute(tmp_path, data, "--method", "mean")
    assert text == filled
    assert "--header" in said


@pytest.mark.fast
def test_names_that_are_years_are_names(tmp_path):
    data = "2019,2020,2021\n1,2,\n2,3,5\n3,4,7\n"
    text, _ = impute(tmp_path, data, "--method", "mean")
    assert text == data.replace("1,2,\n", "1,2,6\n")


@pytest.mark.fast
@pytest.mark.parametrize(("out", "mark"), [("out.tsv", "\t"), ("out.csv", ","), ("-", ",")])
def test_another_format_leaves_observed_cells_as_written(tmp_path, out, mark):
    cells = [
        ["zip", "tweet", "when", "ok", "h"],
        ["02138", "1577134800018226901", "2024-1-5", "TRUE", "1.50"],
        ["01002", "1577134800018226902", "2024-1-6", "FALSE", ""],
        ["", "1577134800018226903", "2024-1-7", "TRUE", "2.50"],
        ["00501", "1577134800018226907", "2024-1-9", "", "3.00"],
    ]
    (tmp_path / "in.csv").write_text("".join(",".join(row) + "\n" for row in cells))
    where = out if out == "-" else tmp_path / out
    done = call("impute", tmp_path / "in.csv", "-o", where, "--method", "mean", "-q")
    assert done.exit_code == 0, done.stderr
    text = done.stdout if out == "-" else where.read_text()
    for before, line in zip(cells, text.splitlines(), strict=True):
        for old, new in zip(before, line.split(mark), strict=True):
            assert old in ("", new)


@pytest.mark.fast
def test_parquet_gets_exact_integers_and_texts(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    ids = [1577134800018226901 + i for i in range(4)]
    rows = zip(["02138", "", "00501", "01002"], ids, ["5 kg", "7 kg", "", "9 kg"], strict=True)
    data = "zip,id,w,huge\n" + "".join(f"{a},{b},{c},{b}{b}\n" for a, b, c in rows)
    (tmp_path / "in.csv").write_text(data)
    done = call("impute", tmp_path / "in.csv", "-o", tmp_path / "o.parquet", "--method", "mean")
    assert done.exit_code == 0, done.stderr
    table = pq.read_table(tmp_path / "o.parquet")
    assert table["id"].to_pylist() == ids
    assert table["huge"].to_pylist() == [f"{i}{i}" for i in ids]
    assert [table["zip"][i].as_py() for i in (0, 2, 3)] == ["02138", "00501", "01002"]
    assert table["w"].to_pylist() == ["5 kg", "7 kg", "7 kg", "9 kg"]


@pytest.mark.fast
def test_series_without_times_say_so():
    series = pd.Series([1, np.nan, 3, 4, 5, np.nan, 7.0])
    with pytest.warns(ji.ImputationWarning, match="series without times"):
        ji.impute(series, "mean")
    seconds = series.set_axis(pd.to_timedelta(np.arange(7), unit="s"))
    assert ji.impute(seconds, "linear").tolist() == pytest.approx([1, 2, 3, 4, 5, 6, 7])
    with pytest.raises(ji.OptionError, match="time="):
        ji.impute(series.to_frame("x"), "linear")


@pytest.mark.fast
def test_names_with_brackets_and_control_characters_are_shown_in_full(tmp_path):
    (tmp_path / "a.csv").write_text("speed [km/h],[/foo],a\x1b]0;X\x07b\n1,2,x\n2,,\n3,5,y\n")
    done = call("inspect", tmp_path / "a.csv")
    assert done.exit_code == 0, done.stderr
    assert "speed [km/h]" in done.stdout
    assert "[/foo]" in done.stdout
    assert "\\x1b]0;X\\x07b" in done.stdout
    assert "\x1b" not in done.stdout + done.stderr


@pytest.mark.fast
def test_options_of_reading_are_in_the_manifest_and_repeated(tmp_path):
    data = "# by us\na:b\n1,5:-9\n:2,5\n3,5:3\n"
    options = ("--delimiter", ":", "--decimal", ",", "--comment", "#", "--missing", "-9")
    report = tmp_path / "r.json"
    text, _ = impute(tmp_path, data, "--method", "mean", *options, "--report", report)
    assert text == "# by us\na:b\n1,5:2,8\n2,5:2,5\n3,5:3\n"
    settings = json.loads(report.read_text())["settings"]
    assert (settings["delimiter"], settings["decimal"], settings["missing"]) == (":", ",", ["-9"])
    done = call("reproduce", report)
    assert done.exit_code == 0, done.stderr


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("inspect", ()),
        ("simulate", ("-o", "OUT")),
        ("evaluate", ("-m", "mean", "--repeats", "1")),
        ("fit", ("--save", "OUT", "--method", "mean")),
    ],
)
def test_every_command_that_reads_takes_the_options(tmp_path, command, options):
    (tmp_path / "in.csv").write_text("x\na:b\n" + "".join(f"{i},5:{i}\n" for i in range(12)))
    options = [str(tmp_path / "out.csv") if o == "OUT" else o for o in options]
    wrong = call(command, tmp_path / "in.csv", *options)
    assert wrong.exit_code == 3
    reading = ("--skip-rows", "1", "--delimiter", ":", "--decimal", ",")
    right = call(command, tmp_path / "in.csv", *options, *reading)
    assert right.exit_code == 0, right.stderr
    if command == "simulate":
        written = (tmp_path / "out.csv").read_text()
        assert written.startswith("x\na:b\n")
        assert written.count("\n") == 14
    if command == "fit":
        done = call("apply", tmp_path / "out.csv", tmp_path / "in.csv", *reading)
        assert done.exit_code == 0, done.stderr
        assert done.stdout == (tmp_path / "in.csv").read_text()


@pytest.mark.fast
def test_what_reads_by_blocks_refuses_options_of_text(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((4, 2)))
    done = call("impute", tmp_path / "a.npy", "-o", "o.npy", "--block-rows", 2, "--missing", "-9")
    assert done.exit_code == 2
    assert "--missing" in done.stderr


def test_draws_and_intervals_keep_the_dress(tmp_path):
    data = "a;b\n" + "".join(f"{i},5;{2 * i},25\n" for i in range(20)) + ";5,25\n;9,25\n"
    (tmp_path / "in.csv").write_text(data)
    for more in (("--draws", "2"), ("--interval", "0.8", "--draws", "5")):
        done = call("impute", tmp_path / "in.csv", "--method", "mice", "-q", *more)
        assert done.exit_code == 0, done.stderr
        lines = [line.split(";") for line in done.stdout.splitlines()]
        assert lines[0] == (["draw", "a", "b"] if len(more) == 2 else ["a", "b", "a_low", "a_high"])
        assert len(lines) == (45 if len(more) == 2 else 23)
        assert all("," in cell for line in lines[1:] for cell in line[-2:])


def test_series_below_one_another_are_named(tmp_path):
    data = "station,date,no2\n" + "".join(
        f"{name},2024-01-{day:02},{'' if day == 4 else base + day}\n"
        for name, base in (("A", 10), ("B", 200))
        for day in range(1, 11)
    )
    _, said = impute(tmp_path, data, "--method", "mean")
    assert "'station' tells rows of the same date apart: 2 series" in said
    assert "--time 'date' --group 'station'" in said
    done = call("impute", tmp_path / "in.csv", "--time", "date", "--method", "linear")
    assert done.exit_code == 3
    assert "Column 'station' tells rows of the same stamp apart: they are 2 series" in done.stderr
    done = call(
        "impute", tmp_path / "in.csv", "--time", "date", "--group", "station", "--method", "linear"
    )
    assert done.exit_code == 0, done.stderr
    assert "A,2024-01-04,14\n" in done.stdout
    assert "B,2024-01-04,204\n" in done.stdout
    index = pd.MultiIndex.from_product([["A", "B"], pd.date_range("2020", periods=3)])
    table = pd.DataFrame({"v": [1, np.nan, 3, 10, np.nan, 30.0]}, index=index)
    assert ji.impute(table, "linear")["v"].tolist() == [1, 2, 3, 10, 20, 30]
