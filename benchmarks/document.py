"""Rows into words and tables: writes docs/results/, and parts of the README and of docs/scale.md.

python -m benchmarks.document
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks import (
    _bridge_pages,
    _field_pages,
    _gpu_pages,
    _image_pages,
    _jobs,
    _miri_pages,
    _pod_pages,
    _preset_pages,
    _scale_pages,
    _series_pages,
    _summary,
    _system_pages,
    _table_pages,
)

PAGES = _jobs.ROOT / "docs" / "results"
README = _jobs.ROOT / "README.md"
SCALE = _jobs.ROOT / "docs" / "scale.md"
MARKS = ("<!-- results -->", "<!-- /results -->")
# how the rows of a file are read, and written as a page of the same name
WRITERS: dict[str, tuple[Callable, Callable]] = {
    "tables": (_table_pages.read, _table_pages.page),
    "bridge": (_bridge_pages.read, _bridge_pages.page),
    "fields": (_field_pages.read, _field_pages.page),
    "systems": (_system_pages.read, _system_pages.page),
    "miri_ablation": (_miri_pages.read, _miri_pages.page),
    "presets": (_preset_pages.read, _preset_pages.page),
    "scale": (_scale_pages.read, _scale_pages.page),
}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=_jobs.RESULTS, help="folder of rows")
    parser.add_argument("--pages", type=Path, default=PAGES, help="folder of pages")
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument("--scale", type=Path, default=SCALE, help="the page with the pod")
    options = parser.parse_args(given)
    options.pages.mkdir(parents=True, exist_ok=True)

    def write(name: str, text: str) -> None:
        (options.pages / f"{name}.md").write_text(text)
        print(f"wrote {name}.md")

    # this page is there before its rows are
    write("gpu", _gpu_pages.page(_gpu_pages.read(options.results / "gpu.jsonl")))
    pod = _pod_pages.section(_pod_pages.read(options.results / "pod.jsonl"))
    options.scale.write_text(between(options.scale.read_text(), pod, _pod_pages.MARKS))
    for name, (read, page) in WRITERS.items():
        if found := read(options.results / f"{name}.jsonl"):
            write(name, page(found))
    if images := _jobs.read(options.results / "images.jsonl"):
        picture = options.pages.parent / "img" / "images.png"
        # without the images the picture that is there stays
        shown = _image_pages.draw(images, picture) or picture.exists()
        write("images", _image_pages.page(images, "../img/images.png" if shown else None))
    rows = _summary.frame(_jobs.read(options.results / "series.jsonl"))
    if rows.empty:
        print(f"no rows in {options.results / 'series.jsonl'}; run benchmarks.series first")
        return 1
    write("series", _series_pages.page(rows, options.results))
    options.readme.write_text(between(options.readme.read_text(), _series_pages.short(rows)))
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
