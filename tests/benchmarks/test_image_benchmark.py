"""The benchmark of images: known holes, scores of known completions, and a page from its rows."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from benchmarks import images
from benchmarks.harness import image_picture, image_scores, image_worker, jobs
from benchmarks.problems import images as images_problems
from jaximpute import OptionError
from tests.benchmarks import pages

WAVES = "waves:12x16"


@pytest.mark.parametrize("pattern", images_problems.PATTERNS)
def test_holes_are_the_same_for_the_same_seed(pattern):
    one, same, other = (images_problems.punch(WAVES, 0.4, seed, pattern) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.hidden, same.hidden)
    assert (one.hidden != other.hidden).any()
    assert abs(one.hidden.mean() - 0.4) < 0.05
    np.testing.assert_array_equal(np.isnan(one.holed), one.hidden)
    whole = one.hidden.all(-1) | ~one.hidden.any(-1)
    assert whole.all() == (pattern == "pixel")
    assert 0 <= one.truth.min() < one.truth.max() <= 1


def test_images_are_made_smaller_by_means():
    x = np.arange(32.0).reshape(1, 4, 4, 2)
    np.testing.assert_array_equal(images_problems.halved(x)[0, 0, 1], x[0, :2, 2:].mean((0, 1)))
    with pytest.raises(ValueError, match="no images are called 'mnist'"):
        images_problems.images("mnist")


def test_psnr_over_all_pixels_and_over_the_missing_ones():
    problem = images_problems.punch(WAVES, 0.4, 0)
    truth, hidden = problem.truth, problem.hidden
    off = np.where(hidden, truth + 0.1, truth)
    assert image_scores.psnr(truth, off, hidden) == pytest.approx(20, abs=1e-3)
    shares = hidden.mean(axis=(1, 2, 3))
    expected = 20 - 10 * np.log10(shares).mean()
    assert image_scores.psnr(truth, off, np.ones_like(hidden)) == pytest.approx(expected, abs=1e-3)
    assert image_scores.psnr(truth, truth, hidden) == 100


def test_ssim_against_a_twin_and_a_closed_form():
    rng = np.random.default_rng(0)
    x = rng.random((2, 20, 18, 2))
    y = np.clip(x + 0.2 * rng.normal(size=x.shape), 0, 1)
    found = image_scores.ssim(x, y)

    def average(a):  # the same window: scipy cuts it off after 3.5 deviations
        return gaussian_filter(a, sigma=(0, 1.5, 1.5, 0), truncate=3.5)

    mx, my = average(x), average(y)
    vx, vy = average(x * x) - mx**2, average(y * y) - my**2
    c1, c2 = 1e-4, 9e-4
    twin = (2 * mx * my + c1) * (2 * (average(x * y) - mx * my) + c2)
    twin /= (mx**2 + my**2 + c1) * (vx + vy + c2)
    np.testing.assert_allclose(found[:, 5:-5, 5:-5], twin[:, 5:-5, 5:-5], atol=1e-9)
    np.testing.assert_allclose(image_scores.ssim(x, x), 1)
    flat = image_scores.ssim(np.full((1, 8, 8, 1), 0.2), np.full((1, 8, 8, 1), 0.6))
    np.testing.assert_allclose(flat, (2 * 0.12 + c1) / (0.04 + 0.36 + c1))


def test_distances_are_zero_for_the_truth_and_grow():
    x = images_problems.images(WAVES)
    assert image_scores.patch_sliced_wasserstein(x, x) == 0
    # a shift is seen at the last of two scales only, where it has its own length on average
    assert image_scores.patch_sliced_wasserstein(x, x + 0.02) == pytest.approx(1.0, rel=0.15)
    noise = np.random.default_rng(0).normal(size=x.shape).astype(np.float32)
    some, more = (image_scores.random_frechet(x, x + s * noise) for s in (0.1, 0.3))
    assert abs(image_scores.random_frechet(x, x)) < 1e-6
    assert 0.01 < some < more


def test_rows_become_tables_and_a_picture(tmp_path):
    rows = []
    for method in ("mean", "neighbour_ridge"):
        job = jobs.Job(WAVES, 0.4, 0, method, pattern="pixel")
        rows.append({**images.known(job), **image_worker.measure(job)})
    mean, ridge = rows
    assert ridge["psnr_missing"] > mean["psnr_missing"] + 5
    assert ridge["ssim"] > mean["ssim"]
    # a method that draws and loses
    draws = {**mean, "method": "miri", "psnr": 1.0, "psnr_missing": 0.5}
    draws |= {"mean_psnr": 3.0, "mean_psnr_missing": 2.0, "mean_ssim": 0.1}
    text = pages.table("images", "images", [*rows, draws], tmp_path)
    assert f"| whole pixels | 40 % | neighbour_ridge | {ridge['psnr']:.2f} |" in text
    assert "| 3.00 | 2.00 | 0.100 |" in text
    text = pages.table("images", "beside", [*rows, draws], tmp_path, only=["miri"])
    assert "| miri | 0 of 1, -" in text
    assert image_picture.draw(rows, tmp_path / "img" / "images.png")
    assert 5_000 < (tmp_path / "img" / "images.png").stat().st_size < 300_000
    assert not image_picture.draw([{**draws, "shown": ""}], tmp_path / "none.png")


def test_an_unknown_method_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(OptionError, match="takes table data, and this is a image"):
        images.main(["--methods", "knn", "--out", str(tmp_path / "x")])
