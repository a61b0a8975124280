"""
=========================
Precision against runtime
=========================

A matrix is to be the product of two factors with the supports of a butterfly's halves. Four ways
to find them, from slow to fast: gradient descent on all entries of both factors; proximal
alternating steps (PALM), one gradient step per factor with the step size that its curvature allows;
alternating least squares, where every step is exact; and the closed form, which
:func:`~skfact.fixed_support.fixed_support_factorize` takes because these supports are tractable.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import time

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from skfact.fixed_support import analyze_supports, fixed_support_factorize
from skfact.supports import KroneckerSparse

threadpool_limits(1)
rng = np.random.default_rng(0)
N, K = 256, 16
left, right = KroneckerSparse(1, K, K, K).mask(), KroneckerSparse(K, K, K, 1).mask()
report = analyze_supports(left, right)
print(report)
product = (left * rng.standard_normal((N, N))) @ (right * rng.standard_normal((N, N)))
product *= N / np.linalg.norm(product)
targets = {"a product with these supports": product}
targets["the same with 1 % of noise"] = product + 0.01 * rng.standard_normal((N, N))
starts = [0.3 * mask * rng.standard_normal((N, N)) for mask in (left, right)]

# %%
# The first three are a few lines, and start from the same random factors. Each keeps a list of
# (seconds, relative error). The solver of skfact for supports without a closed form,
# ``solver="alternating"``, does the third more carefully, and starts from the tractable part of the
# supports: here it would be done at the start.


def gradient_descent(A, X, Y, seconds, step=0.02, momentum=0.9):
    """Both factors at once, with momentum."""
    history, start, speed_x, speed_y = [], time.perf_counter(), 0 * X, 0 * Y
    while time.perf_counter() - start < seconds:
        R = A - X @ Y
        history.append((time.perf_counter() - start, np.linalg.norm(R) / np.linalg.norm(A)))
        speed_x = momentum * speed_x + step * left * (R @ Y.T)
        speed_y = momentum * speed_y + step * right * (X.T @ R)
        X, Y = X + speed_x, Y + speed_y
    return history


def palm(A, X, Y, seconds):
    """One factor, then the other, by a step over the Lipschitz constant of its gradient."""
    history, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        R = A - X @ Y
        history.append((time.perf_counter() - start, np.linalg.norm(R) / np.linalg.norm(A)))
        X = X + left * (R @ Y.T) / (1.001 * np.linalg.norm(Y, 2) ** 2)
        Y = Y + right * (X.T @ (A - X @ Y)) / (1.001 * np.linalg.norm(X, 2) ** 2)
    return history


def solve_columns(A, X, mask):
    """Least squares for each column of Y, over the entries that it may have."""
    unknowns = np.nonzero(mask.T)[1].reshape(len(mask.T), -1)  # (n, k): as many in each column
    gram, target = X.T @ X, X.T @ A
    matrices = gram[unknowns[:, :, None], unknowns[:, None, :]]
    columns = np.arange(len(unknowns))[:, None]
    Y = np.zeros(mask.shape)
    Y[unknowns, columns] = np.linalg.solve(matrices, target[unknowns, columns][..., None])[..., 0]
    return Y


def alternating(A, X, Y, seconds):
    """Alternating least squares from the same start."""
    history, start = [], time.perf_counter()
    while time.perf_counter() - start < seconds:
        R = A - X @ Y
        history.append((time.perf_counter() - start, np.linalg.norm(R) / np.linalg.norm(A)))
        Y = solve_columns(A, X, right)
        X = solve_columns(A.T, Y.T, left.T).T
    return history


def closed_form(A):
    """The median time of the exact solver."""
    times = []
    for _ in range(9):
        start = time.perf_counter()
        result = fixed_support_factorize(A, report, solver="exact")
        times.append(time.perf_counter() - start)
    return [(float(np.median(times)), result.error / np.linalg.norm(A))]


# %%
# Errors over time, both on logarithmic axes. The closed form is one point: it has no iterations,
# and nothing with these supports can be below it.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharex=True, layout="constrained")
for ax, (title, A) in zip(axes, targets.items(), strict=True):
    runs = {
        "gradient descent": (gradient_descent(A, *starts, seconds=1.5), "#999999", "-"),
        "PALM": (palm(A, *starts, seconds=1.5), "#E69F00", "-"),
        "alternating least squares": (alternating(A, *starts, seconds=1.5), "#0072B2", ".-"),
        "closed form": (closed_form(A), "#D55E00", "*"),
    }
    for name, (history, color, style) in runs.items():
        seconds, errors = np.array(history).T
        size = 14 if style == "*" else 5
        errors = np.maximum(errors, 1e-16)
        ax.loglog(1e3 * seconds[seconds > 0], errors[seconds > 0], style, color=color, label=name,
                  markersize=size)  # fmt: skip
        print(f"{title:30} {name:26} {1e3 * seconds[-1]:8.1f} ms, relative error {errors[-1]:.2e}")
    ax.axhline(runs["closed form"][0][0][1], color="#D55E00", linestyle=":", linewidth=1)
    ax.set(title=title, xlabel="milliseconds")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("relative error")
axes[0].legend(fontsize="small", loc="center")
figure.suptitle("Error over time")
plt.show()
