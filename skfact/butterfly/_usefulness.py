"""A word where a factorization is of no use, and what would be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from skfact._backend import array_namespace
from skfact._warn import warn, warn_if_useless
from skfact.supports import Chain, resolve_supports

if TYPE_CHECKING:
    from skfact.butterfly._factorize import Factorization

TRIED = 2**20  # entries of a matrix up to which it is factored again to see what would help


def warn_of_use(
    result: Factorization,
    asked: Mapping[str, Any],
    factorize: Callable[..., Factorization],
    who: str = "",
) -> None:
    """Warn if factors miss their matrix, save nothing or are too large to be multiplied.

    `asked` are the keywords of `factorize` that gave the result; `who` is the estimator that warns.
    """
    if result.overflows():
        warn(
            f"{who}{': ' if who else ''}Entries of the product of the factors exceed the largest "
            f"number of {result.matrix.dtype}, which those of the matrix come close to: divide the "
            "matrix by a power of two."
        )
    supports, tol_given = asked["supports"], asked["tol"] is not None
    if len(result.chain) == 1 and (supports == "dense" or isinstance(supports, Chain)):
        return  # as asked
    error = 0.0 if tol_given or result.misses_at_most_half() else result.relative_error

    def advice() -> str:
        if error > 0.5:
            return _closer(result, asked, factorize)
        return _fewer_numbers(result.matrix, asked)

    n_numbers = result.unit.nnz
    warn_if_useless(result.matrix, error, n_numbers, advice, tol_given=tol_given, who=who)


def _closer(
    result: Factorization, asked: Mapping[str, Any], factorize: Callable[..., Factorization]
) -> str:
    """What reaches a smaller error, tried out where that is a matter of a second."""

    supports, rank = asked["supports"], asked["rank"] or 1
    if result.matrix.shape[0] * result.matrix.shape[1] > TRIED:
        return "Try permutation='digit-reversal', a larger rank, or other supports."

    def error(**change: Any) -> float:
        return factorize(result.matrix, **{**asked, **change}).relative_error

    if asked["permutation"] is None:
        with suppress(ValueError):  # the chain may have no digits to reverse
            reached = error(permutation="digit-reversal")
            if reached <= result.relative_error / 2:
                return f"permutation='digit-reversal' reaches {reached:.3g} with as many numbers."
    if not isinstance(supports, str):
        return "Try supports with more non-zeros."
    tried = []
    for change in ({"rank": 2 * rank}, {"rank": 4 * rank}, {"supports": "monarch"}):
        ((name, value),) = change.items()
        if asked[name] != value and _saves(result.matrix, {**asked, **change}):
            reached = error(**change, order="balanced")  # of as many factors as there will be
            tried.append(f"{name}={value!r} reaches {reached:.3g}")
    return f"{', '.join(tried) or 'No larger rank saves numbers: try other supports'}."


def _fewer_numbers(A: Any, asked: Mapping[str, Any]) -> str:
    """What takes fewer numbers than the matrix has."""
    supports = asked["supports"]
    if not isinstance(supports, str):
        return "Try supports with fewer non-zeros."
    powers = (2**i for i in range(min(A.shape).bit_length()))
    saving = [rank for rank in powers if _saves(A, {"supports": supports, "rank": rank})]
    if not saving:
        return f"No rank of supports={supports!r} saves numbers: keep the matrix."
    numbers = resolve_supports(supports, *A.shape, rank=saving[-1]).nnz
    return f"rank={saving[-1]} takes {numbers} numbers."


def _saves(A: Any, asked: Mapping[str, Any]) -> bool:
    """Whether a family needs fewer numbers than the matrix has, at a rank."""
    n_needed = int(array_namespace(A).count_nonzero(A))
    return resolve_supports(asked["supports"], *A.shape, rank=asked["rank"]).nnz < n_needed
