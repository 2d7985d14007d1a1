"""Recipes for fields: every preset builds, options are those of both, CPUs do not scan."""

import jax.numpy as jnp
import pytest

from jaximpute import registry
from jaximpute._errors import OptionError
from jaximpute.types import Observed

NAMES = ("context_query", "context_query_draws", "ambientdiff")
SMALL = Observed(jnp.zeros((4, 4, 12, 12, 1)), jnp.ones((4, 4, 12, 12, 1), bool), jnp.ones(4))
LARGE = Observed(jnp.zeros((2, 8, 24, 24, 1)), jnp.ones((2, 8, 24, 24, 1), bool), jnp.ones(2))


def build(name, data=SMALL, preset="balanced", **options):
    return registry.build(name, data, kind="field", preset=preset, options=options)


@pytest.mark.fast
@pytest.mark.parametrize("name", NAMES)
def test_every_preset_builds(name):
    for preset in registry.PRESETS:
        plan = build(name, preset=preset)
        assert plan.method.tag == registry.entry(name).tag
        assert plan.steps > 0
    assert {"partition", "sgd_total", "delta", "net"} <= set(registry.options(name))
    assert not {"data", "kind", "options"} & set(registry.options(name))


@pytest.mark.fast
def test_convolutions_are_not_scanned_on_cpus():
    assert build("context_query", sgd_total=100).steps == 2  # an MLP, in two loops
    assert build("context_query", LARGE, sgd_total=100).steps == 100
    assert build("context_query", net="unet", sgd_total=100).steps == 100


@pytest.mark.fast
def test_partitions_feeds_and_networks_by_name():
    for partition in ("block", "rows", "columns", "swath", "own", "time_block", "missdiff"):
        build("context_query", partition=partition)
    for feed in ("drawn", "every", "observed", "matched", "auto"):
        build("context_query", feed=feed, partition="block")
    for net in ("mlp", "unet", "fno", "spacetime"):
        build("context_query_draws", net=net)
    for wrong in ({"partition": "half"}, {"feed": "none"}, {"net": "gru"}):
        with pytest.raises(OptionError, match="expected"):
            build("context_query", **wrong)
    with pytest.raises(OptionError, match="expected at least 1"):
        build("context_query_draws", steps=0)
