"""Solvers for networks of fixed supports and structured factors, and for budgets, on data.

Batches are feature-major: X has shape (n_in, batch), Y (n_out, batch).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize

from skfact._backend import array_namespace
from skfact._inputs import is_numpy
from skfact._kernels.batched_linalg import abs2
from skfact.deep_linear._network import Network, from_vector, to_vector
from skfact.deep_linear._slots import make_slot
from skfact.deep_linear._sweeps import normalized, sweep_factors

WINDOW = 10  # iterations over which the loss is compared
# excess of the factors over their product that is called divergence
EXCESS = 10.0
CORRECTIONS = 20  # steps that L-BFGS remembers
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam, as in scikit-learn's MLP


class Trained(NamedTuple):
    """Values found, and how."""

    values: list[Any]
    losses: list[float]
    n_iter: int
    converged: bool
    diverging: bool


def lbfgs(
    network: Network,
    X: Any,
    Y: Any,
    start: Sequence[Any],
    *,
    alpha: float,
    max_iter: int,
    tol: float,
    on_sweep: Callable[[int, float], Any],
    constant: float = 0.0,
) -> Trained:
    """Minimize with SciPy's L-BFGS on a host vector; only that vector moves between libraries.

    Ends when ten iterations lower the loss, `constant` included, by no more than `tol` times it.
    """
    xp = array_namespace(X)
    if is_numpy(xp):  # once, not at each evaluation
        X, Y = np.ascontiguousarray(X), np.ascontiguousarray(Y)
    size = 0.5 * float(xp.sum(Y * Y)) or 1.0
    first = to_vector(start)
    losses = [network.loss_and_gradient(from_vector(first, network, X), X, Y, alpha)[0]]
    stopped = False

    def evaluate(vector: np.ndarray) -> tuple[float, np.ndarray]:
        values = from_vector(vector, network, X)
        loss, gradients, _ = network.loss_and_gradient(values, X, Y, alpha)
        return loss / size, to_vector(gradients) / size

    def callback(intermediate_result: Any) -> None:
        nonlocal stopped
        losses.append(float(intermediate_result.fun) * size)
        done = bool(on_sweep(len(losses) - 1, losses[-1]))
        before = losses[max(len(losses) - 1 - WINDOW, 0)]
        slow = len(losses) > WINDOW and before - losses[-1] <= tol * (before + constant)
        tiny = losses[-1] <= (float(xp.finfo(X.dtype).eps) * 10) ** 2 * size
        if done or slow or tiny:
            stopped = True
            raise StopIteration

    result = minimize(
        evaluate,
        first,
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={
            "maxiter": max_iter,
            "maxfun": 20 * max_iter + 20,
            "maxcor": CORRECTIONS,
            "ftol": 0.0,
            "gtol": 0.0,
        },
    )
    values = from_vector(result.x, network, X)
    finished = stopped or len(losses) - 1 < max_iter
    return Trained(
        values, losses, max(1, len(losses) - 1), finished, is_cancelling(network, values)
    )


def is_cancelling(network: Network, values: Sequence[Any]) -> bool:
    """Whether the factors are so large against their product that large terms must cancel in it.

    That is how factors diverge while the loss falls: the excess, per factor, of the product of
    their largest magnitudes over the largest magnitude of the product.
    """
    xp = array_namespace(values[0])
    operator = network.operator(values)
    product = float(xp.max(xp.abs(operator.toarray())))
    largest = [float(xp.max(xp.abs(f.toarray()))) for f in operator.factors if f.dtype is not None]
    if not product > 0 or min(largest) == 0:
        return False
    return sum(math.log(x) for x in largest) - math.log(product) > len(largest) * math.log(EXCESS)


class Adam:
    """Adam's state for a list of arrays."""

    def __init__(self, values: Sequence[Any], learning_rate: float) -> None:
        self.learning_rate, self.steps = learning_rate, 0
        self.first = [0.0 * value for value in values]
        self.second = [0.0 * value for value in values]

    def step(self, values: Sequence[Any], gradients: Sequence[Any]) -> list[Any]:
        """The values after one step."""
        self.steps += 1
        rate = self.learning_rate * (1 - BETA2**self.steps) ** 0.5 / (1 - BETA1**self.steps)
        new = []
        for i, (value, gradient) in enumerate(zip(values, gradients)):
            xp = array_namespace(value)
            self.first[i] = BETA1 * self.first[i] + (1 - BETA1) * gradient
            self.second[i] = BETA2 * self.second[i] + (1 - BETA2) * gradient * gradient
            new.append(value - rate * self.first[i] / (xp.sqrt(self.second[i]) + EPSILON))
        return new


