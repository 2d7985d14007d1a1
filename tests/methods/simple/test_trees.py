"""Trees for tables: rows hidden again, answers, and draws from leaves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.maths.gaussians import conditional_mean
from jaximpute.methods.simple._categories import targets
from jaximpute.methods.simple._rehide import hidden_in_turn, together
from tests.helpers.running import punch

KEY = jax.random.key


def _fitted(x, seed=0, **options):
    data, method = ji.observe(x), ji.methods.trees(**{"trees": 20, **options})
    return data, method, ji.fit(method, KEY(seed), data, 0)


def _waves(n, seed=0):
    """A number that no line tells from the other, noise that grows with it, and one of no use."""
    rng = np.random.default_rng(seed)
    a, noise = rng.uniform(-2, 2, n), rng.normal(size=n)
    return np.column_stack([a, np.abs(a) + (0.1 + 0.4 * (a > 0)) * noise, rng.normal(size=n)])


def test_rows_hidden_in_turn_equal_the_conditional_mean():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5))
    mean, cov = rng.normal(size=5), root @ root.T + 0.3 * np.eye(5)
    of = targets((-1, 0, 0, -1, -1), 5)
    x, mask = rng.normal(size=(12, 5)), rng.random((12, 5)) < 0.6
    mask[:, 2] = mask[:, 1]
    mask[0] = False
    also = np.zeros((12, 4, 5), bool)
    also[3:6, 0, 3:] = True
    found = hidden_in_turn(x, mask, mean, cov, of.members, also)
    for t, own in enumerate(of.members):
        kept = mask & ~also[:, t]
        kept[:, own[own < 5]] = False
        single = [jnp.asarray(a, jnp.float32) for a in (np.where(kept, x, 0), mean, cov)]
        wanted = conditional_mean(single[0], jnp.asarray(kept), *single[1:])
        np.testing.assert_allclose(found[:, t], wanted, atol=2e-3)
        np.testing.assert_array_equal(found[:, t][kept], x[kept])


@pytest.mark.fast
def test_holes_that_come_together_are_hidden_together():
    rng, members = np.random.default_rng(0), np.arange(3)[:, None]
    alone = rng.random((2000, 3)) < 0.7
    assert together(rng, alone, members).mean() < 0.02
    pair = alone.copy()
    pair[:, 1] = pair[:, 0]
    also = together(rng, pair, members)
    shown = pair[:, 0]
    assert also[shown, 0, 1].all()
    assert also[shown, 1, 0].all()
    assert not also[~shown].any(axis=(1, 2))[pair[~shown, 2] == 0].any()
    assert not also[:, [0, 1, 2], [0, 1, 2]].any()


def test_trees_of_one_leaf_are_the_mean_and_draw_from_the_column():
    x = _waves(40)
    x[:15, 1] = np.nan
    data, method, state = _fitted(x, trees=50, leaf=40)
    answer = jax.jit(method.estimate)(KEY(1), state, data)[:15, 1]
    np.testing.assert_allclose(answer, np.nanmean(x[:, 1]), rtol=1e-5)
    drawn = np.asarray(ji.draw_many(method, KEY(2), state, data, 100))[:, :15, 1].ravel()
    seen = x[15:, 1].astype(np.float32)
    assert np.abs(drawn[:, None] - seen).min(axis=1).max() < 1e-5
    np.testing.assert_allclose(drawn.mean(), seen.mean(), atol=0.1 * seen.std())
    np.testing.assert_allclose(drawn.std(), seen.std(), rtol=0.1)


def test_what_no_line_can_tell_is_learned():
    truth = _waves(600)
    x = truth.copy()
    x[:100, 1] = np.nan
    data, method, state = _fitted(x)
    answer = jax.jit(method.estimate)(KEY(1), state, data)[:100, 1]
    gaussian = ji.methods.gaussian()
    line = ji.complete(gaussian, KEY(1), ji.fit(gaussian, KEY(0), data, 0), data)[:100, 1]
    ideal = np.abs(truth[:100, 0])

    def off(a):
        return np.sqrt(np.mean((np.asarray(a) - ideal) ** 2))

    assert off(answer) < 0.25 < 0.45 < off(line)


def test_draws_spread_as_the_noise_does():
    truth = _waves(1200)
    x = truth.copy()
    x[:300, 1] = np.nan
    data, method, state = _fitted(x, trees=40, leaf=5)
    drawn = np.asarray(ji.draw_many(method, KEY(2), state, data, 40))[:, :300, 1]
    low, high = np.quantile(drawn, [0.1, 0.9], axis=0)
    inside = (truth[:300, 1] > low) & (truth[:300, 1] < high)
    assert 0.7 < inside.mean() < 0.9
    quiet, loud = (drawn[:, part].std(axis=0).mean() for part in (x[:300, 0] < 0, x[:300, 0] > 0))
    assert loud > 2 * quiet


def test_draws_of_one_row_belong_together():
    rng = np.random.default_rng(0)
    shared = rng.normal(size=(800, 1))
    x = np.column_stack([shared + 0.3 * rng.normal(size=(800, 2)), rng.normal(size=800)])
    x[:200, :2] = np.nan  # nothing is known of either, but that they go together
    data, method, state = _fitted(x)
    drawn = np.asarray(jax.jit(method.sample)(KEY(2), state, data))[:200, :2]
    assert np.corrcoef(drawn.T)[0, 1] > 0.75
    np.testing.assert_allclose(drawn.std(axis=0), np.nanstd(x[:, :2], axis=0), rtol=0.2)


@pytest.fixture(scope="module")
def signs():
    """A category of three levels that depends on the sign of a product, and one of two values."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 900))
    level = np.where(a * b > 0, 0, np.where(a > 0, 1, 2))
    hot = np.eye(3)[level]
    x = np.column_stack([a, b, hot, a > b])
    holed = x.copy()
    holed[:200, 2:5], holed[200:300, 5] = np.nan, np.nan
    categories = (-1, -1, 0, 0, 0, 1)
    return x, _fitted(holed, categories=categories)


