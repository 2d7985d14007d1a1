"""Splits: disjoint, within what is observed, never without context, and of the pattern promised."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute._errors import OptionError
from jaximpute.maths import splits

NAMES = ["random", "historical", "mix", "block", "forecast"]


def holes(share=0.6):
    mask = jax.random.uniform(jax.random.key(1), (40, 12, 3)) < share
    return mask.at[0].set(False).at[1].set(False).at[1, 2, 1].set(True)


@pytest.mark.parametrize("name", NAMES)
def test_a_split_parts_the_observed_entries(name, key):
    mask = holes()
    context, query = jax.jit(splits.named(name, 4))(key, mask)
    np.testing.assert_array_equal(context | query, mask)
    assert not (context & query).any()
    observed = np.asarray(mask.sum(axis=(1, 2)))
    assert (np.asarray(context.any(axis=(1, 2))) == (observed > 0)).all()
    # one observed entry goes to the context, more leave something to ask for
    assert (np.asarray(query.any(axis=(1, 2))) == (observed > 1)).all()


@pytest.mark.fast
def test_random_shares_are_uniform_and_exact(key):
    mask = jnp.full((4000, 20), True)
    _, query = splits.random()(key, mask)
    share = np.asarray(query.mean(axis=1))
    assert abs(share.mean() - 0.5) < 0.02
    assert abs(share.std() - 12**-0.5) < 0.02
    np.testing.assert_allclose(query.mean(axis=0), 0.5, atol=0.04)
    _, third = splits.random(0.3, 0.3)(jax.random.key(1), mask)
    assert (third.sum(axis=1) == 6).all()


def test_historical_asks_for_what_another_row_lacks(key):
    mask = jnp.array([[True, True, True, True], [True, False, True, False]])
    for i in range(8):
        _, query = splits.historical(jax.random.fold_in(key, i), mask)
        if query[0].tolist() == [False, True, False, True]:
            break
    else:
        pytest.fail("the second row's holes were never lent to the first")


def test_blocks_are_one_stretch_in_each_channel(key):
    _, query = splits.block(3, 5)(key, jnp.full((50, 12, 2), True))
    edges = jnp.abs(jnp.diff(jnp.pad(query, ((0, 0), (1, 1), (0, 0))).astype(int), axis=1))
    assert (edges.sum(axis=1) == 2).all()
    lengths = np.asarray(query.sum(axis=1)).ravel()
    assert set(lengths.tolist()) == {3, 4, 5}


@pytest.mark.fast
def test_wrong_options_are_refused():
    for make in (
        lambda: splits.random(0.5, 0.2),
        lambda: splits.block(4, 2),
        lambda: splits.forecast(0),
        lambda: splits.named("half"),
    ):
        with pytest.raises(OptionError, match="expected"):
            make()
