"""A word where a factorization is of no use, and what would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from skfact._linalg import count_nonzero
from skfact._warn import warn, warn_if_useless
from skfact.butterfly._permutations import noise_error
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, resolve_supports

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization

TRIED = 2**18  # entries of a matrix up to which it is factored again to see what would help
AUTO: dict[str, Any] = {"permutation": "auto"}


def warn_of_use(
    result: Factorization,
    asked: Mapping[str, Any],
    factorize: Callable[..., Factorization],
    who: str = "",
    also: str = "",
) -> None:
    """Warn if factors miss their matrix, save nothing or are too large to be multiplied.

    `asked` are the keywords of `factorize` that gave the result; `who` is the estimator that warns,
    `also` what it knows to try where they miss.
    """
    if result.overflows():
        warn(
            f"Entries of the product of the factors exceed the largest "
            f"number of {result.matrix.dtype}, which those of the matrix come close to: divide the "
            "matrix by a power of two.",
            who=who,
        )
    if asked["permutation"] in ("cluster", "search"):  # found once is enough
        asked = {**asked, "permutation": result.plan.permutation}
    if not result.plan.found:
        warn(_not_found(result), StructureWarning, who)
        return
    supports, tol_given = asked["supports"], asked["tol"] is not None
    if len(result.chain) == 1 and (supports == "dense" or isinstance(supports, Chain)):
        return  # as asked
    error = 0.0 if tol_given or result.misses_at_most(0.5) else result.relative_error

    def advice() -> str:
        if error > 0.5:
            return _closer(result, asked, factorize) + also
        return _fewer_numbers(result.matrix, asked, factorize)

    n_numbers = result.unit.nnz
    warn_if_useless(result.matrix, error, n_numbers, advice, tol_given=tol_given, who=who)


def _not_found(result: Factorization) -> str:
    m, n = result.matrix.shape
    noise = noise_error(result.chain.merge_redundant()[0])
    return (
        f"permutation='search' found no order in which these supports fit the {m} x {n} matrix: "
        f"the best leaves a relative error of {result.relative_error:.3g}, pure noise about "
        f"{noise:.3g}. Try other supports or permutation='cluster'."
    )


def _closer(
    result: Factorization, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What reaches a smaller error, tried out where that is a fraction of a second."""
    A, rank = result.matrix, asked["rank"] or 1
    if A.shape[0] * A.shape[1] > TRIED:
        order = "" if asked["permutation"] == "auto" else "permutation='auto', "
        return f"Try {order}a larger rank, or other supports."
    if asked["permutation"] is None:
        for reversal in (AUTO, {**AUTO, "rank": 4 * rank}):
            found = _tried(A, asked, reversal, factorize)
            if found is not None and found.relative_error <= result.relative_error / 2:
                return f"{_words(reversal, found)}."
    if not isinstance(asked["supports"], str):
        return "Try supports with more non-zeros."
    tried = []
    monarch = {"supports": "monarch", **({"rank": 1} if rank > 1 else {})}
    changes: list[dict[str, Any]] = [{"rank": 2 * rank}, {"rank": 4 * rank}, monarch]
    for change in changes:
        found = _tried(A, asked, change, factorize)
        if found is not None:
            tried.append(_words(change, found))
    return f"{', '.join(tried) or 'No larger rank saves numbers: try other supports'}."


def _tried(
    A: Any,
    asked: Mapping[str, Any],
    change: Mapping[str, Any],
    factorize: Callable[..., Factorization],
) -> Factorization | None:
    """The result with a change, if it is one, can be made and takes fewer numbers than A has."""
    if all(asked[name] == value for name, value in change.items()):
        return None
    if not isinstance(asked["supports"], str):
        if "rank" in change or "supports" in change:
            return None
    elif asked["tol"] is None:
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
    return f"{options} reaches {found.relative_error:.3g} with {found.unit.nnz} numbers"


def _fewer_numbers(
    A: Any, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What takes fewer numbers than the matrix has."""
    if asked["permutation"] is None and A.shape[0] * A.shape[1] <= TRIED:
        found = _tried(A, asked, AUTO, factorize)
        if found is not None and found.unit.nnz < count_nonzero(A) and found.relative_error <= 0.5:
            return f"{_words(AUTO, found)}."
    supports = asked["supports"]
    if not isinstance(supports, str):
        return "Try supports with fewer non-zeros."
    n_needed = count_nonzero(A)
    saving = ""
    for rank in (2**i for i in range(min(A.shape).bit_length())):
        numbers = resolve_supports(supports, *A.shape, rank=rank).nnz
        if numbers < n_needed:
            saving = f"rank={rank} takes {numbers} numbers."
    return saving or f"No rank of supports={supports!r} saves numbers: keep the matrix."
