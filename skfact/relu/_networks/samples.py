"""Samples as networks take them."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace
from skfact._checks import check_matrix, require_finite
from skfact._inputs import is_complex_dtype
from skfact.relu._networks.layered import require_numbers


def checked_samples(X: Any, n_inputs: int | None, name: str) -> Any:
    """X as a real, finite matrix in its own library, with `n_inputs` features if not None."""
    X = check_matrix(X, name)
    require_numbers(X, name)
    xp = array_namespace(X)
    if is_complex_dtype(X.dtype):
        raise ValueError(f"{name} must be real, got dtype {X.dtype}.")
    if n_inputs is not None and X.shape[1] != n_inputs:
        raise ValueError(
            f"{name} has {X.shape[1]} features, but the network has {n_inputs} inputs."
        )
    require_finite(float(xp.max(xp.abs(X))), name)
    return X
