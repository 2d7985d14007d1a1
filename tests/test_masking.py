"""Values and masks: the door, the clamp, weighted means, and picking rows."""

import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings

import jaximpute as ji
from jaximpute import masking

FLOATS = st.one_of(st.just(float("nan")), st.floats(-100, 100, width=32))
TABLES = hnp.arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(1, 3)), elements=FLOATS)


@settings(max_examples=40, deadline=None)
@given(TABLES)
def test_nan_goes_in_and_comes_back(x):
    data = masking.from_nan(jnp.asarray(x))
    assert np.isfinite(data.values).all()
    np.testing.assert_array_equal(masking.to_nan(data.values, data.mask), x)
    completed = masking.clamp(jnp.full(x.shape, 7.0), data)
    np.testing.assert_array_equal(completed, np.where(np.isnan(x), np.float32(7), x))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros(3), "rows and columns"),
        (np.zeros((0, 2)), "rows and columns"),
        (np.array([["a", "b"]]), "dtype"),
        (np.array([[1.0, np.inf], [2.0, 3.0]]), "'flow' holds inf in row 0"),
        (np.array([[1.0, np.nan], [2.0, np.nan]]), "'flow' is missing in all 2 rows"),
    ],
)
def test_bad_data_is_named_at_the_door(x, words):
    with pytest.raises(ji.DataError, match=words):
        ji.observe(x, names=["level", "flow"])


@pytest.mark.fast
def test_masked_mean_of_nothing_is_zero_with_a_zero_gradient():
    none = jnp.full(3, False)
    value, gradient = jax.value_and_grad(masking.masked_mean)(jnp.ones(3), none)
    assert value == 0
    np.testing.assert_array_equal(gradient, 0)
    np.testing.assert_allclose(
        masking.masked_mean(jnp.arange(4.0), jnp.array([True, False, True, True])), 5 / 3
    )


@pytest.mark.fast
def test_channel_moments_leave_padding_and_holes_out():
    x = np.array([[1.0, 4.0], [3.0, np.nan], [5.0, 4.0], [99.0, 99.0]], np.float32)
    data = masking.from_nan(jnp.asarray(x), jnp.array([1.0, 1.0, 1.0, 0.0]))
    mean, scale = masking.channel_moments(data)
    np.testing.assert_allclose(mean, [3.0, 4.0])
    np.testing.assert_allclose(scale, [np.sqrt(8 / 3), 1.0], rtol=1e-6)  # no spread counts as 1


@pytest.mark.fast
def test_rows_are_picked_in_proportion_to_weight():
    weight = jnp.array([1.0, 0.0, 3.0, 0.0])
    rows = masking.pick(jax.random.key(0), weight, 4000)
    counts = np.bincount(np.asarray(rows), minlength=4) / 4000
    np.testing.assert_allclose(counts, [0.25, 0, 0.75, 0], atol=0.03)
    assert counts[1] == counts[3] == 0


@pytest.mark.fast
@pytest.mark.fast
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"mask": jnp.ones((2, 3))}, "dtype"),
        ({"mask": jnp.ones((3, 2), bool)}, "shape"),
        ({"values": jnp.ones((2, 3), int)}, "dtype"),
        ({"weight": jnp.ones(3)}, "shape"),
        ({"values": jnp.ones(2), "mask": jnp.ones(2, bool)}, "rank"),
    ],
)
def test_what_is_no_data_is_refused_at_every_door(wrong, words):
    data = ji.Observed(jnp.ones((2, 3)), jnp.ones((2, 3), bool), jnp.ones(2))._replace(**wrong)
    method = ji.methods.mean()
    key, state = jax.random.key(0), jnp.zeros(3)
    doors = [
        lambda: ji.fit(method, key, data, 0),
        lambda: ji.complete(method, key, state, data),
        lambda: ji.draw_many(ji.methods.gaussian(), key, state, data, 2),
        lambda: ji.parallel.put(data, ji.parallel.mesh(1)),
    ]
    for door in doors:
        with pytest.raises((AssertionError, TypeError), match=f"(?i){words}|type"):
            door()
