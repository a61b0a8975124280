"""When operators go through the compiled loops, and that users cannot tell but by the clock."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._kernels.apply import TILES, loops, vectors_per_row
from skfact.operators import FactorizedOperator, PartialPermutation, _products
from skfact.supports import Chain
from tests.arrays import DTYPES
from tests.asserts import for_each

needs_numba = pytest.mark.skipif(loops() is None, reason="numba is not installed")


def permutation(n, seed):
    index = np.random.default_rng(seed).permutation(n)
    return FactorizedOperator([PartialPermutation(index, n)])


@pytest.fixture
def operators(make_operator):
    """Name -> operator, with whether the loops apply to it."""
    butterfly = make_operator(Chain.butterfly(64))
    crop = FactorizedOperator([PartialPermutation([3, -1, 5, *range(6, 40)], 64)])
    return {
        "butterfly": (butterfly, True),
        "transpose": (butterfly.T, True),
        "adjoint": (butterfly.H, True),
        "two in a row": (butterfly @ butterfly.T, True),
        "selections at both ends": (
            crop @ permutation(64, 0) @ butterfly @ permutation(64, 1) @ permutation(64, 2),
            True,
        ),
        "selection between": (butterfly @ permutation(64, 3) @ butterfly, False),
        "selections alone": (crop @ permutation(64, 4), False),
        "large blocks": (make_operator(Chain.dense(80, 90)), False),
        "SciPy sparse": (butterfly @ FactorizedOperator(butterfly.to_sparse()), False),
    }


NAMES = [
    "butterfly",
    "transpose",
    "adjoint",
    "two in a row",
    "selections at both ends",
    "selection between",
    "selections alone",
    "large blocks",
    "SciPy sparse",
]


@pytest.mark.parametrize("name", NAMES)
@for_each("dtype", DTYPES)
def test_with_and_without_loops(name, dtype, operators, as_dense, monkeypatch):
    op, applies = operators[name]
    op = op.astype(np.result_type(op.dtype, dtype))
    if loops() is not None:
        assert (op._products.program(np.dtype(op.dtype), TILES) is not None) == applies
    matrix = as_dense(op)
    random = np.random.default_rng(0)
    X = random.standard_normal((37, op.shape[1])).astype(op.dtype)
    products = op.apply(X), op.matmat(X.T), op.matvec(X[0])
    wanted = X @ matrix.T, matrix @ X.T, matrix @ X[0]
    with monkeypatch.context() as patch:
        patch.setattr(_products, "loops", lambda: None)
        fresh = FactorizedOperator(op.factors)
        assert fresh._products.program(np.dtype(op.dtype), TILES) is None
        without = fresh.apply(X), fresh.matmat(X.T), fresh.matvec(X[0])
    for results in (products, without):
        for found, exact in zip(results, wanted, strict=True):
            assert found.dtype == op.dtype
            atol = 200 * np.finfo(op.dtype).eps * np.abs(exact).max()
            assert_allclose(found, exact, rtol=0, atol=atol)


@needs_numba
@pytest.mark.parametrize("name", ["butterfly", "selections at both ends"])
def test_arguments_of_every_layout(name, operators, as_dense):
    op, _ = operators[name]
    random = np.random.default_rng(1)
    X = random.standard_normal((40, op.shape[1]))
    wanted = X @ as_dense(op).T
    spread = np.zeros((80, 2 * op.shape[1]))
    spread[::2, ::2] = X
    unaligned = np.zeros(X.nbytes + 1, np.uint8)[1:].view(np.float64).reshape(X.shape)
    unaligned[...] = X
    read_only = X.copy()
    read_only.flags.writeable = False
    layouts = {
        "strided": spread[::2, ::2],
        "negative strides": X[::-1, ::-1].copy()[::-1, ::-1],
        "unaligned": unaligned,
        "read-only": read_only,
        "Fortran": np.asfortranarray(X),
        "wrong byte order": X.astype(">f8"),
        "broadcast": np.broadcast_to(X[:1], X.shape),
    }
    for name, argument in layouts.items():
        exact = np.broadcast_to(wanted[:1], wanted.shape) if name == "broadcast" else wanted
        before = argument.copy()
        assert_allclose(op.apply(argument), exact, atol=1e-12)
        assert_allclose(op.matmat(argument.T), exact.T, atol=1e-12)
        assert_allclose(op.matvec(argument[0]), exact[0], atol=1e-12)
        assert_array_equal(argument, before)


@needs_numba
def test_results_are_new_arrays_that_can_be_written_to(operators):
    op, _ = operators["butterfly"]
    X = np.random.default_rng(2).standard_normal((32, 64))
    first = op.apply(X)
    kept = first.copy()
    second = op.apply(-X)  # the working memory is used again
    assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)
    assert first.flags.writeable and first.flags.c_contiguous
    assert op.matmat(X.T).flags.c_contiguous
    assert op.matvec(X[0]).flags.writeable


@needs_numba
def test_fuse_leaves_what_the_loops_run_through(operators):
    op, _ = operators["butterfly"]
    patterns = [tuple(f.pattern) for f in op._products.compiled_factors(op.dtype, TILES.cost)]
    assert [tuple(f.pattern) for f in op.fuse().factors] == patterns
    assert len(patterns) == 3  # pairs of radix 2 make radix 4: as many numbers, half the traffic
    assert op.fuse().nnz == op.nnz


@needs_numba
def test_one_vector_takes_the_lanes_and_many_the_tiles(make_operator, monkeypatch):
    op = make_operator(Chain.butterfly(256))
    taken = []
    for layout in ("lanes", "tiles"):
        original = getattr(_products, f"multiply_{layout}")
        monkeypatch.setattr(
            _products,
            f"multiply_{layout}",
            lambda *args, original=original, layout=layout, **kwargs: (
                taken.append(layout) or original(*args, **kwargs)
            ),
        )
    many = 4 * vectors_per_row(np.dtype(float))
    for batch, layout in [(1, "lanes"), (2, "lanes"), (many, "tiles")]:
        op.apply(np.ones((batch, 256)))
        assert taken.pop() == layout
