"""Bad and unusual input of sparse deep linear maps."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skfact import SparseDeepLinearNet
from skfact.deep_linear import (
    StructuredFactor,
    ToeplitzFactor,
    are_rescalings,
    factor_distance,
    rank_one_tensor,
)
from skfact.supports import Chain, FixedMask, KSparse
from tests.bad_input.cases import RANDOM, changed, refused, works

X, Y = RANDOM.standard_normal((12, 4)), RANDOM.standard_normal((12, 3))


def fitted(supports: Any = "butterfly", **options: Any) -> Callable[[Any, Any], Any]:
    return lambda X, Y: SparseDeepLinearNet(supports, **options).fit(X, Y)


def is_finite(net: Any, *_inputs: Any) -> None:
    assert np.isfinite(net.coef_).all() and np.isfinite(net.intercept_).all()


WRONG = StructuredFactor((3, 4), 3, lambda h: np.diag(h) @ np.eye(3, 4), lambda G: np.zeros(3))
BENT = StructuredFactor((4, 4), 4, np.diag, lambda G: 2 * np.diag(G))

for id, supports, options, message in [
    ("masks that do not chain", [np.ones((3, 5)), np.ones((6, 4))], {}, "must chain"),
    ("masks of other outputs", [np.ones((2, 4))], {}, r"supports\[0\] has shape"),
    ("an empty mask", [FixedMask(np.zeros((3, 4)))], {}, "without a True entry"),
    ("no supports", [], {}, "supports is empty"),
    ("a chain too small", Chain.butterfly(2), {}, "smaller than the matrix"),
    ("unknown family", "buterfly", {}, "Did you mean 'butterfly'"),
    ("hidden sizes of a list", [KSparse(2)], {"hidden_layer_sizes": 3}, "wrong length"),
    (
        "hidden sizes of masks",
        [np.ones((3, 5)), np.ones((5, 4))],
        {"hidden_layer_sizes": 6},
        "5 columns",
    ),
    ("hidden sizes of a chain", Chain.butterfly(4), {"hidden_layer_sizes": 2}, "contradicts"),
    ("hidden size 0", "dense", {"hidden_layer_sizes": 0}, "hidden_layer_sizes"),
    ("wrong adjoint", [WRONG], {}, r"supports\[0\]: the adjoint fails the dot-product test"),
    ("a family that is not there", "kaleidoscop", {}, "Did you mean 'kaleidoscope'"),
    ("budgets by L-BFGS", [KSparse(2)], {"solver": "lbfgs"}, "needs fixed supports"),
    ("budgets by Adam", [KSparse(2)], {"solver": "adam"}, "needs fixed supports"),
    ("wrong adjoint beside a budget", [KSparse(2), BENT], {}, r"supports\[1\]: the adjoint fails"),
    ("PALM of fixed supports", "dense", {"solver": "palm4msa"}, "is for budgets"),
    ("no closed form", "low-rank", {"solver": "closed-form"}, "needs one dense layer"),
    ("unknown solver", "dense", {"solver": "sgd"}, "solver must be one of"),
    ("negative alpha", "dense", {"alpha": -1.0}, "alpha must be at least 0"),
    ("infinite alpha", "dense", {"alpha": np.inf}, "alpha must be finite"),
    ("no rate", "dense", {"learning_rate_init": 0.0}, "learning_rate_init must be positive"),
    ("all to validate", "dense", {"validation_fraction": 1.0}, "validation_fraction"),
    ("no batch", "dense", {"batch_size": 0}, "batch_size must be at least 1"),
    ("no iteration", "dense", {"max_iter": 0}, "max_iter must be at least 1"),
    ("unknown backend", "dense", {"backend": "jax"}, "backend must be one of"),
    (
        "divergence of Adam",
        "dense",
        {"solver": "adam", "learning_rate_init": 1e200},
        "Training diverged",
    ),
]:
    refused(
        f"SparseDeepLinearNet: {id}",
        fitted(supports, **options),
        X,
        Y,
        error=ValueError,
        message=message,
    )
for id, bad_X, bad_Y, message in [
    ("NaN in X", changed(X, np.nan), Y, "X contains NaN"),
    ("NaN in y", X, changed(Y, np.nan), "y contains NaN"),
    ("y of other length", X, Y[:5], "inconsistent numbers of samples"),
    ("3-D y", X, Y[:, :, None], r"y must have shape .*\(12, 3, 1\)"),
    ("no sample", X[:0], Y[:0], "0 sample"),
]:
    refused(f"SparseDeepLinearNet: {id}", fitted(), bad_X, bad_Y, error=ValueError, message=message)
constant = X.copy()
constant[:, 1] = 7
for id, good_X, good_Y in [
    ("one sample", X[:1], Y[:1]),
    ("fewer samples than features", X[:2], Y[:2]),
    ("a constant column", constant, Y),
    ("constant X", np.ones_like(X), Y),
    ("constant y", X, np.ones_like(Y)),
    ("zeros", 0 * X, 0 * Y),
    ("tiny", X * 1e-150, Y),
    ("huge y", X, Y * 1e150),
    ("float32", X.astype("f4"), Y.astype("f4")),
]:
    for name, supports in {
        "butterfly": "butterfly",
        "Toeplitz": [ToeplitzFactor(3, 4)],
        "budget": [KSparse(2, axis=1)],
    }.items():
        works(
            f"SparseDeepLinearNet of a {name}: {id}",
            fitted(supports, solver="auto" if name == "budget" else "lbfgs", max_iter=2000),
            good_X,
            good_Y,
            check=is_finite,
        )
refused(
    "SparseDeepLinearNet: negative weights",
    lambda X, Y: SparseDeepLinearNet().fit(X, Y, -np.ones(12)),
    X,
    Y,
    error=ValueError,
    message="sample_weight must be finite and not negative",
)
for id, supports, options, message in [
    ("one budget without a list", KSparse(2), {}, "One factor is a list of one"),
    ("one mask without a list", np.ones((3, 4)), {}, "One factor is a list of one"),
    ("intercept in words", "dense", {"fit_intercept": "no"}, "fit_intercept must be True or False"),
]:
    refused(
        f"SparseDeepLinearNet: {id}",
        fitted(supports, **options),
        X,
        Y,
        error=TypeError,
        message=message,
    )

PAIR = [np.array([1.0, 2.0]), np.array([3.0, 0.0, -1.0])]
for id, h, error, message in [
    ("a text", "h", TypeError, "h must be a sequence of parameter vectors"),
    ("a number", 3.0, TypeError, "h must be a sequence of parameter vectors"),
    ("no vector", [], ValueError, "h is empty"),
    ("an empty vector", [PAIR[0], []], ValueError, r"h\[1\] must be a vector"),
    ("a matrix", [PAIR[0], np.eye(2)], ValueError, r"h\[1\] must be a vector.*\(2, 2\)"),
    ("one vector without a list", PAIR[0], ValueError, r"h\[0\] must be a vector.*list of one"),
    ("NaN", [PAIR[0], [np.nan]], ValueError, r"h\[1\] contains NaN"),
    ("complex NaN", [[complex(0, np.nan)], PAIR[1]], ValueError, r"h\[0\] contains NaN"),
    ("inf", [PAIR[0], [np.inf]], ValueError, r"h\[1\] contains infinity"),
    ("names", [PAIR[0], ["a"]], TypeError, r"h\[1\] has dtype"),
]:
    refused(f"rank_one_tensor: {id}", rank_one_tensor, h, error=error, message=message)
    refused(f"are_rescalings: {id}", are_rescalings, h, PAIR, error=error, message=message)
    refused(f"factor_distance: {id}", factor_distance, h, PAIR, error=error, message=message)
for id, g, error, message in [
    ("another number of vectors", PAIR[:1], ValueError, r"lengths \[2, 3\] and \[2\]"),
    ("other lengths", PAIR[::-1], ValueError, r"lengths \[2, 3\] and \[3, 2\]"),
    ("g with NaN", [PAIR[0], changed(np.ones((2, 3)), np.nan)[1]], ValueError, r"g\[1\] contains"),
]:
    refused(f"are_rescalings: {id}", are_rescalings, PAIR, g, error=error, message=message)
    refused(f"factor_distance: {id}", factor_distance, PAIR, g, error=error, message=message)
for id, p, error, message in [
    ("p below one", 0.5, ValueError, "p must be at least 1, got 0.5"),
    ("p is NaN", np.nan, ValueError, "p must be at least 1"),
    ("p in words", "fro", TypeError, "p must be a number"),
]:
    refused(f"factor_distance: {id}", factor_distance, PAIR, PAIR, p, error=error, message=message)
for id, rtol, error, message in [
    ("negative rtol", -1e-3, ValueError, "rtol must be at least 0"),
    ("infinite rtol", np.inf, ValueError, "rtol must be finite"),
    ("rtol in words", "loose", TypeError, "rtol must be float"),
]:
    refused(f"are_rescalings: {id}", are_rescalings, PAIR, PAIR, rtol, error=error, message=message)
