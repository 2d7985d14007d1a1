"""Masks of fields: their shares, their shapes, and that they stand still."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import missing

FIELD = jnp.zeros((6, 3, 13, 11, 2))
ALL = {
    "pixels": missing.pixels(0.4),
    "blocks": missing.blocks(5),
    "swath": missing.swath(0.4),
    "stations": missing.stations(7),
}


@pytest.mark.parametrize("name", ALL)
def test_masks_stand_still_and_fit_fields_and_images(name):
    mask = np.asarray(jax.jit(ALL[name])(jax.random.key(0), FIELD))
    assert mask.shape == FIELD.shape
    assert (mask == mask[:, :1, :, :, :1]).all()
    image = np.asarray(ALL[name](jax.random.key(0), FIELD[:, 0]))
    assert (image == mask[:, 0]).all()
    assert mask.any()
    assert not mask.all()
    with pytest.raises(ji.DataError, match="expected fields"):
        ALL[name](jax.random.key(0), FIELD[0, 0])


def test_pixels_and_swaths_hide_their_share():
    images = jnp.zeros((300, 24, 24, 1))
    for k, simulate in enumerate((missing.pixels(0.3), missing.swath(0.3))):
        mask = simulate(jax.random.key(k), images)
        assert abs(float(mask.mean()) - 0.7) < 0.02
    # strips, not pixels: neighbours along some direction agree nearly always
    agree = (mask[:, 1:] == mask[:, :-1]).mean(), (mask[:, :, 1:] == mask[:, :, :-1]).mean()
    assert min(agree) > 0.75


@pytest.mark.parametrize(("size", "edges"), [(64, (21, 42)), (32, (10, 20)), (12, (4, 8))])
def test_blocks_are_thirds_with_the_remainder_last(size, edges, key):
    mask = np.asarray(missing.blocks(4)(key, jnp.zeros((20, size, size, 1))))[..., 0]
    for row in mask:
        blocks = [np.split(part, edges, axis=1) for part in np.split(row, edges, axis=0)]
        flat = [block for line in blocks for block in line]
        assert all(block.all() or not block.any() for block in flat)
        assert sum(block.all() for block in flat) == 4
    assert len(np.unique(mask.reshape(20, -1), axis=0)) > 10  # drawn anew for each row


def test_stations_are_few_and_the_same_for_all_rows(key):
    mask = np.asarray(missing.stations(7)(key, FIELD))
    assert (mask.sum((2, 3)) == 7).all()
    assert (mask == mask[:1]).all()


@pytest.mark.fast
@pytest.mark.parametrize(
    "wrong",
    [
        lambda: missing.pixels(1.0),
        lambda: missing.blocks(9),
        lambda: missing.blocks(1, across=1),
        lambda: missing.swath(0.5, width=0.0),
        lambda: missing.stations(0),
    ],
)
def test_numbers_out_of_range_are_refused(wrong):
    with pytest.raises(ji.OptionError, match="expected"):
        wrong()


@pytest.mark.fast
def test_areas_that_are_too_small_are_refused():
    with pytest.raises(ji.DataError, match="at least 3"):
        missing.blocks(5)(jax.random.key(0), jnp.zeros((1, 2, 9, 1)))
    with pytest.raises(ji.DataError, match="see them all"):
        missing.stations(9)(jax.random.key(0), jnp.zeros((1, 3, 3, 1)))
