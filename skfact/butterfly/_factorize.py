"""From a matrix to a FactorizedOperator: scale, permutation, padding, ranks, the algorithm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import advise_if_full, array_namespace, detached
from skfact._checks import check_flag, check_matrix
from skfact._exponents import (
    binary_exponent,
    equal_shares,
    times_power_of_two,
    unscaled,
    unscaled_number,
)
from skfact._kernels.low_rank_blocks import Arranged, OutOfScaleError
from skfact._linalg import norm2
from skfact.butterfly._hierarchical import (
    expand_redundant,
    hierarchical_factorization,
    splits_in_order,
)
from skfact.butterfly._output import (
    Inputs,
    OutputSearch,
    Seen,
    both_ways,
    closest,
    least_output_error,
)
from skfact.butterfly._plans import (
    CHOSEN,
    CLUSTERED,
    REORDERED,
    Plan,
    Wanted,
    fixed_plan,
    plans_for,
    promises,
)
from skfact.butterfly._rank_search import (
    auto_budget,
    check_auto,
    check_bounds,
    check_inputs,
    check_sum,
    largest_rank,
    least_numbers,
    least_rank,
    numbers_within,
    supports_are,
)
from skfact.butterfly._reading import (
    Permutation,
    arrange,
    check_permutation,
    values_on_support,
)
from skfact.butterfly._structure.choice import fewest_numbers, least_error
from skfact.butterfly._structure.search import Structure, StructureSearch
from skfact.butterfly._sum import (
    entries_beside_low_rank,
    entries_on_inputs,
    entries_within,
    factorize_sum,
    family_of_sum,
    low_rank_sum,
)
from skfact.butterfly._usefulness import warn_of_use
from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    OperatorSum,
    PartialPermutation,
    SparseFactor,
)
from skfact.supports import Chain, KroneckerSparse


@dataclass(frozen=True)
class Factorization:
    """What one run of the algorithm found out."""

    matrix: Any  # what was factored, over 2**exponent: of ordinary magnitude
    unit: FactorizedOperator | OperatorSum  # its approximation
    exponent: int
    plan: Plan
    chain: Chain
    discarded: np.ndarray  # (len(chain) - 1,): what each split discarded
    outside: float  # norm of the entries that the product support does not cover
    in_order: bool  # the splits went from one end of the chain to the other
    kept: float  # norm of the product, over 2**exponent; zero where the splits do not tell
    n_entries: int = 0  # that are added to the product
    seen: Seen | None = None  # errors are those of the outputs for some inputs
    n_iter: int = 1

    @property
    def numbers(self) -> int:
        """What the approximation is made of; an entry is its value and its place."""
        return self.unit.nnz + self.n_entries

    @cached_property
    def operator(self) -> Any:
        """What the matrix is approximated by."""
        return rescaled(self.unit, self.exponent)

    @cached_property
    def product(self) -> Any:
        """The operator as a dense array, infinite where an entry is no number."""
        with np.errstate(over="ignore"):
            return times_power_of_two(self._unit_product, self.exponent)

    @cached_property
    def _unit_product(self) -> Any:
        return self.unit.toarray()

    @cached_property
    def error(self) -> float:
        """Norm of what the product misses, over 2**exponent."""
        return self._norm(self.matrix - self._unit_product)

    @cached_property
    def norm(self) -> float:
        """Norm of the matrix, over 2**exponent."""
        return self._norm(self.matrix)

    @property
    def relative_error(self) -> float:
        """The one over the other."""
        return self.error / self.norm if self.norm > 0 else 0.0

    def _norm(self, matrix: Any) -> float:
        if self.seen is not None:
            return self.seen.inputs.norm(matrix)
        return float(array_namespace(matrix).linalg.vector_norm(matrix))

    def overflows(self) -> bool:
        """Whether the product has entries that are no numbers."""
        if self.exponent <= 0:
            return False
        xp = array_namespace(self.product)
        return not bool(xp.all(xp.isfinite(self.product)))

    def misses_about(self) -> float:
        """About the relative error, from the splits where they tell."""
        if self.kept == 0:
            return self.relative_error
        lost = math.hypot(*np.ldexp([*self.discarded, self.outside], -self.exponent))
        return lost / math.hypot(lost, self.kept)

    def misses_at_most(self, share: float) -> bool:
        """Whether the splits alone tell that the relative error is at most a share.

        They do with orthonormalization: every split then projects the product, so that the energy
        of the matrix is that of the product and of all that was discarded.
        """
        lost = np.ldexp([*self.discarded, self.outside], -self.exponent)
        norm = math.hypot(*lost, self.kept)
        return self.kept > 0 and norm < math.inf and bool(np.sum(lost) <= share * norm)

    def is_as_good_as_exact(self) -> bool:
        """Whether the relative error is below the root of the precision."""
        share = math.sqrt(array_namespace(self.matrix).finfo(self.matrix.dtype).eps)
        return self.misses_at_most(share) or (self.kept == 0 and self.relative_error <= share)


class Options(NamedTuple):
    """How a matrix is split along its chain."""

    order: str | Sequence[int] = "balanced"
    orthonormalize: bool = True
    permutation: Permutation = "auto"
    inputs: Any = None  # samples on which errors count
    entries: bool = True  # whether some may be added to a product
    random_state: Any = None  # of the search for a permutation
    on_split: Callable[[int, float], Any] | None = None  # (split, norm discarded)
    on_attempt: Callable[[int, float], Any] | None = None  # (of the search, relative error)

    @property
    def wanted(self) -> Wanted:
        """What plans depend on."""
        return Wanted(self.permutation, self.order, self.random_state, self.on_attempt)


def butterfly_factorize(
    A: Any,
    supports: str | Callable[[int, int], Chain] | Chain = "butterfly",
    *,
    rank: int | None = None,
    tol: float | None = None,
    max_density: float | None = None,
    order: str | Sequence[int] = "balanced",
    orthonormalize: bool = True,
    permutation: Permutation = "auto",
    inputs: Any = None,
    random_state: Any = None,
    return_errors: bool = False,
) -> Any:
    r"""Approximate a matrix by a product of Kronecker-sparse factors.

    Finds ``A ~ factors[0] @ ... @ factors[-1]`` whose factors have the supports of a chain, by
    successive splits in two, each a batch of best rank-r approximations. A matrix that is such a
    product is recovered to rounding. For any other one, with `orthonormalize` and :math:`\delta_l`
    the norm discarded by split l,

    .. math:: \|A - \hat A\|_F \le \sum_l \delta_l \le (L - 1) \min \|A - S_1 \cdots S_L\|_F

    and :math:`\|A - \hat A\|_F^2 = \sum_l \delta_l^2` where the splits go from one end to the
    other.

    Parameters
    ----------
    A : array-like of shape (n_out, n_in)
        Real or complex matrix, from any array library; integers become float64.
    supports : str, callable or Chain, default="butterfly"
        Family of supports by name ("butterfly", "monarch", "low-rank", "dense"), a callable
        ``(n_out, n_in) -> Chain``, or a chain. A chain larger than `A` pads it with zeros. "auto"
        looks for the chain, its ranks and the permutation: with `tol` the fewest numbers, with
        `max_density`, 1/4 unless given, the least error, and never a larger one than that of low
        rank with as many numbers. "low-rank+sparse" and others with "+sparse" add a few entries
        to the product, each counted as two numbers, within `max_density`, or take one of both
        alone where that misses less; "auto" does so beside low rank, or takes entries alone, where
        that misses less than 95 % of what the product does, or reaches `tol` with less than 95 % of
        the numbers (NumPy arrays only).
    rank : int, default=None
        Rank of the blocks of a named family; None is 1. A Chain or a callable has its own ranks.
    tol : float, default=None
        Take the smallest rank whose relative error in Frobenius norm is at most `tol` (named
        families only, instead of `rank`).
    max_density : float, default=None
        Take the largest rank with which the factors have at most so many numbers, as a share of
        the entries of `A` (named families only, instead of `rank` and `tol`).
    order : {"balanced", "left-to-right", "right-to-left"} or sequence of int, default="balanced"
        Order of the splits 1 .. L - 1; split s parts the first s factors from the others.
    orthonormalize : bool, default=True
        Make the other parts orthonormal before each split, which the guarantee above needs.
    permutation : str, (rows, cols) or None, default="auto"
        Factor ``A[rows][:, cols]`` instead; the operator still approximates `A`. "columns", "rows"
        and "both" reverse the digits of their index in the chain's radices ("digit-reversal" is
        "columns", which makes a DFT exact). "auto" takes the matrix as it is if that is exact;
        otherwise it tries the one of these under which some blocks are closest to `rank`, for a
        named family also with a chain that fits a part of a DFT, and takes it if that is clearly
        closer. "cluster" also tries orders in which rows, and columns, that are alike are
        neighbours. "search" looks for an unknown order of both sides, for a chain of rank one
        without padding, and warns where it finds none. None permutes nothing; so may `rows` or
        `cols` be. They may count the rows and columns of padding, too.
    inputs : array-like of shape (n_samples, n_in), default=None
        Samples x of what the operator will be applied to: the error is that of the outputs A x over
        all of them, in place of that of the entries. The better of the factors of `A` and of
        `A` weighted by the inputs (the Cholesky factor of their Gram matrix, in the blocks of the
        last factor, plus a hundredth of its mean diagonal) is taken; low rank is the best there
        is (reduced rank regression). "auto" adds entries as without inputs, where they miss less.
        Subtract the mean where the operator will be applied to centred samples.
    random_state : int, RandomState instance or None, default=None
        Which rows "search" looks at where a first round, without chance, does not succeed.
    return_errors : bool, default=False
        Also return what the splits discarded.

    Returns
    -------
    operator : FactorizedOperator or OperatorSum of shape (n_out, n_in)
        The product, or its sum with entries, in the array library of `A`.
    errors : ndarray of shape (n_factors - 1,)
        Frobenius norm discarded by each split from the part that it split, in chain order (only
        with `return_errors`). With `orthonormalize` at most :func:`split_errors`; always equal to
        it, but for entries that the product support does not cover, at the split made first.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `A` is sparse or not numeric.
    ValueError
        If `A` is not 2-D, is empty, or has NaN or infinite entries; if the chain is smaller than
        `A`; if `rank`, `tol` or `max_density` come with supports that carry their own ranks, or
        together; if nothing is as small as `max_density`.

    See Also
    --------
    ButterflyFactorizer : The same as a scikit-learn transformer.
    split_errors : The two-factor error of the matrix itself at each split.

    References
    ----------
    .. [1] Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly factorization with error
       guarantees", arXiv:2411.04506.
    .. [2] L. Zheng, E. Riccietti, R. Gribonval, "Efficient identification of butterfly sparse
       matrix factorizations", arXiv:2110.01230.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.linalg import hadamard
    >>> from skfact.butterfly import butterfly_factorize
    >>> H = hadamard(64)
    >>> op = butterfly_factorize(H)
    >>> len(op.factors), op.nnz, H.size
    (6, 768, 4096)
    >>> bool(np.allclose(op.toarray(), H))
    True
    >>> F = np.fft.fft(np.eye(12))
    >>> op = butterfly_factorize(F)
    >>> bool(np.allclose(op.toarray(), F))
    True
    >>> op = butterfly_factorize(F, "auto", tol=1e-6)
    >>> op.nnz
    84
    """
    check_flag(return_errors, "return_errors")
    A = detached(check_matrix(A, "A"))
    asked: dict[str, Any] = {
        "supports": supports,
        "rank": rank,
        "tol": tol,
        "max_density": max_density,
        "order": order,
        "orthonormalize": orthonormalize,
        "permutation": permutation,
        "inputs": inputs,
        "random_state": random_state,
    }
    try:
        result = factorize(A, **asked)
        warn_of_use(result, asked, factorize)
    except (MemoryError, RuntimeError) as error:
        advise_if_full(error, f"factors of a matrix of shape {tuple(A.shape)}")
        raise
    return (result.operator, result.discarded) if return_errors else result.operator


def factorize(
    A: Any,
    supports: Any = "butterfly",
    *,
    rank: int | None = None,
    tol: float | None = None,
    max_density: float | None = None,
    plan: Plan | None = None,
    **how: Any,
) -> Factorization:
    """`butterfly_factorize` of a checked matrix, with all it found out; `how` are `Options`.

    A `plan`, of an earlier result, is followed without a look at others.
    """
    options = Options(**how)
    check_flag(options.orthonormalize, "orthonormalize")
    check_permutation(options.permutation)
    check_bounds(supports, rank, tol, max_density)
    if options.inputs is not None:
        return _factorize_on_inputs(A, supports, (rank, tol, max_density), options)
    if isinstance(supports, str) and supports == "auto":
        if plan is not None:
            return _factorize_plan(A, plan, None, options)
        return _factorize_best(A, tol, max_density, options)
    if family_of_sum(supports) is not None:
        if not options.entries:
            raise ValueError(
                f"supports={supports!r} has entries beside the product, which a row space of "
                f"factors has not: pass {family_of_sum(supports)!r}, or criterion='matrix' and no "
                "n_components."
            )
        return _factorize_sum(A, supports, max_density, plan, options)
    budget = math.inf
    if max_density is not None:
        budget = numbers_within(max_density, A.shape)
        rank = largest_rank(supports, A.shape, budget, max_density)
    auto = plan is None and options.permutation in CHOSEN
    others: Callable[[], list[Plan]] = list
    if plan is None:
        plan, others = plans_for(A, supports, rank, budget, options.wanted)
    if tol is not None:
        return _within(A, float(tol), plan, others, options)
    found = _factorize_plan(A, plan, rank, options)
    if auto and len(found.chain) > 1 and not found.is_as_good_as_exact():
        return _closest(found, others(), rank, options)
    return found


def _factorize_plan(A: Any, plan: Plan, rank: int | None, options: Options) -> Factorization:
    """Factor a matrix of any magnitude, in one pass where it is ordinary."""
    chain = plan.chain(rank=rank)
    if _first_split_reads_all(chain):
        with suppress(OutOfScaleError):
            return _factorize_scaled(A, None, plan, chain, options)
    exponent = binary_exponent(A)
    return _factorize_scaled(times_power_of_two(A, -exponent), exponent, plan, chain, options)


def _factorize_best(
    A: Any, tol: float | None, max_density: float | None, options: Options
) -> Factorization:
    """The chain and the permutation of least error, or with the fewest numbers."""
    check_auto(options.permutation, options.order)
    exponent = binary_exponent(A)
    scaled = times_power_of_two(A, -exponent)

    def factor(structure: Structure) -> Factorization:
        plan = fixed_plan(structure.chain, structure.permutation)
        return _factorize_scaled(scaled, exponent, plan, structure.chain, options)

    low_rank = partial(low_rank_within, options=options)
    exact = 100 * float(array_namespace(A).finfo(A.dtype).eps)
    if tol is not None:
        search = StructureSearch(scaled, math.prod(A.shape) - 1)
        found = fewest_numbers(search, float(tol), factor, exact)
        if not options.entries:
            return found
        return entries_within(scaled, exponent, max(float(tol), exact), found, low_rank)
    budget = auto_budget(max_density, A.shape)
    found = least_error(StructureSearch(scaled, budget), budget, factor, exact)
    if not options.entries:
        return found
    return entries_beside_low_rank(scaled, exponent, budget, found, low_rank)


def low_rank_within(B: Any, numbers: int, plan: Plan | None, options: Options) -> Factorization:
    """Low rank with at most so many numbers, and the exponent zero."""
    m, n = B.shape
    chain = Chain.low_rank(m, n, min(numbers // (m + n), m, n))
    return at_its_scale(_factorize_plan(B, fixed_plan(chain, None), None, options))


def _factorize_on_inputs(
    A: Any, supports: Any, bounds: tuple[int | None, Any, Any], options: Options
) -> Factorization:
    """The factorization of least error of the outputs for some inputs."""
    rank, tol, max_density = bounds
    check_inputs(supports, tol)
    exponent = binary_exponent(A)
    scaled = times_power_of_two(A, -exponent)
    inputs = Inputs(options.inputs, scaled)

    def factor(B: Any, plan: Plan, chain: Chain) -> Factorization:
        return _factorize_scaled(B, exponent, plan, chain, options)

    def best(rank: int | None) -> Factorization:
        ways = [both_ways(scaled, inputs, plan, plan.chain(rank=rank), factor) for plan in plans]
        return closest([result for both in ways for result in both])

    if supports_are(supports, "auto"):
        check_auto(options.permutation, options.order)
        budget = auto_budget(max_density, A.shape)
        plain = StructureSearch(scaled, min(budget, math.prod(A.shape) - 1))
        found = least_output_error(OutputSearch(scaled, inputs), plain, budget, factor)
        if not options.entries:
            return found
        low_rank = partial(low_rank_within, options=options)
        return entries_on_inputs(scaled, exponent, budget, found, low_rank)
    most = math.inf
    if max_density is not None:
        most = numbers_within(max_density, A.shape)
        rank = largest_rank(supports, A.shape, int(most), max_density)
    first, others = plans_for(A, supports, rank, most, options.wanted)
    plans = [first, *others()]
    return best(rank) if tol is None else least_within(float(tol), best)


def least_within(tol: float, best: Callable[[int], Any]) -> Any:
    """The result of the least rank found whose relative error is at most `tol`: bisection."""
    low, high = 0, 1
    found = best(high)
    while found.relative_error > tol and len(found.chain) > 1:
        low, high = high, 2 * high
        found = best(high)
    while high - low > 1:
        middle = (low + high) // 2
        result = best(middle)
        if result.relative_error <= tol:
            found, high = result, middle
        else:
            low = middle
    return found


def _factorize_sum(
    A: Any, supports: str, max_density: float | None, plan: Plan | None, options: Options
) -> Factorization:
    """A product of a family, and entries."""
    family = check_sum(A, supports, max_density)
    least, budget = least_numbers(family, A.shape, max_density)
    exponent = binary_exponent(A)
    fixed = plan

    def factor(B: Any, numbers: int, plan: Plan | None) -> Factorization:
        rank, plan = largest_rank(family, B.shape, numbers), plan or fixed
        if plan is None and options.permutation not in CHOSEN:  # searches are for rank one
            plan, _ = plans_for(B, family, None, math.inf, options.wanted)
        if plan is not None:
            return at_its_scale(_factorize_plan(B, plan, rank, options))
        density = numbers / math.prod(B.shape)
        how = options._asdict() | {"max_density": density}
        return at_its_scale(factorize(B, family, **how))

    scaled = times_power_of_two(A, -exponent)
    if family == "low-rank":
        found = low_rank_sum(scaled, exponent, budget, partial(low_rank_within, options=options))
        assert found is not None  # any error is near enough
        return found
    return factorize_sum(scaled, exponent, budget, factor, least)


def _closest(
    first: Factorization, others: list[Plan], rank: int | None, options: Options
) -> Factorization:
    """The first factorization, or that of another plan where it is worth it."""
    A, best = first.matrix, first
    plain, *promised = promises(A, [first.plan, *others], rank) if others else [0.0]
    for _, some in groupby(zip(promised, others, strict=True), lambda pair: pair[1].share):
        least, plan = min(some, key=itemgetter(0))
        reordered = plan.share == REORDERED and least < REORDERED * plain
        # what clusters promise is told from all blocks, and no chain misses less
        most = plan.share if plan.share == CLUSTERED else 0.5
        if not reordered and least > most * best.misses_about():
            continue
        other = _factorize_scaled(A, first.exponent, plan, plan.chain(rank=rank), options)
        # each split discards at most the error, and all of them together at least
        sure = options.orthonormalize and bool(
            np.sum(other.discarded) <= plan.share * np.max(best.discarded) < math.inf
        )
        if sure or other.error <= plan.share * best.error:
            best = other
    return best


def _within(
    A: Any, tol: float, plan: Plan, others: Callable[[], list[Plan]], options: Options
) -> Factorization:
    """The result of the least rank whose relative error is at most `tol`.

    Of the other plans the one that may do with the fewest numbers is tried, too.
    """
    exponent = binary_exponent(A)
    scaled = times_power_of_two(A, -exponent)
    target = tol * float(array_namespace(A).linalg.vector_norm(scaled))

    def least(plan: Plan) -> int:
        return least_rank(scaled, plan.chain(rank=1), plan.permutation, target)

    def numbers(place: int) -> int:
        return tried[place].chain(rank=ranks[place]).nnz

    tried, ranks = [plan], [least(plan)]
    if ranks[0] > 1:
        tried += others()
        ranks += map(least, tried[1:])
        # of each chain the permutation that may do with the fewest numbers, the plain one first
        places = groupby(range(len(tried)), lambda place: tried[place].share)
        kept = [min(some, key=numbers) for _, some in places]
        tried, ranks = [tried[i] for i in kept], [ranks[i] for i in kept]
    while True:
        place = min(range(len(tried)), key=numbers)
        chain = tried[place].chain(rank=ranks[place])
        chosen = tried[place] if len(chain) > 1 else plan  # dense in any order
        result = _factorize_scaled(scaled, exponent, chosen, chain, options)
        if result.error <= target or len(chain) == 1:
            return result
        ranks[place] += 1


def at_its_scale(found: Factorization) -> Factorization:
    """The same with the exponent zero."""
    shift = found.exponent
    if shift == 0:
        return found
    matrix, kept = times_power_of_two(found.matrix, shift), math.ldexp(found.kept, shift)
    return replace(found, matrix=matrix, unit=found.operator, exponent=0, kept=kept)


def factor_plan(A: Any, plan: Plan, chain: Chain) -> Factorization:
    """Factor a matrix of ordinary magnitude along a chain."""
    return _factorize_scaled(A, 0, plan, chain, Options())


def _factorize_scaled(
    A: Any, exponent: int | None, plan: Plan, chain: Chain, options: Options
) -> Factorization:
    """Factor a matrix of ordinary magnitude; the factors are those of A * 2**exponent.

    None says that nobody has looked at the magnitude of A: OutOfScaleError if it is not ordinary.
    """
    order = options.order
    if not isinstance(order, str):
        order = tuple(splits_in_order(order, len(chain)))
    course = _course(chain, order)
    arranged = arrange(A, chain, plan.permutation, checked=exponent is not None)
    values, outside = values_on_support(arranged, course.product)
    exponent = exponent or 0
    groups, splits = course.groups, course.splits

    def report(split: int, norm: float) -> None:
        if options.on_split is not None:
            options.on_split(groups[split][0], unscaled_number(norm, exponent))

    parts, discarded = hierarchical_factorization(
        values, course.merged, splits, orthonormalize=options.orthonormalize, on_split=report
    )
    factors = _factors(parts, chain, groups)
    told = options.orthonormalize and splits
    errors = np.zeros(len(chain) - 1)
    for split, norm in discarded.items():
        errors[groups[split][0] - 1] = norm
    return Factorization(
        matrix=A,
        unit=FactorizedOperator(_between_selections(factors, arranged, A.shape)),
        exponent=exponent,
        plan=plan,
        chain=chain,
        discarded=unscaled(errors, exponent) if exponent else errors,
        outside=unscaled_number(outside, exponent) if exponent else outside,
        in_order=course.in_order,
        # the last split leaves the magnitudes to the factor right of it
        kept=math.sqrt(norm2(parts[splits[-1]])) if told else 0.0,
    )


def _factors(
    parts: Sequence[Any], chain: Chain, groups: Sequence[tuple[int, int]]
) -> list[KroneckerFactor]:
    """A factor for each pattern, from the parts that stand for groups of them."""
    values: list[Any] = []
    for part, (start, stop) in zip(parts, groups, strict=True):
        part = part.values() if isinstance(part, Arranged) else part
        values += [part] if stop == start + 1 else expand_redundant(part, chain[start:stop])
    return [
        _factor(value, pattern, new=len(chain) > 1)
        for value, pattern in zip(values, chain, strict=True)
    ]


def _between_selections(factors: Sequence[Any], arranged: Arranged, shape: Any) -> list[Any]:
    """The factors, with what undoes the permutation and the padding at either end."""
    pieces = list(factors)
    if arranged.rows is not None:
        (kept,) = np.nonzero(arranged.rows >= 0)
        where = np.empty(shape[0], dtype=np.intp)
        where[arranged.rows[kept]] = kept
        pieces.insert(0, PartialPermutation(where, len(arranged.rows)))
    if arranged.cols is not None:
        pieces.append(PartialPermutation(arranged.cols, shape[1]))
    return pieces


def rescaled(operator: Any, exponent: int) -> Any:
    """operator * 2**exponent, shared among the factors; the operator itself for the exponent 0."""
    if exponent == 0:
        return operator
    if isinstance(operator, OperatorSum):
        return OperatorSum([rescaled(term, exponent) for term in operator.terms])
    factors = list(operator.factors)
    valued = [i for i, factor in enumerate(factors) if not isinstance(factor, PartialPermutation)]
    for i, share in zip(valued, equal_shares(exponent, len(valued))):
        if isinstance(factors[i], SparseFactor):
            csr = factors[i].csr.copy()
            csr.data = times_power_of_two(csr.data, share)
            factors[i] = SparseFactor(csr)
            continue
        values = times_power_of_two(factors[i].values, share)
        factors[i] = KroneckerFactor(values, factors[i].pattern)
    return FactorizedOperator(factors)


def _factor(values: Any, pattern: KroneckerSparse, new: bool) -> KroneckerFactor:
    """A factor around the values: new ones, which nobody else has, need no copy."""
    if new and isinstance(values, np.ndarray) and values.flags.c_contiguous:
        return KroneckerFactor._wrap(values, pattern)
    return KroneckerFactor(values, pattern)


class _Course(NamedTuple):
    """How a chain is split: its redundant neighbours together, as one pattern."""

    merged: Chain
    groups: tuple[tuple[int, int], ...]  # pattern i stands for those from .. to .. of the chain
    splits: tuple[int, ...]  # of the merged chain
    in_order: bool  # from one end to the other
    product: KroneckerSparse


@lru_cache(maxsize=64)
def _course(chain: Chain, order: str | tuple[int, ...]) -> _Course:
    merged, groups = chain.merge_redundant()
    position = {start: i for i, (start, _) in enumerate(groups)}
    in_order = splits_in_order(order, len(chain))
    splits = tuple(position[split] for split in in_order if split in position)
    ends = sorted(splits), sorted(splits, reverse=True)
    return _Course(merged, groups, splits, list(splits) in ends, chain.product)


@lru_cache(maxsize=64)
def _first_split_reads_all(chain: Chain) -> bool:
    """Whether there is a split and the support of the product has no zeros."""
    product = chain.product
    return product.a == product.d == 1 and len(chain.merge_redundant()[0]) > 1
