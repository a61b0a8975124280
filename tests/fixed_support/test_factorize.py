"""The public function: arrays of every library, and reports in place of masks."""

import warnings

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import array_namespace, to_numpy
from skfact._backend import device as device_of
from skfact.exceptions import IllPosedWarning
from skfact.fixed_support import (
    FAMILIES,
    analyze_supports,
    fixed_support_factorize,
)
from tests.arrays import DTYPES
from tests.asserts import on_any_matrix
from tests.fixed_support.independent import random_matrix

ignore_cut_off = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


CASES = {
    "blockwise": FAMILIES["disjoint-groups"](12, 10, 4),
    "complete-classes": (np.array([[1, 0]] * 8 + [[1, 1]] * 4) == 1, np.ones((2, 10), dtype=bool)),
    "shared pieces": (
        np.array([[1, 0], [1, 1], [1, 1]], dtype=bool)[[0, 1, 2, 1] * 3],
        np.ones((2, 10), dtype=bool),
    ),
    "alternating": FAMILIES["overlapping-groups"](12, 10, 3),
}


@on_any_matrix
@ignore_cut_off
@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_results_are_arrays_of_the_caller(asarray, dtype, name, missing):
    left, right = CASES[name]
    host = random_matrix(np.random.default_rng(0), 12, 10, "complex" in dtype).astype(dtype)
    if missing:
        host[2, 3] = np.nan
    given = asarray(host)
    alpha = 0.0 if name == "complete-classes" else 0.1
    options = {"max_iter": 8, "alpha": alpha, "random_state": 0, "missing_values": np.nan}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllPosedWarning)
        result = fixed_support_factorize(given, left, right, **options)
        reference = fixed_support_factorize(host, left, right, **options)
    tolerance = 1e5 * np.finfo(dtype).eps
    product = to_numpy(result.left) @ to_numpy(result.right)
    assert_allclose(product, reference.left @ reference.right, atol=tolerance)
    for array in (result.left, result.right):
        assert array_namespace(array) is array_namespace(given)
        assert device_of(array) == device_of(given)
        assert array.dtype == given.dtype
    assert_allclose(result.error, reference.error, rtol=tolerance)
    assert_array_equal(to_numpy(given), host)


def test_report_saves_the_analysis():
    A = np.random.default_rng(0).standard_normal((6, 6))
    report = analyze_supports(np.ones((6, 2)), np.ones((2, 6)))
    first = fixed_support_factorize(A, report)
    second = fixed_support_factorize(A, np.ones((6, 2)), scipy.sparse.csr_array(np.ones((2, 6))))
    assert_array_equal(first.left, second.left)
    assert first.support_report is report