def data_sweeps(
    network: Network,
    X: Any,
    Y: Any,
    start: Sequence[Any],
    *,
    max_iter: int,
    tol: float,
    on_sweep: Callable[[int, float], Any],
) -> Trained:
    """PALM on the data: Y ~ S_1 ... S_L X with X as one more factor that stays as it is."""
    norm = array_namespace(X).linalg.vector_norm
    pairs = list(zip(network.supports, network.shapes))
    slots: list[Any] = [make_slot(*pair) for pair in pairs] + [ConstantSlot(X)]
    values = [slot.project(slot.restrict(matrix)) for slot, matrix in zip(slots, start)]
    scale = float(norm(X))
    for value in values:
        scale *= float(norm(value))
    found = sweep_factors(
        Y,
        slots,
        [normalized(value) for value in values] + [slots[-1].unit],
        scale,
        feasible=scale > 0,
        max_iter=max_iter,
        tol=tol,
        on_sweep=on_sweep,
    )
    scale = found.scale / (float(norm(X)) or 1.0)
    share = abs(scale) ** (1 / len(pairs))
    values = [value * share for value in found.values[:-1]]
    if scale < 0:
        values[0] = -values[0]
    losses = [0.5 * float(loss) for loss in found.losses]
    return Trained(values, losses, max(1, len(losses) - 1), found.converged, False)


class ConstantSlot:
    """The data in the place of a factor: it never changes."""

    def __init__(self, X: Any) -> None:
        self.unit, self.shape = normalized(X), tuple(X.shape)

    def times(self, values: Any, X: Any) -> Any:
        """The data times a matrix."""
        return values @ X

    def adjoint_times(self, values: Any, X: Any) -> Any:
        """The transposed data times a matrix."""
        return values.T @ X

    def restrict(self, matrix: Any) -> Any:
        """A gradient as it is."""
        return matrix

    def project(self, values: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def on_support_of(self, values: Any, kept: Any) -> Any:
        """The data, whatever is given."""
        return self.unit

    def dense(self, values: Any) -> Any:
        """The data, or a change of it, as a matrix."""
        return values


def fewer_samples(X: Any, Y: Any) -> tuple[Any, Any]:
    """X Q and Y Q with orthonormal columns Q that span the samples (rows) of X.

    Every ``||W X - Y||^2`` changes by the same amount. Eigenvectors of the Gram matrix are three
    times as fast as a QR decomposition and lose the square of the condition number, which has to be
    small.
    """
    xp = array_namespace(X)
    s, V = xp.linalg.eigh(X @ X.T)
    if float(s[0]) > float(s[-1]) * float(xp.finfo(X.dtype).eps) ** 0.25:
        roots = xp.sqrt(s)
        return V * roots, ((Y @ X.T) @ V) / roots
    Q, R = xp.linalg.qr(X.T)
    return R.T, Y @ Q


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
    identity = xp.eye(n, dtype=X.dtype, device=X.device)
    norm = xp.linalg.vector_norm
    return float(norm(gram - scale * identity)) <= float(xp.finfo(X.dtype).eps) ** 0.5 * float(
        norm(gram)
    )


def least_squares(X: Any, Y: Any, alpha: float = 0.0) -> Any:
    """W of least norm that minimizes ||W X - Y||^2 + alpha ||W||^2."""
    xp = array_namespace(X)
    U, s, Vh = xp.linalg.svd(X, full_matrices=False)  # X = U s Vh
    cut = float(xp.max(s)) * float(xp.finfo(X.dtype).eps) * max(X.shape)
    kept = s > cut
    safe = xp.where(kept, s, xp.ones_like(s))
    inverse = xp.where(kept, safe / (safe * safe + alpha), xp.zeros_like(s))
    return ((Y @ Vh.T) * inverse) @ U.T
