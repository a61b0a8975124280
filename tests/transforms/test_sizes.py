"""Every constructor at every size from 1 to 300, against SciPy on random vectors."""

import numpy as np
import pytest
import scipy.fft
import scipy.linalg
import scipy.signal
from numpy.testing import assert_allclose

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
)
from tests.arrays import FEW

SIZES = range(1, 301, 7 if FEW else 1)


def cas(X):
    spectrum = scipy.fft.fft(X)
    return spectrum.real - spectrum.imag


def averages_and_differences(X):
    parts = []
    while X.shape[1] % 2 == 0:
        parts.insert(0, (X[:, ::2] - X[:, 1::2]) / np.sqrt(2))
        X = (X[:, ::2] + X[:, 1::2]) / np.sqrt(2)
    return np.concatenate([X, *parts], axis=1)


# name -> (the operator of size n, the same of rows by another library, of complex rows)
TRANSFORMS = {
    "dft": (dft, scipy.fft.fft, True),
    "rfft": (rfft, scipy.fft.rfft, False),
    "real rfft": (
        lambda n: rfft(n, dtype="float64"),
        lambda X: scipy.fft.rfft(X).view("float64"),
        False,
    ),
    **{
        f"dct {t}": (lambda n, t=t: dct(n, t), lambda X, t=t: scipy.fft.dct(X, t), False)
        for t in (1, 2, 3, 4)
    },
    **{
        f"dst {t}": (lambda n, t=t: dst(n, t), lambda X, t=t: scipy.fft.dst(X, t), False)
        for t in (1, 2, 3, 4)
    },
    "hartley": (hartley, cas, False),
    "hadamard": (hadamard, lambda X: X @ scipy.linalg.hadamard(X.shape[1]), False),
    "haar": (haar, averages_and_differences, False),
    "kron": (
        lambda n: kron(dct(n), [[1.0], [2.0]]),
        lambda X: np.kron(scipy.fft.dct(X), [[1, 2]]),
        False,
    ),
}


def applies(name, n):
    if name == "hadamard":
        return n & (n - 1) == 0
    return n % 2 == 0 if name == "haar" else (name, n) != ("dct 1", 1)


def assert_near(found, expected):
    """Equal up to 1e-13 of the norm of each row."""
    assert found.shape == expected.shape
    size = np.linalg.norm(expected, axis=1, keepdims=True)
    assert_allclose(found / size, expected / size, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_of_every_size(name):
    build, expected, is_complex = TRANSFORMS[name]
    for n in filter(lambda n: applies(name, n), SIZES):
        X = np.random.default_rng(n).standard_normal((2, n))
        X = X[:1] + 1j * X[1:] if is_complex else X[:1]
        assert_near(build(n).apply(X), expected(X))


@pytest.mark.parametrize("is_complex", [False, True])
def test_convolutions_of_every_size(is_complex):
    for n in SIZES:
        random = np.random.default_rng(n)
        x, c, r = random.standard_normal((3, n))
        c = c + 1j * r if is_complex else c
        assert_near((circulant(c) @ x)[None], (scipy.linalg.circulant(c) @ x)[None])
        m = random.integers(1, 300)
        row = random.standard_normal(m)
        y = random.standard_normal(m)
        assert_near((toeplitz(c, row) @ y)[None], scipy.linalg.matmul_toeplitz((c, row), y)[None])
        mode = ["full", "same", "valid"][n % 3]
        kernel = c[: random.integers(1, n + 1)]
        expected = scipy.signal.convolve(x, kernel, mode, method="direct")
        assert_near((convolution(kernel, n, mode) @ x)[None], expected[None])
