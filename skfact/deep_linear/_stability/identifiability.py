"""Whether a product of factors determines them: the verdict, why, and what shows it."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from skfact._checks import check_choice, check_random_state
from skfact.deep_linear._stability.diagonal_scalings import (
    closes,
    dead_entry,
    inner_nodes,
    mixed,
    n_diagonals,
)
from skfact.deep_linear._stability.lifting import LiftingOperator
from skfact.deep_linear._stability.lifting_rank import (
    jacobian_rank,
    known_rank,
    null_space,
    random_rank,
    thresholds,
)
from skfact.deep_linear._stability.second_solutions import (
    Contraction,
    Pair,
    along_fibre,
    contraction_of,
    in_kernel,
    of_columns,
    of_masks,
    of_toeplitz_neighbours,
    verified,
    with_equal_products,
)
from skfact.deep_linear._stability.structure import Structure, as_structure, balanced
from skfact.fixed_support import is_locally_identifiable

YES, NO, UNDECIDED = "identifiable", "not identifiable", "undecided"
DENSE = 2**22  # entries of a lifting operator that is formed to look at its columns
SEARCHED = 2**18  # entries of a derivative in searches for second solutions
MOST_RANK = 2048  # of a lifting operator that is looked for
FIBRE = 1e9  # multiplications of a step along equal products

# what learned factors mean
ONLY_ONES = (
    "Factors that fit a matrix exactly are the only ones, up to one scalar per factor (with "
    "product 1): they may be read as what the data says, as far as they fit."
)
OF_MANY = (
    "Learned factors are one choice among others with the same product: predict with the product, "
    "and do not read the factors."
)
SOME_ARE_NOT = (
    "Some factors share their product with others, as the second solution does, and almost all "
    "share it with none near them (the derivative has rank C): whether learned ones are the only "
    "ones is open; compare those of several random starts by factor_distance."
)
OF_SOME = (
    "Some factors share their product with others, as the second solution does; whether learned "
    "ones do is open: compare those of several random starts by factor_distance."
)
OPEN = (
    "Nothing known here shows that learned factors are the only ones, or that they are not: "
    "compare those of several random starts by factor_distance."
)
ALMOST_ALL = (
    "Almost all factors are the only ones with their product, up to the scales of their inner "
    "units: they may be read once these are normalized."
)
DEAD = "a parameter of a mask is on no path: no entry depends on it."
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
        For "not identifiable": parameters h and g of two classes with the same product, checked to
        1e-10, where a pair was found.

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
            lines += _wrapped("second solution", "found: second_solution has h and g, one product")
        return "\n".join(lines + _wrapped("meaning", self.meaning))


def _power(number: int) -> str:
    """A huge number in a few words."""
    return f"about 1e{len(str(number)) - 1}" if number < 10**4000 else "very many"


def _wrapped(name: str, text: str) -> list[str]:
    head = f"  {name:<17}"
    return textwrap.wrap(text, 100, initial_indent=head, subsequent_indent=" " * len(head))


class Facts(NamedTuple):
    """What the steps know of a structure."""

    structure: Structure
    random: np.random.RandomState
    rank: int | None
    jacobian_rank: int | None
    lift: np.ndarray | None  # the lifting operator as a matrix, if it is small

    @property
    def bounds(self) -> tuple[int, int]:
        """The thresholds C and D."""
        return thresholds(self.structure.sizes)

    @property
    def contraction(self) -> Contraction:
        """The product as a linear function of the parameters of one factor."""
        return contraction_of(self.structure, self.lift)

    @property
    def kernel(self) -> np.ndarray | None:
        """The tensor that spans the kernel of the lifting operator, if one does."""
        if self.lift is None or self.rank != self.structure.n_columns - 1:
            return None
        found = null_space(self.lift)
        return found.reshape(self.structure.sizes) if found.shape[1] == 1 else None

    @property
    def is_searched(self) -> bool:
        """Whether it is small enough to search for second solutions."""
        return self.structure.is_small(SEARCHED)


class Finding(NamedTuple):
    """A verdict with its reason, its meaning and, for "not", two parameters with one product."""

    verdict: str
    reason: str
    meaning: str
    pair: Pair | None = None


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
    4. It has a column that is zero, or two that are parallel: not.
    5. Its kernel has a tensor of rank one, a product that is zero: not. Two neighbouring Toeplitz
       factors always have one.
    6. A search finds two parameters with one product: not.
    7. The kernel has dimension one, and a matricization of it rank 3 or more: identifiable, as the
       difference of two rank-one tensors has none. For two factors, otherwise: not.
    8. Undecided. A rank of D or more, the dimension of the differences, makes almost every operator
       of that rank identifiable, which proves nothing for this one.

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
    """
    check_choice(up_to, "up_to", ("scalars", "diagonals"))
    found = as_structure(structure)
    same, weights = balanced(found)
    facts = _facts(same, check_random_state(random_state))
    verdict, reason, meaning, pair = (_scalars if up_to == "scalars" else _diagonals)(facts)
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
    rank = known_rank(structure)
    if rank is None:
        rank = random_rank(structure, random, MOST_RANK)
    lift = LiftingOperator(structure)
    dense = structure.masks is None and math.prod(lift.shape) <= DENSE
    return Facts(
        structure,
        random,
        rank,
        jacobian_rank(structure, random),
        lift.toarray() if dense else None,
    )


