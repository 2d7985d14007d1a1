"""Views against plain slices, and folding against the adjoint it is made of."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute.views import identity, row_weight, windows

pytestmark = pytest.mark.fast
CASES = [(9, 4, 1, False), (9, 4, 3, False), (10, 5, 5, False), (7, 9, 2, False), (9, 4, 3, True)]


def view_of(time, length, stride, apart):
    x = jax.random.normal(jax.random.key(1), (2, time, 3))
    return x, windows(x.shape, length, min(stride, length), apart)


@pytest.mark.parametrize("case", CASES)
def test_rows_are_slices(case):
    x, view = view_of(*case)
    time, length, stride, apart = case
    length = min(length, time)
    starts = list(range(0, time - length + 1, stride))
    if starts[-1] != time - length:
        starts.append(time - length)
    pieces = [s[:, c : c + 1] for s in np.asarray(x) for c in range(3)] if apart else np.asarray(x)
    expected = np.stack([piece[a : a + length] for piece in pieces for a in starts])
    assert view.size == len(expected)
    np.testing.assert_array_equal(view.take(x, jnp.arange(view.size)), expected)
    np.testing.assert_array_equal(view.take(x, jnp.array([1, 0])), expected[[1, 0]])


@pytest.mark.parametrize("case", CASES)
def test_fold_is_the_adjoint_over_the_cover(case):
    x, view = view_of(*case)
    every = jnp.arange(view.size)
    rows = jax.random.normal(jax.random.key(2), view.take(x, every).shape)
    adjoint = jax.vjp(lambda x: view.take(x, every), x)[1]
    cover = adjoint(jnp.ones_like(rows))[0]
    np.testing.assert_allclose(view.fold(rows), adjoint(rows)[0] / cover, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(view.fold(view.take(x, every)), x, rtol=1e-5, atol=1e-6)


def test_identity_is_the_rows():
    x = jnp.arange(6.0).reshape(3, 2)
    view = identity(x.shape)
    np.testing.assert_array_equal(view.fold(view.take(x, jnp.arange(view.size))), x)


def test_a_stride_that_leaves_gaps_is_refused():
    with pytest.raises(ValueError, match="stride is 5"):
        windows((1, 20, 1), length=4, stride=5)


def test_rows_weigh_what_their_series_weigh_unless_nothing_is_in_them():
    view = windows((2, 4, 1), length=2, stride=2)
    where = jnp.array([[True, False, False, False], [True, True, True, True]])[..., None]
    np.testing.assert_array_equal(row_weight(view, jnp.array([1.0, 0.5]), where), [1, 0, 0.5, 0.5])
