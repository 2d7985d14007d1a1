"""Names and options: what is wrong is named, with what would be right."""

import inspect

import jax.numpy as jnp
import pytest

import jaximpute as ji
from jaximpute import registry
from tests.contract.cases import SMALL, awkward

DATA = ji.Observed(jnp.zeros((6, 2)), jnp.full((6, 2), True), jnp.ones(6))


@pytest.mark.fast
@pytest.mark.parametrize(
    ("name", "kind", "options", "words"),
    [
        ("spirt", "table", {}, "did you mean 'spirit'"),
        ("linear", "table", {}, "'linear' takes series data, and this is a table"),
        ("knn", "table", {"neighbours": 3}, "has no option 'neighbours'"),
        ("knn", "table", {"k": 2.5}, "'k' of method 'knn' is 2.5"),
        ("spirit", "table", {"sigma": "big"}, "expected a value of type float"),
        ("spirit", "table", {"weights": 1}, "expected a value of type bool"),
        ("spirit", "table", {"view": None}, "has no option 'view'"),
        ("diffusion", "table", {"process": "vv"}, "expected one of vp, ve"),
    ],
)
def test_what_is_wrong_is_named(name, kind, options, words):
    with pytest.raises(ji.OptionError, match=words):
        registry.build(name, DATA, kind=kind, options=options)


@pytest.mark.fast
def test_an_unknown_preset_is_named():
    with pytest.raises(ji.OptionError, match="did you mean 'fast'"):
        registry.build("mean", DATA, kind="table", preset="fst")


@pytest.mark.fast
@pytest.mark.parametrize("name", registry.names())
def test_every_default_is_a_value_its_option_takes(name):
    for key, parameter in registry.options(name).items():
        assert parameter.default is not parameter.empty, key
        registry._check_type(name, parameter, parameter.default)


@pytest.mark.parametrize("name", registry.names())
def test_every_option_can_be_given(name):
    kind = registry.entry(name).kinds[0]
    data, small = awkward(kind), SMALL.get(name, {})
    for key, parameter in registry.options(name).items():
        given = {key: parameter.default, **small}
        registry.build(name, data, kind=kind, preset="fast", options=given)


@pytest.mark.fast
@pytest.mark.parametrize("name", registry.names())
def test_presets_set_options_that_exist(name):
    assert set(registry.presets(name)) == set(registry.PRESETS)
    for options in registry.presets(name).values():
        assert set(options) <= set(registry.options(name))


@pytest.mark.fast
def test_spirit_as_printed_stops_at_the_first_pass_past_its_best():
    options = {"start": "mean", "noise_on": "all"}
    plan = registry.build("spirit", DATA, kind="table", options=options)
    (stop,) = plan.hooks
    better = {"error": jnp.array([0.2]), "best_error": jnp.array([0.2])}
    worse = {"error": jnp.array([0.3]), "best_error": jnp.array([0.2])}
    assert not stop(1, None, ji.Info(jnp.zeros(1), better))
    assert stop(2, None, ji.Info(jnp.zeros(1), worse))


@pytest.mark.fast
def test_fewer_steps_than_none_are_refused():
    with pytest.raises(ji.OptionError, match="steps is -1; expected 0 or more"):
        registry.build("mice", DATA, kind="table", options={"steps": -1})


@pytest.mark.fast
def test_csbi0_takes_rounds_only_where_its_paper_does():
    data = ji.from_nan(jnp.zeros((1, 40, 2)).at[0, 3].set(jnp.nan))
    steps = {
        preset: registry.build("csbi0", data, kind="series", preset=preset).steps
        for preset in registry.presets("csbi0")
    }
    assert steps.pop("paper") == 40
    assert set(steps.values()) == {0}


@pytest.mark.fast
@pytest.mark.parametrize("name", ["csbi", "csbi0", "csdi", "tabcsdi"])
def test_recipe_and_factory_have_the_same_defaults(name):
    """Whether a method is asked for by name or built by hand, it is the same algorithm."""
    found = registry.entry(name)
    recipe, factory = (
        inspect.signature(registry.load(path)).parameters for path in (found.recipe, found.factory)
    )
    named = {
        key: (value.default, factory[key].default)
        for key, value in recipe.items()
        if key in factory and key not in ("net", "split", "times")  # a name here, a function there
    }
    assert named
    assert all(own == other for own, other in named.values()), named


@pytest.mark.fast
@pytest.mark.parametrize("name", ["csbi", "csbi0", "csdi"])
@pytest.mark.parametrize(("value", "words"), [(0, "draw_steps is 0"), (2.5, "of type int")])
def test_steps_of_a_draw_are_one_or_more_whole_ones(name, value, words):
    data = ji.from_nan(jnp.zeros((1, 40, 2)).at[0, 3].set(jnp.nan))
    with pytest.raises(ji.OptionError, match=words):
        registry.build(name, data, kind="series", options={"draw_steps": value})


@pytest.mark.fast
def test_the_same_request_is_the_same_method():
    def built(shape=(6, 2), **options):
        data = ji.Observed(jnp.zeros(shape), jnp.full(shape, True), jnp.ones(shape[0]))
        return registry.build("knn", data, kind="table", options=options).method

    assert built(k=3) is built(k=3)
    assert built(k=3) is not built(k=4)
    assert built(k=3) is not built((7, 2), k=3)


@pytest.mark.fast
@pytest.mark.parametrize("name", registry.names())
def test_what_an_entry_says_of_options_is_of_options_that_exist(name):
    line, known = registry.entry(name), registry.options(name)
    said = {*line.rates, *line.costly, *line.forecast, line.reach, line.begins} - {""}
    assert said <= known.keys()
