"""Bad and unusual input: it works and is right, or it is refused with the argument's name.

One table of cases, each a call and what it must do. Whatever happens, no input is modified and no
file is written.
"""

import copy
import pickle
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor

from skfact import ButterflyFactorizer, ReLUPathEmbedding, relu
from skfact.butterfly import butterfly_factorize, split_errors
from skfact.operators import FactorizedOperator
from skfact.supports import Chain, FixedMask, KroneckerSparse, KSparse

RANDOM = np.random.default_rng(0)
A = RANDOM.standard_normal((8, 8))
H = scipy.linalg.hadamard(8).astype(float)


class Case(NamedTuple):
    """A call on inputs, and its outcome: an exception with a message, or a check of the result."""

    id: str
    call: Callable[..., Any]
    inputs: tuple[Any, ...]
    error: type[Exception] | tuple[type[Exception], ...] | None = None
    message: str = ""
    check: Callable[..., None] | None = None


CASES: list[Case] = []


def refused(id: str, call: Callable[..., Any], *inputs: Any, error: Any, message: str) -> None:
    """Must raise; the message, a regular expression, names the argument."""
    CASES.append(Case(id, call, inputs, error=error, message=message))


def works(id: str, call: Callable[..., Any], *inputs: Any, check: Callable[..., None]) -> None:
    """Must return something that `check(result, *inputs)` accepts."""
    CASES.append(Case(id, call, inputs, check=check))


def changed(array: np.ndarray, value: Any) -> np.ndarray:
    array = np.array(array)
    array[1, 2] = value
    return array


# ---- matrices ------------------------------------------------------------------------------

fit = ButterflyFactorizer().fit
BAD_MATRICES = [
    ("NaN", changed(A, np.nan), ValueError, "{name} contains NaN"),
    ("inf", changed(A, np.inf), ValueError, "{name} contains inf"),
    ("minus inf", changed(A, -np.inf), ValueError, "{name} contains inf"),
    ("float32 NaN", changed(A.astype("f4"), np.nan), ValueError, "{name} contains NaN"),
    ("complex NaN", changed(A + 0j, complex(0, np.nan)), ValueError, "{name} contains NaN"),
    ("1-D", A[0], ValueError, "{name} must be 2-D.*reshape"),
    ("0-D", np.float64(3), ValueError, "{name} must be 2-D"),
    ("3-D", A[None], ValueError, "{name} must be 2-D"),
    ("no rows", A[:0], ValueError, "{name} must have at least one row"),
    ("no columns", A[:, :0], ValueError, "{name} must have at least one row"),
    ("object", A.astype(object), TypeError, "{name} has dtype object"),
    ("strings", A.astype(str), TypeError, "{name} has dtype"),
    ("text", "butterfly", TypeError, "{name} has dtype"),
    ("dates", A.astype("m8[s]"), TypeError, "{name} has dtype"),
    ("float16", A.astype("f2"), TypeError, "{name} has dtype float16.*astype"),
    ("long double", A.astype("g"), TypeError, "{name} has dtype .*astype"),
    ("None", None, TypeError, "{name} has dtype object"),
    ("ragged lists", [[1.0, 2.0], [3.0]], ValueError, "{name} is no rectangular"),
    ("sparse matrix", scipy.sparse.csr_matrix(A), TypeError, "{name} is a sparse matrix.*toarray"),
    ("sparse array", scipy.sparse.coo_array(A), TypeError, "{name} is a sparse matrix.*toarray"),
    ("masked", np.ma.masked_less(A, 0), TypeError, "{name} is a masked array.*filled"),
    ("records", np.zeros((8, 8), "f8,f8"), TypeError, "{name} has dtype"),
]
for id, matrix, error, message in BAD_MATRICES:
    for function in (butterfly_factorize, split_errors):
        refused(
            f"{function.__name__}: {id}",
            function,
            matrix,
            error=error,
            message=message.format(name="A"),
        )
    if id not in ("None", "text"):  # None is no operator, and text has a message of its own
        refused(
            f"operator: {id}",
            lambda matrix: ButterflyFactorizer(operator=matrix).fit(A),
            matrix,
            error=error,
            message=message.format(name="operator"),
        )


def same_product(result, *inputs):
    """Equal to the factorization of the same numbers as an ordinary array."""
    expected = butterfly_factorize(np.array(inputs[0], dtype=result.dtype)).toarray()
    assert_allclose(result.toarray(), expected, rtol=1e-12, atol=1e-12)


def exact(result, *inputs):
    dense = np.asarray(inputs[0], dtype=result.dtype)
    unit = np.abs(dense).max() or 1.0
    eps = np.finfo(result.dtype).eps
    assert_allclose(result.toarray() / unit, dense / unit, rtol=0, atol=100 * eps)


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def memory_mapped(tmp_path):
    np.save(tmp_path / "A.npy", A)
    return np.load(tmp_path / "A.npy", mmap_mode="r")


ODD_MATRICES = [
    ("lists", A.tolist()),
    ("tuples", tuple(map(tuple, A.tolist()))),
    ("ints", (10 * A).astype("i4")),
    ("unsigned", np.arange(64, dtype="u1").reshape(8, 8)),
    ("bools", A > 0),
    ("read-only", read_only(A)),
    ("Fortran", np.asfortranarray(A)),
    ("negative strides", A[::-1, ::-1]),
    ("strided", RANDOM.standard_normal((16, 24))[::2, ::3]),
    ("broadcast", np.broadcast_to(A[0], (8, 8))),
    ("big endian", A.astype(">f8")),
    ("matrix class", A.view(np.ndarray)),
    ("negative zeros", -np.zeros((8, 8))),
]
for id, matrix in ODD_MATRICES:
    works(f"butterfly_factorize: {id}", butterfly_factorize, matrix, check=same_product)

