"""There and back between our operators and those of pyfaust and lazylinop, where they are there."""

import warnings

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    PartialPermutation,
    recognize_factor,
)
from skfact.supports import Chain
from skfact.transforms import (
    circulant,
    convolution,
    dct,
    dft,
    dst,
    hadamard,
    kron,
    toeplitz,
    wavelet,
)

COLUMN = np.arange(1.0, 17.0)


def imported(name):
    """The library; it may warn of what it does not find itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


def from_faust(faust):
    return FactorizedOperator(
        [recognize_factor(faust.factors(i)) for i in range(faust.numfactors())]
    )


@pytest.mark.filterwarnings("ignore")
def test_fausts():
    pyfaust = imported("pyfaust")
    for faust, ours in [
        (pyfaust.dft(16), dft(16, norm="ortho")),
        (pyfaust.dct(16, normed=False), dct(16)),
        (pyfaust.dst(16, normed=False), dst(16)),
        (pyfaust.wht(16), hadamard(16, norm="ortho")),
        (pyfaust.circ(COLUMN), circulant(COLUMN)),
        (pyfaust.toeplitz(COLUMN, COLUMN[::-1] * 1.0), toeplitz(COLUMN, COLUMN[::-1])),
        (pyfaust.rand(12, 9), None),
    ]:
        there = from_faust(faust)
        assert_allclose(there.toarray(), faust.toarray(), atol=1e-12)
        if ours is not None:
            assert_allclose(ours.toarray(), faust.toarray(), atol=1e-7)  # wht is not more exact
            matrices = [scipy.sparse.csr_matrix(factor) for factor in ours.to_sparse()]
            assert_allclose(pyfaust.Faust(matrices).toarray(), ours.toarray(), atol=1e-12)
    factored = imported("pyfaust.fact").butterfly(scipy.linalg.hadamard(16).astype(float))
    for faust in (factored, pyfaust.dft(16, normed=False)):
        kinds = [type(factor) for factor in from_faust(faust).factors]
        assert kinds == [KroneckerFactor] * 4 + [PartialPermutation] * (faust is not factored)


@pytest.mark.filterwarnings("ignore")
def test_lazylinops():
    lazylinop = imported("lazylinop")
    signal, butterfly = imported("lazylinop.signal"), imported("lazylinop.butterfly")
    imported("pywt")
    images = kron(dct(4, norm="ortho"), dst(4, norm="ortho"))
    for lazy, ours in [
        (signal.dft(16), dft(16, norm="ortho")),
        (signal.dct(16), dct(16, norm="ortho")),
        (signal.dst(16), dst(16, norm="ortho")),
        (butterfly.fwht(16), hadamard(16, norm="ortho")),
        (signal.convolve(16, COLUMN[:5]), convolution(COLUMN[:5], 16)),
        (signal.dwt(16, "db2", mode="periodization", level=2), wavelet(16, "db2", 2)),
        (lazylinop.kron(signal.dct(4), signal.dst(4)), images),
    ]:
        assert_allclose(ours.toarray(), lazy.toarray(), atol=1e-12)
        assert_allclose(lazylinop.aslazylinop(ours).toarray(), ours.toarray(), atol=1e-12)


@pytest.mark.filterwarnings("ignore")
def test_values_and_chains_of_lazylinop():
    butterfly = imported("lazylinop.butterfly")
    random = np.random.default_rng(0)
    chain = Chain.monarch(12, 20)
    values = [random.standard_normal(tuple(pattern)) for pattern in chain]  # (a, b, c, d)
    lazy = butterfly.ksm(values)
    op = FactorizedOperator(
        [KroneckerFactor(v.transpose(0, 3, 1, 2), v.shape) for v in lazy.ks_values]
    )
    assert_allclose(op.toarray(), lazy.toarray(), atol=1e-12)
    back = butterfly.ksm([factor.values.transpose(0, 2, 3, 1) for factor in op.factors])
    assert_array_equal(back.toarray(), lazy.toarray())
    theirs = butterfly.Chain([tuple(pattern) for pattern in chain])
    assert Chain(theirs.ks_patterns) == chain
    dyadic = butterfly.Chain.square_dyadic((16, 16))
    assert Chain(dyadic.ks_patterns) == Chain.butterfly(16)
