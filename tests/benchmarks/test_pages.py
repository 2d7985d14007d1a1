"""The pages of the docs: their tables are what the rows say, and what a table may ask for."""

import importlib.util
import re
import tomllib

import pytest

from benchmarks import document
from benchmarks.harness import jobs, tabulate
from tests.benchmarks.pages import made, write

ASKED = {
    f"{page.name}: {name}": tomllib.loads(ask)
    for page in document.pages()
    for _, name, ask, *_ in document.MARK.findall(page.read_text())
}


def row(method, seed=0, mae=1.0, **more):
    about = {"data": "d", "ratio": 0.3, "seed": seed, "method": method, "preset": "balanced"}
    return {**about, "options": {}, "version": "1.0", "mae": mae, "cpu_seconds": 3.0, **more}


def lines(text):
    return [line for line in text.splitlines() if line.startswith("|")][2:]


ASK = {"from": "rows", "line": ["label"], "least": ["mae"], "cells": {"MAE": "{mae:.3f ±}"}}


def test_committed_pages_are_what_their_rows_say(capsys):
    assert document.main(["--check"]) == 0, capsys.readouterr().out
    assert capsys.readouterr().out == ""


@pytest.mark.fast
def test_every_file_of_rows_has_a_table_and_every_table_a_command_that_exists():
    files = {file.stem for file in jobs.RESULTS.glob("*.jsonl")}
    assert {ask["from"] for ask in ASKED.values()} == files
    for name, ask in ASKED.items():
        if ask["from"] == "quoted":
            continue
        command = ask.get("command", f"python -m benchmarks.{ask['from']}")
        module = re.match(r"python -m (benchmarks\.\w+)", command)
        assert module, name
        assert importlib.util.find_spec(module[1]), f"{name}: {command}"


@pytest.mark.fast
def test_every_command_in_the_docs_and_every_test_on_the_page_of_papers_exists():
    pages = [jobs.ROOT / "README.md", *(jobs.ROOT / "docs").glob("*/*.md")]
    text = "".join(page.read_text() for page in pages)
    for module in set(re.findall(r"python -m (benchmarks\.\w+)", text)):
        assert importlib.util.find_spec(module), module
    page = jobs.ROOT / "docs" / "results" / "papers.md"
    files = dict(re.findall(r"^\[(\w+)\]: (\S+)$", page.read_text(), re.MULTILINE))
    named = re.findall(r"`(test_\w+)` \(\[[^]]+\]\[(\w+)\]\)", page.read_text())
    assert len(named) == page.read_text().count("`test_") > 20
    for test, file in named:
        assert f"def {test}(" in (page.parent / files[file]).read_text(), test


@pytest.mark.fast
def test_a_page_that_differs_from_its_rows_is_named_and_written(tmp_path, capsys):
    write([row("linear")], tmp_path / "rows.jsonl")
    page = tmp_path / "page.md"
    ask = 'from = "rows"\nline = ["label"]\ncells = { MAE = "{mae:.3f}" }\n'
    page.write_text(f"before\n\n<!-- table one\n{ask}-->\nold\n<!-- /table -->\n\nafter\n")
    given = ["--results", str(tmp_path), "--pages", str(page)]
    assert document.main([*given, "--check"]) == 1
    assert "table one differs from its rows" in capsys.readouterr().out
    assert "old" in page.read_text()
    assert document.main(given) == 0
    assert document.main([*given, "--check"]) == 0
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "| linear | 1.000 |\n\n`python -m benchmarks.rows`: jaximpute 1.0, one seed.\n" in text
    write([row("linear", mae=2.0)], tmp_path / "rows.jsonl")
    assert document.main([*given, "--check"]) == 1


