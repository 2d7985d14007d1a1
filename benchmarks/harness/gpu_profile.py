"""Where a step's time goes: kernels of a trace, by what they are for.

The profiler names each kernel by the instruction of the compiled program that it is; the program's
text says what went into that instruction, and which function of which file asked for it.
"""

import json
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

Row = dict[str, Any]
# the first that fits, of the functions that asked for an instruction
ASKED = {
    "attention": r"attend|attention",
    "normalisation": r"normalization\.py|LayerNorm|GroupNorm|Norm\.__call__",
    "update": r"optax|optimise\.py",
}
PRODUCTS = re.compile(r"dot_general|conv_general|\bdot\(|convolution\(|gemm|cublas|cudnn|\bconv\(")
KERNELS = re.compile(r"gemm|cutlass|cublas|cudnn|nvjet|xmma|wgmma|conv", re.IGNORECASE)
LAYOUT = {"transpose", "copy", "concatenate", "pad", "slice", "dynamic-slice", "gather", "reshape"}
LAYOUT |= {"dynamic-update-slice", "scatter", "bitcast", "reverse", "broadcast"}
_NEVER = {"parameter", "constant", "get-tuple-element", "tuple", "bitcast"}  # no kernels
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%(\S+) = .*? ([a-z][\w-]*)\(", re.MULTILINE)


class Program:
    """The text of a compiled program, looked up by instruction."""

    def __init__(self, text: str):
        self.frames = _frames(text)
        self.parts: dict[str, list[str]] = {}
        self.lines: dict[str, str] = {}
        self.entry: list[str] = []
        for block in re.split(r"\n(?=(?:ENTRY )?%\S+ \()", text):
            head, *lines = block.splitlines()
            if (named := re.match(r"(ENTRY )?%(\S+) \(", head)) is None:
                continue
            own = [line for line in lines if _INSTRUCTION.match(line)]
            self.parts[named[2]] = own
            for line in own:
                instruction = _INSTRUCTION.match(line)
                assert instruction is not None
                self.lines[instruction[1]] = line
                if named[1] and instruction[2] not in _NEVER:
                    self.entry.append(instruction[1])

    def line(self, name: str) -> str | None:
        """Of an instruction, whose kernel has no point in its name."""
        return self.lines.get(name) or self.lines.get(re.sub(r"_(\d+)$", r".\1", name))

    def cause(self, name: str, kernel: str = "") -> str:
        """What an instruction is for: `products` first, unless attention asked for them."""
        line = self.line(kernel) or self.line(name)
        if line is None or " call(" in line.split("metadata=")[0]:
            # kernels of a graph may be known by the call of the whole graph alone
            return "products" if KERNELS.search(kernel or name) else "other"
        inside = re.search(r"(?:calls|to_apply)=%([\w.\-]+)", line)
        lines = [line, *(self.parts.get(inside[1], []) if inside else [])]
        asked = " ".join(self.frames.get(at, "") for one in lines for at in _asked(one))
        asked += " ".join(re.findall(r'op_name="([^"]*)"', " ".join(lines)))
        if re.search(ASKED["attention"], asked):
            return "attention"
        if any(PRODUCTS.search(one.split("metadata=")[0]) for one in lines):
            return "products"
        for cause in ("normalisation", "update"):
            if re.search(ASKED[cause], asked):
                return cause
        kinds = {m[2] for one in lines if (m := _INSTRUCTION.match(one))} - {"fusion"} - _NEVER
        return "layout" if kinds and kinds <= LAYOUT else "elementwise"


def shares(run: Callable[[], Any], text: str, keep: Path | None = None) -> Row:
    """The parts of the time of some steps, and how many kernels a trace of them holds.

    Args:
        run: takes the steps, all sent before it returns.
        text: of the compiled step.
        keep: a file for the text and for what ran, by kernel, to be looked at later.

    Returns:
        `shares` by cause, of the time from the first kernel to the end of the last; `launches` is
        when no kernel ran. `kernels` is their number; `instructions` that of the step's own, which
        is all there is where no trace is to be had.
    """
    program = Program(text)
    found: Row = {"instructions": len(program.entry)}
    spans = _spans(run)
    if keep is not None:
        keep.parent.mkdir(parents=True, exist_ok=True)
        keep.write_text(json.dumps({"text": text, "spans": spans}))
    if not spans:
        return found | {"shares": None, "kernels": None}
    own: dict[str, float] = defaultdict(float)
    first, last, until = spans[0][0], max(end for _, end, _, _ in spans), spans[0][0]
    for begin, end, name, kernel in spans:
        # time is counted once where kernels overlap
        if end > until:
            own[program.cause(name, kernel)] += end - max(begin, until)
            own["launches"] += max(begin - until, 0)
            until = end
    whole = max(last - first, 1)
    return found | {
        "shares": {cause: round(time / whole, 4) for cause, time in sorted(own.items())},
        "kernels": len(spans),
    }


def _spans(run: Callable[[], Any]) -> list[tuple[float, float, str, str]]:
    """Begin, end, instruction and kernel of all that ran, in order."""
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            jax.block_until_ready(run())
        files = list(Path(folder).rglob("*.xplane.pb"))
        if not files:
            return []
        data = jax.profiler.ProfileData.from_file(str(files[0]))
        planes = [plane for plane in data.planes if "/device:" in plane.name] or list(data.planes)
        spans = []
        for plane in planes:
            device = "/device:" in plane.name
            for line in plane.lines:
                if device and "stream" not in line.name.lower():
                    continue  # lines of whole modules and of names say the same once more
                for event in line.events:
                    own = dict(event.stats)
                    if device or "hlo_op" in own:
                        name = str(own.get("hlo_op", event.name))
                        end = event.start_ns + event.duration_ns
                        spans.append((event.start_ns, end, name, event.name))
    return sorted(spans)


def _frames(text: str) -> dict[str, str]:
    """Of each frame of the tables at the head of a text: files and functions down to its root."""
    tables: dict[str, dict[str, str]] = {}
    for title in ("FileNames", "FunctionNames", "FileLocations", "StackFrames"):
        found = re.search(rf"^{title}\n((?:\d+ .*\n)*)", text, re.MULTILINE)
        lines = found[1].splitlines() if found else []
        tables[title] = dict(line.split(" ", 1) for line in lines)

    def number(entry: str, of: str) -> str:
        found = re.search(rf"{of}=(\d+)", entry)
        return found[1] if found else ""

    chains: dict[str, str] = {}
    for at, entry in tables["StackFrames"].items():
        place = tables["FileLocations"].get(number(entry, "file_location_id"), "")
        words = tables["FileNames"].get(number(place, "file_name_id"), "")
        words += " " + tables["FunctionNames"].get(number(place, "function_name_id"), "")
        parent = number(entry, "parent_frame_id")
        chains[at] = words + (" " + chains.get(parent, "") if parent != at else "")
    return chains


def _asked(line: str) -> list[str]:
    return re.findall(r"stack_frame_id=(\d+)", line)
