"""The split that moves a series' own gaps: their lengths, their pattern, and how many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import OptionError
from jaximpute.maths.moved_gaps import moved_gaps


def _runs(hidden):
    """Lengths of the stretches of True in one channel."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hidden.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def _gapped(lengths, time=6000, seed=0):
    rng = np.random.default_rng(seed)
    mask, at = np.ones((1, time, 2), bool), 20
    while at < time - 100:
        length = rng.choice(lengths)
        mask[0, at : at + length] = False  # in both channels
        at += length + rng.integers(40, 90)
    return jnp.asarray(mask)


def test_gaps_keep_their_lengths_and_their_channels():
    mask = _gapped([1, 12])
    context, query = jax.jit(moved_gaps(0.05))(jax.random.key(0), mask)
    assert not (context & query).any()
    assert ((context | query) == mask).all()
    hidden = np.asarray(query[0])
    np.testing.assert_array_equal(hidden[:, 0], hidden[:, 1])
    lengths = _runs(hidden[:, 0])
    # pieces come only where a gap lies on another
    assert np.isin(lengths, [1, 12]).mean() > 0.7
    assert (lengths == 12).sum() > 5
    assert (lengths == 1).sum() > 5


@pytest.mark.parametrize("missing", [0.02, 0.5])
def test_the_share_is_about_what_was_asked_for(missing):
    mask = jax.random.uniform(jax.random.key(1), (1, 5000, 3)) > missing
    _, query = moved_gaps(0.1)(jax.random.key(2), mask)
    share = float(query.sum() / mask.sum())
    assert 0.06 < share < 0.13


def test_series_lend_their_gaps_to_one_another():
    mask = jnp.ones((40, 30, 1), bool).at[:20, 4:9].set(False)
    _, query = moved_gaps(0.3)(jax.random.key(0), mask)
    assert query[20:].any()


def test_without_gaps_single_entries_are_asked_for():
    _, query = moved_gaps(0.2)(jax.random.key(0), jnp.ones((2, 2000, 1), bool))
    assert 0.15 < float(query.mean()) < 0.25
    with pytest.raises(OptionError, match="share is 0"):
        moved_gaps(0.0)


def test_channels_are_asked_for_together_as_often_as_they_are_missing_together():
    apart = jax.random.uniform(jax.random.key(1), (1, 8000, 4)) > 0.3
    _, query = moved_gaps(0.1)(jax.random.key(2), apart)
    # by chance another channel is asked for in as many steps as any
    both = float((query[..., 0] & query[..., 1]).sum() / (query[..., 0] & apart[..., 1]).sum())
    assert both < 0.15
    joint = jnp.broadcast_to(apart[..., :1], apart.shape)
    _, query = moved_gaps(0.1)(jax.random.key(2), joint)
    np.testing.assert_array_equal(query[..., 0], query[..., 1])
