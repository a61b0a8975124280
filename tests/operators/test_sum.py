"""Sums of operators: the algebra of matrices, with the interface of an operator."""

import copy
import gc
import pickle
import weakref

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator, svds

from skfact._backend import to_numpy
from skfact.operators import (
    FactorizedOperator,
    OperatorSum,
    PartialPermutation,
    SparseFactor,
    least_squares_codes,
    load_operator,
)
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each

TOLERANCE = {"float32": 1e-5, "float64": 1e-13, "complex64": 1e-5, "complex128": 1e-13}


def assert_close(got, expected, dtype="float64"):
    got, expected = to_numpy(got), np.asarray(expected)
    assert got.shape == expected.shape
    scale = np.abs(expected).max(initial=1e-300)
    np.testing.assert_allclose(got / scale, expected / scale, atol=10 * TOLERANCE[dtype])


def random_sum(make_operator, dtype="float64"):
    """Three terms (7, 6) that nothing fuses."""
    return OperatorSum(
        [
            make_operator(Chain.low_rank(7, 6, 2), dtype, 1),
            make_operator(Chain.monarch(7, 6), dtype, 2),
            make_operator(Chain.dense(7, 6), dtype, 3),
        ]
    )


def dense_sum(op):
    return sum(term.toarray() for term in op.terms)


@for_each("dtype", DTYPES)
def test_every_product_on_every_library(asarray, dtype, make_operator):
    host = random_sum(make_operator, dtype)
    matrix = dense_sum(host)
    rng = np.random.default_rng(5)
    X, Y = gaussian(rng, (6, 4), dtype), gaussian(rng, (7, 4), dtype)
    given = asarray(X)
    op = host.to_device(given)
    assert op.dtype == given.dtype
    adjoint = matrix.conj().T
    for got, expected in [
        (op.matmat(asarray(X)), matrix @ X),
        (op @ asarray(X), matrix @ X),
        (op.apply(asarray(X.T)), (matrix @ X).T),
        (op.matvec(asarray(X[:, 0])), matrix @ X[:, 0]),
        (op @ asarray(X[:, 0]), matrix @ X[:, 0]),
        (op.rmatvec(asarray(Y[:, 0])), adjoint @ Y[:, 0]),
        (op.rmatmat(asarray(Y)), adjoint @ Y),
        (op.toarray(), matrix),
        (op.T.toarray(), matrix.T),
        (op.H.toarray(), adjoint),
        (op.conj().toarray(), matrix.conj()),
        ((2 * op).toarray(), 2 * matrix),
        ((op / 4.0).toarray(), matrix / 4),
        ((-op).toarray(), -matrix),
        ((op + op.terms[0]).toarray(), matrix + host.terms[0].toarray()),
        ((op.terms[0] - op).toarray(), host.terms[0].toarray() - matrix),
        ((op + asarray(matrix)).toarray(), 2 * matrix),
        ((op.H @ op).toarray(), adjoint @ matrix),
        (op.fuse(1).toarray(), matrix),
        (op.fuse().toarray(), matrix),
    ]:
        assert_like(got, given, dtype=dtype)
        assert_close(got, expected, dtype)
    assert_close(op.to_device("numpy").toarray(), matrix, dtype)


