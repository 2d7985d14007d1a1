"""Context-query on a base: it starts there, is believed by held-out places, and gains or stays."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import masking, methods, nets, registry
from jaximpute._errors import OptionError
from jaximpute.engine.loop import complete, fit
from jaximpute.maths.hole_boxes import hole_shaped
from jaximpute.methods.papers.context_query import contexts, held
from jaximpute.methods.papers.context_query.based import on_base
from jaximpute.methods.papers.context_query.correction import missed_loss
from jaximpute.methods.papers.context_query.partitions import pixel
from jaximpute.methods.papers.context_query.places import coordinates
from jaximpute.types import Info, Method, Net, Observed
from jaximpute.views import every, identity, tiles

SHAPE = (96, 2, 8, 8, 1)


def holed(key, x, share=0.6):
    mask = jax.random.uniform(key, (len(x), 1, *x.shape[2:])) < share  # the same in all frames
    mask = jnp.broadcast_to(mask, x.shape)
    return Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))


def smooth(key):
    """A Gaussian field, of which kriging knows all."""
    wide = jax.random.normal(key, (SHAPE[0], 1, 10, 10, 1))
    x = sum(wide[:, :, i : i + 8, j : j + 8] for i in range(3) for j in range(3)) / 3
    return jnp.broadcast_to(x, SHAPE)


def exact() -> Method:
    """The conditional mean of `smooth` given what is observed, and draws."""
    line = np.clip(3 - np.abs(np.subtract.outer(np.arange(8), np.arange(8))), 0, 3) / 3
    cov = jnp.asarray(np.kron(line, line), jnp.float32)

    def mean(x, mask):
        """`x` is 0 where it is missing; both `(n, 64)`."""

        def row(x, mask):
            both = mask[:, None] & mask[None]
            seen = jnp.where(both, cov, 0) + jnp.diag(jnp.where(mask, 1e-3, 1.0))
            return cov @ jnp.where(mask, jnp.linalg.solve(seen, x), 0)

        return jax.vmap(row)(x, mask)

    def say(key, state, data, drawn=None):
        del key
        n = len(data.mask)
        mask = data.mask[:, 0].reshape(n, 64)  # the frames are alike
        x = jnp.where(mask, data.values[:, 0].reshape(n, 64) - (0 if drawn is None else drawn), 0)
        found = mean(x, mask) + (0 if drawn is None else drawn)
        found = jnp.broadcast_to(found.reshape(n, 1, 8, 8, 1), data.values.shape)
        return masking.clamp(found, data)

    def draw(key, state, data):
        root = jnp.linalg.cholesky(cov + 1e-3 * jnp.eye(64))
        drawn = jax.random.normal(key, (len(data.mask), 64)) @ root.T
        return say(key, state, data, drawn)

    return method(say, draw)


def method(say, draw=None) -> Method:
    """A method that has nothing to learn."""
    return Method(
        lambda key, data: jnp.zeros(()),
        lambda key, state, data: (state, Info(jnp.zeros(()), {})),
        estimate=say,
        sample=draw,
    )


def constant(value, draws=False) -> Method:
    """A method that answers with a number."""

    def say(key, state, data):
        del key
        return masking.clamp(jnp.full_like(data.values, value), data)

    def draw(key, state, data):
        noise = jax.random.normal(key, data.values.shape)
        return masking.clamp(value + noise, data)

    return method(say, draw if draws else None)


def learned(bases, data, steps=40, total=40, net=None, **options):
    net = net or nets.field_mlp(data.values.shape[1:], width=32, beside=1)
    made = on_base(net, bases, hole_shaped(), total=total, sgd_steps=10, lr=3e-3, **options)
    return made, fit(made, jax.random.key(1), data, steps // 10, chunk=1)


def test_without_steps_it_is_the_base_to_the_last_bit(key):
    data, base = holed(key, smooth(jax.random.key(2))), exact()
    made, state = learned([methods.harmonic(), base], data, steps=0)
    assert int(state.chosen) == 1
    k = jax.random.key(5)
    own = jax.jit(base.estimate)(jax.random.key(5), state.bases[1], data)
    np.testing.assert_array_equal(jax.jit(made.estimate)(k, state, data), own)
    drawn = jax.jit(made.sample)(jax.random.clone(k), state, data)
    k_draw = jax.random.split(jax.random.clone(k), 3)[2]
    np.testing.assert_array_equal(drawn, jax.jit(base.sample)(k_draw, state.bases[1], data))


def test_it_is_no_worse_than_a_base_that_knows_all(key):
    x, base = smooth(jax.random.key(2)), exact()
    data = holed(key, x)
    made, state = learned([base], data, steps=200, total=200, alone=False)
    out = complete(made, jax.random.key(3), state, data)
    own = base.estimate(jax.random.key(3), state.bases[0], data)
    error, best = (float(((a - x)[~data.mask] ** 2).mean()) for a in (out, own))
    assert error < 1.01 * best
    assert float(state.choice.after) <= float(state.choice.before)


@pytest.mark.parametrize("alone", [True, False])
def test_it_learns_what_the_base_cannot_know(alone, key):
    """The second frame is the square of the first, which is seen where the second is not."""
    first = smooth(jax.random.key(2))[:, :1]
    x = jnp.concatenate([first, first**2], axis=1)
    seen = jax.random.uniform(key, (len(x), *SHAPE[2:])) < 0.5
    mask = jnp.ones(SHAPE, bool).at[:, 1].set(seen)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))
    net = nets.field_unet(SHAPE[1:], width=16, levels=1, beside=1)
    made, state = learned(
        [methods.harmonic()],
        data,
        steps=200,
        total=200,
        net=net,
        alone=alone,
        hidings=8,
        scan=False,
    )
    out = complete(made, jax.random.key(3), state, data)
    base = methods.harmonic().estimate(jax.random.key(3), state.bases[0], data)
    error, start = (float(((a - x)[~mask] ** 2).mean()) for a in (out, base))
    assert error < 0.85 * start
    assert float(state.choice.share) > 0
    assert bool(state.alone) == alone


def test_the_best_base_is_taken_and_a_poor_one_is_not_learned_on(key):
    slopes = jax.random.normal(jax.random.key(2), (SHAPE[0], 1, 1, 1, 1))
    x = jnp.broadcast_to(3 + slopes * jnp.linspace(-1, 1, 8).reshape(1, 1, 8, 1, 1), SHAPE)
    data = holed(key, x)
    bases = [constant(0.0), methods.harmonic(), constant(3.0)]
    made, state = learned(bases, data, steps=0)
    assert int(state.chosen) == 1
    assert not bool(state.alone)
    assert made.sample is None
    _, state = learned([constant(0.0), constant(3.0, draws=True)], data, steps=0)
    assert int(state.chosen) == 1
    assert bool(state.alone)


def test_draws_of_a_base_that_does_not_draw_are_as_wide_as_its_errors(key):
    x = jax.random.normal(jax.random.key(2), (256, 1, 6, 6, 1))
    data = holed(key, 0.5 * x)
    made, state = learned([constant(9.0, draws=True), constant(0.0)], data, steps=0)
    assert int(state.chosen) == 1
    drawn = jax.jit(made.sample)(jax.random.key(4), state, data)
    assert abs(float(drawn[~data.mask].std()) - 0.5) < 0.05
    assert abs(float(drawn[~data.mask].mean())) < 0.05


def test_many_rows_leave_some_out_of_all_learning():
    assert not held.apart(100)
    assert held.apart(384)
    assert not set(held.judged_rows(500)) & set(held.learned_rows(500))
    data = Observed(jnp.ones((400, 1, 2, 2, 1)), jnp.ones((400, 1, 2, 2, 1), bool), jnp.ones(400))
    left = held.left(data, data.mask[: held.JUDGED])
    assert float(left.weight.sum()) == 400 - held.JUDGED
    few = Observed(*(leaf[:9] for leaf in data))
    hidden = few.mask.at[0, 0, 0, 0, 0].set(False)
    assert int((~held.left(few, hidden).mask).sum()) == 1


def test_tiles_are_told_where_they_lie():
    view = partial(tiles, size=(1, 2, 4), overlap=1)
    where = coordinates((3, 1, 2, 10, 1), view)
    assert where.shape[0] == view((1, 1, 2, 10, 1)).size
    whole = coordinates((3, 1, 2, 10, 1), identity)
    np.testing.assert_allclose(whole[0, 0, 0, :, 2], np.linspace(-1, 1, 10), atol=1e-6)
    rows = view((3, 1, 2, 10, 1))
    x = jnp.broadcast_to(whole[..., 2:], (3, 1, 2, 10, 1))
    np.testing.assert_array_equal(every(rows, x)[-len(where) :, ..., 0], where[..., 2])
    assert coordinates((3, 4, 5, 2), identity).shape == (1, 4, 5, 3)


def test_a_network_that_knows_places_learns_what_is_the_same_in_all_films(key):
    """A pattern of places alone; a network without them can only know the mean."""
    ramp = jnp.linspace(-2, 2, 8).reshape(1, 1, 1, 8, 1)
    x = jnp.broadcast_to(jnp.sin(2 * ramp), SHAPE) + 0.1 * smooth(jax.random.key(2))
    data = holed(key, x, 0.05)
    view = partial(tiles, size=(2, 8, 5), overlap=2)  # tiles look alike
    errors = []
    for places in (True, False):
        net = nets.field_unet((2, 8, 5, 1), width=8, levels=1, places=places)
        made = methods.context_query(
            net, pixel(0.5, "rest"), feeds=(contexts.observed,), batch=16, lr=5e-3, at_delta=1.0,
            decay=0.9, view=view, places=places,
        )  # fmt: skip
        state = fit(made, jax.random.key(3), data, 80, chunk=1)
        out = complete(made, jax.random.key(4), state, data)
        errors.append(float(((out - x)[~data.mask] ** 2).mean()))
    assert errors[0] < 0.7 * errors[1]


@pytest.mark.fast
def test_recipes_take_a_base_by_name_and_leave_the_papers_form_alone():
    data = Observed(jnp.zeros(SHAPE), jnp.ones(SHAPE, bool), jnp.ones(SHAPE[0]))

    def build(preset="balanced", **options):
        return registry.build("context_query", data, kind="field", preset=preset, options=options)

    assert build().tells is not None
    assert build(base="kriging, eof").tells is not None
    for plain in ({"base": "none"}, {"feed": "drawn"}, {"surface": "harmonic"}, {"net": "eof"}):
        assert build(**plain).tells is None
    assert build("paper").tells is None
    for wrong in ({"base": ""}, {"base": "kriging", "feed": "drawn"}, {"base": "ambientdiff"}):
        with pytest.raises(OptionError, match="expected"):
            build(**wrong)
    with pytest.raises(OptionError, match="none draws"):
        registry.build(
            "context_query", data, kind="field", options={"base": "harmonic"}, answer="draw"
        )
    net = Net(lambda *given: {}, lambda params, x, t, cond, key=None: 0 * x)
    for bases, options in (
        ([], {}),
        ([constant(0.0)._replace(estimate=None)], {}),
        ([constant(0.0)], {"hidings": 0}),
    ):
        with pytest.raises(OptionError, match="expected"):
            on_base(net, bases, hole_shaped(), **options)


@pytest.mark.fast
def test_a_network_that_answers_nothing_misses_what_the_base_does(key):
    data = holed(key, smooth(jax.random.key(2)))
    net = Net(lambda *given: {}, lambda params, x, t, cond, key=None: 0 * x)
    made = on_base(net, [constant(0.5)], hole_shaped(), alone=False)
    state = made.init(jax.random.key(1), data)
    state = state._replace(scale=jnp.full(1, 2.0), left=jnp.asarray(3.0))
    wanted, filled = jax.random.normal(jax.random.key(4), SHAPE), jnp.ones(SHAPE)
    rows = wanted, filled, data.mask, ~data.mask, jnp.zeros(SHAPE[0], int)
    found = missed_loss(net, state, None, {}, jax.random.key(5), *rows)
    expected = ((wanted - filled)[~data.mask] ** 2).mean() / 2**2 / 3**2
    np.testing.assert_allclose(found, expected, rtol=1e-5)
