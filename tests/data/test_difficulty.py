"""How hard a cell is, against slow plain twins."""

import numpy as np
import pytest

from jaximpute.data.difficulty import difficulty
from jaximpute.data.frames import read

RNG = np.random.default_rng(0)

pytestmark = pytest.mark.fast


def test_of_a_series_it_is_the_variance_of_a_bridge():
    mask = RNG.uniform(size=(40, 3)) < 0.4
    mask[:5, 0] = mask[-4:, 1] = False
    mask[5, 0] = mask[-5, 1] = True
    stamps = np.cumsum(RNG.uniform(0.5, 2.0, 40))
    for positions, time in ((np.arange(40.0), None), (stamps, stamps)):
        x = np.where(mask, 1.0, np.nan)
        frame = read(x[None]) if time is None else read(x, time=time)
        found = difficulty(frame, mask)
        unit = 1.0 if time is None else np.quantile(np.diff(stamps), 0.5, method="lower")
        for step, channel in np.argwhere(~mask):
            own = positions[mask[:, channel]] / unit
            here = positions[step] / unit
            before, after = here - own[own < here], own[own > here] - here
            ends = [side.min() for side in (before, after) if side.size]
            expected = ends[0] if len(ends) == 1 else ends[0] * ends[1] / sum(ends)
            np.testing.assert_allclose(found[step, channel], expected)


def test_of_a_field_it_is_how_far_and_how_few_observed_cells_are():
    mask = RNG.uniform(size=(2, 3, 6, 5, 2)) < 0.2
    frame = read(np.where(mask, 1.0, np.nan))
    found = difficulty(frame, frame.mask).reshape(mask.shape)
    for n, t, y, x, c in np.argwhere(~mask):
        seen = np.argwhere(mask[n, ..., c])
        nearest = np.sqrt(((seen - [t, y, x]) ** 2).sum(axis=1)).min()
        around = np.pad(~mask[n, ..., c], 2, mode="edge")[t : t + 5, y : y + 5, x : x + 5]
        np.testing.assert_allclose(found[n, t, y, x, c], nearest + around.mean())


def test_of_a_table_it_is_the_count_of_what_the_row_lacks():
    x = np.array([[1.0, np.nan, np.nan], [1.0, 2.0, np.nan], [3.0, 4.0, 5.0]])
    frame = read(x)
    np.testing.assert_array_equal(difficulty(frame, frame.mask)[:, 0], [2, 1, 0])


def test_a_channel_without_observations_is_as_far_as_the_series_is_long():
    x = np.full((1, 6, 2), np.nan)
    x[0, 0, 0] = 1.0
    frame = read(x)
    found = difficulty(frame, frame.mask)
    np.testing.assert_array_equal(found[:, 0], [0, 1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found[:, 1], 6)
