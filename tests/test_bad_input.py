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

from skfact import ButterflyFactorizer, FixedSupportMF
from skfact.butterfly import butterfly_factorize, split_errors
from skfact.fixed_support import FAMILIES as FIXED_FAMILIES
from skfact.fixed_support import (
    analyze_supports,
    closedness,
    complete_rank_one,
    fixed_support_factorize,
    hardness_instance,
    identify_tiling,
    is_closable,
    is_locally_identifiable,
    rank_one_supports,
    relu_training_has_optimum,
)
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

# ---- factorization with fixed supports -------------------------------------------------------

LEFT, RIGHT = np.tri(8, 3) > 0, np.ones((3, 8), dtype=bool)


def factor_dense(A):
    """The matrix as one component per column: every matrix is reached."""
    m, n = np.shape(A)
    return fixed_support_factorize(A, np.ones((m, n)), np.ones((n, n)))


for id, matrix, error, message in BAD_MATRICES:
    refused(
        f"fixed_support_factorize: {id}",
        lambda A: fixed_support_factorize(A, LEFT, RIGHT),
        matrix,
        error=error,
        message=message.format(name="A"),
    )
for id, matrix in ODD_MATRICES:
    works(
        f"fixed_support_factorize: {id}",
        factor_dense,
        matrix,
        check=lambda result, A: exact(result.operator, A),
    )
for id, matrix in EXACT:
    if "subnormal" in id:
        continue  # the terms of a product that is no normal number are rounded one by one
    works(
        f"fixed_support_factorize, exact: {id}",
        factor_dense,
        np.asarray(matrix),
        check=lambda result, A: exact(result.operator, A),
    )

BAD_MASKS = [
    ("1-D", LEFT[:, 0], ValueError, "{name}.* must be 2-D"),
    ("no rows", LEFT[:0], ValueError, "{name}.* must be 2-D with at least one entry"),
    ("no columns", LEFT[:, :0], ValueError, "{name}.* must be 2-D with at least one entry"),
    ("twos", 2 * LEFT.astype(int), ValueError, "{name}.* must hold only booleans or 0 and 1"),
    ("floats", 0.5 * LEFT, ValueError, "{name}.* must hold only booleans or 0 and 1"),
    ("NaN", np.where(LEFT, np.nan, 0), ValueError, "{name}.* must hold only booleans or 0"),
    ("minus one", -LEFT.astype(int), ValueError, "{name}.* must hold only booleans or 0 and 1"),
    ("complex", LEFT + 0j, TypeError, "{name}.* must be a mask of booleans"),
    ("text", LEFT.astype(str), TypeError, "{name}.* must be a mask of booleans"),
    ("objects", LEFT.astype(object), TypeError, "{name}.* must be a mask of booleans"),
    ("ragged", [[1, 0, 0], [1, 0]], ValueError, "{name}.* must be a rectangular"),
    ("sparse twos", scipy.sparse.csr_array(2 * LEFT.astype(int)), ValueError, "{name}.* must hold"),
    ("sparse text", scipy.sparse.csr_array(LEFT * 1j), TypeError, "{name}.* must be a mask"),
]
for id, mask, error, message in BAD_MASKS:
    for function in (
        rank_one_supports,
        analyze_supports,
        partial(fixed_support_factorize, A),
    ):
        name = getattr(function, "__name__", "fixed_support_factorize")
        refused(
            f"{name}: left mask {id}",
            lambda mask, function=function: function(mask, RIGHT),
            mask,
            error=error,
            message=message.format(name="left_support"),
        )
    refused(
        f"FixedSupportMF: left mask {id}",
        lambda X, mask: FixedSupportMF(supports=(mask, RIGHT)).fit(X),
        A,
        mask,
        error=error,
        message=message.format(name="left mask"),
    )
    refused(
        f"FixedSupportMF: left_support {id}",
        lambda X, mask: FixedSupportMF().fit(X, left_support=mask),
        A,
        mask,
        error=error,
        message=message.format(name="left_support"),
    )
refused(
    "masks of different numbers of components",
    analyze_supports,
    LEFT,
    RIGHT[:2],
    error=ValueError,
    message=r"left_support of shape \(8, 3\) has 3 columns, but right_support .*2 rows",
)
refused(
    "masks for another matrix",
    fixed_support_factorize,
    A[:, :5],
    LEFT,
    RIGHT,
    error=ValueError,
    message=r"supports are for matrices of shape \(8, 8\).*A has shape \(8, 5\)",
)
refused(
    "one mask",
    fixed_support_factorize,
    A,
    LEFT,
    error=TypeError,
    message="right_support is missing",
)
refused(
    "a mask beside a report",
    lambda A: fixed_support_factorize(A, analyze_supports(LEFT, RIGHT), RIGHT),
    A,
    error=ValueError,
    message="right_support must be None beside a SupportReport",
)