@pytest.mark.fast
def test_what_is_wrong_with_a_table_is_said_with_its_place(tmp_path):
    page = tmp_path / "page.md"
    page.write_text('<!-- table one\nfrom = "rows"\nlines = 3\n-->\n<!-- /table -->\n')
    given = ["--results", str(tmp_path), "--pages", str(page)]
    with pytest.raises(ValueError, match=r"page\.md: table one: a table has no \['lines'\]"):
        document.main(given)
    page.write_text('<!-- table one\nfrom = "rows"\n-->\n')
    with pytest.raises(ValueError, match="is not closed"):
        document.main(given)
    with pytest.raises(ValueError, match="is no field of a table"):
        made({"from": "rows", "cells": {"x": "{mae over}{}{a b c}"}}, [row("a")], tmp_path)


@pytest.mark.fast
def test_without_rows_a_table_says_so(tmp_path):
    found = made(ASK, [], tmp_path)
    assert found == "Not measured yet: `python -m benchmarks.rows`.\n"
    assert made(ASK | {"none": "Nothing."}, [row("a", quick=True)], tmp_path) == "Nothing.\n"


@pytest.mark.fast
def test_bold_is_ahead_of_all_by_more_than_the_spread_of_the_difference(tmp_path):
    surely = [row("a", seed, 1.0 + seed) for seed in (0, 1)]
    surely += [row("b", seed, 1.1 + seed) for seed in (0, 1)]
    found = lines(made(ASK, surely, tmp_path))
    # far apart between the holes, but one is always ahead of the other
    assert found == ["| a | **1.500 ± 0.707** |", "| b | 1.600 ± 0.707 |"]
    apart = [row("a", 0, 1.0), row("a", 1, 1.3), row("b", 0, 1.4), row("b", 1, 1.2)]
    assert "**" not in made(ASK, apart, tmp_path)
    assert "**" not in made(ASK, [row("a", 0, 1.0), row("b", 0, 2.0)], tmp_path)  # one set of holes
    assert "**" not in made(ASK | {"apart": ["a"]}, surely, tmp_path)
    same = [row("a", seed, 1.0) for seed in (0, 1)] + [row("b", seed, 1.0001) for seed in (0, 1)]
    assert "**" not in made(ASK, same, tmp_path)
    most = {"least": [], "most": ["mae"]}
    assert lines(made(ASK | most, surely, tmp_path))[0] == "| b | **1.600 ± 0.707** |"


@pytest.mark.fast
def test_a_line_on_fewer_problems_leads_nothing_and_says_so(tmp_path):
    rows = [row(name, s, mae, ratio=r) for name, mae in (("a", 1.0), ("b", 2.0)) for s in (0, 1)
            for r in (0.1, 0.2)]  # fmt: skip
    rows += [row("few", s, 0.1, ratio=0.1) for s in (0, 1)]
    found = lines(made(ASK, rows, tmp_path))
    assert found[0] == "| few (1 of 2) | 0.100 ± 0.000 |"
    assert found[1].startswith("| a | **1.000")
    across = {"across": "ratio", "complete": True}
    assert len(lines(made(ASK | across, rows, tmp_path))) == 3


@pytest.mark.fast
def test_later_rows_replace_earlier_ones_and_options_stand_apart(tmp_path):
    rows = [row("a", mae=9.0), row("a"), row("a", mae=2.0, options={"steps": 3, "lr": 0.1})]
    rows += [row("a", mae=3.0, options={"steps": 4, "lr": 0.1}), row("b", quick=True)]
    found = lines(made(ASK | {"line": ["variant"]}, rows, tmp_path))
    assert found == [
        "| a | 1.000 |",
        "| a: steps=3, lr=0.1 | 2.000 |",
        "| a: steps=4, lr=0.1 | 3.000 |",
    ]
    shared = made(ASK | {"line": ["change"]}, rows[2:], tmp_path)
    assert lines(shared) == ["| steps=3 | 2.000 |", "| steps=4 | 3.000 |"]  # lr is that of both


