"""Bad and unusual input of the butterfly factorization."""

from functools import partial

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF, PCA
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge

from skfact import ButterflyFactorizer
from skfact.butterfly import (
    StructureReport,
    butterfly_factorize,
    circulant_factorize,
    complementary_ranks,
    split_errors,
    structure_report,
)
from skfact.supports import Chain, KroneckerSparse
from tests.bad_input.cases import (
    BAD_MATRICES,
    BAD_X,
    EXACT,
    ODD_MATRICES,
    RANDOM,
    A,
    H,
    changed,
    exact,
    refused,
    works,
)

# ---- matrices ------------------------------------------------------------------------------

for id, matrix, error, message in BAD_MATRICES:
    for function in (butterfly_factorize, split_errors, complementary_ranks, structure_report):
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

for id, c, error, message in (
    ("no number", ["a"], TypeError, "c has dtype"),
    ("a number", 1.0, ValueError, "c must be the first column"),
    ("nothing", [], ValueError, "c must be the first column"),
    ("no square", np.ones((2, 3)), ValueError, "c must be the first column"),
    ("sparse", scipy.sparse.eye_array(3), TypeError, "c.*sparse"),
    ("not finite", [1.0, np.nan], ValueError, "c contains NaN"),
    ("other matrix", np.tri(3), ValueError, "c is not circulant"),
):
    refused(f"circulant_factorize: {id}", circulant_factorize, c, error=error, message=message)


def same_product(result, *inputs):
    """Equal to the factorization of the same numbers as an ordinary array."""
    expected = butterfly_factorize(np.array(inputs[0], dtype=result.dtype)).toarray()
    assert_allclose(result.toarray(), expected, rtol=1e-12, atol=1e-12)


for id, matrix in ODD_MATRICES:
    works(f"butterfly_factorize: {id}", butterfly_factorize, matrix, check=same_product)

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
    5e307 * (RANDOM.random((64, 64)) < 0.5),
    check=lambda errors, A: assert_array_equal(errors > 1e307, np.ones(5, dtype=bool)),
)


def bounded(result, *inputs):
    dense = np.asarray(inputs[0])
    assert result.shape == dense.shape
    assert np.linalg.norm(result.toarray() - dense) <= np.linalg.norm(dense)


for shape in [(11, 13), (1, 31), (31, 1), (2, 3), (3, 2), (17, 8), (97, 2)]:
    works(
        f"butterfly_factorize: shape {shape}",
        butterfly_factorize,
        RANDOM.standard_normal(shape),
        check=bounded,
    )

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
    ("supports", lambda n: Chain.butterfly(n), TypeError, "supports is a callable.*n_out, n_in"),
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
    ("max_density", 0.0, ValueError, "max_density.*share above 0 and at most 1"),
    ("max_density", -0.1, ValueError, "max_density"),
    ("max_density", 1.5, ValueError, "max_density"),
    ("max_density", np.nan, ValueError, "max_density"),
    ("max_density", "half", TypeError, "max_density"),
    ("max_density", True, TypeError, "max_density"),
    ("max_density", 0.1, ValueError, "max_density=.* allows 6 numbers.*takes 48: pass at least"),
    ("order", "sideways", ValueError, "order"),
    ("order", 1, TypeError, "order"),
    ("order", None, TypeError, "order"),
    ("order", [1], ValueError, "order"),
    ("order", [1, 1], ValueError, "order"),
    ("order", [1, 3], ValueError, "order"),
    ("order", [1, "2"], TypeError, "order"),
    ("order", [1.0, 2.0], TypeError, "order"),
    ("order", [True, 2], TypeError, "order"),
    ("order", {1, 2}, TypeError, "order.*a set has no order"),
    ("order", [[1, 2]], TypeError, "order"),
    ("orthonormalize", 1, TypeError, "orthonormalize"),
    ("orthonormalize", "yes", TypeError, "orthonormalize"),
    ("orthonormalize", None, TypeError, "orthonormalize"),
    ("permutation", "random", ValueError, "permutation.*'auto'.*got 'random'"),
    ("permutation", "row", ValueError, "permutation.*'rows'"),
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


