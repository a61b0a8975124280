"""The least-squares problem without constraints: fewer rows, units of features, the solution.

Samples are columns: X has shape (n_features, n), Y (n_outputs, n).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move_like
from skfact._linalg import norm2

# share of a feature that others leave, below which it is called a combination of them
COLLINEAR = 0.03


def column_sizes(X: Any) -> Any:
    """Powers of two near the norms of features (n_features, n).

    Not below sqrt(eps) of the largest: a constant feature is rounding errors once it is centred.
    """
    xp = array_namespace(X)
    norms = xp.linalg.vector_norm(X, axis=1)
    largest = float(xp.max(norms)) or 1.0
    least = largest * float(xp.finfo(X.dtype).eps) ** 0.5 * xp.ones_like(norms)
    return (2 * xp.ones_like(norms)) ** xp.round(xp.log2(xp.where(norms > least, norms, least)))


def fewer_rows(X: Any, Y: Any) -> tuple[Any, Any, float]:
    """As many samples as features, with the same loss up to the constant that comes third.

    With X^T = Q R the loss ||W X - Y||^2 is ||W R^T - Y Q||^2 and what Q does not reach of Y.
    Q and R come from eigenvectors of X X^T, which are faster than a QR decomposition, where the
    square of the condition number, which is lost in them, is small.
    """
    if X.shape[1] <= X.shape[0]:
        return X, Y, 0.0
    xp = array_namespace(X)
    s, V = xp.linalg.eigh(X @ X.T)
    if float(s[0]) > float(s[-1]) * float(xp.finfo(X.dtype).eps) ** 0.25:
        roots = xp.sqrt(s)
        rows, seen = V * roots, ((Y @ X.T) @ V) / roots
    else:
        Q, R = xp.linalg.qr(X.T)
        rows, seen = R.T, Y @ Q
    return rows, seen, max(0.0, 0.5 * (norm2(Y) - norm2(seen)))


def least_squares(X: Any, Y: Any, alpha: float = 0.0) -> Any:
    """W of least norm that minimizes ||W X - Y||^2 + alpha ||W||^2."""
    xp = array_namespace(X)
    U, s, Vh = xp.linalg.svd(X, full_matrices=False)  # X = U s Vh
    cut = float(xp.max(s)) * float(xp.finfo(X.dtype).eps) * max(X.shape)
    kept = s > cut
    safe = xp.where(kept, s, xp.ones_like(s))
    inverse = xp.where(kept, safe / (safe * safe + alpha), xp.zeros_like(s))
    return ((Y @ Vh.T) * inverse) @ U.T


def are_collinear(X: Any) -> bool:
    """Whether some feature of X (n_features, n) is nearly a combination of others.

    Constant features, of which rounding errors are left, do not count.
    """
    xp = array_namespace(X)
    norms = xp.linalg.vector_norm(X, axis=1)
    counted = norms > float(xp.finfo(X.dtype).eps) ** 0.5 * xp.max(norms)
    units = X[counted] / norms[counted][:, None]
    if units.shape[0] == 0 or units.shape[0] > units.shape[1]:
        return units.shape[0] > 0
    s = xp.linalg.svdvals(units)
    return float(s[-1]) < COLLINEAR * float(s[0])


def on_independent_features(X: Any, Y: Any, alpha: float = 0.0) -> Any:
    """W with which few features that are no combinations of each other explain Y.

    Each in turn is the one that explains most of the rest of Y, by what the others leave of it.
    """
    xp = array_namespace(X)
    eps = float(xp.finfo(X.dtype).eps)
    kept, rest, target = list[int](), X, Y
    sizes = xp.sum(X * X, axis=1)
    counted = sizes > eps * xp.max(sizes)
    sizes = xp.where(counted, sizes, xp.ones_like(sizes))
    least = xp.where(counted, COLLINEAR**2 * sizes, xp.inf * xp.ones_like(sizes))
    while norm2(target) > eps * norm2(Y):
        left = xp.sum(rest * rest, axis=1)
        safe = xp.where(left > least, left, xp.ones_like(left))
        gains = xp.sum((rest @ target.T) ** 2, axis=1) / safe
        gains = xp.where(left > least, gains, xp.zeros_like(gains))
        most = float(xp.max(gains))
        if not most > 0:
            break
        # ties, in which the last one always ends, are not for rounding errors to decide
        shares = xp.where(gains >= (1 - eps**0.5) * most, left / sizes, xp.zeros_like(gains))
        largest = shares >= (1 - eps**0.5) * xp.max(shares)
        best = int(xp.argmax(xp.astype(largest, xp.int32)))
        kept.append(best)
        unit = rest[best, :] / float(left[best]) ** 0.5
        rest = rest - (rest @ unit)[:, None] * unit
        target = target - (target @ unit)[:, None] * unit
    if not kept:
        return Y @ X.T  # zero, as Y or X is
    at = move_like(np.array(sorted(kept)), X)
    places = move_like(np.eye(X.shape[0])[sorted(kept)], X)
    found = least_squares(xp.take(X, at, axis=0), Y, alpha)
    return found @ xp.astype(places, X.dtype)


def is_isotropic(X: Any) -> bool:
    """Whether X X^T is a multiple of the identity, up to a relative sqrt(eps) in Frobenius norm."""
    xp = array_namespace(X)
    n = X.shape[0]
    if X.shape[1] < n:
        return False
    gram = X @ X.T
    scale = norm2(X) / n
    if scale == 0:
        return True
    rest = gram - scale * xp.eye(n, dtype=X.dtype, device=device(X))
    norm = xp.linalg.vector_norm
    return float(norm(rest)) <= float(xp.finfo(X.dtype).eps) ** 0.5 * float(norm(gram))
