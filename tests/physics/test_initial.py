"""Random fields: their law, and a key for each sample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute.physics import initial, shallow_water


def test_sample_i_is_the_same_in_any_request():
    def simulate(key):
        k_field, k_water = jax.random.split(key)
        h = initial.field(k_field, initial.band((8, 8)))
        return shallow_water.spectral(
            shallow_water.at_rest(h), shallow_water.random_water(k_water), 3
        )

    key = jax.random.key(0)
    all_at_once = initial.many(simulate, key, 7)
    in_pieces = initial.many(simulate, key, 7, batch=2)
    later = initial.many(simulate, key, 2, start=5)
    np.testing.assert_allclose(all_at_once, in_pieces, atol=1e-6)
    np.testing.assert_allclose(all_at_once[5:], later, atol=1e-6)
    assert np.abs(all_at_once[0] - all_at_once[1]).max() > 0.1
    with pytest.raises(ji.OptionError, match="at least 1"):
        initial.many(simulate, key, 0)


@pytest.mark.fast
@pytest.mark.parametrize("shape", [(8, 12), (7, 10)])
def test_modes_have_the_covariance_of_the_field(shape):
    amplitude = initial.band(shape, low=1, high=2.5)
    modes = initial.modes(amplitude).reshape(-1, shape[0] * shape[1])
    # the covariance of filtered noise is circular, with the squared amplitudes as its spectrum
    first = np.fft.ifft2(amplitude**2).real
    expected = np.stack(
        [np.roll(first, (i, j), (0, 1)).ravel() for i in range(shape[0]) for j in range(shape[1])]
    )
    np.testing.assert_allclose(modes.T @ modes, expected, atol=1e-12)
    np.testing.assert_allclose(np.diagonal(expected), 1, atol=1e-12)


@pytest.mark.fast
def test_fields_are_of_unit_variance_and_inside_their_band():
    amplitude = initial.band((16, 16), low=2, high=4)
    x = jax.vmap(lambda k: initial.field(k, amplitude))(jax.random.split(jax.random.key(1), 400))
    assert abs(float(x.var()) - 1) < 0.05
    power = np.abs(np.fft.fft2(x)).mean(0)
    assert power[amplitude == 0].max() < 1e-3 * power[amplitude > 0].min()
    with pytest.raises(ji.OptionError, match="widen the band"):
        initial.band((8, 8), low=1.1, high=1.2)


def test_the_peaked_spectrum_peaks_where_it_is_asked_to():
    amplitude = np.asarray(initial.peaked((64, 64), 6.0))
    # energy per shell of crests: k^2 less than that of the vorticity, and k more waves in a shell
    energy = amplitude[0, :32] ** 2 / np.maximum(np.arange(32), 1)
    assert 3 <= energy.argmax() <= 6
    np.testing.assert_allclose((amplitude**2).mean(), 1, rtol=1e-5)
    assert jnp.isfinite(amplitude).all()
