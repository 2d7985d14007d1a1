"""Every method on the same holes in the same images: CIFAR-10, by pixels and by channels.

    python -m benchmarks.images --quick
    python -m benchmarks.images --data waves:100x16 --ratios 0.4
    python -m benchmarks.images --methods miri:best missdiff:best biharmonic neighbour_ridge
    python -m benchmarks.images --picture

The first is 200 images at 16 x 16, in one process and some minutes, by presets `fast`. The third is
the full size, 5000 images at 32 x 32 and three masks, and wants a GPU for the networks. The last
draws the picture of the page from rows that are there. The data are found in the folder that
`JAXIMPUTE_DATA` names; `waves` need none. Rows that are present already are skipped, so a run can
be stopped and started again.
"""

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.harness import image_picture, image_worker
from benchmarks.harness import jobs as harness_jobs
from benchmarks.problems import images
from jaximpute import registry

PICTURE = harness_jobs.ROOT / "docs" / "img" / "images.png"
QUICK_DATA = "cifar10:200x16"
QUICK = ("mean", "harmonic", "biharmonic", "neighbour_ridge", "miri:fast", "missdiff:fast")
# what makes networks a matter of a CPU minute
SHORT: dict[str, dict[str, Any]] = {
    "miri": {"steps": 2, "sgd_steps": 125, "layers": 2, "lr": 4e-3},
    "missdiff": {"steps": 1, "width": 128, "layers": 2, "lr": 4e-3},
}


def main(given: Sequence[str] | None = None) -> int:
    parser = harness_jobs.parser(__doc__, "images.jsonl", data=["cifar10"], ratios=(0.2, 0.4, 0.6))
    parser.set_defaults(seeds=3)
    parser.add_argument("--methods", nargs="+", default=None, help="names, or name:preset")
    parser.add_argument("--patterns", nargs="+", default=None, choices=images.PATTERNS)
    parser.add_argument("--picture", action="store_true", help="draw the page's from its rows")
    options = parser.parse_args(given)
    if options.picture:
        rows = harness_jobs.read(options.out or harness_jobs.RESULTS / options.file)
        return int(not image_picture.draw(rows, PICTURE))
    if options.quick:
        options.data, options.seeds = [QUICK_DATA], 1
    # rows name the number and size of their images, so quick ones go where the others are
    out = options.out or harness_jobs.RESULTS / options.file
    named = [
        method.partition(":")
        for method in options.methods or (QUICK if options.quick else registry.names("image"))
    ]
    for method, _, _ in named:
        registry.entry(method, "image")  # an unknown name should not fail after an hour

    def short(method: str) -> dict[str, Any]:
        return SHORT.get(method, {}) if options.quick else {}

    jobs = [
        harness_jobs.Job(
            data, ratio, seed, method, preset or "balanced", short(method), pattern=pattern
        )
        for data in options.data
        for pattern in options.patterns or images.PATTERNS
        for ratio in options.ratios
        for seed in range(options.seeds)
        for method, _, preset in named
    ]
    how = image_worker.measure if options.quick else harness_jobs.worker("image_worker")
    return harness_jobs.run(jobs, out, again=options.again, how=how, known=known)


def known(job: harness_jobs.Job) -> harness_jobs.Row:
    """The part of a row that is known before the measurement."""
    return harness_jobs.known_of(job, job.data, images.images(job.data), harness_jobs.settings(job))


if __name__ == "__main__":
    sys.exit(min(main(), 1))
