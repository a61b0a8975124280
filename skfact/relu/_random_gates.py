"""Random hidden layers whose neurons switch amid the samples."""

from __future__ import annotations

from typing import Any

from skfact._backend import array_namespace, device, move
from skfact._checks import check_random_state
from skfact._linalg import column_means
from skfact.relu._networks.layered import LayeredNetwork


def random_gates(
    X: Any, hidden_sizes: tuple[int, ...], random_state: Any, like: Any
) -> LayeredNetwork:
    """A network with random hidden layers and one output, all of whose outgoing weights are one.

    Directions are normal; each neuron switches at a normal number of standard deviations from the
    mean of its inputs over the samples, so that gates tell samples apart at any scale and offset.
    X may be sparse; arrays are made beside `like`.
    """
    random = check_random_state(random_state)
    xp, where = array_namespace(like), device(like)

    def draw(*shape: int) -> Any:
        return xp.astype(move(random.standard_normal(shape), xp, where), X.dtype)

    h = X
    weights, biases = [], []
    for width in hidden_sizes:
        w = draw(h.shape[1], width) * (2.0 / h.shape[1]) ** 0.5
        z = h @ w
        mean = column_means(z)
        z = z - mean
        spread = xp.sqrt(column_means(z * z))
        # samples that are all alike, up to rounding, must not be on the switching line
        eps = float(xp.finfo(X.dtype).eps) ** 0.5
        spread = xp.where(spread > eps * xp.abs(mean), spread, xp.abs(mean) + 1.0)
        shift = draw(width) * spread
        b = -mean - shift
        z = z - shift
        h = xp.where(z > 0, z, xp.zeros_like(z))
        weights.append(w)
        biases.append(b)
    weights.append(xp.ones((h.shape[1], 1), dtype=X.dtype, device=where))
    biases.append(xp.ones(1, dtype=X.dtype, device=where))
    return LayeredNetwork(tuple(weights), tuple(biases), writer=None)
