"""An independent optimizer, random problems of each kind, and what holds of all factors."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.optimize import minimize


def descend(A, left, right, random, alpha=0.0, n_starts=3):
    """Smallest loss that L-BFGS finds on the entries of both factors, from random starts."""
    i, j = np.nonzero(left), np.nonzero(right)
    n_left = len(i[0])
    is_complex = np.iscomplexobj(A)

    def factors(z):
        z = z.reshape(2, -1)[0] + 1j * z.reshape(2, -1)[1] if is_complex else z
        X, Y = np.zeros(left.shape, dtype=z.dtype), np.zeros(right.shape, dtype=z.dtype)
        X[i], Y[j] = z[:n_left], z[n_left:]
        return X, Y

    def loss_and_gradient(z):
        X, Y = factors(z)
        R = X @ Y - A
        loss = np.linalg.norm(R) ** 2 + alpha * (np.linalg.norm(X) ** 2 + np.linalg.norm(Y) ** 2)
        g = 2 * np.concatenate([(R @ Y.conj().T + alpha * X)[i], (X.conj().T @ R + alpha * Y)[j]])
        return loss, np.concatenate([g.real, g.imag]) if is_complex else g

    size = (n_left + len(j[0])) * (2 if is_complex else 1)
    losses = [np.linalg.norm(A) ** 2]
    for _ in range(n_starts if size else 0):
        start = random.standard_normal(size)
        found = minimize(
            loss_and_gradient, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000}
        )
        losses.append(found.fun)
    return min(losses)


def random_matrix(random, m, n, is_complex=False):
    A = random.standard_normal((m, n))
    return A + 1j * random.standard_normal((m, n)) if is_complex else A


def random_masks(random, kind):
    """Masks (left, right): disjoint classes, complete classes among others, or anything."""
    m, n = random.integers(1, 8, size=2)
    if kind == "anything":
        r = random.integers(1, 6)
        density = random.uniform(0.3, 0.9)
        return random.random((m, r)) < density, random.random((r, n)) < density
    if kind == "disjoint":  # rows in groups, and for each group its own groups of columns
        left, right = [], []
        group = random.integers(0, 3, size=m)
        for g in np.unique(group):
            part = random.integers(-1, 3, size=n)
            for h in np.unique(part[part >= 0]):
                for _ in range(random.integers(1, 4)):
                    left.append(group == g)
                    right.append(part == h)
        if not left:
            return np.zeros((m, 1), dtype=bool), np.ones((1, n), dtype=bool)
        order = random.permutation(len(left))
        return np.array(left)[order].T, np.array(right)[order]
    # complete: thin rectangles, repeated ones, and a few large supports
    left, right = [], []
    for _ in range(random.integers(1, 5)):
        rows, columns = random.random(m) < 0.5, random.random(n) < 0.5
        if random.random() < 0.5:
            rows = np.arange(m) == random.integers(m)
        else:
            columns = np.arange(n) == random.integers(n)
        left.append(rows), right.append(columns)
    for _ in range(random.integers(1, 4)):
        rows, columns = random.random(m) < 0.8, random.random(n) < 0.8
        for _ in range(random.integers(1, 3)):
            left.append(rows), right.append(columns)
    order = random.permutation(len(left))
    return np.array(left)[order].T, np.array(right)[order]


def check_factors(result, A, left, right):
    """Supports are respected, and loss and error are those of the factors."""
    assert not result.left[~np.asarray(left, dtype=bool)].any()
    assert not result.right[~np.asarray(right, dtype=bool)].any()
    error = np.linalg.norm(A - result.left @ result.right)
    scale = np.linalg.norm(A)
    assert_allclose(result.error, error, rtol=1e-9, atol=1e-12 * scale)
    dense = result.operator.toarray()
    assert_allclose(dense, result.left @ result.right, atol=1e-13 * (scale + 1))
