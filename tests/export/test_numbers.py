"""Complex factors in real numbers."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.export._numbers import narrowed, real_factors, real_name
from skfact.operators import FactorizedOperator
from tests.asserts import for_each
from tests.export.examples import KINDS, make, samples


@for_each("kind", [kind for kind in KINDS if kind != "sum"])
def test_real_and_imaginary_parts_in_turn(kind):
    operator = make(kind, "complex128")
    real = FactorizedOperator(real_factors(operator.factors, operator.dtype))
    assert real.dtype == np.float64 and real.shape == tuple(2 * n for n in operator.shape)
    X = samples(operator)
    found = real.apply(X.view(np.float64)).view(np.complex128)
    assert_allclose(found, operator.apply(X), rtol=0, atol=1e-10)


def test_real_factors_stay():
    operator = make("chain")
    assert real_factors(operator.factors, operator.dtype) == list(operator.factors)


def test_numbers_stay_in_range():
    assert narrowed(np.array([1e300]), "float64", "obj")[0] == 1e300
    for value, hint in ((1e300, "beyond the range of float32"), (np.nan, "NaN or infinite")):
        with pytest.raises(ValueError, match=f"^obj .*{hint}"):
            narrowed(np.array([0, value]), "float32", "obj")


def test_names_of_dtypes():
    assert real_name(None, np.dtype("complex64")) == "float32"
    assert real_name(np.float64, np.dtype("float32")) == "float64"
    for dtype in ("float16", "complex64", "int8", 3):
        with pytest.raises(ValueError, match="dtype must be one of"):
            real_name(dtype, np.dtype("float32"))
