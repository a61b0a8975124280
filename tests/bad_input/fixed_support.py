"""Bad and unusual input of the factorization with fixed supports."""

from functools import partial

import numpy as np
import pandas as pd
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skfact import FixedSupportMF
from skfact.fixed_support import (
    FAMILIES,
    analyze_supports,
    fixed_support_factorize,
    rank_one_supports,
)
from skfact.supports import Chain, KSparse, SupportFamily
from tests.bad_input.cases import (
    BAD_MATRICES,
    BAD_X,
    EXACT,
    ODD_MATRICES,
    A,
    changed,
    exact,
    refused,
    works,
)

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
    "no left mask",
    analyze_supports,
    None,
    RIGHT,
    error=TypeError,
    message="left_support is None: pass a mask",
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

EYES = SupportFamily([np.eye(8), np.tri(8)])
PAIRED = SupportFamily([(np.eye(8), np.eye(8)), (np.tri(8), np.tri(8).T)])
for id, left, right, error, message in [
    ("of the left factor alone", EYES, None, TypeError, "left_support is a family of masks of"),
    ("of pairs beside a mask", PAIRED, RIGHT, TypeError, "left_support is a family of pairs"),
    ("of pairs on the right", LEFT, PAIRED, TypeError, "right_support is a family of pairs"),
    ("of masks that do not fit", EYES, RIGHT, ValueError, "left_support of shape .* 8 columns"),
    ("of budgets", SupportFamily([KSparse(2)]), RIGHT, TypeError, "left_support is KSp.*a budget"),
]:
    refused(
        f"fixed_support_factorize: a family {id}",
        lambda A, left, right: fixed_support_factorize(A, left, right),
        A,
        left,
        right,
        error=error,
        message=message,
    )