@for_each("dtype", DTYPES)
def test_adjoint_dot_product(dtype, make_operator):
    op = random_sum(make_operator, dtype)
    rng = np.random.default_rng(4)
    x, y = gaussian(rng, 6, dtype), gaussian(rng, 7, dtype)
    left, right = np.vdot(op.matvec(x), y), np.vdot(x, op.rmatvec(y))
    scale = np.abs(dense_sum(op)).sum() * np.abs(x).max() * np.abs(y).max()
    assert abs(left - right) <= TOLERANCE[dtype] * scale


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kinds=st.lists(st.sampled_from(["dense", "sparse", "low rank", "selection"]), min_size=1),
    signs=st.lists(st.booleans(), min_size=9, max_size=9),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_of_any_kinds_are_sums_of_matrices(shape, kinds, signs, seed):
    rng = np.random.default_rng(seed)
    m, n = shape
    op, matrix = 0, np.zeros(shape)
    for kind, plus in zip(kinds, signs, strict=False):
        dense = rng.standard_normal(shape)
        if kind == "dense":
            term = FactorizedOperator([dense])
        elif kind == "sparse":
            term = FactorizedOperator([scipy.sparse.csr_array(dense * (dense > 0.5))])
        elif kind == "low rank":
            term = FactorizedOperator([dense[:, :1], dense[:1]])
        else:
            index = np.full(m, -1)
            index[: min(m, n)] = rng.permutation(n)[:m]
            term = FactorizedOperator([PartialPermutation(index, n)])
        op = op + term if plus else op - term
        matrix = matrix + term.toarray() if plus else matrix - term.toarray()
    assert_close(op.toarray(), matrix)
    X = rng.standard_normal((n, 3))
    scale = 1 + np.abs(matrix).sum()
    np.testing.assert_allclose(op.matmat(X), matrix @ X, atol=1e-13 * scale)
    np.testing.assert_allclose(op.apply(X.T), (matrix @ X).T, atol=1e-13 * scale)
    sparse = scipy.sparse.csr_array(X * (X > 0))
    np.testing.assert_allclose(op @ sparse, matrix @ sparse, atol=1e-13 * scale)
    np.testing.assert_allclose(op.apply(sparse.T), (matrix @ sparse).T, atol=1e-13 * scale)
    np.testing.assert_allclose(op.T.toarray(), matrix.T, atol=1e-13 * scale)


def test_sums_are_flat(make_operator):
    a, b, c = random_sum(make_operator).terms
    for op in ((a + b) + c, a + (b + c), OperatorSum([OperatorSum([a, b]), c]), sum([a, b, c])):
        assert op.terms == (a, b, c)
        assert op.nnz == a.nnz + b.nnz + c.nnz
        assert op.density == op.nnz / 42
    assert (a - (b + c)).terms[0] is a
    assert len((a - (b + c)).terms) == 3
    assert repr(a + b) == f"OperatorSum(7 x 6, 2 terms, nnz={a.nnz + b.nnz}, float64)"
    assert repr(OperatorSum([a])).startswith("OperatorSum(7 x 6, 1 term, ")
    assert (+(a + b)).terms == (a, b)


def test_products_of_sums_are_sums_of_products(make_operator):
    op, right = random_sum(make_operator), make_operator(Chain.monarch(6, 4))
    left = make_operator(Chain.monarch(4, 7))
    product = left @ op @ right
    assert isinstance(product, OperatorSum)
    assert len(product.terms) == 3
    assert_close(product.toarray(), left.toarray() @ dense_sum(op) @ right.toarray())
    square = op.T @ op
    assert len(square.terms) == 9
    assert_close(square.toarray(), dense_sum(op).T @ dense_sum(op))
    with pytest.raises(ValueError, match="do not fit"):
        op @ op


@pytest.mark.parametrize(
    "kind", ["array", "list", "int array", "csr", "coo int", "matrix", "factor"]
)
def test_matrices_become_terms(kind, make_operator):
    op = make_operator(Chain.dense(4, 3), "float32")
    matrix = np.arange(12).reshape(4, 3) % 5
    other = {
        "array": matrix.astype("float32"),
        "list": matrix.tolist(),
        "int array": matrix.astype("uint8"),
        "csr": scipy.sparse.csr_array(matrix, dtype="float32"),
        "coo int": scipy.sparse.coo_array(matrix),
        "matrix": scipy.sparse.csc_matrix(matrix.astype("float32")),
        "factor": SparseFactor(scipy.sparse.csr_array(matrix, dtype="float32")),
    }[kind]
    dense = op.toarray()
    pairs = [(op + other, dense + matrix), (op - other, dense - matrix)]
    if kind != "factor":  # a factor on the left has no algebra
        pairs += [(other + op, dense + matrix), (other - op, matrix - dense)]
    for got, expected in pairs:
        assert got.dtype == np.float32
        assert len(got.terms) == 2
        assert_close(got.toarray(), expected, "float32")
        sparse = kind not in ("array", "list", "int array")
        assert any(isinstance(t.factors[0], SparseFactor) for t in got.terms) == sparse


@for_each("other", DTYPES)
@for_each("dtype", DTYPES)
def test_terms_take_a_common_dtype(dtype, other, make_operator):
    left = make_operator(Chain.butterfly(4), dtype)
    right = make_operator(Chain.butterfly(4), other, seed=1)
    got = left + right
    assert got.dtype == np.result_type(dtype, other)
    assert {term.dtype for term in got.terms} == {got.dtype}
    assert_close(got.toarray(), left.toarray() + right.toarray(), "float32")
    X = np.ones((4, 2), dtype)
    assert (got @ X).dtype == got.dtype


