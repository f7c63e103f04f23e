import pytest

from topoimp.choices import check_seed
from topoimp.errors import OptionError


def test_seeds_from_0_on_are_taken():
    check_seed(0)
    check_seed(2**80)
    check_seed(2**63 - 1, n_bits=63)


@pytest.mark.parametrize(
    ("seed", "n_bits", "message"),
    [
        (-1, None, "^the seed is -1; it must be at least 0$"),
        (-1, 63, r"^the seed is -1; it must be at least 0 and below 2\^63$"),
        (2**63, 63, r"^the seed is 9223372036854775808; it must be at least 0 and below 2\^63$"),
    ],
)
def test_other_seeds_are_refused(seed, n_bits, message):
    with pytest.raises(OptionError, match=message):
        check_seed(seed, n_bits=n_bits)
