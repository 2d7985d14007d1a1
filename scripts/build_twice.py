"""Build the last commit twice, and compare every byte: `python scripts/build_twice.py`.

The second time under another umask, in another time zone, in another folder, from files of another
age. Needs the packages `build` and `hatchling`. What was built lies in `dist/` then.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def said(*command: str) -> bytes:
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout


def build(folder: Path, umask: int, zone: str, age: int) -> dict[str, bytes]:
    """The files that a build makes, by name."""
    source = folder / "a" / str(age)
    os.umask(umask)
    source.mkdir(parents=True)
    subprocess.run(
        ["tar", "-xf", "-"], cwd=source, input=said("git", "archive", "HEAD"), check=True
    )
    for each in source.rglob("*"):
        os.utime(each, (age, age))
    date = said("git", "log", "-1", "--format=%ct").decode().strip()
    settings = {**os.environ, "SOURCE_DATE_EPOCH": date, "TZ": zone}
    command = [sys.executable, "-m", "build", "--no-isolation", str(source)]
    subprocess.run(command, env=settings, check=True, stdout=subprocess.DEVNULL)
    return {each.name: each.read_bytes() for each in sorted((source / "dist").iterdir())}


def main() -> int:
    usual = os.umask(0o022)
    with tempfile.TemporaryDirectory() as folder:
        first = build(Path(folder, "1"), 0o022, "UTC", 10**9)
        second = build(Path(folder, "2", "deeper"), 0o077, "Asia/Tokyo", 10**9 + 86400)
    os.umask(usual)
    (ROOT / "dist").mkdir(exist_ok=True)
    for name, data in first.items():
        (ROOT / "dist" / name).write_bytes(data)
        print(hashlib.sha256(data).hexdigest(), name, "" if second.get(name) == data else "DIFFERS")  # noqa: T201
    return int(first != second)


if __name__ == "__main__":
    sys.exit(main())
