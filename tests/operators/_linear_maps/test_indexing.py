"""Parts of operators are those of their matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact._backend import to_numpy
from skfact.operators import FactorizedOperator, KroneckerFactor, OperatorSum, PartialPermutation
from skfact.supports import Chain
from tests.asserts import assert_like, for_each

M, N = 6, 5
MASK = np.array([True, False, True, True, False, True])
KEYS = {
    "rows": np.s_[[4, 0, 2], :],
    "rows alone": np.s_[[4, 0, 2]],
    "columns": np.s_[:, [3, 1]],
    "columns after dots": np.s_[..., [3, 1]],
    "dots": np.s_[...],
    "all": np.s_[:, :],
    "slices": np.s_[1:5:2, ::-1],
    "slice and list": np.s_[-4:, [0, -1]],
    "list and slice": np.s_[[-1, 0], :3],
    "mask": np.s_[MASK, :],
    "mask of columns": np.s_[:, MASK[:N]],
    "grid": np.ix_([5, 1], [0, 4, 2]),
    "grid of masks": np.ix_(MASK, MASK[:N]),
    "tuple": np.s_[(3, 1), :],
    "unsigned": np.s_[np.array([3, 1], "uint8"), :],
    "range": np.s_[range(2, 4), :],
    "one of a list": np.s_[[2], :],
    "row": np.s_[2, :],
    "row alone": np.s_[-1],
    "row, some columns": np.s_[2, [4, 0]],
    "row, slice": np.s_[np.int64(2), ::2],
    "row, mask": np.s_[0, MASK[:N]],
    "column": np.s_[:, 3],
    "column, some rows": np.s_[[5, 5, 0], -2],
    "entry": np.s_[4, -1],
    "entry of arrays": np.s_[np.array(4), np.array(1)],
}


@pytest.fixture(params=["product", "sum"])
def make_part(request, make_operator):
    def make(dtype="float64"):
        op = make_operator(Chain.monarch(M, N), dtype)
        if request.param == "sum":
            op = op + FactorizedOperator([PartialPermutation([3, -1, 0, 4, 2, 1], N)])
        return op

    return make


@for_each("key", KEYS)
@for_each("dtype", ["float32", "complex128"])
def test_parts_on_every_library(key, dtype, asarray, make_part):
    host = make_part(dtype)
    given = asarray(np.ones(1, dtype))
    op, expected = host.to_device(given), host.toarray()[KEYS[key]]
    got = op[KEYS[key]]
    if expected.ndim == 2:
        assert type(got) is type(op)
        assert got.dtype == op.dtype
        assert got.nnz == op.nnz
        assert_like(got.apply(asarray(np.eye(got.shape[1], dtype=dtype))).T, given, dtype=dtype)
        got = got.toarray()
    got = to_numpy(got)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_random_lists_and_slices(data, seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 8, 2))
    op = FactorizedOperator([rng.standard_normal(shape), np.eye(shape[1])])
    matrix = op.toarray()
    for _ in range(3):  # parts of parts
        keys = [data.draw(st.slices(n), label="slice") for n in op.shape]
        side = data.draw(st.sampled_from([0, 1, None]), label="list")
        if side is not None:
            n = op.shape[side]
            keys[side] = data.draw(st.lists(st.integers(-n, n - 1), min_size=1), label="indices")
        expected = matrix[tuple(keys)]
        if expected.size == 0:
            with pytest.raises(IndexError, match="takes nothing"):
                op[tuple(keys)]
            return
        op, matrix = op[tuple(keys)], expected
        np.testing.assert_allclose(op.toarray(), matrix, atol=1e-14)
        np.testing.assert_allclose(op.T.toarray(), matrix.T, atol=1e-14)


def test_selections_stand_at_the_ends_and_are_joined(make_operator):
    op = make_operator(Chain.butterfly(8))
    assert op[:, :] is op
    assert op[...] is op
    assert op[np.arange(8), :] is op
    part = op[::2, 3:]
    assert part.factors[1:-1] == op.factors
    assert {type(part.factors[0]), type(part.factors[-1])} == {PartialPermutation}
    again = part[1:, [4, 0]]
    assert len(again.factors) == len(op.factors) + 2
    np.testing.assert_allclose(again.toarray(), op.toarray()[2::2][:, [7, 3]], rtol=1e-12)


def test_lines_that_are_taken_twice(asarray):
    op = FactorizedOperator([np.arange(6.0).reshape(2, 3)])
    np.testing.assert_array_equal(op[[1, 1, 0], :].toarray(), op.toarray()[[1, 1, 0]])
    np.testing.assert_array_equal(op[:, [2, 2]].toarray(), op.toarray()[:, [2, 2]])
    there = op.to_device(asarray(np.ones(1)))
    if there is not op and "cupy" not in there._namespace.__name__:
        with pytest.raises(TypeError, match="SparseFactor"):
            there[[1, 1], :]


def test_index_arrays_of_every_library(asarray, make_operator):
    index = asarray(np.array([3, 1]))
    op = make_operator(Chain.butterfly(4)).to_device(index)
    np.testing.assert_array_equal(to_numpy(op[index, :].toarray()), to_numpy(op.toarray())[[3, 1]])
    mask = asarray(np.array([True, False, True, False]))
    np.testing.assert_array_equal(to_numpy(op[:, mask].toarray()), to_numpy(op.toarray())[:, ::2])


@pytest.mark.parametrize(
    "key, message",
    [
        (np.s_[6, :], "index 6 is out of bounds for axis 0 with size 6"),
        (np.s_[:, -6], "index -6 is out of bounds for axis 1 with size 5"),
        (np.s_[[0, 6], :], "out of bounds for axis 0 with size 6"),
        (np.s_[:, [9]], "out of bounds for axis 1 with size 5"),
        (np.s_[[True, False], :], "boolean"),
        (np.s_[:, MASK], "boolean"),
        (np.s_[[0, 1], [0, 1]], r"numpy\.ix_"),
        (np.s_[MASK, [0, 1]], r"numpy\.ix_"),
        (np.s_[np.ix_([0, 1], [0, 1])[0], [0, 1]], r"numpy\.ix_"),
        (np.s_[np.zeros((2, 2), int), :], r"numpy\.ix_"),
        (np.s_[np.ones((6, 5), bool)], "index"),
        (np.s_[:, :, :], "operator\\[rows, columns\\]"),
        (np.s_[..., ...], "operator\\[rows, columns\\]"),
        (np.s_[..., 0, 0, 0], "operator\\[rows, columns\\]"),
        (np.s_[None, :], "operator\\[rows, columns\\]"),
        (np.s_[True, :], "operator\\[rows, columns\\]"),
        (np.s_[1.0, :], "integers"),
        (np.s_[[0.5], :], "integer"),
        (np.s_["a"], "integers"),
        (np.s_[3:3, :], "axis 0 takes nothing"),
        (np.s_[:, []], "axis 1 takes nothing"),
    ],
)
def test_what_is_no_index(key, message, make_part):
    with pytest.raises(IndexError, match=message):
        make_part()[key]


def test_operators_are_no_sequences(make_operator):
    op = make_operator(Chain.butterfly(4))
    for call in (iter, list, lambda op: np.ones(4) in op):
        with pytest.raises(TypeError, match="not iterable"):
            call(op)
    with pytest.raises(TypeError, match="item assignment"):
        op[0, 0] = 1.0


def test_parts_of_factors_that_are_nothing_but_selections():
    op = FactorizedOperator([PartialPermutation([1, 0, -1], 2)]).astype("float32")
    part = op[[2, 0], :]
    assert (len(part.factors), part.dtype) == (1, np.float32)
    np.testing.assert_array_equal(part.toarray(), [[0, 0], [0, 1]])
    assert op[0, 1] == np.float32(1)
    assert op[0, 1].dtype == np.float32


def test_a_part_of_a_sum_is_the_sum_of_parts():
    op = OperatorSum([np.ones((3, 3)), KroneckerFactor(np.ones((3, 1, 1, 1)), (3, 1, 1, 1))])
    part = op[1:, 1:]
    assert len(part.terms) == 2
    np.testing.assert_array_equal(part.toarray(), np.ones((2, 2)) + np.eye(2))
