"""Blocks whose best approximations are hard to find, and what these must fulfil."""

import math
from itertools import product

import numpy as np
from numpy.testing import assert_allclose

from skfact._kernels.low_rank_blocks import Classes
from tests import arrays


def gaussian(random, shape, dtype):
    """In double precision, complex where the dtype is."""
    return arrays.gaussian(random, shape, np.result_type(dtype, "float64"))


def unitary(random, n_blocks, n, dtype):
    return np.linalg.qr(gaussian(random, (n_blocks, n, n), dtype))[0]


def with_singular_values(random, s, p, q, dtype="float64"):
    """Blocks with the singular values s of shape (n_blocks, min(p, q)), largest first."""
    k = min(p, q)
    u, v = unitary(random, len(s), p, dtype), unitary(random, len(s), q, dtype)
    return ((u[:, :, :k] * s[:, None, :]) @ v[:, :k, :]).astype(dtype)


def check(blocks, rank, left, right, residual):
    """Everything that the kernel promises, by independent means, on the host."""
    n_blocks, p, q = blocks.shape
    assert left.shape == (n_blocks, p, rank) and right.shape == (n_blocks, rank, q)
    assert residual.shape == (n_blocks,)
    assert left.dtype == right.dtype == blocks.dtype
    assert residual.dtype == np.zeros(1, blocks.dtype).real.dtype
    assert np.isfinite(left).all() and np.isfinite(right).all() and np.isfinite(residual).all()
    eps = np.finfo(blocks.dtype).eps

    # each block to norm about 1 in double precision: the check must not underflow where it looks
    wide = np.complex128 if blocks.dtype.kind == "c" else np.float64
    blocks, left, right = blocks.astype(wide), left.astype(wide), right.astype(wide)
    largest = np.abs(blocks).max(axis=(1, 2), initial=0.0)
    scale = np.where(largest > 0, largest, 1.0)
    blocks, right = blocks / scale[:, None, None], right / scale[:, None, None]
    residual = residual / scale
    norm = np.linalg.norm(blocks, axis=(1, 2))

    # partial isometry: the columns are orthonormal, or zero
    gram = left.conj().swapaxes(1, 2) @ left
    lengths = np.diagonal(gram, axis1=1, axis2=2).real
    assert_allclose(lengths, np.round(lengths), rtol=0, atol=50 * eps)
    assert set(np.round(lengths).astype(int).ravel()) <= {0, 1}
    off_diagonal = gram - np.round(lengths)[:, :, None] * np.eye(rank)
    assert np.abs(off_diagonal).max(initial=0.0) <= 50 * eps
    # what they keep of the block
    kept = left.conj().swapaxes(1, 2) @ blocks
    assert (np.abs(right - kept).max(axis=(1, 2), initial=0.0) <= 60 * eps * norm).all()

    objective = np.linalg.norm(blocks - left @ right, axis=(1, 2))
    s = np.linalg.svd(blocks, compute_uv=False)
    tail = np.linalg.norm(s[:, rank:], axis=1)
    # 1e-12 in double precision
    relative = 4000 * eps
    # singular values below 50 eps of the first are taken for zero, each of the `rank` ones
    floor = (50 * math.sqrt(rank) + 10) * eps * norm
    assert (objective >= tail - floor).all()
    assert (objective <= tail * (1 + relative) + floor).all()
    # the residual is the true one
    assert (np.abs(residual - objective) <= relative * objective + floor).all()


def spectra(kind, random, n_blocks, k, rank):
    """Singular values (n_blocks, k) that are hard in one way each."""
    s = -np.sort(-random.random((n_blocks, k)) - 0.1, axis=1)
    noise = 10.0 ** -random.integers(0, 17, (n_blocks, 1))
    head = np.arange(k) < rank
    if kind == "noisy":  # rank r and noise of every size, down to rounding
        return np.where(head, s, noise * s)
    if kind == "tied":  # the r-th and the (r+1)-th are equal
        return np.ones((n_blocks, k))
    if kind == "nearly tied":
        return 1 + noise * np.linspace(1, 0, k)
    if kind == "tied tail":  # one leading value, the others (nearly) tied, at the Gram threshold
        tail = 10.0 ** -random.uniform(1, 2, (n_blocks, 1)) * (1 + noise * np.linspace(1, 0, k))
        return np.where(np.arange(k) == 0, 1.0, tail)
    if kind == "half":  # sigma_1^2 about half of the norm, where the certificate of rank 1 begins
        tail = np.ones((n_blocks, k)) / math.sqrt(max(k - 1, 1))
        return np.where(np.arange(k) == 0, 1 + noise - 1e-8 * (noise < 1e-8), tail)
    if kind == "geometric":
        return random.uniform(0.01, 0.9, (n_blocks, 1)) ** np.arange(k)
    if kind == "deficient":  # of smaller rank than asked for
        return np.where(np.arange(k) < max(rank - 1, 0), s, 0.0)
    if kind == "exact, graded":  # of rank r, down to the rounding of the first
        return np.where(head, noise ** (np.arange(k) / max(rank - 1, 1)), 0.0)
    raise ValueError(kind)


KINDS = [
    "noisy",
    "tied",
    "nearly tied",
    "tied tail",
    "half",
    "geometric",
    "deficient",
    "exact, graded",
]


def check_alike(split_rank_one, shape, dtype):
    """One block of entries alike, and one of almost alike ones, split by a loop for rank one.

    Rounding errors of their sums have one sign, and would grow with the number of terms.
    """
    entry = np.asarray(0.7 + (0.3j if np.dtype(dtype).kind == "c" else 0), dtype)
    eps = np.finfo(dtype).eps
    for noise, leftwards in product((0.0, 1e-3), (False, True)):
        block = arrays.gaussian(np.random.default_rng(1), shape, dtype)
        block = block * entry.real.dtype.type(noise) + entry
        left, right, missed, *_ = split_rank_one(block, Classes(1, 1, 1, 1, *shape, 1), leftwards)
        wide = block.astype(np.result_type(dtype, "f8"))
        norm = np.linalg.norm(wide)
        tail = np.linalg.norm(np.linalg.svd(wide, compute_uv=False)[1:]) if noise else 0.0
        x = left.reshape(-1, 1).astype(wide.dtype)
        y = right.reshape(1, -1).astype(wide.dtype)
        assert abs(np.linalg.norm(wide - x @ y) - tail) <= 20 * eps * norm
        assert abs(missed.item() - tail) <= 20 * eps * norm
        assert abs(np.linalg.norm(y if leftwards else x) - 1) <= 32 * eps
