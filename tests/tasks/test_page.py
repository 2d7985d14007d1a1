"""One page about a completion: everything on it is text, and nothing leaves it."""

import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import jaximpute as ji
from jaximpute.plots.densities import plot_densities
from jaximpute.tasks.page import page
from tests.helpers.commands import call

EVIL = "<script>alert(1)</script>"


class Seen(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.sources, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data):
        self.text += data


def survey(rows=150):
    rng = np.random.default_rng(0)
    x = rng.normal(size=rows)
    frame = pd.DataFrame(
        {
            EVIL: x + rng.normal(size=rows),
            "a & b": x,
            "word": np.where(
                x + rng.normal(size=rows) > 0, "'\"><img src=x onerror=alert(1)>", "n"
            ),
        }
    )
    return frame.mask(rng.random(frame.shape) < 0.2)


def test_the_command_writes_one_page_without_anything_foreign(tmp_path):
    survey().to_csv(tmp_path / "in.csv", index=False)
    out = tmp_path / "out.html"
    run = ("report", tmp_path / "in.csv", "-o", out, "-m", "ice", "--interval", 0.8)
    done = call(*run)
    assert done.exit_code == 0, done.stderr
    text = out.read_text()
    assert len(text) < 3e6
    seen = Seen(text)
    assert "script" not in seen.tags
    assert seen.sources
    assert all(source.startswith("data:image/png;base64,") for source in seen.sources)
    assert not re.search(r"https?://|@import|url\(", text)
    assert "default-src 'none'" in text
    assert EVIL in seen.text
    for head in ("What was missing", "What was done", "How sure it is", "Pictures", "repeat"):
        assert head in seen.text
    assert "ice" in seen.text
    assert "mean" in seen.text
    assert "--interval 0.8" in seen.text
    again = call(*run)
    assert again.exit_code == 1
    assert "pass --force" in again.stderr


@pytest.mark.fast
def test_a_page_without_intervals_scores_and_pictures():
    holed = survey(30)
    done = ji.impute_with_report(holed, "mode")
    seen = Seen(page("name", done.report, ji.missingness(holed)))
    assert "How sure it is" not in seen.text
    assert "img" not in seen.tags
    assert f"{done.report['filled']} were filled, 0 left empty" in seen.text


@pytest.mark.fast
def test_distributions_have_a_panel_for_each_column_that_was_filled():
    holed = survey(60)
    done = ji.impute(holed, "mode")
    figure = plot_densities(holed, done)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [EVIL[:15] + "…", "a & b", "word"]
    heights = [patch.get_height() for patch in figure.axes[2].patches]
    np.testing.assert_allclose(sum(heights), 2)
    assert not plot_densities(done, done).axes


@pytest.mark.fast
def test_other_data_and_names_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1, 2, 3, 3, 1)))
    done = call("report", tmp_path / "a.npy", "-o", tmp_path / "a.html")
    assert done.exit_code == 2
    assert "pages are of tables and series" in done.stderr
    done = call("report", tmp_path / "a.npy", "-o", tmp_path / "a.pdf")
    assert done.exit_code == 2
    assert "written as .html" in done.stderr