refused(
    "fixed_support_factorize: pairs of two shapes",
    lambda A: fixed_support_factorize(
        A, SupportFamily([(np.eye(8), np.eye(8)), (np.eye(4), np.eye(4))])
    ),
    A,
    error=ValueError,
    message=r"Pair 1 of the family is for matrices of shape \(4, 4\)",
)
refused(
    "fixed_support_factorize: pairs without a closed form",
    lambda A: fixed_support_factorize(A, PAIRED, solver="exact"),
    A,
    error=ValueError,
    message="no closed form: pair 1 of the family",
)
for id, supports, error, message in [
    ("of one factor", EYES, TypeError, "supports is a SupportFamily of one factor"),
    ("of pairs for one factor", (None, PAIRED), TypeError, "right_support is a family of pairs"),
    ("for other features", (None, SupportFamily([np.eye(4)])), ValueError, "X has 8 features"),
]:
    refused(
        f"FixedSupportMF: a family {id}",
        lambda X, supports: FixedSupportMF(supports=supports).fit(X),
        A,
        supports,
        error=error,
        message=message,
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


def zero_rows_stay(result, A, *_masks):
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
    ("alpha", "small", TypeError, "alpha must be float or 'auto', got 'small'"),
    ("positive", "left", ValueError, "positive must be 'components'.*got 'left'"),
    ("positive", 1, TypeError, "positive must be False, True.*got int"),
    ("positive", None, TypeError, "positive must be False, True.*got NoneType"),
    ("missing_values", "?", TypeError, "missing_values must be float"),
    ("missing_values", 1j, TypeError, "missing_values must be float"),
    ("n_init", 0, ValueError, "n_init must be at least 1"),
    ("n_init", 1.5, TypeError, "n_init must be int"),
    ("max_iter", 0, ValueError, "max_iter must be at least 1"),
    ("max_iter", None, TypeError, "max_iter must be int"),
    ("tol", -1.0, ValueError, "tol must be at least 0"),
    ("tol", None, TypeError, "tol must be float"),
    ("random_state", "seed", ValueError, "random_state"),
    ("random_state", -1, ValueError, "random_state must be"),
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
    ("supports", list("abc"), ValueError, "supports has 3 labels, but X has 8 features"),
    ("supports", [None] * 8, TypeError, "supports must be one of the names"),
    ("supports", np.full(8, np.nan), ValueError, "Feature 0 has no label in supports, but nan"),
    ("supports", [*"abcdefg", None], ValueError, "Feature 7 has no label in supports, but None"),
    ("supports", ["a"] * 7 + [np.nan], ValueError, "Feature 7 has no label in supports, but nan"),
    ("supports", [0] * 7 + [pd.NA], ValueError, "Feature 7 has no label in supports, but <NA>"),
    ("supports", (None, None), TypeError, "right mask of supports is None"),
    (
        "supports",
        (None, KSparse(2, axis=1)),
        TypeError,
        "the right mask of supports is KSparse.*are for skf",
    ),
    (
        "supports",
        (KSparse(2), RIGHT),
        TypeError,
        "the left mask of supports is KSparse.*Budgets are for skf",
    ),
    ("supports", KSparse(2), TypeError, "supports is KSparse.*Budgets are for skfact.deep_linear"),
    ("supports", Chain.butterfly(8), TypeError, "supports is a Chain, .* product of 3 factors"),
    ("supports", {}, ValueError, "supports is a dictionary without a group"),
    ("supports", {"a": []}, ValueError, "Group 'a' of supports has no columns"),
    ("supports", {"a": 8}, ValueError, "Group 'a' of supports does not fit X with 8 features"),
    ("supports", {"a": [0.5]}, TypeError, "Group 'a' of supports must be a list of positions"),
    ("supports", {"a": "x"}, ValueError, "Group 'a' of supports names features.*no feature names"),
    ("supports", {"a": None}, TypeError, "Group 'a' of supports must be a list .*got None"),
    ("supports", {"a": [0, None]}, TypeError, "Group 'a' of supports must be a list .*got None"),
    ("supports", {"a": {0, 1}}, TypeError, "Group 'a' of supports must be a list .*got {0, 1}"),
    ("supports", {"a": [[0, 1]]}, ValueError, r"Group 'a' .*one list of columns.*\(1, 2\)"),
    ("supports", {"a": [[0], [1, 2]]}, ValueError, "Group 'a' of supports is no rectangular"),
    ("supports", {"a": [0, 0, 1]}, ValueError, "Group 'a' .*position 0 more than once"),
    ("supports", {"a": [0, -8]}, ValueError, "Group 'a' .*position 0 more than once"),
    ("supports", {"a": slice("x")}, ValueError, "Group 'a' of supports does not fit"),
    ("supports", (None, 2 * RIGHT), ValueError, "the right mask of supports must hold only"),
    ("supports", (2 * LEFT, RIGHT), ValueError, "the left mask of supports must hold only"),
    ("supports", lambda m, n: (LEFT, RIGHT), TypeError, "supports is a callable.*n_components"),
    ("supports", lambda: (LEFT, RIGHT), TypeError, "supports is a callable that does not take"),
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
refused(
    "FixedSupportMF: no label for a feature with a name",
    lambda X: FixedSupportMF(supports=[*"abcdefg", None]).fit(X),
    pd.DataFrame(A, columns=list("ABCDEFGH")),
    error=ValueError,
    message="Feature 'H' has no label in supports",
)
for supports in ((LEFT, RIGHT), lambda m, n, r: (LEFT, RIGHT)):
    refused(
        f"FixedSupportMF: n_components contradicts {type(supports).__name__}",
        lambda X, supports=supports: FixedSupportMF(5, supports=supports).fit(X),
        A,
        error=ValueError,
        message="n_components=5 contradicts the masks of .*3 components",
    )
BAD_WEIGHTS = [
    ("one row", A[0], ValueError, r"entry_weight must have the shape of {name}, \(8, 8\)"),
    ("negative", -np.ones((8, 8)), ValueError, "entry_weight must be finite and not negative"),
    ("NaN", changed(abs(A), np.nan), ValueError, "entry_weight must be finite and not negative"),
    ("infinity", changed(abs(A), np.inf), ValueError, "entry_weight must be finite and not neg"),
    ("zeros", 0 * A, ValueError, "Every entry of {name} has weight 0"),
    ("complex", A + 0j, TypeError, "entry_weight has dtype complex"),
    ("text", A.astype(str), TypeError, "entry_weight has dtype"),
    ("ragged", [[1.0], [1.0, 2.0]], ValueError, "entry_weight is no rectangular array"),
    ("sparse", scipy.sparse.csr_array(abs(A)), TypeError, "entry_weight"),
]
for id, weights, error, message in BAD_WEIGHTS:
    refused(
        f"fixed_support_factorize: entry_weight {id}",
        lambda A, weights: fixed_support_factorize(A, LEFT, RIGHT, entry_weight=weights),
        A,
        weights,
        error=error,
        message=message.format(name="A"),
    )
    refused(
        f"FixedSupportMF: entry_weight {id}",
        lambda X, weights: FixedSupportMF(2).fit(X, entry_weight=weights),
        A,
        weights,
        error=error,
        message=message.format(name="X"),
    )
refused(
    "fixed_support_factorize: signs of a complex matrix",
    lambda A: fixed_support_factorize(A, LEFT, RIGHT, positive=True),
    A + 0j,
    error=ValueError,
    message="positive=True is for real matrices, but A has dtype complex128",
)
refused(
    "FixedSupportMF: fewer components than groups",
    lambda X: FixedSupportMF(1, supports=list("abababab")).fit(X),
    A,
    error=ValueError,
    message="n_components=1 is less than the 2 groups",
)
refused(
    "FixedSupportMF: a closed form for factors with signs",
    lambda X: FixedSupportMF(2, positive=True, solver="exact").fit(X),
    A,
    error=ValueError,
    message="with positive factors only disjoint rank-one supports",
)
refused(
    "FixedSupportMF.impute: nothing is declared missing",
    lambda X: FixedSupportMF(2).fit(X).impute(X),
    1 + 0.1 * A,
    error=ValueError,
    message="impute needs to know what is missing",
)
refused(
    "FixedSupportMF: n_components contradicts left_support",
    lambda X: FixedSupportMF(5).fit(X, left_support=LEFT),
    A,
    error=ValueError,
    message="left_support.*3 columns.*5 rows",
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
    "FixedSupportMF: NaN not declared missing",
    lambda X: FixedSupportMF().fit(X),
    changed(A, np.nan),
    error=ValueError,
    message=r"X contains NaN(.|\n)*missing_values=np.nan",
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
    lambda X: [FixedSupportMF(supports=name).fit(X) for name in FAMILIES],
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
fixed = FixedSupportMF(2).fit(1 + 0.1 * A)
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
