"""Does an installed jaximpute work by itself? `python scripts/smoke.py`, in its environment.

Standard library only, and nothing of the checkout: the command is that beside this Python. Used for
wheels, for the core without extras, and for the oldest versions of what it depends on.
"""

import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

COMMAND = Path(sys.executable).with_name("jaximpute" + ".exe" * (os.name == "nt"))
ROWS = "a,b,word\n1,2.0,x\n2,,y\n3,6.1,\n4,8.0,x\n,10.2,y\n6,12.1,x\n7,14.0,y\n8,15.9,x\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place, "in.csv").write_text(ROWS)
        Path(place, "numbers.csv").write_text(
            "\n".join(line.rpartition(",")[0] for line in ROWS.splitlines())
        )

        def call(*words: str, code: int = 0) -> str:
            done = subprocess.run([COMMAND, *words], cwd=place, capture_output=True, text=True)
            if done.returncode != code or "Traceback" in done.stderr:
                sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
            return done.stdout + done.stderr

        call("--version")
        call("methods")
        for method in ("auto", "gaussian", "spirit"):
            call("impute", "in.csv", "-o", "out.csv", "-m", method, "--preset", "fast", "--force")
            with Path(place, "out.csv").open() as file:
                filled = list(csv.reader(file))
            before = [line.split(",") for line in ROWS.splitlines()]
            assert all(cell for row in filled for cell in row), f"{method} left a cell empty"
            kept = [
                (old, new)
                for row, done in zip(before, filled, strict=True)
                for old, new in zip(row, done, strict=True)
                if old
            ]
            assert all(old == new for old, new in kept), f"{method} changed a cell"
        call("fit", "numbers.csv", "--save", "model", "-m", "gaussian")
        call("apply", "model", "numbers.csv", "-o", "applied.csv")
        call("evaluate", "numbers.csv", "-m", "mean", "-m", "ice")
        call("inspect", "in.csv")
        call("impute", "none.csv", code=3)


if __name__ == "__main__":
    main()
