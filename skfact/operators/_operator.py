"""A linear map as a product of sparse factors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse

from .._backend import array_namespace, compute_namespace, device
from ._factors import Factor, KroneckerFactor, SparseFactor
from ._inputs import as_floating, is_numpy, namespace_dtype


class FactorizedOperator:
    """Linear map that is a product of sparse factors.

    Parameters
    ----------
    factors : iterable of factors
        The factors, in the order of the product: the last one is applied first.
    """

    __array_ufunc__ = None  # NumPy arrays and scalars on the left leave the operation to us

    def __init__(self, factors: Iterable[Any]) -> None:
        converted = [as_factor(factor, position) for position, factor in enumerate(factors)]
        if not converted:
            raise ValueError("factors is empty; an operator needs at least one factor.")
        self._factors = tuple(self._unify(converted))
        for position, (left, right) in enumerate(
            zip(self._factors[:-1], self._factors[1:], strict=True)
        ):
            if left.shape[1] != right.shape[0]:
                raise ValueError(
                    f"factors {position} and {position + 1} have shapes {left.shape} and "
                    f"{right.shape}: the columns of the first must equal the rows of the second."
                )
        self._shape = (self._factors[0].shape[0], self._factors[-1].shape[1])
        self._cache: dict[Any, Any] = {}

    def _unify(self, factors: list[Any]) -> list[Any]:
        """All factors in one namespace, on one device and of one dtype."""
        holders = [holder(factor) for factor in factors]
        numerical = [
            array
            for array, factor in zip(holders, factors, strict=True)
            if factor.dtype is not None
        ] or holders[:1]
        xp = array_namespace(*numerical)
        place = device(numerical[0])
        if any(device(array) != place for array in numerical):
            raise ValueError("The factors live on different devices; move them to one first.")
        self._dtype = (
            xp.result_type(*numerical)
            if factors_have_dtype(factors)
            else namespace_dtype("float64", xp)
        )
        return [
            factor.to_device(xp, place) if factor.dtype is None else factor.astype(self._dtype)
            for factor in factors
        ]

    @property
    def _xp(self) -> Any:
        if "xp" not in self._cache:
            array = holder(self._factors[0])
            self._cache["device"] = device(array)
            self._cache["xp"] = array_namespace(array)
        return self._cache["xp"]

    @property
    def _device(self) -> Any:
        _ = self._xp
        return self._cache["device"]

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_cache": {}}

    @property
    def shape(self) -> tuple[int, int]:
        """Shape (n_out, n_in)."""
        return self._shape

    @property
    def ndim(self) -> int:
        """Number of dimensions, 2."""
        return 2

    @property
    def dtype(self) -> Any:
        """Dtype of the values, an object of the array library."""
        return self._dtype

    @property
    def factors(self) -> tuple[Any, ...]:
        """The factors, in the order of the product."""
        return self._factors

    @property
    def nnz(self) -> int:
        """Number of stored entries of all factors."""
        return sum(factor.nnz for factor in self._factors)

    @property
    def density(self) -> float:
        """Stored entries over the entries of the dense matrix."""
        return self.nnz / (self.shape[0] * self.shape[1])

    def __repr__(self) -> str:
        return f"<FactorizedOperator {self.shape}>"

    def _like(self, factors: Iterable[Any], dtype: Any = None) -> FactorizedOperator:
        operator = FactorizedOperator(factors)
        return operator

    # products

    def _check(self, X: Any, axis: int, name: str = "X") -> Any:
        X = as_floating(X, name, self._dtype)
        xp = self._xp
        if not (isinstance(X, np.ndarray) and is_numpy(xp)):
            array_namespace(holder(self._factors[0]), X)
            if device(X) != self._device:
                raise ValueError(
                    f"{name} is on device {device(X)}, the operator on {self._device}; "
                    f"all must be on the same: use operator.to_device({name})."
                )
        if X.ndim != 2:
            raise ValueError(f"{name} must be 2-D, got shape {tuple(X.shape)}.")
        if X.shape[axis] != self.shape[1]:
            raise ValueError(
                f"{name} has shape {tuple(X.shape)}; its axis {axis} must have length "
                f"{self.shape[1]} for an operator of shape {self.shape}."
            )
        return X

    def _multiply(self, X: Any) -> Any:
        """Product with checked columns."""
        xp = self._xp
        factors = self._factors
        if X.dtype != self._dtype:
            dtype = xp.result_type(X.dtype, self._dtype)
            X = xp.astype(X, dtype, copy=False)
            if dtype != self._dtype:
                factors = tuple(factor.astype(dtype) for factor in factors)
        result = X
        for factor in reversed(factors):
            result = factor.apply(result)
        if not factors_have_dtype(factors):
            result = xp.asarray(result, copy=True)
        return result

    def matmat(self, X: Any) -> Any:
        """Product with a matrix."""
        return self._multiply(self._check(X, 0))

    def apply(self, X: Any) -> Any:
        """Map rows: ``X @ operator.T``."""
        X = self._check(X, 1)
        return self._xp.permute_dims(self._multiply(self._xp.permute_dims(X, (1, 0))), (1, 0))

    @property
    def T(self) -> FactorizedOperator:
        """The transpose."""
        return self._like(factor.T for factor in reversed(self._factors))

    @property
    def H(self) -> FactorizedOperator:
        """The conjugate transpose."""
        return self._like(factor.H for factor in reversed(self._factors))

    def toarray(self) -> Any:
        """The dense matrix, of shape (n_out, n_in)."""
        identity = self._xp.eye(self.shape[1], dtype=self._dtype, device=self._device)
        return self._multiply(identity)

    def to_device(self, where: Any) -> FactorizedOperator:
        """The operator with its factors elsewhere; cached, never pickled."""
        if isinstance(where, str):
            xp, place = compute_namespace(where, holder(self._factors[0]))
        else:
            xp, place = array_namespace(where), device(where)
        if xp is self._xp and place == self._device:
            return self
        key = ("device", xp.__name__, str(place))
        if key not in self._cache:
            self._cache[key] = FactorizedOperator(
                factor.to_device(xp, place) for factor in self._factors
            )
        return self._cache[key]


def holder(factor: Any) -> Any:
    """The array that tells where a factor lives."""
    if isinstance(factor, KroneckerFactor):
        return factor.values
    return factor.csr.data if isinstance(factor, SparseFactor) else factor.index


def factors_have_dtype(factors: Iterable[Any]) -> bool:
    """Whether a factor has numbers of its own (is no partial permutation)."""
    return any(factor.dtype is not None for factor in factors)


def as_factor(factor: Any, position: int) -> Any:
    """A factor as one of the three classes: 2-D arrays become dense patterns."""
    if isinstance(factor, Factor):
        return factor
    if scipy.sparse.issparse(factor) or type(factor).__module__.startswith("cupyx.scipy.sparse"):
        return SparseFactor(factor)
    array = as_floating(factor, f"factors[{position}]")
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(
            f"factors[{position}] must be a factor, a SciPy sparse matrix or a 2-D array with at "
            f"least one entry, got an array of shape {tuple(array.shape)}."
        )
    m, n = array.shape
    return KroneckerFactor(array_namespace(array).reshape(array, (1, 1, m, n)), (1, m, n, 1))
