r"""A layer fitted to what comes in where it stands, so that it gives what the original gave.

Of a layer x -> A x + b with inputs x in the original network, and h where the layers before it are
replaced, the matrix closest to A x on h is

.. math:: A' = A + A (C - G) (G + \lambda I)^{-1}, \quad C = E[x h^T], \; G = E[h h^T],

around the means where there is a bias, which then takes up the rest: it makes the mean error zero.
With :math:`\lambda` what few samples show counts less than that weights stay as they are. It
bears on what is chosen alone: errors are those on the samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._exponents import binary_exponent, times_power_of_two
from skfact.compression._curves import Layer
from skfact.compression._layers.network import Linear
from skfact.compression._moments import Moments, relative, root

RIDGE = 1e-2  # share of the mean energy of an input: measured on four networks, with FEW
FEW = 0.1  # the same for as many samples as inputs, less for more


def layer_on(linear: Linear, moments: Moments | None) -> Layer:
    """The matrix of a layer, on inputs with these moments."""
    if moments is None:
        return Layer.of(linear.weight, None)
    return Seen(moments, changed=False).layer(linear)


class Seen:
    """Moments of what comes into a layer in the original network.

    If `changed`, of x and h side by side.
    """

    def __init__(self, moments: Moments, *, changed: bool) -> None:
        self.moments, self.changed = moments, changed

    def layer(self, linear: Linear) -> Layer:
        """The matrix that is to be factored, on what comes in."""
        A, n, n_rows = linear.weight, linear.weight.shape[1], self.moments.n_rows
        few = FEW * n / n_rows
        centred = linear.bias is not None
        if not self.changed:
            return Layer.of(A, self.moments.root(centred=centred), few, n_rows)
        exponent = binary_exponent(A)
        A = times_power_of_two(A.astype(np.float64), -exponent)
        if self.moments.is_few:
            both = self.moments.root(centred=centred)
            before, now = both[:, :n], both[:, n:]
            gram = now @ now.T
            ridge = (RIDGE + few) * (float(np.trace(gram)) / n or 1.0) * np.eye(len(gram))
            A = A + (A @ (before - now).T) @ np.linalg.solve(gram + ridge, now)
        else:
            second = self.moments.second(centred=centred)
            G = second[n:, n:]
            ridge = (RIDGE + few) * (float(np.trace(G)) / n or 1.0) * np.eye(n)
            A = A + np.linalg.solve(G + ridge, (second[:n, n:] - G).T @ A.T).T
            now = root(G)
        A = times_power_of_two(A, exponent).astype(linear.weight.dtype)
        return Layer.of(A, now, few, n_rows)

    def bias(self, linear: Linear, weight: Any) -> np.ndarray | None:
        """The bias with which the mean of the outputs stays; None where there is none."""
        if linear.bias is None:
            return None
        n, mean = linear.weight.shape[1], self.moments.mean
        before, after = mean[:n], mean[-n:]
        moved = linear.weight.astype(np.float64) @ before - _times(weight, after)
        shifted: np.ndarray = (linear.bias + moved).astype(linear.bias.dtype)
        return shifted

    def error(self, linear: Linear, weight: Any) -> float:
        """Relative error of the outputs, but for a root of the precision.

        Around their mean where there is a bias, unless they do not vary: then beside their size.
        """
        A, B = linear.weight, weight if isinstance(weight, np.ndarray) else weight.toarray()
        exponent = binary_exponent(A)
        A, B = (times_power_of_two(W.astype(np.float64), -exponent) for W in (A, B))
        n, centred = A.shape[1], linear.bias is not None
        size = 0.0
        if linear.bias is not None:  # over the same powers of two
            with np.errstate(over="ignore"):  # beside infinity nothing varies
                offset = np.ldexp(linear.bias.astype(np.float64), -exponent) / self.moments.scale
                mean = A @ (self.moments.mean[:n] / self.moments.scale) + offset
                size = float(np.sum(mean**2))
        E = np.hstack([A, -B]) if self.changed else A - B
        if self.moments.is_few:
            rows = self.moments.root(centred=centred)
            whole, missed = (float(np.sum((rows[:, : W.shape[1]] @ W.T) ** 2)) for W in (A, E))
        else:
            second = self.moments.second(centred=centred)
            whole = float(np.sum((A @ second[:n, :n]) * A))
            missed = max(float(np.sum((E @ second) * E)), 0.0)
        return relative(missed, whole, whole + size, float(np.finfo(linear.weight.dtype).eps))


def _times(weight: Any, x: np.ndarray) -> np.ndarray:
    """A product in double precision."""
    product: np.ndarray = weight.astype(np.float64) @ x
    return product
