"""The benchmark of intervals: the same holes each time, and a page that says what was held."""

import numpy as np
import pytest

from benchmarks import intervals
from benchmarks.pages import intervals as pages

pytestmark = pytest.mark.fast


def row(pattern, held, seed=0):
    case = intervals.Case("film", pattern, 0.3, "kriging")
    at = {"0.9": {"held": held, "told": 0.9, "width": 1.5}}
    measured = {"kind": "field", "at": at, "hidden": 100, "cells": 50, "cpu_seconds": 2.0}
    return {**intervals.about(case, seed), **measured}


def test_the_page_says_what_was_held_and_keeps_values_apart():
    text = pages.page([row("pixels", 0.85), row("pixels", 0.95, 1), row("mnar", 0.5)])
    chance, values = text.split("## Missing by values")
    assert "| film, field | pixels, 30% | kriging | 90.0% | 90.0% | 1.50 | 100 / 50 | 2 |" in chance
    assert "a nominal 90% holds 90.0%, from 85.0% to 95.0%" in chance
    assert "50.0%" in values


def test_problems_are_the_same_each_time():
    case = intervals.CASES["film/blocks"]
    (truth, hidden), (again, same) = intervals.punch(case, 0), intervals.punch(case, 0)
    np.testing.assert_array_equal(truth.values, again.values)
    np.testing.assert_array_equal(hidden, same)
    assert 0.2 < hidden.mean() < 0.5
    assert (intervals.punch(case, 1)[1] != hidden).any()
    assert set(intervals.QUICK) < set(intervals.CASES)
