"""The span of the path activations of samples: what these can tell about path weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from skfact._backend import to_numpy
from skfact._checks import check_flag, check_number
from skfact.relu._identifiability.kinks import off_kinks
from skfact.relu._identifiability.rank_profile import RankProfile, rank_profile, triangle
from skfact.relu._identifiability.twins import twin_tolerance
from skfact.relu._networks.readers import read_layers
from skfact.relu._networks.samples import inputs_of
from skfact.relu._rescaling.canonical import host_layers

FIRST_COLUMNS = 256
BLOCK_ENTRIES = 1 << 22  # of what random networks compute at once: 32 MB


@dataclass(frozen=True)
class ActivationSpace:
    """The span of the path activations of samples, found by :func:`activation_space`.

    Parameters
    ----------
    dimension : int
        Its dimension.
    n_paths : int
        That of the space around it: paths from inputs and biases to the last hidden layer, and the
        output bias. Outputs share them: each has as many paths.
    n_samples : int
        Samples used: those on no kink.
    n_on_kinks : int
        Samples left out.
    smallest_kept, largest_dropped : float
        Between these singular values the rank was cut, relative to the largest one.
    basis : tuple of int or None
        Rows of X whose activations are a basis, in ascending order; None unless asked for.

    Examples
    --------
    >>> from skfact.relu import activation_space
    >>> network = [[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]]
    >>> activation_space(network, [[-1.0], [-2.0], [0.0], [1.0]], return_basis=True)
    ActivationSpace(dimension=3, n_paths=5, n_samples=3, n_on_kinks=1, smallest_kept=...,
                    largest_dropped=..., basis=(0, 1, 3))
    """

    dimension: int
    n_paths: int
    n_samples: int
    n_on_kinks: int
    smallest_kept: float
    largest_dropped: float
    basis: tuple[int, ...] | None = None


def activation_space(
    network: Any,
    X: Any,
    *,
    return_basis: bool = False,
    tol: float | None = None,
    max_size: int = 50_000_000,
) -> ActivationSpace:
    """Find the dimension of the span V of the path activations of samples, and a basis of it.

    The activation of a path at x is the product of the gates along it, times the input that it
    starts at. Near its parameters theta, an output of the network at x is the inner product of the
    activations a(x) with the path weights: all that samples tell about path weights are their inner
    products with the vectors of V, the span of a(x) for x in X. (A neuron that is active on no
    sample, but whose input is zero on some, opens near theta: this holds where it stays closed.)

    Parameters
    ----------
    network : network-like of layers
        The ReLU network.
    X : array-like of shape (n_samples, n_features)
        Samples; of a pipeline, as its `predict` takes them. Those on a kink, where the input of a
        hidden neuron is zero up to rounding, are left out, and counted: near theta their gates
        change. Neurons that are active on no sample have no kinks: their gates count as closed.
    return_basis : bool, default=False
        Also find samples whose activations are a basis of V.
    tol : float, default=None
        Singular values up to this part of the largest one count as zero. None is 1e-10, for a
        network in float32 1e-5.
    max_size : int, default=50_000_000
        Largest number of entries of a dense matrix that may be held (8 bytes each). Without a basis
        this is the square of twice the dimension, for any number of samples and paths.

    Returns
    -------
    space : ActivationSpace
        With `dimension`, `n_paths`, `n_samples`, `n_on_kinks`, the singular values next to the cut
        and `basis`.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or a parameter has a wrong type.
    ValueError
        If the network is not usable, X does not fit it, or a matrix has more than `max_size`
        entries.

    See Also
    --------
    skfact.relu.identifiability_report : Uses the dimension.
    skfact.relu.ReLUPathEmbedding : The activations themselves.
    skfact.relu.path_kernel : Their inner products.

    Notes
    -----
    **What it is for** [1]_. Samples give n_outputs * dim V equations for path weights, and these
    have as many degrees of freedom as there are parameters less hidden neurons, p - H: with fewer
    equations the rank test of :func:`identifiability_report` cannot be full. And samples whose
    activations are a basis tell as much as all: if X determines a network near theta, dim V of its
    samples do. For X the whole space, V is called V(theta); that of samples is a part of it.

    **How it is found.** Paths are not listed. A column of the matrix whose rank is taken holds the
    outputs, on X, of a network with these gates and random normal weights and biases theta': the
    inner products <a(x), Phi(theta')>. More columns never have a rank beyond dim V. That n of them
    have rank min(n, dim V) has probability one in exact arithmetic: path weights are different
    monomials of theta', so that almost no Phi(theta') lies in a given hyperplane. Columns are
    doubled until there are more than the rank. Rows come in blocks, of which a triangle is kept.
    In floating point the singular values next to the cut tell how clear it is.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.

    Examples
    --------
    The function abs(x), with two neurons. On each side of the kink activations are (x, 1) and a
    last 1, on one side at the paths of one neuron, on the other side at those of the other:

    >>> from skfact.relu import activation_space
    >>> network = [[[1.0, -1.0]], [[1.0], [1.0]]], [[0.0, 0.0], [0.0]]
    >>> space = activation_space(network, [[-2.0], [-1.0], [0.0], [1.0], [2.0], [3.0]])
    >>> space.dimension, space.n_paths, space.n_samples, space.n_on_kinks
    (4, 5, 5, 1)
    """
    network = read_layers(network, "activations multiply gates layer by layer")
    tol = twin_tolerance(network, tol)
    check_flag(return_basis, "return_basis")
    check_number(max_size, "max_size", int, 1)
    X = inputs_of(network, X)
    gates: list[Any]
    if network.activation == "identity":
        rows, samples, gates = np.arange(X.shape[0]), X, []
        gates = [np.ones((X.shape[0], n)) for n in network.hidden_sizes]
    else:
        rows, samples, gates = off_kinks(network, host_layers(network), X)
    rows, samples = to_numpy(rows), to_numpy(samples).astype(np.float64)
    gates = [to_numpy(gate) for gate in gates]
    profile = _profile(samples, gates, tol, max_size)
    rank = profile.ranks[-1]
    basis: tuple[int, ...] | None = None
    if return_basis:
        if len(rows) * rank > max_size:
            raise ValueError(
                f"A basis needs a matrix of {len(rows):,} samples by {rank:,} columns, with "
                f"{len(rows) * rank:,} entries, more than max_size={max_size:,}: raise it, or pass "
                "fewer samples."
            )
        # columns of the transposed matrix, the most independent ones first
        basis = ()
        if rank:
            (matrix,) = _random_columns(samples, gates, rank, len(rows))
            order = scipy.linalg.qr(matrix.T, mode="r", pivoting=True)[1]
            basis = tuple(sorted(int(rows[i]) for i in order[:rank]))
    return ActivationSpace(
        rank,
        path_dimension(network.sizes),
        len(rows),
        X.shape[0] - len(rows),
        profile.smallest_kept,
        profile.largest_dropped,
        basis,
    )


def path_dimension(sizes: tuple[int, ...]) -> int:
    """Paths to the last hidden layer, from inputs and from biases, and the output bias."""
    n = sizes[0]
    for width in sizes[1:-1]:
        n = (n + 1) * width
    return n + 1


def activation_dimension(X: Any, gates: list[Any], tol: float, most: int) -> int | None:
    """dim V for samples on no kink, whose gates are ones and zeros; None if that exceeds `most`."""
    X, gates = to_numpy(X), [to_numpy(gate) for gate in gates]
    dimension = _profile(X, gates, tol, (most + 1) ** 2, most + 1).ranks[-1]
    return dimension if dimension <= most else None


def _profile(
    X: np.ndarray, gates: list[np.ndarray], tol: float, max_size: int, most: int | None = None
) -> RankProfile:
    """The rank of as many columns as are needed to exceed it, or of `most` columns."""
    widths = (X.shape[1], *(gate.shape[1] for gate in gates), 1)
    most = min(len(X), path_dimension(widths), most or len(X))
    if most == 0:
        return RankProfile([0], 0.0, 0.0)
    n_columns = min(FIRST_COLUMNS, most)
    while True:
        if n_columns * min(len(X), n_columns) > max_size:
            raise ValueError(
                f"The activation space has dimension {n_columns // 2:,} or more. A matrix of "
                f"{n_columns:,} columns is needed, more than max_size={max_size:,} entries: raise "
                "it, or pass fewer samples."
            )
        step = max(1, BLOCK_ENTRIES // n_columns)
        R = triangle(_random_columns(X, gates, n_columns, step), n_columns)
        profile = rank_profile(R, [n_columns], tol)
        if profile.ranks[-1] < n_columns or n_columns == most:
            return profile
        n_columns = min(2 * n_columns, most)


def _random_columns(
    X: np.ndarray, gates: list[np.ndarray], n_columns: int, step: int
) -> Iterator[np.ndarray]:
    """Outputs of networks with these gates and random weights, in blocks of rows of about one.

    Neither the scale of a feature nor that of a sample changes the rank.
    """
    top, one = np.abs(X).max(axis=0), np.ones((len(X), 1))
    h = np.hstack([X / np.where(top > 0, top, 1.0), one])
    widths = [gate.shape[1] for gate in gates]
    at_once = max(1, BLOCK_ENTRIES // (min(step, len(X)) * max([h.shape[1], *widths])))
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        random = np.random.default_rng(0)  # the same networks for all rows
        parts = []
        for low in range(0, n_columns, at_once):
            n = min(at_once, n_columns - low)
            states = np.broadcast_to(h[rows], (n, *h[rows].shape))
            for gate in gates:
                shape = (n, states.shape[2], gate.shape[1])
                states = states @ (random.standard_normal(shape) / math.sqrt(shape[1]))
                states = np.concatenate(
                    [states * gate[rows], np.broadcast_to(one[rows], (n, len(states[0]), 1))], 2
                )
            shape = (n, states.shape[2], 1)
            parts.append((states @ random.standard_normal(shape))[:, :, 0].T)
        block = np.hstack(parts)
        norm = np.abs(block).max(axis=1, keepdims=True)
        yield block / np.where(norm > 0, norm, 1.0)
