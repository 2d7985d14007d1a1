"""What a packing holds: fills come back from it, within it, and never as gaps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaximpute.data.cfpacking import decoded, encoded, outside, packing_of, writable

xr = pytest.importorskip("xarray")


def packed(attrs=None, **encoding):
    variable = xr.Variable("x", np.zeros(2), attrs or {})
    variable.encoding = encoding
    return packing_of(variable)


@pytest.mark.fast
@pytest.mark.filterwarnings("ignore:variable .x. has multiple fill values")
@pytest.mark.parametrize(
    ("encoding", "attrs", "room"),
    [
        ({"dtype": "uint16", "scale_factor": 0.1, "_FillValue": 65535}, {}, (0, 6553.4)),
        ({"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}, {}, (-327.67, 327.67)),
        ({"dtype": "int16", "scale_factor": 0.01}, {}, (-327.68, 327.67)),
        ({"dtype": "int16", "_FillValue": -9999}, {}, (-32768, 32767)),
        ({"dtype": "int8", "_Unsigned": "true", "_FillValue": np.int8(-1)}, {}, (0, 254)),
        ({"dtype": "uint8", "_Unsigned": "false", "_FillValue": np.uint8(128)}, {}, (-127, 127)),
        ({"dtype": "int8", "scale_factor": -2.0, "add_offset": 10.0}, {}, (-244, 266)),
        ({"dtype": "uint8", "_FillValue": 0, "missing_value": [1, 255]}, {}, (2, 254)),
        (
            {"dtype": "int16", "scale_factor": 0.5},
            {"valid_range": np.array([0, 90], "int16")},
            (0, 45),
        ),
        (  # a negative scale turns codes round
            {"dtype": "int16", "scale_factor": -0.5},
            {"valid_min": np.int16(0)},
            (-16383.5, 0),
        ),
        ({"dtype": "int16", "scale_factor": 0.5}, {"valid_max": 45.2}, (-16384, 45)),
        ({"dtype": "int16", "scale_factor": 0.5}, {"valid_max": 40}, (-16384, 20)),
        ({"dtype": "int8", "_Unsigned": "true"}, {"valid_max": np.int8(-56)}, (0, 200)),
        ({"dtype": "float16"}, {}, (-65504, 65504)),
        ({"dtype": "float32", "_FillValue": 1e20}, {"valid_min": -2, "valid_max": 45}, (-2, 45)),
    ],
)
def test_the_room_of_a_packing(encoding, attrs, room):
    found = packed(attrs, **encoding)
    np.testing.assert_allclose(found.room, room, rtol=1e-12)
    # what xarray makes of the codes at its ends
    ends = xr.Variable("x", encoded(found, np.array(found.room)))
    about = {key: encoding[key] for key in encoding if key != "dtype"}
    read = xr.conventions.decode_cf_variable("x", xr.Variable("x", ends.values, about))
    np.testing.assert_allclose(np.sort(read.values), room, rtol=1e-6)


@st.composite
def packings(draw):
    dtype = draw(st.sampled_from(["i1", "u1", "i2", "u2", "i4", "f4", "f8", "i8"]))
    scale = draw(st.sampled_from([1.0, 0.1, 0.01, -0.5, 3.0, 1e-3]))
    about = {"dtype": dtype, "scale_factor": scale, "add_offset": draw(st.sampled_from([0.0, 273]))}
    if dtype[0] != "f":
        kind = np.iinfo(dtype)
        bound = 2**40
        ends = (max(kind.min, -bound), min(kind.max, bound))
        for key in ("_FillValue", "missing_value"):
            if draw(st.booleans()):
                code = draw(st.one_of(st.integers(*ends), st.sampled_from(ends)))
                about[key] = np.dtype(dtype).type(code)
        if draw(st.booleans()):
            about["_Unsigned"] = "true" if dtype[0] == "i" else "false"
    elif draw(st.booleans()):
        about["_FillValue"] = np.dtype(dtype).type(
            draw(st.sampled_from([0.0, -9999, 1e20, np.nan]))
        )
    return about


@settings(max_examples=200, deadline=None)
@given(packings(), st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_what_is_written_is_read_again_within_the_room(about, cells):
    found = packed(**about)
    cells = np.array([*cells, 0.0, -9999.0, 1e20, found.offset])
    read = decoded(found, encoded(found, cells))
    low, high = found.room
    assert np.isfinite(read).all()
    slack = 1e-9 * max(1.0, abs(low), abs(high))
    assert ((read >= low - slack) & (read <= high + slack)).all()
    inside = (cells >= low) & (cells <= high)
    if found.dtype.kind != "f":  # to the next code, or to one beyond those that mean missing
        off = 0.5 + len(found.absent)
        assert (
            np.abs(read - cells)[inside] <= off * abs(found.scale) + 1e-9 * np.abs(cells)[inside]
        ).all()
    kept = writable(found, cells)
    np.testing.assert_allclose(decoded(found, encoded(found, kept)), read, rtol=1e-6, atol=1e-9)


@pytest.mark.fast
def test_a_whole_number_between_others_that_means_missing_is_passed_by():
    found = packed(dtype="int16", _FillValue=np.int16(-9999), missing_value=np.int16(-9998))
    assert encoded(found, np.array([-9999.0, -9998.2, -10000.0])).tolist() == [-9997, -9997, -10000]
    assert writable(found, np.array([-9999.2, 3.25])).tolist() == [-9997, 3.25]


@pytest.mark.fast
def test_what_lies_outside_the_valid_range():
    found = packed({"valid_min": -2, "valid_max": 45}, dtype="float32")
    assert outside(found, np.array([-9999.0, -2, 45, 45.5, np.nan])).tolist() == [
        True,
        False,
        False,
        True,
        False,
    ]
