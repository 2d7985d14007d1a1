"""MIRI's recipe: presets against the paper, networks, and rounds that end by themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaximpute import OptionError, masking, registry
from jaximpute.engine import loop
from jaximpute.methods import miri
from jaximpute.types import Observed


def test_recipes():
    data = masking.observe(np.zeros((120, 2)))
    paper = registry.build("miri", data, kind="table", preset="paper")
    state = jax.eval_shape(paper.method.init, jax.random.key(0), data)
    sizes = {leaf.shape[-1] for leaf in jax.tree.leaves(state.fields)}
    assert paper.steps == 10
    assert 1001 in sizes
    epochs = paper.method.init  # 100 passes over 120 rows in batches of 50
    assert int(jax.jit(epochs)(jax.random.key(0), data).sgd_steps) == 300
    assert state.x.shape == (120, 2)
    with pytest.raises(OptionError, match="images have convolutions"):
        registry.build("miri", data, kind="table", options={"net": "cnn"})
    with pytest.raises(OptionError, match="auto, mlp, cnn, unet"):
        registry.build("miri", data, kind="table", options={"net": "vit"})
    plan = registry.build("miri", data, kind="table", options={"patience": 2})
    assert len(plan.hooks) == 1
    assert "lr" in registry.options("miri")


def test_the_preset_paper_undoes_what_the_docstring_says_it_undoes():
    """Algorithms 1 and 2 and section 4; network, batch and epochs are the public code's."""
    printed = {
        "restart": False, "targets": "all", "warm": False, "solver": "euler_end",
        "ode_steps": 100, "schedule": "constant", "net": "paper", "base": "none",
    }  # fmt: skip
    preset = registry.presets("miri")["paper"]
    assert {name: preset[name] for name in printed} == printed
    assert set(preset) - set(printed) == {"steps", "epochs", "batch"}
    listed = miri.__doc__.partition("Departures")[2].partition("Args:")[0]
    undone = [entry.partition("\n        *")[0] for entry in listed.split("* (p)")[1:]]
    for name in ("restart", "targets", "warm", "schedule", "Heun", "network", "Images", "base"):
        assert any(name in entry for entry in undone), name
    assert not any("clip" in entry for entry in undone)  # the one option the preset keeps
    assert "`clip`" in listed
    options = registry.options("miri")
    for name, default in {"pairing": "fresh", "layout": "filled", "clip": True}.items():
        assert name not in preset
        assert options[name].default == default


def test_the_network_of_the_paper_for_images_sees_pixels_alone():
    """Four blocks of 64 channels, of three arrays of pixels and the time: no local averages."""
    images = Observed(jnp.zeros((3, 8, 8, 3)), jnp.ones((3, 8, 8, 3), bool), jnp.ones(3))

    def kernels(**given):
        method = registry.build("miri", images, kind="image", **given).method
        fields = jax.eval_shape(method.init, jax.random.key(0), images).fields
        return [leaf.shape[1:] for leaf in jax.tree.leaves(fields) if leaf.ndim == 5]

    paper, usual = kernels(preset="paper"), kernels()
    planes = (1 + 2) * 3 + 1
    assert sorted(set(paper)) == sorted(
        {(3, 3, planes, 64), (3, 3, 64, 64), (3, 3, 64 + 2 * planes, 3)}
    )
    assert paper.count((3, 3, 64, 64)) == 8
    assert (3, 3, planes, 64) not in usual  # there are averages beside the pixels
    assert kernels(options={"net": "paper"}) == paper


def test_patience_ends_the_rounds_when_dependence_finds_no_new_low():
    x = jax.random.normal(jax.random.key(3), (40, 2))
    mask = jax.random.uniform(jax.random.key(4), x.shape) < 0.7
    data = Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))
    small = {"width": 8, "layers": 1, "sgd_steps": 2, "batch": 8, "ode_steps": 1, "steps": 12}
    plan = registry.build("miri", data, kind="table", options={**small, "patience": 2})
    seen = []

    def watch(t, state, info):
        seen.append(float(info.metrics["dependence"][0]))
        return False

    run = loop.fit(
        plan.method, jax.random.key(5), data, plan.steps, chunk=1, hooks=[watch, *plan.hooks]
    )
    lows = [i for i, value in enumerate(seen) if value <= min(seen[: i + 1])]
    assert len(seen) == int(run.rounds) < 12
    assert len(seen) == lows[-1] + 1 + 2  # two rounds after the last new low
