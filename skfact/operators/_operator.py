"""A linear map as a product of sparse factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import scipy.sparse

from skfact._checks import is_number, positive_int
from skfact._inputs import namespace_dtype
from skfact.operators._factors import SELECTION, KroneckerFactor, assemble
from skfact.operators._fuse import USUAL_BATCH, cheapest_partition, fuse_runs, numpy_cost
from skfact.operators._linear_maps.linear_map import LinearMap
from skfact.operators._linear_maps.operand import right_hand_side
from skfact.operators._products import Products, csr_factors
from skfact.supports import KroneckerSparse


class FactorizedOperator(LinearMap, kind="product"):
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

    ``op @ X`` of an array or a SciPy sparse matrix is a dense array, and of another operator an
    operator; of a LinearOperator, as with ``+``, a LinearOperator. ``op + other`` and
    ``op - other`` are an :class:`OperatorSum`, to which a 2-D array or a sparse matrix adds a term.

    ``op[i, j]``, ``op[i, :]`` and ``op[:, j]`` are an entry, a row and a column, as arrays.
    ``op[rows, :]``, ``op[:, columns]`` and ``op[numpy.ix_(rows, columns)]`` are operators: they
    select with a factor at the end. Rows and columns are slices, lists or masks.

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
        factors, dtype = assemble(factors)
        self._setup(Products(tuple(factors), dtype))

    def _of(self, factors: Iterable[Any], dtype: Any = None) -> FactorizedOperator:
        """An operator of factors that are known to fit together, in our dtype or another one."""
        operator = type(self).__new__(type(self))
        operator._setup(Products(tuple(factors), self.dtype if dtype is None else dtype))
        return operator

    def __getstate__(self) -> dict[str, Any]:
        return {"_factors": self.factors, "_dtype": self.dtype}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._setup(Products(state["_factors"], state["_dtype"]))

    # What it is

    @property
    def factors(self) -> tuple[Any, ...]:
        """The factors, in the order of the product."""
        factors: tuple[Any, ...] = self._products.factors
        return factors

    @property
    def _summands(self) -> tuple[FactorizedOperator]:
        return (self,)

    def _counted(self) -> str:
        return f"{len(self.factors)} factor{'s' * (len(self.factors) > 1)}"

    # Products

    def solve(self, B: Any) -> Any:
        """Multiply by the inverse, factor by factor and block by block.

        Parameters
        ----------
        B : array-like or SciPy sparse matrix of shape (n_out,) or (n_out, batch)
            One vector, or one per column.

        Returns
        -------
        array of shape (n_in,) or (n_in, batch)
            The solutions of ``operator @ X = B``, dense.

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
        xp = self._namespace
        X = right_hand_side(B, self._products)
        dtype = xp.result_type(X.dtype, self.dtype)
        X = xp.astype(X, dtype, copy=True)
        is_vector = X.ndim == 1
        if is_vector:
            X = X[:, None]
        for factor in self.factors:
            X = factor.astype(dtype).solve(X)
        return xp.reshape(X, (-1,)) if is_vector else X

    # Algebra

    def _transposed(self) -> FactorizedOperator:
        return self._of(factor.T for factor in reversed(self.factors))

    def _adjoint(self) -> FactorizedOperator:
        return self._of(factor.H for factor in reversed(self.factors))

    def _scaled(self, scale: Callable[[Any], Any]) -> FactorizedOperator:
        """`scale` applied to the values of the smallest factor with numbers."""
        factors = list(self.factors)
        if all(factor.dtype is None for factor in factors):  # a diagonal factor carries the number
            n = self.shape[0]
            ones = self._namespace.ones((n, 1, 1, 1), dtype=self.dtype, device=self._device)
            factors.insert(0, KroneckerFactor._wrap(ones, KroneckerSparse(n, 1, 1, 1)))
        numerical = [i for i, factor in enumerate(factors) if factor.dtype is not None]
        smallest = min(numerical, key=lambda i: factors[i].nnz)
        factors[smallest] = factors[smallest]._scale(scale)
        return self._of(factors)

    def _between(self, left: Any, right: Any) -> FactorizedOperator:
        factors = list(self.factors)
        if left is not None:
            factors[:1] = joined(left, factors[0])
        if right is not None:
            factors[-1:] = joined(factors[-1], right)
        return self._of(factors)

    def _converted(self, dtype: Any) -> FactorizedOperator:
        return self._of([factor.astype(dtype) for factor in self.factors], dtype)

    def _moved(self, xp: Any, place: Any) -> FactorizedOperator:
        factors = [factor._to_device(xp, place) for factor in self.factors]
        return self._of(factors, namespace_dtype(self.dtype, xp))

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

    # Other forms

    def _dense(self) -> Any:
        n_out, n_in = self.shape
        if n_in > n_out:
            return self._namespace.asarray(
                self._namespace.permute_dims(self.T.toarray(), (1, 0)), copy=True
            )
        identity = self._namespace.eye(n_in, dtype=self.dtype, device=self._device)
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

    @classmethod
    def _read(cls, terms: list[list[Any]], dtype: Any) -> FactorizedOperator:
        (factors,) = terms
        return cls(factors).astype(dtype)


def joined(left: Any, right: Any) -> list[Any]:
    """Two neighbours, as one factor if both only select entries."""
    if left._pattern == right._pattern == SELECTION:
        return [left._times(right)]
    return [left, right]
