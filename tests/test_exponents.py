"""Powers of two, taken out of matrices and put back."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each

INTEGERS = np.array([[1.0, -3.0], [7.0, 0.0]])


@for_each("dtype", DTYPES)
def test_an_exponent_makes_the_largest_entry_one_at_most(asarray, dtype):
    """And there is none to take out of a matrix whose fourth powers are numbers anyway."""
    largest = 1000 if np.finfo(dtype).eps < 1e-10 else 120
    for power in (-largest, -5, 0, 5, largest):
        host = np.ldexp(INTEGERS, power).astype(dtype)
        exponent = binary_exponent(asarray(host))
        assert exponent == (0 if abs(power) <= 5 else power + 3)  # 7 = 0.875 * 2**3
    assert binary_exponent(asarray(np.zeros((2, 2), dtype))) == 0


@for_each("bad", [np.nan, np.inf, -np.inf])
def test_a_matrix_that_is_not_finite_is_refused_by_its_name(asarray, bad):
    host = INTEGERS.copy()
    host[1, 1] = bad
    with pytest.raises(ValueError, match=r"^target contains (NaN|infinity)"):
        binary_exponent(asarray(host), "target")


@for_each("exponent", [0, 1, -1, 900, -900, 1070, -1070])
def test_multiples_by_a_power_are_exact(asarray, exponent):
    start = -np.sign(exponent) * 500  # so that the result is a number, and the power may be none
    host = np.ldexp(INTEGERS, start)
    x = asarray(host)
    assert_like(times_power_of_two(x, exponent), x, np.ldexp(host, exponent))


def test_an_exponent_of_its_own_for_each_row(asarray):
    exponents = np.array([[1000.0], [-1040.0]])
    x = asarray(INTEGERS)
    expected = np.ldexp(INTEGERS, exponents.astype(int))
    assert_like(times_power_of_two(x, asarray(exponents)), x, expected)


def test_norms_beyond_the_largest_number_are_infinite():
    assert_array_equal(unscaled([0.0, 0.5, 3.0], 1024), [0, 2.0**1023, np.inf])