EXACT = [
    ("1 x 1", [[3.0]]),
    ("1 x 1 zero", [[0.0]]),
    ("2 x 2", A[:2, :2]),
    ("1 x N", A[:1]),
    ("N x 1", A[:, :1]),
    ("prime x prime", RANDOM.standard_normal((7, 5))),
    ("all zero", np.zeros((8, 8))),
    ("zero blocks", np.kron(np.diag([1.0, 0, 2, 0]), np.ones((2, 2)))),
    ("scale 1e-200", 1e-200 * H),
    ("scale 1e200", 1e200 * H),
    ("scale 1e308", 1e308 * H),
    ("scale 1e308, norm beyond the largest number", 1e308 * np.kron(H, np.ones((1, 8)))),
    ("subnormal", 5e-324 * H),
    ("subnormal float32", (1e-44 * H).astype("f4")),
    ("float32 1e38", (1e38 * H).astype("f4")),
    ("one entry", changed(np.zeros((8, 8)), 1e-300)),
    ("mixed scales", np.outer(10.0 ** np.arange(-8, 8), 10.0 ** np.arange(0, -160, -10))),
]
for id, matrix in EXACT:
    works(f"exact: {id}", butterfly_factorize, matrix, check=exact)


works(
    "split_errors: a norm beyond the largest number is infinite",
    split_errors,
    1.7e308 * (RANDOM.random((64, 64)) < 0.5),
    check=lambda errors, A: assert_array_equal(errors, np.inf),
)
works(
    "butterfly_factorize: discarded norms beyond the largest number",
    lambda A: butterfly_factorize(A, return_errors=True)[1],
    1.7e308 * (RANDOM.random((64, 64)) < 0.5),
    check=lambda errors, A: assert_array_equal(errors > 1e307, np.ones(5, dtype=bool)),
)


def bounded(result, *inputs):
    dense = np.asarray(inputs[0])
    assert result.shape == dense.shape
    assert np.linalg.norm(result.toarray() - dense) <= np.linalg.norm(dense)


for shape in [(11, 13), (1, 31), (31, 1), (2, 3), (3, 2), (17, 8), (97, 2)]:
    works(f"shape {shape}", butterfly_factorize, RANDOM.standard_normal(shape), check=bounded)

# ---- options of butterfly_factorize and of the estimator -----------------------------------

index = np.arange(8)
BAD_OPTIONS = [
    ("supports", "wavelets", ValueError, "'wavelets'.*butterfly"),
    ("supports", "buterfly", ValueError, "Did you mean 'butterfly'"),
    ("supports", 3, TypeError, "supports"),
    ("supports", None, TypeError, "supports"),
    ("supports", [(1, 2, 2, 4)], TypeError, "supports"),
    ("supports", KroneckerSparse(1, 8, 8, 1), TypeError, "supports"),
    ("supports", Chain.butterfly(4), ValueError, "supports.*smaller"),
    ("supports", Chain.dense(8, 7), ValueError, "supports.*smaller"),
    ("supports", lambda n_out, n_in: (1, 8, 8, 1), TypeError, "supports"),
    ("supports", lambda n_out, n_in: Chain.dense(4, 4), ValueError, "supports"),
    ("rank", 0, ValueError, "rank"),
    ("rank", -1, ValueError, "rank"),
    ("rank", 1.5, TypeError, "rank"),
    ("rank", "2", TypeError, "rank"),
    ("rank", True, TypeError, "rank"),
    ("tol", 0.0, ValueError, "tol"),
    ("tol", -0.1, ValueError, "tol"),
    ("tol", np.nan, ValueError, "tol"),
    ("tol", np.inf, ValueError, "tol"),
    ("tol", "small", TypeError, "tol"),
    ("tol", True, TypeError, "tol"),
    ("tol", 0.1 + 0j, TypeError, "tol"),
    ("order", "sideways", ValueError, "order"),
    ("order", 1, TypeError, "order"),
    ("order", None, TypeError, "order"),
    ("order", [1], ValueError, "order"),
    ("order", [1, 1], ValueError, "order"),
    ("order", [1, 3], ValueError, "order"),
    ("order", [1, "2"], ValueError, "order"),
    ("order", [[1, 2]], TypeError, "order"),
    ("orthonormalize", 1, TypeError, "orthonormalize"),
    ("orthonormalize", "yes", TypeError, "orthonormalize"),
    ("orthonormalize", None, TypeError, "orthonormalize"),
    ("permutation", "random", ValueError, "permutation"),
    ("permutation", 3, TypeError, "permutation"),
    ("permutation", index, TypeError, "permutation.*pair"),
    ("permutation", (index,), TypeError, "permutation.*pair"),
    ("permutation", (index, index, index), TypeError, "permutation.*pair"),
    ("permutation", (index[:7], None), ValueError, "permutation rows"),
    ("permutation", (None, np.append(index, 8)), ValueError, "permutation cols"),
    ("permutation", (None, np.append(index[:7], 0)), ValueError, "permutation cols"),
    ("permutation", (index - 1, None), ValueError, "permutation rows"),
    ("permutation", (index + 1, None), ValueError, "permutation rows"),
    ("permutation", (index.astype(float), None), ValueError, "permutation rows"),
    ("permutation", (None, np.ones(8, dtype=bool)), ValueError, "permutation cols"),
    ("permutation", (index[None], None), ValueError, "permutation rows"),
    ("permutation", (None, "abcdefgh"), ValueError, "permutation cols"),
]
for number, (name, value, error, message) in enumerate(BAD_OPTIONS):
    options = {name: value}
    label = f"option {number}: {name}={value!r:.20}"
    refused(
        f"butterfly_factorize: {label}",
        partial(butterfly_factorize, **options),
        A,
        error=error,
        message=message,
    )
    refused(
        f"fit: {label}",
        lambda A, options=options: ButterflyFactorizer(**options).fit(A),
        A,
        error=error,
        message=message,
    )
    if name in ("supports", "rank", "permutation"):
        refused(
            f"split_errors: {label}",
            partial(split_errors, **options),
            A,
            error=error,
            message=message,
        )