def test_selections_take_the_dtype_of_the_others():
    identity = FactorizedOperator([PartialPermutation([0, 1], 2)])
    assert identity.dtype == np.float64
    for dtype in DTYPES:
        for selection in (identity, identity.astype("complex64")):
            assert (FactorizedOperator([np.ones((2, 2), dtype)]) + selection).dtype == dtype
    assert (identity.astype("complex64") + identity.astype("float32")).dtype == np.complex64
    np.testing.assert_array_equal((identity - identity).toarray(), np.zeros((2, 2)))
    X = np.ones((2, 2))
    assert not np.shares_memory((identity + identity) @ X, X)
    np.testing.assert_array_equal(X, np.ones((2, 2)))


def test_zero_is_neutral_and_no_other_number(make_operator):
    op = make_operator(Chain.butterfly(4))
    assert op + 0 is op
    assert 0 + op is op
    assert op - 0.0 is op
    assert_close((0 - op).toarray(), -op.toarray())
    for call in (lambda: op + 1, lambda: np.float64(2) + op, lambda: op - 1j, lambda: True - op):
        with pytest.raises(TypeError, match="multiple of the identity"):
            call()


def test_linear_operators_stay_linear_operators(make_operator):
    op = random_sum(make_operator)
    matrix = dense_sum(op)
    other = aslinearoperator(np.ones((7, 6)))
    right = aslinearoperator(np.ones((6, 2)))
    for got, expected in [
        (op + other, matrix + 1),
        (op - other, matrix - 1),
        (other + op.aslinearoperator(), matrix + 1),
        (other - op.aslinearoperator(), 1 - matrix),
        (op @ right, matrix @ np.ones((6, 2))),
        (op.terms[0] @ right, op.terms[0].toarray() @ np.ones((6, 2))),
        (aslinearoperator(np.ones((2, 7))) @ op.aslinearoperator(), np.ones((2, 7)) @ matrix),
    ]:
        assert isinstance(got, LinearOperator)
        assert_close(got @ np.eye(got.shape[1]), expected)
        assert_close(got.H @ np.eye(got.shape[0]), expected.T)
    for foreign in (aslinearoperator(np.ones((2, 7))), scipy.sparse.csr_array(np.ones((2, 7)))):
        with pytest.raises(TypeError, match=r"operator\.T\.apply\(S\)|neither array API"):
            foreign @ op  # SciPy asks for an array, and not for our product


def test_linear_operators_on_the_left(make_operator):
    """Whether SciPy asks for our sum depends on its version and on SCIPY_ARRAY_API."""
    op, other = random_sum(make_operator), aslinearoperator(np.ones((7, 6)))
    for call, expected in [(other.__add__, dense_sum(op) + 1), (other.__sub__, 1 - dense_sum(op))]:
        try:
            got = call(op)
        except TypeError:  # SciPy 1.18 with SCIPY_ARRAY_API: ours is no array
            continue
        if got is NotImplemented:
            got = op.__radd__(other) if call == other.__add__ else op.__rsub__(other)
        assert_close(got @ np.eye(6), expected)


def test_in_the_solvers_of_scipy(make_operator):
    op = random_sum(make_operator, "complex128")
    s = svds(op.aslinearoperator(), k=3, return_singular_vectors=False, rng=0)
    expected = np.linalg.svd(dense_sum(op), compute_uv=False)
    np.testing.assert_allclose(np.sort(s)[::-1], expected[:3], rtol=1e-10)


@pytest.mark.parametrize(
    "terms, error, message",
    [
        (None, TypeError, "terms must be a sequence"),
        (np.eye(2), TypeError, r"terms must be a.*wrap it, \[terms\]"),
        (FactorizedOperator([np.eye(2)]), TypeError, r"terms must be a.*wrap it, \[terms\]"),
        ("ab", TypeError, "terms must be a sequence"),
        ({1}, TypeError, "terms must be a sequence"),
        ([], ValueError, "terms is empty"),
        ([np.eye(2), np.eye(3)], ValueError, r"one shape, got \[\(2, 2\), \(3, 3\)\]"),
        ([np.ones(3)], ValueError, r"terms\[0\] must be an operator"),
        ([np.eye(2), "butterfly"], TypeError, r"terms\[1\]"),
        ([np.eye(2), None], TypeError, r"terms\[1\]"),
        ([np.ones((2, 2), "float16")], TypeError, "astype"),
    ],
)
def test_constructor_refuses(terms, error, message):
    with pytest.raises(error, match=message):
        OperatorSum(terms)


