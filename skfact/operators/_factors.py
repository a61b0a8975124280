"""The three kinds of factor that an operator is a product of."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from .._backend import array_namespace, device, is_cupy_namespace, move, to_numpy
from .._kernels.apply import apply_factor
from ..supports import KroneckerSparse
from ._inputs import as_floating, copy_array, is_complex_dtype, is_numpy, namespace_dtype


class Factor:
    """What the three kinds of factor share: they are immutable."""

    __slots__ = ()
    shape: tuple[int, int]

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted.")

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)

    @property
    def is_square(self) -> bool:
        """Whether the factor has as many rows as columns."""
        return self.shape[0] == self.shape[1]


class KroneckerFactor(Factor):
    """Kronecker-sparse factor: ``a * d`` dense blocks of shape (b, c).

    Parameters
    ----------
    values : array of shape (a, d, b, c)
        The blocks, of any supported array library; copied.
    pattern : KroneckerSparse or tuple of four int
        The pattern ``(a, b, c, d)`` of the support ``I_a (x) 1_{b x c} (x) I_d``.

    Attributes
    ----------
    values : array of shape (a, d, b, c)
        The blocks, in float32, float64, complex64 or complex128.
    pattern : KroneckerSparse
        Where the factor may be non-zero.

    Raises
    ------
    TypeError
        If `values` is not numeric, or in half or extended precision.
    ValueError
        If the shape of `values` is not the one that `pattern` demands.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import KroneckerFactor
    >>> factor = KroneckerFactor(np.ones((1, 2, 1, 2)), (1, 1, 2, 2))
    >>> factor.toarray()
    array([[1., 0., 1., 0.],
           [0., 1., 0., 1.]])
    """

    __slots__ = ("_xp", "pattern", "shape", "values")
    values: Any
    pattern: KroneckerSparse

    def __init__(self, values: Any, pattern: Any) -> None:
        if not isinstance(pattern, KroneckerSparse):
            pattern = KroneckerSparse(*pattern)
        values = copy_array(as_floating(values, "values"))
        a, b, c, d = pattern
        if tuple(values.shape) != (a, d, b, c):
            raise ValueError(
                f"values has shape {tuple(values.shape)}; the pattern {(a, b, c, d)} needs "
                f"(a, d, b, c) = {(a, d, b, c)}."
            )
        self._set(values=values, pattern=pattern, shape=pattern.shape, _xp=array_namespace(values))

    @classmethod
    def _wrap(cls, values: Any, pattern: KroneckerSparse) -> KroneckerFactor:
        """A factor around values that nobody else can write to: neither checked nor copied."""
        if isinstance(values, np.ndarray):
            values.flags.writeable = False
        factor = cls.__new__(cls)
        factor._set(
            values=values, pattern=pattern, shape=pattern.shape, _xp=array_namespace(values)
        )
        return factor

    def __reduce__(self) -> Any:
        return KroneckerFactor, (self.values, self.pattern)

    def __deepcopy__(self, memo: dict[int, Any]) -> KroneckerFactor:
        return KroneckerFactor(self.values, self.pattern)

    def __repr__(self) -> str:
        a, b, c, d = self.pattern
        return f"KroneckerFactor(({a}, {b}, {c}, {d}), {np_name(self.dtype)})"

    @property
    def dtype(self) -> Any:
        """Dtype of the values."""
        return self.values.dtype

    @property
    def nnz(self) -> int:
        """Number of stored entries, ``a * b * c * d``."""
        return self.pattern.nnz

    @property
    def T(self) -> KroneckerFactor:
        """The transpose."""
        values = self._xp.permute_dims(self.values, (0, 1, 3, 2))
        return KroneckerFactor._wrap(values, self.pattern.T)

    @property
    def H(self) -> KroneckerFactor:
        """The conjugate transpose."""
        transpose = self.T
        if not is_complex_dtype(self.dtype):
            return transpose
        return KroneckerFactor._wrap(self._xp.conj(transpose.values), transpose.pattern)

    def astype(self, dtype: Any) -> KroneckerFactor:
        """The factor in another floating dtype; itself where that is its dtype."""
        dtype = namespace_dtype(dtype, self._xp)
        if dtype == self.dtype:
            return self
        return KroneckerFactor._wrap(self._xp.astype(self.values, dtype), self.pattern)

    def to_device(self, xp: Any, target: Any) -> KroneckerFactor:
        """The factor with values in namespace `xp` on the device `target`."""
        values = move(self.values, xp, target)
        return self if values is self.values else KroneckerFactor._wrap(values, self.pattern)

    def scale(self, scalar: Any) -> KroneckerFactor:
        """The factor times a Python scalar."""
        return KroneckerFactor._wrap(self.values * scalar, self.pattern)

    def apply(self, X: Any) -> Any:
        """Product with a batch of vectors `X`, one per column: (n_in, batch) -> (n_out, batch)."""
        return apply_factor(self.values, X, xp=self._xp)

    def solve(self, B: Any) -> Any:
        """Inverse of the factor times `B`, block by block; needs square blocks.

        Raises
        ------
        ValueError
            If the blocks are not square.
        numpy.linalg.LinAlgError
            If a block is singular.
        """
        a, b, c, d = self.pattern
        if b != c:
            raise ValueError(f"{self!r} is not invertible: its blocks are {b} x {c}.")
        xp, batch = self._xp, B.shape[1]
        B_blocks = xp.permute_dims(
            xp.reshape(B, (a, b, d, batch)), (0, 2, 1, 3)
        )  # (a, d, b, batch)
        X = solve_blocks(xp, self.values, B_blocks)  # (a, d, c, batch)
        return xp.reshape(xp.permute_dims(X, (0, 2, 1, 3)), (a * c * d, batch))

    def toarray(self) -> Any:
        """The factor as a dense matrix."""
        xp = self._xp
        a, b, c, d = self.pattern
        place = {"device": device(self.values)}
        outer, inner = xp.arange(a, **place), xp.arange(d, **place)
        same_outer = xp.reshape(outer, (a, 1, 1, 1, 1, 1)) == xp.reshape(outer, (1, 1, 1, a, 1, 1))
        same_inner = xp.reshape(inner, (1, 1, d, 1, 1, 1)) == xp.reshape(inner, (1, 1, 1, 1, 1, d))
        values = xp.permute_dims(self.values, (0, 2, 1, 3))  # (a, b, d, c)
        values = xp.reshape(values, (a, b, d, 1, c, 1))
        zero = xp.zeros((1,) * 6, dtype=self.dtype, **place)
        dense = xp.where(same_outer & same_inner, values, zero)  # (a, b, d, a, c, d)
        return xp.reshape(dense, self.shape)

    def to_csr(self) -> scipy.sparse.csr_array:
        """The factor as a SciPy CSR array on the host."""
        a, b, c, d = self.pattern
        data = np.ascontiguousarray(to_numpy(self.values).transpose(0, 2, 1, 3)).reshape(-1)
        i, l, k = np.ogrid[:a, :d, :c]
        columns = np.broadcast_to((i * (c * d) + k * d + l)[:, None], (a, b, d, c)).reshape(-1)
        indptr = np.arange(0, data.size + 1, c)
        return scipy.sparse.csr_array((data, columns, indptr), shape=self.shape)


class SparseFactor(Factor):
    """Factor that is a general sparse matrix.

    Parameters
    ----------
    csr : SciPy sparse array or matrix, or CuPy sparse matrix
        The matrix, of any sparse format; copied to CSR. SciPy's goes with NumPy operators, CuPy's
        with CuPy operators; other array libraries have no sparse matrices that could serve, and
        moving the factor there raises TypeError (nothing is densified silently).

    Attributes
    ----------
    csr : scipy.sparse.csr_array or cupyx.scipy.sparse.csr_matrix
        The matrix, duplicates summed.

    Examples
    --------
    >>> import scipy.sparse
    >>> from skfact.operators import SparseFactor
    >>> factor = SparseFactor(scipy.sparse.eye_array(3))
    >>> factor.shape, factor.nnz
    ((3, 3), 3)
    """

    __slots__ = ("_xp", "csr", "shape")
    csr: Any

    def __init__(self, csr: Any) -> None:
        if scipy.sparse.issparse(csr):
            if csr.ndim != 2:
                raise ValueError(f"csr must have two dimensions, got shape {csr.shape}.")
            data = as_floating(scipy.sparse.csr_array(csr).data, "csr.data")
            csr = scipy.sparse.csr_array(csr, dtype=data.dtype, copy=True)
            csr.sum_duplicates()
            for part in (csr.data, csr.indices, csr.indptr):
                part.flags.writeable = False
            xp = array_namespace(csr.data)
        elif type(csr).__module__.startswith("cupyx."):
            csr = csr.tocsr(copy=True)
            csr.sum_duplicates()
            namespace_dtype(csr.dtype, array_namespace(csr.data))
            xp = array_namespace(csr.data)
        else:
            raise TypeError(
                f"csr must be a SciPy or CuPy sparse matrix, got {type(csr).__name__}: "
                "convert it with scipy.sparse.csr_array(...)."
            )
        if 0 in csr.shape:
            raise ValueError(f"csr must have at least one row and one column, got {csr.shape}.")
        self._set(csr=csr, shape=tuple(int(side) for side in csr.shape), _xp=xp)

    def __reduce__(self) -> Any:
        return SparseFactor, (self.csr,)

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseFactor:
        return SparseFactor(self.csr)

    def __repr__(self) -> str:
        m, n = self.shape
        return f"SparseFactor({m} x {n}, nnz={self.nnz}, {np_name(self.dtype)})"

    @property
    def dtype(self) -> Any:
        """Dtype of the entries."""
        return self.csr.dtype

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return int(self.csr.nnz)

    @property
    def T(self) -> SparseFactor:
        """The transpose."""
        return SparseFactor(self.csr.T)

    @property
    def H(self) -> SparseFactor:
        """The conjugate transpose."""
        return SparseFactor(self.csr.T.conj())

    def astype(self, dtype: Any) -> SparseFactor:
        """The factor in another floating dtype; itself where that is its dtype."""
        dtype = namespace_dtype(dtype, self._xp)
        return self if dtype == self.dtype else SparseFactor(self.csr.astype(dtype))

    def to_device(self, xp: Any, target: Any) -> SparseFactor:
        """The factor in namespace `xp` (NumPy or CuPy)."""
        if is_numpy(xp) and is_numpy(self._xp):
            return self
        if is_numpy(xp):
            return SparseFactor(self.csr.get())
        if not is_cupy_namespace(xp):
            raise TypeError(
                f"A SparseFactor lives on NumPy or CuPy, not on {xp.__name__.split('.')[-1]}: pass "
                "the factor as a dense 2-D array instead, or use the operator with NumPy arrays."
            )
        import cupyx.scipy.sparse

        with target:
            return SparseFactor(cupyx.scipy.sparse.csr_matrix(self.csr))

    def scale(self, scalar: Any) -> SparseFactor:
        """The factor times a Python scalar."""
        return SparseFactor(self.csr * scalar)

    def apply(self, X: Any) -> Any:
        """Product with a batch of vectors `X`, one per column: (n_in, batch) -> (n_out, batch)."""
        return self.csr @ X

    def solve(self, B: Any) -> Any:
        """Inverse of the factor times `B`, through a sparse LU decomposition.

        Raises
        ------
        ValueError
            If the factor is not square.
        numpy.linalg.LinAlgError
            If it is singular.
        """
        if not self.is_square:
            raise ValueError(f"{self!r} is not invertible: it is not square.")
        if is_numpy(self._xp):
            from scipy.sparse.linalg import splu
        else:
            from cupyx.scipy.sparse.linalg import splu
        try:
            return splu(self.csr.tocsc()).solve(self._xp.asarray(B, copy=True))
        except RuntimeError as error:
            raise np.linalg.LinAlgError(f"{self!r} is singular ({error}).") from error

    def toarray(self) -> Any:
        """The factor as a dense matrix."""
        return self.csr.toarray()

    def to_csr(self) -> scipy.sparse.csr_array:
        """The factor as a SciPy CSR array on the host (a copy)."""
        return self.csr.copy() if is_numpy(self._xp) else scipy.sparse.csr_array(self.csr.get())


class PartialPermutation(Factor):
    """Factor that selects entries: ``y_i = x[index_i]``, and 0 where ``index_i == -1``.

    Permutations, zero padding and cropping are all of this kind, and so are their transposes.

    Parameters
    ----------
    index : array-like of int of shape (n_out,)
        Which input entry each output takes; -1 for none. No input is taken twice.
    n_in : int
        Number of inputs.

    Attributes
    ----------
    index : array of int64 of shape (n_out,)
        As given, in the array library of the operator that the factor belongs to.
    shape : tuple of two int
        ``(n_out, n_in)``.
    nnz : int
        Always 0: a selection has no parameters.
    dtype : None
        A selection takes the dtype of what it is applied to.

    Raises
    ------
    TypeError
        If `index` or `n_in` is not of integers.
    ValueError
        If an index is out of range or taken twice.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import PartialPermutation
    >>> pad = PartialPermutation([1, 0, -1], 2)  # swap two entries, add a zero
    >>> pad.apply(np.array([[5.0], [7.0]]))
    array([[7.],
           [5.],
           [0.]])
    >>> pad.T.toarray()
    array([[0., 1., 0.],
           [1., 0., 0.]])
    """

    __slots__ = ("_host", "_prefix", "_total", "_xp", "index", "n_in", "shape")
    index: Any
    n_in: int
    nnz = 0
    dtype = None

    def __init__(self, index: Any, n_in: int) -> None:
        if isinstance(n_in, bool) or not isinstance(n_in, (int, np.integer)):
            raise TypeError(f"n_in must be an int, got {n_in!r}.")
        host = np.array(to_numpy(index))
        if host.ndim != 1 or host.size == 0:
            raise ValueError(f"index must be 1-D with at least one entry, got shape {host.shape}.")
        if host.dtype.kind not in "iu":
            raise TypeError(f"index must be of integers, got dtype {host.dtype}.")
        if n_in < 1:
            raise ValueError(f"n_in must be at least 1, got {n_in}.")
        if host.max() >= n_in or host.min() < -1:
            raise ValueError(
                f"index must lie in 0..{n_in - 1} (or be -1: no entry), got the range "
                f"{host.min()}..{host.max()}."
            )
        host = host.astype(np.int64)
        taken = host[host >= 0]
        if np.unique(taken).size != taken.size:
            raise ValueError("index takes an input twice; every input may be taken at most once.")
        host.flags.writeable = False
        index = host if isinstance(index, (np.ndarray, list, tuple, range)) else index
        self._set(
            index=index,
            n_in=int(n_in),
            shape=(host.size, int(n_in)),
            _host=host,
            # the common kinds (padding, cropping, true selection) need no general gather
            _prefix=bool(
                np.array_equal(taken, np.arange(taken.size)) and (host[: taken.size] >= 0).all()
            ),
            _total=taken.size == host.size,
            _xp=array_namespace(index),
        )

    def __reduce__(self) -> Any:
        return PartialPermutation, (self.index, self.n_in)

    def __repr__(self) -> str:
        return f"PartialPermutation({self.shape[0]} x {self.shape[1]})"

    @property
    def is_permutation(self) -> bool:
        """Whether this is a permutation in the strict sense: square, every entry taken."""
        return self._total and self.is_square

    @property
    def T(self) -> PartialPermutation:
        """The transpose: again a partial permutation."""
        index = np.full(self.n_in, -1)
        (rows,) = np.nonzero(self._host >= 0)
        index[self._host[rows]] = rows
        return PartialPermutation(move(index, self._xp, device(self.index)), self.shape[0])

    H = T

    def compose(self, right: PartialPermutation) -> PartialPermutation:
        """The product with the partial permutation `right`: one selection after the other."""
        index = np.where(self._host >= 0, right._host[self._host], -1)
        return PartialPermutation(move(index, self._xp, device(self.index)), right.n_in)

    def astype(self, dtype: Any) -> PartialPermutation:
        """Itself: a selection has no dtype."""
        return self

    def to_device(self, xp: Any, target: Any) -> PartialPermutation:
        """The factor with its index in namespace `xp` on the device `target`."""
        index = move(self.index, xp, target)
        return self if index is self.index else PartialPermutation(index, self.n_in)

    def apply(self, X: Any) -> Any:
        """Select from a batch of vectors `X`, one per column: (n_in, batch) -> (n_out, batch).

        The result may be a view of `X` where entries are only cropped.
        """
        xp = self._xp
        n_out = self.shape[0]
        if self._prefix and self._total:
            return X[:n_out, ...]
        zeros = (n_out, X.shape[1])
        if self._prefix:
            kept = int((self._host >= 0).sum())
            below = xp.zeros((n_out - kept, X.shape[1]), dtype=X.dtype, device=device(X))
            return xp.concat([X[:kept, ...], below], axis=0)
        if self._total:
            return xp.take(X, self.index, axis=0)
        taken = self.index >= 0
        selected = xp.take(X, xp.where(taken, self.index, xp.zeros_like(self.index)), axis=0)
        nothing = xp.zeros(zeros, dtype=X.dtype, device=device(X))
        return xp.where(taken[:, None], selected, nothing)

    def solve(self, B: Any) -> Any:
        """Inverse of a true permutation times `B`.

        Raises
        ------
        ValueError
            If this is not a true permutation.
        """
        if not self.is_permutation:
            raise ValueError(f"{self!r} is not invertible: it is not a true permutation.")
        return self.T.apply(B)

    def toarray(self) -> Any:
        """The factor as a dense float64 matrix."""
        xp = self._xp
        columns = xp.arange(self.n_in, dtype=self.index.dtype, device=device(self.index))
        return xp.astype(self.index[:, None] == columns[None, :], xp.float64)

    def to_csr(self) -> scipy.sparse.csr_array:
        """The factor as a SciPy CSR array of float64 on the host."""
        (rows,) = np.nonzero(self._host >= 0)
        return scipy.sparse.csr_array(
            (np.ones(rows.size), (rows, self._host[rows])), shape=self.shape
        )


def np_name(dtype: Any) -> str:
    """Short name of a dtype of any library, for representations."""
    return str(dtype).rsplit(".", maxsplit=1)[-1]


def solve_blocks(xp: Any, blocks: Any, right: Any) -> Any:
    """Batched `linalg.solve` that raises numpy's LinAlgError on every library."""
    message = "A block of the factor is singular: the operator has no inverse."
    if is_cupy_namespace(xp):
        import cupyx

        with cupyx.errstate(linalg="raise"):
            return xp.linalg.solve(blocks, right)  # raises numpy.linalg.LinAlgError
    try:
        return xp.linalg.solve(blocks, right)
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(message) from error
    except RuntimeError as error:  # PyTorch's LinAlgError is a RuntimeError
        raise np.linalg.LinAlgError(f"{message} ({error})") from error
