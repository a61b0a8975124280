"""Structured factors: matrices that are a linear function of a short parameter vector."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from skfact._backend import array_namespace, device, move, move_like, to_numpy
from skfact._checks import positive_int
from skfact._linalg import is_complex
from skfact.deep_linear._parameter_model import projection_on

# relative difference of the two sides of the dot-product test, in multiples of eps
DOT_TEST = 1e4


class StructuredFactor:
    r"""Factor given by a linear map M of a short parameter vector h, and the adjoint of M.

    Parameters
    ----------
    shape : pair of int
        Shape (n_out, n_in) of the factor.
    n_parameters : int
        Length of the parameter vector.
    matrix : callable
        Maps parameters (n_parameters,) to a matrix of that shape; linear, in the array library of
        its argument.
    adjoint : callable
        Maps a matrix G to the parameters g with ``sum(M(h) * G) == sum(h * g)`` for all h.
    projection : None, "non-negative", KSparse, float or callable, default=None
        Model of the parameters: none, no negative numbers, a budget ``KSparse(k)`` of non-zeros, a
        bound of the Euclidean norm, or a callable that maps a vector to the nearest one of a set,
        in its array library: numbers that are equal, say, or few groups of numbers. The solver
        "palm" of :class:`~skfact.deep_linear.SparseDeepLinearNet` honours it.

    Raises
    ------
    TypeError
        If a size is not an integer, or a map is not callable.
    ValueError
        If a size is smaller than 1, or `projection` has a wrong value.

    See Also
    --------
    ToeplitzFactor : Constant along diagonals.
    CirculantFactor : The same, wrapped around.

    Notes
    -----
    :class:`~skfact.deep_linear.SparseDeepLinearNet` checks the adjoint once in `fit`, by the
    dot-product test on random arguments, and that a second projection changes nothing.

    Examples
    --------
    A diagonal matrix:

    >>> import numpy as np
    >>> from skfact.deep_linear import StructuredFactor
    >>> diagonal = StructuredFactor((3, 3), 3, np.diag, np.diag)
    >>> diagonal.matrix(np.array([1.0, 2.0, 3.0]))
    array([[1., 0., 0.],
           [0., 2., 0.],
           [0., 0., 3.]])

    One with entries between zero and one:

    >>> unit = StructuredFactor((3, 3), 3, np.diag, np.diag, projection=lambda h: h.clip(0, 1))
    >>> unit.project(np.diag([1.5, 0.5, -1.0]))
    array([[1. , 0. , 0. ],
           [0. , 0.5, 0. ],
           [0. , 0. , 0. ]])
    """

    def __init__(
        self,
        shape: tuple[int, int],
        n_parameters: int,
        matrix: Callable[[Any], Any],
        adjoint: Callable[[Any], Any],
        projection: Any = None,
    ) -> None:
        if not isinstance(shape, tuple | list) or len(shape) != 2:
            raise TypeError(f"shape must be a pair (n_out, n_in), got {shape!r}.")
        self.shape = positive_int(shape[0], "shape[0]"), positive_int(shape[1], "shape[1]")
        self.n_parameters = positive_int(n_parameters, "n_parameters")
        if not callable(matrix) or not callable(adjoint):
            raise TypeError("matrix and adjoint must be callable.")
        self.matrix = matrix
        self.adjoint = adjoint
        self.projection = projection
        projection_on(projection)  # refuses what is none

    @property
    def _project(self) -> Callable[[Any], Any] | None:
        """The projection as a function; not kept, as it could not be pickled."""
        return projection_on(self.projection)

    @property
    def T(self) -> StructuredFactor:
        """The structure of the transpose."""
        return StructuredFactor(
            (self.shape[1], self.shape[0]),
            self.n_parameters,
            lambda h: array_namespace(h).matrix_transpose(self.matrix(h)),
            lambda G: self.adjoint(array_namespace(G).matrix_transpose(G)),
            self.projection,
        )

    def project(self, matrix: Any) -> Any:
        """Project a matrix on this structure, and on the model of its parameters.

        Parameters
        ----------
        matrix : array of shape (n_out, n_in)
            Real or complex.

        Returns
        -------
        projection : array of shape (n_out, n_in)
            M(h) with ``adjoint(M(h)) = adjoint(matrix)``, the nearest matrix in Frobenius norm.
            With a `projection` M of the projected h: the nearest one where M keeps norms, up to a
            constant, and for "non-negative" where the matrices of single parameters are orthogonal,
            as those of tied entries are.
        """
        h = self._solve_gram(by_parts(self.adjoint, matrix))
        project = self._project
        return by_parts(self.matrix, h if project is None else project(h))

    def _solve_gram(self, sums: Any) -> Any:
        """Parameters h with ``adjoint(M(h))`` as given."""
        xp = array_namespace(sums)
        return xp.astype(move_like(self._inverse_gram, sums), sums.dtype) @ sums

    @cached_property
    def _inverse_gram(self) -> np.ndarray:
        """Pseudo-inverse of adjoint(M(.)).

        The map is known through M and its adjoint only, so its normal equations are what there is.
        """
        identity = np.eye(self.n_parameters)
        columns = [to_numpy(self.adjoint(self.matrix(h))) for h in identity]
        return np.linalg.pinv(np.stack(columns, axis=1), hermitian=True)

    def __repr__(self) -> str:
        sizes = f"{self.shape}, n_parameters={self.n_parameters}"
        return f"{type(self).__name__}({sizes}{self._model_words()})"

    def _model_words(self) -> str:
        """The model as an argument, if there is one."""
        return "" if self.projection is None else f", projection={self.projection!r}"


class TiedEntries(StructuredFactor):
    """Entries that share parameters: entry (i, j) is parameter ``index[i, j]``, or zero for -1."""

    _arguments: tuple[Any, ...]  # of the constructor, the blocks last

    def __init__(self, index: np.ndarray, projection: Any = None) -> None:
        flat = index.ravel()
        n_parameters = int(flat.max()) + 1
        order = np.argsort(flat, kind="stable")[np.count_nonzero(flat < 0) :]
        counts = np.bincount(flat[order], minlength=n_parameters)
        # the entries of each parameter, filled up with one past the last entry
        table = np.full((n_parameters, counts.max()), flat.size)
        table[np.arange(counts.max()) < counts[:, None]] = order
        self._has_zeros = order.size < flat.size
        # zero is what stands past the last parameter
        self._index = np.where(flat < 0, n_parameters, flat) if self._has_zeros else flat
        self._table, self._counts = table, counts.astype(float)
        super().__init__(index.shape, n_parameters, self._gather, self._sum, projection)

    def __repr__(self) -> str:
        *sizes, blocks = self._arguments
        shown = [str(size) for size in sizes] + [f"blocks={blocks}"] * (blocks != (1, 1))
        return f"{type(self).__name__}({', '.join(shown)}{self._model_words()})"

    def _solve_gram(self, sums: Any) -> Any:
        """Means over the entries that share a parameter, from their sums."""
        return sums / array_namespace(sums).astype(move_like(self._counts, sums), sums.dtype)

    def _gather(self, parameters: Any) -> Any:
        xp = array_namespace(parameters)
        index = move(self._index, xp, device(parameters))
        if self._has_zeros:
            zero = xp.zeros((1,), dtype=parameters.dtype, device=device(parameters))
            parameters = xp.concat([parameters, zero])
        return xp.reshape(xp.take(parameters, index), self.shape)

    def _sum(self, matrix: Any) -> Any:
        xp = array_namespace(matrix)
        zero = xp.zeros((1,), dtype=matrix.dtype, device=device(matrix))
        entries = xp.concat([xp.reshape(matrix, (-1,)), zero])
        table = move(self._table.ravel(), xp, device(matrix))
        return xp.sum(xp.reshape(xp.take(entries, table), self._table.shape), axis=1)


class ToeplitzFactor(TiedEntries):
    """Factor that is constant along its diagonals, or whose blocks are each so.

    Parameters
    ----------
    n_out : int
        Rows of a block.
    n_in : int
        Columns of a block.
    blocks : pair of int, default=(1, 1)
        Rows and columns of blocks; each block has ``n_out + n_in - 1`` parameters of its own.
    projection : None, "non-negative", KSparse, float or callable, default=None
        Model of the parameters; see :class:`StructuredFactor`.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is smaller than 1, or `projection` has a wrong value.

    See Also
    --------
    CirculantFactor : The same, wrapped around.
    StructuredFactor : Any other linear map of parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ToeplitzFactor
    >>> ToeplitzFactor(2, 3).matrix(np.array([1.0, 2.0, 3.0, 4.0]))
    array([[2., 3., 4.],
           [1., 2., 3.]])
    """

    def __init__(
        self, n_out: int, n_in: int, blocks: tuple[int, int] = (1, 1), projection: Any = None
    ) -> None:
        m, n = positive_int(n_out, "n_out"), positive_int(n_in, "n_in")
        diagonals = np.arange(n) - np.arange(m)[:, None] + m - 1
        super().__init__(_tiled(diagonals, blocks), projection)
        self._arguments = (m, n, tuple(blocks))


class CirculantFactor(TiedEntries):
    """Factor whose rows are cyclic shifts of each other, or whose blocks are each so.

    Parameters
    ----------
    n : int
        Rows and columns of a block.
    blocks : pair of int, default=(1, 1)
        Rows and columns of blocks; each block has `n` parameters of its own, its first column.
    projection : None, "non-negative", KSparse, float or callable, default=None
        Model of the parameters; see :class:`StructuredFactor`.

    Raises
    ------
    TypeError
        If a size is not an integer.
    ValueError
        If a size is smaller than 1, or `projection` has a wrong value.

    See Also
    --------
    ToeplitzFactor : Constant along diagonals, without wrapping around.
    StructuredFactor : Any other linear map of parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import CirculantFactor
    >>> CirculantFactor(3).matrix(np.array([1.0, 2.0, 3.0]))
    array([[1., 3., 2.],
           [2., 1., 3.],
           [3., 2., 1.]])
    """

    def __init__(self, n: int, blocks: tuple[int, int] = (1, 1), projection: Any = None) -> None:
        n = positive_int(n, "n")
        super().__init__(_tiled((np.arange(n)[:, None] - np.arange(n)) % n, blocks), projection)
        self._arguments = (n, tuple(blocks))


def _tiled(index: np.ndarray, blocks: Any) -> np.ndarray:
    """The index of one block, for a table of blocks with parameters of their own."""
    if not isinstance(blocks, tuple | list) or len(blocks) != 2:
        raise TypeError(f"blocks must be a pair of int, got {blocks!r}.")
    rows, columns = positive_int(blocks[0], "blocks[0]"), positive_int(blocks[1], "blocks[1]")
    offsets = np.arange(rows * columns).reshape(rows, columns) * (index.max() + 1)
    m, n = index.shape
    whole = offsets[:, None, :, None] + index[None, :, None, :]
    return whole.reshape(rows * m, columns * n)


def by_parts(linear: Callable[[Any], Any], x: Any) -> Any:
    """A linear map that may know real arrays only, of a real or complex one."""
    if not is_complex(x):
        return linear(x)
    xp = array_namespace(x)
    return linear(xp.real(x)) + 1j * linear(xp.imag(x))


def check_adjoint(factor: StructuredFactor, like: Any, name: str) -> None:
    """Raise unless the adjoint passes the dot-product test, in the library of `like`."""
    xp = array_namespace(like)
    real = (xp.real(like) if is_complex(like) else like).dtype  # a map may know no other arrays
    random = np.random.default_rng(factor.n_parameters)

    def draw(*shape: int) -> Any:
        return xp.astype(move(random.standard_normal(shape), xp, device(like)), real)

    h, G = draw(factor.n_parameters), draw(*factor.shape)
    M, g = factor.matrix(h), factor.adjoint(G)
    for found, wanted, what in (
        (M, factor.shape, "matrix"),
        (g, (factor.n_parameters,), "adjoint"),
    ):
        shape = getattr(found, "shape", None)
        if shape is None or tuple(shape) != tuple(wanted):
            got = type(found).__name__ if shape is None else f"an array of shape {tuple(shape)}"
            raise ValueError(f"{name}: `{what}` returned {got}, expected shape {tuple(wanted)}.")
    left, right = float(xp.sum(M * G)), float(xp.sum(h * g))
    norm = xp.linalg.vector_norm
    size = float(norm(M)) * float(norm(G)) + float(norm(h)) * float(norm(g))
    if not abs(left - right) <= DOT_TEST * float(xp.finfo(real).eps) * size:
        raise ValueError(
            f"{name}: the adjoint fails the dot-product test: <M(h), G> = {left:.6g}, but "
            f"<h, adjoint(G)> = {right:.6g} for random h and G. Correct `adjoint`, or `matrix` if "
            "it is not linear."
        )