def zero_factors(result, A, left, right):
    assert_array_equal(result.left, np.zeros(left.shape))
    assert_array_equal(result.right, np.zeros(right.shape))
    assert_allclose(result.error, np.linalg.norm(A))
    assert result.optimal


works("empty masks", fixed_support_factorize, A, LEFT & False, RIGHT & False, check=zero_factors)
works("an empty left mask", fixed_support_factorize, A, LEFT & False, RIGHT, check=zero_factors)
DEAD = np.concatenate([LEFT[:, :1] & False, LEFT], axis=1), np.concatenate([RIGHT[:1], RIGHT])
for id, options in {
    "exact": {"left": DEAD[0][:, :2], "right": DEAD[1][:2]},
    "alternating": {"left": DEAD[0], "right": DEAD[1]},
}.items():
    works(
        f"a dead component, {id}",
        partial(fixed_support_factorize, alpha=0.1, max_iter=2000),
        A,
        options["left"],
        options["right"],
        check=lambda result, A, left, right: assert_allclose(
            result.loss,
            fixed_support_factorize(A, left[:, 1:], right[1:], alpha=0.1, max_iter=2000).loss,
            rtol=1e-3,
        ),
    )


def zero_rows_stay(result, A, left, right):
    assert_array_equal(result.left[0], 0)
    assert_allclose(result.error**2, np.sum(A[0] ** 2) + np.sum(np.linalg.svd(A[1:])[1][2:] ** 2))


works(
    "a row of A that no component reaches",
    fixed_support_factorize,
    A,
    np.repeat([[0, 0], [1, 1]], [1, 7], axis=0),
    np.ones((2, 8)),
    check=zero_rows_stay,
)
works(
    "rows of zeros in A",
    factor_dense,
    A * (np.arange(8) % 2)[:, None],
    check=lambda result, A: exact(result.operator, A),
)
works(
    "duplicate components are one class of higher rank",
    fixed_support_factorize,
    A,
    np.ones((8, 3)),
    RIGHT,
    check=lambda result, A, *masks: assert_allclose(
        result.loss, np.sum(np.linalg.svd(A)[1][3:] ** 2)
    ),
)

BAD_FIXED = [
    ("solver", "svd", ValueError, "solver must be one of"),
    ("solver", None, ValueError, "solver must be one of"),
    ("alpha", -1.0, ValueError, "alpha must be at least 0"),
    ("alpha", np.nan, ValueError, "alpha must be at least 0"),
    ("alpha", np.inf, ValueError, "alpha must be finite"),
    ("alpha", "small", TypeError, "alpha must be float"),
    ("missing_values", "?", TypeError, "missing_values must be float"),
    ("missing_values", 1j, TypeError, "missing_values must be float"),
    ("n_init", 0, ValueError, "n_init must be at least 1"),
    ("n_init", 1.5, TypeError, "n_init must be int"),
    ("max_iter", 0, ValueError, "max_iter must be at least 1"),
    ("max_iter", None, TypeError, "max_iter must be int"),
    ("tol", -1.0, ValueError, "tol must be at least 0"),
    ("tol", None, TypeError, "tol must be float"),
    ("random_state", "seed", ValueError, "seed"),
]
for number, (name, value, error, message) in enumerate(BAD_FIXED):
    options = {name: value}
    refused(
        f"fixed_support_factorize, option {number}: {name}={value!r}",
        lambda A, options=options: fixed_support_factorize(A, LEFT, RIGHT, **options),
        A,
        error=error,
        message=message,
    )
    refused(
        f"FixedSupportMF, option {number}: {name}={value!r}",
        lambda X, options=options: FixedSupportMF(2, **options).fit(X),
        A,
        error=error,
        message=message,
    )

