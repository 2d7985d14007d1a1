"""`jaximpute sensitivity`: an analysis along a shift, from a file."""

import io

import numpy as np
import pandas as pd
import pytest

from jaximpute import DataError, OptionError
from jaximpute.tasks.regressions import least_squares, mean_of
from tests.helpers.commands import call


def trial():
    draw = np.random.default_rng(1)
    arm = np.repeat([0, 1], 100)
    before = draw.normal(50, 10, 200)
    after = 0.7 * before + 15 - 4 * arm + draw.normal(0, 6, 200)
    frame = pd.DataFrame({"arm": arm, "before": before, "after": after})
    frame.loc[draw.random(200) < 0.25, "after"] = np.nan
    return frame


@pytest.mark.fast
def test_least_squares_is_that_of_scipy_and_levels_are_indicators():
    frame = trial().dropna()
    frame["site"] = np.resize(["b", "a", "c"], len(frame))
    fit, names, left = least_squares("after ~ arm + before + site", frame)
    assert names == ("intercept", "arm", "before", "site = b", "site = c")
    site = [frame["site"] == level for level in ("b", "c")]
    x = np.column_stack([np.ones(len(frame)), frame["arm"], frame["before"], *site]).astype(float)
    beta, residual, *_ = np.linalg.lstsq(x, frame["after"])
    estimate, covariance = fit(frame)
    np.testing.assert_allclose(estimate, beta, rtol=1e-8)
    np.testing.assert_allclose(
        covariance, residual[0] / left * np.linalg.inv(x.T @ x), rtol=1e-6, atol=1e-9
    )
    assert left == len(frame) - 5


@pytest.mark.fast
def test_what_cannot_be_analysed_is_named():
    frame = trial()
    with pytest.raises(OptionError, match="no regression"):
        least_squares("after", frame)
    with pytest.raises(OptionError, match="no column is called 'befor'"):
        least_squares("after ~ befor", frame)
    with pytest.raises(DataError, match="were left empty"):
        least_squares("after ~ arm", frame)[0](frame)
    with pytest.raises(DataError, match="determine one another"):
        least_squares("before ~ arm + arm", frame)[0](frame)
    with pytest.raises(DataError, match="more rows than parameters"):
        least_squares("before ~ arm", frame[:2])
    with pytest.raises(DataError, match="left empty"):
        mean_of("after")(frame)


def test_the_command_tells_where_the_conclusion_tips(tmp_path):
    trial().to_csv(tmp_path / "in.csv", index=False)
    how = ["--shift", "after", "--regress", "after ~ arm + before", "--where", "arm=1"]
    how += ["--draws", "5", "--delta", "0.1,3", "--plot", tmp_path / "out.png"]
    done = call("sensitivity", tmp_path / "in.csv", *how)
    assert done.exit_code == 0, done.stderr
    found = pd.read_csv(io.StringIO(done.stdout))
    assert found["delta"].unique().tolist() == [0.0, 0.1, 3.0]
    effect = found[found["parameter"] == "arm"]["estimate"].to_numpy()
    assert effect[0] < -2
    # a quarter of the arm moves by three standard deviations of the scores
    assert effect[2] > effect[1] > effect[0]
    assert "'arm': another conclusion at p < 0.05 from a shift of +3 sd" in done.stderr
    assert (tmp_path / "out.png").stat().st_size > 1000


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (["--shift", "afte"], "no column is called 'afte'"),
        (["--shift", "before"], "column 'before' lacks nothing"),
        (["--shift", "after", "--delta", "a"], "--delta is 'a'"),
        (["--shift", "after", "--where", "arm"], "expected COLUMN=VALUE"),
        (["--shift", "after", "--where", "arm=7"], "no row has '7' in column 'arm'"),
        (
            ["--shift", "after", "--regress", "after ~ arm", "--parameter", "x"],
            "no parameter is called 'x'; parameters: intercept, arm",
        ),
        (["--shift", "after", "--draws", "2", "-m", "mean"], "one estimate, not random draws"),
    ],
)
def test_wrong_requests_are_named(tmp_path, how, says):
    trial().to_csv(tmp_path / "in.csv", index=False)
    done = call("sensitivity", tmp_path / "in.csv", *how)
    assert done.exit_code == 2, done.stderr
    assert says in done.stderr
