"""The chains of Fourier transforms, each way to make them, against the dense matrix."""

import numpy as np
import scipy.linalg
from numpy.testing import assert_allclose

from skfact.transforms._fourier.chirp import complex_chirp, real_chirp
from skfact.transforms._fourier.circular import complex_circulant, real_circulant
from skfact.transforms._fourier.cooley_tukey import (
    as_real,
    complex_fourier,
    complex_pairs,
    real_fourier,
    real_radices,
)
from skfact.transforms._fourier.sizes import fast_size, real_nnz
from tests.asserts import for_each

SIZES = [1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 18, 27, 30, 49, 60, 64]


def dft_matrix(n):
    j = np.arange(n)
    return np.exp(-2j * np.pi / n * (j[:, None] * j % n))


@for_each("n", SIZES)
def test_complex_factors(n):
    F = dft_matrix(n)
    for M in (n, 2 * n):
        stages = complex_chirp(n, M * 2)
        assert_allclose(stages.operator("complex128").toarray(), F, atol=1e-12)
    assert_allclose(complex_fourier(n).operator("complex128").toarray(), F, atol=1e-13 * n)


@for_each("n", SIZES)
def test_spectra_of_real_samples(n):
    F = dft_matrix(n)
    radices = real_radices(n)
    for spectrum in (
        real_fourier(n, radices),
        real_fourier(n, (n,)),
        real_fourier(n, radices[:1] + radices[:0:-1]),
        real_chirp(n, 2 * n, is_complex=False),
    ):
        slots = np.nonzero(spectrum.frequency >= 0)[0]
        f, T = spectrum.frequency[slots], len(spectrum.frequency)
        assert sorted(np.minimum(f, n - f)) == list(range(n // 2 + 1 - spectrum.merged))
        stages = spectrum.stages(np.arange(2 * T), np.arange(n))
        R = stages.operator("float64").toarray()
        imaginary = F.imag[f].copy()
        if spectrum.merged:
            imaginary[0] = F.real[n // 2]
        assert_allclose(R[slots], F.real[f], atol=1e-12)
        assert_allclose(R[T + slots], imaginary, atol=1e-12)
    assert real_fourier(n, radices).stages(np.arange(1), np.arange(n)).nnz == real_nnz(n)


@for_each("n", SIZES)
def test_spectra_of_complex_samples_in_real_factors(n):
    F = dft_matrix(n)
    for spectrum in (complex_pairs(n), real_chirp(n, 2 * n, is_complex=True)):
        slots = np.nonzero(spectrum.frequency >= 0)[0]
        T = len(spectrum.frequency)
        stages = spectrum.stages(np.arange(2 * T), np.arange(2 * n).reshape(n, 2))
        found = stages.operator("float64").toarray()[np.append(slots, T + slots)]
        expected = as_real(F[None, spectrum.frequency[slots]])[0]
        assert_allclose(found, expected, atol=1e-12)


@for_each("n", SIZES)
def test_circulants(n):
    c = np.random.default_rng(n).standard_normal(n)
    found = real_circulant(c).operator("float64").toarray()
    assert_allclose(found, scipy.linalg.circulant(c), atol=1e-13 * n)
    found = complex_circulant(c * 1j).operator("complex128").toarray()
    assert_allclose(found, scipy.linalg.circulant(c * 1j), atol=1e-13 * n)


@for_each("n", [1, 2, 3, 7, 100, 257, 1000, 2**20 + 1])
def test_fast_sizes(n):
    for is_complex in (False, True):
        size = fast_size(n, is_complex=is_complex)
        assert n <= size <= max(2, 2 * n) and size % 2 == 0
