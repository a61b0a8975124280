"""The gradient of a factor in its values."""

import numpy as np
from numpy.testing import assert_allclose

from skfact._kernels.apply import apply_factor, correlate
from tests.arrays import gaussian
from tests.asserts import assert_like, for_each


@for_each("pattern", [(1, 2, 3, 4), (2, 3, 1, 1), (2, 1, 2, 3), (1, 1, 1, 1)])
@for_each("dtype", ["float64", "complex128"])
def test_it_is_the_adjoint_of_the_product_as_a_function_of_the_values(asarray, pattern, dtype):
    random = np.random.default_rng(0)
    a, b, c, d = pattern
    values, inputs = gaussian(random, (a, d, b, c), dtype), gaussian(random, (a * c * d, 5), dtype)
    outputs = gaussian(random, (a * b * d, 5), dtype)
    found = correlate(pattern, asarray(outputs), asarray(inputs))
    expected = correlate(pattern, outputs, inputs)
    assert_like(found, asarray(values), expected, atol=1e-12)
    assert_allclose(
        np.vdot(expected, values), np.vdot(outputs, apply_factor(values, inputs)), rtol=1e-10
    )
