"""What factors have in common."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar

import numpy as np
import scipy.sparse

from skfact._inputs import dtype_name
from skfact.operators._no_array import NoArray

SELECTION = "selection"  # stands for the pattern of a factor that only selects entries


class Factor(NoArray, ABC):
    """What users and operators ask of a factor, which is immutable.

    A new kind of factor opens no other file, but for its module in `skfact.torch`.
    """

    __slots__ = ("_namespace", "shape")
    _kinds: ClassVar[dict[str, type[Factor]]] = {}  # by what files call them
    shape: tuple[int, int]
    _namespace: Any
    _pattern: Any = None  # a KroneckerSparse or SELECTION, where neighbours may be fused

    def __init_subclass__(cls, kind: str) -> None:
        super().__init_subclass__()
        Factor._kinds[kind] = cls
        for name, member in vars(cls).items():  # what all kinds have is documented here, once
            if isinstance(member, FunctionType | property) and hasattr(Factor, name):
                member.__doc__ = member.__doc__ or getattr(Factor, name).__doc__

    @property
    @abstractmethod
    def dtype(self) -> Any:
        """Dtype of the stored entries; None where a factor has none."""

    @property
    @abstractmethod
    def nnz(self) -> int:
        """Number of stored entries."""

    @property
    def nbytes(self) -> int:
        """Bytes of the stored entries and their indices."""
        return sum(
            math.prod(part.shape) * np.dtype(dtype_name(part.dtype)).itemsize
            for part in self._arrays
        )

    @property
    @abstractmethod
    def T(self) -> Any:
        """The transpose."""

    @property
    @abstractmethod
    def H(self) -> Any:
        """The conjugate transpose."""

    @abstractmethod
    def astype(self, dtype: Any) -> Any:
        """Convert the stored entries.

        Parameters
        ----------
        dtype : dtype or str
            One of float32, float64, complex64 and complex128.

        Returns
        -------
        factor
            The factor itself if it has that dtype, or no entries of its own.
        """

    @abstractmethod
    def apply(self, X: Any) -> Any:
        """Multiply a batch of vectors.

        Parameters
        ----------
        X : array of shape (n_in, batch)
            One vector per column, in the dtype, library and device of the factor.

        Returns
        -------
        array of shape (n_out, batch)
            The products; of a selection perhaps a view of `X`.
        """

    @abstractmethod
    def solve(self, B: Any) -> Any:
        """Multiply a batch of vectors by the inverse.

        Parameters
        ----------
        B : array of shape (n_out, batch)
            One vector per column, in the dtype, library and device of the factor.

        Returns
        -------
        array of shape (n_in, batch)
            The solutions.

        Raises
        ------
        ValueError
            If the factor, or a block of it, is not square.
        numpy.linalg.LinAlgError
            If it is singular.
        """

    @abstractmethod
    def toarray(self) -> Any:
        """Write the factor as a dense matrix.

        Returns
        -------
        array of shape (n_out, n_in)
            A new array in the library of the factor.
        """

    @abstractmethod
    def to_csr(self) -> scipy.sparse.csr_array:
        """Write the factor as a sparse matrix on the host.

        Returns
        -------
        scipy.sparse.csr_array of shape (n_out, n_in)
            All stored entries, zeros among them included; ones for a selection.
        """

    @property
    @abstractmethod
    def _array(self) -> Any:
        """The array that tells in which library and on which device the factor lives."""

    @property
    def _arrays(self) -> tuple[Any, ...]:
        """All arrays that are stored."""
        return (self._array,)

    @abstractmethod
    def _to_device(self, xp: Any, target: Any) -> Any:
        """The factor in another array library or on another device."""

    @abstractmethod
    def _described(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file says about the factor, and its arrays by name."""

    @classmethod
    @abstractmethod
    def _read(cls, file: Any) -> Any:
        """The factor from a file's `SavedFactor`, with arrays that nobody else writes to."""

    def _times(self, right: Any) -> Any:
        """The product with a neighbour that it can be fused with."""
        raise NotImplementedError

    def _scale(self, scale: Callable[[Any], Any]) -> Any:
        """The factor with `scale` applied to its numbers."""
        raise NotImplementedError

    def _is_safe(self) -> bool:
        """Whether, fused, it is far from overflow and underflow, as its parts may not have been."""
        return True

    @property
    def _is_invertible(self) -> bool:
        """Whether `solve` applies, unless the numbers are singular."""
        return self.shape[0] == self.shape[1]

    def _condition(self) -> float:
        """The condition number; infinite where the inverse is no factor of the kind."""
        return math.inf

    def _inverse(self) -> Any:
        """The inverse, where the condition number is finite."""
        raise NotImplementedError

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be set.")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable; {name!r} cannot be deleted.")

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self

    def _set(self, **attributes: Any) -> None:
        for name, value in attributes.items():
            object.__setattr__(self, name, value)
