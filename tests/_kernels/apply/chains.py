"""Random products of Kronecker-sparse factors, and what they must give."""

import numpy as np
from numpy.testing import assert_allclose

from skfact._kernels.apply import generic
from tests.arrays import gaussian


def factor(random, pattern, dtype):
    a, b, c, d = pattern
    return pattern, gaussian(random, (a, d, b, c), dtype) / np.sqrt(c).astype("float32")


def random_factors(random, dtype, sizes, most=4, largest=600):
    """Factors that fit together, with no further structure; the last one takes one of the sizes."""
    size, factors = int(random.choice(sizes)), []
    for _ in range(random.integers(1, most + 1)):
        divisors = [k for k in range(1, size + 1) if size % k == 0]
        c = int(random.choice(divisors))
        a = int(random.choice([k for k in divisors if (size // c) % k == 0]))
        b = c if c < 5 and random.random() < 0.5 else int(random.integers(1, 9))
        factors.insert(0, factor(random, (a, b, c, size // (a * c)), dtype))
        size = a * b * (size // (a * c))
        if size > largest:
            break
    return factors


def random_selection(random, n, m):
    """For n entries, which of m each one takes: some of them none."""
    index = np.full(n, -1)
    count = int(random.integers(1, min(n, m) + 1))
    index[random.permutation(n)[:count]] = random.permutation(m)[:count]
    return index


def sizes(factors):
    """Entries of a result, and of an argument."""
    (a, b, _, d), (e, _, f, g) = factors[0][0], factors[-1][0]
    return a * b * d, e * f * g


def expected(factors, X, source=None, result=None):
    """Images of the rows of X, factor by factor, in double precision."""
    wide = np.complex128 if X.dtype.kind == "c" else np.float64
    Z = X.T.astype(wide)
    if source is not None:
        Z = np.where((source >= 0)[:, None], Z[source], 0)
    for _, values in reversed(factors):
        Z = generic.apply_factor(values.astype(wide), Z)
    if result is not None:
        Z = np.where((result >= 0)[:, None], Z[result], 0)
    return Z.T


def assert_close(Y, wanted):
    eps = np.finfo(Y.dtype).eps
    assert Y.shape == wanted.shape
    assert_allclose(Y, wanted, rtol=0, atol=100 * eps * max(1, np.abs(wanted).max(initial=0)))
