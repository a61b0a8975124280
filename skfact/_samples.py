"""Samples as estimators take them, on top of scikit-learn's checks; nested estimators."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import validate_data

from skfact._backend import array_namespace, is_array_api_obj
from skfact._checks import check_matrix, require_finite
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
    `allow_nan`, NaN stands for a missing value and passes.
    """
    if hasattr(X, "dask"):
        raise TypeError("X is a dask array, which would be loaded whole: pass X.compute().")
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
    magnitudes = xp.abs(X)
    if allow_nan:
        magnitudes = xp.where(xp.isnan(X), xp.zeros_like(X), magnitudes)
    require_finite(float(xp.max(magnitudes)), "X")
    return X


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
