"""The least-squares problem without constraints: fewer rows, units of features, the solution.

Samples are columns: X has shape (n_features, n), Y (n_outputs, n).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device, move_like
from skfact._linalg import count_nonzero, norm2

# share of a feature that others leave, below which it is called a combination of them
COLLINEAR = 0.03
TURNS = 3  # Gram matrices that are tried before a QR decomposition


def column_sizes(X: Any) -> Any:
    """Powers of two near the norms of features (n_features, n).

    Not below sqrt(eps) of the largest: a constant feature is rounding errors once it is centred.
    """
    xp = array_namespace(X)
    norms = xp.linalg.vector_norm(X, axis=1)
    largest = float(xp.max(norms)) or 1.0
    least = largest * float(xp.finfo(X.dtype).eps) ** 0.5 * xp.ones_like(norms)
    return (2 * xp.ones_like(norms)) ** xp.round(xp.log2(xp.where(norms > least, norms, least)))


class FewerRows(NamedTuple):
    """As many samples as features, with the same loss up to a constant."""

    X: Any  # (n_features, n_features), if there were more samples
    Y: Any  # (n_outputs, n_features)
    constant: float = 0.0
    inverse: Any = None  # the pseudo-inverse of X, where it came along in full precision


def fewer_rows(X: Any, Y: Any) -> FewerRows:
    """As many samples as features, with the same loss up to a constant.

    With X^T = Q R the loss ||W X - Y||^2 is ||W R^T - Y Q||^2 and what Q does not reach of Y.
    Q comes from eigenvectors of the Gram matrix of rows of norm one, much faster than from a QR
    decomposition, where the square of their condition number, which is lost in them, is small.
    Else the rows are turned along these eigenvectors: X = T Z with rows of Z that are nearly
    orthogonal, of norms that are far apart, and with Z in the place of X it goes on.
    """
    if X.shape[1] <= X.shape[0]:
        return FewerRows(X, Y)
    xp, n = array_namespace(X), X.shape[0]
    eps, Z, precise, known_dead = float(xp.finfo(X.dtype).eps), X, True, None
    T = inverse = xp.eye(n, dtype=X.dtype, device=device(X))
    for _ in range(TURNS):
        gram = Z @ Z.T
        norms = xp.sqrt(xp.linalg.diagonal(gram))
        largest = xp.max(norms)  # what rounding leaves of zero is zero
        norms = xp.where(norms > n * eps * largest, norms, xp.zeros_like(norms))
        least = xp.min(xp.where(norms > 0, norms, largest))
        precise &= float(least) >= eps**0.5 * float(largest)
        s, V = xp.linalg.eigh(_over(_over(gram, norms).T, norms))
        T, inverse = (T * norms) @ V, V.T @ _over(inverse, norms)
        V, dead = _over(V, norms), n - count_nonzero(norms)
        # features that are zero are left out of inverses, but combinations of others are not theirs
        precise, known_dead = precise and known_dead in (None, dead), dead
        if dead < n and float(s[dead]) > float(s[-1]) * eps**0.25:
            alive = xp.arange(n, device=device(X)) >= dead
            roots = xp.sqrt(xp.where(alive, s, xp.zeros_like(s)))
            seen = _over(V.T @ (Z @ Y.T), roots).T
            known = _over(inverse, roots) if precise else None
            return FewerRows(T * roots, seen, _rest(Y, seen), known)
        Z = V.T @ Z
    Q, R = xp.linalg.qr(X.T)
    return FewerRows(R.T, Y @ Q, _rest(Y, Y @ Q))


def _over(rows: Any, sizes: Any) -> Any:
    """Rows over their sizes; zero where these are."""
    xp = array_namespace(rows)
    safe = xp.where(sizes > 0, sizes, xp.inf * xp.ones_like(sizes))
    return rows / safe[:, None]


def _rest(Y: Any, seen: Any) -> float:
    return max(0.0, 0.5 * (norm2(Y) - norm2(seen)))


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
