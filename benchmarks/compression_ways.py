"""Plain ways to write the layers of a network with fewer numbers, as yardsticks.

Each way has, of each layer, a curve: numbers against the squared error of the outputs, relative to
their variance, on inputs to calibrate on. A budget is spent on all layers alike, or where it gains
most: along the lower convex hull of the curves, the steepest step first. Then errors of all layers
count alike, or by their effect: what they do to the outputs of the network, seen on a few batches.
The mean error of a layer goes into its bias. Inputs are those that the original network gives.
"""

from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

DENSITIES = 0.1, 0.25, 0.5
SHARES = sorted({*DENSITIES, 0.05, 0.07, 0.16, 0.35, 0.7, 0.9})  # other points of curves
TRIED = 0.1  # squared error at which the effect of a layer is seen
BLOCKS = 4, 8, 16  # of rows and of columns


class Layer(NamedTuple):
    """The weights (n_out, n_in) of a linear layer, and its inputs: mean, root of covariance."""

    weights: np.ndarray
    mean: np.ndarray
    root: np.ndarray  # (n_in, n_in), root @ root.T is the covariance
    energy: float  # the variance of the outputs

    def error(self, product: np.ndarray) -> float:
        """The squared error of a matrix in place of the weights."""
        return float(np.sum(((self.weights - product) @ self.root) ** 2)) / self.energy


class Curve(NamedTuple):
    """Numbers, ascending, with squared errors, and the factors (left, right) of each."""

    numbers: np.ndarray
    errors: np.ndarray
    factors: Callable[[int], Any]


def layers_of(module: nn.Module) -> dict[str, nn.Linear]:
    """All linear layers by name."""
    return {name: one for name, one in module.named_modules() if isinstance(one, nn.Linear)}


def seen(module: nn.Module, batches: Iterable[Tensor]) -> dict[str, Layer]:
    """All layers with the inputs that they see."""
    sums: dict[str, Tensor] = {}

    def hook(name: str) -> Any:
        def add(_: nn.Module, given: tuple[Tensor]) -> None:
            rows = given[0].reshape(-1, given[0].shape[-1])
            rows = torch.cat([rows, rows.new_ones(len(rows), 1)], dim=1)
            sums[name] = sums.get(name, 0.0) + (rows.T @ rows).double()

        return add

    found = layers_of(module)
    hooks = [one.register_forward_pre_hook(hook(name)) for name, one in found.items()]
    outputs(module, batches)
    for one in hooks:
        one.remove()
    return {name: layer(one, sums[name].numpy()) for name, one in found.items()}


def layer(linear: nn.Linear, moments: np.ndarray) -> Layer:
    """From the sums of products of inputs, the last of which is 1."""
    moments = moments / moments[-1, -1]
    mean = moments[-1, :-1]
    covariance = moments[:-1, :-1] - np.outer(mean, mean)
    covariance += 1e-6 * np.trace(covariance) / len(mean) * np.eye(len(mean))
    root = np.linalg.cholesky(covariance).astype(np.float32)
    weights = linear.weight.detach().numpy()
    return Layer(weights, mean, root, float(np.sum((weights @ root) ** 2)))


def low_rank(one: Layer) -> Curve:
    """The closest matrices of each rank, whatever the inputs."""
    return _on_basis(one, _left_vectors(one.weights))


def weighted_low_rank(one: Layer) -> Curve:
    """The matrices of each rank with the closest outputs."""
    return _on_basis(one, _left_vectors(one.weights @ one.root))


def _left_vectors(A: np.ndarray) -> np.ndarray:
    """Singular vectors, from the smaller Gram matrix: 1e-8 of the largest is exact enough."""
    if A.shape[0] <= A.shape[1]:
        return np.linalg.eigh(A @ A.T)[1][:, ::-1]
    return np.linalg.qr(A @ np.linalg.eigh(A.T @ A)[1][:, ::-1])[0]


