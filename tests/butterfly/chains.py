"""Random chains, members of their classes, and products by masks: independent of skfact."""

from functools import reduce

import numpy as np
from hypothesis import strategies as st

from skfact.supports import Chain
from tests.arrays import gaussian

ORDERS = ("balanced", "left-to-right", "right-to-left")


@st.composite
def chains(draw, min_length=1, max_length=4, max_rank=3, outer=True):
    """Every chain is a deformable one between I_a and I_d, so these are all chains."""
    length = draw(st.integers(min_length, max_length))
    radices = st.lists(st.integers(1, 3), min_size=length, max_size=length)
    ranks = st.lists(st.integers(1, max_rank), min_size=length - 1, max_size=length - 1)
    chain = Chain.deformable(draw(radices), draw(radices), draw(ranks))
    a, d = (draw(st.integers(1, 2)), draw(st.integers(1, 2))) if outer else (1, 1)
    return Chain([(a * p.a, p.b, p.c, d * p.d) for p in chain])


@st.composite
def long_chains(draw, min_length=3, max_length=4):
    """Chains without redundancy: radices of at least 2 and rank 1."""
    length = draw(st.integers(min_length, max_length))
    radices = st.lists(st.sampled_from([2, 2, 3]), min_size=length, max_size=length)
    return Chain.deformable(draw(radices), draw(radices))


seeds = st.integers(0, 2**32 - 1).map(np.random.default_rng)


def masked_factors(random, chain, dtype="float64"):
    """Dense Gaussian factors with the supports of a chain."""
    return [gaussian(random, p.shape, dtype) * p.mask() for p in chain]


def member(random, chain, dtype="float64"):
    """A matrix of the class of a chain, of norm 1."""
    matrix = reduce(np.matmul, masked_factors(random, chain, dtype))
    norm = np.linalg.norm(matrix)
    return matrix / norm if norm > 0 else matrix


def noisy_member(random, chain, dtype="float64"):
    """A member plus noise of a level between everything and nothing."""
    noise = gaussian(random, chain.shape, dtype)
    level = random.choice([0.0, *10.0 ** -np.arange(0.0, 17.0)])
    size = np.dtype(dtype).type(level / np.linalg.norm(noise))
    return member(random, chain, dtype) + size * noise


def dense(values, pattern):
    """The matrix of a factor with values (a, d, b, c), by the formula of its entries."""
    a, b, c, d = pattern
    matrix = np.zeros(pattern.shape, values.dtype)
    for i in range(a):
        for l in range(d):
            rows = i * b * d + np.arange(b) * d + l
            columns = i * c * d + np.arange(c) * d + l
            matrix[np.ix_(rows, columns)] = values[i, l]
    return matrix


def product(factors, chain):
    return reduce(np.matmul, (dense(v, p) for v, p in zip(factors, chain, strict=True)))


def values_on(matrix, pattern):
    """Values (a, d, b, c) of a matrix on a pattern."""
    a, b, c, d = pattern
    values = np.zeros((a, d, b, c), matrix.dtype)
    for i in range(a):
        for l in range(d):
            rows = i * b * d + np.arange(b) * d + l
            columns = i * c * d + np.arange(c) * d + l
            values[i, l] = matrix[np.ix_(rows, columns)]
    return values


def two_factor_optimum(matrix, left, right):
    """Error of the best product of two patterns, from the rank-one supports of their masks.

    The supports of the components ``left[:, k] right[k, :]`` are pairwise disjoint or equal; each
    class of p equal ones is a best rank-p problem of its own (arXiv 2112.00386).
    """
    classes = {}
    for column, row in zip(left.mask().T, right.mask(), strict=True):
        key = column.tobytes(), row.tobytes()
        classes.setdefault(key, [column, row, 0])[2] += 1
    covered = np.zeros(matrix.shape, dtype=int)
    squares = 0.0
    for rows, columns, count in classes.values():
        covered += np.outer(rows, columns)
        s = np.linalg.svd(matrix[np.ix_(rows, columns)], compute_uv=False)
        squares += np.sum(s[count:] ** 2)
    assert covered.max() <= 1
    return float(np.sqrt(squares + np.sum(np.abs(matrix[covered == 0]) ** 2)))


def alternate(matrix, factors, chain, sweeps):
    """Alternating least squares over factors with fixed supports: an independent method."""
    factors = list(factors)
    masks = [p.mask() for p in chain]
    for _ in range(sweeps):
        for i, mask in enumerate(masks):
            before = reduce(np.matmul, factors[:i], np.eye(matrix.shape[0]))
            after = reduce(np.matmul, factors[i + 1 :], np.eye(masks[i].shape[1]))
            rows, columns = np.nonzero(mask)
            system = np.einsum("ik,kj->ijk", before[:, rows], after[columns])
            system = system.reshape(matrix.size, -1)
            factors[i] = np.zeros(mask.shape, matrix.dtype)
            factors[i][mask] = np.linalg.lstsq(system, matrix.ravel(), rcond=None)[0]
    return factors, float(np.linalg.norm(matrix - reduce(np.matmul, factors)))