@pytest.mark.fast
def test_columns_across_a_field_are_on_shared_holes(tmp_path):
    rows = [row("a", s, m, preset=p) for p, s, m in (("fast", 0, 1.0), ("fast", 1, 9.0))]
    rows += [row("a", 0, 2.0, preset="best")]
    ask = ASK | {"line": ["form"], "across": "preset", "whole": {"seeds": "{distinct seed}"}}
    assert lines(made(ask | {"shared": True}, rows, tmp_path)) == ["| a | 1.000 | 2.000 | 1 |"]
    assert "5.000 ± 5.657" in made(ask, rows, tmp_path)
    ask["cells"] = {"": "{mae:.1f}, {seconds}"}
    assert lines(made(ask, rows, tmp_path)) == ["| a | 5.0, – | 2.0, – | 2 |"]


@pytest.mark.fast
def test_numbers_against_other_lines_and_fields(tmp_path):
    rows = [row("a", 0, 1.0), row("a", 1, 3.0, ratio=0.5), row("b", 0, 2.0)]
    rows += [row("b", 1, 2.0, ratio=0.5)]
    cells = {"wins": "{mae wins b}", "more": "{mae wins 2 b}", "x": "{mae times b:.2f}"}
    cells |= {"d": "{mae minus b:+.1f}", "per s": "{10 mae over cpu_seconds:.2f}"}
    cells |= {"range": "{min mae:.0f} to {max mae over cpu_seconds:.1f}", "n": "{count mae}"}
    found = lines(made({"from": "rows", "line": ["label"], "cells": cells}, rows, tmp_path))
    assert found[0] == "| a | 1 of 2 | 2 of 2 | 1.00 | +0.0 | 6.67 | 1 to 1.0 | 2 |"
    assert found[1].startswith("| b |  |  | 1.00 |")


@pytest.mark.fast
def test_quoted_numbers_stand_in_columns_of_their_own(tmp_path):
    quotes = [{"source": "Table 9", "of": "x", "method": name, "mae": m}
              for name, m in (("PSW-I", "0.10"), ("Other", "0.2"), ("SPIRIT", "0.3"))]  # fmt: skip
    write(quotes, tmp_path / "quoted.jsonl")
    ask = ASK | {"quoted": {"of": "x"}, "beside": {"MAE (quoted)": "{mae}"}}
    rows = [row("psw_i"), row("spirit", mae=2.0), row("spirit", mae=3.0, preset="paper")]
    text = made(ask, rows, tmp_path)
    assert lines(text) == [
        "| psw_i | 1.000 | 0.10 |",
        "| spirit | 2.000 |  |",
        "| spirit:paper | 3.000 | 0.3 |",  # a paper's own settings before others
        "| Other (quoted) |  | 0.2 |",
    ]
    assert text.endswith("one seed. Quoted from Table 9, not run here.\n")
    alone = {"from": "quoted", "line": ["method"], "cells": {"MAE (quoted)": "{mae}"}}
    text = tabulate.table(alone, tmp_path)
    assert text.endswith("| SPIRIT | 0.3 |\n\nQuoted from Table 9, not run here.\n")


@pytest.mark.fast
def test_rows_of_the_last_run_count_where_only_they_should(tmp_path):
    rows = [{"device": "x", "of": "a", "what": "step", "run": day} for day in ("01", "02")]
    rows += [{"device": "x", "of": "a", "what": "cut", "run": "02"}]
    rows += [{"device": "x", "of": "b", "what": "step", "run": "01"}]
    rows += [{"device": "x", "of": "a", "what": "solve", "run": "01"}]
    ask = {"from": "rows", "line": ["of", "what"], "cells": {"run": "{run}"}}
    found = lines(made(ask | {"newest": ["device", "of"]}, rows, tmp_path))
    assert found == ["| a | step | 02 |", "| a | cut | 02 |", "| b | step | 01 |"]


@pytest.mark.fast
def test_values_in_words(tmp_path):
    rows = [{"shape": [2, 3], "good": True, "rows": 20_000, "x": 0.00001, "p": None}]
    cells = {"good": "{good}", "x": "{x:auto}", "s": "{shape}", "p": "{p}"}
    ask = {"from": "rows", "line": ["shape", "rows"], "cells": cells, "names": {"2 x 3": "small"}}
    assert lines(made(ask, rows, tmp_path)) == ["| small | 20,000 | yes | 1.0e-05 | small |  |"]
