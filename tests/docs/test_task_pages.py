"""The commands of the task pages run on a file such as the page speaks of.

As they stand, but for `auto`, which other tests run: in its place stands a method without learning.
"""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers.commands import call

PAGES = Path(__file__).parents[2] / "docs" / "tasks"
RNG = np.random.default_rng(0)


def punch(frame, columns, share=0.15):
    for name in columns:
        frame.loc[RNG.random(len(frame)) < share, name] = None
    return frame


def survey():
    age = RNG.integers(18, 80, 120)
    frame = pd.DataFrame({"age": age, "income": 800 + 25 * age + 300 * RNG.normal(size=120)})
    frame["sex"] = RNG.choice(["f", "m"], 120)
    frame["region"] = np.where(age + RNG.normal(0, 9, 120) > 50, "north", "south")
    return punch(frame.astype({"income": float}), ["income", "sex", "region"])


def sensors():
    hours = pd.date_range("2024-03-01", periods=300, freq="h")
    day = np.sin(2 * np.pi * np.arange(300) / 24)
    frame = pd.DataFrame({"time": hours, "CO": 2 + day, "NOx": 100 + 30 * day})
    frame[["CO", "NOx"]] += RNG.normal(0, 0.1, (300, 2)) * [1, 30]
    frame = frame.round({"CO": 2, "NOx": 2})
    frame.loc[RNG.random(300) < 0.1, "CO"] = -200
    frame.loc[100:104, ["CO", "NOx"]] = -200
    return frame


def sales():
    days = pd.date_range("2024-01-01", periods=150)
    weekly = 20 + 5 * np.sin(2 * np.pi * np.arange(150) / 7) + RNG.normal(0, 1, 150)
    return punch(pd.DataFrame({"day": days, "sold": weekly.round(1)}), ["sold"], 0.05)


def sea(place):
    xarray = pytest.importorskip("xarray")
    t, y, x = np.meshgrid(*(np.arange(n) for n in (12, 8, 10)), indexing="ij")
    warm = 15 + np.sin(x / 3 + t / 4) + np.cos(y / 3)
    warm[RNG.random(warm.shape) < 0.3] = np.nan
    warm[:, 0, :3] = np.nan
    names = ("time", "lat", "lon")
    axes = {name: np.arange(n) for name, n in zip(names, warm.shape, strict=True)}
    xarray.DataArray(warm, axes, names, name="sst").to_netcdf(place / "sst.nc")


def photos(place):
    image = pytest.importorskip("PIL.Image")
    (place / "photos").mkdir()
    y, x = np.mgrid[:12, :12]
    for i in range(4):
        pixels = np.stack([100 + 8 * x + i, 120 + 9 * y - i, 90 + 4 * (x + y)], axis=-1)
        clear = np.where((x > 3 + i) & (x < 7 + i) & (y > 4) & (y < 8), 0, 255)
        whole = np.concatenate([pixels, clear[..., None]], axis=-1).astype(np.uint8)
        image.fromarray(whole, "RGBA").save(place / "photos" / f"{i}.png")
    mask = np.where((x > 4) & (x < 8), 0, 255).astype(np.uint8)
    image.fromarray(mask, "L").save(place / "mask.png")


FILES = {
    "survey": ("survey.csv", survey, "mean"),
    "sensors": ("sensors.csv", sensors, "linear"),
    "forecast": ("sales.csv", sales, "window_gaussian"),
    "sea": (None, sea, "harmonic"),
    "images": (None, photos, "harmonic"),
}


def test_each_page_has_a_file():
    assert {page.stem for page in PAGES.glob("*.md")} == set(FILES)


@pytest.mark.parametrize("page", FILES)
def test_the_commands_run_as_they_stand(page, tmp_path, monkeypatch):
    name, make, cheap = FILES[page]
    if name is None:
        make(tmp_path)
    else:
        make().to_csv(tmp_path / name, index=False)
    monkeypatch.chdir(tmp_path)
    text = (PAGES / f"{page}.md").read_text()
    lines = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).split("\n")
    commands = [shlex.split(line) for line in lines if line.startswith("jaximpute ")]
    assert commands
    for words in commands:
        chosen = "--method" in words or words[1] not in ("impute", "report", "forecast")
        done = call(*words[1:], *([] if chosen else ["--method", cheap]))
        assert done.exit_code == 0, f"{' '.join(words)}: {done.stderr}"
        if "-o" in words:
            assert Path(words[words.index("-o") + 1]).exists()
