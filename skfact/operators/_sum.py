"""A linear map as a sum of products of sparse factors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse
from scipy.linalg import get_lapack_funcs, lu_solve

from skfact._backend import array_namespace, device
from skfact._checks import check_ordered
from skfact.operators._linear_maps.algebra import as_operator
from skfact.operators._linear_maps.linear_map import LinearMap
from skfact.operators._linear_maps.operand import right_hand_side
from skfact.operators._operator import FactorizedOperator


class OperatorSum(LinearMap, kind="sum"):
    """Linear map that is a sum of operators: ``terms[0] + ... + terms[-1]``.

    This is what ``op1 + op2`` and ``op1 - op2`` are, and it has the methods of an operator.

    Parameters
    ----------
    terms : iterable of operators, factors, 2-D arrays or SciPy sparse matrices
        What is summed, of one shape, in one array library and on one device; converted to the
        common dtype. Of a sum, its terms are taken. An array or a sparse matrix becomes an operator
        with this one factor: a dense array remains as expensive as it is.

    Attributes
    ----------
    terms : tuple of FactorizedOperator
        The terms; none of them is a sum.
    shape : tuple of two int
        Shape ``(n_out, n_in)``.

    Raises
    ------
    TypeError
        If a term is not numeric, or in half or extended precision.
    ValueError
        If there is no term, or if two terms differ in shape, array library or device.

    See Also
    --------
    FactorizedOperator : A product of factors.

    Notes
    -----
    A product with a sum costs as much as the products with all terms. The product of a sum and an
    operator is a sum again, of the products of each term and the operator: the operator is then
    applied once for each term. Terms that only select entries take the dtype of the others.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse
    >>> from skfact.operators import FactorizedOperator
    >>> low_rank = FactorizedOperator([np.ones((3, 1)), np.ones((1, 3))])
    >>> op = low_rank + scipy.sparse.eye_array(3)
    >>> op
    OperatorSum(3 x 3, 2 terms, nnz=9, float64)
    >>> op @ np.array([1.0, 2.0, 3.0])
    array([7., 8., 9.])
    >>> (2 * op - low_rank).toarray()
    array([[3., 1., 1.],
           [1., 3., 1.],
           [1., 1., 3.]])
    """

    def __init__(self, terms: Iterable[Any]) -> None:
        self._setup(SummedProducts(common_terms(terms)))

    def _of(self, terms: Iterable[FactorizedOperator]) -> OperatorSum:
        """A sum of terms that are known to fit together."""
        operator = type(self).__new__(type(self))
        operator._setup(SummedProducts(tuple(terms)))
        return operator

    def __getstate__(self) -> dict[str, Any]:
        return {"_terms": self.terms}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._setup(SummedProducts(state["_terms"]))

    @property
    def terms(self) -> tuple[FactorizedOperator, ...]:
        """The terms of the sum."""
        terms: tuple[FactorizedOperator, ...] = self._products.terms
        return terms

    @property
    def _summands(self) -> tuple[FactorizedOperator, ...]:
        return self.terms

    def _counted(self) -> str:
        return f"{len(self.terms)} term{'s' * (len(self.terms) > 1)}"

    # Algebra, term by term

    def _transposed(self) -> OperatorSum:
        return self._of(term.T for term in self.terms)

    def _adjoint(self) -> OperatorSum:
        return self._of(term.H for term in self.terms)

    def _scaled(self, scale: Callable[[Any], Any]) -> OperatorSum:
        return self._of(term._scaled(scale) for term in self.terms)

    def _between(self, left: Any, right: Any) -> OperatorSum:
        return self._of(term._between(left, right) for term in self.terms)

    def _converted(self, dtype: Any) -> OperatorSum:
        return self._of(term.astype(dtype) for term in self.terms)

    def _moved(self, xp: Any, place: Any) -> OperatorSum:
        return self._of(term._at(xp, place) for term in self.terms)

    def _dense(self) -> Any:
        return total(term.toarray() for term in self.terms)

    def fuse(self, n: int | str = "auto") -> OperatorSum:
        """Multiply out neighbouring factors in each term.

        Parameters
        ----------
        n : int or "auto", default="auto"
            How many factors to leave in each term; see :meth:`FactorizedOperator.fuse`.

        Returns
        -------
        OperatorSum
            The same operator up to rounding.

        Raises
        ------
        TypeError
            If `n` is neither an int nor "auto".
        ValueError
            If `n` is less than 1.
        """
        return self._of(term.fuse(n) for term in self.terms)

    def solve(self, B: Any) -> Any:
        """Multiply by the inverse.

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
            If the operator is not square (see :func:`least_squares_codes` then), or `B` does not
            fit.
        numpy.linalg.LinAlgError
            If the operator is singular.

        Notes
        -----
        The inverse of a sum has no structure: this makes the dense matrix, and keeps it inside the
        operator (never pickled). With NumPy its triangular factors are kept, so that a repeated
        call takes a number of operations proportional to ``n ** 2``.
        """
        if self.shape[0] != self.shape[1]:
            raise ValueError(
                f"The operator has no inverse: it has shape {self.shape}. Use least_squares_codes "
                "for the least-squares solution."
            )
        B = right_hand_side(B, self._products)
        if not self._products.on_numpy:
            dense = self._once("dense", lambda: FactorizedOperator([self.toarray()]))
            return dense.solve(B)
        dtype = np.result_type(B.dtype, self.dtype)
        lu = self._once(f"LU, {dtype}", lambda: lu_decomposition(self.toarray(), dtype))
        return lu_solve(lu, B, check_finite=False)

    def to_sparse(self) -> list[scipy.sparse.csr_array]:
        """Write the operator as SciPy sparse matrices, whose product it is.

        Returns
        -------
        list of scipy.sparse.csr_array
            As many as the longest term has factors with numbers of their own: those of all terms
            side by side, then along a diagonal, then one below the other. Shorter terms end with
            identities. They live on the host.
        """
        chains = [term.to_sparse() for term in self.terms]
        length = max(len(chain) for chain in chains)
        if length == 1:
            return [total(chain[0] for chain in chains)]
        identity = scipy.sparse.eye_array(self.shape[1], dtype=chains[0][0].dtype, format="csr")
        padded = [chain + [identity] * (length - len(chain)) for chain in chains]
        first, *middle, last = zip(*padded, strict=True)
        return [
            scipy.sparse.hstack(first, format="csr"),
            *(scipy.sparse.block_diag(row, format="csr") for row in middle),
            scipy.sparse.vstack(last, format="csr"),
        ]

    @classmethod
    def _read(cls, terms: list[list[Any]], dtype: Any) -> OperatorSum:
        return cls(FactorizedOperator._read([factors], dtype) for factors in terms)


class SummedProducts:
    """Products with the terms of a sum, which are known to fit together, added up."""

    def __init__(self, terms: tuple[FactorizedOperator, ...]) -> None:
        self.terms = terms
        first = terms[0]._products
        self.shape, self.dtype, self.array = first.shape, first.dtype, first.array
        self.xp, self.on_numpy = first.xp, first.on_numpy

    def columns(self, X: Any) -> Any:
        """Product with the columns of an array (n_in, batch)."""
        return self._total("columns", X)

    def rows(self, X: Any) -> Any:
        """The same for the rows of an array (batch, n_in)."""
        return self._total("rows", X)

    def vector(self, x: Any) -> Any:
        """The same for one vector (n_in,)."""
        return self._total("vector", x)

    def sparse_rows(self, X: Any) -> Any:
        """The same for the rows of a SciPy sparse matrix."""
        return total(term._products.sparse_rows(X) for term in self.terms)

    def _total(self, form: str, X: Any) -> Any:
        """The products of all terms in one array; `X` takes its dtype once for all of them."""
        first, *others = (term._products for term in self.terms)
        X = first._promoted(X)
        result = getattr(first, form)(X)
        for other in others:
            other.add(form, X, result)
        return result


def total(arrays: Iterator[Any]) -> Any:
    """Sum of new arrays of one dtype, of which only two are there at a time."""
    result = next(arrays)
    for array in arrays:
        result += array
    return result


def lu_decomposition(matrix: np.ndarray, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """The triangular factors, as `scipy.linalg.lu_solve` takes them; may overwrite the matrix."""
    matrix = matrix.astype(dtype, order="F", copy=False)
    (getrf,) = get_lapack_funcs(("getrf",), (matrix,))
    lu, pivots, info = getrf(matrix, overwrite_a=True)
    if info > 0:
        raise np.linalg.LinAlgError(f"The operator has no inverse: its pivot {info - 1} is zero.")
    return lu, pivots


def common_terms(terms: Iterable[Any]) -> tuple[FactorizedOperator, ...]:
    """The terms as products of factors, which fit together and have one dtype."""
    what = "a sequence of operators, factors, 2-D arrays or SciPy sparse matrices"
    if isinstance(terms, LinearMap) or getattr(terms, "ndim", None) == 2:
        raise TypeError(f"terms must be {what}, got one operator or matrix: wrap it, [terms].")
    check_ordered(terms, "terms", what)
    flat: list[FactorizedOperator] = []
    for i, term in enumerate(terms):
        flat += as_operator(term, f"terms[{i}]")._summands
    if not flat:
        raise ValueError("terms is empty; a sum needs at least one term.")
    arrays = [term._products.array for term in flat]
    xp = array_namespace(*arrays)
    if len({term.shape for term in flat}) > 1:
        raise ValueError(
            f"All terms of a sum must have one shape, got {[term.shape for term in flat]}."
        )
    if any(device(array) != device(arrays[0]) for array in arrays):
        raise ValueError("All terms of a sum must live on one device: move them by to_device.")
    numerical = [term for term in flat if any(f.dtype is not None for f in term.factors)]
    dtype = xp.result_type(*(term.dtype for term in numerical or flat))
    # a selection of complex dtype becomes real here, which astype would refuse
    return tuple(term if term.dtype == dtype else term._converted(dtype) for term in flat)