@pytest.mark.parametrize("other", ["x", None, np.ones(4), {}, np.ones((4, 4), "float16")])
def test_no_summands(other, make_operator):
    op = make_operator(Chain.butterfly(4))
    for call in (lambda: op + other, lambda: op - other, lambda: other + op):
        with pytest.raises((TypeError, ValueError), match=r"operand of [+-]"):
            call()


@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="the library of the operator")
def test_other_libraries_are_refused(asarray, make_operator):
    op = make_operator(Chain.butterfly(4))
    with pytest.raises(ValueError, match="must use the same namespace"):
        op + op.to_device(asarray(np.ones(1)))
    with pytest.raises(ValueError, match="must use the same namespace"):
        op + asarray(np.eye(4))
    for dtype in ("float64", "int64"):
        with pytest.raises(ValueError, match="must use the same namespace"):
            op.to_device(asarray(np.ones(1))) + scipy.sparse.eye_array(4, dtype=dtype)


def test_other_devices_are_refused(make_operator):
    strict = pytest.importorskip("array_api_strict")
    here, there = strict.ones(1), strict.ones(1, device=strict.Device("device1"))
    op = make_operator(Chain.butterfly(4))
    with pytest.raises(ValueError, match="one device"):
        op.to_device(here) + op.to_device(there)


def test_nothing_that_is_made_on_the_way_is_pickled(make_operator):
    op = random_sum(make_operator)
    before = len(pickle.dumps(op))
    op.rmatmat(np.ones((7, 300)))
    op.matmat(np.ones((6, 1), "complex64"))
    op.astype("float32").toarray()
    assert op._cache
    assert len(pickle.dumps(op)) == before
    for again in (pickle.loads(pickle.dumps(op)), copy.copy(op), copy.deepcopy(op)):
        assert again._cache == {}
        np.testing.assert_array_equal(again.toarray(), op.toarray())
        assert repr(again) == repr(op)


def test_pickle_on_every_library(asarray, make_operator):
    op = random_sum(make_operator).to_device(asarray(np.ones(1)))
    matrix = op.toarray()
    assert_like(pickle.loads(pickle.dumps(op)).toarray(), matrix, to_numpy(matrix))


def test_there_and_back_makes_no_copies(asarray, make_operator):
    op = random_sum(make_operator, "complex64")
    assert op.T.T is op
    assert op.H.H is op
    assert op.T is op.T
    assert op.astype("complex64") is op
    moved = op.to_device(asarray(np.ones(1)))
    assert moved.to_device("numpy") is op
    assert op.to_device(asarray(np.ones(1))) is moved
    with pytest.raises(TypeError, match="imaginary"):
        op.astype("float32")


def test_sums_are_freed_at_once(make_operator):
    op = random_sum(make_operator)
    op.rmatvec(np.ones(7))
    alive = weakref.ref(op)
    gc.disable()
    try:
        del op
        assert alive() is None
    finally:
        gc.enable()


def square_sum(dtype="float64", n=5):
    """Diagonally dominant: a low rank and something sparse."""
    rng = np.random.default_rng(3)
    low_rank = FactorizedOperator([gaussian(rng, (n, 1), dtype), gaussian(rng, (1, n), dtype)])
    return low_rank + scipy.sparse.diags_array(np.arange(10.0, 10 + n)).astype(dtype)


@for_each("dtype", DTYPES)
def test_solve(asarray, dtype):
    given = asarray(np.ones((5, 2), dtype))
    op = OperatorSum([t.toarray() for t in square_sum(dtype).terms]).to_device(given)
    matrix = to_numpy(op.toarray())
    B = np.random.default_rng(1).standard_normal((5, 2)).astype(dtype)
    before = np.array(B)
    for right in (B, B[:, 0], B[:, :0]):
        got = op.solve(asarray(right))
        assert_like(got, given, dtype=dtype)
        assert_close(got, np.linalg.solve(matrix, right), dtype)
        assert_close(op @ got, right, dtype)
    np.testing.assert_array_equal(B, before)
    wide = asarray(B.astype("complex128"))
    assert_like(op.solve(wide), wide, dtype="complex128")


