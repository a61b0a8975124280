"""Bad and unusual input of the theory of fixed supports."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import (
    closedness,
    complete_rank_one,
    factors_from_contributions,
    hardness_instance,
    identify_tiling,
    is_closable,
    is_locally_identifiable,
    is_nondegenerate,
    rank_one_contributions,
    relu_training_has_optimum,
)
from skfact.supports import Chain, KSparse, SupportFamily
from tests.bad_input.cases import BAD_MATRICES, A, read_only, refused, works

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
    ("a number", 1.0, ValueError, "2-D"),
    ("a NumPy number", np.float64(1), ValueError, "2-D"),
    ("a NumPy bool", np.True_, ValueError, "2-D"),
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
NO_MASKS = [
    ("a budget", KSparse(2, axis=1), r"is KSparse\(2, axis=1\), a budget.* are for skfact.deep_l"),
    ("a family", SupportFamily([LOWER]), "is a SupportFamily, .* searched by fixed_support_factor"),
    ("a chain", Chain.low_rank(3, 3, 1), "is a Chain, which is for a product of 2 factors"),
]
for function_name, function in MASK_FUNCTIONS.items():
    for id, support, message in NO_MASKS:
        if function is relu_training_has_optimum and isinstance(support, KSparse | SupportFamily):
            continue
        for name, pair in (
            ("left_support", (support, LOWER)),
            ("right_support", (LOWER, support)),
        ):
            refused(
                f"{function_name}, {name}: {id}",
                function,
                *pair,
                error=TypeError,
                message=f"{name} {message}",
            )
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
                message=name,
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
for id, arguments, options, error, message in (
    ("a budget of unknown size", (KSparse(3), LOWER), {}, ValueError, "n_outputs must be given"),
    ("no count", (KSparse(3), LOWER), {"n_outputs": 1.5}, TypeError, "n_outputs"),
    ("another count", (LOWER, LOWER), {"n_outputs": 2}, ValueError, "n_outputs is 2"),
    ("a third layer", (LOWER, LOWER, np.eye(2)), {}, ValueError, r"more_supports\[0\]"),
    ("no third layer", (LOWER, LOWER, None), {}, TypeError, r"more_supports\[0\] is None"),
    ("no second layer", (LOWER,), {}, TypeError, "right_support is None"),
    ("no layers", (None, LOWER), {}, TypeError, "left_support is None"),
    ("layers that do not fit", (LOWER, KSparse(3), LOWER, np.eye(2)), {}, ValueError, "rows, but"),
    (
        "pairs of other sizes",
        (SupportFamily([(LOWER, LOWER), (LOWER, LOWER[:, :2])]),),
        {},
        ValueError,
        r"pairs of left_support must have the same .*\[\(3, 2\), \(3, 3\)\]",
    ),
    (
        "a family of pairs for one layer",
        (SupportFamily([(LOWER, LOWER)]), LOWER),
        {},
        TypeError,
        "left_support is a family of pairs",
    ),
):
    refused(
        f"relu_training_has_optimum: {id}",
        partial(relu_training_has_optimum, **options),
        *arguments,
        error=error,
        message=message,
    )
for function in (rank_one_contributions, is_nondegenerate):
    for id, matrix, error, message in BAD_MATRICES:
        if "NaN" not in id and "inf" not in id:
            refused(
                f"{function.__name__}, left: {id}",
                lambda matrix, function=function: function(matrix, np.eye(8)),
                matrix,
                error=error,
                message=message.format(name="left"),
            )
    refused(
        f"{function.__name__}: factors that do not fit",
        function,
        np.ones((3, 2)),
        np.ones((3, 4)),
        error=ValueError,
        message=r"left of shape \(3, 2\) has 2 columns, but right of shape \(3, 4\) has 3 rows",
    )
for id, contributions, error, message in [
    ("a matrix", A, ValueError, r"contributions must be 3-D.*got shape \(8, 8\)"),
    ("none", np.ones((0, 2, 2)), ValueError, "contributions must be 3-D.*at least one entry"),
    ("NaN", np.full((1, 2, 2), np.nan), ValueError, "contributions contains NaN"),
    ("text", "abc", TypeError, "contributions has dtype"),
    ("a matrix of rank two", np.eye(2)[None], ValueError, r"contributions\[0\] is not of rank one"),
]:
    refused(
        f"factors_from_contributions: {id}",
        factors_from_contributions,
        contributions,
        error=error,
        message=message,
    )
refused(
    "factors_from_contributions: negative tolerance",
    lambda C: factors_from_contributions(C, tol=-1),
    np.ones((1, 2, 2)),
    error=ValueError,
    message="tol must be at least 0",
)