def low_rank_of_eight(result, A):
    assert len(result.factors) == 1
    assert_allclose(result.toarray(), A, rtol=1e-13)


for rank in (8, 9, 10**9, np.int64(8)):
    works(
        f"low-rank of rank {rank!r}",
        partial(butterfly_factorize, supports="low-rank", rank=rank),
        A,
        check=low_rank_of_eight,
    )
    works(
        f"butterfly of rank {rank!r}",
        partial(butterfly_factorize, rank=rank),
        A,
        check=low_rank_of_eight,
    )
works(
    "a chain whose ranks exceed its blocks",
    partial(butterfly_factorize, supports=Chain.deformable((2, 2, 2), (2, 2, 2), 7)),
    A,
    check=lambda result, A: assert_allclose(result.toarray(), A, atol=1e-13),
)
works(
    "a chain larger than the matrix",
    partial(butterfly_factorize, supports=Chain.butterfly(16)),
    H,
    check=lambda result, H: assert_allclose(result.toarray(), H, atol=1e-13),
)
works(
    "tol as an int",
    partial(butterfly_factorize, tol=1),
    A,
    check=lambda result, A: same_product(result, A),
)
works(
    "an iterator of splits as a range",
    partial(butterfly_factorize, order=range(1, 3)),
    A,
    check=lambda result, A: assert_array_equal(
        result.toarray(), butterfly_factorize(A, order="left-to-right").toarray()
    ),
)

# ---- the estimator -------------------------------------------------------------------------

BAD_X = [
    ("NaN", changed(A, np.nan), ValueError, "X contains NaN"),
    ("inf", changed(A, np.inf), ValueError, "X contains inf"),
    ("complex", A + 1j, ValueError, "[Cc]omplex data not supported"),
    ("1-D", A[0], ValueError, "Expected 2D array"),
    ("3-D", A[None], ValueError, "dim 3"),
    ("empty", A[:0], ValueError, "0 sample"),
    ("no features", A[:, :0], ValueError, "0 feature"),
    ("strings", A.astype(str).astype(object) + "x", ValueError, "could not convert"),
    ("sparse", scipy.sparse.csr_array(A), TypeError, "[Ss]parse"),
    ("None", None, (TypeError, ValueError), "NoneType|Expected 2D"),
    ("text", "X", ValueError, "Expected 2D|could not convert"),
    ("dict", {"a": [1.0]}, (TypeError, ValueError), "X|dict|float"),
]
for id, X, error, message in BAD_X:
    refused(f"fit: X {id}", lambda X: ButterflyFactorizer().fit(X), X, error=error, message=message)

BAD_PARAMETERS = [
    ("n_components", 0, ValueError, "n_components"),
    ("n_components", -2, ValueError, "n_components"),
    ("n_components", 9, ValueError, "n_components"),
    ("n_components", 2.0, TypeError, "n_components"),
    ("n_components", "mle", TypeError, "n_components"),
    ("n_components", True, TypeError, "n_components"),
    ("criterion", "rows", ValueError, "criterion"),
    ("criterion", None, ValueError, "criterion"),
    ("max_iter", 0, ValueError, "max_iter"),
    ("max_iter", 1.5, TypeError, "max_iter"),
    ("max_iter", None, TypeError, "max_iter"),
    ("verbose", -1, ValueError, "verbose"),
    ("verbose", "loud", TypeError, "verbose"),
    ("backend", "gpu", ValueError, "backend"),
    ("backend", None, ValueError, "backend"),
    ("backend", np, ValueError, "backend"),
    ("operator", PCA, TypeError, "operator.*class PCA"),
    ("operator", "PCA", (TypeError, ValueError), "operator"),
    ("operator", 3, (TypeError, ValueError), "operator"),
    ("operator", A[:, :5], ValueError, "operator.*8 features"),
    ("operator", A[0], ValueError, "operator"),
    ("operator", changed(A, np.nan), ValueError, "operator"),
    ("operator", lambda n: np.eye(n + 1), ValueError, "operator"),
    ("operator", lambda n: None, (TypeError, ValueError), "operator"),
    ("operator", lambda n: "matrix", (TypeError, ValueError), "operator"),
    ("operator", NMF(2, init="random", tol=0.1), ValueError, "operator|Negative"),
    ("operator", KMeans(2, n_init=1), ValueError, "operator.*not affine"),
    ("operator", LogisticRegression(), ValueError, "operator.*y"),
    ("operator", Chain.butterfly(8), (TypeError, ValueError), "operator"),
]
for number, (name, value, error, message) in enumerate(BAD_PARAMETERS):
    refused(
        f"fit, parameter {number}: {name}={value!r:.20}",
        lambda X, name=name, value=value: ButterflyFactorizer(**{name: value}).fit(X),
        A,
        error=error,
        message=message,
    )