def _scalars(facts: Facts) -> Finding:
    """The eight steps, in their order."""
    steps = (
        _full_rank,
        _low_rank,
        _flat_derivative,
        _columns,
        _large_kernel,  # the half of step 7 that saves the searches, which would find nothing
        _zero_product,
        _fit,
        _small_kernel,
    )
    return next(filter(None, (step(facts) for step in steps)), None) or _undecided(facts)


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
            _fibre_pair(facts),
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
        OF_MANY,
        _fibre_pair(facts),
    )


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
        OF_MANY,
        _fibre_pair(facts),
    )


def _fibre_pair(facts: Facts, diagonal: bool = False) -> Pair | None:
    """Two parameters with one product near each other."""
    structure = facts.structure
    if structure.masks is not None and not diagonal:
        return of_masks(structure, facts.random)
    work = structure.n_entries * sum(structure.sizes) ** 2
    if not facts.is_searched or work > FIBRE:
        return None
    return along_fibre(structure, facts.random, diagonal)


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


def _diagonals(facts: Facts) -> Finding:
    """The verdict for almost every h, up to diagonal matrices between neighbours."""
    structure = facts.structure
    if structure.masks is not None:
        return _masks_up_to_diagonals(facts)
    scalars = len(structure.sizes) - 1
    free: int | None = None
    if facts.jacobian_rank == facts.bounds[0] or scalars == 0:
        free = scalars  # there is room for no more
    elif structure.is_small(DENSE):
        free = n_diagonals(structure, facts.random)
    if free is None:
        return Finding(
            UNDECIDED, "the structure is too large to find the diagonal matrices it allows.", OPEN
        )
    if free == scalars:
        found = _scalars(facts)
        return found._replace(
            reason="no diagonal matrices but multiples of the identity keep the factors inside the "
            f"structure, so that both senses ask the same of it; here of all h: {found.reason}"
        )
    return _by_derivative(facts, free)


def _masks_up_to_diagonals(facts: Facts) -> Finding:
    structure = facts.structure
    if dead_entry(structure) is not None:
        return Finding(NO, DEAD, OF_MANY, _dead_pair(facts))
    h = structure.draw(facts.random)
    other = mixed(structure, h)
    if other is not None:
        return Finding(
            NO,
            "two inner units of a gap have nested supports on both sides, so that they can be "
            "mixed: no h without zeros is determined up to diagonal matrices.",
            OF_MANY,
            verified(structure, h, other),
        )
    if structure.chain is not None and set(structure.chain.ranks) <= {1}:
        return Finding(
            YES,
            "neighbours of the chain meet in blocks of rank one, each determined up to a scalar, "
            "split after split: up to diagonal matrices for almost every product, those of "
            "factors without zeros among them.",
            ALMOST_ALL,
        )
    if closes(structure):
        return Finding(
            YES,
            "completion determines the factors, split in two again and again, up to diagonal "
            "matrices, for almost every product.",
            ALMOST_ALL,
        )
    if len(structure.sizes) == 2 and structure.is_small(DENSE):
        left, right = (mask.toarray() > 0 for mask in structure.masks or ())
        if not is_locally_identifiable(left, right, random_state=facts.random):
            return _not_by_derivative(facts)
    return _by_derivative(facts, n_diagonals(structure, facts.random))


def _dead_pair(facts: Facts) -> Pair | None:
    """Parameters that differ where no entry depends on them."""
    h = facts.structure.draw(facts.random)
    g = [x.copy() for x in h]
    k, s = dead_entry(facts.structure) or (0, 0)
    g[k][s] *= -1
    return verified(facts.structure, h, g)


def _not_by_derivative(facts: Facts) -> Finding:
    return Finding(
        NO,
        "the derivative of the product has more directions that change no product than diagonal "
        "matrices: almost no h is determined up to them, real or complex.",
        OF_MANY,
        _fibre_pair(facts, diagonal=True),
    )


def _by_derivative(facts: Facts, free: int) -> Finding:
    """What the rank of the derivative proves: "not", or only what holds nearby."""
    if facts.jacobian_rank is None:
        return Finding(
            UNDECIDED, "the structure is too large for the rank of its derivative.", OPEN
        )
    if sum(facts.structure.sizes) - facts.jacobian_rank > free:
        return _not_by_derivative(facts)
    return Finding(
        UNDECIDED,
        "locally yes: for almost every h, the only factors near h with its product are its "
        "diagonal rescalings (the derivative has full rank up to them). Others far from h are not "
        "excluded.",
        OPEN,
    )
