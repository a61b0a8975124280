"""Wavelet transforms, against PyWavelets."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.transforms import haar, wavelet
from tests.asserts import for_each


@for_each("n", [2, 4, 6, 24, 32, 96, 512])
@pytest.mark.filterwarnings("ignore:Level value")
def test_coefficients_are_those_of_pywavelets(n):
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(0).standard_normal(n)
    for name in ("haar", "db2", "db7", "sym5", "coif2"):
        for level in range(1, (n & -n).bit_length()):
            op = wavelet(n, name, level)
            expected = np.concatenate(pywt.wavedec(x, name, "periodization", level))
            assert_allclose(op @ x, expected, rtol=0, atol=1e-13 * np.linalg.norm(x))
            k = pywt.Wavelet(name).dec_len
            assert name == "haar" or op.nnz <= (2 * k + level) * n
    assert_allclose(haar(n, 1) @ x, wavelet(n, "db1", 1) @ x, atol=1e-14 * np.linalg.norm(x))


def test_every_even_size():
    pywt = pytest.importorskip("pywt")
    for n in range(2, 301, 2):
        x = np.random.default_rng(n).standard_normal(n)
        expected = np.concatenate(pywt.dwt(x, "db3", "periodization"))
        assert_allclose(wavelet(n, "db3", 1) @ x, expected, rtol=0, atol=1e-13 * np.linalg.norm(x))


def test_the_level_is_pywavelets_where_the_size_allows_it():
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(0).standard_normal(256)
    expected = np.concatenate(pywt.wavedec(x, "db4", "periodization"))
    assert_allclose(wavelet(256, "db4") @ x, expected, atol=1e-12)
    assert len(wavelet(24, "db4").factors) == 1  # only 3 samples would be left by 3 levels


def test_orthogonal():
    pytest.importorskip("pywt")
    for op in (haar(48), wavelet(48, "db3"), wavelet(8, "db10", 3)):
        assert_allclose((op.T @ op).toarray(), np.eye(op.shape[0]), atol=1e-11)


def test_without_pywavelets(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pywt", None)
    with pytest.raises(ImportError, match=r"skfact\[wavelet\]"):
        wavelet(64, "db2")
    assert wavelet(64, "haar").shape == (64, 64)
