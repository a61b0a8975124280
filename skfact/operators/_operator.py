"""A linear map as a product of sparse factors."""

from __future__ import annotations

import numbers
import os
import weakref
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_cupy_namespace

from skfact._backend import (
    array_namespace,
    compute_namespace,
    device,
    is_array_api_obj,
)
from skfact._checks import is_number, positive_int
from skfact._inputs import as_floating, dtype_name, is_complex_dtype, namespace_dtype
from skfact.operators._assemble import assemble
from skfact.operators._factors import KroneckerFactor
from skfact.operators._fuse import USUAL_BATCH, cheapest_partition, fuse_runs, numpy_cost
from skfact.operators._no_array import NoArray
from skfact.operators._products import Products, csr_factors, keep
from skfact.operators._save import load, save
from skfact.supports import KroneckerSparse


class FactorizedOperator(NoArray):
    """Linear map that is a product of sparse factors: ``factors[0] @ ... @ factors[-1]``.

    Parameters
    ----------
    factors : iterable of factors, 2-D arrays or SciPy sparse matrices
        In the order of the product: the last one is applied first. A 2-D array becomes a
        :class:`KroneckerFactor` with one dense block, a sparse matrix a :class:`SparseFactor`. All
        come from one array library and device; they are converted to their common dtype.

    Attributes
    ----------
    factors : tuple of KroneckerFactor, SparseFactor and PartialPermutation
        The factors as given.
    shape : tuple of two int
        Shape ``(n_out, n_in)``.

    Raises
    ------
    TypeError
        If a factor is not numeric, or in half or extended precision.
    ValueError
        If there is no factor, if two neighbours do not fit, or if the factors come from different
        array libraries or devices.

    See Also
    --------
    skfact.butterfly.butterfly_factorize : Factor a matrix into such an operator.
    least_squares_codes : Inverse, or pseudo-inverse, applied to rows.

    Notes
    -----
    Operators are immutable, and so are their factors. Arguments are arrays of the library and on
    the device of the factors (lists and integers become NumPy arrays, and integers and bools take
    the operator's dtype); results too. Both are promoted to a common dtype as in NumPy: a float32
    operator takes float32 to float32. An operator is no array: what NumPy's functions would have to
    make one of (``numpy.asarray(op)``) is a TypeError, and :meth:`toarray` makes one.

    Products are computed with some neighbouring factors multiplied out, as by :meth:`fuse`, where
    a cost model says that this is faster for the size of the batch. Up to eight fused copies are
    kept inside the operator and never pickled; `factors` and `nnz` are those of the true factors.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.operators import FactorizedOperator, KroneckerFactor
    >>> block = np.array([[1.0, 1.0], [1.0, -1.0]])
    >>> left = KroneckerFactor(np.broadcast_to(block, (1, 2, 2, 2)), (1, 2, 2, 2))
    >>> right = KroneckerFactor(np.broadcast_to(block, (2, 1, 2, 2)), (2, 2, 2, 1))
    >>> op = FactorizedOperator([left, right])
    >>> op
    FactorizedOperator(4 x 4, 2 factors, nnz=16, float64)
    >>> op @ np.array([1.0, 2.0, 3.0, 4.0])
    array([10., -2., -4.,  0.])
    >>> op.apply(np.eye(4)[:1])  # samples are rows
    array([[1., 1., 1., 1.]])
    """

    def __init__(self, factors: Iterable[Any]) -> None:
        self._setup(*assemble(factors))

    # What the modules beside this one use: `_xp` and `_device`, `_operand` to check an argument,
    # `_of` for an operator made of factors that fit together, `_once` for what is made once.

    def _setup(self, factors: Iterable[Any], dtype: Any) -> None:
        vars(self)["__array_ufunc__"] = None  # CuPy asks the object, and leaves @ to it then
        self._products = Products(tuple(factors), dtype)
        self._cache: dict[str, Any] = {}  # transposes, the inverse, copies on other devices

    def _of(self, factors: Iterable[Any], dtype: Any = None) -> FactorizedOperator:
        """An operator of factors that are known to fit together, in our dtype or another one."""
        operator = type(self).__new__(type(self))
        operator._setup(factors, self.dtype if dtype is None else dtype)
        return operator

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, kept under a name and never pickled."""
        found = self._cache.get(name)
        if isinstance(found, weakref.ref):
            found = found()
        return keep(self._cache, name, make(), limit=8) if found is None else found

    def _once_and_back(
        self, there: str, back: str, factors: Callable[[], Iterable[Any]], dtype: Any = None
    ) -> Any:
        """An operator of the factors, kept under a name, that knows us by another name.

        It does not keep us alive: there and back and there again would be copies without end.
        """

        def make() -> FactorizedOperator:
            other = self._of(factors(), dtype)
            other._cache[back] = weakref.ref(self)
            return other

        return self._once(there, make)

    def _operand(
        self, array: Any, name: str, ndims: tuple[int, ...], axis: int, *, adjoint: bool = False
    ) -> Any:
        """A floating array of the operator's library and device that fits it along `axis`.

        With `adjoint` it has to fit the operator's rows, else its columns.
        """
        on_numpy = self._products.on_numpy
        if not (on_numpy and type(array) is np.ndarray and array.dtype == self.dtype):
            array = as_floating(array, name, self.dtype)
        if not (on_numpy and isinstance(array, np.ndarray)):
            array_namespace(self.factors[0]._array, array)  # raises if they differ
            if device(array) != self._device:
                raise ValueError(
                    f"{name} is on device {device(array)}, the operator on {self._device}: move "
                    "the array, or the operator by to_device(array)."
                )
        if array.ndim not in ndims:
            wanted = " or ".join(f"{ndim}-D" for ndim in ndims)
            raise ValueError(f"{name} must be {wanted}, got shape {tuple(array.shape)}.")
        size = self.shape[0 if adjoint else 1]
        if array.shape[axis] != size:
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}, but its axis {axis} must have length "
                f"{size}: the operator has shape {self.shape}."
            )
        return array

    def __getstate__(self) -> dict[str, Any]:
        return {"_factors": self.factors, "_dtype": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._setup(state["_factors"], state["_dtype"])

    def __repr__(self) -> str:
        m, n = self.shape
        count = len(self.factors)
        where = "" if self._products.on_numpy else f", {self._xp.__name__.split('.')[-1]}"
        return (
            f"FactorizedOperator({m} x {n}, {count} factor{'s' * (count > 1)}, nnz={self.nnz}, "
            f"{dtype_name(self.dtype)}{where})"
        )

    # What it is

    @property
    def factors(self) -> tuple[Any, ...]:
        """The factors, in the order of the product."""
        return self._products.factors

    @property
    def shape(self) -> tuple[int, int]:
        """Shape ``(n_out, n_in)``."""
        return self._products.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return 2

    @property
    def dtype(self) -> Any:
        """Dtype of the factors, as their array library calls it."""
        return self._products.dtype

    @property
    def nnz(self) -> int:
        """Number of stored entries, over all factors; selections have none."""
        return sum(factor.nnz for factor in self.factors)

    @property
    def density(self) -> float:
        """Stored entries, as a part of the ``n_out * n_in`` of the dense matrix."""
        n_out, n_in = self.shape
        return self.nnz / (n_out * n_in)

    @property
    def _xp(self) -> Any:
        return self._products.xp

    @property
    def _device(self) -> Any:
        return device(self.factors[0]._array)

    # Products

    def apply(self, X: Any) -> Any:
        """Map samples: ``X @ operator.T``.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix of shape (n_samples, n_in)
            One sample per row. A SciPy sparse matrix (NumPy operators only) stays sparse through
            the first factor that is applied; the result is dense.

        Returns
        -------
        array of shape (n_samples, n_out)
            The images, one per row.

        Raises
        ------
        TypeError
            If X is not numeric, or in half or extended precision.
        ValueError
            If X has the wrong shape, or comes from another array library or device.
        """
        if scipy.sparse.issparse(X):
            return self._products.sparse_rows(X)
        return self._products.rows(self._operand(X, "X", (2,), 1))

    def matvec(self, x: Any) -> Any:
        """Multiply a vector: ``operator @ x``.

        Parameters
        ----------
        x : array-like of shape (n_in,)
            The vector.

        Returns
        -------
        array of shape (n_out,)
            The product.
        """
        return self._products.vector(self._operand(x, "x", (1,), 0))

    def rmatvec(self, x: Any) -> Any:
        """Multiply a vector by the adjoint: ``operator.H @ x``.

        Parameters
        ----------
        x : array-like of shape (n_out,)
            The vector.

        Returns
        -------
        array of shape (n_in,)
            The product.
        """
        return self.H.matvec(x)

    def matmat(self, X: Any) -> Any:
        """Multiply a batch of vectors: ``operator @ X``.

        Parameters
        ----------
        X : array-like of shape (n_in, batch)
            One vector per column.

        Returns
        -------
        array of shape (n_out, batch)
            The products.
        """
        return self._products.columns(self._operand(X, "X", (2,), 0))

    def rmatmat(self, X: Any) -> Any:
        """Multiply a batch of vectors by the adjoint: ``operator.H @ X``.

        Parameters
        ----------
        X : array-like of shape (n_out, batch)
            One vector per column.

        Returns
        -------
        array of shape (n_in, batch)
            The products.
        """
        return self.H.matmat(X)

    def solve(self, B: Any) -> Any:
        """Multiply by the inverse, factor by factor and block by block.

        Parameters
        ----------
        B : array-like of shape (n_out,) or (n_out, batch)
            One vector, or one per column.

        Returns
        -------
        array of shape (n_in,) or (n_in, batch)
            The solutions of ``operator @ X = B``.

        Raises
        ------
        ValueError
            If a factor is not square (see :func:`least_squares_codes` then), or `B` does not fit.
        numpy.linalg.LinAlgError
            If a factor is singular.
        """
        for position, factor in enumerate(self.factors):
            if not factor._is_invertible:
                raise ValueError(
                    f"The operator has no inverse of its own: factors[{position}] = {factor!r} is "
                    "not invertible. Use least_squares_codes for the least-squares solution."
                )
        xp = self._xp
        X = self._operand(B, "B", (1, 2), 0, adjoint=True)
        dtype = xp.result_type(X.dtype, self.dtype)
        X = xp.astype(X, dtype, copy=True)
        is_vector = X.ndim == 1
        if is_vector:
            X = X[:, None]
        for factor in self.factors:
            X = factor.astype(dtype).solve(X)
        return xp.reshape(X, (-1,)) if is_vector else X

    def __matmul__(self, other: Any) -> Any:
        if isinstance(other, FactorizedOperator):
            return FactorizedOperator(self.factors + other.factors)
        other = self._operand(other, "The right operand of @", (1, 2), 0)
        return (self._products.vector if other.ndim == 1 else self._products.columns)(other)

    def __rmatmul__(self, other: Any) -> Any:
        other = self._operand(other, "The left operand of @", (1, 2), -1, adjoint=True)
        transposed = self.T._products
        return (transposed.vector if other.ndim == 1 else transposed.rows)(other)

    # Algebra

    @property
    def T(self) -> FactorizedOperator:
        """The transpose."""
        return self._once_and_back("T", "T", lambda: (f.T for f in reversed(self.factors)))

    @property
    def H(self) -> FactorizedOperator:
        """The conjugate transpose."""
        if not is_complex_dtype(self.dtype):
            return self.T
        return self._once_and_back("H", "H", lambda: (f.H for f in reversed(self.factors)))

    def __mul__(self, scalar: Any) -> FactorizedOperator:
        scalar = python_scalar(scalar)
        if scalar is NotImplemented:
            return NotImplemented
        return self._scaled(scalar, lambda values: values * scalar)

    __rmul__ = __mul__

    def __truediv__(self, scalar: Any) -> FactorizedOperator:
        scalar = python_scalar(scalar)
        if scalar is NotImplemented:
            return NotImplemented
        if scalar == 0:
            raise ZeroDivisionError("division of an operator by zero")
        return self._scaled(scalar, lambda values: values / scalar)

    def _scaled(self, scalar: Any, scale: Callable[[Any], Any]) -> FactorizedOperator:
        """`scale` applied to the values of the smallest factor with numbers."""
        if isinstance(scalar, complex) and not is_complex_dtype(self.dtype):
            wide = {"float32": "complex64", "float64": "complex128"}[dtype_name(self.dtype)]
            return self.astype(wide)._scaled(scalar, scale)
        factors = list(self.factors)
        if all(factor.dtype is None for factor in factors):  # a diagonal factor carries the number
            n = self.shape[0]
            ones = self._xp.ones((n, 1, 1, 1), dtype=self.dtype, device=self._device)
            factors.insert(0, KroneckerFactor._wrap(ones, KroneckerSparse(n, 1, 1, 1)))
        numerical = [i for i, factor in enumerate(factors) if factor.dtype is not None]
        smallest = min(numerical, key=lambda i: factors[i].nnz)
        factors[smallest] = factors[smallest]._scale(scale)
        return self._of(factors)

    def __neg__(self) -> FactorizedOperator:
        return self * -1.0

    def __pos__(self) -> FactorizedOperator:
        return self

    def astype(self, dtype: Any) -> FactorizedOperator:
        """Convert the factors.

        Parameters
        ----------
        dtype : dtype or str
            One of float32, float64, complex64 and complex128; of any array library, or its name.

        Returns
        -------
        FactorizedOperator
            The operator itself if it has that dtype.

        Raises
        ------
        TypeError
            If `dtype` is another one, or real for a complex operator.
        """
        dtype = namespace_dtype(dtype, self._xp)
        if dtype == self.dtype:
            return self
        if is_complex_dtype(self.dtype) and not is_complex_dtype(dtype):
            raise TypeError(
                f"The operator is complex, and dtype={dtype_name(dtype)} would drop the imaginary "
                "part of its factors. Factor the real part of the matrix instead."
            )
        return self._of([factor.astype(dtype) for factor in self.factors], dtype)

    def fuse(self, n: int | str = "auto") -> FactorizedOperator:
        """Multiply out neighbouring factors: fewer and denser ones, the same operator.

        Products of chainable neighbours are Kronecker-sparse again, and so are the transposes of
        such products; products of partial permutations are partial permutations. Other neighbours
        are left as they are.

        Parameters
        ----------
        n : int or "auto", default="auto"
            How many factors to leave, partial permutations not counted; the nearest possible
            number is taken. "auto" leaves what a cost model expects to be fastest for batches of
            64 vectors.

        Returns
        -------
        FactorizedOperator
            The same operator up to rounding; of all choices, the one with the least expected time.
            Of more than 64 factors, neighbours whose product costs no more than one of them are
            multiplied out first.

        Raises
        ------
        TypeError
            If `n` is neither an int nor "auto".
        ValueError
            If `n` is less than 1.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.linalg import hadamard
        >>> from skfact.butterfly import butterfly_factorize
        >>> op = butterfly_factorize(hadamard(64))
        >>> len(op.factors), len(op.fuse(2).factors), op.nnz, op.fuse(2).nnz
        (6, 2, 768, 1024)
        """
        if isinstance(n, str) and n == "auto":
            return self._of(self._products.usual_plan())
        if not is_number(n, int):
            raise TypeError(f"n must be a positive int or 'auto', got {n!r}.")
        n_left = positive_int(n, "n")
        runs = cheapest_partition(self.factors, numpy_cost(self.dtype, USUAL_BATCH), n_left)
        return self._of(fuse_runs(self.factors, runs))

    # Other forms and other places

    def toarray(self) -> Any:
        """Write the operator as a dense matrix.

        Returns
        -------
        array of shape (n_out, n_in)
            A new array in the library and on the device of the factors.
        """
        n_out, n_in = self.shape
        if n_in > n_out:
            return self._xp.asarray(self._xp.permute_dims(self.T.toarray(), (1, 0)), copy=True)
        identity = self._xp.eye(n_in, dtype=self.dtype, device=self._device)
        return self._products.columns(identity)

    def to_sparse(self) -> list[scipy.sparse.csr_array]:
        """Write the factors as SciPy sparse matrices, whose product is the operator.

        Returns
        -------
        list of scipy.sparse.csr_array
            One for each factor with numbers of its own; partial permutations are folded into a
            neighbour (an operator of nothing else becomes one matrix). They live on the host.
        """
        return csr_factors(self.factors, self.dtype)

    def to_device(self, where: Any) -> FactorizedOperator:
        """Move the factors to another array library or device.

        Parameters
        ----------
        where : {"numpy", "cupy"} or array
            A name, or an array: then the operator goes to the library and device of the array.

        Returns
        -------
        FactorizedOperator
            The operator there; itself if it is there already. A copy is made once and kept inside
            the operator (never pickled).

        Raises
        ------
        ValueError
            If `where` is another string.
        ImportError
            If CuPy is asked for and not installed.
        RuntimeError
            If CuPy finds no CUDA device.
        TypeError
            If the operator has a :class:`SparseFactor` and the library no sparse matrices, or
            `where` is no array.
        """
        if isinstance(where, str):
            if where == "auto":
                raise ValueError("where must be 'numpy', 'cupy' or an array, got 'auto'.")
            xp, place = compute_namespace(where, self.factors[0]._array)
        elif not is_array_api_obj(where):
            raise TypeError(f"where must be 'numpy', 'cupy' or an array, got {where!r}.")
        else:
            xp, place = array_namespace(where), device(where)
        if xp is self._xp and place == self._device:
            return self
        return self._once_and_back(
            f"on {xp.__name__}, {place}",
            f"on {self._xp.__name__}, {self._device}",
            lambda: [factor._to_device(xp, place) for factor in self.factors],
            namespace_dtype(self.dtype, xp),
        )

    def aslinearoperator(self) -> Any:
        """Wrap the operator for the solvers of SciPy, or of CuPy.

        Returns
        -------
        scipy.sparse.linalg.LinearOperator
            CuPy's where the factors are CuPy's. Each of its products is one batched product.

        Raises
        ------
        TypeError
            If the factors are of another array library.

        Examples
        --------
        >>> import numpy as np
        >>> from scipy.sparse.linalg import svds
        >>> from skfact.operators import FactorizedOperator
        >>> op = FactorizedOperator([np.diag([1.0, 2.0, 3.0, 4.0])])
        >>> svds(op.aslinearoperator(), k=1, return_singular_vectors=False).round(6)
        array([4.])
        """
        if self._products.on_numpy:
            from scipy.sparse.linalg import LinearOperator
        elif is_cupy_namespace(self._xp):
            from cupyx.scipy.sparse.linalg import LinearOperator
        else:
            raise TypeError(
                "aslinearoperator serves the solvers of SciPy and CuPy, but the operator's factors "
                f"are of {self._xp.__name__.split('.')[-1]}: use operator.to_device('numpy')."
            )
        return LinearOperator(
            self.shape,
            matvec=self.__matmul__,  # also of columns (n_in, 1)
            rmatvec=self.H.__matmul__,
            matmat=self.matmat,
            rmatmat=self.rmatmat,
            dtype=self.dtype,
        )

    def to_torch(self) -> Any:
        """Write the operator as a PyTorch module with trainable factors.

        Returns
        -------
        torch.nn.Sequential
            One layer for each factor, the last factor first; maps (..., n_in) to (..., n_out) as
            `apply` does. The values of the factors are its parameters.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        """
        from skfact.operators._torch import sequential

        return sequential(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the operator to a file, in NumPy's ``.npz`` format and without pickle.

        Parameters
        ----------
        path : str or path-like
            The file, under exactly this name: no suffix is appended. An existing file is
            replaced, once the new one is written completely: whatever fails, the old one stays,
            and nothing else is left in the folder. A symbolic link and the permissions stay; other
            hard links of the old file keep it. Pipes and devices are written to directly.

        Raises
        ------
        TypeError
            If `path` is no path.
        OSError
            If the file, or one beside it in its folder, cannot be written.

        See Also
        --------
        FactorizedOperator.load : Read it back.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import numpy as np
        >>> from skfact.operators import FactorizedOperator
        >>> op = FactorizedOperator([np.eye(3)])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "operator.npz"
        ...     op.save(path)
        ...     FactorizedOperator.load(path)
        FactorizedOperator(3 x 3, 1 factor, nnz=9, float64)
        """
        save(self.factors, self.dtype, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> FactorizedOperator:
        """Read an operator that :meth:`save` wrote.

        Sizes are compared with those that the file states for itself before any memory is taken,
        and nothing in the file is executed: files from unknown sources are safe to try.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        FactorizedOperator
            The operator, with NumPy factors wherever it lived when it was saved.

        Raises
        ------
        TypeError
            If `path` is no path.
        OSError
            If the file cannot be opened.
        ValueError
            If it is truncated, corrupted, inconsistent, or no such file at all: a device or a pipe,
            whose size is not known.
        """
        return load(path, lambda factors, dtype: cls(factors).astype(dtype))


def python_scalar(value: Any) -> Any:
    """A number of any kind as Python's float or complex; NotImplemented if it is none."""
    is_number = isinstance(value, numbers.Number | np.bool_)
    if not is_number and (isinstance(value, str | bytes) or getattr(value, "shape", None) != ()):
        return NotImplemented
    number = complex(value)
    real = not isinstance(value, complex) and not (
        hasattr(value, "dtype") and is_complex_dtype(value.dtype)
    )
    return number.real if real else number
