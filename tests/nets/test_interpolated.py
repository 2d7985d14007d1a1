"""A surface through the context: solved equations, nothing leaked, nothing but the context kept."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute._errors import OptionError
from jaximpute.nets.interpolated import fill, interpolated
from jaximpute.types import Net


def smooth(key, shape=(2, 1, 16, 17, 1), share=0.4):
    y, x = np.meshgrid(np.arange(shape[2]) / 5, np.arange(shape[3]) / 5, indexing="ij")
    values = jnp.asarray((np.sin(y) * np.cos(x))[None, None, ..., None], jnp.float32)
    mask = jax.random.uniform(key, shape) < share
    return jnp.broadcast_to(values, shape), mask


@pytest.mark.parametrize("plate", [False, True])
def test_many_sweeps_solve_the_equations_of_the_baselines(plate, key):
    x, mask = smooth(key)
    data = ji.Observed(jnp.where(mask, x, 0), mask, jnp.ones(len(x)))
    solver = ji.methods.biharmonic if plate else ji.methods.harmonic
    method = solver(tol=1e-6, most=3000)
    state = ji.fit(method, jax.random.key(0), data, 0)
    solved = np.asarray(ji.complete(method, jax.random.key(1), state, data))
    errors = [
        np.abs(np.asarray(fill(x, mask, (2, 3), plate, n)) - solved).max() for n in (1, 8, 800)
    ]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 2e-3
    # and the few sweeps of the default are nearer to the equations' answer than that to the truth
    assert errors[1] < 3 * np.abs(solved - np.asarray(x)).max()


def test_what_is_shown_is_kept_and_nothing_else_is_looked_at(key):
    x, mask = smooth(key)
    other = jnp.where(mask, x, 1e9)
    for axes in ((2, 3), (1, 2, 3), (3,)):
        for plate in (False, True):
            out = np.asarray(fill(x, mask, axes, plate))
            np.testing.assert_array_equal(out[mask], np.asarray(x)[mask])
            np.testing.assert_array_equal(out, fill(other, mask, axes, plate))
            assert np.isfinite(out).all()


def test_a_membrane_stays_in_range_and_a_plate_bends():
    bowl = jnp.broadcast_to((jnp.arange(9.0).reshape(1, 1, 9, 1) - 4) ** 2, (1, 9, 9, 1))
    mask = jnp.full(bowl.shape, True).at[:, 3:6, 3:6].set(False)  # 1, 0 and 1
    membrane, plate = (np.asarray(fill(bowl, mask, (1, 2), p, 400)) for p in (False, True))
    assert membrane[~np.asarray(mask)].min() > 0.5
    np.testing.assert_allclose(plate, bowl, atol=1e-3)


def test_where_nothing_is_shown_the_answer_is_nothing(key):
    x, mask = smooth(key, (3, 2, 6, 5, 2), 0.5)
    mask = mask.at[1].set(False).at[2, 0, :, :, 1].set(False)
    out = np.asarray(fill(x, mask, (2, 3)))
    assert (out[1] == 0).all()
    assert (out[2, 0, :, :, 1] == 0).all()
    assert (out[2, 1, :, :, 1] != 0).any()


def test_the_network_is_shown_the_surface_and_adds_to_it(key):
    x, mask = smooth(key)
    seen = []

    def apply(params, shown, t, cond, key=None):
        seen.append(shown)
        return params["a"] * jnp.ones_like(shown)

    net = interpolated(Net(lambda key, x, *given: {"a": jnp.ones(())}, apply))
    params = net.init(jax.random.key(0), x, jnp.zeros(1), (mask,))
    t = jnp.array([0.2, 0.9])
    out = net.apply(params, x, t, (mask.astype(x.dtype),))
    alpha = np.asarray(ji.processes.vp().marginal(t)[0]).reshape(2, 1, 1, 1, 1)
    surface = np.asarray(fill(x, mask, (2, 3)))
    np.testing.assert_array_equal(seen[-1], surface)
    np.testing.assert_allclose(out, alpha * surface + 1, rtol=1e-5, atol=1e-5)


def test_gradients_reach_what_is_shown_through_the_surface(key):
    x, mask = smooth(key, (1, 1, 5, 5, 1), 0.5)
    net, t = interpolated(None, surface="biharmonic"), jnp.zeros(1)

    def total(x):
        return net.apply({}, x, t, (mask.astype(x.dtype),)).sum()

    slope = np.asarray(jax.grad(total)(x))
    assert (slope[~np.asarray(mask)] == 0).all()
    # linear in what is shown, and right about constants: the slopes sum to the number of entries
    np.testing.assert_allclose(slope.sum(), x.size, rtol=1e-4)


def test_frames_help_each_other_only_when_asked(key):
    x, mask = smooth(key, (1, 3, 8, 8, 1))
    mask = mask.at[:, 1].set(False)
    context, t = mask.astype(x.dtype), jnp.zeros(1)
    alone = interpolated(None).apply({}, x, t, (context,))
    together = interpolated(None, axes="tyx").apply({}, x, t, (context,))
    assert (np.asarray(alone)[:, 1] == 0).all()
    assert np.abs(np.asarray(together - x)[:, 1]).mean() < 0.3
    # images have no frames, and then the letter means nothing
    image = interpolated(None, axes="tyx").apply({}, x[:, 0], t, (context[:, 0],))
    np.testing.assert_array_equal(image, alone[:, 0])


def test_wrong_options_are_refused():
    for options in ({"surface": "linear"}, {"axes": ""}, {"axes": "z"}, {"sweeps": 0}):
        with pytest.raises(OptionError, match="expected"):
            interpolated(None, **options)
