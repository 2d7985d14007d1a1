"""Simulators against what their equations keep, closed forms, and smaller steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaximpute as ji
from jaximpute import DataError, OptionError
from jaximpute.physics import advection, initial, navier_stokes, shallow_water

SHAPE = (16, 12)


def _surface(key, high=3):
    return initial.field(key, initial.band(SHAPE, high=high))


@pytest.fixture(scope="module")
def water():
    return shallow_water.Water(depth=1.3, coriolis=0.4, dt=0.3)


@pytest.fixture(scope="module")
def sea(water):
    keys = jax.random.split(jax.random.key(1), 3)
    first = jnp.stack([_surface(k) for k in keys], axis=-1)
    return jax.jit(shallow_water.spectral, static_argnums=2)(first, water, 40)


def kinetic_energy(vorticity):
    return (navier_stokes.velocity(vorticity) ** 2).sum(-1).mean() / 2


def enstrophy(vorticity):
    return (vorticity**2).mean() / 2


def energy_spectrum(vorticity):
    """Energy in shells of `k - 1/2 .. k + 1/2` crests, for `k = 0, 1, ...`."""
    square = sum(k**2 for k in initial.wavenumbers(vorticity.shape, (2 * np.pi, 2 * np.pi)))
    waves = np.abs(np.fft.fft2(vorticity) / vorticity.size) ** 2 / 2
    each = np.where(square > 0, waves / np.where(square > 0, square, 1), 0)
    return np.bincount(np.rint(np.sqrt(square)).astype(int).ravel(), each.ravel())


def water_energy(x, water):
    kinetic = water.depth * (x[..., 0] ** 2 + x[..., 1] ** 2)
    return ((kinetic + water.gravity * x[..., 2] ** 2) / 2).mean((-2, -1))


def potential_vorticity(x, water):
    """Linear, at each point, by spectral derivatives."""
    ky, kx = (k / water.dx for k in initial.wavenumbers(x.shape[-3:-1]))
    v_x, u_y = (np.fft.ifft2(1j * k * np.fft.fft2(x[..., i])).real for k, i in ((kx, 1), (ky, 0)))
    return v_x - u_y - water.coriolis * x[..., 2] / water.depth


def test_shallow_water_keeps_mass_energy_and_potential_vorticity(sea, water):
    mass = np.asarray(sea[..., 2].mean((1, 2)))
    energy = np.asarray(water_energy(sea, water))
    vorticity = np.asarray(potential_vorticity(sea, water))
    assert np.abs(mass - mass[0]).max() < 1e-6
    np.testing.assert_allclose(energy, energy[0], rtol=5e-6)
    np.testing.assert_allclose(vorticity, np.broadcast_to(vorticity[0], vorticity.shape), atol=2e-5)
    assert np.abs(sea[-1] - sea[0]).max() > 0.5  # it does move


def test_shallow_water_without_rotation_is_a_wave(water):
    still = water._replace(coriolis=0.0)
    x = jnp.arange(12) / 12 * 2 * jnp.pi
    h = jnp.broadcast_to(jnp.cos(x), SHAPE)
    frames = shallow_water.spectral(shallow_water.at_rest(h), still, 7)
    speed = np.sqrt(still.gravity * still.depth) * 2 * np.pi / 12
    expected = np.cos(speed * still.dt * np.arange(7))[:, None, None] * np.asarray(h)
    np.testing.assert_allclose(frames[..., 2], expected, atol=2e-6)


def test_a_uniform_flow_turns_with_the_rotation(water):
    state = jnp.zeros((*SHAPE, 3)).at[..., 0].set(1.0)
    frames = shallow_water.spectral(state, water, 5)
    angle = water.coriolis * water.dt * np.arange(5)
    np.testing.assert_allclose(frames[:, 3, 3, 0], np.cos(angle), atol=1e-6)
    np.testing.assert_allclose(frames[:, 3, 3, 1], -np.sin(angle), atol=1e-6)


@pytest.mark.fast
def test_without_any_waves_nothing_divides_by_zero(water):
    still = water._replace(coriolis=0.0)
    frames = shallow_water.spectral(jnp.ones((*SHAPE, 3)), still, 3)
    np.testing.assert_allclose(frames, 1.0, atol=1e-6)


def test_the_residual_is_zero_for_the_scheme_and_not_for_others(sea, water):
    scheme = shallow_water.c_grid(sea[0], water, 20)
    own = float(shallow_water.feasibility(scheme, water))
    exact = float(shallow_water.feasibility(sea[:20], water))
    noisy = scheme + 0.01 * jax.random.normal(jax.random.key(0), scheme.shape)
    assert own < 1e-3
    assert exact > 1e3 * own
    # four standard deviations: two frames, and neighbours that the scheme weighs
    assert float(shallow_water.feasibility(noisy, water)) > 1e4
    with pytest.raises(ji.DataError, match="at least 2 frames"):
        shallow_water.residual(scheme[:1], water)


def test_the_scheme_converges_to_the_exact_solution():
    """At the same time and place, halving the cells and the steps quarters the error."""

    def error(n):
        water = shallow_water.Water(dt=3.2 / n, dx=8 / n)
        y, x = jnp.meshgrid(*(2 * jnp.pi * jnp.arange(n) / n,) * 2, indexing="ij")
        offset = jnp.pi / n  # half a cell: where the faces are
        first = jnp.stack([jnp.sin(x + offset + y), jnp.cos(x - y - offset), jnp.cos(x)], axis=-1)
        scheme = shallow_water.c_grid(first, water, n + 1)[-1]
        # the exact solution lives on cell centres: move its velocities to them and back
        centred = jnp.stack([jnp.sin(x + y), jnp.cos(x - y), jnp.cos(x)], axis=-1)
        exact = shallow_water.spectral(centred, water, n + 1)[-1, ..., 2]
        return float(jnp.sqrt(((scheme[..., 2] - exact) ** 2).mean()))

    coarse, fine = error(16), error(32)
    assert coarse > 1e-3
    assert fine < 0.6 * coarse


@pytest.mark.fast
def test_advection_by_whole_cells_rolls():
    x = _surface(jax.random.key(2))
    frames = advection.advect(x, jnp.array([1.0, -2.0]), 4)
    for t in range(4):
        np.testing.assert_allclose(frames[t], np.roll(x, (t, -2 * t), (0, 1)), atol=3e-6)


@pytest.mark.fast
def test_advection_by_parts_of_a_cell_keeps_mean_and_energy():
    x = 1 + _surface(jax.random.key(2))
    frames = advection.advect(x, jnp.array([0.37, 2.6]), 30)
    np.testing.assert_allclose(frames.mean((1, 2)), 1.0, atol=1e-5)
    np.testing.assert_allclose((frames**2).mean((1, 2)), (x**2).mean(), rtol=1e-5)


@pytest.fixture(scope="module")
def whirl():
    return navier_stokes.random_vorticity(jax.random.key(3), (32, 32), low=3, high=4)


_flow = jax.jit(
    lambda w, flow, dt, frames, substeps: navier_stokes.simulate(
        w, navier_stokes.Flow(*flow), frames, dt=dt, substeps=substeps
    ),
    static_argnums=(3, 4),
)


def test_without_viscosity_energy_and_enstrophy_stay(whirl):
    flow = navier_stokes.Flow(viscosity=0.0)
    frames = navier_stokes.simulate(whirl, flow, 4, dt=0.02, substeps=10)
    energy = jax.vmap(kinetic_energy)(frames)
    square = jax.vmap(enstrophy)(frames)
    np.testing.assert_allclose(energy, energy[0], rtol=2e-5)
    np.testing.assert_allclose(square, square[0], rtol=2e-4)
    assert np.abs(frames[-1] - frames[0]).max() > 1
    np.testing.assert_allclose(frames.mean((1, 2)), 0, atol=1e-5)


def test_energy_decays_by_what_viscosity_takes(whirl):
    flow = navier_stokes.Flow(viscosity=5e-3)
    frames = navier_stokes.simulate(whirl, flow, 21, dt=0.01, substeps=2)
    energy = np.asarray(jax.vmap(kinetic_energy)(frames), float)
    lost = 2 * 5e-3 * np.asarray(jax.vmap(enstrophy)(frames), float)
    expected = (lost[:-1] + lost[1:]) / 2 * 0.02  # trapezoids
    np.testing.assert_allclose((energy[0] - energy[-1]), expected.sum(), rtol=1e-3)
    assert (np.diff(energy) < 0).all()


def test_halving_the_step_changes_little(whirl):
    ends = [
        np.asarray(
            navier_stokes.simulate(whirl, navier_stokes.KOLMOGOROV, 2, dt=0.2 / n, substeps=n)[1]
        )
        for n in (4, 8, 16)
    ]
    coarse, fine = np.abs(ends[0] - ends[2]).max(), np.abs(ends[1] - ends[2]).max()
    assert coarse / np.abs(ends[2]).max() > 1e-5  # above rounding, or the ratio says nothing
    assert fine < coarse / 8  # of fourth order: a sixteenth


@pytest.mark.parametrize("force", [0.0, 1.0])
def test_exponax_and_our_own_steps_agree_where_both_resolve(force):
    """Two engines, two integrators, two conventions of axes and signs: one flow."""
    first = 3 * initial.field(jax.random.key(4), initial.band((48, 48), high=3))
    flow = navier_stokes.Flow(viscosity=1e-2, drag=0.1, force=force, crests=3)
    given = {"dt": 0.01, "substeps": 10}
    own = navier_stokes.simulate(first, flow, 3, **given)
    other = jax.jit(
        lambda w, drag: navier_stokes.simulate(
            w, flow._replace(drag=drag), 3, engine="exponax", **given
        )
    )(first, 0.1)
    change = np.abs(own[-1] - own[0]).max()
    assert change > 1
    np.testing.assert_allclose(other, own, atol=3e-4 * change)


def test_engines_are_refused_by_name(whirl):
    with pytest.raises(OptionError, match="engine is 'fast'; expected own or exponax"):
        navier_stokes.simulate(whirl, navier_stokes.Flow(), 2, engine="fast")
    with pytest.raises(DataError, match=r"has \(32, 16\) cells; exponax takes as many along y"):
        navier_stokes.simulate(whirl[:, :16], navier_stokes.Flow(), 2, engine="exponax")


def test_kolmogorov_flow_from_rest_follows_the_force():
    """Laminar: dw/dt = force - (nu k^2 + drag) w, with no advection of itself."""
    flow = navier_stokes.Flow(viscosity=0.01, drag=0.1, force=0.5, crests=2)
    frames = navier_stokes.simulate(jnp.zeros((16, 8)), flow, 5, dt=0.05, substeps=4)
    rate = 0.01 * 4 + 0.1
    y = 2 * np.pi * np.arange(16) / 16
    limit = -0.5 * 2 * np.cos(2 * y) / rate
    grown = 1 - np.exp(-rate * 0.2 * np.arange(5))
    np.testing.assert_allclose(frames[:, :, 0], grown[:, None] * limit, atol=1e-5)
    # the force pushes along x where sin(2 y) > 0
    u = navier_stokes.velocity(frames[-1])
    assert u[2, 0, 0] > 0.05
    assert abs(u[2, 0, 1]) < 1e-6


def test_velocity_has_its_vorticity_and_no_divergence(whirl):
    u = navier_stokes.velocity(whirl)
    ky, kx = (jnp.asarray(k) for k in initial.wavenumbers((32, 32), (2 * np.pi, 2 * np.pi)))

    def derivative(a, k):
        return jnp.fft.ifft2(1j * k * jnp.fft.fft2(a)).real

    spin = derivative(u[..., 1], kx) - derivative(u[..., 0], ky)
    spread = derivative(u[..., 0], kx) + derivative(u[..., 1], ky)
    np.testing.assert_allclose(spin, whirl, atol=1e-3)
    assert np.abs(spread).max() < 1e-3 * np.abs(spin).max()
    np.testing.assert_allclose((u**2).sum(-1).mean(), 1, rtol=1e-4)
    np.testing.assert_allclose(energy_spectrum(whirl).sum(), kinetic_energy(whirl), rtol=1e-4)


def test_decaying_flow_grows_larger_and_its_spectrum_stays_steep(whirl):
    flow = navier_stokes.Flow(viscosity=5e-3)
    last = navier_stokes.simulate(whirl, flow, 2, dt=0.02, substeps=80)[-1]
    before, after = (np.asarray(energy_spectrum(w)) for w in (whirl, last))
    k = np.arange(len(after))
    crests = [(k * e).sum() / e.sum() for e in (before, after)]
    assert crests[1] < 0.9 * crests[0]
    assert np.polyfit(np.log(k[5:10]), np.log(after[5:10]), 1)[0] < -2