refused(
    "fit: random_state of a wrong type",
    lambda X: ButterflyFactorizer(random_state="seed", operator=PCA(2)).fit(X),
    A,
    error=ValueError,
    message="seed",
)
refused(
    "fit: more components than the operator has rows",
    lambda X: ButterflyFactorizer(3, operator=X[:2]).fit(X),
    A,
    error=ValueError,
    message="n_components=3.*2 rows",
)

fitted = ButterflyFactorizer(operator=A[:4]).fit(A)
refused(
    "transform: too few features", fitted.transform, A[:, :5], error=ValueError, message="X has 5"
)
refused("transform: NaN", fitted.transform, changed(A, np.nan), error=ValueError, message="NaN")
refused("transform: inf", fitted.transform, changed(A, np.inf), error=ValueError, message="inf")
refused("transform: complex", fitted.transform, A + 0j, error=ValueError, message="[Cc]omplex")
refused("transform: 1-D", fitted.transform, A[0], error=ValueError, message="Expected 2D")
refused(
    "transform: sparse NaN",
    fitted.transform,
    scipy.sparse.csr_array(changed(A, np.nan)),
    error=ValueError,
    message="NaN",
)
refused(
    "inverse_transform: width", fitted.inverse_transform, A, error=ValueError, message="X has 8"
)
refused(
    "inverse_transform: 1-D", fitted.inverse_transform, A[0], error=ValueError, message="X must"
)
refused(
    "inverse_transform: NaN",
    fitted.inverse_transform,
    changed(A[:, :4], np.nan),
    error=ValueError,
    message="X contains NaN",
)
refused(
    "inverse_transform: sparse",
    fitted.inverse_transform,
    scipy.sparse.csr_array(A[:, :4]),
    error=TypeError,
    message="X is a sparse matrix.*toarray",
)
refused(
    "score: sparse", fitted.score, scipy.sparse.csr_array(A), error=TypeError, message="[Ss]parse"
)
for method in ("transform", "inverse_transform", "score"):
    refused(
        f"{method}: not fitted",
        getattr(ButterflyFactorizer(), method),
        A,
        error=NotFittedError,
        message="not fitted",
    )


def transforms_like_a_copy(result, X):
    assert_allclose(
        result, np.asarray(X, dtype=float) @ fitted.components_.T, rtol=1e-10, atol=1e-10
    )


for id, X in ODD_MATRICES:
    works(f"transform: {id}", fitted.transform, X, check=transforms_like_a_copy)
works(
    "transform: float16",
    fitted.transform,
    A.astype("f2"),
    check=transforms_like_a_copy,
)
works(
    "transform: numbers in an object array",
    fitted.transform,
    A.astype(object),
    check=transforms_like_a_copy,
)
for format in ("csr", "csc", "coo", "lil", "dok", "bsr"):
    works(
        f"transform: sparse {format}",
        fitted.transform,
        scipy.sparse.coo_array(A * (A > 0)).asformat(format),
        check=lambda result, X: transforms_like_a_copy(result, X.toarray()),
    )
for id, X in EXACT:
    works(
        f"fit: {id}",
        lambda X: ButterflyFactorizer().fit(X).operator_,
        X,
        check=exact,
    )

# ---- supports ------------------------------------------------------------------------------

refused(
    "pattern of floats", KroneckerSparse, 1, 2.0, 2, 4, error=TypeError, message="^b of the pattern"
)
refused(
    "pattern of bools", KroneckerSparse, True, 2, 2, 4, error=TypeError, message="^a of the pattern"
)
refused(
    "pattern of zeros", KroneckerSparse, 1, 2, 0, 4, error=ValueError, message="^c of the pattern"
)
refused(
    "negative pattern", KroneckerSparse, 1, 2, 2, -4, error=ValueError, message="^d of the pattern"
)
refused("empty chain", Chain, [], error=ValueError, message="patterns is empty")
refused("chain of a number", Chain, 3, error=TypeError, message="patterns must be")
refused("chain of triples", Chain, [(1, 2, 2)], error=TypeError, message=r"patterns\[0\]")
refused(
    "chain that does not chain",
    Chain,
    [(2, 2, 2, 1), (1, 2, 2, 2)],
    error=ValueError,
    message=r"patterns\[0\].*not chainable",
)
refused("butterfly of size 0", Chain.butterfly, 0, error=ValueError, message="n must be")
refused("butterfly of size 2.5", Chain.butterfly, 2.5, error=TypeError, message="n must be")
refused("no budget", KSparse, 0, error=ValueError, message="k must be")
refused("axis 2", partial(KSparse, axis=2), 1, error=ValueError, message="axis must be")
refused("mask of floats", FixedMask, A, error=ValueError, message="mask must hold")
refused("mask of text", FixedMask, "mask", error=TypeError, message="mask must be")
refused("1-D mask", FixedMask, [1, 0], error=ValueError, message="mask must be 2-D")

