"""Closed forms: the least-squares matrix, where factoring it is the answer, and as a start.

Where the inputs are isotropic, X X^T = c I, the loss is a constant and c ||W - W*||^2 with the
least-squares matrix W*: the best factors of W* are the answer. Elsewhere they are a start.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move
from skfact._linalg import adjoint
from skfact._stopping import Stopping
from skfact.butterfly._factorize import factorize
from skfact.deep_linear._factor_sets.mask import MaskSet
from skfact.deep_linear._linear_network import Layer, LinearNetwork
from skfact.deep_linear._outcome import Outcome
from skfact.deep_linear._solvers.problem import Problem, Solver, Trained
from skfact.fixed_support._alternating.descent import Runs
from skfact.fixed_support._solvers.solve import factorize_on_masks
from skfact.supports import Chain

HALF_STEPS = 20  # sweeps of alternating least squares on two masks
# size of the parts of a start that the least-squares matrix says nothing about
NUDGE = 0.1


def closed_form(problem: Problem, stopping: Stopping) -> Trained:
    """The factors of the least-squares matrix, where they are the answer."""
    if not has_closed_form(problem):
        raise ValueError(
            "solver='closed-form' needs one dense layer, or a chain (or two masks) with "
            "isotropic centred inputs and alpha=0. Use 'auto' or 'lbfgs'."
        )
    values = start_values(problem)
    loss, _, _ = problem.network.loss_and_gradient(values, problem.X, problem.Y, problem.alpha)
    return Trained(values, [loss], 1, Outcome.CONVERGED)


CLOSED_FORM = Solver("closed-form", for_budgets=False, run=closed_form)


def has_closed_form(problem: Problem) -> bool:
    """Whether the least-squares matrix is to be factored, and one algorithm does so.

    With guarantees of its own: on a chain, and on one or two masks.
    """
    network = problem.network
    layers, masks = network.layers, _masks(network)
    return problem.is_approximation and (
        (len(layers) == 1 and not layers[0].mirrored) or len(masks) in (1, 2)
    )


def start_values(problem: Problem) -> list[Any]:
    """Factors of the least-squares matrix; where no algorithm finds some, random ones."""
    network, matrix, random = problem.network, problem.least_squares, problem.random
    sets = network.sets
    if network.is_dense or (len(sets) == 1 and not network.layers):
        return [sets[0].restrict(matrix)]  # on a structure up to its Gram matrix
    if network.layers:
        matrices = _split(matrix, [layer.shape for layer in network.layers], random)
        return [
            value
            for layer, part in zip(network.layers, matrices)
            for value in _layer_values(layer, part)
        ]
    masks = _masks(network)
    if len(masks) == 2:
        return _mask_values(masks, matrix, random)
    return network.start(random, matrix)


def _masks(network: LinearNetwork) -> list[MaskSet]:
    """The sets of the network if all are masks; else none."""
    masks = [one for one in network.sets if isinstance(one, MaskSet)]
    return masks if len(masks) == len(network.sets) else []


def _mask_values(masks: list[MaskSet], matrix: Any, random: np.random.RandomState) -> list[Any]:
    """Values on two masks, by their closed form or some alternating steps."""
    found = factorize_on_masks(matrix, masks[0].support, masks[1].support, Runs(random, HALF_STEPS))
    return [mask.restrict(factor) for mask, factor in zip(masks, (found.left, found.right))]


def _layer_values(layer: Layer, matrix: Any) -> list[Any]:
    """Values of one layer: those of the matrix, and of the identity in the mirror."""
    values = _chain_values(layer.chain, matrix)
    if not layer.mirrored:
        return values
    xp, side = array_namespace(matrix), layer.chain.shape[0]
    identity = xp.eye(side, dtype=matrix.dtype, device=device(matrix))
    return [adjoint(v) for v in reversed(_chain_values(layer.chain, identity))] + values


def _chain_values(chain: Chain, matrix: Any) -> list[Any]:
    operator = factorize(matrix, chain).operator
    return [factor.values for factor in operator.factors if hasattr(factor, "values")]


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
