"""A word where a factorization is of no use, and what would be."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skfact._linalg import count_nonzero, is_complex
from skfact._warn import low_rank_error, warn, warn_if_useless
from skfact.butterfly._permutations import hint_of_orders
from skfact.butterfly._permutations import noise_error as noise_of_orders
from skfact.butterfly._rank_search import supports_are
from skfact.butterfly._structure.nodes import dimensions
from skfact.butterfly._structure.noise import noise_entries_error, noise_error
from skfact.butterfly._sum import family_of_sum
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, resolve_supports

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization
    from skfact.butterfly._subspace.row_space import SpanFactorization

TRIED = 2**18  # entries of a matrix up to which it is factored again to see what would help
BETTER = 0.9  # share of the error up to which another structure is worth its name
MEAN = 0.5  # share of the energy of inputs from which on their mean decides
AUTO: dict[str, Any] = {"permutation": "auto"}


def warn_of_use(
    result: Factorization,
    asked: Mapping[str, Any],
    factorize: Callable[..., Factorization],
    who: str = "",
    also: str = "",
    *,
    judged: bool = True,
) -> None:
    """Warn if factors miss their matrix, save nothing or are too large to be multiplied.

    `asked` are the keywords of `factorize` that gave the result; `who` is the estimator that warns,
    `also` what it knows to try where they miss. If not `judged`, what they miss is no matter.
    """
    if result.overflows():
        warn(
            f"Entries of the product of the factors exceed the largest "
            f"number of {result.matrix.dtype}, which those of the matrix come close to: divide the "
            "matrix by a power of two.",
            who=who,
        )
    if result.seen is not None and result.seen.inputs.mean_share > MEAN:
        share = result.seen.inputs.mean_share
        warn(
            f"{share:.0%} of the energy of the inputs is in their mean, which the factors are "
            "fitted to in the first place: pass inputs - mean, and add A @ mean to the offset of "
            "what the operator stands for (operator @ (x - mean) + A @ mean), or use "
            "ButterflyFactorizer(operator=A, criterion='output'), which does both.",
            StructureWarning,
            who,
        )
    if asked["permutation"] in ("cluster", "search"):  # found once is enough
        asked = {**asked, "permutation": result.plan.permutation}
    if not result.plan.found:
        warn(_not_found(result), StructureWarning, who)
        return
    if not result.plan.agreed:
        warn(
            "permutation='search' found an order that leaves a relative error of "
            f"{result.relative_error:.3g}, but no two attempts came to the same error: there may "
            "be a better one. Another random_state looks at other rows.",
            StructureWarning,
            who,
        )
    supports, tol_given = asked["supports"], asked["tol"] is not None or not judged
    if len(result.chain) == 1 and (supports == "dense" or isinstance(supports, Chain)):
        return  # as asked
    error = 0.0 if tol_given or result.misses_at_most(0.5) else result.relative_error

    def advice() -> str:
        if error > 0.5:
            return _closer(result, asked, factorize) + also
        return _fewer_numbers(result.matrix, asked, factorize)

    warn_if_useless(
        result.matrix,
        error,
        result.numbers,
        advice,
        tol_given=tol_given,
        who=who,
        seen=None if result.seen is None else result.seen.inputs.image(result.matrix),
    )


def warn_of_span(result: SpanFactorization, rows: Any, supports: Any, who: str) -> None:
    """Warn if a row space holds no more of the rows than one without structure of as many numbers.

    Or if it cannot have as many dimensions as were asked for, or the rows span everything, so that
    there is no row space to choose.
    """
    m, n = result.matrix.shape
    as_many, kept = result.unit.nnz // n, result.share
    if len(result.chain) == 1 and supports_are(supports, "dense"):
        return
    if m >= n and kept > 1 - 1e-12:
        warn(
            f"A row space of {m} dimensions for {n} columns is the whole space, which that of "
            "nearly any map is, too: there is nothing to choose. Take fewer components, or "
            "criterion='matrix'.",
            StructureWarning,
            who,
        )
        return
    most, parts = dimensions(result.chain), []
    if most < min(m, n):
        parts.append(
            f"Products of these factors have rank {most} at most, so that {m - most} of {m} "
            "components are made of the others: allow more numbers (max_density, rank), or ask "
            f"for {most} components."
        )
    plain = 1 - low_rank_error(rows, as_many) ** 2 if 0 < as_many < m else 0.0
    if plain > kept + 1e-12:
        parts.append(
            f"The {result.unit.nnz} numbers in the factors keep {kept:.3g} of the energy of the "
            f"rows, {as_many} dense directions with as many numbers (PCA, SVD) {plain:.3g}: take "
            "these, or other supports, or a larger rank."
        )
    if parts:
        warn(" ".join(parts), StructureWarning, who)


def _not_found(result: Factorization) -> str:
    m, n = result.matrix.shape
    chain = result.chain.merge_redundant()[0]
    if max(chain.ranks, default=0) == 1 and result.n_entries == 0:
        beside = f", pure noise about {noise_of_orders(chain):.3g}"
    else:  # what noise leaves is known of rank one
        beside = f" with {result.numbers} numbers for its {m * n}"
    return (
        "permutation='search' found no order in which these supports, of rank one, fit the "
        f"{m} x {n} matrix: what it took leaves a relative error of {result.relative_error:.3g}"
        f"{beside}. Try other supports or permutation='cluster'."
    )


def _closer(
    result: Factorization, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What reaches a smaller error, tried out where that is a fraction of a second."""
    A, rank = result.matrix, asked["rank"] or max(result.chain.ranks, default=1)
    if asked["supports"] == "auto":
        noise = noise_error(A.shape, result.numbers)
        if result.n_entries:
            share = result.numbers / (2 * A.shape[0] * A.shape[1])
            noise = min(noise, noise_entries_error(share, is_complex=is_complex(A)))
        return (
            f"As many numbers leave about {noise:.2g} of noise of this shape. structure_report(A) "
            "says what other budgets reach; keep a matrix without structure dense."
            f"{hint_of_orders(A.shape)}"
        )
    if A.shape[0] * A.shape[1] > TRIED:
        order = "" if asked["permutation"] == "auto" else "permutation='auto', "
        return f"Try {order}a larger rank, or other supports; structure_report(A) looks for some."
    better = _best_structure(result, asked, factorize)
    return better + _other_options(result, asked, rank, factorize)


