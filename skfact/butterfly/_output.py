r"""Errors that count where inputs are: the Gram matrix of the inputs, in the blocks of one factor.

Of a map x -> A x what counts may be :math:`\|(A - B) X^T\|_F` over the rows of X, inputs as they
occur. The last factor (a, b, c, d) parts the columns into blocks of c. If the Gram matrix
:math:`G = X^T \bar X / N` is block-diagonal with these, :math:`G = M M^H`, then S_L M has the
support of S_L: the factors of A M are those that are looked for, once M is undone in the last one,
and all guarantees hold in that norm. Of any other Gram matrix the blocks are taken; what lies
outside of them may matter more, so that the factors of A are looked at, too, and the inputs decide.

A little of its mean diagonal is added to the Gram matrix: directions that few samples show are not
given up for it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, detached, device, move
from skfact._checks import check_matrix, require_finite
from skfact._exponents import binary_exponent, times_power_of_two, unscaled
from skfact._kernels.low_rank_blocks import Arranged
from skfact._linalg import adjoint, is_complex, thin_qr
from skfact.butterfly._plans import Plan, fixed_plan
from skfact.butterfly._reading import arrange
from skfact.butterfly._structure.choice import CANDIDATES, dense
from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, chain_through
from skfact.butterfly._structure.search import (
    Structure,
    StructureSearch,
    rich_size,
    thinned,
)
from skfact.butterfly._structure.tails import Tails
from skfact.operators import FactorizedOperator, KroneckerFactor, PartialPermutation
from skfact.supports import Chain
from skfact.supports._radices import divisors

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization

DAMPING = 1e-2  # of the mean diagonal of the Gram matrix


class Inputs:
    """Samples (n_samples, n_in) beside a matrix, as errors are measured on them."""

    def __init__(self, X: Any, A: Any) -> None:
        X = detached(check_matrix(X, "inputs"))
        xp = array_namespace(A, X)
        if X.shape[1] != A.shape[1]:
            raise ValueError(
                f"inputs must have one column per column of A, {A.shape[1]}; got shape "
                f"{tuple(X.shape)}."
            )
        if is_complex(X) and not is_complex(A):  # the outputs of both parts
            X = xp.concat([xp.real(X), xp.imag(X)]) * math.sqrt(2)
        X = xp.astype(X, A.dtype)
        require_finite(float(xp.max(xp.abs(X))), "inputs")
        self.exponent = binary_exponent(X)
        X = times_power_of_two(X, -self.exponent) / math.sqrt(X.shape[0])
        #: share of the energy that samples have in their mean
        self.mean_share = _share_of_mean(X)
        # no more rows than columns, and the same Gram matrix
        self.root = X if X.shape[0] <= X.shape[1] else thin_qr(X)[1]

    @cached_property
    def largest(self) -> float:
        """The most that errors grow on the inputs, from the Frobenius norm."""
        return float(array_namespace(self.root).linalg.matrix_norm(self.root, ord=2))

    def image(self, E: Any) -> Any:
        """The outputs (n_out, k) of a matrix for as many inputs with the same Gram matrix."""
        return E @ array_namespace(E).matrix_transpose(self.root)

    def norm(self, E: Any) -> float:
        """Root of the mean square of the outputs of a matrix."""
        return float(array_namespace(E).linalg.vector_norm(self.image(E)))

    def block_roots(self, groups: np.ndarray) -> Any:
        """M of groups of columns (a, d, c), lower triangular; -1 is a column of zeros."""
        xp, where = array_namespace(self.root), device(self.root)
        blocks = xp.permute_dims(_grouped(self.root, groups), (1, 2, 3, 0))
        gram = blocks @ adjoint(blocks)
        energy = float(xp.linalg.vector_norm(self.root)) ** 2 / self.root.shape[1]
        damping = (DAMPING * energy or 1.0) * xp.eye(groups.shape[-1], dtype=gram.dtype)
        return xp.linalg.cholesky(gram + move(damping, xp, where))


def _share_of_mean(X: Any) -> float:
    """|mean of the rows|^2 over the mean of their |x|^2."""
    xp = array_namespace(X)
    total = float(xp.linalg.vector_norm(X)) ** 2
    mean = float(xp.linalg.vector_norm(xp.sum(X, axis=0))) ** 2 / X.shape[0]
    return mean / total if total > 0 else 0.0


class Seen(NamedTuple):
    """How the errors of a factorization are seen on inputs."""

    inputs: Inputs
    factored: Any  # the matrix whose factors were looked for, weighted or not
    factor: float  # errors on the inputs are at most so many times those of `factored`


def column_groups(A: Any, chain: Chain, permutation: Any) -> np.ndarray:
    """Columns (a, d, c) of the matrix in the blocks of the last factor; -1 are those of padding."""
    a, _, c, d = chain[-1]
    columns = arrange(A, chain, permutation).cols
    columns = np.arange(a * c * d) if columns is None else columns
    return np.swapaxes(columns.reshape(a, c, d), 1, 2)


def weighted(A: Any, groups: np.ndarray, roots: Any) -> Any:
    """A M: the columns of every group times its root."""
    xp, where = array_namespace(A), device(A)
    flat = groups.ravel()
    blocks = xp.permute_dims(_grouped(A, groups), (1, 2, 0, 3))
    found = xp.permute_dims(blocks @ roots, (2, 0, 1, 3))
    place = np.empty(A.shape[1], dtype=np.intp)
    place[flat[flat >= 0]] = np.nonzero(flat >= 0)[0]
    found = xp.reshape(found, (A.shape[0], flat.size))
    return xp.take(found, move(place, xp, where), axis=1)


def _grouped(matrix: Any, groups: np.ndarray) -> Any:
    """Columns of a matrix by groups: (rows, a, d, c); those of -1 are zero."""
    columns = Arranged(matrix, cols=groups.ravel()).toarray()
    return array_namespace(matrix).reshape(columns, (-1, *groups.shape))


def undone(operator: FactorizedOperator, roots: Any) -> FactorizedOperator:
    """The operator with M undone in its last factor with values."""
    factors = list(operator.factors)
    at = len(factors) - 1 - isinstance(factors[-1], PartialPermutation)
    last = factors[at]
    xp = array_namespace(last.values)
    turned = xp.linalg.solve(xp.matrix_transpose(roots), xp.matrix_transpose(last.values))
    factors[at] = KroneckerFactor(xp.matrix_transpose(turned), last.pattern)
    return FactorizedOperator(factors)


def both_ways(
    A: Any, inputs: Inputs, plan: Plan, chain: Chain, factor: Any
) -> Iterator[Factorization]:
    """The factorizations of the weighted and of the plain matrix, each measured on the inputs.

    And low rank without damping. `factor` is called with (matrix, plan, chain).
    """
    groups = column_groups(A, chain, plan.permutation)
    roots = inputs.block_roots(groups)
    A_weighted = weighted(A, groups, roots)
    found = factor(A_weighted, plan, chain)
    seen = Seen(inputs, A_weighted, math.sqrt(math.prod(groups.shape[:2])))
    yield replace(found, matrix=A, unit=undone(found.unit, roots), seen=seen, kept=0.0)
    yield replace(factor(A, plan, chain), seen=Seen(inputs, A, inputs.largest), kept=0.0)
    if len(chain) == 2 and chain[0].a == chain[0].d == chain[1].a == chain[1].d == 1:
        projected = on_best_outputs(A, inputs, A_weighted, chain.ranks[0])
        found = factor(projected, plan, chain)
        found = replace(found, matrix=A, seen=Seen(inputs, A, inputs.largest), kept=0.0)
        lost = unscaled(found.error / (inputs.largest or 1.0), found.exponent)
        yield replace(found, discarded=np.full_like(found.discarded, lost))


def on_best_outputs(A: Any, inputs: Inputs, A_weighted: Any, rank: int) -> Any:
    """A projected on the leading left singular vectors of its outputs: reduced rank regression.

    No matrix of this rank is closer on the inputs (Izenman, 1975).
    """
    basis = leading_outputs(A, inputs, A_weighted, rank)
    return basis @ (adjoint(basis) @ A)


def leading_outputs(A: Any, inputs: Inputs, A_weighted: Any, rank: int) -> Any:
    """Leading left singular vectors (n_out, rank) of the outputs.

    Directions that the outputs do not have are those of what is left of the weighted matrix.
    """
    xp = array_namespace(A)
    basis, sizes, _ = xp.linalg.svd(inputs.image(A), full_matrices=False)
    eps = float(xp.finfo(A.dtype).eps)
    there = int(xp.sum(xp.astype(sizes > 10 * eps * max(A.shape) * sizes[0], xp.int64)))
    basis = basis[:, : min(rank, there)]
    if there < rank:
        left = A_weighted - basis @ (adjoint(basis) @ A_weighted)
        more, _, _ = xp.linalg.svd(left, full_matrices=False)
        basis, _ = thin_qr(xp.concat([basis, more[:, : rank - there]], axis=1))
    return basis


def closest(found: Sequence[Factorization]) -> Factorization:
    """The one of least error; of those that are exact, up to rounding, the first one."""
    exact = 100 * float(array_namespace(found[0].matrix).finfo(found[0].matrix.dtype).eps)
    return min(found, key=lambda result: max(result.relative_error, exact))


class OutputSearch:
    """The best chains of two factors for a matrix on inputs, weighted before chosen.

    The matrix is of ordinary magnitude. Errors are relative to the norm of the outputs. If `few`,
    only some places are looked at, as in the first stage of a search without inputs; and those
    alone whose blocks are at most `widest` columns wide.
    """

    def __init__(
        self, A: Any, inputs: Inputs, *, few: bool = False, widest: float = math.inf
    ) -> None:
        self.A, self.inputs, self.widest = A, inputs, widest
        self.divisors = thinned if few else divisors
        self.shape = rich_size(A.shape[0]), rich_size(A.shape[1])

    @cached_property
    def tails(self) -> list[tuple[str | None, tuple[int, int], np.ndarray]]:
        """Relative tails of all places in all arrangements."""
        found: list[tuple[str | None, tuple[int, int], np.ndarray]] = []
        m, n = self.shape
        norm = self.inputs.norm(self.A) or 1.0
        for P in (P for P in self.divisors(n)[:-1] if n // P <= self.widest):
            for spaced in (False, True)[: None if P > 1 else 1]:
                groups = _classes(n, P, spaced, self.A.shape[1])
                roots = self.inputs.block_roots(groups)
                look = Tails(weighted(self.A, groups, roots), self.shape)
                alike = [item for item in ARRANGEMENTS.items() if item[1].cols == spaced]
                for Q in self.divisors(m)[:-1]:
                    for name, arrangement in alike[: None if Q > 1 else 1]:
                        tails = look.exact(Node(Q, P, 1), arrangement) / norm
                        found.append((name, (Q, P), tails))
        return found

    def best(self, budget: int, count: int = 1) -> list[Structure]:
        """Structures with at most so many numbers, the best one first; none if none is so small."""
        found: list[tuple[float, int, str | None, Node]] = []
        m, n = self.shape
        for name, (Q, P), tails in self.tails:
            r = min(budget // (m * P + n * Q), len(tails) - 2)
            if r >= 1:
                found.append((float(tails[r]), len(found), name, Node(Q, P, r)))
        return [
            Structure(name, chain_through([node], self.shape), estimate)
            for estimate, _, name, node in sorted(found)[:count]
        ]


def least_output_error(
    search: OutputSearch, plain: StructureSearch, budget: int, factor: Any
) -> Factorization:
    """The factorization of least error on inputs with at most so many numbers.

    Of the most promising structures with weights and of that without, dense where all numbers may
    be taken. `factor` is called with (matrix, plan, chain).
    """
    A, size = search.A, math.prod(search.A.shape)
    within = min(budget, size - 1)
    structures = search.best(within, CANDIDATES) + plain.best(within)[:1]
    low_rank = plain.low_rank(within, enough=0.0)  # its error is the least there is, not estimated
    if low_rank is not None and all(low_rank.chain != other.chain for other in structures):
        structures.append(low_rank)
    if budget >= size or not structures:
        structures.append(dense(*A.shape))
    ways = [
        both_ways(A, search.inputs, fixed_plan(chain, permutation), chain, factor)
        for permutation, chain, _ in structures
    ]
    return closest([result for both in ways for result in both])


def _classes(n: int, P: int, spaced: bool, real: int) -> np.ndarray:
    """Columns (P, 1, n / P) of P classes, contiguous or spaced; -1 beyond the real ones."""
    columns = np.arange(n)
    classes = columns.reshape(n // P, P).T if spaced else columns.reshape(P, n // P)
    return np.where(classes < real, classes, -1)[:, None]
