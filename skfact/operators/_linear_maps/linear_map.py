"""Linear maps: products, norms, parts, and other forms."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np
import scipy.sparse
from array_api_compat import is_cupy_namespace

from skfact._backend import advise_if_full
from skfact._checks import is_number
from skfact.operators._linear_maps.algebra import Algebra, is_foreign_map
from skfact.operators._linear_maps.indexing import part
from skfact.operators._linear_maps.norms import frobenius_norm, spectral_norm
from skfact.operators._linear_maps.operand import dense_operand, sparse_operand
from skfact.operators._save import load, save


class LinearMap(Algebra):
    """What operators have in common, whatever they are made of."""

    _instead = (
        "pass its toarray() or aslinearoperator(), or multiply by it with @, or, a SciPy sparse "
        "matrix S on the left, with operator.T.apply(S)"
    )

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
        if type(X) is not np.ndarray and scipy.sparse.issparse(X):
            return self._products.sparse_rows(sparse_operand(X, "X", self._products, (1, 1)))
        X = dense_operand(X, "X", self._products, (2,), (1, 1))
        try:
            return self._products.rows(X)
        except (MemoryError, RuntimeError) as error:
            advise_if_full(error, f"{self!r} and rows of shape {tuple(X.shape)}")
            raise

    def matvec(self, x: Any) -> Any:
        """Multiply a vector: ``operator @ x``.

        Parameters
        ----------
        x : array-like of shape (n_in,) or (n_in, 1)
            The vector, or a column, as SciPy's iterations pass it.

        Returns
        -------
        array of shape (n_out,) or (n_out, 1)
            The product.
        """
        x = dense_operand(x, "x", self._products, (1, 2), (0, 1))
        if x.ndim == 1:
            return self._products.vector(x)
        if x.shape[1] != 1:
            raise ValueError(f"x must be one vector, got shape {tuple(x.shape)}: use matmat.")
        return self._products.columns(x)

    def rmatvec(self, x: Any) -> Any:
        """Multiply a vector by the adjoint: ``operator.H @ x``.

        Parameters
        ----------
        x : array-like of shape (n_out,) or (n_out, 1)
            The vector, or a column.

        Returns
        -------
        array of shape (n_in,) or (n_in, 1)
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
        X = dense_operand(X, "X", self._products, (2,), (0, 1))
        try:
            return self._products.columns(X)
        except (MemoryError, RuntimeError) as error:
            advise_if_full(error, f"{self!r} and columns of shape {tuple(X.shape)}")
            raise

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

    # Size and parts

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

        The spectral norm is computed in double precision. If the dense matrix has at most
        :math:`2^{16}` entries, it is made; else the norm comes from Lanczos' iteration, which ends
        where the residual of :math:`A^H A` is :math:`10^{-12}` of the eigenvalue (SciPy's `svds`).
        That is a lower bound up to rounding, and the norm of :math:`A` itself unless the start, a
        fixed vector of Gaussian numbers, is nearly orthogonal to all leading singular vectors.

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

    # Other forms

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
        elif is_cupy_namespace(xp := self._namespace):
            from cupyx.scipy.sparse.linalg import LinearOperator
        else:
            raise TypeError(
                "aslinearoperator serves the solvers of SciPy and CuPy, but the operator's factors "
                f"are of {xp.__name__.split('.')[-1]}: use operator.to_device('numpy')."
            )
        return LinearOperator(
            self.shape,
            matvec=self.__matmul__,  # also of columns (n_in, 1)
            rmatvec=self.H.__matmul__,
            matmat=self.matmat,
            rmatmat=self.rmatmat,
            dtype=self.dtype,
        )

    def to_torch(self, bias: Any = None) -> Any:
        """Write the operator as a PyTorch layer with trainable factors.

        Parameters
        ----------
        bias : array or tensor of shape (n_out,), default=None
            What the layer adds to the images.

        Returns
        -------
        skfact.torch.FactorizedLinear
            Maps (..., n_in) to (..., n_out) as `apply` does. Its parameters are copies of the
            numbers of the factors.

        Raises
        ------
        ImportError
            If PyTorch is not installed.

        See Also
        --------
        from_torch : The way back.
        """
        from skfact.torch._linear import FactorizedLinear

        return FactorizedLinear(self, bias)  # type: ignore[arg-type]

    @classmethod
    def from_torch(cls, module: Any) -> Self:
        """Make an operator of linear PyTorch layers.

        Parameters
        ----------
        module : torch.nn.Module
            A :class:`~skfact.torch.FactorizedLinear`, an `nn.Linear`, or an `nn.Sequential` of
            such layers, whose product it is. None of them has a bias.

        Returns
        -------
        FactorizedOperator or OperatorSum
            The linear map, with NumPy factors that are copies; half precision becomes single.

        Raises
        ------
        ImportError
            If PyTorch is not installed.
        TypeError
            If a layer is of another type, or the result is no operator of this class.
        ValueError
            If a layer has a bias, as no linear map has.
        """
        from skfact.torch._linear import operator_of

        operator = operator_of(module)
        if not isinstance(operator, cls):
            raise TypeError(
                f"module is a {type(operator).__name__}: call {type(operator).__name__}.from_torch."
            )
        return operator

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
