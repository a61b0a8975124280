"""Supports that are no Kronecker pattern: budgets of non-zeros and explicit masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import is_cupy_namespace

from skfact._backend import to_numpy
from skfact._checks import is_number, keep_where, matrix_namespace, positive_int
from skfact._inputs import is_numpy, refuse_sparse

# an explicit mask up to this many entries is written out by repr
MAX_PRINTED = 64


@dataclass(frozen=True, slots=True, repr=False)
class KSparse:
    """Budget of `k` non-zeros for a matrix, for each column, for each row, or for both.

    Parameters
    ----------
    k : int
        Number of entries that may be non-zero. A budget that exceeds the number of entries does
        not constrain them.
    axis : {None, 0, 1, (0, 1)}, default=None
        None counts over the whole matrix, 0 over each column, 1 over each row. ``(0, 1)`` allows
        `k` entries for each column and `k` for each row: a matrix is within that budget if each of
        its non-zeros can be charged to its row or to its column. An m x n matrix then has at most
        ``k * (m + n)`` of them.

    Raises
    ------
    TypeError
        If `k` or `axis` is not an integer.
    ValueError
        If `k` is smaller than 1 or `axis` is none of the four.

    See Also
    --------
    FixedMask : A support given entry by entry.
    skfact.deep_linear.palm4msa : A product of factors within budgets.

    References
    ----------
    .. [1] L. Le Magoarou, R. Gribonval, "Flexible multilayer sparse approximations of matrices and
       applications", IEEE Journal of Selected Topics in Signal Processing 10(4), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.supports import KSparse
    >>> A = np.array([[1.0, -3.0, 0.5], [2.0, 2.0, 4.0]])
    >>> KSparse(1, axis=1).project(A)
    array([[ 0., -3.,  0.],
           [ 0.,  0.,  4.]])
    >>> KSparse(1, axis=(0, 1)).project(A)
    array([[ 0., -3.,  0.],
           [ 2.,  0.,  4.]])
    """

    k: int
    axis: int | tuple[int, int] | None = None

    __array_ufunc__ = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", positive_int(self.k, "k"))
        object.__setattr__(self, "axis", _budget_axis(self.axis))

    @property
    def T(self) -> KSparse:
        """Budget of the transposed matrices."""
        return KSparse(self.k, 1 - self.axis) if isinstance(self.axis, int) else self

    def project(self, matrix: Any) -> Any:
        """Keep the `k` entries of largest magnitude and set the others to zero.

        Parameters
        ----------
        matrix : array of shape (m, n)
            Real, complex or integer array of any array-API namespace; it is not modified.

        Returns
        -------
        projected : array of shape (m, n)
            A nearest matrix within the budget, in the namespace, dtype and device of `matrix`.
            Of entries of equal magnitude those of smallest (row-major) position are kept. With
            ``axis=(0, 1)`` the entries kept are those among the `k` largest of their row or of
            their column, which is within the budget and sparser than the nearest matrix may be.

        Raises
        ------
        TypeError
            If `matrix` is not an array of signed numbers.
        ValueError
            If `matrix` is not 2-D or has a NaN, which no order of magnitude knows.
        """
        xp = matrix_namespace(matrix)
        if xp.isdtype(matrix.dtype, ("real floating", "complex floating")):
            if bool(xp.any(xp.isnan(matrix))):
                raise ValueError(
                    "matrix has a NaN, so its largest entries are undefined. Replace the NaN first."
                )
            key = -xp.abs(matrix)
        elif xp.isdtype(matrix.dtype, "signed integer"):
            # minus the magnitude: abs would overflow at the smallest integer
            key = xp.where(matrix < 0, matrix, -matrix)
        else:
            raise TypeError(
                f"matrix must hold signed numbers, got dtype {matrix.dtype}. Convert it to a "
                f"floating dtype."
            )
        return xp.where(self._kept(key, xp), matrix, xp.zeros_like(matrix))

    def _kept(self, key: Any, xp: Any) -> Any:
        """Mask of the entries to keep, from minus their magnitudes."""
        if self.axis is None:
            flat = smallest_keys(xp.reshape(key, (-1,)), self.k, 0, xp)
            return xp.reshape(flat, key.shape)
        if isinstance(self.axis, int):
            return smallest_keys(key, self.k, self.axis, xp)
        return smallest_keys(key, self.k, 0, xp) | smallest_keys(key, self.k, 1, xp)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KSparse) and (self.k, self.axis) == (other.k, other.axis)

    def __repr__(self) -> str:
        return f"KSparse({self.k})" if self.axis is None else f"KSparse({self.k}, axis={self.axis})"

    def __reduce__(self) -> tuple[Any, ...]:
        return KSparse, (self.k, self.axis)


def _budget_axis(axis: Any) -> int | tuple[int, int] | None:
    """The axis of a budget: None, 0, 1 or (0, 1)."""
    if axis is None:
        return None
    if isinstance(axis, (tuple, list)):
        if len(axis) == 2 and {_budget_axis(item) for item in axis} == {0, 1}:
            return (0, 1)
        raise ValueError(f"an axis of two items must be (0, 1), rows and columns, got {axis!r}.")
    if not is_number(axis, int):
        raise TypeError(
            f"axis must be None, 0, 1 or (0, 1), got {axis!r} of type {type(axis).__name__}."
        )
    if axis not in (0, 1):
        raise ValueError(
            f"axis must be None (whole matrix), 0 (each column), 1 (each row) or (0, 1) (both), "
            f"got {axis}."
        )
    return int(axis)


def smallest_keys(key: Any, k: int, axis: int, xp: Any) -> Any:
    """Mask of the `k` smallest entries along an axis; of equal ones, those that come first.

    NumPy and CuPy find the k-th smallest by a partition. The array API standard has none: other
    libraries sort.
    """
    size = key.shape[axis]
    if k >= size:
        return xp.ones_like(key, dtype=xp.bool)
    line = [slice(None)] * key.ndim
    line[axis] = slice(k - 1, k)
    if is_numpy(xp) or is_cupy_namespace(xp):
        threshold = xp.partition(key, k - 1, axis=axis)[tuple(line)]
    else:
        threshold = xp.sort(key, axis=axis)[tuple(line)]
    keep = key <= threshold
    counts = xp.sum(xp.astype(keep, xp.int32), axis=axis, keepdims=True)
    if not bool(xp.any(counts > k)):
        return keep
    below = key < threshold
    tied = keep & ~below
    room = k - xp.sum(xp.astype(below, xp.int32), axis=axis, keepdims=True)
    rank = xp.cumulative_sum(xp.astype(tied, xp.int32), axis=axis)
    return below | (tied & (rank <= room))


def dense_mask(mask: Any, name: str) -> np.ndarray:
    """A mask of any array library, or nested lists, as a checked NumPy array."""
    refuse_sparse(mask, name)
    if isinstance(mask, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array: pass its .filled(False).")
    try:
        given = to_numpy(mask)
    except ValueError as error:
        raise ValueError(f"{name} must be a rectangular 2-D array of booleans: {error}") from error
    check_mask(given, given.shape, name)
    return given


Labels = list[Any] | None  # of the rows or columns of a data frame; an array has none


def labels_of(table: Any) -> tuple[Labels, Labels]:
    """Labels of the rows and of the columns of a data frame; None where it has none."""
    if not hasattr(table, "columns") or not hasattr(table, "__array__"):
        return None, None
    columns = getattr(table, "column_names", table.columns)  # of PyArrow, of the others
    return list(table.index) if hasattr(table, "index") else None, list(columns)


def order_by(given: Labels, wanted: Labels, name: str, of: str) -> np.ndarray | None:
    """Where the wanted labels are among the given ones; None if by position is right.

    That is where they are equal, or where one side has none, or only 0, 1, 2, ...

    Raises
    ------
    ValueError
        If the labels are not the same ones.
    """
    if given is None or wanted is None or given == wanted:
        return None
    place = {label: position for position, label in enumerate(given)}
    if len(place) == len(given) == len(set(wanted)) == len(wanted) and place.keys() == set(wanted):
        return np.array([place[label] for label in wanted])
    if not is_labelled(given) or not is_labelled(wanted):
        return None
    strange = [label for label in given if label not in set(wanted)] or given
    raise ValueError(
        f"{name} has labels that do not match those of {of}: {strange[:3]} among "
        f"{len(given)}, {wanted[:3]} among {len(wanted)}. Give both the same labels, each once, or "
        f"pass {name} as an array, which is taken by position."
    )


def is_labelled(labels: Labels) -> bool:
    """Whether there are labels, and others than the positions."""
    if labels is None or labels == list(range(len(labels))):
        return False
    return labels != [f"column_{position}" for position in range(len(labels))]  # those of polars


def check_mask(values: np.ndarray, shape: tuple[int, ...], name: str) -> None:
    """Raise unless the values, all those that are stored, make a non-empty mask of that shape."""
    if values.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be a mask of booleans or of 0 and 1, got dtype {values.dtype}: convert "
            "it first."
        )
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"{name} must be 2-D with at least one entry, got shape {shape}.")
    if values.dtype.kind != "b" and not np.all((values == 0) | (values == 1)):
        raise ValueError(
            f"{name} must hold only booleans or 0 and 1. For the support of a matrix pass "
            "matrix != 0."
        )


@dataclass(frozen=True, slots=True, repr=False, init=False, eq=False)
class FixedMask:
    """Support given entry by entry.

    Two masks with the same entries are equal and hash alike.

    Parameters
    ----------
    mask : array-like of shape (m, n)
        True (or 1) where an entry may be non-zero, False (or 0) elsewhere. It is copied.

    Raises
    ------
    TypeError
        If `mask` does not hold truth values or numbers, or is a data frame with labels.
    ValueError
        If `mask` is not 2-D, is empty, or holds a number other than 0 and 1.

    See Also
    --------
    KroneckerSparse : A structured support.
    KSparse : A budget of non-zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.supports import FixedMask
    >>> lower = FixedMask(np.tri(2))
    >>> lower
    FixedMask([[1, 0], [1, 1]])
    >>> lower.project(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """

    _mask: np.ndarray

    __array_ufunc__ = None

    def __init__(self, mask: Any) -> None:
        if any(map(is_labelled, labels_of(mask))):
            raise TypeError(
                "mask is a data frame with labels, which a FixedMask does not keep: pass "
                "mask.to_numpy(), with rows and columns in the order of the matrix."
            )
        own = dense_mask(mask, "mask").astype(bool)
        own.flags.writeable = False
        object.__setattr__(self, "_mask", own)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of the matrices with this support."""
        return self._mask.shape[0], self._mask.shape[1]

    @property
    def nnz(self) -> int:
        """Number of entries that may be non-zero."""
        return int(np.count_nonzero(self._mask))

    @property
    def T(self) -> FixedMask:
        """Support of the transposed matrices."""
        return FixedMask(self._mask.T)

    def mask(self) -> np.ndarray:
        """Return the support as a dense mask.

        Returns
        -------
        mask : ndarray of shape (m, n), dtype bool
            A new array at each call.
        """
        return self._mask.copy()

    def project(self, matrix: Any) -> Any:
        """Set the entries outside the support to zero.

        Parameters
        ----------
        matrix : array of shape (m, n)
            A numeric array of any array-API namespace; it is not modified.

        Returns
        -------
        projected : array of shape (m, n)
            The nearest matrix with this support, in the namespace, dtype and device of
            `matrix`.

        Raises
        ------
        TypeError
            If `matrix` is not an array of numbers.
        ValueError
            If `matrix` does not have the shape of the support.
        """
        return keep_where(self._mask, matrix)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FixedMask) and np.array_equal(self._mask, other._mask)

    def __hash__(self) -> int:
        return hash((self._mask.shape, self._mask.tobytes()))

    def __repr__(self) -> str:
        if self._mask.size <= MAX_PRINTED:
            return f"FixedMask({self._mask.astype(int).tolist()})"
        return f"<FixedMask of shape {self.shape} with {self.nnz} non-zeros>"

    def __reduce__(self) -> tuple[Any, ...]:
        return FixedMask, (self._mask,)