def test_a_category_is_answered_whole(signs):
    x, (data, method, state) = signs
    answer = np.asarray(jax.jit(method.estimate)(KEY(1), state, data))
    found = answer[:200, 2:5]
    np.testing.assert_allclose(np.sort(found, axis=1), [[0, 0, 1]] * 200, atol=1e-6)
    assert (found.argmax(axis=1) == x[:200, 2:5].argmax(axis=1)).mean() > 0.9
    two = answer[200:300, 5]
    assert set(two.round(5).tolist()) <= {0.0, 1.0}
    assert (two.round() == x[200:300, 5]).mean() > 0.9


def test_a_category_is_drawn_whole_and_by_its_shares(signs):
    rng = np.random.default_rng(1)
    hot = np.eye(3)[rng.choice(3, 500, p=[0.6, 0.3, 0.1])]
    x = np.column_stack([rng.normal(size=500), hot])
    x[:200, 1:] = np.nan
    data, method, state = _fitted(x, categories=(-1, 0, 0, 0))
    drawn = np.asarray(ji.draw_many(method, KEY(2), state, data, 20))[:, :200, 1:]
    np.testing.assert_allclose(
        np.sort(drawn, axis=2), np.broadcast_to([0, 0, 1], drawn.shape), atol=1e-5
    )
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), hot[200:].mean(axis=0), atol=0.06)


def test_rows_alone_and_seeds_answer_the_same():
    x = punch(_waves(300), 0.3)
    data, method, state = _fitted(x)
    again = _fitted(x)[2]
    jax.tree.map(np.testing.assert_array_equal, state, again)
    other = _fitted(x, seed=1)[2]
    assert (np.asarray(other.stages[0][0].threshold) != state.stages[0][0].threshold).any()
    whole = jax.jit(method.estimate)(KEY(1), state, data)
    some = jax.tree.map(lambda leaf: leaf[:20], data)
    alone = jax.vmap(
        lambda row: method.estimate(KEY(1), state, jax.tree.map(lambda a: a[None], row))[0]
    )(some)
    np.testing.assert_allclose(alone, whole[:20], rtol=1e-5, atol=1e-5)


def test_a_long_table_is_learned_from_a_part_of_it():
    x = punch(_waves(300), 0.3)
    _, _, state = _fitted(x, rows=50)
    assert state.donors[0].value.shape[-1] == 50


def test_options_out_of_range():
    with pytest.raises(ji.OptionError, match="leaf is 0"):
        ji.methods.trees(leaf=0)
    with pytest.raises(ji.DataError, match="a table"):
        ji.fit(ji.methods.trees(), KEY(0), ji.observe(np.zeros((2, 3, 1))), 0)
