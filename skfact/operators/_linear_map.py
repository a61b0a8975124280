"""What all operators are: linear maps with products, an adjoint and an algebra."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable
from math import prod
from typing import Any, Self

import numpy as np
import scipy.sparse
from array_api_compat import is_array_api_obj, is_cupy_namespace

from skfact._backend import array_namespace, compute_namespace, device
from skfact._checks import is_number
from skfact._inputs import dtype_name, is_complex_dtype, namespace_dtype
from skfact.operators._algebra import Algebra, is_foreign_map
from skfact.operators._indexing import part
from skfact.operators._norms import frobenius_norm, spectral_norm
from skfact.operators._operand import dense_operand, sparse_operand
from skfact.operators._products import keep
from skfact.operators._save import load, save


class LinearMap(Algebra):
    """An immutable linear map on vectors of one array library and device.

    A kind of operator has `_products`, which runs vectors through it, and the methods that are
    empty here.
    """

    _instead = (
        "pass its toarray() or aslinearoperator(), or multiply by it with @, or, a SciPy sparse "
        "matrix S on the left, with operator.T.apply(S)"
    )
    _products: Any  # shape, dtype, xp, on_numpy, array; columns, rows, vector, sparse_rows

    def _setup(self, products: Any) -> None:
        vars(self)["__array_ufunc__"] = None  # CuPy asks the object, and leaves @ to it then
        self._products = products
        self._cache: dict[str, Any] = {}  # transposes, the inverse, copies on other devices

    # What a kind of operator says

    @property
    def _all_factors(self) -> Iterable[Any]:
        """All factors that it is made of."""
        raise NotImplementedError

    def _counted(self) -> str:
        """How many parts it has, in words."""
        raise NotImplementedError

    def _transposed(self) -> Self:
        raise NotImplementedError

    def _adjoint(self) -> Self:
        raise NotImplementedError

    def _converted(self, dtype: Any) -> Self:
        """The operator in another dtype."""
        raise NotImplementedError

    def _moved(self, xp: Any, place: Any) -> Self:
        """A copy in another array library or on another device."""
        raise NotImplementedError

    @classmethod
    def _read(cls, terms: list[list[Any]], dtype: Any) -> Self:
        """The operator with the factors of a file, term by term."""
        raise NotImplementedError

    def _between(self, left: Any, right: Any) -> Self:
        """The operator between two factors that select entries, or None on one side."""
        raise NotImplementedError

    def _dense(self) -> Any:
        """The matrix (n_out, n_in), a new array."""
        raise NotImplementedError

    # What is made once

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        """What `make` gives, kept under a name and never pickled."""
        found = self._cache.get(name)
        if isinstance(found, weakref.ref):
            found = found()
        return keep(self._cache, name, make(), limit=8) if found is None else found

    def _once_and_back(self, there: str, back: str, make: Callable[[], Self]) -> Self:
        """A new operator, kept under a name, that knows us by another name.

        It does not keep us alive: there and back and there again would be copies without end.
        """

        def made() -> LinearMap:
            other = make()
            other._cache[back] = weakref.ref(self)
            return other

        found: Self = self._once(there, made)
        return found

    # What it is

    def __repr__(self) -> str:
        m, n = self.shape
        where = "" if self._products.on_numpy else f", {self._xp.__name__.split('.')[-1]}"
        return (
            f"{type(self).__name__}({m} x {n}, {self._counted()}, nnz={self.nnz}, "
            f"{dtype_name(self.dtype)}{where})"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Shape ``(n_out, n_in)``."""
        shape: tuple[int, int] = self._products.shape
        return shape

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
        return sum(factor.nnz for factor in self._all_factors)

    @property
    def density(self) -> float:
        """Stored entries, as a part of the ``n_out * n_in`` of the dense matrix."""
        return self.nnz / prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes of all stored entries and their indices; what stands in several places once."""
        factors = {id(factor): factor for factor in self._all_factors}
        return sum(factor.nbytes for factor in factors.values())

    def norm(self, ord: Any = "fro") -> float:
        r"""Size of the operator as a matrix.

        Parameters
        ----------
        ord : {"fro", 2}, default="fro"
            The Frobenius norm, root of the sum of squares of all entries, or the spectral norm,
            the largest singular value.

        Returns
        -------
        float
            The norm; NaN or infinite where an entry is.

        Raises
        ------
        ValueError
            If `ord` is anything else.
        RuntimeError
            If the iteration for a spectral norm does not converge.

        Notes
        -----
        The Frobenius norm takes as many products as the operator has rows or columns, of which
        there are fewer, in blocks of a few megabytes; it is exact up to the rounding of products.

        The spectral norm is computed in double precision. If the operator has at most 256 rows or
        columns, it is that of the dense matrix; else it comes from Lanczos' iteration, which ends
        where the residual of :math:`A^H A` is :math:`10^{-12}` of the eigenvalue (SciPy's `svds`).
        That is a lower bound up to rounding, and the norm of :math:`A` itself unless the start, a
        fixed vector of Gaussian numbers, is orthogonal to all leading singular vectors.

        Examples
        --------
        >>> import numpy as np
        >>> from skfact.operators import FactorizedOperator
        >>> op = FactorizedOperator([np.diag([3.0, 4.0])])
        >>> op.norm(), round(op.norm(2), 12)
        (5.0, 4.0)
        """
        if isinstance(ord, str) and ord == "fro":
            return frobenius_norm(self)
        if is_number(ord, float) and ord == 2:
            return spectral_norm(self)
        raise ValueError(
            f"ord must be 'fro' or 2, got {ord!r}: other norms need numpy.linalg.norm of toarray()."
        )

    def __getitem__(self, key: Any) -> Any:
        return part(self, key)

    __iter__ = None  # an array has rows, an operator makes each of them

    @property
    def _xp(self) -> Any:
        return self._products.xp

    @property
    def _device(self) -> Any:
        return device(self._products.array)

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
            return self._products.sparse_rows(sparse_operand(X, "X", self._products, (1, 1)))
        return self._products.rows(dense_operand(X, "X", self._products, (2,), (1, 1)))

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
        return self._products.vector(dense_operand(x, "x", self._products, (1,), (0, 1)))

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
        X : array-like or SciPy sparse matrix of shape (n_in, batch)
            One vector per column.

        Returns
        -------
        array of shape (n_out, batch)
            The products.
        """
        if scipy.sparse.issparse(X):
            return self._products.sparse_rows(sparse_operand(X, "X", self._products, (0, 1)).T).T
        return self._products.columns(dense_operand(X, "X", self._products, (2,), (0, 1)))

    def rmatmat(self, X: Any) -> Any:
        """Multiply a batch of vectors by the adjoint: ``operator.H @ X``.

        Parameters
        ----------
        X : array-like or SciPy sparse matrix of shape (n_out, batch)
            One vector per column.

        Returns
        -------
        array of shape (n_in, batch)
            The products.
        """
        return self.H.matmat(X)

    def __matmul__(self, other: Any) -> Any:
        if type(other) is not np.ndarray:
            if isinstance(other, LinearMap):
                return self._after(other)
            if scipy.sparse.issparse(other):
                return self.matmat(other)
            if is_foreign_map(other):
                return self.aslinearoperator() @ other
        products = self._products
        other = dense_operand(other, "The right operand of @", products, (1, 2), (0, 1))
        return (products.vector if other.ndim == 1 else products.columns)(other)

    def __rmatmul__(self, other: Any) -> Any:
        if scipy.sparse.issparse(other):
            return self.T.apply(other)
        if is_foreign_map(other):
            return other @ self.aslinearoperator()
        other = dense_operand(other, "The left operand of @", self._products, (1, 2), (-1, 0))
        transposed = self.T._products
        return (transposed.vector if other.ndim == 1 else transposed.rows)(other)

    # Relatives

    @property
    def T(self) -> Self:
        """The transpose."""
        return self._once_and_back("T", "T", self._transposed)

    @property
    def H(self) -> Self:
        """The conjugate transpose."""
        if not is_complex_dtype(self.dtype):
            return self.T
        return self._once_and_back("H", "H", self._adjoint)

    def conj(self) -> Self:
        """Conjugate the entries.

        Returns
        -------
        operator
            The complex conjugate; the operator itself if it is real.
        """
        return self.H.T if is_complex_dtype(self.dtype) else self

    def astype(self, dtype: Any) -> Self:
        """Convert the factors.

        Parameters
        ----------
        dtype : dtype or str
            One of float32, float64, complex64 and complex128; of any array library, or its name.

        Returns
        -------
        operator
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
        return self._converted(dtype)

    # Other places and other forms

    def to_device(self, where: Any) -> Self:
        """Move the factors to another array library or device.

        Parameters
        ----------
        where : {"numpy", "cupy"} or array
            A name, or an array: then the operator goes to the library and device of the array.

        Returns
        -------
        operator
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
            return self._at(*compute_namespace(where, self._products.array))
        if not is_array_api_obj(where):
            raise TypeError(f"where must be 'numpy', 'cupy' or an array, got {where!r}.")
        return self._at(array_namespace(where), device(where))

    def _at(self, xp: Any, place: Any) -> Self:
        """The operator in an array library and on a device of it."""
        if xp is self._xp and place == self._device:
            return self
        return self._once_and_back(
            f"on {xp.__name__}, {place}",
            f"on {self._xp.__name__}, {self._device}",
            lambda: self._moved(xp, place),
        )

    def toarray(self) -> Any:
        """Write the operator as a dense matrix.

        Returns
        -------
        array of shape (n_out, n_in)
            A new array in the library and on the device of the factors.
        """
        return self._dense()

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
        load_operator : Read a product or a sum, whichever it is.

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
        save([term.factors for term in self._summands], self.dtype, self._kind, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read an operator that :meth:`save` wrote.

        Sizes are compared with those that the file states for itself before any memory is taken,
        and nothing in the file is executed: files from unknown sources are safe to try.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        operator
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
        operator: Self = load(path, {cls._kind: cls._read})
        return operator


def load_operator(path: str | os.PathLike[str]) -> Any:
    """Read an operator from a file, be it a product or a sum.

    Parameters
    ----------
    path : str or path-like
        A file that the method `save` of an operator wrote. Files from unknown sources are safe to
        try.

    Returns
    -------
    FactorizedOperator or OperatorSum
        What was saved, with NumPy factors.

    Raises
    ------
    TypeError
        If `path` is no path.
    OSError
        If the file cannot be opened.
    ValueError
        If it holds no operator that can be read.

    See Also
    --------
    FactorizedOperator.save : Write an operator.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import numpy as np
    >>> from skfact.operators import FactorizedOperator, load_operator
    >>> op = FactorizedOperator([np.eye(3)]) + np.ones((3, 3))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "operator.npz"
    ...     op.save(path)
    ...     load_operator(path)
    OperatorSum(3 x 3, 2 terms, nnz=18, float64)
    """
    return load(path, {kind: operator._read for kind, operator in Algebra._kinds.items()})
