"""Pictures: the right points in the right panels, written whole."""

import sys

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute import plots


def weather(rows: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A frame with holes in three columns of five, and the same completed."""
    rng = np.random.default_rng(0)
    after = pd.DataFrame(
        {
            "full": rng.normal(size=rows),
            "wind": rng.normal(size=rows),
            "rain": rng.integers(0, 9, rows).astype(float),
            "sky": rng.choice(["clear", "cloudy"], rows),
            "empty": np.nan,
        },
        index=pd.date_range("2024-01-01", periods=rows, freq="h"),
    )
    before = after.copy()
    before.iloc[3:7, 1] = before.iloc[10:12, 2] = np.nan
    before.iloc[20, 3] = None
    return before, after


def points(axes, label: str) -> tuple[np.ndarray, np.ndarray]:
    (line,) = [line for line in axes.get_lines() if line.get_label() == label]
    return line.get_xdata(), np.asarray(line.get_ydata(), float)


@pytest.mark.fast
def test_a_panel_for_each_column_that_was_filled():
    before, after = weather()
    figure = plots.plot_imputation(before, after)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["wind", "rain", "sky"]
    x, y = points(figure.axes[0], "filled")
    np.testing.assert_array_equal(x, after.index[3:7].to_numpy())
    np.testing.assert_array_equal(y, after["wind"].iloc[3:7])
    _, y = points(figure.axes[0], "observed")
    np.testing.assert_array_equal(y, before["wind"])
    assert [text.get_text() for text in figure.axes[2].get_yticklabels()] == ["clear", "cloudy"]


@pytest.mark.fast
def test_rows_in_any_order_are_drawn_along_time():
    before, after = weather()
    order = np.random.default_rng(1).permutation(len(before))
    figure = plots.plot_imputation(before.iloc[order], after.iloc[order])
    x, y = points(figure.axes[0], "observed")
    assert (np.diff(x) > np.timedelta64(0)).all()
    np.testing.assert_array_equal(y, before["wind"])


@pytest.mark.fast
def test_tables_are_drawn_along_rows_without_lines():
    before, after = weather()
    figure = plots.plot_imputation(before.reset_index(drop=True), after.reset_index(drop=True))
    (line,) = [line for line in figure.axes[0].get_lines() if line.get_label() == "observed"]
    assert line.get_linestyle() == "None"
    assert figure.axes[-1].get_xlabel() == "row"


@pytest.mark.fast
def test_columns_can_be_chosen_and_wide_data_say_that_there_are_more():
    before, after = weather()
    figure = plots.plot_imputation(before, after, columns=["rain"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["rain"]
    with pytest.raises(ji.DataError, match="no column is called 'snow'"):
        plots.plot_imputation(before, after, columns=["snow"])
    holed = np.ones((5, 30))
    holed[2] = np.nan
    figure = plots.plot_imputation(holed, np.ones((5, 30)))
    assert len(figure.axes) == plots.MOST_PANELS
    assert figure.get_suptitle() == "12 of 30 columns that were filled"


@pytest.mark.fast
def test_data_that_do_not_belong_together_are_refused():
    with pytest.raises(ji.DataError, match="expected the same"):
        plots.plot_imputation(np.ones((3, 2)), np.ones((4, 2)))


@pytest.mark.fast
def test_nothing_filled_is_said():
    figure = plots.plot_imputation(np.ones((3, 2)), np.ones((3, 2)))
    assert [text.get_text() for text in figure.texts] == ["nothing was filled"]


@pytest.mark.fast
def test_the_mask_is_drawn_cell_by_cell_and_long_data_in_bins():
    x = np.ones((10, 2))
    x[2:5, 1] = np.nan
    (image,) = plots.plot_missingness(x).axes[0].get_images()
    np.testing.assert_array_equal(np.asarray(image.get_array()), np.isnan(x).T)
    x = np.ones((5000, 2))
    x[::4, 0] = np.nan
    figure = plots.plot_missingness(x)
    (image,) = figure.axes[0].get_images()
    drawn = np.asarray(image.get_array())
    assert drawn.shape[1] <= 1200
    np.testing.assert_allclose(drawn.mean(axis=1), [0.25, 0], atol=0.01)
    assert "1,250 of 10,000 cells" in figure.axes[0].get_title(loc="left")


@pytest.mark.fast
def test_the_mask_follows_time():
    before, _ = weather()
    (image,) = plots.plot_missingness(before.iloc[::-1]).axes[0].get_images()
    np.testing.assert_array_equal(np.asarray(image.get_array()), before.isna().to_numpy().T)


def test_a_picture_is_written_whole(tmp_path):
    path = tmp_path / "mask.png"
    plots.save(plots.plot_missingness(weather()[0]), str(path))
    height, width, _ = matplotlib.image.imread(path).shape
    assert width == 1350
    assert height > 300
    assert [entry.name for entry in tmp_path.iterdir()] == ["mask.png"]
    with pytest.raises(ji.OutputError, match="exists"):
        plots.save(plots.plot_missingness(np.ones((2, 2))), str(path))
    with pytest.raises(ji.OutputError, match=r"suffix '.xyz'; expected .png"):
        plots.save(plots.plot_missingness(np.ones((2, 2))), str(tmp_path / "mask.xyz"))


@pytest.mark.fast
def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ji.MissingExtraError, match=r"jaximpute\[plot\]"):
        plots.plot_missingness(np.ones((2, 2)))


def winds() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Directions that cross north between observed hours, and completed across it."""
    index = pd.date_range("2024", periods=7, freq="h")
    after = pd.DataFrame({"wind": [340.0, 350, 5, 20, 0, 350, 340]}, index=index)
    before = after.copy()
    before.iloc[4, 0] = np.nan
    return before, after


@pytest.mark.fast
def test_directions_are_degrees_of_one_turn():
    before, after = winds()
    low, high = before.fillna(345.0), before.fillna(15.0)
    figure = plots.plot_imputation(before, after, band=(low, high), circular=["wind"])
    (axes,) = figure.axes
    _, y = points(axes, "observed")
    # a line from 350 to 5 would cross all directions there are
    np.testing.assert_array_equal(y, [340, 350, np.nan, 5, 20, np.nan, 350, 340])
    assert [text.get_text() for text in axes.get_yticklabels()] == [
        "0°",
        "90°",
        "180°",
        "270°",
        "360°",
    ]
    bars = [part[:, 1].tolist() for part in axes.collections[0].get_segments()]
    assert bars == [[345.0, 360.0], [0.0, 15.0]]  # the shorter way, over north


@pytest.mark.fast
def test_a_turn_is_drawn_where_its_cells_have_it():
    before, after = winds()
    signed = [frame.where(frame < 180, frame - 360) for frame in (before, after)]
    figure = plots.plot_imputation(*signed, circular=["wind"])
    low, high = figure.axes[0].get_ylim()
    assert -200 < low < -180 < 180 < high < 200
    figure = plots.plot_imputation(before / 15, after / 15, circular={"wind": 24})
    marks = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert marks == ["0", "6", "12", "18", "24"]
    with pytest.raises(ji.OptionError, match="no column is called 'wnd'"):
        plots.plot_imputation(before, after, circular=["wnd"])