def test_solve_again_takes_what_is_kept(monkeypatch):
    op = square_sum()
    sparse = scipy.sparse.random_array((5, 3), density=0.5, rng=0)
    expected = np.linalg.solve(op.toarray(), sparse.toarray())
    assert_close(op.solve(sparse), expected)
    size = len(pickle.dumps(square_sum()))
    monkeypatch.setattr("skfact.operators._sum.lu_decomposition", None)
    assert_close(op.solve(sparse.toarray()), expected)
    assert len(pickle.dumps(op)) == size


def test_solve_what_has_no_inverse(make_operator, asarray):
    singular = OperatorSum([np.ones((2, 2)), np.ones((2, 2))]).to_device(asarray(np.ones(1)))
    with pytest.raises(np.linalg.LinAlgError, match="no inverse"):
        singular.solve(asarray(np.ones(2)))
    op = random_sum(make_operator)
    with pytest.raises(ValueError, match="least_squares_codes"):
        op.solve(np.ones(7))
    with pytest.raises(ValueError, match="B has shape"):
        square_sum().solve(np.ones(4))
    with pytest.raises(ValueError, match="B has shape"):
        square_sum().solve(scipy.sparse.eye_array(4))


@for_each("scale", [1e-150, 1.0, 1e150])
def test_solve_and_codes_at_any_scale(scale):
    op, Y = square_sum(), np.random.default_rng(2).standard_normal((3, 5))
    expected = np.linalg.solve(op.toarray(), Y.T).T
    scaled = op * scale
    np.testing.assert_allclose(scaled.solve(Y.T).T * scale, expected, rtol=1e-12)
    np.testing.assert_allclose(least_squares_codes(scaled, Y) * scale, expected, rtol=1e-12)


@for_each("dtype", DTYPES)
def test_codes_of_a_sum(asarray, dtype, make_operator):
    host = random_sum(make_operator, dtype)
    Y = gaussian(np.random.default_rng(2), (3, 7), dtype)
    given = asarray(Y)
    op = host.to_device(given)
    codes = least_squares_codes(op, given)
    assert_like(codes, given, dtype=dtype)
    expected = np.linalg.lstsq(dense_sum(host).astype("complex128"), Y.T)[0].T
    assert_close(codes, expected, dtype)
    assert least_squares_codes(op, asarray(Y[:0])).shape == (0, 6)


def test_codes_of_sparse_rows(make_operator):
    op = random_sum(make_operator)
    Y = scipy.sparse.random_array((3, 7), density=0.5, rng=0, format="csr")
    for operator in (op, op.terms[2], square_sum() + np.zeros((5, 5))):
        rows = Y[:, : operator.shape[0]]
        expected = least_squares_codes(operator, rows.toarray())
        assert_close(least_squares_codes(operator, rows), expected)
    with pytest.raises(ValueError, match="Y has shape"):
        least_squares_codes(op, scipy.sparse.eye_array(6))


@for_each("dtype", DTYPES)
def test_round_trip_through_a_file(dtype, tmp_path, make_operator):
    path = tmp_path / "sum"
    for op in (random_sum(make_operator, dtype), OperatorSum([np.eye(2, dtype=dtype)])):
        op = op + scipy.sparse.eye_array(*op.shape, dtype=dtype)
        op.save(path)
        for got in (OperatorSum.load(path), load_operator(path)):
            assert repr(got) == repr(op)
            assert [repr(term) for term in got.terms] == [repr(term) for term in op.terms]
            np.testing.assert_array_equal(got.toarray(), op.toarray())
    for selection in (PartialPermutation([1, 0], 2), np.ones((2, 2), dtype)):
        op = OperatorSum([FactorizedOperator([PartialPermutation([0, 1], 2)]), selection])
        op.save(path)
        assert OperatorSum.load(path).dtype == op.dtype