for options, error, message in [
    ({"supports": "auto", "rank": 2}, ValueError, "chooses the ranks, got rank=2"),
    ({"supports": "auto", "rank": 0}, ValueError, "rank must be at least 1"),
    ({"supports": "auto", "tol": 0.1, "max_density": 0.5}, ValueError, "tol=0.1 or max_density"),
    ({"tol": 0.1, "max_density": 0.5}, ValueError, "tol=0.1 or max_density"),
    ({"rank": 2, "max_density": 0.5}, ValueError, "rank=2 or max_density=0.5"),
    ({"supports": Chain.butterfly(8), "max_density": 0.5}, ValueError, "max_density.*Chain"),
    ({"supports": "auto", "permutation": "rows"}, ValueError, "chooses the permutation.*'rows'"),
    ({"supports": "auto", "permutation": None}, ValueError, "chooses the permutation"),
    ({"supports": "auto", "permutation": (index, index)}, ValueError, "chooses the permutation"),
    ({"supports": "auto", "order": [1, 2]}, ValueError, "pass order by name"),
    ({"supports": "auto", "order": "sideways"}, ValueError, "order must be one of"),
    ({"supports": "auto", "order": 1}, TypeError, "order must be one of"),
    ({"supports": "auto", "max_density": 0.1}, ValueError, "smallest structure takes 16"),
    ({"supports": "auto", "tol": -1}, ValueError, "tol must be positive"),
    ({"supports": "low-rank+sparse"}, ValueError, "'low-rank.sparse'.*pass max_density"),
    ({"supports": "dense+sparse", "max_density": 0.5}, ValueError, "sparse' is not one of"),
    ({"supports": "wavelets+sparse"}, ValueError, "'wavelets.sparse' is not one of"),
    ({"supports": "low-rank+sparse", "tol": 0.1}, ValueError, "pass max_density"),
    ({"supports": "low-rank+sparse", "rank": 2}, ValueError, "rank"),
    ({"supports": "low-rank+sparse", "max_density": 0.2}, ValueError, "pass at least 0.3"),
]:
    for name, call in [
        ("butterfly_factorize", partial(butterfly_factorize, **options)),
        ("fit", lambda A, options=options: ButterflyFactorizer(**options).fit(A)),
    ]:
        refused(f"{name}: {options!r:.90}", call, A, error=error, message=message)

for options, error, message in [
    ({"effort": "low"}, ValueError, "effort must be one of"),
    ({"effort": None}, ValueError, "effort"),
    ({"tol": 0}, ValueError, "tol must be positive"),
    ({"tol": "small"}, TypeError, "tol must be a number"),
    ({"max_density": 2}, ValueError, "max_density must be a share"),
    ({"max_density": 0.01}, ValueError, "smallest structure takes 16: pass at least 0.25"),
    ({"max_density": 0.5, "tol": 0.1}, ValueError, "not both"),
    ({"inputs": np.ones((3, 3))}, ValueError, "inputs must have one column per column of A"),
    ({"inputs": np.full((2, 8), np.nan)}, ValueError, "inputs"),
    ({"inputs": np.ones((2, 8)), "tol": 0.1}, ValueError, "pass that in place of tol"),
]:
    refused(
        f"structure_report: {options!r:.60}",
        partial(structure_report, **options),
        A,
        error=error,
        message=message,
    )


def reported(report, A):
    assert isinstance(report, StructureReport) and report.shape == np.asarray(A).shape


for id, matrix in [*ODD_MATRICES, *EXACT]:
    works(f"structure_report: {id}", structure_report, matrix, check=reported)

for options, matrix, message in [
    ({"random_state": "none"}, A, "random_state"),
    ({"rank": 2}, np.ones((64, 64)), "chain of rank one"),
    ({"supports": Chain([(2, 2, 2, 2), (4, 2, 2, 1)])}, A, "product has no zeros"),
    ({}, np.ones((11, 16)), "padding have no place"),
]:
    refused(
        f"permutation='search': {options}, {matrix.shape}",
        partial(butterfly_factorize, permutation="search", **options),
        matrix,
        error=ValueError,
        message=message,
    )

for number, (options, error, message) in enumerate(
    [
        ({"inputs": np.ones((3, 7))}, ValueError, "inputs must have one column per column of A, 8"),
        ({"inputs": np.ones(8)}, ValueError, "inputs"),
        ({"inputs": np.full((3, 8), np.nan)}, ValueError, "inputs"),
        ({"inputs": "samples"}, TypeError, "inputs"),
        (
            {"inputs": A, "supports": "low-rank+sparse", "max_density": 0.9},
            ValueError,
            "inputs=None",
        ),
        ({"inputs": A, "supports": "auto", "tol": 0.1}, ValueError, "max_density"),
    ]
):
    refused(
        f"butterfly_factorize: inputs {number}",
        partial(butterfly_factorize, **options),
        A,
        error=error,
        message=message,
    )