BAD_FIXED_PARAMETERS = [
    ("n_components", 0, ValueError, "n_components must be at least 1"),
    ("n_components", 2.0, TypeError, "n_components must be int"),
    ("n_components", True, TypeError, "n_components must be int"),
    ("verbose", -1, ValueError, "verbose must be at least 0"),
    ("backend", "gpu", ValueError, "backend must be one of"),
    ("supports", "denze", ValueError, "Did you mean 'dense'"),
    ("supports", None, TypeError, "supports must be one of the names"),
    ("supports", 3, TypeError, "supports must be one of the names"),
    ("supports", RIGHT, TypeError, "supports must be one of the names"),
    ("supports", (LEFT,), TypeError, "supports must be one of the names"),
    ("supports", (LEFT, None), TypeError, "right mask of supports is None"),
    ("supports", (LEFT[:5], RIGHT), ValueError, "left mask.*5 rows.*8 samples.*left_support"),
    ("supports", (None, RIGHT[:, :5]), ValueError, "right mask.*8 features"),
    ("supports", (LEFT, RIGHT[:2]), ValueError, "left mask.*3 columns.*right mask.*2 rows"),
    ("supports", lambda m, n, r: None, TypeError, "supports returned None"),
    ("supports", lambda m, n, r: 3, TypeError, "supports returned 3"),
    ("supports", lambda m, n, r: (LEFT, "x"), (TypeError, ValueError), "right mask"),
    ("supports", lambda m, n, r: (LEFT[:4], RIGHT), ValueError, "callable.*4 rows"),
    ("supports", lambda m, n, r: (LEFT, RIGHT, RIGHT), TypeError, "supports returned tuple"),
]
for number, (name, value, error, message) in enumerate(BAD_FIXED_PARAMETERS):
    refused(
        f"FixedSupportMF, parameter {number}: {name}={value!r:.20}",
        lambda X, name=name, value=value: FixedSupportMF(**{name: value}).fit(X),
        A,
        error=error,
        message=message,
    )
for supports in ((LEFT, RIGHT), lambda m, n, r: (LEFT, RIGHT)):
    refused(
        f"FixedSupportMF: n_components contradicts {type(supports).__name__}",
        lambda X, supports=supports: FixedSupportMF(5, supports=supports).fit(X),
        A,
        error=ValueError,
        message="n_components=5 contradicts the masks of .*3 components",
    )
refused(
    "FixedSupportMF: n_components contradicts left_support",
    lambda X: FixedSupportMF(5).fit(X, left_support=LEFT),
    A,
    error=ValueError,
    message="left mask.*3 columns.*5 rows",
)
refused(
    "FixedSupportMF: the left mask twice",
    lambda X: FixedSupportMF(supports=(LEFT, RIGHT)).fit(X, left_support=LEFT),
    A,
    error=ValueError,
    message="given twice",
)
for id, X, error, message in BAD_X:
    refused(
        f"FixedSupportMF: X {id}",
        lambda X: FixedSupportMF().fit(X),
        X,
        error=error,
        message=message,
    )
refused(
    "FixedSupportMF: infinity beside missing values",
    lambda X: FixedSupportMF(missing_values=np.nan).fit(X),
    changed(A, np.inf),
    error=ValueError,
    message="X contains inf",
)
refused(
    "FixedSupportMF: NaN beside another missing value",
    lambda X: FixedSupportMF(missing_values=0).fit(X),
    changed(A, np.nan),
    error=ValueError,
    message="X contains NaN",
)


def fits_exactly(model, X):
    assert model.optimal_
    assert_allclose(model.left_factor_ @ model.components_, X, atol=1e-12)
    assert_allclose(model.inverse_transform(model.transform(X)), X, atol=1e-12)


for id, X in {
    "1 x 1": A[:1, :1],
    "1 x 1 of zero": np.zeros((1, 1)),
    "a single sample": A[:1],
    "a single feature": A[:, :1],
    "zeros": np.zeros((4, 3)),
}.items():
    works(f"FixedSupportMF: {id}", lambda X: FixedSupportMF().fit(X), X, check=fits_exactly)
works(
    "FixedSupportMF: every family on 1 x 1",
    lambda X: [FixedSupportMF(supports=name).fit(X) for name in FIXED_FAMILIES],
    A[:1, :1],
    check=lambda models, X: [fits_exactly(model, X) for model in models],
)
works(
    "FixedSupportMF: a sample of which nothing is observed",
    lambda X: (
        FixedSupportMF(1, missing_values=np.nan, tol=1e-2).fit(X).transform(np.full_like(X, np.nan))
    ),
    A,
    check=lambda codes, X: assert_array_equal(codes, np.zeros((8, 1))),
)
fixed = FixedSupportMF(2).fit(A)
refused(
    "FixedSupportMF.transform: NaN",
    fixed.transform,
    changed(A, np.nan),
    error=ValueError,
    message="X contains NaN",
)
refused(
    "FixedSupportMF.transform: features",
    fixed.transform,
    A[:, :5],
    error=ValueError,
    message="X has 5 features",
)
refused(
    "FixedSupportMF.inverse_transform: width",
    fixed.inverse_transform,
    A,
    error=ValueError,
    message="X has 8 columns, but transform gives 2",
)
refused(
    "FixedSupportMF.inverse_transform: NaN",
    fixed.inverse_transform,
    changed(A, np.nan)[:, 1:3],
    error=ValueError,
    message="X contains NaN",
)
for method in ("transform", "inverse_transform", "score"):
    refused(
        f"FixedSupportMF.{method}: not fitted",
        getattr(FixedSupportMF(), method),
        A,
        error=NotFittedError,
        message="not fitted",
    )

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


