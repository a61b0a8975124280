"""A factor that selects entries: permutation, zero padding, cropping."""

from __future__ import annotations

import math
import reprlib
from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj

from skfact._backend import (
    array_namespace,
    device,
    move,
    move_like,
    portable,
    to_numpy,
)
from skfact._checks import positive_int
from skfact._inputs import rectangular, refuse_sparse
from skfact.operators._factors.factor import SELECTION, Factor


class PartialPermutation(Factor, kind="selection"):
    """Factor that selects entries: ``y_i = x[index_i]``, and 0 where ``index_i == -1``.

    Permutations, zero padding and cropping are all of this kind, and so are their transposes and
    products.

    Parameters
    ----------
    index : array-like of int of shape (n_out,)
        Which input each output takes; -1 for none. No input is taken twice.
    n_in : int
        Number of inputs.

    Attributes
    ----------
    index : array of int64 of shape (n_out,)
        As given, in the array library of the operator that the factor belongs to.
    n_in : int
        Number of inputs.
    shape : tuple of two int
        Shape ``(n_out, n_in)``.
    nnz : int
        Always 0: a selection has no parameters.
    dtype : None
        A selection takes on the dtype of what it is applied to.

    Raises
    ------
    TypeError
        If `index` or `n_in` is not of integers.
    ValueError
        If an index is out of range or taken twice.

    See Also
    --------
    FactorizedOperator : A product of factors.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import PartialPermutation
    >>> pad = PartialPermutation([1, 0, -1], 2)  # swap two entries, append a zero
    >>> pad.apply(np.array([[5.0], [7.0]]))
    array([[7.],
           [5.],
           [0.]])
    >>> pad.T.toarray()
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """

    __slots__ = ("_host", "_kept", "_total", "index", "n_in")
    index: Any
    n_in: int
    nnz = 0
    dtype = None
    _pattern = SELECTION
    _host: np.ndarray
    _kept: int | None
    _total: bool

    def __init__(self, index: Any, n_in: int) -> None:
        n_in = positive_int(n_in, "n_in")
        host = whole_numbers(index)
        if host.ndim != 1 or host.size == 0:
            raise ValueError(f"index must be 1-D with at least one entry, got shape {host.shape}.")
        if host.max() >= n_in or host.min() < -1:
            raise ValueError(
                f"index must lie in 0..{n_in - 1}, or be -1 for no entry; got the range "
                f"{host.min()}..{host.max()}."
            )
        host = host.astype(np.int64)
        taken = host[host >= 0]
        if np.unique(taken).size != taken.size:
            raise ValueError("index takes an input twice; every input may be taken at most once.")
        host.flags.writeable = False
        self._fill(host, n_in, index if is_array_api_obj(index) else host)

    def _fill(self, host: np.ndarray, n_in: int, like: Any) -> None:
        """Take an index that is known to be one, to where an array is."""
        taken = host[host >= 0]
        # cropping and padding, the common kinds, keep the first entries and need no gather
        prefix = np.concatenate([np.arange(taken.size), np.full(host.size - taken.size, -1)])
        self._set(
            index=move_like(host, like),
            n_in=n_in,
            shape=(host.size, n_in),
            _host=host,
            _kept=int(taken.size) if np.array_equal(host, prefix) else None,
            _total=taken.size == host.size,
            _namespace=array_namespace(like),
        )

    @classmethod
    def crop(cls, n: int, m: int) -> PartialPermutation:
        """Keep the first entries of a longer vector.

        Parameters
        ----------
        n : int
            Number of entries kept.
        m : int
            Number of entries there are, at least `n`.

        Returns
        -------
        PartialPermutation of shape (n, m)
            The factor.

        Examples
        --------
        >>> from skfact.operators import PartialPermutation
        >>> PartialPermutation.crop(1, 2).toarray()
        array([[1., 0.]])
        """
        n, m = positive_int(n, "n"), positive_int(m, "m")
        if n > m:
            raise ValueError(f"n must be at most m = {m}, the entries there are, got {n}.")
        return cls(np.arange(n), m)

    @classmethod
    def pad(cls, n: int, m: int) -> PartialPermutation:
        """Append zeros to a vector.

        Parameters
        ----------
        n : int
            Number of entries of the longer vector, at least `m`.
        m : int
            Number of entries there are.

        Returns
        -------
        PartialPermutation of shape (n, m)
            The factor.

        Examples
        --------
        >>> from skfact.operators import PartialPermutation
        >>> PartialPermutation.pad(2, 1).toarray()
        array([[1.],
               [0.]])
        """
        n, m = positive_int(n, "n"), positive_int(m, "m")
        if n < m:
            raise ValueError(f"n must be at least m = {m}, the entries there are, got {n}.")
        return cls.crop(m, n).T

    def __reduce__(self) -> Any:
        return PartialPermutation, (portable(self.index), self.n_in)

    def __repr__(self) -> str:
        return f"PartialPermutation({self.shape[0]} x {self.shape[1]})"

    @property
    def is_permutation(self) -> bool:
        """Whether this is a permutation in the strict sense: nothing is added or lost."""
        return self._total and self.shape[0] == self.shape[1]

    @property
    def T(self) -> PartialPermutation:
        index = np.full(self.n_in, -1)
        (rows,) = np.nonzero(self._host >= 0)
        index[self._host[rows]] = rows
        return self._like(index, self.shape[0])

    @property
    def H(self) -> PartialPermutation:
        return self.T

    def astype(self, dtype: Any) -> PartialPermutation:
        return self

    def apply(self, X: Any) -> Any:
        xp = self._namespace
        n_out = self.shape[0]
        if self._kept == n_out:
            return X[:n_out, ...]
        if self._kept is not None:
            padding = (n_out - self._kept, X.shape[1])
            below = xp.zeros(padding, dtype=X.dtype, device=device(X))
            return xp.concat([X[: self._kept, ...], below], axis=0)
        if self._total:
            return xp.take(X, self.index, axis=0)
        taken = self.index >= 0
        selected = xp.take(X, xp.where(taken, self.index, xp.zeros_like(self.index)), axis=0)
        return xp.where(taken[:, None], selected, xp.zeros_like(selected))

    def solve(self, B: Any) -> Any:
        if not self.is_permutation:
            raise ValueError(f"{self!r} has no inverse: entries are added or lost.")
        return self.T.apply(B)

    def toarray(self) -> Any:
        xp = self._namespace
        columns = xp.arange(self.n_in, dtype=self.index.dtype, device=device(self.index))
        return xp.astype(self.index[:, None] == columns[None, :], xp.float64)

    def to_csr(self) -> scipy.sparse.csr_array:
        (rows,) = np.nonzero(self._host >= 0)
        entries = (np.ones(rows.size), (rows, self._host[rows]))
        return scipy.sparse.csr_array(entries, shape=self.shape)

    def _times(self, right: PartialPermutation) -> PartialPermutation:
        """One selection after the other."""
        index = np.where(self._host >= 0, right._host[self._host], -1)
        return self._like(index, right.n_in)

    def _like(self, host: np.ndarray, n_in: int) -> PartialPermutation:
        return self._of(host, n_in, self.index)

    @classmethod
    def _of(cls, host: np.ndarray, n_in: int, like: Any) -> PartialPermutation:
        """A selection that is known to be one; the host reads nothing back from a device."""
        host.flags.writeable = False
        selection = cls.__new__(cls)
        selection._fill(host, n_in, like)
        return selection

    def _to_device(self, xp: Any, target: Any) -> PartialPermutation:
        index = move(self.index, xp, target)
        return self if index is self.index else self._of(self._host, self.n_in, index)

    @property
    def _array(self) -> Any:
        return self.index

    @property
    def _is_invertible(self) -> bool:
        return self.is_permutation

    def _condition(self) -> float:
        return 1.0 if self.is_permutation else math.inf

    def _inverse(self) -> PartialPermutation:
        return self.T

    def _described(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        return {"kind": "selection", "shape": list(self.shape)}, {"index": self._host}

    @classmethod
    def _read(cls, file: Any) -> PartialPermutation:
        n_out, n_in = file.shape
        return cls(file.integers("index", n_out), n_in)


def whole_numbers(index: Any) -> np.ndarray:
    """The index on the host; only integers pass, bools in a list do not."""
    refuse_sparse(index, "index")
    given = is_array_api_obj(index)
    host = to_numpy(index) if given else rectangular(index, "index")
    has_bool = isinstance(index, list | tuple) and any(
        isinstance(i, bool | np.bool_) for i in index
    )
    if has_bool or (host.dtype.kind not in "iu" and host.size):
        what = f"dtype {host.dtype}" if given else reprlib.repr(index)
        raise TypeError(f"index must be of integers, got {what}.")
    return host
