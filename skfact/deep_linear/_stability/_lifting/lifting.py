"""The lifting operator: what makes the product of factors of their rank-one tensor."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.linalg
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from skfact._backend import array_namespace, is_array_api_obj
from skfact._checks import check_number
from skfact.deep_linear._stability._lifting.structure import Structure, as_structure

MAX_BYTES = 2**30  # of the matrix that `toarray` forms
TOGETHER = 2**22  # numbers of partial products that are held at a time
LARGEST_SVD = 2048  # shorter side of a matrix whose singular values are computed
LARGEST_GRAM = 2**22  # numbers in the Gram matrices of partial products


class LiftingOperator:
    r"""The linear operator that makes the product of factors of their rank-one tensor.

    Made by :func:`lifting_operator`. For factors :math:`M_k(h_k)`, linear in :math:`h_k`, it is the
    one linear map with

    .. math:: \mathcal{A}\,(h_1 \otimes \cdots \otimes h_K)
              = \mathrm{vec}(M_1(h_1) \cdots M_K(h_K)).

    Its column for the indices :math:`(s_1, \ldots, s_K)` is the product of the factors of the unit
    vectors with these numbers. Products with it go through the factors one after another, and
    never form it.

    Parameters
    ----------
    structure : Chain, list or SparseDeepLinearNet
        Where the factors may be non-zero, or what else they may be.

    Attributes
    ----------
    shape : pair of int
        ``(n_out * n_in, S_1 * ... * S_K)``.
    sizes : tuple of int
        The lengths S_k of the parameter vectors: the shape of the tensors.
    dtype : dtype
        float64: the maps are real. Tensors keep their own.

    See Also
    --------
    lifting_operator : Makes it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ToeplitzFactor, lifting_operator
    >>> lift = lifting_operator([ToeplitzFactor(1, 2), ToeplitzFactor(2, 1)])
    >>> lift.shape
    (1, 4)
    >>> lift.toarray()
    array([[0., 1., 1., 0.]])
    """

    dtype = np.dtype(np.float64)

    def __init__(self, structure: Any) -> None:
        self._structure = as_structure(structure)
        self.sizes = self._structure.sizes
        self.shape = self._structure.n_entries, self._structure.n_columns

    def __repr__(self) -> str:
        m, n = self._structure.shape
        sizes = " x ".join(map(str, self.sizes))
        return f"LiftingOperator({self.shape[0]} x {self.shape[1]}: {sizes} -> {m} x {n})"

    def matvec(self, tensor: Any) -> Any:
        """Apply the operator to a tensor, of rank one or not.

        Parameters
        ----------
        tensor : array of shape (S_1 * ... * S_K,) or (S_1, ..., S_K)
            Real or complex, of any array library; a vector is read in C order.

        Returns
        -------
        product : array of shape (n_out * n_in,)
            In the library, on the device and in the precision of the tensor; row by row.

        Raises
        ------
        TypeError
            If the tensor is no array of numbers.
        ValueError
            If it has another number of entries.
        """
        xp, tensor = self._checked(tensor, self.shape[1], "tensor", self.sizes)
        return xp.reshape(
            self._sum(0, xp.reshape(tensor, (1, *self.sizes)), self._last_basis(tensor)), (-1,)
        )

    def rmatvec(self, vector: Any) -> Any:
        """Apply the adjoint, to a vector or a matrix of the shape of the product.

        Parameters
        ----------
        vector : array of shape (n_out * n_in,) or (n_out, n_in)
            Real or complex, of any array library.

        Returns
        -------
        tensor : array of shape (S_1 * ... * S_K,)
            Its inner products with the columns, in C order.

        Raises
        ------
        TypeError
            If the vector is no array of numbers.
        ValueError
            If it has another number of entries.
        """
        shape = self._structure.shape
        xp, vector = self._checked(vector, self.shape[0], "vector", shape)
        return xp.reshape(
            self._correlate(0, xp.reshape(vector, (1, *shape)), self._last_basis(vector)), (-1,)
        )

    def matmat(self, tensors: Any) -> Any:
        """Apply the operator to several tensors at once.

        Parameters
        ----------
        tensors : array of shape (S_1 * ... * S_K, count)
            One tensor per column.

        Returns
        -------
        products : array of shape (n_out * n_in, count)
            One product per column.

        Raises
        ------
        TypeError
            If it is no array of numbers.
        ValueError
            If it has another shape.
        """
        xp = array_namespace(tensors)
        shape: tuple[int, ...] = tuple(getattr(tensors, "shape", ()))
        if len(shape) != 2 or shape[0] != self.shape[1]:
            raise ValueError(f"tensors must have shape ({self.shape[1]}, count), got {shape}.")
        flat = xp.reshape(xp.matrix_transpose(tensors), (-1,))
        _, flat = self._checked(flat, self.shape[1] * shape[1], "tensors", shape)
        found = self._sum(0, xp.reshape(flat, (shape[1], *self.sizes)), self._last_basis(flat))
        return xp.matrix_transpose(xp.reshape(found, (shape[1], self.shape[0])))

    def aslinearoperator(self) -> LinearOperator:
        """Return it as an operator of SciPy, for its iterative solvers.

        Returns
        -------
        operator : scipy.sparse.linalg.LinearOperator
            With the same products.
        """
        return aslinearoperator(self)

    def toarray(self, *, max_bytes: int = MAX_BYTES) -> np.ndarray:
        """Return it as a dense matrix.

        Parameters
        ----------
        max_bytes : int, default=2**30
            The largest matrix that is formed.

        Returns
        -------
        matrix : ndarray of shape (n_out * n_in, S_1 * ... * S_K)
            In float64.

        Raises
        ------
        TypeError
            If `max_bytes` is not an integer.
        ValueError
            If the matrix has more bytes.
        """
        check_number(max_bytes, "max_bytes", int, 1)
        n_bytes = 8 * math.prod(self.shape)
        if n_bytes > max_bytes:
            raise ValueError(
                f"The lifting operator of shape {self.shape[0]} x {self.shape[1]} has "
                f"{n_bytes:.3g} bytes as a matrix, more than max_bytes={max_bytes}. Apply it with "
                "matvec and rmatvec, which never form it, or raise max_bytes."
            )
        bases = self._structure.bases
        columns = bases[0]  # (tuples so far, n_out, rows of the next factor)
        for basis in bases[1:]:
            pairs = columns[:, None] @ basis[None]
            columns = pairs.reshape(-1, *pairs.shape[2:])
        return np.ascontiguousarray(columns.reshape(self.shape[1], self.shape[0]).T)

    @property
    def _is_decomposed(self) -> bool:
        """Whether singular values are those of the matrix itself: all are told from zero then."""
        return min(self.shape) <= LARGEST_SVD and math.prod(self.shape) <= LARGEST_GRAM

    def singular_values(self) -> np.ndarray:
        """Return the singular values that are not zero.

        Of masks and Kronecker-sparse patterns they are known: the square roots of the numbers of
        paths from a row to a column through the supports, one for each entry of the product that
        may be non-zero. Of other structures they are computed, from the matrix or from its Gram
        matrix over the entries of the product, which needs no tensor; then values below 1e-6 times
        the largest count as zero.

        Returns
        -------
        values : ndarray of shape (rank,)
            In descending order.

        Raises
        ------
        ValueError
            If the structure is too large for either.
        """
        found = path_counts(self._structure)
        if found is not None:
            return np.sqrt(np.sort(found)[::-1])
        if self._is_decomposed:
            values = scipy.linalg.svdvals(self.toarray())
            return values[values > 10 * max(self.shape) * np.finfo(float).eps * values[0]]
        squares = np.linalg.eigvalsh(self._gram())[::-1]
        return np.sqrt(squares[squares > 1e-12 * squares[0]])

    def _gram(self) -> np.ndarray:
        """The operator times its adjoint, (n_out n_in, n_out n_in), from the last factor on."""
        shapes = [one.shape for one in self._structure.sets]
        inner = [rows * self._structure.shape[1] for rows, _ in shapes]
        outer = [rows * columns for rows, columns in shapes]
        large = max(self.shape[0], *inner, *outer) ** 2 > LARGEST_GRAM
        if large or max(s * o for s, o in zip(self.sizes, outer)) > LARGEST_GRAM:
            raise ValueError(
                f"The singular values of a lifting operator of shape {self.shape[0]} x "
                f"{self.shape[1]} take too much memory. Ask scipy.sparse.linalg.svds for some of "
                "them, of aslinearoperator(), or study a smaller structure of the same kind."
            )
        found = None
        for basis in reversed(self._structure.bases):
            size, m, n = basis.shape
            flat = basis.reshape(size, m * n)
            own = (flat.T @ flat).reshape(m, n, m, n)
            found = own if found is None else _joined(own, found)
        assert found is not None
        return found.reshape(self.shape[0], self.shape[0])

    def _checked(self, array: Any, count: int, name: str, shape: Any) -> tuple[Any, Any]:
        """Namespace of an array, and the array in a floating dtype."""
        if not is_array_api_obj(array):
            raise TypeError(
                f"{name} must be an array (NumPy, PyTorch, CuPy or any array-API array), got "
                f"{type(array).__name__}."
            )
        xp = array_namespace(array)
        if not xp.isdtype(array.dtype, ("bool", "numeric")):
            raise TypeError(f"{name} must hold numbers, got dtype {array.dtype}.")
        if math.prod(array.shape) != count:
            raise ValueError(
                f"{name} has shape {tuple(array.shape)}, expected {count} entries: a vector, or "
                f"an array of shape {tuple(shape)}."
            )
        floating = xp.isdtype(array.dtype, ("real floating", "complex floating"))
        return xp, array if floating else xp.astype(array, xp.float64)

    def _sum(self, k: int, T: Any, last: Any) -> Any:
        """Sums over tuples from factor k on: (batch, S_k, .., S_K) to (batch, rows, n_in)."""
        xp, one = array_namespace(T), self._structure.sets[k]
        batch, size = T.shape[:2]
        rows, n_in = one.shape[0], self._structure.shape[1]
        if k == len(self.sizes) - 1:
            return xp.reshape(T @ last, (batch, rows, n_in))
        inner = one.shape[1]
        tails = None
        if batch * math.prod(T.shape[1:-1]) * self._structure.sets[-1].shape[0] * n_in <= TOGETHER:
            together = self._sum(k + 1, xp.reshape(T, (batch * size, *T.shape[2:])), last)
            tails = xp.reshape(together, (batch, size, inner, n_in))
        total = None
        for s in range(size):
            tail = self._sum(k + 1, T[:, s, ...], last) if tails is None else tails[:, s, :, :]
            tall = xp.reshape(xp.permute_dims(tail, (1, 0, 2)), (inner, batch * n_in))
            term = one.times(self._structure.unit(k, s, T), tall)
            total = term if total is None else total + term
        return xp.permute_dims(xp.reshape(total, (rows, batch, n_in)), (1, 0, 2))

    def _correlate(self, k: int, X: Any, last: Any) -> Any:
        """Inner products with tuples from k on: (batch, rows, n_in) to (batch, S_k, .., S_K)."""
        xp, one = array_namespace(X), self._structure.sets[k]
        batch, rows, n_in = X.shape
        if k == len(self.sizes) - 1:
            return xp.reshape(X, (batch, -1)) @ xp.matrix_transpose(last)
        size, inner = self.sizes[k], one.shape[1]
        tall = xp.reshape(xp.permute_dims(X, (1, 0, 2)), (rows, batch * n_in))
        parts = []
        for s in range(size):
            moved = one.adjoint_times(self._structure.unit(k, s, X), tall)
            head = xp.permute_dims(xp.reshape(moved, (inner, batch, n_in)), (1, 0, 2))
            parts.append(self._correlate(k + 1, head, last))
        return xp.stack(parts, axis=1)

    def _last_basis(self, like: Any) -> Any:
        """Matrices of the unit vectors of the last factor, as rows (S_K, rows * n_in)."""
        xp, last = array_namespace(like), len(self.sizes) - 1
        one = self._structure.sets[last]
        rows = [
            xp.reshape(one.dense(self._structure.unit(last, s, like)), (-1,))
            for s in range(self.sizes[last])
        ]
        return xp.stack(rows)


def lifting_operator(structure: Any) -> LiftingOperator:
    r"""Return the linear operator from rank-one tensors to the products of factors.

    A product of factors that are linear in parameter vectors :math:`h_1, \ldots, h_K` is a linear
    function of the tensor :math:`h_1 \otimes \cdots \otimes h_K` [1]_: what the product says about
    the factors is what this operator says about tensors of rank one.

    Parameters
    ----------
    structure : Chain, list or SparseDeepLinearNet
        A chain; a list with one :class:`~skfact.supports.KroneckerSparse`, mask,
        :class:`ToeplitzFactor`, :class:`CirculantFactor` or :class:`StructuredFactor` per factor,
        with shapes that chain; or an estimator, fitted unless it has such supports itself.
        Parameters are, of a mask, its entries row by row, of a pattern its blocks (a, d, b, c) in
        C order, of other factors their own vector.

    Returns
    -------
    lift : LiftingOperator
        With `shape`, `matvec`, `rmatvec`, `matmat`, `toarray` and `singular_values`.

    Raises
    ------
    TypeError
        If it is no structure, or a factor has a budget of non-zeros.
    ValueError
        If shapes do not chain, a mask is empty, an adjoint is wrong, or an estimator is not fitted.

    See Also
    --------
    lifting_rank : Its rank.
    structure_identifiability : Whether products determine their factors.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 5.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import lifting_operator
    >>> from skfact.supports import Chain
    >>> lift = lifting_operator(Chain.butterfly(4))
    >>> lift
    LiftingOperator(16 x 64: 8 x 8 -> 4 x 4)
    >>> h = np.arange(1.0, 9), np.ones(8)
    >>> lift.matvec(np.multiply.outer(*h)).reshape(4, 4)
    array([[1., 1., 2., 2.],
           [5., 5., 6., 6.],
           [3., 3., 4., 4.],
           [7., 7., 8., 8.]])
    >>> lift.singular_values()
    array([1., 1., 1., ..., 1., 1., 1.])
    """
    return LiftingOperator(structure)


def path_counts(structure: Structure) -> np.ndarray | None:
    """Number of paths to each entry of the product that may be non-zero; None without masks.

    A column of the lifting operator of masks is zero or a unit vector, the same for every path
    from a row to a column: the squares of its singular values.
    """
    if structure.chain is not None:
        chain = structure.chain
        return np.full(chain.product.nnz, float(math.prod(chain.ranks)))
    if structure.masks is None:
        return None
    found = structure.masks[0]
    for mask in structure.masks[1:]:
        found = found @ mask
    return found.data[found.data != 0]


def _joined(first: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Gram matrix of products from those of a factor and of what follows, over entry pairs."""
    m, n, _, _ = first.shape
    n_in = rest.shape[1]
    a = first.transpose(0, 2, 1, 3).reshape(m * m, n * n)  # (rows pairs, inner pairs)
    b = rest.transpose(0, 2, 1, 3).reshape(n * n, n_in * n_in)
    return (a @ b).reshape(m, m, n_in, n_in).transpose(0, 2, 1, 3)
