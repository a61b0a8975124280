"""The operator as a linear map: products, adjoint, algebra, dtypes, libraries."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, clone

from skfact._backend import to_numpy
from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    PartialPermutation,
    SparseFactor,
    least_squares_codes,
)
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each

TOLERANCE = {"float32": 2e-5, "float64": 1e-13, "complex64": 2e-5, "complex128": 1e-13}


def assert_close(got, expected, dtype="float64"):
    got, expected = to_numpy(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-300)
    np.testing.assert_allclose(got / scale, expected / scale, atol=10 * TOLERANCE[dtype])


@for_each("dtype", DTYPES)
@for_each("permuted", [False, True])
def test_adjoint_dot_product(chain, dtype, permuted, make_operator, as_dense):
    op = make_operator(chain, dtype, permuted=permuted)
    m, n = op.shape
    rng = np.random.default_rng(4)
    x, y = gaussian(rng, n, dtype), gaussian(rng, m, dtype)
    left, right = np.vdot(op.matvec(x), y), np.vdot(x, op.rmatvec(y))
    scale = np.abs(as_dense(op)).sum() * np.abs(x).max() * np.abs(y).max()
    assert abs(left - right) <= TOLERANCE[dtype] * scale
    # with the same matrix multiplied out, an adjoint that is wrong twice over would be seen
    assert_close(op.matvec(x), as_dense(op) @ x, dtype)
    assert_close(op.rmatvec(y), as_dense(op).conj().T @ y, dtype)


@for_each("permuted", [False, True])
@for_each("dtype", DTYPES)
def test_every_product_on_every_library(asarray, dtype, permuted, make_operator, as_dense):
    host = make_operator(Chain.deformable((2, 3), (3, 4), 2), dtype, permuted=permuted)
    matrix = as_dense(host)
    m, n = matrix.shape
    rng = np.random.default_rng(5)
    X = rng.standard_normal((n, 7)).astype(dtype)
    Y = rng.standard_normal((m, 7)).astype(dtype)
    given = asarray(X)
    op = host.to_device(given)
    assert op.dtype == given.dtype
    for got, expected in [
        (op.matmat(asarray(X)), matrix @ X),
        (op @ asarray(X), matrix @ X),
        (op.apply(asarray(X.T)), (matrix @ X).T),
        (op.matvec(asarray(X[:, 0])), matrix @ X[:, 0]),
        (op @ asarray(X[:, 0]), matrix @ X[:, 0]),
        (op.rmatvec(asarray(Y[:, 0])), matrix.conj().T @ Y[:, 0]),
        (op.rmatmat(asarray(Y)), matrix.conj().T @ Y),
        (op.toarray(), matrix),
        (op.T.toarray(), matrix.T),
        (op.H.toarray(), matrix.conj().T),
        (op.conj().toarray(), matrix.conj()),
        ((2 * op).toarray(), 2 * matrix),
        ((op / 4.0).toarray(), matrix / 4),
        ((-op).toarray(), -matrix),
        ((op.H @ op).toarray(), matrix.conj().T @ matrix),
        (op.fuse(1).toarray(), matrix),
        (op.fuse().toarray(), matrix),
    ]:
        assert_like(got, given, dtype=dtype)
        assert_close(got, expected, dtype)
    assert op.to_device("numpy").to_device(asarray(X)).dtype == op.dtype
    assert_close(op.to_device("numpy").toarray(), matrix, dtype)


@for_each("batch", [0, 1, 2, 5, 16, 130, 300])
def test_batches_of_every_size(chain, batch, make_operator, as_dense):
    op = make_operator(chain, permuted=True)
    X = np.random.default_rng(6).standard_normal((op.shape[1], batch))
    assert_close(op.matmat(X), as_dense(op) @ X)
    rows = op.apply(X.T)
    assert rows.flags.c_contiguous
    assert_close(rows, (as_dense(op) @ X).T)


def test_batches_beyond_one_tile(monkeypatch, make_operator, as_dense):
    monkeypatch.setattr("skfact.operators._products.TILE_BYTES", 1)
    op = make_operator(Chain.butterfly(8), permuted=True)
    X = np.random.default_rng(7).standard_normal((op.shape[1], 100))
    assert_close(op.matmat(X), as_dense(op) @ X)
    assert_close(op.apply(X.T), (as_dense(op) @ X).T)


def test_array_on_the_left(make_operator, as_dense):
    op = make_operator(Chain.monarch(6, 4), "complex128")
    Y = np.random.default_rng(8).standard_normal((3, 6))
    assert_close(Y @ op, Y @ as_dense(op))
    assert_close(Y[0] @ op, Y[0] @ as_dense(op))
    assert_close((np.float64(2) * op).toarray(), 2 * as_dense(op))


def test_products_of_operators(make_operator, as_dense):
    left, right = make_operator(Chain.monarch(6, 4)), make_operator(Chain.low_rank(4, 5, 2))
    product = left @ right
    assert len(product.factors) == len(left.factors) + len(right.factors)
    assert product.nnz == left.nnz + right.nnz
    assert_close(product.toarray(), as_dense(left) @ as_dense(right))
    with pytest.raises(ValueError, match="do not fit"):
        right @ left


@pytest.mark.parametrize("scalar", [3, 2.5, np.float32(2), np.int8(3), True, np.array(2.0), 1 + 2j])
def test_multiples(scalar, make_operator, as_dense):
    op = make_operator(Chain.butterfly(4), "float32")
    assert_close((scalar * op).toarray(), scalar * as_dense(op), "float32")
    assert_close((op * scalar).toarray(), scalar * as_dense(op), "float32")
    assert_close((op / scalar).toarray(), as_dense(op) / scalar, "float32")
    assert (scalar * op).dtype == (np.complex64 if isinstance(scalar, complex) else np.float32)
    assert (+op).toarray().tolist() == op.toarray().tolist()


@pytest.mark.parametrize("other", ["a", None, [1, 2], np.ones(3), {}])
def test_multiples_by_something_else(other, make_operator):
    op = make_operator(Chain.butterfly(4))
    for product in (lambda: op * other, lambda: other * op, lambda: op / other):
        with pytest.raises(TypeError, match=r"unsupported|multiply|ufuncs"):
            product()
    with pytest.raises(ZeroDivisionError):
        op / 0


def test_selections_alone():
    op = FactorizedOperator([PartialPermutation([2, 0, -1], 3), PartialPermutation([0, 1, 2], 4)])
    matrix = np.array([[0, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert (op.nnz, op.density, op.dtype) == (0, 0.0, np.float64)
    assert_close(op.toarray(), matrix)
    assert_close((3 * op).toarray(), 3 * matrix)
    assert op.astype("float32").toarray().dtype == np.float32
    (sparse,) = op.to_sparse()
    assert_close(sparse.toarray(), matrix)
    assert_close(op.apply(scipy.sparse.eye_array(4).tocsr()), matrix.T)
    crop = FactorizedOperator([PartialPermutation([0, 1], 3)])
    X = np.arange(9.0).reshape(3, 3)
    assert not np.shares_memory(crop.matmat(X), X)
    assert not np.shares_memory(crop.apply(X), X)
    assert not np.shares_memory(crop.matvec(X[0]), X)
    assert_close(crop.apply(X), X[:, :2])


def test_dense_and_sparse_factors():
    rng = np.random.default_rng(9)
    A, B = rng.standard_normal((3, 4)), rng.standard_normal((4, 5))
    op = FactorizedOperator([A, scipy.sparse.csc_matrix(B), np.eye(5, dtype=int)])
    assert [type(factor) for factor in op.factors] == [
        KroneckerFactor,
        SparseFactor,
        KroneckerFactor,
    ]
    assert_close(op.toarray(), A @ B)
    assert_close(op.T.toarray(), (A @ B).T)
    assert_close(op.matmat(np.eye(5, 40)), A @ B @ np.eye(5, 40))
    with pytest.raises(TypeError, match="dense 2-D array"):
        op.to_device(__import__("array_api_strict").ones(1))


def test_factors_take_a_common_dtype():
    op = FactorizedOperator(
        [np.eye(2, dtype="float32"), PartialPermutation([1, 0], 2), np.eye(2, dtype="complex64")]
    )
    assert op.dtype == np.complex64
    assert {factor.dtype for factor in op.factors if factor.dtype is not None} == {op.dtype}


@for_each("of_X", [*DTYPES, "int32", "bool", "uint8"])
@for_each("of_op", DTYPES)
def test_promotion(of_op, of_X, make_operator, asarray):
    op = make_operator(Chain.butterfly(4), of_op)
    X = np.ones((4, 2), of_X)
    expected = np.result_type(of_op, of_X) if of_X in DTYPES else np.dtype(of_op)
    given = asarray(X)
    got = op.to_device(given).matmat(given)
    assert_like(got, given, dtype=expected.name)
    assert_close(got, op.toarray() @ X, "float32")


def test_lists_are_arrays(make_operator, as_dense):
    op = make_operator(Chain.butterfly(4))
    assert_close(op @ [1, 2, 3, 4], as_dense(op) @ [1, 2, 3, 4])
    assert_close(op.apply([[1, 2, 3, 4]]), [as_dense(op) @ [1, 2, 3, 4]])


@pytest.mark.parametrize("layout", ["C", "F", "strided", "reversed", "read-only", "memmap", ">f8"])
def test_layouts(layout, tmp_path, make_operator, as_dense):
    op = make_operator(Chain.butterfly(12), permuted=True)
    X = np.random.default_rng(10).standard_normal((op.shape[1], 9))
    expected = as_dense(op) @ X
    if layout == "strided":
        wide = np.zeros((2 * X.shape[0], 27))
        wide[::2, ::3] = X
        laid = wide[::2, ::3]
    elif layout == "reversed":
        laid = np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
    elif layout == "memmap":
        laid = np.memmap(tmp_path / "X", dtype=float, shape=X.shape, mode="w+")
        laid[:] = X
    elif layout == ">f8":
        laid = X.astype(">f8")
    else:
        laid = np.array(X, order="F" if layout == "F" else "C")
    if layout == "read-only":
        laid.flags.writeable = False
    before = np.array(laid)
    assert_close(op.matmat(laid), expected)
    assert_close(op.apply(laid.T), expected.T)
    assert_close(op.matvec(laid[:, 1]), expected[:, 1])
    assert type(op.matmat(laid)) is np.ndarray
    np.testing.assert_array_equal(laid, before)


def test_misaligned_input(make_operator, as_dense):
    op = make_operator(Chain.butterfly(4))
    X = np.frombuffer(bytes(1) + np.arange(8.0).tobytes(), offset=1).reshape(4, 2)
    assert not X.flags.aligned
    assert_close(op.matmat(X), as_dense(op) @ X)


def test_nan_propagates(make_operator):
    op = make_operator(Chain.butterfly(8))
    X = np.ones((8, 3))
    X[2, 1] = np.nan
    Y = op.matmat(X)
    assert np.isnan(Y[:, 1]).all()
    assert np.isfinite(Y[:, [0, 2]]).all()


@pytest.mark.parametrize("dtype", ["float16", "longdouble", "object", "U1", "datetime64[s]"])
def test_dtypes_refused(dtype, make_operator):
    op = make_operator(Chain.butterfly(4))
    with pytest.raises(TypeError, match=r"X has dtype .*astype"):
        op.matmat(np.ones((4, 1)).astype(dtype))


@pytest.mark.parametrize(
    "call, array, message",
    [
        ("apply", np.ones(4), "X must be 2-D"),
        ("apply", np.ones((2, 5)), r"shape \(2, 5\).* axis 1 must have length 4"),
        ("apply", np.ones((1, 1, 4)), "X must be 2-D"),
        ("apply", np.float64(3), "X must be 2-D"),
        ("matvec", np.ones((4, 2)), "one vector.*matmat"),
        ("matvec", np.ones((1, 4)), "axis 0 must have length 4"),
        ("matvec", np.float64(3), "x must be 1-D or 2-D"),
        ("matvec", np.ones(5), "length 4"),
        ("rmatvec", np.ones(5), "length 8"),
        ("matmat", np.ones(4), "X must be 2-D"),
        ("matmat", np.ones((5, 2)), "axis 0 must have length 4"),
        ("rmatmat", np.ones((4, 2)), "axis 0 must have length 8"),
        ("__matmul__", np.ones((1, 4, 2)), "1-D or 2-D"),
        ("__matmul__", np.ones(3), "length 4"),
        ("__rmatmul__", np.ones(4), "length 8"),
    ],
)
def test_shapes_refused(call, array, message, make_operator):
    op = make_operator(Chain.monarch(8, 4))
    with pytest.raises(ValueError, match=message):
        getattr(op, call)(array)


@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="the library of the operator")
def test_other_libraries_are_refused(asarray, make_operator):
    op = make_operator(Chain.butterfly(4))
    for array in (asarray(np.ones((4, 2))),):
        with pytest.raises(ValueError, match="must use the same namespace"):
            op.matmat(array)
        with pytest.raises(ValueError, match="must use the same namespace"):
            op.to_device(array).matmat(np.ones((4, 2)))
        with pytest.raises(ValueError, match="must use the same namespace"):
            FactorizedOperator([*op.factors, asarray(np.eye(4))])


def test_other_devices_are_refused(make_operator):
    strict = pytest.importorskip("array_api_strict")
    there = strict.ones((4, 2), dtype=strict.float64, device=strict.Device("device1"))
    here = strict.ones((4, 2), dtype=strict.float64)
    op = make_operator(Chain.butterfly(4)).to_device(there)
    with pytest.raises(ValueError, match="to_device"):
        op.matmat(here)
    with pytest.raises(ValueError, match="one device"):
        FactorizedOperator([*op.factors, here])
    assert to_numpy(op.to_device(here).matmat(here)).shape == (4, 2)


def test_messages_name_what_was_given_and_what_to_do(make_operator):
    op = make_operator(Chain.butterfly(4))
    with pytest.raises(TypeError, match=r"right operand of @ has dtype <U1.*\['x'\]") as text:
        op @ ["x"]
    assert "astype" not in str(text.value)
    with pytest.raises(TypeError, match=r"left operand of @ has dtype object.*\[None\]"):
        [None] @ op
    for call in (op.matmat, op.apply, op.__matmul__, op.__rmatmul__, op.solve):
        with pytest.raises(ValueError, match="is no rectangular array of numbers"):
            call([[1, 2], [3]])
    with pytest.raises(TypeError, match=r"is a masked array.*pass its \.filled"):
        op @ np.ma.masked_less(np.ones((4, 1)), 0)
    with pytest.raises(ValueError, match=r"factors\[0\] is no rectangular array"):
        FactorizedOperator([[[1], [2, 3]]])


def test_advice_for_tensors_is_code_of_torch(make_operator):
    torch = pytest.importorskip("torch")
    op = make_operator(Chain.butterfly(4)).to_device(torch.ones(1))
    for dtype in (torch.float16, torch.bfloat16):
        with pytest.raises(TypeError, match=r"with \.to\(torch\.float64\)\."):
            op @ torch.ones((4, 1), dtype=dtype)
    for call in (op.__matmul__, op.apply, lambda X: FactorizedOperator([X])):
        with pytest.raises(TypeError, match=r"is a sparse matrix.*\.to_dense\(\)"):
            call(torch.eye(4).to_sparse())
    x = torch.tensor([1 + 2j, 0, 0, 0])
    np.testing.assert_allclose(
        to_numpy(x.conj()), [1 - 2j, 0, 0, 0]
    )  # a view with the conjugate to be made


@pytest.mark.parametrize("where", [None, 3, [1.0], object(), np])
def test_to_device_of_no_device(where, make_operator):
    with pytest.raises(TypeError, match="where must be"):
        make_operator(Chain.butterfly(4)).to_device(where)


@pytest.mark.parametrize("op", [np.eye(3), None, "op", scipy.sparse.eye_array(3)])
def test_codes_of_no_operator(op):
    with pytest.raises(TypeError, match="op must be a FactorizedOperator or an OperatorSum"):
        least_squares_codes(op, np.eye(3))


@pytest.mark.parametrize(
    "factors, error, message",
    [
        (None, TypeError, "factors must be a sequence"),
        (3, TypeError, "factors must be a sequence"),
        ("ab", TypeError, "factors must be a sequence"),
        ({KroneckerFactor(np.ones((1, 1, 1, 1)), (1, 1, 1, 1))}, TypeError, "factors must be a"),
        ({"left": np.eye(2)}, TypeError, "factors must be a sequence"),
        (np.eye(2), TypeError, r"factors must be a.*wrap it, \[factors\]"),
        (scipy.sparse.eye_array(2), TypeError, r"factors must be a.*wrap it, \[factors\]"),
        ([], ValueError, "empty"),
        ([np.ones((2, 3)), np.ones((2, 3))], ValueError, r"factors\[0\] and factors\[1\]"),
        ([np.ones(3)], ValueError, r"factors\[0\] must be"),
        ([np.ones((0, 3))], ValueError, "at least one entry"),
        ([np.ones((2, 2), object)], TypeError, r"factors\[0\] has dtype object"),
        ([np.ones((2, 2), "float16")], TypeError, "astype"),
        (["butterfly"], TypeError, r"factors\[0\]"),
        ([None], TypeError, r"factors\[0\]"),
    ],
)
def test_constructor_refuses(factors, error, message):
    with pytest.raises(error, match=message):
        FactorizedOperator(factors)


@for_each("dtype", DTYPES)
def test_sparse_rows(chain, dtype, make_operator, as_dense):
    op = make_operator(chain, dtype, permuted=True)
    X = scipy.sparse.random_array((6, op.shape[1]), density=0.4, rng=0, format="coo")
    X = X.astype(dtype)
    expected = X.toarray() @ as_dense(op).T
    for rows in (X, X.tocsc(), scipy.sparse.csr_matrix(X)):
        got = op.apply(rows)
        assert type(got) is np.ndarray
        assert got.dtype == np.dtype(dtype)
        assert_close(got, expected, dtype)
    right = scipy.sparse.csr_array(X.T)
    left = scipy.sparse.random_array((3, op.shape[0]), density=0.4, rng=1).astype(dtype)
    for got, product in [
        (op @ right, expected.T),
        (op.matmat(right), expected.T),
        (op.rmatmat(left.T), as_dense(op).conj().T @ left.T.toarray()),
        (np.matmul(left, op), left @ as_dense(op)),  # S @ op asks SciPy alone
    ]:
        assert type(got) is np.ndarray
        assert_close(got, product, dtype)


def test_sparse_rows_refused(make_operator, asarray):
    op = make_operator(Chain.butterfly(4))
    for call in (op.apply, op.matmat, op.rmatmat, op.__matmul__, op.__rmatmul__):
        with pytest.raises(ValueError, match="must have length 4"):
            call(scipy.sparse.eye_array(5))
        with pytest.raises(TypeError, match="astype"):
            call(scipy.sparse.csr_array(np.eye(4, dtype="longdouble")))
        with pytest.raises(ValueError, match="must be 2-D"):
            call(scipy.sparse.coo_array(np.ones(4)))
    moved = op.to_device(asarray(np.ones(1)))
    if moved is not op:
        with pytest.raises(TypeError, match="to_device"):
            moved.apply(scipy.sparse.eye_array(4))
        with pytest.raises(TypeError, match="to_device"):
            moved @ scipy.sparse.eye_array(4)
    ints = scipy.sparse.csr_array(np.eye(4, dtype=int))
    assert op.astype("float32").apply(ints).dtype == np.float32


def test_to_sparse(chain, make_operator, as_dense):
    for permuted in (False, True):
        op = make_operator(chain, "complex64", permuted=permuted)
        matrices = op.to_sparse()
        assert len(matrices) == len(chain)
        product = np.eye(op.shape[0])
        for matrix in matrices:
            assert isinstance(matrix, scipy.sparse.csr_array)
            assert matrix.dtype == np.complex64
            product = product @ matrix.toarray()
        assert_close(product, as_dense(op), "complex64")


def test_astype(make_operator):
    op = make_operator(Chain.butterfly(4))
    assert op.astype("float64") is op
    assert op.astype(np.float32).dtype == np.float32
    assert op.astype("complex64").dtype == np.complex64
    with pytest.raises(TypeError, match="imaginary"):
        op.astype("complex64").astype("float64")
    for dtype in ("int32", "float16", None, "no such"):
        with pytest.raises(TypeError, match="dtype must be one of"):
            op.astype(dtype)


def test_to_device(make_operator):
    op = make_operator(Chain.butterfly(4))
    assert op.to_device("numpy") is op
    assert op.to_device(np.ones(1)) is op
    strict = pytest.importorskip("array_api_strict")
    assert op.to_device(strict.ones(1)) is op.to_device(strict.ones(3))  # made once
    for where in ("gpu", "auto", "CUPY"):
        with pytest.raises(ValueError, match="must be"):
            op.to_device(where)


def test_what_is_cached_for_torch_is_not_pickled(make_operator):
    torch = pytest.importorskip("torch")
    op = make_operator(Chain.butterfly(64))
    before = len(pickle.dumps(op))
    op.to_device(torch.ones(1))
    op.matmat(np.ones((64, 300)))
    op.matmat(np.ones((64, 1), "complex64"))
    op.rmatvec(np.ones(64))
    assert len(op._cache) == 2 and op._products._programs
    assert len(pickle.dumps(op)) == before
    for again in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
        assert again._cache == {}
        np.testing.assert_array_equal(again.toarray(), op.toarray())
        assert repr(again) == repr(op)
    assert len(op._cache) == 2 and op._products._programs


@for_each("permuted", [False, True])
def test_pickle_on_every_library(asarray, permuted, make_operator):
    op = make_operator(Chain.butterfly(6), permuted=permuted).to_device(asarray(np.ones(1)))
    matrix = op.toarray()
    assert_like(pickle.loads(pickle.dumps(op)).toarray(), matrix, to_numpy(matrix))


class Holder(BaseEstimator):
    def __init__(self, operator=None):
        self.operator = operator


def test_clone_of_an_estimator_that_holds_one(make_operator):
    op = make_operator(Chain.butterfly(4))
    again = clone(Holder(op)).operator
    np.testing.assert_array_equal(again.toarray(), op.toarray())


def test_representation_also_in_torch(make_operator):
    op = make_operator(Chain.butterfly(8), "float32")
    assert repr(op) == "FactorizedOperator(8 x 8, 3 factors, nnz=48, float32)"
    assert repr(op.to_device(pytest.importorskip("torch").ones(1))).endswith("float32, torch)")
    assert (op.ndim, op.shape, op.nnz, op.density) == (2, (8, 8), 48, 0.75)


@given(st.integers(1, 4), st.integers(0, 5), st.integers(0, 99))
def test_random_products_of_random_factors(length, batch, seed):
    """Any list of factors that fit, in any mixture, equals the product of its dense forms."""
    rng = np.random.default_rng(seed)
    factors, n = [], 12
    for _ in range(length):
        kind = rng.integers(4)
        if kind == 0:
            d = int(rng.choice([1, 3]))
            a = int(rng.choice([1, 2]))
            b, c = n // (a * d), int(rng.integers(1, 4))
            factors.append(KroneckerFactor(rng.standard_normal((a, d, b, c)), (a, b, c, d)))
        elif kind == 1:
            factors.append(PartialPermutation(rng.permutation(18)[:n], 18))
        elif kind == 2:
            factors.append(SparseFactor(scipy.sparse.random_array((n, 12), density=0.3, rng=rng)))
        else:
            factors.append(rng.standard_normal((n, 6)))
        n = factors[-1].shape[1]
        if n not in (6, 12, 18):
            factors.append(rng.standard_normal((n, 12)))
            n = 12
    op = FactorizedOperator(factors)
    matrix = np.eye(12)
    for factor in op.factors:
        matrix = matrix @ factor.to_csr().toarray()
    X = rng.standard_normal((n, batch))
    assert_close(op.matmat(X), matrix @ X)
    assert_close(op.apply(X.T), (matrix @ X).T)
    assert_close(op.T.toarray(), matrix.T)
    assert_close(op.fuse().toarray(), matrix)
    assert_close(op.fuse(1).toarray(), matrix)
