"""What is printed in the papers and does not hold, each on the smallest case that shows it.

The page `docs/results/papers.md` lists them. Other tests show those that touch a function here.
"""

import json

import numpy as np
import pytest

from benchmarks.harness import jobs

pytestmark = pytest.mark.fast


def test_spirit_8_has_zeta_and_its_complement_exchanged():
    """From a point at 0 to one at a, with an outlier at z: the distance is known."""
    a, z, zeta = 2.0, 30.0, 0.1
    true = (1 - zeta) * a**2 + zeta * z**2
    h, g, to_outlier = a**2, 0.0, (a - z) ** 2  # optimal potentials: h(0) + g(a) = a^2
    printed = zeta * a**2 + (1 - zeta) * (to_outlier - g + h)
    proved = (1 - zeta) * a**2 + zeta * (to_outlier - g + h)  # as (54) and (56) have it
    assert proved <= true < printed


def test_spirit_12_moves_weights_twice_as_far_as_the_minimiser_of_78():
    rng = np.random.default_rng(0)
    norms, eta, n = rng.uniform(0, 3, 8), 0.2, 8

    def functional(log_w):
        w = np.exp(log_w - np.logaddexp.reduce(log_w))
        return 0.5 * w @ norms + (w @ np.log(w * n)) / (2 * eta)

    least, printed = functional(-eta * norms), functional(-2 * eta * norms)
    assert least < printed - 0.01
    others = [functional(-eta * norms + rng.normal(size=n) * 0.1) for _ in range(200)]
    assert least < min(others)


def test_spirit_5_and_31_make_different_steps_and_that_of_47_is_d_sigma_squared():
    """One row, whose score is the constant s: all three are steps along it."""
    s, eta = 1.5, 0.02
    grid = np.linspace(-0.1, 0.1, 200_001)
    step = {
        name: grid[np.argmin(-s * grid + grid**2 * factor)]
        for name, factor in (("5", 1 / (2 * eta)), ("31", 1 / eta))
    }
    assert step["5"] == pytest.approx(eta * s, abs=1e-5)
    assert step["31"] == pytest.approx(eta * s / 2, abs=1e-5)
    # the velocity (47) without its entropy: d sigma^2 s, the step of (5) with eta = d sigma^2;
    # Proposition 3.1 states half of that
    d_sigma2 = eta
    assert step["5"] == pytest.approx(d_sigma2 * s, abs=1e-5)


def test_spirit_41_misses_a_beta_that_42_has():
    """Where all laws are standard normal nothing moves, whatever beta is."""
    beta, x = 3.0, np.linspace(-2, 2, 9)
    score = -x  # of p and of q
    with_beta = beta * x / 2 + beta * score - beta * score / 2
    as_printed = beta * x / 2 + beta * score - score / 2
    np.testing.assert_allclose(with_beta, 0, atol=1e-12)
    assert np.abs(as_printed).max() > 1


def test_spirit_86_has_the_sign_of_a_growth_rate_and_22_that_of_a_death_rate():
    norms, w = np.array([1.0, 4.0]), np.array([0.5, 0.5])
    g = -2 * norms + 2 * w @ norms  # (86)
    change = w * (w @ g - g)  # (22)
    # meant, and done by (12): the row with the larger score loses weight
    assert g[1] < 0 < change[1]


def test_spirit_102_is_not_the_marginal():
    p_obs, given = np.array([0.3, 0.7]), np.array([[0.9, 0.1], [0.2, 0.8]])
    marginal, printed = p_obs @ given, p_obs @ np.log(given)
    assert (printed < 0).all()
    assert np.abs(np.exp(printed) - marginal).max() > 0.05


def test_spirit_15_with_noise_on_all_entries_takes_observations_for_noisy():
    """Where the score of the missing entry is 0, with noise on all entries or on it alone."""
    rng = np.random.default_rng(1)
    root, sigma = rng.normal(size=(3, 3)), 0.5
    cov, x_o = root @ root.T + 0.1 * np.eye(3), np.array([1.0, -2.0])

    def still(noise):
        inner = np.linalg.inv(cov + np.diag(noise))
        return -inner[0, 1:] @ x_o / inner[0, 0]

    right = cov[0, 1:] @ np.linalg.solve(cov[1:, 1:], x_o)
    blurred = cov[0, 1:] @ np.linalg.solve(cov[1:, 1:] + sigma**2 * np.eye(2), x_o)
    assert still([sigma**2, 0, 0]) == pytest.approx(right)
    assert still([sigma**2] * 3) == pytest.approx(blurred)
    assert abs(blurred - right) > 0.05


def test_context_query_13_counts_the_variance_twice_and_misses_14():
    """A mean of K has bias^2 + var / K; the variance that is printed is a larger one still."""
    rng = np.random.default_rng(2)
    bias, deviation, many = 0.3, 0.8, 200_000
    for k in (1, 4):
        gaps = (bias + deviation * rng.normal(size=(many, k)).mean(axis=1)) ** 2
        held = bias**2 + deviation**2 / k
        one = bias**2 + deviation**2  # the gap of one context
        printed = one + deviation**2 / k
        assert gaps.mean() == pytest.approx(held, rel=0.02)
        assert printed > 1.3 * gaps.mean()


def test_context_query_table_4_is_made_of_rows_of_tables_5_and_10():
    """Shallow water of a Fourier operator, advection of a U-Net: not one network on both."""
    rows = jobs.lines(jobs.RESULTS / "quoted.jsonl")
    found = {(r["of"], r["method"]): r for r in rows if r["of"].startswith("context_query")}
    ours, unet = found["context_query 4", "Ours, contexts"], found["context_query 5", "Ours, U-Net"]
    fno, one_step = found["context_query 5", "Ours, FNO"], found["context_query 10", "Ours, 1 step"]
    for share in ("80", "30"):
        assert ours[f"advection_{share}"] == unet[f"advection_{share}"]
        assert ours[f"advection_{share}"] == one_step[f"advection_{share}"]
    assert ours["shallow_30"] == fno["shallow_30"]
    assert ours["shallow_80"] == one_step["shallow_80"]
    assert ours["shallow_80"] != unet["shallow_80"]


def test_quoted_rows_name_their_source():
    rows = jobs.lines(jobs.RESULTS / "quoted.jsonl")
    assert all({"source", "of", "method"} <= row.keys() for row in rows)
    assert len({json.dumps(row) for row in rows}) == len(rows)
