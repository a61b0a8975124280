"""The operator inside SciPy's solvers."""

import pickle

import numpy as np
import pytest
from array_api_compat import is_cupy_namespace
from scipy.sparse.linalg import LinearOperator, aslinearoperator, lsqr, onenormest, svds

from skfact._backend import array_namespace
from skfact.operators import FactorizedOperator
from skfact.supports import Chain

CHAINS = [Chain.butterfly(16), Chain.monarch(12, 20), Chain.low_rank(10, 9, 4)]


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("chain", CHAINS)
def test_svds(chain, dtype, make_operator, as_dense):
    op = make_operator(chain, dtype)
    U, s, Vh = svds(op.aslinearoperator(), k=3, rng=0)
    expected = np.linalg.svd(as_dense(op), compute_uv=False)
    np.testing.assert_allclose(np.sort(s)[::-1], expected[:3], rtol=1e-9)
    np.testing.assert_allclose(op.matmat(Vh.conj().T), U * s, atol=1e-9 * expected[0])


def test_operators_as_they_are(make_operator, as_dense):
    """SciPy wraps them itself, and passes columns to matvec."""
    op = make_operator(Chain.butterfly(16), "complex128")
    matrix = as_dense(op)
    expected = np.linalg.svd(matrix, compute_uv=False)
    s = svds(op, k=3, rng=0, return_singular_vectors=False)
    np.testing.assert_allclose(np.sort(s)[::-1], expected[:3], rtol=1e-9)
    assert onenormest(op + np.eye(16)) == pytest.approx(
        np.linalg.norm(matrix + np.eye(16), 1), rel=1e-9
    )
    x = np.ones((16, 1))
    np.testing.assert_allclose(op.matvec(x), matrix @ x)
    np.testing.assert_allclose(op.rmatvec(x), matrix.conj().T @ x)


@pytest.mark.parametrize("dtype", ["float64", "complex128"])
@pytest.mark.parametrize("chain", CHAINS)
def test_lsqr(chain, dtype, make_operator, as_dense):
    op = make_operator(chain, dtype)
    rng = np.random.default_rng(0)
    b = rng.standard_normal(op.shape[0]) + (1j if dtype == "complex128" else 0)
    x = lsqr(op.aslinearoperator(), b, atol=1e-14, btol=1e-14, conlim=0, iter_lim=2000)[0]
    matrix = as_dense(op)
    np.testing.assert_allclose(
        matrix.conj().T @ (matrix @ x), matrix.conj().T @ b, atol=1e-6 * np.abs(matrix).sum()
    )


def test_products_and_forms(make_operator, as_dense):
    op = make_operator(Chain.monarch(12, 20), "complex64")
    matrix = as_dense(op)
    linear = op.aslinearoperator()
    assert isinstance(linear, LinearOperator)
    assert aslinearoperator(linear) is linear
    assert (linear.shape, linear.dtype) == (op.shape, np.complex64)
    rng = np.random.default_rng(1)
    X = rng.standard_normal((20, 3)).astype("complex64")
    Y = rng.standard_normal((12, 3)).astype("complex64")
    for got, expected in [
        (linear @ X, matrix @ X),
        (linear @ X[:, 0], matrix @ X[:, 0]),
        (linear @ X[:, :1], matrix @ X[:, :1]),
        (linear.rmatmat(Y), matrix.conj().T @ Y),
        (linear.rmatvec(Y[:, 0]), matrix.conj().T @ Y[:, 0]),
        (linear.H @ Y, matrix.conj().T @ Y),
        (linear.T @ Y, matrix.T @ Y),
        ((2 * linear) @ X, 2 * matrix @ X),
        ((linear.H @ linear) @ X, matrix.conj().T @ matrix @ X),
    ]:
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
    again = pickle.loads(pickle.dumps(linear))
    np.testing.assert_array_equal(again @ X, linear @ X)


def test_one_matmat_is_one_batched_product(monkeypatch, make_operator):
    op = make_operator(Chain.butterfly(8))
    calls = []
    for name in ("matmat", "matvec"):
        original = getattr(FactorizedOperator, name)

        def counted(self, X, name=name, original=original):
            calls.append((name, np.shape(X)))
            return original(self, X)

        monkeypatch.setattr(FactorizedOperator, name, counted)
    linear = op.aslinearoperator()
    _ = linear @ np.ones((8, 5))
    _ = linear.rmatmat(np.ones((8, 4)))
    _ = linear.H @ np.ones((8, 3))
    assert calls == [("matmat", (8, 5)), ("matmat", (8, 4)), ("matmat", (8, 3))]


def test_only_scipy_and_cupy_have_solvers(asarray, xp, make_operator):
    op = make_operator(Chain.butterfly(4)).to_device(asarray(np.ones(1)))
    if array_namespace(np.ones(1)) is xp or is_cupy_namespace(xp):
        X = asarray(np.ones((4, 2)))
        assert (op.aslinearoperator() @ X).shape == (4, 2)
    else:
        with pytest.raises(TypeError, match="to_device"):
            op.aslinearoperator()
