import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from topoimp.checkpoint.number_format import NUMBER_FORMATS

TORCH_TYPES = {
    "F16": (torch.float16, torch.int16, np.uint16),
    "BF16": (torch.bfloat16, torch.int16, np.uint16),
    "F8_E4M3": (torch.float8_e4m3fn, torch.uint8, np.uint8),
    "F8_E5M2": (torch.float8_e5m2, torch.uint8, np.uint8),
}


def all_codes(name):
    return np.arange(1 << NUMBER_FORMATS[name].n_bits, dtype=NUMBER_FORMATS[name].code_dtype)


def torch_values(name):
    dtype, integer, code = TORCH_TYPES[name]
    bits = torch.from_numpy(all_codes(name).view(np.int16 if code is np.uint16 else np.uint8))
    return bits.view(integer).view(dtype).to(torch.float64).numpy()


@pytest.mark.parametrize("name", TORCH_TYPES)
def test_strengths_of_all_finite_codes_of_narrow_formats_are_those_of_torch(name):
    values = torch_values(name)
    is_finite = np.isfinite(values)

    strengths = NUMBER_FORMATS[name].strengths(all_codes(name)[is_finite])

    assert_array_equal(strengths, np.abs(values[is_finite]))


@pytest.mark.parametrize("name", TORCH_TYPES)
def test_magnitude_codes_from_the_first_special_one_on_are_exactly_the_non_finite_ones(name):
    known = NUMBER_FORMATS[name]

    is_special = known.magnitudes(all_codes(name)) >= known.first_special

    assert_array_equal(is_special, ~np.isfinite(torch_values(name)))


@pytest.mark.parametrize("name", TORCH_TYPES)
def test_the_code_of_infinity_is_infinite_and_no_other(name):
    known = NUMBER_FORMATS[name]

    is_infinity = known.magnitudes(all_codes(name)) == (-1 if known.infinity is None else known.infinity)

    assert_array_equal(is_infinity, np.isinf(torch_values(name)))


@pytest.mark.parametrize("name", ["F32", "F64"])
def test_magnitudes_of_wide_formats_order_like_strengths(name):
    known = NUMBER_FORMATS[name]
    dtype = np.dtype(f"float{known.n_bits}")
    info = np.finfo(dtype)
    ascending = np.array([0, info.smallest_subnormal, info.tiny, 0.1, 1, 2, info.max, np.inf], dtype)

    magnitudes = known.magnitudes((-ascending).view(known.code_dtype))

    assert (np.diff(magnitudes.astype(object)) > 0).all()
    assert magnitudes[0] == 0
    assert magnitudes[-1] == known.infinity == known.first_special


@pytest.mark.parametrize("name", NUMBER_FORMATS)
def test_common_codes_hold_the_exact_strengths(name):
    known = NUMBER_FORMATS[name]
    rng = np.random.default_rng(0)
    codes = rng.integers(0, known.first_special, size=1000, dtype=np.uint64).astype(known.code_dtype)
    n_bits = 64 if name == "F64" else 32

    common = known.common_codes(codes, n_bits=n_bits)

    assert_array_equal(common.view(f"float{n_bits}").astype(np.float64), known.strengths(codes))


def test_float64_strengths_do_not_go_into_32_bits():
    codes = np.zeros(1, np.uint64)

    with pytest.raises(ValueError, match="float64 strengths need 64 bits"):
        NUMBER_FORMATS["F64"].common_codes(codes, n_bits=32)
