"""Boxes shaped like the holes: how many, how large, and what they leave."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import methods, missing, nets
from jaximpute.maths import hole_boxes
from jaximpute.maths.hole_boxes import hole_sides
from jaximpute.methods.papers.context_query import contexts, partitions
from jaximpute.types import Observed

SHAPE = (40, 4, 24, 24, 1)


def clouds(shape=SHAPE, side=6):
    """One square a frame, anywhere."""
    rng, mask = np.random.default_rng(0), np.ones(shape, bool)
    for film in mask:
        for frame in film:
            i, j = rng.integers(0, shape[2] - side, 2)
            frame[i : i + side, j : j + side] = False
    return jnp.asarray(mask)


def masks(name, key):
    x = jnp.zeros(SHAPE)
    made = {
        "clouds": clouds,
        "half": lambda: missing.pixels(0.5)(key, x),
        "sparse": lambda: missing.pixels(0.9)(key, x),
        "few": lambda: missing.pixels(0.98)(key, x),
        "apart": lambda: missing.mcar(0.6)(key, x),
    }
    return made[name]()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("clouds", (1, 6, 6, 1)),
        ("half", (4, 1, 1, 1)),
        ("sparse", (4, 1, 1, 1)),
        ("few", (4, 1, 1, 1)),
        ("apart", (1, 1, 1, 1)),
    ],
)
def test_a_tenth_is_hidden_in_boxes_as_large_as_the_holes(name, expected, key):
    mask = masks(name, key)
    np.testing.assert_allclose(hole_sides(mask), expected, rtol=0.15)
    context, query = jax.jit(hole_boxes.hole_shaped())(jax.random.key(1), mask)
    np.testing.assert_array_equal(context ^ query, mask)
    assert 0.07 < query.sum() / mask.sum() < 0.15
    # what is left looks like the mask
    np.testing.assert_allclose(hole_sides(context), expected, rtol=0.25)
    if name == "clouds":  # whole boxes: most that is hidden has a neighbour that is hidden
        below = (query[:, :, :-1] & query[:, :, 1:]).sum() / query.sum()
        assert below > 0.6


def test_land_has_no_shape_and_static_holes_stay_static(key):
    sea = jnp.arange(24) >= 8
    at_sea = clouds() & sea.reshape(1, 1, 1, 24, 1)
    np.testing.assert_allclose(hole_sides(at_sea)[1:3], 6, rtol=0.35)
    static = masks("sparse", key)
    _, query = hole_boxes.hole_shaped()(jax.random.key(1), static)
    np.testing.assert_array_equal(query, jnp.broadcast_to(query[:, :1], query.shape))


def test_who_would_be_left_with_less_than_half_is_asked_nothing(key):
    one = jnp.zeros((3, 1, 6, 6, 1), bool).at[1, 0, 0, 0].set(True).at[2, 0, :2].set(True)
    context, query = hole_boxes.hole_shaped()(key, one)
    np.testing.assert_array_equal(context[:2], one[:2])
    assert not query[:2].any()
    for asked in ("rest", "all"):
        sparse = jax.random.bernoulli(jax.random.key(1), 0.3, SHAPE)
        context, query = partitions.own(query=asked, least=0.5)(jax.random.key(2), sparse)
        lent = ~query.any(axis=(1, 2, 3, 4)) | (context == sparse).all(axis=(1, 2, 3, 4))
        assert lent.all()


@pytest.mark.parametrize("best", ["harmonic", "biharmonic"])
def test_the_nearer_surface_is_chosen_on_sparse_pixels(best, key):
    """By another sample's mask a hundredth is left of a tenth, where a plate overshoots."""
    y = jnp.arange(24.0).reshape(1, 1, 24, 1, 1)
    phase = jax.random.uniform(key, (60, 1, 1, 1, 1), maxval=6.0)
    smooth = jnp.sin(0.4 * y + phase) + jnp.cos(0.3 * y.swapaxes(2, 3))
    rough = jax.random.normal(jax.random.key(1), (60, 1, 24, 24, 1))
    x = smooth if best == "biharmonic" else rough
    mask = jax.random.bernoulli(jax.random.key(2), 0.1, x.shape)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(60))
    surfaces = {name: nets.interpolated(None, surface=name) for name in nets.SURFACES}
    chosen = methods.context_query(
        surfaces["harmonic"],
        partitions.pixel(),
        feeds=(contexts.observed,),
        baseline=surfaces["biharmonic"],
    )
    alone = methods.context_query(surfaces[best], partitions.pixel(), feeds=(contexts.observed,))
    out, expected = (
        m.estimate(jax.random.key(4), m.init(jax.random.key(3), data), data)
        for m in (chosen, alone)
    )
    np.testing.assert_allclose(out, expected, atol=0.1)
    other = next(s for name, s in surfaces.items() if name != best)
    worse = methods.context_query(other, partitions.pixel(), feeds=(contexts.observed,))
    worse = worse.estimate(jax.random.key(4), worse.init(jax.random.key(3), data), data)
    assert ((expected - x) ** 2).mean() < ((worse - x) ** 2).mean()
