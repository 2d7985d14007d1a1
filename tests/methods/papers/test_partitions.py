"""Partitions: within the mask, of the shape promised, with the exposure that Theorem 1 asks for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import DataError, OptionError
from jaximpute.maths import hole_boxes
from jaximpute.methods.papers.context_query import contexts, partitions
from jaximpute.methods.papers.context_query.exposure import exposure_audit

SHAPE = (30, 4, 9, 10, 2)
MAKERS = {
    "pixel": lambda: partitions.pixel(0.5, 0.5),
    "pixel by frame": lambda: partitions.pixel(0.5, "rest", shared=False),
    "block": partitions.block,
    "block printed": lambda: partitions.block(context=4, query=1),
    "rows": partitions.rows,
    "columns": partitions.columns,
    "time_block": partitions.time_block,
    "swath": partitions.swath,
    "own": partitions.own,
    "own that leaves half": lambda: partitions.own(least=0.5),
    "hole shaped": hole_boxes.hole_shaped,
    "mixed": lambda: partitions.mixed(partitions.block(), partitions.own()),
    "first of": lambda: partitions.first_of(partitions.own(), partitions.block()),
    "missdiff": lambda: partitions.missdiff,
    "ambient": partitions.ambient,
}


def block_masks(n=126, size=9, seen=5, key=3):
    """Static masks that observe some of 3 x 3 blocks."""
    order = jax.random.uniform(jax.random.key(key), (n, 9)).argsort(axis=1)
    grid = (order < seen).reshape(n, 3, 3)
    grid = jnp.repeat(jnp.repeat(grid, size // 3, axis=1), size // 3, axis=2)
    return grid[:, None, :, :, None]


@pytest.mark.parametrize("name", list(MAKERS))
def test_both_parts_lie_in_the_mask(name, key):
    mask = jax.random.uniform(jax.random.key(1), SHAPE) < 0.7
    mask = mask.at[0].set(False).at[1].set(True)
    context, query = jax.jit(MAKERS[name]())(key, mask)
    assert context.shape == query.shape == mask.shape
    assert not (context & ~mask).any()
    assert not (query & ~mask).any()
    assert query[2:].any()
    assert context[2:].any()


def test_images_take_the_same_partitions(key):
    mask = jnp.full((5, 9, 10, 3), True)
    for i, name in enumerate(("pixel", "block", "rows", "swath")):
        context, query = MAKERS[name]()(jax.random.fold_in(key, i), mask)
        assert (context | query).any()
        np.testing.assert_array_equal(context, jnp.broadcast_to(context[..., :1], mask.shape))


def test_pixels_are_shared_over_frames_and_independent_of_the_query(key):
    context, query = partitions.pixel(0.7, 0.4)(key, jnp.full((200, 3, 12, 12, 2), True))
    for part, share in ((context, 0.7), (query, 0.4)):
        np.testing.assert_array_equal(part, jnp.broadcast_to(part[:, :1, ..., :1], part.shape))
        assert abs(float(part.mean()) - share) < 0.01
    assert abs(float((context & query).mean()) - 0.28) < 0.01
    apart, _ = partitions.pixel(0.7, shared=False)(
        jax.random.key(1), jnp.full((20, 3, 12, 12, 2), True)
    )
    assert (apart[:, 0] != apart[:, 1]).any()


def test_a_share_can_be_drawn_for_each_sample(key):
    context, query = partitions.pixel((0.2, 1.0), "rest")(key, jnp.full((400, 1, 20, 20, 1), True))
    share = np.asarray(context.mean(axis=(1, 2, 3, 4)))
    assert abs(share.mean() - 0.6) < 0.03
    assert abs(share.std() - 0.8 / 12**0.5) < 0.03
    assert (context ^ query).all()


def test_blocks_leave_one_out_or_follow_algorithm_6(key):
    mask = block_masks()
    context, query = partitions.block()(key, mask)
    assert (context.sum(axis=(1, 2, 3, 4)) == 36).all()
    assert (query.sum(axis=(1, 2, 3, 4)) == 9).all()
    np.testing.assert_array_equal(context ^ query, mask)
    context, query = partitions.block(context=4, query=1)(jax.random.key(1), mask)
    assert (context.sum(axis=(1, 2, 3, 4)) == 36).all()
    assert (query.sum(axis=(1, 2, 3, 4)) == 9).all()
    outside = float((query & ~context).any(axis=(1, 2, 3, 4)).mean())
    assert 0.08 < outside < 0.35  # one time in five
    # the remainder belongs to the last block
    _, query = partitions.block((3, 3))(jax.random.key(2), jnp.full((200, 1, 32, 32, 1), True))
    sizes = {int(one) for one in query.sum(axis=(1, 2, 3, 4))}
    assert sizes == {100, 120, 144}


def test_rows_with_little_observed(key):
    mask = jnp.zeros((3, 1, 6, 6, 1), bool).at[1, 0, 0, 0].set(True).at[2, 0, :2].set(True)
    context, query = partitions.block()(key, mask)
    assert not context[:2].any()
    np.testing.assert_array_equal(query[:2], mask[:2])
    assert context[2].any()


def test_own_holes_come_from_the_bank(key):
    bank = block_masks(4, key=5)
    context, query = partitions.own(bank)(key, jnp.full((50, 1, 9, 9, 1), True))
    assert all(any((c == b).all() for b in bank) for c in context)
    assert (context ^ query).all()
    full = jnp.full((2, 1, 9, 9, 1), True)
    context, query = partitions.complete(bank)(jax.random.key(1), full)
    assert query.all()
    assert not context.all()


def test_the_audit_gives_the_known_probabilities(key):
    masks = block_masks()
    rest = exposure_audit(partitions.block(), masks, key=key, radius=0)
    outside = np.asarray(rest.probability)
    assert abs(outside.mean() - 0.2) < 0.02
    assert 0.1 < rest.minimum <= outside[rest.place] + 1e-9
    printed = partitions.block(context=4, query=1)
    probability = exposure_audit(printed, masks, key=key, radius=0).probability
    assert abs(probability.mean() - 0.04) < 0.012


def test_the_audit_names_what_cannot_be_learned(key):
    masks = block_masks()
    with pytest.raises(DataError, match=r"81 of 81 places .*\(0, 0, 0, 0\).*hides whole holes"):
        exposure_audit(partitions.missdiff, masks, key=key)
    never = masks.at[:, :, 3, 4].set(False)
    with pytest.raises(DataError, match=r"1 of 81 places .*\(0, 3, 4, 0\).*in no sample"):
        exposure_audit(partitions.block(), never, key=key, radius=0)
    sea = np.full(masks.shape[1:], True)
    sea[0, 3, 4] = False
    assert exposure_audit(partitions.block(), never, key=key, radius=0, where=sea).minimum > 0


def test_the_audit_sees_the_wrong_partition_through_its_radius(key):
    masks = block_masks()
    wrong = partitions.pixel(0.7, "rest")
    assert exposure_audit(wrong, masks, key=key, radius=0).minimum > 0.1
    with pytest.raises(DataError, match="never be learned"):
        exposure_audit(wrong, masks, key=key, radius=2)
    assert exposure_audit(partitions.block(), masks, key=key, radius=2).minimum > 0.02


def test_every_block_is_left_out_once(key):
    mask = block_masks(6).at[0].set(False)
    kept, weight = contexts.every_block()(key, mask, jnp.ones(()))
    np.testing.assert_allclose(weight.sum(axis=0), 1.0, rtol=1e-6)
    used = np.asarray(weight) > 0
    assert used[:, 1:].sum(axis=0).tolist() == [5] * 5
    left_out = np.asarray(mask[None] & ~kept)
    assert (
        left_out.sum(axis=(2, 3, 4, 5))[used & np.asarray(mask.any(axis=(1, 2, 3, 4)))] == 9
    ).all()
    np.testing.assert_array_equal(left_out[:, 1:].sum(axis=0), mask[1:])


def test_matched_contexts_keep_the_density_of_training(key):
    mask = jax.random.uniform(key, (20, 1, 30, 30, 1)) < 0.6
    kept, _ = contexts.matched(3)(jax.random.key(1), mask, jnp.asarray(0.4))
    assert abs(float(kept.mean()) - 0.4) < 0.01
    thin, _ = contexts.matched(1)(jax.random.key(2), mask, jnp.asarray(0.7))
    np.testing.assert_array_equal(thin[0], mask)
    whole, _ = contexts.matched(2, (3, 3))(
        jax.random.key(3), block_masks(seen=6), jnp.asarray(4 / 9)
    )
    assert (whole.sum(axis=(2, 3, 4, 5)) == 36).all()
    assert contexts.context_share(0.8, 0.5, 0.6) == pytest.approx(2 / 3)
    with pytest.raises(OptionError, match="no context is as dense"):
        contexts.context_share(0.8, 0.5, 0.3)


@pytest.mark.fast
def test_wrong_options_are_refused():
    for make in (
        lambda: partitions.pixel(1.5),
        lambda: partitions.pixel((0.9, 0.1)),
        lambda: partitions.pixel(0.5, "half"),
        lambda: partitions.block(context=0),
        lambda: partitions.own(query="some"),
        lambda: partitions.own(least=2.0),
        lambda: hole_boxes.hole_shaped(0.0),
        lambda: hole_boxes.hole_shaped(query="some"),
        lambda: contexts.drawn(partitions.missdiff, 0),
        lambda: contexts.context_share(0.0, 0.5, 0.5),
    ):
        with pytest.raises(OptionError, match="expected"):
            make()