# ---- theory of fixed supports --------------------------------------------------------------

LOWER = np.tri(3, dtype=bool)
Z = LOWER @ np.diag([1.0, 2.0, 3.0]) @ LOWER.T
BAD_MASKS = [
    ("a number other than 0 and 1", 2 * np.eye(3), ValueError, "0 and 1"),
    ("a negative number", -np.eye(3), ValueError, "0 and 1"),
    ("NaN", np.full((3, 3), np.nan), ValueError, "0 and 1"),
    ("complex", np.eye(3) + 0j, TypeError, "dtype complex128"),
    ("strings", np.full((3, 3), "1"), TypeError, "dtype"),
    ("None", None, (TypeError, ValueError), ""),
    ("text", "dense", (TypeError, ValueError), ""),
    ("1-D", np.ones(3), ValueError, "2-D"),
    ("3-D", np.ones((3, 3, 1)), ValueError, "2-D"),
    ("no rows", np.ones((0, 3)), ValueError, "at least one entry"),
    ("no columns", np.ones((3, 0)), ValueError, "at least one entry"),
    ("ragged lists", [[1, 0], [1]], ValueError, "rectangular"),
    ("sparse with a 2", scipy.sparse.csr_array(2 * np.eye(3)), ValueError, "0 and 1"),
]
MASK_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "closedness": closedness,
    "relu_training_has_optimum": relu_training_has_optimum,
    "is_closable": is_closable,
    "is_locally_identifiable": is_locally_identifiable,
    "complete_rank_one": partial(complete_rank_one, Z),
}
for function_name, function in MASK_FUNCTIONS.items():
    for id, mask, error, message in BAD_MASKS:
        refused(
            f"{function_name}, left_support: {id}",
            function,
            mask,
            LOWER.T,
            error=error,
            message=f"left_support.*{message}",
        )
        refused(
            f"{function_name}, right_support: {id}",
            function,
            LOWER,
            mask,
            error=error,
            message=f"right_support.*{message}",
        )
    refused(
        f"{function_name}: masks that do not fit",
        function,
        LOWER,
        np.ones((2, 3)),
        error=ValueError,
        message=r"left_support of shape \(3, 3\).*right_support of shape \(2, 3\)",
    )
for id, mask, error, message in BAD_MASKS:
    refused(
        f"hardness_instance, observed: {id}",
        hardness_instance,
        Z,
        mask,
        error=error,
        message=f"observed.*{message}",
    )
refused(
    "hardness_instance: observed of another shape",
    hardness_instance,
    Z,
    LOWER[:2],
    error=ValueError,
    message=r"observed must have the shape of A, \(3, 3\), got \(2, 3\)",
)
refused(
    "complete_rank_one: masks for another shape",
    complete_rank_one,
    A,
    LOWER,
    LOWER.T,
    error=ValueError,
    message=r"matrices of shape \(3, 3\), but Z has shape \(8, 8\)",
)
for id, matrix, error, message in BAD_MATRICES:
    for function, name, rest in (
        (complete_rank_one, "Z", (np.eye(8), np.eye(8))),
        (identify_tiling, "Z", ()),
        (hardness_instance, "A", (np.eye(8),)),
    ):
        refused(
            f"{function.__name__}: {id}",
            function,
            matrix,
            *rest,
            error=error,
            message=message.format(name=name),
        )
for shape in [(4, 6), (3, 3), (1, 1)]:
    refused(
        f"identify_tiling: shape {shape}",
        identify_tiling,
        np.ones(shape),
        error=ValueError,
        message="Z must be square with an even number of rows",
    )
for name, value, error in [
    ("budget", -1, ValueError),
    ("budget", 1.5, TypeError),
    ("budget", None, TypeError),
    ("budget", True, TypeError),
    ("tol", -1.0, ValueError),
    ("tol", np.nan, ValueError),
    ("tol", "small", TypeError),
    ("max_size", 0, ValueError),
    ("max_size", 1e6, TypeError),
    ("random_state", "seed", ValueError),
]:
    for function_name, function in MASK_FUNCTIONS.items():
        known = {
            "budget": ("closedness", "relu_training_has_optimum"),
            "tol": ("is_locally_identifiable", "complete_rank_one"),
        }.get(name, ("is_locally_identifiable",))
        if function_name in known:
            refused(
                f"{function_name}: {name}={value!r}",
                partial(function, **{name: value}),
                LOWER,
                LOWER.T,
                error=error,
                message="seed" if name == "random_state" else name,
            )
