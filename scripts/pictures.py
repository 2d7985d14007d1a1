"""The four pictures of the README and of the landing page: `python scripts/pictures.py`.

A table, a series, images and a field, each with holes and completed by the default call. The public
data of the benchmarks are downloaded, or found where `JAXIMPUTE_DATA` says.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import jaximpute as ji  # noqa: E402
from benchmarks.problems import images, mixed, systems  # noqa: E402
from jaximpute import plots  # noqa: E402
from jaximpute.plots.montage import plot_images  # noqa: E402

SIZE = (4.2, 2.6)  # inches
OBSERVED, FILLED = "#5b7c99", "#d55e00"


def main() -> None:
    drawn = {"table": table, "series": series, "stack": stack, "field": field}
    for name in sys.argv[1:] or drawn:
        figure = drawn[name]()
        figure.set_size_inches(*SIZE)
        figure.savefig(ROOT / "docs" / "img" / f"{name}.png", dpi=110)


def table():
    """Penguins: two measures, a third of one hidden, coloured by whether they were."""
    frame = mixed.table("penguins").native
    x, y = "flipper_length_mm", "body_mass_g"
    hidden = np.random.default_rng(0).random(len(frame)) < 0.3
    filled = ji.impute(frame.assign(**{y: frame[y].where(~hidden)}), seed=0)
    figure = plots.new_figure(*SIZE)
    axes = figure.subplots()
    for part, colour, label in ((~hidden, OBSERVED, "observed"), (hidden, FILLED, "filled")):
        axes.plot(filled.loc[part, x], filled.loc[part, y], ".", color=colour, label=label, ms=4)
    axes.set(xlabel="flipper (mm)", ylabel="body mass (g)")
    axes.legend(frameon=False, fontsize="small")
    return figure


def series():
    """Mauna Loa: the years around its longest gaps."""
    co2 = pd.read_csv(ROOT / "examples" / "co2.csv", parse_dates=["date"], index_col="date")
    done = ji.impute_with_report(co2, interval=0.9)
    years = slice("1962", "1966")
    return plots.plot_imputation(
        co2[years], done.data[years], band=(done.low[years], done.high[years])
    )


def stack():
    """Photographs with a square cut out."""
    x = images.images("cifar10:60x32").astype(float)
    holed = x.copy()
    holed[:, 10:21, 10:21] = np.nan
    return plot_images(holed[:5], ji.impute(holed, seed=0)[:5])


def field():
    """Air temperature over Britain, under clouds that drift."""
    film = np.concatenate(systems.films("era5").x[:3].astype(float))[None]
    t, y, x = np.meshgrid(*(np.arange(n) for n in film.shape[1:4]), indexing="ij")
    clouds = np.sin(x / 4 + t / 2) + np.cos(y / 3 - t / 4) > 0.5
    holed = np.where(clouds[None, ..., None], np.nan, film)
    filled = ji.impute(holed, seed=0)
    figure = plots.new_figure(*SIZE)
    low, high = np.quantile(film, [0.01, 0.99])
    for axes, shown, title in zip(
        figure.subplots(1, 2), (holed, filled), ("observed", "filled"), strict=True
    ):
        axes.imshow(shown[0, 3, ..., 0], vmin=low, vmax=high, cmap="viridis")
        axes.set(xticks=[], yticks=[], facecolor="0.85")
        axes.set_title(title, fontsize="small")
    return figure


if __name__ == "__main__":
    main()
