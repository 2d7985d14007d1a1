"""Recipes for fields: every preset builds, options are those of both, CPUs do not scan."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import methods, missing, registry
from jaximpute._errors import OptionError
from jaximpute.engine.loop import complete, fit
from jaximpute.methods.papers.context_query import contexts, partitions, recipe
from jaximpute.types import Net, Observed
from jaximpute.views import identity, tiles

NAMES = ("context_query", "ambientdiff")
SMALL = Observed(jnp.zeros((64, 4, 8, 8, 1)), jnp.ones((64, 4, 8, 8, 1), bool), jnp.ones(64))
LARGE = Observed(jnp.zeros((2, 8, 24, 24, 1)), jnp.ones((2, 8, 24, 24, 1), bool), jnp.ones(2))


def build(name, data=SMALL, preset="balanced", **options):
    return registry.build(name, data, kind="field", preset=preset, options=options)


@pytest.mark.fast
@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds(name):
    for preset in registry.PRESETS:
        plan = build(name, preset=preset)
        assert plan.method.sample is not None
        assert plan.steps > 0
    assert {"partition", "sgd_total", "delta", "net"} <= set(registry.options(name))
    assert not {"data", "kind", "options"} & set(registry.options(name))


@pytest.mark.fast
def test_convolutions_are_not_scanned_on_cpus():
    assert build("context_query", sgd_total=100).steps == 2  # an MLP, in two loops
    assert build("context_query", LARGE, sgd_total=100).steps == 100
    assert build("context_query", net="unet", sgd_total=100).steps == 100


def test_partitions_feeds_and_networks_by_name():
    for partition in ("block", "rows", "columns", "swath", "own", "time_block", "missdiff"):
        build("context_query", partition=partition)
    for feed in ("drawn", "every", "observed", "matched", "auto"):
        build("context_query", feed=feed, partition="block")
    for net in ("mlp", "unet", "fno", "spacetime", "eof"):
        build("context_query", net=net, shifts=2)
    with pytest.raises(OptionError, match="edges do not meet"):
        build("context_query", LARGE, shifts=1, tile=(8, 16, 16))
    for wrong in (
        {"net": "eof", "objective": "noise"},
        {"partition": "half"},
        {"feed": "none"},
        {"net": "gru"},
        {"surface": "linear"},
        {"surface": "harmonic", "net": "eof"},
        {"surface": "harmonic", "objective": "noise"},
        {"feed": "shares", "partition": "block"},
    ):
        with pytest.raises(OptionError, match="expected"):
            build("context_query", **wrong)
    with pytest.raises(OptionError, match="expected a positive number"):
        build("context_query", steps=0, base="none")
    with pytest.raises(OptionError, match="expected one of auto, none, harmonic, biharmonic"):
        build("context_query", surface="bicubic")


def test_networks_correct_a_surface_unless_they_fit_one_themselves(key):
    x = jnp.linspace(-1, 1, 64).reshape(1, 1, 8, 8, 1) * jnp.ones((64, 2, 1, 1, 1))
    mask = jax.random.uniform(key, x.shape) < 0.6
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(64))
    errors = {}
    for surface in ("auto", "harmonic", "none"):
        method = build("context_query", data, surface=surface, feed="observed").method
        state = method.init(jax.random.key(0), data)  # not trained: what it begins with
        out = method.estimate(jax.random.key(1), state, data)
        errors[surface] = float(jnp.abs(out - x)[~mask].mean())
    assert errors["auto"] < errors["harmonic"] < errors["none"] / 3
    for plain in ({"preset": "paper", "net": "mlp"}, {"net": "eof"}, {"objective": "noise"}):
        build("context_query", **plain)
    method = build("ambientdiff", data).method
    out = method.estimate(jax.random.key(1), method.init(jax.random.key(0), data), data)
    assert (out[~mask] == 0).all()


@pytest.mark.parametrize("wrong", [0.0, 3.0])
def test_a_network_that_is_worse_than_its_surface_is_not_used(wrong, key):
    x = jnp.broadcast_to(jnp.linspace(-1, 1, 8).reshape(1, 1, 1, 8, 1), (64, 1, 8, 8, 1))
    mask = jax.random.uniform(key, x.shape) < 0.7
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(64))
    # right but for a number
    net = Net(lambda *given: {}, lambda params, shown, t, cond, key=None: x[:1] + wrong + 0 * shown)
    split, hide = partitions.pixel(), partitions.own()
    off = Net(lambda *given: {}, lambda params, shown, t, cond, key=None: x[:1] + 1 + 0 * shown)
    feeds = (contexts.observed,)
    method = methods.context_query(net, split, feeds=feeds, hide=hide, baseline=off)
    out = method.estimate(jax.random.key(3), method.init(jax.random.key(2), data), data)
    np.testing.assert_allclose((out - x)[~mask], min(wrong, 1.0), atol=1e-6)


def test_the_share_shown_is_chosen_on_entries_hidden_once_more(key):
    x = jax.random.normal(key, SMALL.values.shape)
    mask = jax.random.uniform(jax.random.key(1), x.shape) < 0.9
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(64))

    # right about half of what is observed, and about nothing else
    def apply(params, x, t, cond, key=None):
        share = cond[0].mean(axis=(1, 2, 3, 4), keepdims=True)
        return jnp.where(jnp.abs(share - 0.45) < 0.15, 0.0, 5.0) + 0 * x

    net, split = Net(lambda *given: {}, apply), partitions.pixel((0.9, 1.0))
    feeds = recipe._feeds("shares", "pixel", split, (3, 3), 2, True)
    assert len(feeds) == 5
    method = methods.context_query(net, split, feeds=feeds)
    out = method.estimate(jax.random.key(3), method.init(jax.random.key(2), data), data)
    # a context may by chance be far from half: the others are wrong by 5
    assert np.abs(out[~mask]).mean() < 0.5


def test_large_fields_are_cut_into_tiles():
    shape = (1, 12, 20, 70, 2)
    large = Observed(jnp.zeros(shape), jnp.ones(shape, bool), jnp.ones(1))
    view = recipe.cut(shape, (8, 32, 32))(shape)
    assert view.size == 2 * 1 * 3
    method = build("context_query", large, sgd_total=1, base="none").method
    state = jax.eval_shape(method.init, jax.random.key(0), large)
    assert state.bank.shape == (6, 7, 20, 29, 2)
    out = jax.eval_shape(method.estimate, jax.random.key(0), state, large)
    assert out.shape == shape
    for whole in (None, 0, [12, 20, 70]):
        assert recipe.cut(shape, whole) is identity
    for wrong in (8, (8, 32), (8, 0, 32), "large"):
        with pytest.raises(OptionError, match="expected the largest numbers"):
            build("context_query", large, tile=wrong)


@pytest.mark.fast
def test_a_network_that_learns_each_place_apart_wants_many_fields():
    few = Observed(*(leaf[:63] for leaf in SMALL))
    assert build("context_query", SMALL, sgd_total=100).steps == 2
    assert build("context_query", few, sgd_total=100).steps == 100


def test_tiles_of_land_are_passed_over_and_seams_are_blended(key):
    # a network that answers what lies in the tile: with land on the left, only tiles of sea
    x = jnp.broadcast_to(jnp.arange(12.0).reshape(1, 1, 1, 12, 1), (1, 1, 2, 12, 1))
    mask = jnp.ones(x.shape, bool).at[..., :6, :].set(False).at[..., 9, :].set(False)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(1))
    seen = []

    def apply(params, x, t, cond, key=None):
        jax.debug.callback(lambda m: seen.append(np.asarray(m)), cond[0])
        return jnp.full(x.shape, 3.0) + 0 * params["a"]

    net = Net(lambda *given: {"a": jnp.zeros(())}, apply)
    view = partial(tiles, size=(1, 2, 4), overlap=1)
    split = partitions.pixel(0.999)
    method = methods.context_query(net, split, feeds=(contexts.observed,), batch=64, view=view)
    state = fit(method, key, data, 1, chunk=1)
    jax.effects_barrier()
    assert all(m.any(axis=(1, 2, 3, 4)).all() for m in seen)  # every tile in the batch has sea
    assert seen
    out = np.asarray(complete(method, jax.random.key(1), state, data))
    np.testing.assert_array_equal(out[np.asarray(mask)], np.asarray(x)[np.asarray(mask)])
    assert (out[~np.asarray(mask)] == 3.0).all()


def test_a_choice_compiles_each_network_once_for_all_feeds():
    """Once to choose among the feeds, and once for each feed that may be chosen."""
    calls = {"net": 0, "baseline": 0}

    def counted(name):
        def apply(params, x, t, cond, key=None):
            calls[name] += 1
            return jnp.zeros_like(x)

        return Net(lambda *given: {}, apply)

    split = partitions.pixel((0.3, 1.0))
    for feeds in ((contexts.observed,), (contexts.observed, *3 * [contexts.drawn(split, 4)])):
        calls.update(net=0, baseline=0)
        method = methods.context_query(
            counted("net"), split, feeds=feeds, baseline=counted("baseline")
        )
        state = jax.eval_shape(method.init, jax.random.key(0), SMALL)
        estimate = jax.jit(method.estimate)
        estimate.lower(jax.random.key(0), state, SMALL)
        assert calls == {"net": 1 + len(feeds), "baseline": 2}


def test_the_surface_goes_along_time_where_it_is_told_to(key):
    x = jnp.linspace(-1, 1, 64).reshape(1, 1, 8, 8, 1) * jnp.ones((64, 4, 1, 1, 1))
    mask = jnp.ones(x.shape, bool).at[:, 1, 2:6, 2:6].set(False)  # seen before and after
    x = x + jax.random.normal(key, (64, 1, 8, 8, 1))
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(64))
    errors = {}
    for axes in ("yx", "tyx"):
        for sweeps in (1, 32):
            options = {"axes": axes, "sweeps": sweeps, "feed": "observed"}
            method = build("context_query", data, **options).method
            out = method.estimate(jax.random.key(1), method.init(jax.random.key(0), data), data)
            errors[axes, sweeps] = float(jnp.abs(out - x)[~mask].mean())
    assert errors["tyx", 32] < 0.8 * errors["yx", 32]
    assert errors["tyx", 32] < errors["tyx", 1]
    with pytest.raises(OptionError, match="expected letters"):
        build("context_query", axes="q")


def test_a_short_training_beats_what_is_simple(key):
    """Waves of few modes with whole blocks hidden, which no sample shows complete."""
    k_wave, k_amount, k_holes = jax.random.split(key, 3)
    waves = jax.random.normal(k_wave, (5, 2, 9, 9, 1))
    x = jnp.einsum("nk,ktyxc->ntyxc", jax.random.normal(k_amount, (300, 5)), waves)
    mask = missing.blocks(5)(k_holes, x)
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(300))
    errors = {}
    for name, options in {
        "context_query": {"net": "eof", "width": 16, "sgd_total": 150},
        "harmonic": {},
        "mean": {},
    }.items():
        plan = registry.build(name, data, kind="field", options=options)
        state = fit(plan.method, jax.random.key(1), data, plan.steps, chunk=plan.chunk)
        out = complete(plan.method, jax.random.key(2), state, data)
        errors[name] = float(((out - x) ** 2)[~mask].mean())
    assert errors["context_query"] < 0.5 * min(errors["harmonic"], errors["mean"])
