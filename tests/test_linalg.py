"""Small matrix algebra over batches, in every array library."""

import numpy as np
from numpy.testing import assert_allclose

from skfact._backend import to_numpy
from skfact._linalg import abs2, adjoint, is_complex, thin_qr
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each


@for_each("dtype", DTYPES)
def test_adjoint_and_magnitudes(asarray, dtype):
    host = gaussian(np.random.default_rng(0), (2, 3, 4), dtype)
    x = asarray(host)
    assert is_complex(x) == (host.dtype.kind == "c")
    assert_like(adjoint(x), x, host.conj().swapaxes(1, 2))
    real = host.real.dtype
    assert_like(abs2(x), x, abs(host) ** 2, dtype=real.name, rtol=10 * np.finfo(real).eps)


@for_each("columns", [1, 3])
@for_each("dtype", DTYPES)
def test_thin_qr(asarray, columns, dtype):
    host = gaussian(np.random.default_rng(1), (4, 5, columns), dtype)
    if columns == 1:
        host[2] = 0
    x = asarray(host)
    q, r = thin_qr(x)
    eps = 20 * np.finfo(dtype).eps
    assert_like(q @ r, x, host, atol=eps)
    gram = to_numpy(adjoint(q) @ q)
    expected = np.tile(np.eye(columns), (4, 1, 1))
    if columns == 1:  # nothing to normalize: nothing becomes something
        expected[2] = 0
    assert_allclose(gram, expected, atol=eps)