# ---- operators -----------------------------------------------------------------------------

operator = butterfly_factorize(A)
refused("no factors", FactorizedOperator, [], error=ValueError, message="factors is empty")
refused(
    "a factor of text", FactorizedOperator, ["x"], error=(TypeError, ValueError), message="factors"
)
refused(
    "factors that do not fit",
    FactorizedOperator,
    [A, A[:5]],
    error=ValueError,
    message="factors",
)
refused("matvec: length", operator.matvec, A[0, :5], error=ValueError, message="5")
refused("matvec: 2-D", operator.matvec, A[:, :3], error=ValueError, message="1-D|shape")
refused("matmat: length", operator.matmat, A[:5], error=ValueError, message="5")
refused("apply: length", operator.apply, A[:, :5], error=ValueError, message="5")
refused("apply: text", operator.apply, "X", error=(TypeError, ValueError), message="X")
refused("apply: float16", operator.apply, A.astype("f2"), error=TypeError, message="float16")
refused("apply: objects", operator.apply, A.astype(object), error=TypeError, message="object")
works(
    "apply: a float32 vector batch",
    operator.apply,
    A.astype("f4"),
    check=lambda result, X: assert_allclose(result, X @ operator.toarray().T, rtol=1e-5, atol=1e-5),
)
works(
    "matvec: a float32 vector",
    operator.matvec,
    A[0].astype("f4"),
    check=lambda result, x: assert_allclose(result, operator.toarray() @ x, rtol=1e-5, atol=1e-5),
)
works(
    "apply: NaN goes where it belongs",
    operator.apply,
    changed(A, np.nan),
    check=lambda result, X: assert_array_equal(
        np.isnan(result).any(axis=1), np.isnan(X).any(axis=1)
    ),
)


# ---- ReLU networks -------------------------------------------------------------------------

COEFS = [RANDOM.standard_normal((8, 4)), RANDOM.standard_normal((4, 2))]
INTERCEPTS = [RANDOM.standard_normal(4), RANDOM.standard_normal(2)]
NETWORK = COEFS, INTERCEPTS
tanh = MLPRegressor(hidden_layer_sizes=(3,), activation="tanh", solver="lbfgs", max_iter=10_000)
tanh.fit(A[:, :2], A[:, 0])
BAD_NETWORKS = [
    ("tanh", tanh, ValueError, "layer 0.*activation='tanh'"),
    ("unfitted", MLPClassifier(), NotFittedError, "not fitted"),
    ("class", MLPClassifier, TypeError, "class MLPClassifier"),
    ("another estimator", LogisticRegression(), TypeError, "network must be.*LogisticRegression"),
    ("None", None, TypeError, "network must be"),
    ("text", "mlp", TypeError, "network must be"),
    ("matrix", A, TypeError, "network must be.*ndarray"),
    ("one list", [COEFS], ValueError, "pair.*got 1 elements"),
    ("three lists", (*NETWORK, COEFS), ValueError, "pair.*got 3 elements"),
    ("a layer as pair", (COEFS[0], INTERCEPTS[0]), TypeError, "coefs must be a list.*ndarray"),
    ("zero layers", ([], []), ValueError, "zero layers"),
    ("missing bias", (COEFS, INTERCEPTS[:1]), ValueError, "got 2 and 1 arrays"),
    ("do not chain", ([COEFS[0], COEFS[0]], None), ValueError, r"layer 1: coefs\[1\].*chain"),
    ("transposed", ([w.T for w in COEFS], None), ValueError, r"layer 1: coefs\[1\].*chain"),
    ("no neurons", ([COEFS[0][:, :0]], None), ValueError, r"coefs\[0\].*one neuron"),
    ("long bias", (COEFS, INTERCEPTS[::-1]), ValueError, r"layer 0: intercepts\[0\].*4 outputs"),
    ("2-D bias", (COEFS[:1], [np.ones((1, 4))]), ValueError, r"intercepts\[0\] must be 1-D"),
    ("1-D weights", ([np.ones(3)], None), ValueError, r"coefs\[0\] must be 2-D"),
    ("ragged", ([[[1.0, 2.0], [3.0]]], None), ValueError, r"layer 0: coefs\[0\] is no rect"),
    (
        "NaN",
        ([COEFS[0], changed(np.ones((4, 3)), np.nan)], None),
        ValueError,
        r"layer 1: coefs\[1\] contains NaN",
    ),
    ("inf", ([changed(A, -np.inf)], None), ValueError, r"layer 0: coefs\[0\] contains infinity"),
    (
        "inf bias",
        (COEFS, [INTERCEPTS[0], np.array([0, np.inf])]),
        ValueError,
        r"layer 1: intercepts\[1\] contains infinity",
    ),
    ("float16", ([COEFS[0].astype("f2")], None), TypeError, r"layer 0: coefs\[0\].*float16"),
    ("complex", ([COEFS[0] + 0j], None), TypeError, r"layer 0: coefs\[0\].*complex128"),
    ("objects", ([COEFS[0].astype(object)], None), TypeError, r"coefs\[0\] has dtype object"),
    ("sparse", ([scipy.sparse.csr_array(A)], None), TypeError, r"coefs\[0\] is a sparse.*toarray"),
]
OF_ONE_NETWORK = [
    "canonical_form",
    "equalize",
    "path_count",
    "path_norm",
    "path_saliency",
    "path_sgd_scaling",
    "path_sketch",
    "path_sums",
    "prune",
    "quantize",
    "top_paths",
]
OF_TWO_NETWORKS = ["align", "path_inner", "path_metric", "rescaling_factors"]
for id, network, error, message in BAD_NETWORKS:
    for name in OF_ONE_NETWORK:
        refused(f"{name}: {id}", getattr(relu, name), network, error=error, message=message)
    for name in [*OF_TWO_NETWORKS, "is_rescaling_equivalent"]:
        call = partial(getattr(relu, name), NETWORK)
        refused(f"{name}, other: {id}", call, network, error=error, message=message)
    for name in ("path_kernel", "activation_patterns"):
        call = lambda network, name=name: getattr(relu, name)(network, A)  # noqa: E731
        refused(f"{name}: {id}", call, network, error=error, message=message)
    refused(
        f"rescale: {id}",
        lambda network: relu.rescale(network, [np.ones(4)]),
        network,
        error=error,
        message=message,
    )
    if id not in ("None", "unfitted"):  # random layers; and networks that it fits
        refused(
            f"ReLUPathEmbedding: {id}",
            lambda network: ReLUPathEmbedding(network).fit(A),
            network,
            error=error,
            message=message,
        )
