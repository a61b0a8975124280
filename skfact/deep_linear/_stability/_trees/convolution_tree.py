"""Trees of sparse circular convolutions, and whether their kernels are determined."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, device
from skfact._checks import check_choice, check_sequence, positive_int, positive_ints
from skfact._exponents import times_power_of_two
from skfact._inputs import dtype_name
from skfact.deep_linear._stability._classes.rank_one import read_parameters, scaled_units
from skfact.deep_linear._stability._trees.factors import tree_factors
from skfact.deep_linear._stability._trees.reading import (
    check_one_root,
    checked_edges,
    checked_support,
    roots_of,
)
from skfact.deep_linear._structured import StructuredFactor

Index = tuple[int, ...]  # of an entry of a signal: one number, or two for images


class TreeCollision(NamedTuple):
    """Two choices of one index per edge, on one path, that add up to the same index.

    Parameters
    ----------
    leaf : hashable
        The leaf at the end of the path.
    first, second : tuple of int, or of pairs
        One index from the support of each edge on the path, from the root on.
    total : int or pair of int
        What both add up to, modulo the size.

    See Also
    --------
    ConvolutionTree.collision : Finds one.

    Examples
    --------
    >>> from skfact.deep_linear import ConvolutionTree
    >>> ConvolutionTree([(0, 1), (1, 2)], [(0, 1), (0, 1)], size=8).collision()
    TreeCollision(leaf=2, first=(0, 1), second=(1, 0), total=1)
    """

    leaf: Hashable
    first: tuple[Any, ...]
    second: tuple[Any, ...]
    total: Any


@dataclass(frozen=True, repr=False)
class ConvolutionTree:
    """Tree of circular convolutions whose kernels are sparse, each with a known support.

    Each edge has a kernel. The product of the kernels on the way from the root to a leaf, their
    circular convolution, is one column of the product of the tree.

    Parameters
    ----------
    edges : sequence of pairs (parent, child)
        The edges in any order; nodes have names that are hashable, and exactly one is the root.
    supports : sequence of sequences of int, or of pairs of int
        For each edge the indices where its kernel may be non-zero, distinct and in
        ``range(size)``; pairs of indices for images. A kernel has one value for each index, in this
        order.
    size : int or pair of int
        Length of the signals; a pair (rows, columns) is that of images.

    Attributes
    ----------
    edges : tuple of pairs
        The edges.
    supports : tuple of tuples
        The supports.
    size : int or pair of int
        The size.

    Raises
    ------
    TypeError
        If an argument has a wrong type, or a node is not hashable.
    ValueError
        If the edges are no tree with one root, there are not as many supports as edges, or an index
        is repeated or out of range.

    See Also
    --------
    convolution_tree_is_recoverable : Whether the product determines the kernels.
    recover_convolution_tree : Kernels from the product.
    skfact.datasets.make_convolution_tree : A random one.
    skfact.inspection.ConvolutionTreeDisplay : Its picture.

    Notes
    -----
    As a structure, for :class:`SparseDeepLinearNet` say, it is the list of :meth:`factors`.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, section 7.
    .. [2] O. Chabiron, F. Malgouyres, J.-Y. Tourneret, N. Dobigeon, "Toward fast transform
       learning", IJCV 114, 2015.

    Examples
    --------
    Two leaves below one edge:

    >>> import numpy as np
    >>> from skfact.deep_linear import ConvolutionTree
    >>> edges = [("root", "a"), ("a", "left"), ("a", "right")]
    >>> tree = ConvolutionTree(edges, [(0, 1), (0, 2), (1, 4)], size=6)
    >>> tree
    ConvolutionTree(size=6, edges=3, leaves=2, depth=2)
    >>> tree.product([[1.0, 2.0], [1.0, 1.0], [3.0, 0.5]]).T
    array([[1. , 2. , 1. , 2. , 0. , 0. ],
           [0. , 3. , 6. , 0. , 0.5, 1. ]])
    """

    edges: Any
    supports: Any
    size: Any

    def __post_init__(self) -> None:
        size = self.size
        if isinstance(size, list | tuple):
            size = positive_ints(size, "size")
            if len(size) != 2:
                raise ValueError(f"size must be an int or a pair (rows, columns), got {size}.")
        else:
            size = positive_int(size, "size")
        sizes = size if isinstance(size, tuple) else (size,)
        edges = checked_edges(self.edges)
        check_sequence(self.supports, "supports", "a sequence with the support of each edge")
        if len(self.supports) != len(edges):
            raise ValueError(
                f"supports must have one support for each of the {len(edges)} edges, got "
                f"{len(self.supports)}."
            )
        supports = tuple(
            checked_support(support, sizes, f"supports[{e}]")
            for e, support in enumerate(self.supports)
        )
        for name, value in (("edges", edges), ("supports", supports), ("size", size)):
            object.__setattr__(self, name, value)
        check_one_root(edges)

    def __repr__(self) -> str:
        return (
            f"ConvolutionTree(size={self.size}, edges={len(self.edges)}, "
            f"leaves={len(self.leaves)}, depth={self.depth})"
        )

    @cached_property
    def root(self) -> Hashable:
        """The node that is no child."""
        return roots_of(self.edges)[0]

    @cached_property
    def leaves(self) -> tuple[Hashable, ...]:
        """Nodes without children, in the order in which they appear as children."""
        parents = {parent for parent, _ in self.edges}
        return tuple(child for _, child in self.edges if child not in parents)

    @cached_property
    def paths(self) -> tuple[tuple[int, ...], ...]:
        """For each leaf, the positions in `edges` of the edges that lead to it from the root."""
        arriving = {child: e for e, (_, child) in enumerate(self.edges)}
        paths = []
        for node in self.leaves:
            path: list[int] = []
            while node in arriving:
                path.append(arriving[node])
                node = self.edges[path[-1]][0]
            paths.append(tuple(path[::-1]))
        return tuple(paths)

    @cached_property
    def depth(self) -> int:
        """The number of edges on the longest path."""
        return max(map(len, self.paths))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the product: (size, leaves), or (rows, columns, leaves) for images."""
        return (*self._sizes, len(self.leaves))

    @property
    def _sizes(self) -> tuple[int, ...]:
        return self.size if isinstance(self.size, tuple) else (self.size,)

    @cached_property
    def _outwards(self) -> list[int]:
        """Positions of the edges, each after the one that leads to it."""
        depths = {e: k for path in self.paths for k, e in enumerate(path)}
        return sorted(depths, key=lambda e: (depths[e], e))

    def product(self, kernels: Sequence[Any]) -> Any:
        """Convolve the kernels on the way to each leaf.

        Parameters
        ----------
        kernels : sequence of arrays of shape (S_e,)
            The values of each kernel on its support, real or complex.

        Returns
        -------
        columns : array of shape (size, leaves) or (rows, columns, leaves)
            One signal, or image, for each leaf.

        Raises
        ------
        TypeError
            If `kernels` is no sequence of numeric vectors.
        ValueError
            If there is not one kernel with one value per index for each edge, a value is not
            finite, or an entry is beyond the largest number.

        Notes
        -----
        A sum of shifted signals for each edge, without Fourier transforms: each entry is exact up
        to the rounding of its own terms, at the cost of S_e signals.
        """
        kernels = self._checked_kernels(kernels)
        xp = array_namespace(*kernels)
        like = kernels[0]
        start = xp.zeros(self._sizes, dtype=like.dtype, device=device(like))
        start[(0,) * len(self._sizes)] = 1.0
        signals, exponents = {self.root: start}, {self.root: 0}
        for e in self._outwards:
            parent, child = self.edges[e]
            units = scaled_units([kernels[e]])  # of ordinary magnitude
            exponent = 0 if units is None else units.exponents[0]
            values = times_power_of_two(kernels[e], -exponent)
            signals[child] = self._convolved(signals[parent], values, e)
            exponents[child] = exponents[parent] + exponent
        with np.errstate(over="ignore"):
            columns = [times_power_of_two(signals[v], exponents[v]) for v in self.leaves]
        columns = xp.stack(columns, axis=-1)
        if not bool(xp.all(xp.isfinite(columns))):
            raise ValueError(
                f"An entry of the product is beyond the largest {dtype_name(columns.dtype)}: "
                "divide a kernel on each path by a large number."
            )
        return columns

    def _convolved(self, signal: Any, values: Any, e: int) -> Any:
        """A signal convolved with the kernel of an edge."""
        xp, axes = array_namespace(signal), tuple(range(len(self._sizes)))
        total = xp.zeros_like(signal)
        for s, shift in enumerate(self._indices[e].tolist()):
            total = total + values[s] * xp.roll(signal, tuple(shift), axis=axes)
        return total

    @cached_property
    def _indices(self) -> list[np.ndarray]:
        """Supports as arrays of shape (S_e, 1), or (S_e, 2) for images."""
        return [
            np.array(support).reshape(len(support), len(self._sizes)) for support in self.supports
        ]

    def _checked_kernels(self, kernels: Any) -> list[Any]:
        kernels = read_parameters(kernels, "kernels", most_axes=1)
        if len(kernels) != len(self.edges):
            raise ValueError(
                f"kernels must have one kernel for each of the {len(self.edges)} edges, got "
                f"{len(kernels)}."
            )
        for e, (kernel, support) in enumerate(zip(kernels, self.supports)):
            if kernel.shape[0] != len(support):
                raise ValueError(
                    f"kernels[{e}] must have one value for each of the {len(support)} indices in "
                    f"supports[{e}], got {kernel.shape[0]}."
                )
        return kernels

    def _path_sums(self, path: Sequence[int]) -> np.ndarray:
        """Sums of one index from each edge of a path, of shape (S_1, ..., S_K).

        For images ``row * columns + column``.
        """
        sums = np.zeros((1, len(self._sizes)), dtype=np.int64)
        for e in path:
            sums = self._added(sums, e)
        return self._flat(sums).reshape([len(self.supports[e]) for e in path])

    def _added(self, sums: np.ndarray, e: int) -> np.ndarray:
        """All sums of indices (n, 1 or 2) and those of an edge."""
        return ((sums[:, None, :] + self._indices[e]) % self._sizes).reshape(-1, len(self._sizes))

    def _flat_columns(self, X: Any) -> list[Any]:
        """The columns of a product, each as one flat signal."""
        flat = array_namespace(X).reshape(X, (-1, len(self.leaves)))
        return [flat[:, j] for j in range(len(self.leaves))]

    def _flat(self, indices: np.ndarray) -> np.ndarray:
        """Indices (n, 1 or 2) as positions in a flat signal."""
        return np.ravel_multi_index(tuple(indices.T), self._sizes)

    def collision(self) -> TreeCollision | None:
        """Find why the tree is not recoverable.

        Returns
        -------
        collision : TreeCollision or None
            Two choices of indices on one path with the same sum; None if there are none.

        See Also
        --------
        convolution_tree_is_recoverable : Whether there is none.
        """
        n_entries = math.prod(self._sizes)
        for path in self.paths:
            sums = np.zeros((1, len(self._sizes)), dtype=np.int64)  # distinct so far
            for length, e in enumerate(path, start=1):
                # of more than n_entries two are equal
                sums = self._added(sums[: n_entries // len(self.supports[e]) + 1], e)
                order = np.argsort(self._flat(sums), kind="stable")
                equal = np.flatnonzero(np.diff(self._flat(sums)[order]) == 0)
                if equal.size:
                    two = sorted(order[equal[0] : equal[0] + 2].tolist())
                    shape = [len(self.supports[e]) for e in path[:length]]
                    return self._collision_of(path, np.array(np.unravel_index(two, shape)).T)
        return None

    def _collision_of(self, path: tuple[int, ...], positions: np.ndarray) -> TreeCollision:
        """The collision of two choices of positions for the first edges of a path."""
        rows = [row + [0] * (len(path) - len(row)) for row in positions.tolist()]
        first, second = (tuple(self.supports[e][s] for e, s in zip(path, row)) for row in rows)
        total = np.sum(np.array(first).reshape(len(path), -1), axis=0) % self._sizes
        index = tuple(total.tolist())
        leaf = self.leaves[self.paths.index(path)]
        return TreeCollision(leaf, first, second, index if len(index) > 1 else index[0])

    def factors(self) -> list[StructuredFactor]:
        """List the structured factors whose product is the matrix of the tree.

        Returns
        -------
        factors : list of StructuredFactor
            One for each depth, from the root on. Their product is the matrix
            ``[C_1 | C_2 | ...]`` of the circulant matrices of the columns of the product. The
            parameters of one are the kernels of that depth, in the order of `edges`, and one number
            for each path that has ended before: a multiple of the identity.

        Notes
        -----
        These are dense block matrices, for sizes of some hundreds. As a structure all kernels of a
        depth are one parameter vector: where kernels of a depth have a scalar each, products may
        determine them path by path, and not up to one scalar per depth.
        """
        levels = {e: k for path in self.paths for k, e in enumerate(path)}
        edges = [(self.edges[e], self._indices[e], levels[e]) for e in range(len(self.edges))]
        factors = tree_factors(edges, self.leaves, self._sizes)
        for level, factor in enumerate(factors):
            factor.tree, factor.level = self, level
        return list(factors)


def convolution_tree_is_recoverable(tree: ConvolutionTree, method: str = "index sums") -> bool:
    """Tell whether the product of a convolution tree determines its kernels.

    Parameters
    ----------
    tree : ConvolutionTree
        The tree.
    method : {"index sums", "all ones"}, default="index sums"
        Which of two equivalent conditions is tested: on every path all sums of one index per edge
        differ, or the product of kernels of ones has no entry but zeros and ones.

    Returns
    -------
    recoverable : bool
        If True, the product of any kernels determines, for each path, the kernels on it up to
        rescaling; see :func:`are_rescalings`. If False, there are two choices of kernels with one
        product that differ on a path: :func:`indistinguishable_kernels`. They may have to be zero
        elsewhere: kernels without zeros may still be determined through another leaf.

    Raises
    ------
    TypeError
        If `tree` is no ConvolutionTree.
    ValueError
        If `method` is unknown.

    See Also
    --------
    ConvolutionTree.collision : Which indices collide.
    recover_convolution_tree : The kernels.

    Notes
    -----
    This takes at least as many entries of the signals as a path has choices of indices. The
    singular values of the map from rank-one tensors to products are all one then: recovery is
    stable.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, Theorem 7 and Proposition 8.

    Examples
    --------
    >>> from skfact.deep_linear import ConvolutionTree, convolution_tree_is_recoverable
    >>> tree = ConvolutionTree([(0, 1), (1, 2)], [(0, 5, 9), (0, 1)], size=11)
    >>> convolution_tree_is_recoverable(tree)
    True
    >>> tree = ConvolutionTree([(0, 1), (1, 2)], [(0, 1, 9), (0, 1)], size=11)
    >>> convolution_tree_is_recoverable(tree)
    False
    """
    check_tree(tree)
    check_choice(method, "method", ("index sums", "all ones"))
    if method == "index sums":
        return tree.collision() is None
    start = np.zeros(tree._sizes)
    start[(0,) * start.ndim] = 1.0
    signals = {tree.root: start}
    for e in tree._outwards:
        parent, child = tree.edges[e]
        signals[child] = tree._convolved(signals[parent], np.ones(len(tree.supports[e])), e)
        if np.max(signals[child]) > 1:  # and more further on
            return False
    return True


def check_tree(tree: Any) -> None:
    """Raise TypeError unless it is a ConvolutionTree."""
    if not isinstance(tree, ConvolutionTree):
        raise TypeError(
            f"tree must be a ConvolutionTree(edges, supports, size), got {type(tree).__name__}."
        )
