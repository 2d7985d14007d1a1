"""Who is told that gaps are longer than what a method sees."""

import numpy as np
import pytest

from jaximpute.tasks import report


@pytest.mark.fast
@pytest.mark.parametrize("method", ["gaussian", "spirit", "boosted_smoother"])
def test_the_smoother_warns_and_so_does_what_stands_on_it(method):
    (text,) = report.gap_warning(method, {}, np.array([3, 100]))
    assert text.startswith("1 missing cells lie in gaps longer than the 24 steps")


@pytest.mark.fast
def test_other_bases_see_as_far_as_there_are_observations():
    lengths = np.array([3, 100])
    assert report.gap_warning("boosted_smoother", {"base": "linear"}, lengths) == []
    assert report.gap_warning("spirit", {"start": "linear"}, lengths) == []