def test_a_file_of_the_other_kind(tmp_path, make_operator):
    op = random_sum(make_operator)
    op.save(tmp_path / "sum")
    op.terms[0].save(tmp_path / "product")
    assert isinstance(load_operator(tmp_path / "product"), FactorizedOperator)
    for kind, name in ((FactorizedOperator, "sum"), (OperatorSum, "product")):
        with pytest.raises(ValueError, match=r"another kind of operator.*load_operator"):
            kind.load(tmp_path / name)
    for call in (load_operator, OperatorSum.load, op.save):
        with pytest.raises(TypeError, match="path must be a str or path-like, got None"):
            call(None)


def test_a_damaged_file_loads_as_the_right_sum_or_not_at_all(tmp_path):
    op = square_sum(n=2)
    path = tmp_path / "sum"
    op.save(path)
    good = path.read_bytes()
    for length in range(0, len(good), 41):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match="no readable operator"):
            load_operator(path)
    refused = 0
    places = range(0, len(good), 5)
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 0x11
        path.write_bytes(bytes(bad))
        try:
            got = load_operator(path)
        except ValueError:
            refused += 1
        else:
            assert repr(got) == repr(op)
            np.testing.assert_array_equal(got.toarray(), op.toarray())
    assert refused > 0.8 * len(places)


def test_to_sparse(make_operator):
    op = random_sum(make_operator, "complex64") + scipy.sparse.eye_array(7, 6, dtype="complex64")
    for operator, count in ((op, 2), (op.H, 2), (OperatorSum(op.terms[2:]), 1)):
        matrices = operator.to_sparse()
        assert len(matrices) == count
        product = np.eye(operator.shape[0])
        for matrix in matrices:
            assert isinstance(matrix, scipy.sparse.csr_array)
            assert matrix.dtype == np.complex64
            product = product @ matrix.toarray()
        assert_close(product, operator.toarray(), "complex64")


def test_to_sparse_of_long_terms(make_operator):
    terms = [make_operator(Chain.butterfly(16), seed=seed) for seed in range(3)]
    op = OperatorSum([*terms, np.ones((16, 16)), scipy.sparse.eye_array(16)])
    product = np.linalg.multi_dot([matrix.toarray() for matrix in op.to_sparse()])
    assert len(op.to_sparse()) == 4
    assert_close(product, op.toarray())


def test_memory_of_what_is_stored(asarray):
    csr = scipy.sparse.csr_array(np.eye(3))
    selection = PartialPermutation([2, 1, 0], 3)
    sparse = SparseFactor(csr)
    indices = csr.indices.itemsize
    assert sparse.nbytes == 3 * 8 + 3 * indices + 4 * csr.indptr.itemsize
    assert selection.nbytes == 3 * 8
    dense = FactorizedOperator([np.ones((3, 4), "complex64"), selection_of(4)])
    assert dense.nbytes == 12 * 8 + 4 * 8
    assert (dense + dense).nbytes == dense.nbytes  # stored once
    assert (dense + 2 * dense).nbytes == 2 * 12 * 8 + 4 * 8  # the same selection
    assert (dense.T @ dense).nbytes == 2 * dense.nbytes
    assert dense.to_device(asarray(np.ones(1))).nbytes == dense.nbytes
    assert FactorizedOperator([sparse]).nbytes == sparse.nbytes


def selection_of(n):
    return PartialPermutation(np.arange(n), n)


def test_a_module_with_gradients_through_all_terms():
    torch = pytest.importorskip("torch")
    op = square_sum() + np.eye(5) + FactorizedOperator([selection_of(5), np.ones((5, 5))])
    module = op.to_torch()
    X = torch.rand((2, 3, 5), dtype=torch.float64)
    np.testing.assert_allclose(
        module(X).detach().numpy(), op.apply(X.numpy().reshape(6, 5)).reshape(2, 3, 5)
    )
    parameters = list(module.parameters())
    assert sum(parameter.numel() for parameter in parameters) == op.nnz
    (module(X) ** 2).sum().backward()
    assert all((parameter.grad != 0).any() for parameter in parameters)
    again = pickle.loads(pickle.dumps(module))
    assert torch.equal(again(X), module(X))


def test_gradients_through_the_argument():
    torch = pytest.importorskip("torch")
    op = OperatorSum([t.toarray() for t in square_sum().terms]).to_device(torch.ones(1))
    x = torch.ones((2, 5), dtype=torch.float64, requires_grad=True)
    op.apply(x).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), np.ones((2, 5)) @ square_sum().toarray())
