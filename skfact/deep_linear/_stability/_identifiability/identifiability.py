"""Whether a product of factors determines them: the verdict, why, and what shows it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np

from skfact._checks import check_choice, check_random_state
from skfact.deep_linear._stability._identifiability.facts import (
    DENSE,
    MOST_RANK,
    UNDECIDED,
    Facts,
)
from skfact.deep_linear._stability._identifiability.second_solutions import (
    Pair,
)
from skfact.deep_linear._stability._identifiability.up_to_diagonals import up_to_diagonals
from skfact.deep_linear._stability._identifiability.up_to_scalars import up_to_scalars
from skfact.deep_linear._stability._lifting.lifting import LiftingOperator
from skfact.deep_linear._stability._lifting.lifting_rank import (
    jacobian_rank,
    rank_of,
)
from skfact.deep_linear._stability._lifting.structure import Structure, as_structure, balanced

REAL = "Verdicts are about real parameters."
MODELS = " Projections of parameters are left out: within them fewer parameters may be possible."


@dataclass(frozen=True, repr=False, eq=False)
class StructureIdentifiability:
    """Answer of :func:`structure_identifiability`; its text is meant to be read.

    Parameters
    ----------
    verdict : {"identifiable", "not identifiable", "undecided"}
        Whether products determine their factors.
    up_to : {"scalars", "diagonals"}
        Up to which rescalings.
    sizes : tuple of int
        The numbers S_k of parameters of the factors.
    rank : int or None
        Rank of the lifting operator; None where it is above 2048, or takes too long to find.
    n_columns : int
        Number of its columns, the product of the S_k.
    jacobian_rank : int or None
        Rank of the derivative of the product at almost every point; None where it is not known.
    thresholds : pair of int
        C and D: a structure with a rank below C is not identifiable, almost every operator of rank
        D or more is.
    reason : str
        What decided, and for which parameters it holds.
    meaning : str
        What learned factors then mean.
    second_solution : pair of lists of arrays, or None
        Parameters h and g of two classes with the same product, checked to 1e-10, where a pair was
        found. Up to diagonals, an "undecided" may come with one: an example of particular h that
        are not determined, where nearly all others may be.

    See Also
    --------
    structure_identifiability : Gives this answer.

    Examples
    --------
    >>> from skfact.deep_linear import ToeplitzFactor, structure_identifiability
    >>> found = structure_identifiability([ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)])
    >>> found.verdict, found.rank, found.thresholds
    ('identifiable', 12, (6, 10))
    """

    verdict: str
    up_to: str
    sizes: tuple[int, ...]
    rank: int | None
    n_columns: int
    jacobian_rank: int | None
    thresholds: tuple[int, int]
    reason: str
    meaning: str
    second_solution: Pair | None = None

    def __repr__(self) -> str:
        kinds = {
            "scalars": "one scalar per factor",
            "diagonals": "diagonal matrices between factors",
        }
        sizes = " x ".join(map(str, self.sizes)) if len(self.sizes) < 8 else len(self.sizes)
        shown = "beyond reach" if self.rank is None else f"{self.rank:,}"
        columns = f"{self.n_columns:,}" if self.n_columns < 1e15 else f"{_power(self.n_columns)}"
        lines = [
            f"StructureIdentifiability: {self.verdict}, up to {kinds[self.up_to]}",
            f"  parameters       {sizes}" + " factors" * (len(self.sizes) >= 8),
            f"  rank of lifting  {shown} of {columns} columns; C = {self.thresholds[0]:,}, "
            f"D = {self.thresholds[1]:,}",
        ]
        if self.jacobian_rank is not None:
            free = sum(self.sizes) - self.jacobian_rank
            lines.append(
                f"  derivative       rank {self.jacobian_rank:,} of {sum(self.sizes):,}: "
                f"{free:,} direction{'s' * (free != 1)} without effect"
            )
        lines += _wrapped("reason", self.reason)
        if self.second_solution is not None:
            rare = "; a particular h" if self.verdict == UNDECIDED else ""
            text = f"found: second_solution has h and g, one product{rare}"
            lines += _wrapped("second solution", text)
        return "\n".join(lines + _wrapped("meaning", self.meaning))


def _power(number: int) -> str:
    """A huge number in a few words."""
    return f"about 1e{len(str(number)) - 1}" if number < 10**4000 else "very many"


def _wrapped(name: str, text: str) -> list[str]:
    head = f"  {name:<17}"
    return textwrap.wrap(text, 100, initial_indent=head, subsequent_indent=" " * len(head))


def structure_identifiability(
    structure: Any, *, up_to: str = "scalars", random_state: Any = None
) -> StructureIdentifiability:
    r"""Tell whether the product of structured factors determines the factors.

    With ``up_to="scalars"``: whether, for all real parameters h and g, equal products
    :math:`M_1(h_1) \cdots M_K(h_K) = M_1(g_1) \cdots M_K(g_K)` mean that g is h up to one scalar
    per factor, of product one (or that both have a zero vector) [1]_. With ``up_to="diagonals"``:
    whether, for almost every h, equal products mean that factors are the same up to diagonal
    matrices between neighbours, ``(M_1 D_1, D_1^-1 M_2 D_2, ..)`` [2]_. Two neighbouring masks with
    more than one inner unit are never determined in the first sense, and often in the second.

    Parameters
    ----------
    structure : Chain, list or SparseDeepLinearNet
        A chain; a list with one :class:`~skfact.supports.KroneckerSparse`, mask,
        :class:`ToeplitzFactor`, :class:`CirculantFactor` or :class:`StructuredFactor` per factor;
        or an estimator, fitted unless it has such supports itself, without the entries that its
        shape does not see.
    up_to : {"scalars", "diagonals"}, default="scalars"
        Which rescalings do not count.
    random_state : int, RandomState instance or None, default=None
        For random points, and starts of searches.

    Returns
    -------
    identifiability : StructureIdentifiability
        Verdict, ranks, reason, second solution and what it means for learned factors.

    Raises
    ------
    TypeError
        If it is no structure, or a factor has a budget of non-zeros.
    ValueError
        If shapes do not chain, a mask is empty, an adjoint is wrong, an estimator is not fitted, or
        `up_to` is neither.

    See Also
    --------
    lifting_rank : The rank alone.
    deep_null_space_constant : How stably products determine factors.
    skfact.fixed_support.is_closable : Sufficient for two masks, up to diagonals.

    Notes
    -----
    The first of these that applies decides, up to scalars. S_k are the numbers of parameters, and
    ``C = sum (S_k - 1) + 1`` is the dimension of the rank-one tensors.

    1. The lifting operator has full column rank: identifiable; for one factor also only then.
    2. Its rank is below C: not, by invariance of domain.
    3. The derivative of the product has a rank below C: not, and almost no h is determined.
    4. The parameters of two factors may be exchanged, as those of convolutions with one support:
       not, and almost no h is determined.
    5. It has a column that is zero, or two that are parallel: not.
    6. Its kernel has a tensor of rank one, a product that is zero: not. Two neighbouring Toeplitz
       factors always have one.
    7. A search finds two parameters with one product: not.
    8. The kernel has dimension one, and a matricization of it rank 3 or more: identifiable, as the
       difference of two rank-one tensors has none. For two factors, otherwise: not.
    9. Undecided. A rank of D or more, the dimension of the differences, makes almost every operator
       of that rank identifiable, which proves nothing for this one.

    Up to diagonals, where only scalars keep all factors inside the structure, the verdict is that
    up to scalars if it is "identifiable", or "not" by steps 1 to 4. Steps 5 to 8 find particular h,
    which say nothing of almost every one: "undecided", with what holds near almost every h.
    The factors of a :class:`ConvolutionTree` that is recoverable are determined up to diagonals,
    path by path, and not always up to one scalar per factor.

    Ranks are counted in floating point at random points, so that a verdict that rests on them holds
    with probability one up to rounding; those of masks and chains are exact. Second solutions are
    checked: products equal to 1e-10, and classes that differ. Verdicts are about real parameters;
    the two that decide hold for complex ones as well, where "undecided" may have other reasons.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 6.
    .. [2] L. Zheng, E. Riccietti, R. Gribonval, "Efficient identification of butterfly sparse
       matrix factorizations", arXiv:2110.01230.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ToeplitzFactor, structure_identifiability
    >>> from skfact.supports import Chain
    >>> found = structure_identifiability([ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)])
    >>> found.verdict, found.rank, found.thresholds
    ('not identifiable', 9, (7, 12))
    >>> found.second_solution[0]  # their product is zero
    [array([1., 0., 0., 0.]), array([1., 0., 0., 0.])]
    >>> structure_identifiability(Chain.butterfly(4)).verdict
    'not identifiable'
    >>> structure_identifiability(Chain.butterfly(4), up_to="diagonals").verdict
    'identifiable'

    A diagonal matrix times a Toeplitz matrix: particular ones share their product with others, as
    where it is zero.

    >>> pair = [np.eye(3), ToeplitzFactor(3, 3)]
    >>> structure_identifiability(pair).verdict
    'not identifiable'
    >>> structure_identifiability(pair, up_to="diagonals").verdict
    'undecided'
    """
    check_choice(up_to, "up_to", ("scalars", "diagonals"))
    found = as_structure(structure)
    same, weights = balanced(found)
    facts = _facts(same, check_random_state(random_state))
    answer = (up_to_scalars if up_to == "scalars" else up_to_diagonals)(facts)
    verdict, reason, meaning, pair = answer[:4]
    return StructureIdentifiability(
        verdict,
        up_to,
        found.sizes,
        facts.rank,
        found.n_columns,
        facts.jacobian_rank,
        facts.bounds,
        f"{reason} {REAL}{MODELS if any(one.has_model for one in found.sets) else ''}",
        meaning,
        None if pair is None else (_times(weights, pair[0]), _times(weights, pair[1])),
    )


def _times(weights: list[np.ndarray], h: list[np.ndarray]) -> list[np.ndarray]:
    return [w * x for w, x in zip(weights, h)]


def _facts(structure: Structure, random: np.random.RandomState) -> Facts:
    """The ranks of a structure."""
    rank, lift = rank_of(structure, random, MOST_RANK), LiftingOperator(structure)
    dense = structure.masks is None and math.prod(lift.shape) <= DENSE
    return Facts(
        structure,
        random,
        rank,
        jacobian_rank(structure, random),
        lift.toarray() if dense else None,
    )