for name in OF_TWO_NETWORKS:
    refused(
        f"{name}: other sizes",
        getattr(relu, name),
        NETWORK,
        ([COEFS[0]], None),
        error=ValueError,
        message=r"same layer sizes; got \(8, 4, 2\) and \(8, 4\)",
    )
works(
    "integer weights",
    relu.path_norm,
    ([np.array([[1, -2], [3, 4]])], [[1, 0]]),
    check=lambda result, network: assert_array_equal(result, 11.0),
)
works(
    "rescaled integers are floats",
    lambda network: relu.rescale(network, [[0.5]]),
    ([np.array([[1]]), np.array([[3]])], None),
    check=lambda result, network: assert_array_equal(np.ravel(result[0]), [0.5, 6.0]),
)

BAD_CALLS = [
    ("path_norm", {"q": 0}, ValueError, "q must be"),
    ("path_norm", {"q": -1.0}, ValueError, "q must be"),
    ("path_norm", {"q": np.inf}, ValueError, "q must be"),
    ("path_norm", {"q": np.nan}, ValueError, "q must be"),
    ("path_norm", {"q": "1"}, TypeError, "q must be"),
    ("path_sums", {"q": 0}, ValueError, "q must be"),
    ("path_sketch", {"n_components": 0}, ValueError, "n_components"),
    ("path_sketch", {"n_components": 2.0}, TypeError, "n_components"),
    ("path_sketch", {"signs": "path"}, ValueError, "signs"),
    ("path_sketch", {"random_state": None}, ValueError, "random_state"),
    ("top_paths", {"k": 0}, ValueError, "k must be"),
    ("top_paths", {"k": 1.5}, TypeError, "k must be"),
    ("rescale", {"factors": [np.ones(3)]}, ValueError, r"factors\[0\] must have shape \(4,\)"),
    ("rescale", {"factors": []}, ValueError, "1 hidden layers"),
    ("rescale", {"factors": np.ones((1, 4))}, ValueError, "factors must be a list"),
    ("rescale", {"factors": [-np.ones(4)]}, ValueError, "positive"),
    ("rescale", {"factors": [np.zeros(4)]}, ValueError, "positive"),
    ("rescale", {"factors": [np.full(4, np.nan)]}, ValueError, "positive"),
    ("rescale", {"factors": [np.full(4, 1e-310)]}, ValueError, "overflow"),
    ("equalize", {"p": 0.5}, ValueError, "p must be"),
    ("equalize", {"p": np.nan}, ValueError, "p must be"),
    ("equalize", {"max_iter": 0}, ValueError, "max_iter"),
    ("equalize", {"tol": -1.0}, ValueError, "tol"),
    ("prune", {"amount": 1.5}, ValueError, "amount"),
    ("prune", {"amount": -0.5}, ValueError, "amount"),
    ("prune", {"amount": 41}, ValueError, "amount must be at most 1.*40"),
    ("prune", {"amount": True}, TypeError, "amount"),
    ("prune", {"criterion": "random"}, ValueError, "criterion"),
    ("quantize", {"bits": 1}, ValueError, "bits"),
    ("quantize", {"bits": 33}, ValueError, "bits"),
    ("quantize", {"bits": 8.0}, TypeError, "bits"),
    ("quantize", {"scheme": "per_row"}, ValueError, "scheme"),
    ("activation_patterns", {"X": A[:, :3]}, ValueError, "X has 3 features.*8 inputs"),
    ("activation_patterns", {"X": A[:0]}, ValueError, "X must have at least one row"),
    ("activation_patterns", {"X": changed(A, np.nan)}, ValueError, "X contains NaN"),
    ("activation_patterns", {"X": A + 0j}, ValueError, "X must be real"),
    ("activation_patterns", {"X": A.astype("f2")}, TypeError, "X has dtype float16"),
    ("path_kernel", {"X": A, "Y": A[:, :3]}, ValueError, "Y has 3 features.*8 inputs"),
    ("path_kernel", {"X": changed(A, np.inf)}, ValueError, "X contains inf"),
]
for number, (name, options, error, message) in enumerate(BAD_CALLS):
    refused(
        f"{name}, option {number}: {list(options)[-1]}",
        partial(getattr(relu, name), **options),
        NETWORK,
        error=error,
        message=message,
    )


