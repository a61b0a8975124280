"""The verdict up to one scalar per factor, in steps of which the first that applies decides."""

from __future__ import annotations

import math

import numpy as np

from skfact.deep_linear._stability._identifiability.diagonal_scalings import (
    inner_nodes,
    n_diagonals,
)
from skfact.deep_linear._stability._identifiability.facts import (
    BY_DIAGONALS,
    BY_EXCHANGE,
    DEAD,
    MOST_RANK,
    NO,
    OF_MANY,
    OF_SOME,
    ONLY_ONES,
    OPEN,
    PATH_BY_PATH,
    SOME_ARE_NOT,
    UNDECIDED,
    YES,
    Facts,
    Finding,
    fibre_pair,
)
from skfact.deep_linear._stability._identifiability.second_solutions import (
    Pair,
    exchanged,
    in_kernel,
    of_columns,
    of_masks,
    of_toeplitz_neighbours,
    verified,
    with_equal_products,
)
from skfact.deep_linear._stability._lifting.structure import Structure


def up_to_scalars(facts: Facts) -> Finding:
    """The nine steps, in their order."""
    steps = (
        _full_rank,
        _low_rank,
        _flat_derivative,
        _exchange,
        _columns,
        _large_kernel,  # the half of step 8 that saves the searches, which would find nothing
        _zero_product,
        _fit,
        _small_kernel,
    )
    found = next(filter(None, (step(facts) for step in steps)), None) or _undecided(facts)
    tree = facts.structure.tree
    if found.verdict != NO or tree is None or len(tree.paths) == 1:
        return found
    if tree.collision() is not None:
        return found._replace(
            reason=f"{found.reason} Neither are the kernels of single paths all determined: "
            "convolution_tree_is_recoverable(tree) is False."
        )
    return found._replace(
        reason=f"{found.reason} Only as all kernels of a depth are one vector here, which has one "
        "scalar, and kernels on no common path never meet: on each path the kernels are "
        "determined, convolution_tree_is_recoverable(tree) is True.",
        meaning=PATH_BY_PATH,
    )


def _full_rank(facts: Facts) -> Finding | None:
    columns = facts.structure.n_columns
    if facts.rank == columns:
        return Finding(
            YES,
            f"the lifting operator has full column rank, {columns}: the product determines the "
            "tensor of every h, real or complex.",
            ONLY_ONES,
        )
    if len(facts.structure.sizes) == 1 and facts.rank is not None:
        return Finding(
            NO,
            f"the one factor is a linear map of rank {facts.rank} of {columns} parameters: no h is "
            "determined.",
            OF_MANY,
            fibre_pair(facts),
            of_almost_all=True,
        )
    return None


def _low_rank(facts: Facts) -> Finding | None:
    least, _ = facts.bounds
    if facts.rank is None or facts.rank >= least:
        return None
    return Finding(
        NO,
        f"the rank {facts.rank} of the lifting operator is below C = {least}, the dimension of the "
        "rank-one tensors (invariance of domain): over the real and the complex numbers, almost "
        "no h is determined.",
        _of_many(facts),
        fibre_pair(facts),
        of_almost_all=True,
    )


def _of_many(facts: Facts) -> str:
    """What it means that almost no h is determined; for masks, whether by diagonal matrices."""
    structure = facts.structure
    if structure.masks is None:
        return OF_MANY
    free = n_diagonals(structure, facts.random)
    if free < len(structure.sizes):  # scalars alone
        return OF_MANY
    found = sum(structure.sizes) - free if facts.jacobian_rank is None else facts.jacobian_rank
    return BY_DIAGONALS if found == sum(structure.sizes) - free else OF_MANY


def _flat_derivative(facts: Facts) -> Finding | None:
    structure, (least, _) = facts.structure, facts.bounds
    rank, exactly = facts.jacobian_rank, "exactly"
    if rank is None and structure.masks is not None:
        nodes = inner_nodes(structure.masks)[1:-1]
        rank, exactly = sum(structure.sizes) - sum(int(a.sum()) for a in nodes), "at least"
    if rank is None or rank >= least:
        return None
    diagonal = ""
    if structure.masks is not None:
        diagonal = (
            "; diagonal matrices between neighbouring factors are among them, which "
            "up_to='diagonals' does not count"
        )
    return Finding(
        NO,
        f"the derivative of the product has a rank below C = {least}: almost no h is determined, "
        f"real or complex; parameters with the same product form surfaces of dimension {exactly} "
        f"{sum(structure.sizes) - rank}, and scalars have {len(structure.sizes) - 1}{diagonal}.",
        _of_many(facts),
        fibre_pair(facts),
        of_almost_all=True,
    )


def _exchange(facts: Facts) -> Finding | None:
    pair, (j, k) = exchanged(facts.structure, facts.random)
    if pair is None:
        return None
    return Finding(
        NO,
        f"factors {j} and {k} are of one kind, and the product does not change where their "
        "parameters are exchanged, as where they commute: almost no h is determined, real or "
        "complex.",
        BY_EXCHANGE,
        pair,
        of_almost_all=True,
    )


