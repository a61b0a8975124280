"""A finite union of sets: a factor, or a pair of factors, may be in any one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from skfact._checks import matrix_namespace
from skfact._linalg import is_complex
from skfact.supports._kronecker import KroneckerSparse
from skfact.supports._masks import FixedMask, KSparse

# of two distances, squared, that are nearer to each other than this share of them, neither is less
TIE = 1e-12


@dataclass(frozen=True, slots=True, repr=False, init=False)
class SupportFamily:
    r"""Family of supports: a factor has one of them, and which one is to be found out.

    A matrix is in the family if it is in one of its sets. In place of the support of a factor it
    leaves the choice to :func:`~skfact.deep_linear.palm4msa`,
    :func:`~skfact.deep_linear.hierarchical_palm` and
    :class:`~skfact.deep_linear.SparseDeepLinearNet`, which project. A family of *pairs* is for two
    factors that :func:`~skfact.fixed_support.fixed_support_factorize` or
    :class:`~skfact.fixed_support.FixedSupportMF` finds: they search all pairs.

    Parameters
    ----------
    members : list
        One or more supports of the same shape: masks of booleans, a :class:`FixedMask`,
        :class:`KSparse` or :class:`KroneckerSparse`, or its four numbers, in any mixture. Or only
        pairs ``(left, right)``, tuples of two masks; None for the left one is a mask without zeros.

    Raises
    ------
    TypeError
        If `members` is no list of supports or of pairs, or a mixture of both.
    ValueError
        If it is empty, or the shapes of its members differ.

    See Also
    --------
    KSparse : All supports of a size.
    skfact.fixed_support.fixed_support_factorize : Searches a family of pairs.

    Notes
    -----
    The supports with k entries are a family, too, which :class:`KSparse` never lists. To find the
    best support in a family is NP-hard in general: listed members can be tried one by one.

    References
    ----------
    .. [1] L. Zheng, E. Riccietti, R. Gribonval, "Identifiability in two-layer sparse matrix
       factorization", arXiv:2110.01235.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.supports import KSparse, SupportFamily
    >>> triangles = SupportFamily([np.tri(2), np.tri(2).T])
    >>> triangles.project(np.array([[1.0, 5.0], [2.0, 1.0]]))
    array([[1., 5.],
           [0., 1.]])
    >>> triangles.nearest(np.array([[1.0, 5.0], [2.0, 1.0]]))
    1
    >>> SupportFamily([np.eye(2), KSparse(1, axis=0)])
    SupportFamily([FixedMask([[1, 0], [0, 1]]), KSparse(1, axis=0)])
    """

    members: tuple[Any, ...]

    __array_ufunc__ = None

    def __init__(self, members: Iterable[Any]) -> None:
        if isinstance(members, str | Mapping | Set) or not isinstance(members, Iterable):
            raise TypeError(f"members must be a list of supports, got {type(members).__name__}.")
        given = list(members)
        paired = [_is_pair(member) for member in given]
        if not given:
            raise ValueError("members is empty; a family needs at least one support.")
        for i, member in enumerate(given):
            if isinstance(member, list) and _is_pair(tuple(member)):
                raise TypeError(
                    f"members[{i}] is a list of two masks: pairs are tuples, (left, right), and a "
                    "list of numbers is a mask."
                )
        if any(paired) and not all(paired):
            raise TypeError(
                f"members[{paired.index(True)}] is a pair of masks and "
                f"members[{paired.index(False)}] is not: a family has supports of one factor, or "
                "pairs (left, right) of two."
            )
        known: Callable[..., Any] = _pair if any(paired) else _support
        found = tuple(known(member, f"members[{i}]") for i, member in enumerate(given))
        object.__setattr__(self, "members", found)
        if not self.is_paired:
            for i, support in enumerate(found):
                if getattr(support, "shape", self.shape) != self.shape:
                    raise ValueError(
                        f"members[{i}] has shape {support.shape}, others have {self.shape}: the "
                        "supports of a factor have the same shape."
                    )

    @property
    def is_paired(self) -> bool:
        """Whether the members are pairs of masks, for two factors."""
        return isinstance(self.members[0], tuple)

    @property
    def shape(self) -> tuple[int, int] | None:
        """Shape of the factor; None for budgets, which have none, and for pairs."""
        shapes = [support.shape for support in self.members if hasattr(support, "shape")]
        return shapes[0] if shapes else None

    @property
    def T(self) -> SupportFamily:
        """Family of the transposed factors; a transposed pair has the other order."""
        if not self.is_paired:
            return SupportFamily([support.T for support in self.members])
        if any(left is None for left, _ in self.members):
            raise ValueError("A pair without a left mask has no transpose: pass both masks.")
        return SupportFamily([(right.T, left.T) for left, right in self.members])

    def project(self, matrix: Any) -> Any:
        """Project on each member, and keep the nearest.

        Parameters
        ----------
        matrix : array of shape (m, n)
            Real, complex or integer array of any array-API namespace; it is not modified.

        Returns
        -------
        projected : array of shape (m, n)
            A nearest matrix of the family, in the namespace, dtype and device of `matrix`. Of
            members that are equally near, up to rounding, the first one counts. It is as exact as
            the projections of the members: ``KSparse(k, axis=(0, 1))`` has an approximate one.

        Raises
        ------
        TypeError
            If `matrix` is not an array of numbers that all members take, or the family has pairs.
        ValueError
            If `matrix` does not have the shape of the members, or is not finite.
        """
        return self._nearest(matrix)[1]

    def nearest(self, matrix: Any) -> int:
        """Which member `project` keeps: for a factor that is in the family, the first that has it.

        Parameters
        ----------
        matrix : array of shape (m, n)
            As in `project`; of a factor of an operator its ``toarray()``.

        Returns
        -------
        index : int
            Position in `members`.

        Raises
        ------
        TypeError, ValueError
            As `project` does.
        """
        return self._nearest(matrix)[0]

    def _nearest(self, matrix: Any) -> tuple[int, Any]:
        """The number of the nearest member, and the projection on it."""
        if self.is_paired:
            raise TypeError(
                "A family of pairs is for two factors, and one matrix has no projection on it. "
                "Pass a family for each factor."
            )
        xp = matrix_namespace(matrix, self.shape)
        floating = xp.isdtype(matrix.dtype, ("real floating", "complex floating"))
        if floating and not bool(xp.all(xp.isfinite(matrix))):
            raise ValueError(
                "matrix has NaN or infinite entries, so its nearest member is undefined. Replace "
                "them first."
            )
        index, best = 0, self.members[0].project(matrix)
        for i, support in enumerate(self.members[1:], 1):
            other = support.project(matrix)
            if _is_nearer(other, best, matrix, xp):
                index, best = i, other
        return index, best

    def __repr__(self) -> str:
        return f"SupportFamily({list(self.members)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return SupportFamily, (self.members,)


def plain_support(value: Any) -> Any:
    """Four numbers as a pattern, anything else as a mask."""
    if isinstance(value, tuple) and len(value) == 4:
        return KroneckerSparse(*value)
    return FixedMask(value)


def _support(value: Any, name: str) -> Any:
    """A support of one factor."""
    if isinstance(value, KSparse | FixedMask | KroneckerSparse):
        return value
    try:
        return plain_support(value)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name} must be a mask of booleans, a FixedMask, a KSparse or a KroneckerSparse: "
            f"{error}"
        ) from error


def _is_pair(value: Any) -> bool:
    """Whether it is a tuple of two masks, and no mask of two rows."""
    return isinstance(value, tuple) and len(value) == 2 and _has_rows(value[1])


def _has_rows(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return len(value) > 0 and not isinstance(value[0], int | float)
    return getattr(value, "ndim", 0) == 2 or hasattr(value, "project")


def _pair(value: tuple[Any, Any], name: str) -> tuple[Any, Any]:
    """Two masks, the left one None or a mask."""
    left, right = (
        mask if mask is None else _support(mask, f"{name}[{side}]")
        for side, mask in enumerate(value)
    )
    for side, mask in enumerate((left, right)):
        if isinstance(mask, KSparse):
            raise TypeError(
                f"{name}[{side}] is {mask!r}: a pair has two masks. Budgets are for "
                "skfact.deep_linear.palm4msa."
            )
    return left, right


def _is_nearer(one: Any, other: Any, matrix: Any, xp: Any) -> bool:
    """Whether a projection is nearer to the matrix than another one.

    Both keep entries of the matrix and set others to zero: only those that are kept by one alone
    make a difference, which are no small part of a large sum then.
    """
    if 0 in matrix.shape:
        return False
    differ = one != other
    # in double precision: single squares make ties, and the smallest integer has no magnitude
    real = matrix if is_complex(matrix) else xp.astype(matrix, xp.float64)
    size = xp.astype(xp.abs(real), xp.float64, copy=False)
    missed, missed_by_other = (
        xp.where(differ & (kept != matrix), size, xp.zeros_like(size)) for kept in (one, other)
    )
    largest = float(xp.max(xp.maximum(missed, missed_by_other))) or 1.0
    distance, limit = (float(xp.sum((part / largest) ** 2)) for part in (missed, missed_by_other))
    return distance < (1 - TIE) * limit