def network_graph() -> relu.NetworkGraph:
    graph = relu.NetworkGraph(2)
    graph.linear(graph.input, [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], name="first")
    return graph


class NodeOf(NamedTuple):
    """Append a node that reads the last one."""

    kind: str
    args: tuple[Any, ...]

    def __call__(self, graph: relu.NetworkGraph) -> None:
        getattr(graph, self.kind)(graph.output, *self.args)


BAD_NODES = [
    (
        "linear",
        ([[1.0]],),
        ValueError,
        r"'linear_2': weight.* \(1, 1\).*'first' has size 3",
    ),
    ("linear", ([[]] * 3,), ValueError, r"'linear_2': weight has shape \(3, 0\)"),
    ("linear", (np.ones(3),), ValueError, "'linear_2': weight must be 2-D"),
    ("linear", (np.full((3, 1), np.nan),), ValueError, "'linear_2': weight contains NaN"),
    ("linear", (np.ones((3, 1)) * 1j,), TypeError, "'linear_2': weight has dtype complex128"),
    ("linear", (np.ones((3, 1), "f2"),), TypeError, "'linear_2': weight has dtype float16"),
    ("linear", (np.ones((3, 2)), [1.0]), ValueError, r"'linear_2': bias has shape \(1,\); \(2,\)"),
    ("batch_norm", (np.ones(2), np.ones(3)), ValueError, "'batch_norm_2': mean has shape"),
    ("batch_norm", (np.ones(3), -np.ones(3)), ValueError, "variance \\+ eps must be positive"),
    ("batch_norm", (np.ones(3), [1, 1, np.inf]), ValueError, "variance contains infinity"),
    ("max_pool", ([],), ValueError, "'max_pool_2': groups is empty"),
    ("max_pool", ([[]],), ValueError, r"groups\[0\] is empty"),
    ("max_pool", ([[0, 3]],), ValueError, r"groups\[0\] has coordinates.*0 to 2 are allowed"),
    ("max_pool", ([[0], [1, 1]],), ValueError, r"groups\[1\] has a coordinate twice"),
    ("max_pool", ([[0.5]],), TypeError, r"groups\[0\] must be a list of integers"),
    ("max_pool", (2,), TypeError, "groups must be a list of lists"),
    ("add", (relu.NetworkGraph(3).input,), ValueError, "'input' belongs to another graph"),
    ("maximum", ("first",), TypeError, "a node of the graph is needed"),
]
for number, (kind, args, error, message) in enumerate(BAD_NODES):
    refused(
        f"NetworkGraph, node {number}: {kind}",
        NodeOf(kind, args),
        network_graph(),
        error=error,
        message=message,
    )
refused("NetworkGraph: no inputs", relu.NetworkGraph, 0, error=ValueError, message="n_inputs")
refused(
    "NetworkGraph: sizes to add",
    lambda graph: graph.add(graph.input, graph.output),
    network_graph(),
    error=ValueError,
    message="'add_2': .*same size, but 'input' has 2, 'first' has 3",
)
refused(
    "NetworkGraph: name twice",
    lambda graph: graph.relu(graph.input, name="first"),
    network_graph(),
    error=ValueError,
    message="'first' is taken",
)
refused(
    "NetworkGraph: samples",
    lambda graph: graph.predict(A),
    network_graph(),
    error=ValueError,
    message="X has 8 features, but the network has 2 inputs",
)
refused(
    "NetworkGraph: functions of layers",
    relu.path_sums,
    network_graph(),
    error=TypeError,
    message="network is a NetworkGraph, which path_norm",
)
refused(
    "NetworkGraph: another graph",
    lambda graph: relu.path_inner(graph, relu.NetworkGraph(2)),
    network_graph(),
    error=ValueError,
    message="same nodes",
)


BAD_EMBEDDINGS = [
    ({"estimator": NETWORK, "hidden_layer_sizes": (3,)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": (3, 0)}, ValueError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": "wide"}, TypeError, "hidden_layer_sizes"),
    ({"n_paths": 0}, ValueError, "n_paths"),
    ({"n_paths": 1.5}, TypeError, "n_paths"),
    ({"max_paths": 0}, ValueError, "max_paths"),
    ({"max_paths": 72}, ValueError, "73 paths to each output.*max_paths=72"),
    ({"n_paths": 20, "max_paths": 10}, ValueError, "max_paths=10"),
    ({"sparse_output": "yes"}, TypeError, "sparse_output"),
    ({"backend": "gpu"}, ValueError, "backend"),
    ({"random_state": "seed"}, ValueError, "seed"),
    ({"estimator": ([A[:3]], None)}, ValueError, "X has 8 features.*3 inputs"),
    ({"estimator": MLPRegressor()}, ValueError, "requires y"),
]
for number, (options, error, message) in enumerate(BAD_EMBEDDINGS):
    refused(
        f"ReLUPathEmbedding, parameter {number}: {list(options)[-1]}",
        ReLUPathEmbedding(**options).fit,
        A,
        error=error,
        message=message,
    )
for id, X, error, message in BAD_X:
    if id != "sparse":
        refused(
            f"ReLUPathEmbedding: X {id}",
            ReLUPathEmbedding().fit,
            X,
            error=error,
            message=message,
        )