def _columns(facts: Facts) -> Finding | None:
    if facts.structure.masks is not None:
        pair = of_masks(facts.structure, facts.random)
        if pair is None:
            return None
        return Finding(NO, DEAD, OF_MANY, pair)
    if facts.lift is None:
        return None
    pair, what = of_columns(facts.structure, facts.lift)
    if pair is None:
        return None
    return Finding(
        NO,
        f"the lifting operator has {what}: particular h, those of unit vectors, real or complex, "
        "are not determined.",
        _some(facts),
        pair,
    )


def _some(facts: Facts) -> str:
    """What it means that particular h are not determined."""
    return SOME_ARE_NOT if facts.jacobian_rank == facts.bounds[0] else OF_SOME


def _zero_product(facts: Facts) -> Finding | None:
    pair, why = of_toeplitz_neighbours(facts.structure), "neighbouring Toeplitz factors"
    if pair is None and facts.is_searched:
        pair, why = (
            in_kernel(facts.structure, facts.random, facts.contraction),
            "factors that are not zero",
        )
    if pair is None:
        return None
    return Finding(
        NO,
        f"{why} have a product that is zero (a rank-one tensor in the kernel of the lifting "
        "operator): particular h, real or complex, are not told from zero.",
        _some(facts),
        pair,
    )


def _fit(facts: Facts) -> Finding | None:
    if not facts.is_searched:
        return None
    pair = with_equal_products(facts.structure, facts.random, facts.contraction)
    if pair is None:
        return None
    return Finding(
        NO,
        "a search found two parameters of different classes whose products agree to 1e-10: these "
        "particular h, real or complex, are not determined.",
        _some(facts),
        pair,
    )


def _large_kernel(facts: Facts) -> Finding | None:
    kernel = facts.kernel
    if kernel is None:
        return None
    rank = largest_matricization_rank(kernel)
    if rank < 3:
        return None
    return Finding(
        YES,
        "the kernel of the lifting operator is spanned by one tensor, with a matricization of "
        f"rank {rank}: differences of two rank-one tensors have at most 2. Every h is "
        "determined, real or complex.",
        ONLY_ONES,
    )


def _small_kernel(facts: Facts) -> Finding | None:
    kernel = facts.kernel
    if kernel is None or sum(size > 1 for size in facts.structure.sizes) > 2:
        return None
    left, values, right = np.linalg.svd(kernel.reshape(_two_sides(facts.structure.sizes)))
    return Finding(
        NO,
        "the kernel of the lifting operator is spanned by one matrix of rank 2 at most, a "
        "difference of two rank-one matrices: particular h, real or complex, are not determined.",
        _some(facts),
        _pair_of_kernel(facts.structure, values[:2] * left[:, :2], right[:2] * [[1], [-1]]),
    )


def _two_sides(sizes: tuple[int, ...]) -> tuple[int, int]:
    """The two sizes that are not one."""
    large = [size for size in sizes if size > 1]
    return large[0], math.prod(large[1:])


def _pair_of_kernel(structure: Structure, left: np.ndarray, right: np.ndarray) -> Pair | None:
    """Parameters with the two rank-one matrices that a kernel of rank two is the difference of."""
    pair: list[list[np.ndarray]] = []
    for i in range(2):
        columns = iter([left[:, i], right[i]])
        pair.append([next(columns) if size > 1 else np.ones(1) for size in structure.sizes])
    return verified(structure, *pair)


def largest_matricization_rank(tensor: np.ndarray) -> int:
    """The largest rank of a tensor read as a matrix, its axes in two groups: at most its rank."""
    most = 1
    for code in range(1, 2 ** (tensor.ndim - 1)):
        rows = [k for k in range(tensor.ndim) if code >> k & 1]
        columns = [k for k in range(tensor.ndim) if not code >> k & 1]
        matrix = tensor.transpose(rows + columns)
        values = np.linalg.svd(
            matrix.reshape(math.prod(tensor.shape[k] for k in rows), -1), compute_uv=False
        )
        most = max(most, int(np.count_nonzero(values > 1e-7 * values[0])))
    return most


def _undecided(facts: Facts) -> Finding:
    least, enough = facts.bounds
    if facts.rank is None:
        return Finding(
            UNDECIDED,
            f"the rank of the lifting operator, above {MOST_RANK}, was not found, and nothing else "
            "decides. Ask for a smaller structure of the same kind.",
            OPEN,
        )
    reason = (
        f"the rank {facts.rank} of the lifting operator is at least C = {least}, below its "
        f"{facts.structure.n_columns} columns, and no second solution was "
        + ("found." if facts.is_searched else "looked for in a structure of this size.")
    )
    if facts.rank >= enough:
        reason += (
            f" As it is at least D = {enough}, almost every linear operator of this rank is "
            "identifiable, which does not prove that this one is."
        )
    return Finding(UNDECIDED, reason, OPEN)
