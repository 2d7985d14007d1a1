"""Rows into words and tables: writes docs/results/, and parts of the README and of other pages.

python -m benchmarks.document
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.harness import jobs
from benchmarks.pages import (
    bridge,
    fields,
    gpu,
    intervals,
    miri,
    presets,
    reliability,
    scale,
    series,
    summary,
    systems,
    tables,
)
from benchmarks.pages import (
    images as images_page,
)
from benchmarks.pages import (
    pod as pod_page,
)

PAGES = jobs.ROOT / "docs" / "results"
README = jobs.ROOT / "README.md"
SCALE = jobs.ROOT / "docs" / "scale.md"
RELIABILITY = jobs.ROOT / "docs" / "reliability.md"
MARKS = ("<!-- results -->", "<!-- /results -->")
# how the rows of a file are read, and written as a page of the same name
WRITERS: dict[str, tuple[Callable, Callable]] = {
    "tables": (tables.read, tables.page),
    "bridge": (bridge.read, bridge.page),
    "intervals": (intervals.read, intervals.page),
    "fields": (fields.read, fields.page),
    "systems": (systems.read, systems.page),
    "miri_ablation": (miri.read, miri.page),
    "presets": (presets.read, presets.page),
    "scale": (scale.read, scale.page),
}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=jobs.RESULTS, help="folder of rows")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of pages")
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument("--scale", type=Path, default=SCALE, help="the page with the pod")
    parser.add_argument("--reliability", type=Path, default=RELIABILITY, help="the page on it")
    options = parser.parse_args(given)
    options.pages.mkdir(parents=True, exist_ok=True)

    def write(name: str, text: str) -> None:
        (options.pages / f"{name}.md").write_text(text)
        print(f"wrote {name}.md")

    # this page is there before its rows are
    write("gpu", gpu.page(gpu.read(options.results / "gpu.jsonl")))
    pod = pod_page.section(pod_page.read(options.results / "pod.jsonl"))
    options.scale.write_text(between(options.scale.read_text(), pod, pod_page.MARKS))
    tried = reliability.read(options.results)
    if any(tried.values()):
        text, place = reliability.section(tried), options.reliability
        place.write_text(between(place.read_text(), text, reliability.MARKS))
    for name, (read, page) in WRITERS.items():
        if found := read(options.results / f"{name}.jsonl"):
            write(name, page(found))
    if images := jobs.read(options.results / "images.jsonl"):
        picture = options.pages.parent / "img" / "images.png"
        # without the images the picture that is there stays
        shown = images_page.draw(images, picture) or picture.exists()
        write("images", images_page.page(images, "../img/images.png" if shown else None))
    rows = summary.frame(jobs.read(options.results / "series.jsonl"))
    if rows.empty:
        print(f"no rows in {options.results / 'series.jsonl'}; run benchmarks.series first")
        return 1
    write("series", series.page(rows, options.results))
    options.readme.write_text(between(options.readme.read_text(), series.short(rows)))
    print(f"wrote the table in {options.readme.name}")
    return 0


def between(text: str, inside: str, marks: tuple[str, str] = MARKS) -> str:
    """The text with what stands between the two marks replaced.

    Raises:
        ValueError: the marks are not there.
    """
    before, opening, rest = text.partition(marks[0])
    _, closing, after = rest.partition(marks[1])
    if not opening or not closing:
        raise ValueError(f"the text has no {marks[0]} ... {marks[1]} to write between")
    return f"{before}{opening}\n{inside}{closing}{after}"


if __name__ == "__main__":
    sys.exit(main())
