"""The benchmark of intervals: the same holes each time, and a page that says what was held."""

import numpy as np
import pytest

from benchmarks import intervals
from tests.benchmarks import pages

pytestmark = pytest.mark.fast


def row(pattern, held, seed=0):
    case = intervals.Case("film", pattern, 0.3, "kriging")
    at = {"0.9": {"held": held, "told": 0.9, "width": 1.5}}
    measured = {"kind": "field", "at": at, "hidden": 100, "cells": 50, "cpu_seconds": 2.0}
    return {**intervals.known(case, seed), **measured}


def test_the_tables_say_what_was_held_and_keep_values_apart(tmp_path):
    rows = [row("pixels", 0.85), row("pixels", 0.95, 1), row("mnar", 0.5)]
    chance = pages.table("intervals", "by-chance", rows, tmp_path)
    assert "| film | field | pixels | 0.3 | kriging |  |  |  | 90.0% | 90.0% | 1.50 |" in chance
    assert "| 90.0% | 85.0% | 95.0% |" in pages.table("intervals", "over-all", rows, tmp_path)
    assert "50.0%" in pages.table("intervals", "by-values", rows, tmp_path)


def test_problems_are_the_same_each_time():
    case = intervals.CASES["film/blocks"]
    (truth, hidden), (again, same) = intervals.punch(case, 0), intervals.punch(case, 0)
    np.testing.assert_array_equal(truth.values, again.values)
    np.testing.assert_array_equal(hidden, same)
    assert 0.2 < hidden.mean() < 0.5
    assert (intervals.punch(case, 1)[1] != hidden).any()
    assert set(intervals.QUICK) < set(intervals.CASES)