for name, value, error, message in [
    ("tol", -0.1, ValueError, "tol"),
    ("tol", 1, ValueError, "tol must be a share"),
    ("tol", np.nan, ValueError, "tol"),
    ("tol", "small", TypeError, "tol"),
    ("tol", None, TypeError, "tol"),
    ("permutation", "row", ValueError, "permutation.*'rows'.*got 'row'"),
    ("permutation", (index, None), TypeError, "permutation"),
    ("permutation", 0, TypeError, "permutation"),
]:
    refused(
        f"complementary_ranks: {name}={value!r:.20}",
        partial(complementary_ranks, **{name: value}),
        A,
        error=error,
        message=message,
    )


def low_rank_of_eight(result, A):
    assert len(result.factors) == 1
    assert_allclose(result.toarray(), A, rtol=1e-13)


for rank in (8, 9, 10**9, np.int64(8)):
    works(
        f"butterfly_factorize: low-rank of rank {rank!r}",
        partial(butterfly_factorize, supports="low-rank", rank=rank),
        A,
        check=low_rank_of_eight,
    )
    works(
        f"butterfly_factorize: butterfly of rank {rank!r}",
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

for id, X, error, message in BAD_X:
    refused(f"fit: X {id}", lambda X: ButterflyFactorizer().fit(X), X, error=error, message=message)

BAD_PARAMETERS = [
    ("n_components", 0, ValueError, "n_components"),
    ("n_components", -2, ValueError, "n_components"),
    ("n_components", 9, ValueError, "n_components"),
    ("n_components", 2.0, TypeError, "n_components.*pass 2"),
    ("n_components", 1.0, TypeError, "n_components.*pass 1"),
    ("n_components", 0.0, ValueError, "n_components.*between 0 and 1"),
    ("n_components", -0.5, ValueError, "n_components.*between 0 and 1"),
    ("n_components", 2.5, ValueError, "n_components.*between 0 and 1"),
    ("n_components", np.nan, ValueError, "n_components.*between 0 and 1"),
    ("n_components", np.inf, ValueError, "n_components.*between 0 and 1"),
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
    ("operator", lambda: np.eye(8), TypeError, r"operator is a callable.*\(n_features,\)"),
    ("operator", lambda n: None, (TypeError, ValueError), "operator"),
    ("operator", lambda n: "matrix", (TypeError, ValueError), "operator"),
    ("operator", NMF(2, init="random", tol=0.1), ValueError, "operator|Negative"),
    ("operator", KMeans(2, n_init=1), ValueError, "operator.*not affine"),
    ("operator", LogisticRegression(), ValueError, "operator.*y"),
    ("operator", Chain.butterfly(8), (TypeError, ValueError), "operator"),
]
for number, (name, value, error, message) in enumerate(BAD_PARAMETERS):
    refused(
        f"fit: parameter {number}: {name}={value!r:.20}",
        lambda X, name=name, value=value: ButterflyFactorizer(**{name: value}).fit(X),
        A,
        error=error,
        message=message,
    )
refused(
    "fit: a share of the variance beside an operator",
    lambda X: ButterflyFactorizer(0.5, operator=PCA(2)).fit(X),
    A,
    error=ValueError,
    message="n_components=0.5.*operator",
)
for seed in ("seed", -1, 2**32, 0.5, np.random.default_rng(0)):
    for operator in (None, PCA(2)):  # nothing is drawn for the first
        refused(
            f"fit: random_state {seed!r:.10} for {operator}",
            lambda X, s=seed, o=operator: ButterflyFactorizer(random_state=s, operator=o).fit(X),
            A,
            error=ValueError,
            message="random_state must be an int from 0",
        )
for flag in ("no", 0, None, [True]):
    refused(
        f"butterfly_factorize: return_errors={flag!r}",
        partial(butterfly_factorize, return_errors=flag),
        A,
        error=TypeError,
        message="return_errors must be True or False",
    )
refused(
    "fit: labels as targets of a regressor",
    lambda X: ButterflyFactorizer(operator=Ridge()).fit(X, ["a"] * len(X)),
    A,
    error=ValueError,
    message="operator=Ridge.*X and y.*'a'",
)
refused(
    "fit: numbers of a frozen regressor that was fitted on others",
    lambda X: ButterflyFactorizer(operator=FrozenEstimator(Ridge().fit(X[:, :3], X[:, 0]))).fit(X),
    A,
    error=ValueError,
    message="operator=.*3 features",
)
refused(
    "fit: more components than the operator has rows",
    lambda X: ButterflyFactorizer(3, operator=X[:2]).fit(X),
    A,
    error=ValueError,
    message="n_components=3.*2 rows",
)

fitted = ButterflyFactorizer(operator=A[:4], supports="low-rank", rank=2).fit(A)
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
