"""Least-squares codes of samples with missing features."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace

# Entries of the masked copies of the components that are made at once.
CHUNK = 2**22


def masked_codes(components: Any, X: Any, observed: Any) -> Any:
    """Row by row the code w of least norm that minimizes ||(x - w H) on the observed features||.

    Parameters
    ----------
    components : array of shape (n_components, n_features)
        H.
    X : array of shape (n_samples, n_features)
        Samples, zero where they are not observed.
    observed : array of shape (n_samples, n_features)
        Ones and zeros in the dtype of X.

    Returns
    -------
    array of shape (n_samples, n_components)
        The codes.
    """
    xp = array_namespace(X)
    rtol = max(components.shape) * float(xp.finfo(X.dtype).eps)
    step = max(1, CHUNK // (components.shape[0] * components.shape[1]))
    found = []
    for start in range(0, X.shape[0], step):
        rows = slice(start, min(start + step, X.shape[0]))
        masked = components[None, :, :] * observed[rows, :][:, None, :]  # (rows, r, n_features)
        inverse = xp.linalg.pinv(masked, rtol=rtol)  # (rows, n_features, r)
        found.append((X[rows, :][:, None, :] @ inverse)[:, 0, :])
    return xp.concat(found, axis=0)
