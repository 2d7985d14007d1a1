"""What a fitted method says of entries hidden from it again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.engine.lessons import lessons, parts
from jaximpute.missing import again


def _data(shape=(200, 3)):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape)
    return ji.observe(np.where(rng.random(shape) < 0.3, np.nan, x))


@pytest.mark.parametrize("answer", ["estimate", "draw"])
def test_each_lesson_is_an_answer_to_rows_that_were_holed(answer):
    data, method, split = _data(), ji.methods.gaussian(), again(0.2)
    state = ji.fit(method, jax.random.key(0), data, 0)
    got = lessons(jax.random.key(1), method, state, data, split, 3, answer)
    assert bool((got.filled == jnp.where(got.shown, data.values[None], got.filled)).all())
    assert bool(((got.shown ^ got.asked) == data.mask[None]).all())
    assert len({mask.tobytes() for mask in np.asarray(got.asked)}) == 3
    if answer == "estimate":
        holed = ji.Observed(jnp.where(got.shown[1], data.values, 0), got.shown[1], data.weight)
        again_filled = method.estimate(jax.random.key(2), state, holed)
        assert np.allclose(again_filled, got.filled[1], atol=1e-5)


def test_a_base_without_the_answer_is_refused():
    data, method = _data(), ji.methods.knn()
    state = ji.fit(method, jax.random.key(0), data, 0)
    with pytest.raises(ji.OptionError, match="no `draw`"):
        lessons(jax.random.key(1), method, state, data, again(), 1, "draw")


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ((50, 4), 50),
        ((5, 4), 5),
        ((2, 640, 3), 128),
        ((1, 10, 3), 10),
        ((40, 640, 3), 40),
        ((1, 16, 16, 1), 64),
        ((3, 5, 16, 24, 1), 192),
    ],
)
def test_parts_are_connected_alike_in_channels_and_none_is_empty(shape, count):
    number, found = parts(shape)
    assert number.shape == shape
    assert found == count
    sizes = np.bincount(number.ravel(), minlength=count)
    assert len(sizes) == count
    assert 0 < sizes.max() <= 2 * sizes.min()
    assert (number == number[..., :1]).all()
