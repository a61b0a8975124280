"""Gram matrices of one factor, the rows weighted as each column does, by one product."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._linalg import is_complex

# Entries of the arrays that are made at once.
CHUNK = 2**22


def weighted_grams(X: Any, weights: Any) -> Any:
    """X^H diag(w) X for each column w of the weights: (c, k, k).

    X is (n_rows, k), and `weights` (n_rows, c) in its dtype: ones and zeros where some rows are
    missing. The products of pairs of columns of X are P (n_rows, k (k + 1) / 2), and ``weights^T
    P`` holds all of the Gram matrices. P is made for some rows at a time.
    """
    xp, k = array_namespace(X), X.shape[1]
    i, j = np.triu_indices(k)
    place = np.empty((k, k), dtype=np.int64)
    place[i, j] = place[j, i] = np.arange(len(i))
    step = max(1, CHUNK // len(i))
    half = xp.zeros((weights.shape[1], len(i)), dtype=X.dtype, device=device(X))
    for start in range(0, X.shape[0], step):
        rows = slice(start, min(start + step, X.shape[0]))
        part = X[rows, :]
        other = xp.conj(part) if is_complex(X) else part
        pairs = xp.concat([other[:, q : q + 1] * part[:, q:] for q in range(k)], axis=1)
        half = half + xp.matrix_transpose(weights[rows, :]) @ pairs
    grams = xp.take(half, move(place.ravel(), xp, device(X)), axis=1)
    grams = xp.reshape(grams, (-1, k, k))
    if is_complex(X):
        upper = move(np.tri(k, dtype=bool).T, xp, device(X))
        grams = xp.where(upper, grams, xp.conj(grams))
    return grams
