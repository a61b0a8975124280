"""What transforms have in common: norms, adjoints, inverses, precisions, files, numbers."""

from functools import partial

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
from numpy.testing import assert_allclose, assert_array_equal

from skfact.operators import load_operator
from skfact.transforms import (
    circulant,
    convolution,
    dct,
    dft,
    dst,
    haar,
    hadamard,
    hartley,
    kron,
    rfft,
    toeplitz,
    wavelet,
)
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each

SIZES = [1, 2, 3, 4, 6, 9, 12, 17, 32, 45, 262]
KERNEL = np.random.default_rng(0).standard_normal(64)
OPERATORS = {
    "dft": dft(48),
    "dft of a prime": dft(331),
    "rfft": rfft(45),
    "real rfft": rfft(48, dtype="float64"),
    **{f"dct {t}": dct(48, t) for t in (1, 2, 3, 4)},
    **{f"dst {t}": dst(47, t) for t in (1, 2, 3, 4)},
    "dct of a prime": dct(331),
    "hartley": hartley(36),
    "hadamard": hadamard(32),
    "haar": haar(40),
    "wavelet": wavelet(40, "haar", 1),
    "circulant": circulant(KERNEL),
    "complex circulant": circulant(KERNEL[:32] + 1j * KERNEL[32:]),
    "sparse circulant": circulant(np.eye(40)[2]),
    "toeplitz": toeplitz(KERNEL, KERNEL[:50]),
    "convolution": convolution(KERNEL[:40], 50, "same"),
    "kron": kron(dct(6), dst(7)),
}


def transforms(n, norm):
    """The operators of a size that have norms, and the matrices of SciPy."""
    identity = np.eye(n)
    yield dft(n, norm=norm), scipy.fft.fft(identity, axis=0, norm=norm)
    yield rfft(n, norm=norm), scipy.fft.rfft(identity, axis=0, norm=norm)
    for t in (1, 2, 3, 4):
        if n > 1 or t > 1:
            yield dct(n, t, norm=norm), scipy.fft.dct(identity, t, axis=0, norm=norm)
        yield dst(n, t, norm=norm), scipy.fft.dst(identity, t, axis=0, norm=norm)
    F = scipy.fft.fft(identity, axis=0, norm=norm)
    yield hartley(n, norm=norm), F.real - F.imag
    if n & (n - 1) == 0:
        scale = {"backward": 1, "ortho": n**-0.5, "forward": 1 / n}[norm]
        yield hadamard(n, norm=norm), scale * scipy.linalg.hadamard(n)


@for_each("n", SIZES)
@pytest.mark.parametrize("norm", ["backward", "ortho", "forward"])
def test_norms_are_those_of_scipy(n, norm):
    for operator, matrix in transforms(n, norm):
        error = 1e-13 * np.linalg.norm(matrix, axis=1).max()
        assert_allclose(operator.toarray(), matrix, rtol=0, atol=error)
        if norm == "ortho" and operator.shape[0] == n:
            X = np.random.default_rng(0).standard_normal((n, 2))
            assert_allclose(operator.H @ (operator @ X), X, atol=1e-13 * np.linalg.norm(X))


@for_each("name", OPERATORS)
def test_adjoints(name):
    operator, random = OPERATORS[name], np.random.default_rng(0)
    m, n = operator.shape
    x, y = gaussian(random, n, "complex128"), gaussian(random, m, "complex128")
    product = np.vdot(y, operator @ x)
    size = np.linalg.norm(x) * np.linalg.norm(y) * operator.norm(2)
    assert abs(product - np.vdot(operator.H @ y, x)) < 1e-14 * size
    assert_allclose(operator.H.toarray(), operator.toarray().conj().T, atol=1e-13 * size)


@pytest.mark.parametrize("dtype", DTYPES)
def test_precisions(dtype):
    """Every operator computes in its precision, with values that are rounded once."""
    n, is_complex = 40, np.dtype(dtype).kind == "c"
    eps = np.finfo(dtype).eps
    builders = [dct, dst, hartley, haar, rfft, *([dft] if is_complex else [])]
    for build in builders:
        operator, exact = build(n, dtype=dtype), build(n, dtype="complex128" if is_complex else "d")
        assert operator.dtype == np.dtype(dtype)
        x = gaussian(np.random.default_rng(0), n, dtype)
        assert (operator @ x).dtype == np.dtype(dtype)
        assert_allclose(operator @ x, exact @ x, atol=10 * eps * np.linalg.norm(exact @ x))


@for_each("name", OPERATORS)
def test_files(name, tmp_path):
    operator = OPERATORS[name]
    operator.save(tmp_path / "operator.npz")
    loaded = load_operator(tmp_path / "operator.npz")
    for found, factor in zip(loaded.factors, operator.factors, strict=True):
        assert_array_equal(found.toarray(), factor.toarray())


@for_each("build", [dft, dct, dst, hartley, hadamard, haar, partial(dct, type=4)])
@pytest.mark.parametrize("n", [2, 64])
def test_solve(build, n):
    operator, x = build(n), np.random.default_rng(0).standard_normal(n)
    assert_allclose(operator.solve(operator @ x), x, rtol=0, atol=1e-12)


@for_each("n", [4, 8, 64, 1024])
def test_numbers_of_nonzeros(n):
    levels = n.bit_length() - 1
    assert hadamard(n).nnz == haar(n).nnz == dft(n).nnz == 2 * n * levels
    real = 4 * n * (levels - 1)
    for operator in (dct(n), dct(n, 3), dct(n, 4), dst(n), hartley(n), rfft(n, dtype="float64")):
        assert operator.nnz == real or (operator.shape[0] == n and n == 4 and operator.nnz <= 16)
    column = np.random.default_rng(0).standard_normal(n)
    assert circulant(column).nnz == min(2 * real, n * n)
    assert circulant(column + 1j).nnz == min(4 * n * levels, n * n)
    # never more than the dense matrix
    for operator in (dct(n + 1), dst(n + 1), dct(n - 1, 4), dft(n + 1), rfft(n - 1)):
        assert operator.nnz <= operator.shape[0] ** 2 + operator.shape[1] ** 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_kernels_of_every_namespace(asarray, dtype):
    c, r = KERNEL[:40].astype(dtype), KERNEL[24:].astype(dtype)
    image = KERNEL.reshape(8, 8).astype(dtype)
    for found, given, expected in [
        (circulant(asarray(c)), c, scipy.linalg.circulant(c)),
        (circulant(asarray(KERNEL.astype(dtype))), c, scipy.linalg.circulant(KERNEL)),
        (toeplitz(asarray(c), asarray(r)), c, scipy.linalg.toeplitz(c, r)),
        (convolution(asarray(c), 9), c, scipy.linalg.convolution_matrix(c, 9)),
        (kron(asarray(image), asarray(image)), c, np.kron(image, image)),
        (kron(circulant(asarray(c)), asarray(image)), c, np.kron(scipy.linalg.circulant(c), image)),
    ]:
        array = asarray(given)
        assert_like(found.toarray(), array, expected, atol=100 * np.finfo(dtype).eps)