def _on_basis(one: Layer, left: np.ndarray) -> Curve:
    """The weights projected on 0, 1, .. directions, as long as these have fewer numbers."""
    right = left.T @ one.weights
    lost = np.sum((right @ one.root) ** 2, axis=1)
    ranks = np.arange(one.weights.size // sum(one.weights.shape) + 1)
    errors = np.append(np.cumsum(lost[::-1])[::-1], 0.0)[ranks] / one.energy

    def factors(i: int) -> tuple[np.ndarray, np.ndarray]:
        sizes = np.sqrt(np.linalg.norm(right[:i], axis=1))  # balanced, for training
        return left[:, :i] * sizes, right[:i] / sizes[:, None]

    return Curve(ranks * sum(one.weights.shape), errors, factors)


def monarch(one: Layer) -> Curve:
    """Two block-diagonal factors: rank r in blocks of rows and columns, of the best size.

    Each block is the closest for the covariance of its own inputs. A layer that is too small for
    several blocks has one: low rank.
    """
    m, n = one.weights.shape
    ways = [(_divisor(m, blocks), _divisor(n, blocks)) for blocks in BLOCKS]
    small = [(p, q) for p, q in ways if m * q + n * p <= DENSITIES[0] * m * n] or [(1, 1)]
    left, right, cost, _ = min((_factored(one, *way) for way in small), key=lambda way: way[-1])
    most = min(left.shape[-1], one.weights.size // cost)
    ranks = sorted({max(1, min(int(s * one.weights.size / cost), most)) for s in SHARES})

    def factors(i: int) -> Blocks:
        return Blocks(left[..., : ranks[i]], right[..., : ranks[i], :])

    errors = np.array([one.error(factors(i).toarray()) for i in range(len(ranks))])
    return Curve(np.array(ranks) * cost, errors, factors)


def _factored(one: Layer, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, int, float]:
    """Left and right of all ranks, numbers of each, what blocks miss with a quarter of all."""
    m, n = one.weights.shape
    blocks = one.weights.reshape(rows, m // rows, columns, n // columns).transpose(0, 2, 1, 3)
    roots = [block @ block.T for block in one.root.reshape(columns, n // columns, n)]
    left, sizes, _ = np.linalg.svd(blocks @ np.linalg.cholesky(roots), full_matrices=False)
    right = left.swapaxes(-1, -2) @ blocks
    scales = np.sqrt(np.linalg.norm(right, axis=-1)) + 1e-30  # balanced, for training
    cost = m * columns + n * rows
    missed = np.sum(sizes[..., one.weights.size // (4 * cost) :] ** 2)
    return left * scales[..., None, :], right / scales[..., None], cost, float(missed)


class Blocks(NamedTuple):
    """Blocks of low rank: (rows, columns, m / rows, r) times (rows, columns, r, n / columns)."""

    left: np.ndarray
    right: np.ndarray

    def toarray(self) -> np.ndarray:
        """As one matrix."""
        blocks = (self.left @ self.right).transpose(0, 2, 1, 3)
        return blocks.reshape(blocks.shape[0] * blocks.shape[1], -1)


def _divisor(size: int, wanted: int) -> int:
    """The divisor closest to a number."""
    return min((d for d in range(1, size) if size % d == 0), key=lambda d: abs(d - wanted))


def magnitude(one: Layer) -> Curve:
    """The largest entries; a place counts as a number."""
    return _pruned(one, np.abs(one.weights), 2)


def pruned(one: Layer) -> Curve:
    """The entries of largest output (Wanda, Sun et al., 2024); a place counts as a number."""
    return _pruned(one, np.abs(one.weights) * _deviations(one), 2)


def pruned_places_free(one: Layer) -> Curve:
    """The same where places cost nothing."""
    return _pruned(one, np.abs(one.weights) * _deviations(one), 1)


def _deviations(one: Layer) -> np.ndarray:
    return np.linalg.norm(one.root, axis=1)


def _pruned(one: Layer, scores: np.ndarray, per_entry: int) -> Curve:
    """The entries of largest score."""
    size = one.weights.size
    counts = [int(share * size) // per_entry for share in SHARES]
    order = np.argsort(-scores, axis=None)

    def kept(i: int) -> np.ndarray:
        found = np.zeros(size)
        found[order[: counts[i]]] = one.weights.ravel()[order[: counts[i]]]
        return found.reshape(one.weights.shape)

    errors = np.array([one.error(kept(i)) for i in range(len(counts))])
    return Curve(per_entry * np.array(counts), errors, kept)


WAYS: dict[str, Callable[[Layer], Curve]] = {
    "low rank": low_rank,
    "low rank, weighted": weighted_low_rank,
    "Monarch": monarch,
    "pruning": magnitude,
    "pruning, weighted": pruned,
    "pruning, weighted, places free": pruned_places_free,
}


def uniform(curves: dict[str, Curve], sizes: dict[str, int], density: float) -> dict[str, int]:
    """The best of each curve with this share of the numbers of the layer."""
    found = {}
    for name, curve in curves.items():
        within = np.flatnonzero(curve.numbers <= density * sizes[name])
        found[name] = int(within[np.argmin(curve.errors[within])]) if len(within) else 0
    return found


def shared(curves: dict[str, Curve], sizes: dict[str, int], density: float) -> dict[str, int]:
    """Places on the hulls of the curves, of little sum of errors within one budget; -1 is dense."""
    left, steps, found = density * sum(sizes.values()), [], {}
    for name, curve in curves.items():
        numbers, errors = np.append(curve.numbers, sizes[name]), np.append(curve.errors, 0.0)
        hull = _hull(numbers, errors)
        found[name], left = hull[0], left - numbers[hull[0]]
        for i, j in pairwise(hull):
            cost = numbers[j] - numbers[i]
            at = -1 if j == len(curve.numbers) else j
            steps.append(((errors[i] - errors[j]) / cost, cost, name, at))
    stopped = set()
    for _, cost, name, at in sorted(steps, key=lambda step: -step[0]):
        if name not in stopped and cost <= left:
            found[name], left = at, left - cost
        else:  # a later step of this layer builds on this one
            stopped.add(name)
    return found


def effects(
    module: nn.Module, layers: dict[str, Layer], curves: dict[str, Curve], batches: list[Tensor]
) -> dict[str, float]:
    """What the outputs of the network miss for the error of each layer, replaced alone."""
    original, found = outputs(module, batches), {}
    for name, curve in curves.items():
        at = int(np.argmin(np.abs(curve.errors - TRIED)))
        other, _ = network(module, layers, curves, {name: at})
        missed = float((outputs(other, batches) - original).square().mean())
        found[name] = missed / float(curve.errors[at])
    return found


def by_effect(curves: dict[str, Curve], effect: dict[str, float]) -> dict[str, Curve]:
    """The curves with errors as they count at the end of the network."""
    return {name: one._replace(errors=one.errors * effect[name]) for name, one in curves.items()}


def outputs(module: nn.Module, batches: Iterable[Tensor]) -> Tensor:
    """Those for all batches."""
    with torch.no_grad():
        return torch.cat([module(batch) for batch in batches])


def _hull(numbers: np.ndarray, errors: np.ndarray) -> list[int]:
    """Indices of the lower convex hull, from the fewest numbers on."""
    hull: list[int] = []
    for i in range(len(numbers)):
        while len(hull) > 1:
            (a, b), run = hull[-2:], numbers[i] - numbers[hull[-2]]
            if (errors[b] - errors[a]) * run < (errors[i] - errors[a]) * (numbers[b] - numbers[a]):
                break
            hull.pop()
        if not hull or errors[i] < errors[hull[-1]]:
            hull.append(i)
    return hull


def network(
    module: nn.Module, layers: dict[str, Layer], curves: dict[str, Curve], places: dict[str, int]
) -> tuple[nn.Module, int]:
    """A copy of the module with these layers in place, and their numbers."""
    module, numbers = deepcopy(module), 0
    for name, at in places.items():
        if at < 0:
            numbers += layers[name].weights.size
            continue
        numbers += int(curves[name].numbers[at])
        linear = module.get_submodule(name)
        factors = curves[name].factors(at)
        product = _product(factors)
        bias = linear.bias.detach().double().numpy()
        bias = bias + (layers[name].weights - product) @ layers[name].mean
        module.set_submodule(name, replacement(factors, bias))
    return module, numbers


def _product(factors: Any) -> np.ndarray:
    if isinstance(factors, Blocks):
        return factors.toarray()
    return factors if isinstance(factors, np.ndarray) else factors[0] @ factors[1]


def replacement(factors: Any, bias: np.ndarray) -> nn.Module:
    """A module that trains nothing but the numbers of the factors, and the bias."""
    offset = torch.tensor(bias, dtype=torch.float32)
    if isinstance(factors, Blocks):
        return BlockLinear(factors, offset)
    if isinstance(factors, np.ndarray):
        return MaskedLinear(torch.tensor(factors, dtype=torch.float32), offset)
    left, right = (torch.tensor(factor, dtype=torch.float32) for factor in factors)
    return LowRankLinear(left, right, offset)


class LowRankLinear(nn.Module):
    """The product of two factors."""

    def __init__(self, left: Tensor, right: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.left, self.right, self.bias = map(nn.Parameter, (left, right, bias))

    def forward(self, X: Tensor) -> Tensor:
        """Rows times the right factor, then the left one."""
        return nn.functional.linear(X @ self.right.T, self.left, self.bias)


class MaskedLinear(nn.Module):
    """A matrix whose zeros remain."""

    def __init__(self, weights: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weights, self.bias = nn.Parameter(weights), nn.Parameter(bias)
        self.register_buffer("mask", (weights != 0).to(weights.dtype))

    def forward(self, X: Tensor) -> Tensor:
        """The gradient of what is zero is zero."""
        return nn.functional.linear(X, self.weights * self.mask, self.bias)


class BlockLinear(nn.Module):
    """The product of two block-diagonal factors."""

    def __init__(self, blocks: Blocks, bias: Tensor) -> None:
        super().__init__()
        rows, columns, high, rank = blocks.left.shape
        left = blocks.left.transpose(0, 1, 3, 2).reshape(rows, columns * rank, high)
        right = blocks.right.transpose(1, 3, 0, 2).reshape(columns, -1, rows * rank)
        self.left, self.right = (
            nn.Parameter(torch.tensor(values, dtype=torch.float32)) for values in (left, right)
        )
        self.bias = nn.Parameter(bias)

    def forward(self, X: Tensor) -> Tensor:
        """Rows times the right factor, then the left one."""
        (columns, wide, inner), rows = self.right.shape, len(self.left)
        parts = X.reshape(-1, columns, wide).transpose(0, 1) @ self.right
        parts = parts.reshape(columns, -1, rows, inner // rows).permute(2, 1, 0, 3)
        found = parts.reshape(rows, -1, columns * inner // rows) @ self.left
        return found.transpose(0, 1).reshape(*X.shape[:-1], -1) + self.bias
