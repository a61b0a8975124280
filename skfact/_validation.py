"""Checks of matrices, samples and parameters, on top of scikit-learn's; nested estimators."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from skfact._backend import array_namespace, device, is_array_api_obj
from skfact._inputs import as_floating, is_numpy


def check_matrix(A: Any, name: str) -> Any:
    """A 2-D, non-empty floating array (real or complex) in its own library; finiteness not yet.

    Raises
    ------
    TypeError
        If `A` is sparse, masked, lazy or not numeric.
    ValueError
        If `A` is not 2-D or has no entry.
    """
    if hasattr(A, "dask"):
        raise TypeError(
            f"{name} is a dask array, which would be loaded whole: pass {name}.compute()."
        )
    try:
        A = as_floating(A, name)
    except ValueError as error:  # ragged nested lists
        raise ValueError(f"{name} is no rectangular array of numbers: {error}") from error
    if A.ndim != 2:
        raise ValueError(
            f"{name} must be 2-D (a matrix), got an array of shape {tuple(A.shape)}. Reshape a "
            f"vector with {name}.reshape(-1, 1) or {name}.reshape(1, -1)."
        )
    if 0 in A.shape:
        raise ValueError(
            f"{name} must have at least one row and one column, got shape {tuple(A.shape)}."
        )
    return A


def require_finite(largest: float, A: Any, name: str) -> None:
    """Raise unless the largest magnitude of `A`, found on the way, is finite."""
    if math.isfinite(largest):
        return
    found = "NaN" if math.isnan(largest) else "infinity"
    raise ValueError(f"{name} contains {found}. Remove or impute such entries first.")


def validate_samples(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    accept_sparse: bool = False,
    allow_nan: bool = False,
) -> Any:
    """X as a real, finite, floating 2-D array of its own library (SciPy CSR where allowed).

    Sets or checks `n_features_in_` and feature names. NumPy-likes go through scikit-learn's checks;
    arrays of other libraries stay where they are, and need no `array_api_dispatch`. With
    `allow_nan`, NaN stands for a missing value and passes.
    """
    if hasattr(X, "dask"):
        raise TypeError("X is a dask array, which would be loaded whole: pass X.compute().")
    if not is_array_api_obj(X) or is_numpy(array_namespace(X)):
        return validate_data(
            estimator,
            X,
            reset=reset,
            accept_sparse="csr" if accept_sparse else False,
            dtype=[np.float64, np.float32],
            ensure_all_finite="allow-nan" if allow_nan else True,
        )
    xp = array_namespace(X)
    if not xp.isdtype(X.dtype, ("real floating", "integral", "bool")):
        raise ValueError(f"X must be real, got dtype {X.dtype}: complex data is not supported.")
    if not xp.isdtype(X.dtype, "real floating"):
        X = xp.astype(X, xp.float64)
    X = check_matrix(X, "X")
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    magnitudes = xp.abs(X)
    if allow_nan:
        magnitudes = xp.where(xp.isnan(X), xp.zeros_like(X), magnitudes)
    require_finite(float(xp.max(magnitudes)), X, "X")
    return X


def check_codes(estimator: Any, X: Any, n_codes: int, fitted: Any) -> Any:
    """X as codes that `inverse_transform` can map back: as many columns as transform gives.

    Finite, and of the array library and on the device of the array `fitted`.
    """
    X = check_matrix(X, "X")
    xp = array_namespace(X)
    if X.shape[1] != n_codes:
        raise ValueError(
            f"X has {X.shape[1]} columns, but transform gives {n_codes}: pass codes as transform "
            "returns them."
        )
    if not bool(xp.all(xp.isfinite(X))):
        raise ValueError("X contains NaN or infinity. Remove or impute such entries first.")
    require_namespace(estimator, X, fitted, "inverse_transform")
    return X


def require_namespace(estimator: Any, X: Any, fitted: Any, method: str) -> None:
    """Raise unless X is of the array library and on the device of a fitted array."""
    known, given = array_namespace(fitted), array_namespace(X)
    if known is not given or device(fitted) != device(X):
        raise ValueError(
            f"Inputs passed to {type(estimator).__name__}.{method}() must use the same namespace "
            f"and the same device as those passed to fit(): fitted on {known.__name__} "
            f"({device(fitted)}), got {given.__name__} ({device(X)}). Convert X, or fit on "
            "arrays of this kind."
        )


def check_number(value: Any, name: str, kind: type, low: float) -> None:
    """Raise unless `value` is a number of the kind (int or float) of at least `low`."""
    expected = (int, np.integer) if kind is int else (int, float, np.integer, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, expected):
        raise TypeError(f"{name} must be {kind.__name__}, got {value!r}.")
    if not value >= low:
        raise ValueError(f"{name} must be at least {low}, got {value!r}.")


def check_verbose(value: Any) -> None:
    """Raise unless `value` is a bool, or how many steps there are between two reports."""
    if not isinstance(value, bool | np.bool_):
        check_number(value, "verbose", int, 0)


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> None:
    """Raise unless `value` is one of the strings."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {choices}, got {value!r}.")


def clone_with_seed(estimator: Any, random_state: Any) -> Any:
    """An unfitted copy; every `random_state` in it that is None is drawn from ours."""
    copy = clone(estimator)
    if random_state is None:
        return copy
    random = check_random_state(random_state)
    seeds = {
        name: int(random.randint(np.iinfo(np.int32).max))
        for name, value in sorted(copy.get_params(deep=True).items())
        if value is None and (name == "random_state" or name.endswith("__random_state"))
    }
    return copy.set_params(**seeds)
