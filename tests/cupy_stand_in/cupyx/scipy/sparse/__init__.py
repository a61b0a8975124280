"""Sparse matrices of a device."""

from __future__ import annotations

from typing import Any

import scipy.sparse
from cupy._array import launch, wrapped
from cupy._ledger import ledger

from cupyx.scipy.sparse import linalg


class csr_matrix:
    """SciPy's, of which the host sees shapes only; of rows or, where transposed, of columns."""

    def __init__(self, host: Any) -> None:
        if scipy.sparse.issparse(host):
            ledger.to_device.append(host.data.nbytes)
        self.host = scipy.sparse.csr_matrix(getattr(host, "host", host))
        self.data = self.host.data

    shape = property(lambda self: self.host.shape)
    dtype = property(lambda self: self.host.dtype)
    nnz = property(lambda self: self.host.nnz)

    @property
    def data(self) -> Any:
        return self._data

    @data.setter
    def data(self, values: Any) -> None:
        self._data = values if hasattr(values, "on_host") else wrapped(values)
        self.host.data = self._data.on_host

    def get(self) -> scipy.sparse.csr_matrix:
        ledger.to_host.append(self.data.nbytes)
        ledger.wait("get")
        return self.host.copy()

    def tocsr(self, copy: bool = False) -> csr_matrix:
        return self.copy() if copy else self

    def tocsc(self) -> csr_matrix:
        return self.copy()

    def copy(self) -> csr_matrix:
        return self._of(self.host.copy())

    def astype(self, dtype: Any, copy: bool = True) -> csr_matrix:
        return self if self.dtype == dtype and not copy else self._of(self.host.astype(dtype))

    def conj(self) -> csr_matrix:
        return self._of(self.host.conj())

    @property
    def T(self) -> csr_matrix:
        return self._of(self.host.T)

    def sum_duplicates(self) -> None:
        ledger.wait("sum_duplicates")

    def toarray(self) -> Any:
        return launch("toarray", self.host.toarray)

    def __matmul__(self, other: Any) -> Any:
        return launch("spmm", self.host.__matmul__, other)

    def __reduce__(self) -> Any:
        return csr_matrix, (self.get(),)

    def _of(self, host: Any) -> csr_matrix:
        new = csr_matrix.__new__(csr_matrix)
        new.host = scipy.sparse.csr_matrix(host)
        new.data = new.host.data
        return new