def _best_structure(
    result: Factorization, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What supports="auto" reaches with as many numbers, if it is clearly better."""
    m, n = result.matrix.shape
    share = math.ceil(1000 * result.numbers / (m * n)) / 1000
    if not m + n <= result.numbers <= share * m * n < m * n:
        return ""
    change = {"supports": "auto", "max_density": share}
    found = factorize(result.matrix, **change, inputs=asked["inputs"])
    if found.relative_error > BETTER * result.relative_error:
        return ""
    return f"{_words(change, found)}. "


def _other_options(
    result: Factorization,
    asked: Mapping[str, Any],
    rank: int,
    factorize: Callable[..., Factorization],
) -> str:
    """What another rank, family or permutation reaches."""
    A = result.matrix
    if asked["permutation"] is None:
        for reversal in (AUTO, {**AUTO, "rank": 4 * rank}):
            found = _tried(A, asked, reversal, factorize)
            if found is not None and found.relative_error <= result.relative_error / 2:
                return f"{_words(reversal, found)}."
    if not isinstance(asked["supports"], str) or family_of_sum(asked["supports"]) is not None:
        return "Try supports with more non-zeros."
    tried, least = [], 1.0
    monarch = {"supports": "monarch", **({"rank": 1} if rank > 1 else {})}
    changes: list[dict[str, Any]] = [{"rank": 2 * rank}, {"rank": 4 * rank}, monarch]
    for change in changes:
        found = _tried(A, asked, change, factorize)
        if found is not None:
            tried.append(_words(change, found))
            least = min(least, found.relative_error)
    chosen = isinstance(asked["permutation"], str) and asked["permutation"] == "auto"
    orders = hint_of_orders(A.shape) if least > 0.5 and chosen else ""
    return f"{', '.join(tried) or 'No larger rank saves numbers: try other supports'}.{orders}"


def _tried(
    A: Any,
    asked: Mapping[str, Any],
    change: Mapping[str, Any],
    factorize: Callable[..., Factorization],
) -> Factorization | None:
    """The result with a change, if it is one, can be made and takes fewer numbers than A has."""
    if all(asked[name] == value for name, value in change.items()):
        return None
    if change.keys() & {"rank", "supports"}:
        asked = {**asked, "max_density": None}
    if not isinstance(asked["supports"], str):
        if "rank" in change or "supports" in change:
            return None
    elif asked["tol"] is None and family_of_sum(asked["supports"]) is None:
        wanted = {**asked, **change}
        chain = resolve_supports(wanted["supports"], *A.shape, rank=wanted["rank"])
        if chain.nnz >= count_nonzero(A):
            return None
    order = {} if change.keys() == AUTO.keys() else {"order": "balanced"}  # other factors
    try:
        return factorize(A, **{**asked, **change, **order})
    except ValueError:  # the chain may have no digits to reverse
        return None


def _words(change: Mapping[str, Any], found: Factorization) -> str:
    """What was changed, and what came of it."""
    options = ", ".join(f"{name}={value!r}" for name, value in change.items())
    return f"{options} reaches {found.relative_error:.3g} with {found.numbers} numbers"


def _fewer_numbers(
    A: Any, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What takes fewer numbers than the matrix has."""
    if asked["permutation"] is None and A.shape[0] * A.shape[1] <= TRIED:
        found = _tried(A, asked, AUTO, factorize)
        if found is not None and found.numbers < count_nonzero(A) and found.relative_error <= 0.5:
            return f"{_words(AUTO, found)}."
    supports = asked["supports"]
    if supports == "auto":
        return (
            "No structure was found that saves numbers: keep the matrix, or allow a larger error."
        )
    if not isinstance(supports, str) or family_of_sum(supports) is not None:
        return "Try supports with fewer non-zeros, or keep the matrix as a sparse one."
    n_needed = count_nonzero(A)
    saving = ""
    for rank in (2**i for i in range(min(A.shape).bit_length())):
        numbers = resolve_supports(supports, *A.shape, rank=rank).nnz
        if numbers < n_needed:
            saving = f"rank={rank} takes {numbers} numbers."
    return saving or f"No rank of supports={supports!r} saves numbers: keep the matrix."