refused(
    "ReLUPathEmbedding: not fitted",
    ReLUPathEmbedding().transform,
    A,
    error=NotFittedError,
    message="not fitted",
)
embedding = ReLUPathEmbedding(NETWORK).fit(A)
refused("path features: width", embedding.transform, A[:, :3], error=ValueError, message="X has 3")
refused(
    "path features: NaN", embedding.transform, changed(A, np.nan), error=ValueError, message="NaN"
)
refused(
    "path names: too few",
    embedding.get_feature_names_out,
    ["a", "b"],
    error=ValueError,
    message="input_features should have length equal",
)

# ---- the test ------------------------------------------------------------------------------


def frozen(value):
    """Everything that makes up an input, to see that it stays as it is."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.shape, value.strides, value.flags.writeable, value.tobytes()
    if scipy.sparse.issparse(value):
        return type(value), value.toarray().tobytes()
    return pickle.dumps(value)


def test_enough_cases_with_names_of_their_own():
    names = [case.id for case in CASES]
    assert len(names) == len(set(names)) >= 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_case(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = [frozen(value) for value in case.inputs]
    if case.error is None:
        result = case.call(*case.inputs)
        case.check(result, *case.inputs)
    else:
        with pytest.raises(case.error, match=f"(?s){case.message}"):
            case.call(*case.inputs)
    assert [frozen(value) for value in case.inputs] == before
    assert list(tmp_path.iterdir()) == []


def test_memory_mapped_input(tmp_path):
    mapped = memory_mapped(tmp_path)
    stored = (tmp_path / "A.npy").read_bytes()
    same_product(butterfly_factorize(mapped), A)
    estimator = ButterflyFactorizer().fit(mapped)
    assert_allclose(estimator.transform(mapped), A @ estimator.components_.T, atol=1e-12)
    assert (tmp_path / "A.npy").read_bytes() == stored
    assert list(tmp_path.iterdir()) == [tmp_path / "A.npy"]
    mapped = np.load(tmp_path / "A.npy", mmap_mode="r+")
    butterfly_factorize(mapped)
    mapped.flush()
    assert (tmp_path / "A.npy").read_bytes() == stored


def test_lazy_arrays_are_not_loaded():
    dask_array = pytest.importorskip("dask.array")
    lazy = dask_array.from_array(A)
    with pytest.raises(TypeError, match=r"A is a dask array.*compute"):
        butterfly_factorize(lazy)
    with pytest.raises(TypeError, match=r"X is a dask array.*compute"):
        ButterflyFactorizer().fit(lazy)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number_anywhere(asarray, bad):
    """In every corner of the matrix, in every library, in the function and in the estimator."""
    for i, j in [(0, 0), (7, 0), (3, 4), (7, 7)]:
        matrix = A.copy()
        matrix[i, j] = bad
        given = asarray(matrix)
        word = "NaN" if np.isnan(bad) else "infinity"
        with pytest.raises(ValueError, match=f"A contains {word}"):
            butterfly_factorize(given)
        with pytest.raises(ValueError, match=f"X contains {word}"):
            ButterflyFactorizer().fit(given)
        estimator = ButterflyFactorizer().fit(asarray(A))
        with pytest.raises(ValueError, match=f"X contains {word}"):
            estimator.transform(given)
        with pytest.raises(ValueError, match=r"X contains (NaN|infinity)"):
            estimator.inverse_transform(given)


@pytest.mark.parametrize(
    "values, message",
    [
        (A[0], "X must be 2-D"),
        (A[None], "X must be 2-D"),
        (A[:0], "X must have at least one row"),
        (A[:, :0], "X must have at least one row"),
    ],
)
@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="scikit-learn's checks, as above")
def test_shapes_in_other_libraries(asarray, values, message):
    with pytest.raises(ValueError, match=message):
        ButterflyFactorizer().fit(asarray(values))


@pytest.mark.skip_namespace("numpy", "numpy-read-only", reason="scikit-learn's checks, as above")
def test_complex_samples_in_other_libraries(asarray):
    with pytest.raises(ValueError, match="X must be real"):
        ButterflyFactorizer().fit(asarray(A + 1j))


class TestFiles:
    """Corrupted files; tests/operators has more of them."""

    @pytest.fixture
    def stored(self, tmp_path: Path) -> Path:
        path = tmp_path / "operator.npz"
        operator.save(path)
        assert_array_equal(FactorizedOperator.load(path).toarray(), operator.toarray())
        return path

    @pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.99])
    def test_truncated(self, stored, part):
        content = stored.read_bytes()
        stored.write_bytes(content[: int(part * len(content))])
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    @pytest.mark.parametrize("content", [b"not a file of numbers", b"PK\x03\x04", b"\x93NUMPY"])
    def test_something_else(self, stored, content):
        stored.write_bytes(content)
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    def test_arrays_of_another_kind(self, stored):
        np.savez(stored, a=A)
        with pytest.raises(ValueError, match=r"operator\.npz"):
            FactorizedOperator.load(stored)

    def test_missing(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            FactorizedOperator.load(tmp_path / "none.npz")


def test_a_failed_fit_leaves_the_parameters():
    estimator = ButterflyFactorizer(supports=Chain.butterfly(4), rank=2)
    before = copy.deepcopy(estimator.get_params())
    with pytest.raises(ValueError, match="rank=2"):
        estimator.fit(A)
    assert estimator.get_params() == before
