"""Operators and factors among arrays: algebra by @, *, + and -, and never an array of objects."""

import operator

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV

from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    OperatorSum,
    PartialPermutation,
    SparseFactor,
)
from tests.asserts import for_each

A = np.arange(9.0).reshape(3, 3)
OP = FactorizedOperator([A + 1, A - 1])
OBJECTS = {
    "operator": OP,
    "sum": OP + A,
    "kronecker": KroneckerFactor(np.ones((3, 1, 1, 1)), (3, 1, 1, 1)),
    "sparse": SparseFactor(scipy.sparse.eye_array(3)),
    "selection": PartialPermutation([0, 1, 2], 3),
}
REFUSED = {
    "asarray": np.asarray,
    "array of a dtype": lambda op: np.array(op, dtype=float),
    "list": lambda op: np.array([op, op]),
    "norm": np.linalg.norm,
    "sum": np.sum,
    "sqrt": np.sqrt,
    "dot": lambda op: np.dot(A, op),
    "dot, op first": lambda op: np.dot(op, A),
    "einsum": lambda op: np.einsum("ij,jk", A, op),
    "tensordot": lambda op: np.tensordot(A, op, 1),
    "add into": lambda op: np.add(A, op, out=np.empty((3, 3))),
    "A += op": lambda op: operator.iadd(A.copy(), op),
    "A * op": lambda op: A * op,
    "A / op": lambda op: A / op,
    "less": lambda op: np.less(A, op),
    "matmul into": lambda op: np.matmul(A, op, out=np.empty((3, 3))),
    "A @= op": lambda op: operator.imatmul(A.copy(), op),
    "reduce": lambda op: np.add.reduce(op),
    "frame": lambda op: pd.DataFrame(A) @ op,
    "series": lambda op: pd.Series(A[0]) @ op,
}


@for_each("kind", OBJECTS)
@for_each("call", REFUSED)
def test_no_function_of_numpy_makes_an_array_of_it(kind, call):
    with pytest.raises(TypeError, match=r"is no array.*toarray"):
        REFUSED[call](OBJECTS[kind])


def test_factors_have_no_operators():
    for kind in ("kronecker", "sparse", "selection"):
        with pytest.raises(TypeError, match="toarray"):
            A @ OBJECTS[kind]
        with pytest.raises(TypeError, match="toarray"):
            2.0 * np.ones(3) * OBJECTS[kind]
        with pytest.raises(TypeError, match="toarray"):
            A + OBJECTS[kind]
        with pytest.raises(TypeError, match="toarray"):
            np.subtract(OBJECTS[kind], A)


def test_products_as_functions_and_operators():
    dense = OP.toarray()
    for product in (
        lambda x, y: x @ y,
        operator.matmul,
        np.matmul,
    ):
        np.testing.assert_allclose(product(A, OP), A @ dense)
        np.testing.assert_allclose(product(A[0], OP), A[0] @ dense)
        np.testing.assert_allclose(product(OP, A), dense @ A)
        np.testing.assert_allclose(product(OP, OP).toarray(), dense @ dense)
    for number in (2, 2.0, np.float64(2), np.array(2.0), np.int8(2), np.float32(2)):
        for multiple in (number * OP, OP * number, np.multiply(number, OP)):
            np.testing.assert_allclose(multiple.toarray(), 2 * dense)
    np.testing.assert_allclose(OP @ pd.DataFrame(A), dense @ A)
    for sums, expected in (
        ((A + OP, np.add(A, OP), OP + A, pd.DataFrame(A) + OP), dense + A),
        ((A - OP, np.subtract(A, OP), pd.DataFrame(A) - OP), A - dense),
        ((OP - A, np.subtract(OP, A), OP - pd.DataFrame(A)), dense - A),
    ):
        for got in sums:
            assert isinstance(got, OperatorSum)
            np.testing.assert_allclose(got.toarray(), expected)


def test_comparisons_are_those_of_objects():
    for kind in OBJECTS.values():
        for left, right in ((A, kind), (kind, A)):
            assert operator.eq(left, right) is False
            assert operator.ne(left, right) is True
        assert kind in [A, kind]


def test_functions_of_scikit_learn_say_it():
    with pytest.raises(TypeError, match="toarray"):
        PCA(1).fit(OP)


def test_on_every_library(asarray):
    x = asarray(A)
    there = OP.to_device(x)
    with pytest.raises(TypeError, match="toarray"):
        np.asarray(there)
    if isinstance(x, np.ndarray):
        np.testing.assert_allclose(x @ there, A @ OP.toarray())


class Apply(TransformerMixin, BaseEstimator):
    """A transformer that applies an operator."""

    def __init__(self, op=None):
        self.op = op

    def fit(self, X):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return self.op.apply(X)


def test_a_search_may_try_operators():
    operators = [FactorizedOperator([np.eye(3)]), FactorizedOperator([np.ones((2, 3))])]
    search = GridSearchCV(Apply(), {"op": operators}, scoring=lambda *_: 0.0, cv=2, refit=False)
    search.fit(np.ones((4, 3)))
    assert list(search.cv_results_["param_op"]) == operators
