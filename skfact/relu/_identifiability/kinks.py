"""Samples on a kink: where the input of a hidden neuron is zero, the outputs have no derivative."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact.relu._networks.layered import LayeredNetwork


def unit_samples(X: Any) -> tuple[Any, Any]:
    """X and a column of ones, both divided by the magnitude of X if that exceeds one.

    What a network with hidden neurons of unit norm makes of them stays in range, and is rescaled.
    """
    xp = array_namespace(X)
    ones = xp.ones((X.shape[0], 1), dtype=X.dtype, device=device(X))
    top = xp.max(xp.abs(X))
    unit = xp.where(top > 1, 1 / top, xp.ones_like(top))
    return X * unit, ones * unit


def off_kinks(
    network: LayeredNetwork, layers: list[np.ndarray], X: Any
) -> tuple[Any, Any, list[Any]]:
    """Indices of the samples on no kink, these samples, and ones where they activate a neuron.

    Samples in float64; up to rounding in the coarser of both dtypes.
    """
    xp = array_namespace(X)
    dtypes = (xp, X.dtype), (network.xp, network.dtype)
    eps = max(float(space.finfo(dtype).eps) for space, dtype in dtypes)
    X = xp.astype(X, xp.float64, copy=False)
    with np.errstate(all="ignore"):
        smooth, active = active_off_kinks(layers, X, eps)
    rows = xp.nonzero(smooth)[0]
    gates = [xp.astype(xp.take(gate, rows, axis=0), X.dtype) for gate in active]
    return rows, xp.take(X, rows, axis=0), gates


def active_off_kinks(layers: list[np.ndarray], X: Any, eps: float) -> tuple[Any, list[Any]]:
    """Which samples are on no kink, (n_samples,), and which neurons each activates, (n_samples, n).

    All up to rounding to the precision `eps`. Layers (n_l + 1, n_{l+1}) have biases in the last
    row. A neuron that is active on no sample has no kink, also where its input is zero: networks
    near this one are looked at where it stays off, and the rank is not full anyway. (One that gets
    zeros only, as in pruned networks, would leave no sample.)
    """
    xp, where = array_namespace(X), device(X)
    h, one = unit_samples(X)
    size, terms = xp.abs(h), 0  # of the sums of magnitudes, to which rounding errors are relative
    smooth, active = xp.ones((X.shape[0],), dtype=xp.bool, device=where), []
    for layer in layers[:-1]:
        w, b = move(layer[:-1], xp, where), move(layer[-1], xp, where)
        z, size = h @ w + one * b, size @ xp.abs(w) + one * xp.abs(b)
        terms += layer.shape[0] + 1
        slack = eps * terms * xp.max(size, axis=0)  # samples and weights are rounded, too
        gate = z > slack
        smooth = smooth & ~xp.any((xp.abs(z) <= slack) & xp.any(gate, axis=0), axis=1)
        active.append(gate)
        h, size = (xp.where(gate, values, xp.zeros_like(values)) for values in (z, size))
    return smooth, active
