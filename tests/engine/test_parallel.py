"""Methods on a mesh, unchanged: eight simulated devices in one process of their own."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

import jaximpute as ji
from jaximpute.engine import parallel
from tests.helpers.mesh import ONE_UPDATE

# one process for all of them
once = pytest.mark.xdist_group("mesh")
WITH_ROWS = (
    "spirit",
    "miri",
    "mice",
    "diffusion",
    "diffputer",
    "knewimp",
    "sinkhorn",
    "tdm",
    "psw_i",
)
DATA = ji.observe(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 4.0]]))


@pytest.fixture(scope="module")
def found():
    done = subprocess.run(
        [sys.executable, "-m", "tests.helpers.mesh", *ONE_UPDATE],
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@once
@pytest.mark.parametrize("name", ONE_UPDATE)
def test_a_step_on_eight_devices_is_a_step_on_one(found, name):
    about = found[name]
    assert max(about["gradients"], default=about["difference"]) < 2e-5
    if name.startswith(
        "csbi"
    ):  # which trains in `init`: Adam divides small gradients by themselves
        assert len(about["gradients"]) == 1 + (name == "csbi:held")
    else:
        assert about["begun"] < 2e-5
    assert about["difference"] < 0.02
    assert about["devices"] == 8
    assert about["finite"]
    # no data; a number for each row, by which batches are picked, and masks of a batch may be
    if name != "knewimp":  # whose kernels are between all rows
        assert about["gathered"] <= max(about["rows"], about["entries"] / 4)
    if name in WITH_ROWS:
        assert about["sharded"] >= 1


@once
@pytest.mark.parametrize("name", sorted(set(ONE_UPDATE) - {"miri", "sinkhorn", "tdm", "psw_i"}))
def test_each_device_computes_its_share_of_a_batch(found, name):
    # an eighth, and the update of the network (without those whose batches are matched by
    # transport, and MIRI, whose diagnostics of a sample would cover it up)
    assert found[name]["share"] < 0.4


@once
def test_rows_are_padded_and_batches_stay_where_they_lie(found):
    about = found["local_pick"]
    assert about["rows"] == 24
    assert about["weight"] == 21
    # device d holds rows 3 d to 3 d + 2, and the last three are padding
    assert about["owners"][:14] == [device for device in range(7) for _ in range(2)]
    assert about["collectives"] == []


@once
def test_draws_follow_the_number_of_a_row(found):
    about = found["draws"]
    assert about.pop("distinct") == 3 * 20  # three draws of each missing entry
    assert about == {"sharded": True, "permuted": True, "in parts": True}


def holding() -> ji.Method:
    """A method with a leaf of each sort."""

    def init(key, data):
        n, d = data.values.shape
        return {
            "rows": data.values,
            "second": jnp.zeros((d, n)),
            "pairs": jnp.zeros((n, n)),
            "net": jnp.zeros((d, 3)),
            "one": jnp.zeros(()),
        }

    return ji.Method(init, lambda key, state, data: (state, ji.Info(state["one"], {})))


def test_rows_are_found_by_their_number():
    specs = parallel.row_specs(holding(), DATA)
    assert specs == {
        "rows": PartitionSpec("data"),
        "second": PartitionSpec(None, "data"),
        "pairs": PartitionSpec(),
        "net": PartitionSpec(),
        "one": PartitionSpec(),
    }
    state = jax.eval_shape(holding().init, jax.random.key(0), DATA)
    spread = parallel.fsdp(specs, state, parallel.mesh(1), least=6)
    assert spread == specs | {"net": PartitionSpec(None, "data"), "pairs": PartitionSpec("data")}


def test_one_device_is_a_mesh():
    on = parallel.mesh(1)
    rows = parallel.put(DATA, on)
    method = parallel.spread(ji.methods.mean(), rows, on)
    state = ji.fit(method, jax.random.key(0), rows, 2, chunk=1)
    filled = ji.complete(method, jax.random.key(1), state, rows)
    np.testing.assert_array_equal(filled[1], [3.0, 3.0])


def test_sizes_are_checked():
    with pytest.raises(ji.OptionError, match="a mesh of 99 devices"):
        parallel.mesh(99)
    with pytest.raises(ji.OptionError, match="multiple of the mesh's 1 devices"):
        parallel.local_pick(parallel.mesh(1), 0)
