"""A factor that is a general sparse matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse
from array_api_compat import is_cupy_namespace

from skfact._backend import array_namespace, device, on_device_if_there
from skfact._inputs import as_floating, dtype_name, is_numpy, is_sparse, namespace_dtype
from skfact.operators._factors.factor import Factor


class SparseFactor(Factor, kind="sparse"):
    """Factor that is a general sparse matrix.

    Parameters
    ----------
    csr : SciPy sparse array or matrix, or CuPy sparse matrix
        The matrix, of any sparse format; copied to CSR. SciPy's goes with NumPy operators, CuPy's
        with CuPy operators; other array libraries have no sparse matrices that could serve, and
        moving the factor there raises TypeError (nothing is made dense silently).

    Attributes
    ----------
    csr : scipy.sparse.csr_array or cupyx.scipy.sparse.csr_matrix
        The matrix, with duplicates summed; not to be modified.
    shape : tuple of two int
        Shape ``(n_out, n_in)``.

    Raises
    ------
    TypeError
        If `csr` is not sparse, or not numeric, or in half or extended precision.
    ValueError
        If it is not two-dimensional, or has no rows or no columns.

    See Also
    --------
    FactorizedOperator : A product of factors.

    Examples
    --------
    >>> import scipy.sparse
    >>> from skfact.operators import SparseFactor
    >>> SparseFactor(scipy.sparse.eye_array(3))
    SparseFactor(3 x 3, nnz=3, float64)
    """

    __slots__ = ("csr",)
    csr: Any

    def __init__(self, csr: Any) -> None:
        if not is_sparse(csr):
            raise TypeError(
                f"csr must be a SciPy or CuPy sparse matrix, got {type(csr).__name__}: convert it "
                "with scipy.sparse.csr_array(csr)."
            )
        if len(csr.shape) != 2 or 0 in csr.shape:
            raise ValueError(
                f"csr must have two dimensions and at least one row and one column, got shape "
                f"{csr.shape}."
            )
        on_host = scipy.sparse.issparse(csr)
        csr = scipy.sparse.csr_array(csr, copy=True) if on_host else csr.tocsr(copy=True)
        csr = csr.astype(as_floating(csr.data, "csr").dtype, copy=False)
        csr.sum_duplicates()
        if on_host:
            for part in (csr.data, csr.indices, csr.indptr):
                part.flags.writeable = False
        shape = (int(csr.shape[0]), int(csr.shape[1]))
        self._set(csr=csr, shape=shape, _namespace=array_namespace(csr.data))

    def __reduce__(self) -> Any:
        if is_numpy(self._namespace):
            return SparseFactor, (self.csr,)
        return _on_device_if_there, (self.to_csr(),)

    def __repr__(self) -> str:
        m, n = self.shape
        return f"SparseFactor({m} x {n}, nnz={self.nnz}, {dtype_name(self.dtype)})"

    @property
    def dtype(self) -> Any:
        return self.csr.dtype

    @property
    def nnz(self) -> int:
        return int(self.csr.nnz)

    @property
    def T(self) -> SparseFactor:
        return SparseFactor(self.csr.T)

    @property
    def H(self) -> SparseFactor:
        return SparseFactor(self.csr.T.conj())

    def astype(self, dtype: Any) -> SparseFactor:
        dtype = namespace_dtype(dtype, self._namespace)
        return self if dtype == self.dtype else SparseFactor(self.csr.astype(dtype))

    def apply(self, X: Any) -> Any:
        return self.csr @ X

    def solve(self, B: Any) -> Any:
        if self.shape[0] != self.shape[1]:
            raise ValueError(f"{self!r} has no inverse: it is not square.")
        if is_numpy(self._namespace):
            from scipy.sparse.linalg import splu
        else:
            from cupyx.scipy.sparse.linalg import splu
        try:
            decomposition = splu(self.csr.tocsc())
        except RuntimeError as error:
            raise np.linalg.LinAlgError(
                f"The operator has no inverse: {self!r} is singular ({error})."
            ) from error
        return decomposition.solve(self._namespace.asarray(B, copy=True))

    def toarray(self) -> Any:
        return self.csr.toarray()

    def to_csr(self) -> scipy.sparse.csr_array:
        return (
            self.csr.copy() if is_numpy(self._namespace) else scipy.sparse.csr_array(self.csr.get())
        )

    def _to_device(self, xp: Any, target: Any) -> SparseFactor:
        if is_numpy(xp):
            return self if is_numpy(self._namespace) else SparseFactor(self.to_csr())
        if not is_cupy_namespace(xp):
            raise TypeError(
                f"A SparseFactor lives on NumPy or CuPy, not on {xp.__name__.split('.')[-1]}: give "
                "the factor as a dense 2-D array instead, or use the operator with NumPy arrays."
            )
        import cupyx.scipy.sparse

        with target:  # a CuPy device is a context
            return SparseFactor(cupyx.scipy.sparse.csr_matrix(self.csr))

    def _scale(self, scale: Callable[[Any], Any]) -> SparseFactor:
        scaled = self.csr.copy()
        scaled.data = scale(self.csr.data)
        return SparseFactor(scaled)

    @property
    def _array(self) -> Any:
        return self.csr.data

    @property
    def _arrays(self) -> tuple[Any, ...]:
        return self.csr.data, self.csr.indices, self.csr.indptr

    def _described(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        csr = self.to_csr()
        parts = {
            "data": csr.data,
            "indices": csr.indices.astype(np.int64),
            "indptr": csr.indptr.astype(np.int64),
        }
        return {"kind": "sparse", "shape": list(self.shape), "nnz": self.nnz}, parts

    @classmethod
    def _read(cls, file: Any) -> SparseFactor:
        n_out, nnz = file.shape[0], file.size(file.description["nnz"], least=0)
        entries = file.numbers("data", (nnz,)), file.integers("indices", nnz)
        indptr = file.integers("indptr", n_out + 1)
        csr = scipy.sparse.csr_array((*entries, indptr), shape=file.shape)
        csr.check_format(full_check=True)
        return cls(csr)


def _on_device_if_there(csr: scipy.sparse.csr_array) -> SparseFactor:
    """The factor of a matrix on the host, where the arrays beside it in a pickle are loaded."""
    place = on_device_if_there(np.empty(0))
    return SparseFactor(csr)._to_device(array_namespace(place), device(place))