refused(
    "identify_tiling: tol",
    partial(identify_tiling, tol=-1.0),
    np.fft.fft(np.eye(4)),
    error=ValueError,
    message="tol must be at least",
)


def answers(expected):
    return lambda result, *inputs: assert_array_equal(getattr(result, "answer", result), expected)


ODD_MASKS = [
    ("lists", LOWER.tolist()),
    ("ints", LOWER.astype("i1")),
    ("floats", LOWER.astype(float)),
    ("unsigned", LOWER.astype("u1")),
    ("read-only", read_only(LOWER)),
    ("Fortran", np.asfortranarray(LOWER)),
    ("negative strides", np.triu(np.ones((3, 3), dtype=bool))[::-1, ::-1]),
    ("sparse matrix", scipy.sparse.csr_matrix(LOWER)),
    ("sparse array", scipy.sparse.coo_array(LOWER)),
    ("sparse floats", scipy.sparse.csc_array(LOWER.astype(float))),
    ("explicit zeros", scipy.sparse.csr_array(np.eye(3)) * 0 + scipy.sparse.csr_array(1.0 * LOWER)),
]
for id, mask in ODD_MASKS:
    works(f"closedness: {id}", closedness, mask, LOWER.T, check=answers("not closed"))
    works(f"is_closable: {id}", is_closable, mask, LOWER.T, check=answers(True))
    works(
        f"is_locally_identifiable: {id}",
        is_locally_identifiable,
        mask,
        LOWER.T,
        check=answers(True),
    )
    works(
        f"complete_rank_one, masks: {id}",
        complete_rank_one,
        Z,
        mask,
        LOWER.T,
        check=lambda result, Z, *masks: assert_allclose(result.left @ result.right, Z),
    )

one = np.ones((1, 1), dtype=bool)
dead = np.zeros((3, 2), dtype=bool)
SMALL_MASKS = [
    ("1 x 1", one, one, "closed", True),
    ("1 x 1 zero", ~one, ~one, "closed", True),
    ("no component reaches anything", dead, dead.T, "closed", True),
    ("a dead component", np.ones((3, 2)), np.array([[1, 1], [0, 0]]), "closed", True),
    ("a duplicate component", np.ones((3, 2)), np.ones((2, 3)), "closed", False),
    ("single row", np.ones((1, 3)), np.eye(3), "closed", True),
    ("single column", np.eye(3), np.ones((3, 1)), "closed", True),
    ("rows of zeros", np.array([[0], [1], [0]]), np.array([[0, 1, 1, 0]]), "closed", True),
]
for id, left, right, closed, unique in SMALL_MASKS:
    works(f"closedness: {id}", closedness, left, right, check=answers(closed))
    works(f"is_closable: {id}", is_closable, left, right, check=answers(unique))
    works(
        f"is_locally_identifiable: {id}",
        is_locally_identifiable,
        left,
        right,
        check=answers(unique),
    )
works(
    "complete_rank_one: 1 x 1",
    complete_rank_one,
    [[-3]],
    one,
    one,
    check=lambda result, *inputs: assert_allclose(result.left @ result.right, [[-3]]),
)
works(
    "complete_rank_one: no component reaches anything",
    complete_rank_one,
    np.ones((3, 3)),
    dead,
    dead.T,
    check=lambda result, *inputs: assert_array_equal(
        [result.is_complete, result.is_consistent, result.residual], [True, False, 1]
    ),
)
for scale in (1e-300, 1e300):
    works(
        f"complete_rank_one: scale {scale}",
        complete_rank_one,
        scale * Z,
        LOWER,
        LOWER.T,
        check=lambda result, Z, *masks: assert_allclose(result.left @ result.right, Z, rtol=1e-12),
    )
    works(
        f"identify_tiling: scale {scale}",
        identify_tiling,
        scale * np.fft.fft(np.eye(4)),
        check=lambda result, Z: assert_array_equal(result.row_pairs, [[0, 2], [1, 3]]),
    )
works(
    "hardness_instance: everything observed",
    hardness_instance,
    Z,
    np.ones((3, 3)),
    check=lambda masks, *inputs: assert_array_equal(masks[0] @ masks[1], np.ones((3, 3))),
)
works(
    "hardness_instance: nothing observed",
    hardness_instance,
    Z,
    np.zeros((3, 3)),
    check=lambda masks, *inputs: assert_array_equal(masks[0], np.ones((3, 4))),
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
