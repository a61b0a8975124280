"""Pairs of lists, of any array library."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._backend import to_numpy
from skfact.compression import compress

RNG = np.random.default_rng(0)
COEFS = [RNG.standard_normal((20, 30)), RNG.standard_normal((30, 20))]
INTERCEPTS = [RNG.standard_normal(30), RNG.standard_normal(20)]
X = RNG.standard_normal((100, 20))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_stay_in_their_library(asarray, dtype):
    coefs, intercepts = ([asarray(a.astype(dtype)) for a in some] for some in (COEFS, INTERCEPTS))
    expected = compress((COEFS, INTERCEPTS), X, max_density=0.5)
    found = compress((coefs, intercepts), asarray(X), max_density=0.5)
    assert_allclose(found.output_error, expected.output_error, rtol=1e-2)
    for l, (weight, bias) in enumerate(zip(*found.network)):
        assert weight.shape == COEFS[l].shape and weight.dtype == coefs[0].dtype
        rows = asarray(RNG.standard_normal((3, len(COEFS[l]))).astype(dtype))
        out = (rows @ weight if type(weight) is type(rows) else weight.T.apply(rows)) + bias
        assert type(out) is type(coefs[0]) and out.dtype == coefs[0].dtype
        assert np.isfinite(to_numpy(out)).all()


def test_no_intercepts_are_zeros():
    found = compress((COEFS, None), max_density=0.5).network
    assert all(not bias.any() for bias in found[1])


def test_lists_of_numbers():
    found = compress([[COEFS[0].tolist()], [INTERCEPTS[0].tolist()]], X.tolist(), max_density=0.5)
    assert found.network[0][0].shape == (20, 30)
