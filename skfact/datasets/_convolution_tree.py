"""Random products of convolution trees."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from skfact._checks import check_flag, check_random_state, is_number, positive_int, positive_ints
from skfact.datasets._noise import checked_dtype, checked_noise, plus_noise, random_values
from skfact.deep_linear import ConvolutionTree

ATTEMPTS = 10  # random supports before regular ones


def make_convolution_tree(
    size: int | tuple[int, int] = 64,
    *,
    n_leaves: int = 2,
    depth: int = 3,
    kernel_size: int | Sequence[int] = 3,
    recoverable: bool = True,
    noise: float = 0.0,
    dtype: Any = np.float64,
    random_state: Any = None,
) -> tuple[np.ndarray, ConvolutionTree, list[np.ndarray]]:
    """Make a random convolution tree with kernels, and their product.

    One path has `depth` edges. The others leave it, or each other, at random nodes, and are as long
    or shorter. The values of the kernels have magnitudes between 0.5 and 1.5 and random signs, or
    phases.

    Parameters
    ----------
    size : int or pair of int, default=64
        Length of the signals, or (rows, columns) of images.
    n_leaves : int, default=2
        Number of leaves.
    depth : int, default=3
        Number of edges on the longest path.
    kernel_size : int or sequence of int, default=3
        Number of values of a kernel; of a sequence, one for each depth from the root on.
    recoverable : bool, default=True
        Whether the product determines the kernels; see
        :func:`~skfact.deep_linear.convolution_tree_is_recoverable`. Indices are drawn so that all
        sums differ; where that fails several times, they are evenly spaced. If False, two sums on
        one path are equal.
    noise : float, default=0.0
        Norm of the Gaussian noise added to the product, relative to the norm of the product.
    dtype : dtype or str, default=float64
        One of float32, float64, complex64 and complex128.
    random_state : int, RandomState instance or None, default=None
        Pass an int for the same tree at every call.

    Returns
    -------
    X : ndarray of shape (size, n_leaves) or (rows, columns, n_leaves)
        The product plus the noise.
    tree : ConvolutionTree
        The tree.
    kernels : list of ndarray of shape (kernel_size,)
        One for each edge of the tree.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or `dtype` is none of the four.
    ValueError
        If a number is out of range, or signals of that size are too short.

    See Also
    --------
    skfact.deep_linear.recover_convolution_tree : Finds the kernels again.

    Examples
    --------
    >>> from skfact.datasets import make_convolution_tree
    >>> from skfact.deep_linear import factor_distance, recover_convolution_tree
    >>> X, tree, kernels = make_convolution_tree(64, n_leaves=3, random_state=0)
    >>> tree
    ConvolutionTree(size=64, edges=7, leaves=3, depth=3)
    >>> found = recover_convolution_tree(X, tree).kernels
    >>> path = tree.paths[0]
    >>> factor_distance([found[e] for e in path], [kernels[e] for e in path]) < 1e-12
    True
    """
    sizes = (positive_int(size, "size"),) if is_number(size, int) else positive_ints(size, "size")
    depth, n_leaves = positive_int(depth, "depth"), positive_int(n_leaves, "n_leaves")
    lengths = _checked_lengths(kernel_size, depth, math.prod(sizes))
    check_flag(recoverable, "recoverable")
    noise, dtype = checked_noise(noise), checked_dtype(dtype)
    random = check_random_state(random_state)

    edges, levels = _random_edges(random, n_leaves, depth)
    if recoverable:
        places = _distinct_sums(random, edges, levels, lengths, sizes)
    else:
        places = _equal_sums(random, edges, levels, lengths, sizes)
    supports = [[p if len(sizes) > 1 else p[0] for p in one] for one in places]
    tree = ConvolutionTree(edges, supports, size if len(sizes) < 2 else sizes)
    kernels = [random_values(random, (lengths[k],), dtype) for k in levels]
    return plus_noise(random, tree.product(kernels), noise), tree, kernels


Places = list[tuple[int, ...]]  # the indices of a kernel


def _checked_lengths(kernel_size: Any, depth: int, n_entries: int) -> tuple[int, ...]:
    """Values of a kernel at each depth."""
    if is_number(kernel_size, int):
        lengths = (positive_int(kernel_size, "kernel_size"),) * depth
    else:
        lengths = positive_ints(kernel_size, "kernel_size")
    if len(lengths) != depth:
        raise ValueError(
            f"kernel_size must be a number, or one for each of the {depth} depths, got {lengths}."
        )
    if max(lengths) > n_entries:
        raise ValueError(
            f"kernel_size={max(lengths)} is more than the {n_entries} entries of a signal."
        )
    return lengths


def _random_edges(
    random: np.random.RandomState, n_leaves: int, depth: int
) -> tuple[list[tuple[int, int]], list[int]]:
    """Edges between numbered nodes, and the depth at which each starts."""
    edges, levels, inner = list[tuple[int, int]](), list[int](), [(0, 0)]  # node, depth
    for leaf in range(n_leaves):
        node, level = inner[random.randint(len(inner))] if leaf else (0, 0)
        length = random.randint(1, depth - level + 1) if leaf else depth
        for step in range(length):
            child = len(edges) + 1
            edges.append((node, child))
            levels.append(level)
            node, level = child, level + 1
            if step < length - 1:
                inner.append((node, level))
    return edges, levels


def _distinct_sums(
    random: np.random.RandomState,
    edges: list[tuple[int, int]],
    levels: list[int],
    lengths: tuple[int, ...],
    sizes: tuple[int, ...],
) -> list[Places]:
    """Supports with distinct sums on all paths."""
    for _ in range(ATTEMPTS):
        sums = {0: np.zeros((1, len(sizes)), dtype=int)}
        places: list[Places] = []
        for (parent, child), level in zip(edges, levels):
            found = _random_places(random, sums[parent], lengths[level], sizes)
            if found is None:
                break
            sums[child] = ((sums[parent][:, None, :] + found) % sizes).reshape(-1, len(sizes))
            places.append([tuple(p) for p in found.tolist()])
        else:
            return places
    return _evenly_spaced(random, levels, lengths, sizes)


def _random_places(
    random: np.random.RandomState, sums: np.ndarray, length: int, sizes: tuple[int, ...]
) -> np.ndarray | None:
    """Indices (length, axes) that take distinct sums to distinct sums; None if none are left."""
    if len(sums) * length > math.prod(sizes):
        return None
    free, found = np.ones(sizes, dtype=bool), list[np.ndarray]()
    for _ in range(length):
        left = np.argwhere(free)
        if not len(left):
            return None
        found.append(left[random.randint(len(left))])
        # places that differ from this one by the difference of two sums
        for one in sums:
            free[tuple(((found[-1] + one - sums) % sizes).T)] = False
    return np.array(found)


def _evenly_spaced(
    random: np.random.RandomState,
    levels: list[int],
    lengths: tuple[int, ...],
    sizes: tuple[int, ...],
) -> list[Places]:
    """Supports whose sums are numbers written in mixed radices, one digit for each depth."""
    strides, axes = [1] * len(sizes), list[tuple[int, int]]()
    for length in lengths:
        room = [a for a in range(len(sizes)) if strides[a] * length <= sizes[a]]
        if not room:
            raise ValueError(
                f"Signals of size {sizes} are too short for kernels of {lengths} values on a path, "
                f"which have {math.prod(lengths)} sums of indices. Pass a larger size."
            )
        axes.append((room[0], strides[room[0]]))
        strides[room[0]] *= length
    places = []
    for level in levels:
        axis, stride = axes[level]
        start = [random.randint(n) for n in sizes]
        steps = [tuple(stride * j * (a == axis) for a in range(len(sizes))) for j in
                 range(lengths[level])]  # fmt: skip
        places.append([tuple((s + x) % n for s, x, n in zip(start, step, sizes)) for step in steps])
    return places


def _equal_sums(
    random: np.random.RandomState,
    edges: list[tuple[int, int]],
    levels: list[int],
    lengths: tuple[int, ...],
    sizes: tuple[int, ...],
) -> list[Places]:
    """Random supports, of which two that follow each other share the difference of two indices."""
    everywhere = list(product(*map(range, sizes)))
    places = []
    for level in levels:
        chosen = random.choice(len(everywhere), lengths[level], replace=False)
        places.append([everywhere[i] for i in chosen])
    neighbours = [
        (e, f)
        for e, (_, child) in enumerate(edges)
        for f, (parent, _) in enumerate(edges)
        if child == parent and min(lengths[levels[e]], lengths[levels[f]]) > 1
    ]
    if not neighbours:
        raise ValueError(
            "recoverable=False takes two kernels of at least two values on a path: pass depth > 1 "
            "and a larger kernel_size."
        )
    e, f = neighbours[random.randint(len(neighbours))]
    a, b = places[e][:2]
    first = places[f][0]
    second = tuple((x + v - u) % n for x, u, v, n in zip(first, a, b, sizes))
    rest = [p for p in places[f][1:] if p != second]
    places[f] = [first, second, *rest][: lengths[levels[f]]]
    return places
