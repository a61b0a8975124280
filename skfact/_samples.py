"""Samples as estimators take them, on top of scikit-learn's checks; nested estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import validate_data

from skfact._backend import array_namespace, detached, is_array_api_obj
from skfact._checks import check_matrix, check_random_state, refuse_lazy, require_finite
from skfact._inputs import is_numpy


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
    `allow_nan`, NaN stands for a missing value and passes. With `reset`, which says that X is to be
    fitted, nothing keeps a graph of autograd, and `random_state` is checked whether used or not.
    """
    if reset:
        check_random_state(estimator.random_state)
    if reset or isinstance(X, list | tuple):
        X = detached(X)
    refuse_lazy(X, "X")
    refuse_repeated_names(X)
    if not is_array_api_obj(X) or is_numpy(array_namespace(X)):
        with np.errstate(invalid="ignore"):  # the sum of huge numbers, which it looks at first
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
    magnitudes = xp.abs(detached(X))
    if allow_nan:
        magnitudes = xp.where(xp.isnan(magnitudes), xp.zeros_like(magnitudes), magnitudes)
    require_finite(float(xp.max(magnitudes)), "X")
    return X


def refuse_repeated_names(X: Any) -> None:
    """Raise if columns of a data frame share a name: features are known by their names."""
    columns: Any = getattr(X, "columns", None)
    if getattr(columns, "is_unique", True):  # other libraries than pandas allow no others
        return
    repeated = list(dict.fromkeys(columns[columns.duplicated()]))
    raise ValueError(
        f"X is a data frame with more than one column named {repeated[0]!r}: give each a name of "
        "its own, or pass X.to_numpy()."
    )


def clone_with_seed(estimator: Any, random_state: Any) -> Any:
    """An unfitted copy; every `random_state` in it that is None is drawn from ours.

    What is frozen stays as it is.
    """
    copy = clone(estimator)
    if random_state is None or isinstance(copy, FrozenEstimator):
        return copy
    random = check_random_state(random_state)
    parameters = sorted(copy.get_params(deep=True).items())
    frozen = tuple(f"{name}__" for name, value in parameters if isinstance(value, FrozenEstimator))
    seeds = {
        name: int(random.randint(np.iinfo(np.int32).max))
        for name, value in parameters
        if value is None
        and (name == "random_state" or name.endswith("__random_state"))
        and not name.startswith(frozen)
    }
    return copy.set_params(**seeds)
