"""Fills the tables of the pages from the rows in benchmarks/results/.

python -m benchmarks.document            # writes them
python -m benchmarks.document --check    # says which page and table differ from their rows

A page is Markdown, written by hand. Where a table belongs, it says which:

    <!-- table etth1
    from = "series"
    ...
    -->
    <!-- /table -->

See `benchmarks.harness.tabulate` for what may be asked.
"""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import jobs, tabulate

MARK = re.compile(r"(<!-- table (\S+)\n(.*?)-->\n)(.*?)(<!-- /table -->)", re.DOTALL)
OPENING = "<!-- table "


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if a table is old")
    parser.add_argument("--results", type=Path, default=jobs.RESULTS, help="folder of rows")
    parser.add_argument("--pages", type=Path, nargs="+", default=None, help="files to fill")
    options = parser.parse_args(given)
    old = False
    for page in options.pages or pages():
        text = page.read_text()
        try:
            filled, changed = fill(text, options.results)
        except ValueError as error:
            raise ValueError(f"{shown(page)}: {error}") from error
        said = "differs from its rows" if options.check else "written from its rows"
        for name in changed:
            print(f"{shown(page)}: table {name} {said}")
        old |= bool(changed)
        if changed and not options.check:
            page.write_text(filled)
    return int(options.check and old)


def pages() -> list[Path]:
    """The README and the pages of the docs, where they have a table."""
    files = [jobs.ROOT / "README.md", *sorted((jobs.ROOT / "docs").rglob("*.md"))]
    return [file for file in files if "_build" not in file.parts and OPENING in file.read_text()]


def fill(text: str, results: Path) -> tuple[str, list[str]]:
    """The text with its tables made anew, and the names of those that were not so before.

    Raises:
        ValueError: a table is not closed, or asks for what is not known.
    """
    changed = []

    def make(match: re.Match[str]) -> str:
        opening, name, ask, inside, closing = match.groups()
        try:
            made = f"\n{tabulate.table(ask, results)}\n"
        except ValueError as error:
            raise ValueError(f"table {name}: {error}") from error
        if made != inside:
            changed.append(name)
        return opening + made + closing

    filled = MARK.sub(make, text)
    if len(MARK.findall(text)) != text.count(OPENING):
        raise ValueError("a table is not closed by <!-- /table -->")
    return filled, changed


def shown(page: Path) -> str:
    return str(page.relative_to(jobs.ROOT)) if page.is_relative_to(jobs.ROOT) else str(page)


if __name__ == "__main__":
    sys.exit(main())
