"""Closed forms: the least-squares matrix, where factoring it is the answer, and as a start.

Where the inputs are isotropic, X X^T = c I, the loss is a constant and c ||W - W*||^2 with the
least-squares matrix W*: the best factors of W* are the answer. Elsewhere they are a start.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, move_like
from skfact._linalg import abs2, adjoint
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear._linear_network import Layer, Network
from skfact.fixed_support import fixed_support_factorize
from skfact.operators import PartialPermutation
from skfact.supports import Chain, FixedMask

HALF_STEPS = 20  # sweeps of alternating least squares on two masks
# size of the parts of a start that the least-squares matrix says nothing about
NUDGE = 0.1


def is_isotropic(X: Any) -> bool:
    """Whether X X^T is a multiple of the identity, up to a relative sqrt(eps) in Frobenius norm."""
    xp = array_namespace(X)
    n = X.shape[0]
    if X.shape[1] < n:
        return False
    gram = X @ X.T
    scale = float(xp.sum(abs2(X))) / n
    if scale == 0:
        return True
    rest = gram - scale * xp.eye(n, dtype=X.dtype, device=device(X))
    norm = xp.linalg.vector_norm
    return float(norm(rest)) <= float(xp.finfo(X.dtype).eps) ** 0.5 * float(norm(gram))


def least_squares(X: Any, Y: Any, alpha: float = 0.0) -> Any:
    """W of least norm that minimizes ||W X - Y||^2 + alpha ||W||^2."""
    xp = array_namespace(X)
    U, s, Vh = xp.linalg.svd(X, full_matrices=False)  # X = U s Vh
    cut = float(xp.max(s)) * float(xp.finfo(X.dtype).eps) * max(X.shape)
    kept = s > cut
    safe = xp.where(kept, s, xp.ones_like(s))
    inverse = xp.where(kept, safe / (safe * safe + alpha), xp.zeros_like(s))
    return ((Y @ Vh.T) * inverse) @ U.T


def has_closed_form(network: Network) -> bool:
    """Whether one algorithm factors a matrix on the supports, with guarantees of its own."""
    return _is_one_chain(network) or _is_masks(network, 1) or _is_masks(network, 2)


def start_values(network: Network, matrix: Any, random: np.random.RandomState) -> list[Any]:
    """Factors of the least-squares matrix; where no algorithm finds some, random ones."""
    xp = array_namespace(matrix)
    if network.is_dense:
        return [xp.reshape(matrix, (1, 1, *matrix.shape))]
    if network.layers:
        matrices = _split(matrix, [layer.shape for layer in network.layers], random)
        return [
            value
            for layer, part in zip(network.layers, matrices)
            for value in _layer_values(layer, part)
        ]
    if len(network.supports) == 1:  # projected on the mask, or on the structure up to its Gram
        parameters: Any = network.parameters[0]
        identity = xp.eye(matrix.shape[0], dtype=matrix.dtype, device=device(matrix))
        return [parameters.correlate(identity, matrix.T)]
    if _is_masks(network, 2):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fixed_support_factorize(
                matrix, *network.supports, random_state=random, max_iter=HALF_STEPS
            )
        return [
            xp.take(xp.reshape(f, (-1,)), move_like(p.rows * p.shape[1] + p.columns, matrix))
            for f, p in zip((found.left, found.right), list[Any](network.parameters))
        ]
    return network.start(random, matrix)


def _is_one_chain(network: Network) -> bool:
    return len(network.layers) == 1 and not network.layers[0].mirrored


def _is_masks(network: Network, count: int) -> bool:
    return len(network.supports) == count and all(
        isinstance(support, FixedMask) for support in network.supports
    )


def _layer_values(layer: Layer, matrix: Any) -> list[Any]:
    """Values of one layer: those of the matrix, and of the identity in the mirror."""
    values = _chain_values(layer.chain, matrix)
    if not layer.mirrored:
        return values
    xp, side = array_namespace(matrix), layer.chain.shape[0]
    identity = xp.eye(side, dtype=matrix.dtype, device=device(matrix))
    return [adjoint(v) for v in reversed(_chain_values(layer.chain, identity))] + values


def _chain_values(chain: Chain, matrix: Any) -> list[Any]:
    operator = butterfly_factorize(matrix, chain)
    return [f.values for f in operator.factors if not isinstance(f, PartialPermutation)]


def _split(matrix: Any, shapes: list[tuple[int, int]], random: np.random.RandomState) -> list[Any]:
    """One matrix per layer, with the product nearest to `matrix`: U sqrt(s), identities, sqrt(s) V.

    Inner units beyond the rank get small random weights on one side, and zero ones on the other:
    the product is as it was, and a gradient step brings them in.
    """
    if len(shapes) == 1:
        return [matrix]
    xp, where = array_namespace(matrix), device(matrix)
    U, s, Vh = xp.linalg.svd(matrix, full_matrices=False)
    rank = min(s.shape[0], *(shape[1] for shape in shapes[:-1]))
    root = xp.sqrt(s[:rank])
    left, right = U[:, :rank] * root, root[:, None] * Vh[:rank, :]

    def drawn(*shape: int) -> Any:
        size = NUDGE * math.sqrt(float(s[0]) / max(1, *shape))
        host = random.standard_normal(shape) * size
        return xp.astype(move(host, xp, where), matrix.dtype)

    first, last = shapes[0], shapes[-1]
    parts = [xp.concat([left, drawn(first[0], first[1] - rank)], axis=1)]
    parts += [xp.eye(*shape, dtype=matrix.dtype, device=where) for shape in shapes[1:-1]]
    blank = xp.zeros((last[0] - rank, last[1]), dtype=matrix.dtype, device=where)
    return [*parts, xp.concat([right, blank], axis=0)]
