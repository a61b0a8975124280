"""What an operator is: shape, dtype, place, and its relatives, which are made once."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from math import prod
from typing import Any, Self

from array_api_compat import is_array_api_obj

from skfact._backend import advise_if_full, array_namespace, compute_namespace, device
from skfact._inputs import dtype_name, is_complex_dtype, namespace_dtype
from skfact.operators._no_array import NoArray
from skfact.operators._products import keep


class ImmutableMap(NoArray):
    """A linear map in one dtype, of one array library, on one device.

    A kind of operator has `_products`, which runs vectors through it, and the methods that are
    empty here.
    """

    _products: Any  # shape, dtype, xp, on_numpy, array; columns, rows, vector, sparse_rows

    def _setup(self, products: Any) -> None:
        vars(self)["__array_ufunc__"] = None  # CuPy asks the object, and leaves @ to it then
        self._products = products
        self._cache: dict[str, Any] = {}  # transposes, the inverse, copies on other devices

    # What a kind of operator says

    @property
    def _summands(self) -> Sequence[Any]:
        """The products of factors that it is the sum of."""
        raise NotImplementedError

    def _counted(self) -> str:
        """How many parts it has, in words."""
        raise NotImplementedError

    def _transposed(self) -> Self:
        """A new transpose."""
        raise NotImplementedError

    def _adjoint(self) -> Self:
        """A new conjugate transpose."""
        raise NotImplementedError

    def _converted(self, dtype: Any) -> Self:
        """The operator in another dtype."""
        raise NotImplementedError

    def _moved(self, xp: Any, place: Any) -> Self:
        """A copy in another array library or on another device."""
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

        def made() -> ImmutableMap:
            other = make()
            other._cache[back] = weakref.ref(self)
            return other

        found: Self = self._once(there, made)
        return found

    # What it is

    def __repr__(self) -> str:
        m, n = self.shape
        where = "" if self._products.on_numpy else f", {self._namespace.__name__.split('.')[-1]}"
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

    @property
    def _all_factors(self) -> Iterator[Any]:
        return (factor for term in self._summands for factor in term.factors)

    @property
    def _namespace(self) -> Any:
        return self._products.xp

    @property
    def _device(self) -> Any:
        return device(self._products.array)

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
        dtype = namespace_dtype(dtype, self._namespace)
        if dtype == self.dtype:
            return self
        if is_complex_dtype(self.dtype) and not is_complex_dtype(dtype):
            raise TypeError(
                f"The operator is complex, and dtype={dtype_name(dtype)} would drop the imaginary "
                "part of its factors. Factor the real part of the matrix instead."
            )
        return self._converted(dtype)

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
        if xp is self._namespace and place == self._device:
            return self
        try:
            return self._once_and_back(
                f"on {xp.__name__}, {place}",
                f"on {self._namespace.__name__}, {self._device}",
                lambda: self._moved(xp, place),
            )
        except (MemoryError, RuntimeError) as error:
            advise_if_full(error, repr(self))
            raise
