"""Kernels of a convolution tree from its product, and two choices of them with one product."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, device, is_array_api_obj, move, to_numpy
from skfact._checks import check_number, positive_int, require_finite
from skfact._exponents import times_power_of_two, unscaled_number
from skfact._inputs import as_floating
from skfact._linalg import is_complex
from skfact._warn import warn
from skfact.deep_linear._stability._classes.rank_one import (
    MOST_FACTORS,
    largest_part,
    rank_one_tensor,
)
from skfact.deep_linear._stability._classes.tensor_bounds import bound_near
from skfact.deep_linear._stability._trees.convolution_tree import ConvolutionTree, check_tree

SETTLED = 10  # multiples of eps by which vectors change that change no more


class TreeRecovery(NamedTuple):
    """Kernels recovered from the product of a convolution tree.

    Parameters
    ----------
    kernels : list of arrays of shape (S_e,)
        One kernel for each edge. They are determined up to scalings with product one on every path:
        kernels have unit norm, but for those at leaves, and those that nothing is known about are
        zero.
    path_kernels : list of lists of arrays
        For each leaf the kernels on the way to it from its column alone, the best rank-one
        approximation of the tensor that is read there.
    residuals : ndarray of shape (leaves,)
        Norm of the difference of each column and that of `kernels`.
    distance_bounds : ndarray of shape (leaves,) or None
        Upper bounds of ``factor_distance`` between `kernels` on each path and the true ones, if the
        noise was given; see :func:`recover_convolution_tree`.
    n_iter : int
        Number of sweeps over the edges.

    See Also
    --------
    recover_convolution_tree : Makes it.

    Examples
    --------
    >>> from skfact.deep_linear import ConvolutionTree, recover_convolution_tree
    >>> tree = ConvolutionTree([(0, 1)], [(1, 3)], size=4)
    >>> recover_convolution_tree([[0.0], [2.0], [0.0], [5.0]], tree).kernels
    [array([2., 5.])]
    """

    kernels: list[Any]
    path_kernels: list[list[Any]]
    residuals: np.ndarray
    distance_bounds: np.ndarray | None
    n_iter: int


def recover_convolution_tree(
    X: Any, tree: ConvolutionTree, *, noise: Any = None, max_iter: int = 200
) -> TreeRecovery:
    r"""Find the kernels of a convolution tree from its product.

    Parameters
    ----------
    X : array-like of shape (size, leaves), (rows, columns, leaves) or (n, n * leaves)
        The product, a column for each leaf, or the matrix of n entries of a signal by n for each
        leaf, whose circulant blocks are averaged. Real or complex.
    tree : ConvolutionTree
        The tree, which must be recoverable.
    noise : float or array-like of shape (leaves,), default=None
        An upper bound of the norm of the error in X, or of that in each column; for the matrix the
        Frobenius norm, or that of each block. Asks for `distance_bounds`.
    max_iter : int, default=200
        Largest number of sweeps over the edges.

    Returns
    -------
    recovery : TreeRecovery
        The kernels, residuals and bounds.

    Raises
    ------
    TypeError
        If X is no numeric array, or `tree` no ConvolutionTree.
    ValueError
        If X has a wrong shape or is not finite, `noise` is negative or has another length, or the
        tree is not recoverable: the error names two choices of indices with one sum. If a path has
        more than 64 edges.

    See Also
    --------
    convolution_tree_is_recoverable : Whether a tree is recoverable.
    indistinguishable_kernels : Two solutions for a tree that is not.
    skfact.datasets.make_convolution_tree : A random product.

    Notes
    -----
    On a recoverable tree each entry of a column is one entry of the rank-one tensor T of the
    kernels on its path, plus noise. Its best rank-one approximation is found from singular vectors
    of its unfoldings by alternating least squares. The kernels of all paths then become one per
    edge, and alternate once more, in all columns together. Without noise they are exact. With an
    error E in the column, and the residual R, both in these entries alone, the tensor of the
    kernels is within ``||E|| + ||R||`` of T: `distance_bounds` are

    .. math:: d_2 \le c\, N^{1/2} \|P\|_\infty^{1/K - 1} (\|E\| + \|R\|)

    with c and N as in :func:`tensor_stability_bound` and P the found tensor; that holds wherever
    the iteration ends. The other entries of a column are errors alone, O: with `noise` d at most,
    :math:`\|E\|^2 \le d^2 - \|O\|^2`. A column of zeros gives kernels of which one is zero.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 7.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import ConvolutionTree, factor_distance, recover_convolution_tree
    >>> tree = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [(0, 1), (0, 2), (0, 4)], size=8)
    >>> kernels = [np.array([1.0, 2.0]), np.array([1.0, -1.0]), np.array([3.0, 0.5])]
    >>> found = recover_convolution_tree(tree.product(kernels), tree).kernels
    >>> factor_distance(found[:2], kernels[:2]) < 1e-14
    True
    """
    check_tree(tree)
    max_iter = positive_int(max_iter, "max_iter")
    columns, is_matrix = _columns(X, tree)
    levels = None if noise is None else _checked_noise(noise, len(tree.leaves))
    if levels is not None and is_matrix:  # whose blocks hold each entry of a column so often
        levels = levels / math.sqrt(math.prod(tree._sizes))
    _refuse_collisions(tree)
    _refuse_long_paths(tree)
    exponents = [math.frexp(largest_part(column))[1] for column in columns]
    columns = [times_power_of_two(column, -e) for column, e in zip(columns, exponents)]
    if levels is not None:
        levels = _levels_read(levels, columns, exponents, tree)
    tensors = [_read(column, tree._path_sums(path)) for column, path in zip(columns, tree.paths)]
    found = [_best_rank_one(tensor, max_iter) for tensor in tensors]
    state = _Alternation(tree, tensors, exponents, [vectors for vectors, _ in found])
    n_iter = state.run(max_iter)
    read = [state.residual(j) for j in range(len(columns))]
    fitted = tree._flat_columns(tree.product(state.kernels))
    residuals = [unscaled_number(_change(*pair), e) for *pair, e in zip(columns, fitted, exponents)]
    kernels = state.kernels
    for path, exponent in zip(tree.paths, exponents):
        kernels[path[-1]] = times_power_of_two(kernels[path[-1]], exponent)
    bounds = None
    if levels is not None:
        bounds = np.array(
            [
                bound_near([kernels[e] for e in path], level + unscaled_number(inside, exponent))
                for path, level, inside, exponent in zip(tree.paths, levels, read, exponents)
            ]
        )
    path_kernels = [
        [*vectors[:-1], times_power_of_two(size * vectors[-1], exponent)]
        for (vectors, size), exponent in zip(found, exponents)
    ]
    return TreeRecovery(kernels, path_kernels, np.array(residuals), bounds, n_iter)


def indistinguishable_kernels(tree: ConvolutionTree) -> tuple[list[Any], list[Any]] | None:
    """Find two choices of kernels with the same product, on a tree that is not recoverable.

    Parameters
    ----------
    tree : ConvolutionTree
        The tree.

    Returns
    -------
    pair : tuple of two lists of ndarray of shape (S_e,), or None
        Kernels of two choices; None for a recoverable tree, which has no such pair.

    Raises
    ------
    TypeError
        If `tree` is no ConvolutionTree.

    See Also
    --------
    ConvolutionTree.collision : The indices that collide.
    convolution_tree_is_recoverable : Whether there is such a pair.

    Notes
    -----
    The kernels of both are zero but for one entry each on one path. Along it they are no rescalings
    of each other.

    Examples
    --------
    >>> from skfact.deep_linear import ConvolutionTree, indistinguishable_kernels
    >>> tree = ConvolutionTree([(0, 1), (1, 2)], [(0, 1), (0, 1)], size=8)
    >>> h, g = indistinguishable_kernels(tree)
    >>> h, g
    ([array([1., 0.]), array([0., 1.])], [array([0., 1.]), array([1., 0.])])
    >>> (tree.product(h) == tree.product(g)).all()
    np.True_
    """
    check_tree(tree)
    collision = tree.collision()
    if collision is None:
        return None
    path = tree.paths[tree.leaves.index(collision.leaf)]
    pair = []
    for indices in (collision.first, collision.second):
        kernels = [np.zeros(len(support)) for support in tree.supports]
        for e, index in zip(path, indices):
            kernels[e][tree.supports[e].index(index)] = 1.0
        pair.append(kernels)
    return pair[0], pair[1]


def _refuse_collisions(tree: ConvolutionTree) -> None:
    """Raise ValueError unless the tree is recoverable."""
    collision = tree.collision()
    if collision is not None:
        raise ValueError(
            f"tree is not recoverable: on the path to leaf {collision.leaf!r} the indices "
            f"{collision.first} and {collision.second} both add up to {collision.total}, so that "
            "other kernels have the same product (indistinguishable_kernels). Choose other "
            "supports, or fit the product alone with SparseDeepLinearNet(tree.factors())."
        )


def _refuse_long_paths(tree: ConvolutionTree) -> None:
    """Raise ValueError if the tensor of a path has more axes than an array."""
    longest = max(len(path) for path in tree.paths)
    if longest > MOST_FACTORS:
        raise ValueError(
            f"tree has a path of {longest} edges, and arrays have at most {MOST_FACTORS} axes, one "
            "for each edge. Many of its edges have one index: add that to the indices of an edge "
            "beside it, and leave the edge out."
        )


def _columns(X: Any, tree: ConvolutionTree) -> tuple[list[Any], bool]:
    """A flat signal for each leaf, and whether X was the matrix, whose blocks are averaged."""
    X = as_floating(X, "X")
    xp, n, n_leaves = array_namespace(X), math.prod(tree._sizes), len(tree.leaves)
    shape = tuple(X.shape)
    if shape not in (tree.shape, (n, n_leaves), (n, n * n_leaves)):
        raise ValueError(
            f"X must have shape {tree.shape}, a column for each leaf, or {(n, n * n_leaves)}, a "
            f"circulant block for each leaf, got {shape}."
        )
    require_finite(largest_part(X), "X")
    if shape in (tree.shape, (n, n_leaves)):
        return tree._flat_columns(X), False
    # entry (i + shift, shift) of a block is entry i of its column
    grid = np.stack(np.unravel_index(np.arange(n), tree._sizes), axis=-1)
    blocks = xp.reshape(X, (-1,))
    columns = []
    for j in range(n_leaves):
        total = xp.zeros((n,), dtype=X.dtype, device=device(X))
        for shift in range(n):
            rows = tree._flat((grid + grid[shift]) % tree._sizes)
            places = move(rows * (n * n_leaves) + j * n + shift, xp, device(X))
            total = total + xp.take(blocks, places) / n
        columns.append(total)
    return columns, True


def _checked_noise(noise: Any, n_leaves: int) -> np.ndarray:
    """The noise of each column."""
    if is_array_api_obj(noise):
        noise = to_numpy(noise).tolist()  # a number, where it is one
    if not isinstance(noise, list | tuple):
        check_number(noise, "noise", float, 0)
        noise = [noise] * n_leaves
    if len(noise) != n_leaves:
        raise ValueError(
            f"noise must be a number, or one for each of the {n_leaves} leaves, got {len(noise)}."
        )
    for j, level in enumerate(noise):
        check_number(level, f"noise[{j}]", float, 0)
    return np.array(noise, dtype=float)


def _levels_read(
    levels: np.ndarray, columns: list[Any], exponents: list[int], tree: ConvolutionTree
) -> np.ndarray:
    """The noise in the entries of a column that are read, from that in all and what others show.

    Of what others show, as much is left out as rounding may have added, of means of blocks too.
    """
    found = []
    for level, column, exponent, path in zip(levels, columns, exponents, tree.paths):
        others = to_numpy(column).copy()
        others[tree._path_sums(path).ravel()] = 0
        rounding = 2 * others.size * float(np.finfo(others.dtype).eps)
        seen = min(unscaled_number(float(np.linalg.norm(others)), exponent), level)
        if not math.isfinite(level) or seen <= rounding * level:
            found.append(level)
            continue
        seen -= rounding * level
        found.append(math.sqrt(level - seen) * math.sqrt(level + seen))
    return np.array(found)


def _read(column: Any, sums: np.ndarray) -> Any:
    """The tensor of products of kernels whose entries a column shows."""
    xp = array_namespace(column)
    places = move(sums.ravel(), xp, device(column))
    return xp.reshape(xp.take(column, places), sums.shape)


def _best_rank_one(tensor: Any, max_iter: int) -> tuple[list[Any], float]:
    """Unit vectors and the size of a rank-one tensor near to `tensor`; zeros for zero.

    The vectors start from those of the unfoldings, and alternate.
    """
    xp = array_namespace(tensor)
    if not bool(xp.any(tensor != 0)):
        zeros = [xp.zeros((s,), dtype=tensor.dtype, device=device(tensor)) for s in tensor.shape]
        return zeros, 0.0
    vectors = []
    for k, n in enumerate(tensor.shape):
        order = (k, *range(k), *range(k + 1, tensor.ndim))
        unfolding = xp.reshape(xp.permute_dims(tensor, order), (n, -1))
        U, _, _ = xp.linalg.svd(unfolding, full_matrices=False)
        vectors.append(U[:, 0])
    size = 0.0
    for _ in range(max_iter):
        change = 0.0
        for k in range(len(vectors)):
            image = _contracted(tensor, vectors, k)
            size = float(xp.linalg.vector_norm(image))
            if size == 0:  # the start is orthogonal to the tensor: begin at its largest entry
                place = np.unravel_index(int(xp.argmax(xp.abs(tensor))), tensor.shape)
                vectors = [_unit(n, int(i), tensor) for n, i in zip(tensor.shape, place)]
                change = 1.0
                break
            change = max(change, _change(vectors[k], image / size))
            vectors[k] = image / size
        if change <= SETTLED * float(xp.finfo(tensor.dtype).eps):
            break
    return vectors, size


def _unit(n: int, i: int, like: Any) -> Any:
    """A unit vector."""
    xp = array_namespace(like)
    return xp.astype(xp.arange(n, device=device(like)) == i, like.dtype)


def _change(old: Any, new: Any) -> float:
    return float(array_namespace(old).linalg.vector_norm(new - old))


def _contracted(tensor: Any, vectors: Sequence[Any], keep: int) -> Any:
    """The tensor applied to the conjugates of all vectors but one."""
    xp = array_namespace(tensor)
    for k in range(len(vectors) - 1, keep, -1):  # the last axes first
        tensor = tensor @ _conjugate(vectors[k])
    for vector in vectors[:keep]:
        rest = tensor.shape[1:]
        flat = xp.reshape(tensor, (tensor.shape[0], -1))
        tensor = xp.reshape(_conjugate(vector) @ flat, rest)
    return tensor


def _conjugate(vector: Any) -> Any:
    return array_namespace(vector).conj(vector) if is_complex(vector) else vector


class _Alternation:
    """Kernels of a tree, one per edge, moving towards least squares in all columns together.

    Kernels have unit norm, those at leaves excepted. A column is that of its tensor times
    ``2**exponent``.
    """

    def __init__(
        self,
        tree: ConvolutionTree,
        tensors: list[Any],
        exponents: list[int],
        start: list[list[Any]],  # unit vectors for each path
    ) -> None:
        self.tree, self.tensors = tree, tensors
        sizes = [float(array_namespace(t).linalg.vector_norm(t)) for t in tensors]
        logs = [math.log2(size) + e if size else -math.inf for size, e in zip(sizes, exponents)]
        through: dict[int, list[int]] = {e: [] for e in range(len(tree.edges))}
        for j, path in enumerate(tree.paths):
            for e in path:
                through[e].append(j)
        self.through = {e: [j for j in paths if sizes[j]] for e, paths in through.items()}
        self.weights: dict[int, dict[int, float]] = {}
        self.kernels: list[Any] = [None] * len(tree.edges)
        for e, paths in through.items():
            best = max(paths, key=lambda j: logs[j])  # the least noisy column, if all are alike
            self.kernels[e] = start[best][tree.paths[best].index(e)]
            top = max((exponents[j] for j in self.through[e]), default=0)
            self.weights[e] = {j: 4.0 ** max(exponents[j] - top, -600) for j in self.through[e]}
        for path in tree.paths:
            self._update(path[-1])

    def run(self, max_iter: int) -> int:
        """Sweep until the kernels change no more; the number of sweeps."""
        like = self.tensors[0]
        eps = float(array_namespace(like).finfo(like.dtype).eps)
        n_iter, change = 0, 1.0
        while n_iter < max_iter and change > SETTLED * eps:
            n_iter, change = n_iter + 1, self.sweep()
        if change > eps**0.5:
            warn(
                f"The kernels still changed by {change:.1e} after max_iter={max_iter} sweeps: "
                "increase max_iter. Columns with more noise than product take many.",
                ConvergenceWarning,
            )
        return n_iter

    def sweep(self) -> float:
        """Update all kernels; the largest change of one of unit norm."""
        change = 0.0
        for e in range(len(self.kernels)):
            old = self.kernels[e]
            if not self._update(e):
                change = max(change, _change(old, self.kernels[e]))
        for path in self.tree.paths:
            self._update(path[-1])
        return change

    def _update(self, e: int) -> bool:
        """The best kernel of an edge, given the others; whether the edge ends at a leaf."""
        total: Any = None
        for j in self.through[e]:
            path = self.tree.paths[j]
            vectors = [self.kernels[i] for i in path]
            image = _contracted(self.tensors[j], vectors, path.index(e))
            if path[-1] == e:
                self.kernels[e] = image
                return True
            image = self.weights[e][j] * image
            total = image if total is None else total + image
        if total is None:  # columns of zeros
            self.kernels[e] = 0 * self.kernels[e]
            return any(path[-1] == e for path in self.tree.paths)
        size = float(array_namespace(total).linalg.vector_norm(total))
        self.kernels[e] = total / size if size > 0 else self.kernels[e]
        return False

    def residual(self, j: int) -> float:
        """Norm of the difference of a tensor and that of the kernels."""
        product = rank_one_tensor([self.kernels[e] for e in self.tree.paths[j]])
        return _change(product, self.tensors[j])
