"""
======================================================
Why an l1 penalty on factors does not make them sparse
======================================================

Add the sum of magnitudes to a loss, and coefficients become sparse: that is the lasso. For the
factors of a product the same recipe misleads. The factors can be rescaled against each other
without any change of the product, the penalty picks the cheapest scaling, and what is left of it
judges the *product*: factors that are not sparse, or no factorization at all, can cost less than
the sparse factors that one looks for. That is why
:class:`~skfact.deep_linear.SparseDeepLinearNet` takes supports and budgets.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact import SparseDeepLinearNet
from skfact.supports import FixedMask, KSparse

# %%
# Two short filters, or one
# -------------------------
#
# Let a signal a be the convolution of s and t. For any c > 0, (c s, t / c) has the same
# convolution. The cheapest scaling has equal norms and costs
#
# .. math:: \min_c \|c s\|_1 + \|t / c\|_1 = 2 \sqrt{\|s\|_1 \|t\|_1} \ge 2 \sqrt{\|s * t\|_1},
#
# since :math:`\|s * t\|_1 \le \|s\|_1 \|t\|_1`. The right side is what a itself costs, with a
# single one as the other filter: nothing is ever cheaper than not to factor, whatever s and t are.

s, t = np.array([1.0, -1.0]), np.ones(4)
a = np.convolve(s, t)


def cost(s, t):
    return 2 * np.sqrt(np.abs(s).sum() * np.abs(t).sum())


print(f"a = {a}")
print(f"cost of the two filters {cost(s, t):.5f}, of a and a single one {cost(a, [1.0]):.5f}")

scales = np.geomspace(0.2, 8, 200)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for (first, second), label, color in (
    ((s, t), "s = (1, -1), t = (1, 1, 1, 1)", "#0072B2"),
    ((a, np.ones(1)), "a and a single one", "#D55E00"),
):
    norms = np.abs(first).sum(), np.abs(second).sum()
    ax.semilogx(scales, scales * norms[0] + norms[1] / scales, color=color, label=label)
    ax.plot((norms[1] / norms[0]) ** 0.5, cost(first, second), "o", color=color)
ax.set(xlabel="scale c", ylabel="sum of the magnitudes", title="Two factorizations of one signal")
ax.set_xticks([0.25, 0.5, 1, 2, 4, 8], ["1/4", "1/2", "1", "2", "4", "8"])
ax.xaxis.set_minor_locator(plt.NullLocator())
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Two sparse layers
# -----------------
#
# Now a map to be learned from noisy data: 16 outputs, 16 inputs, and two factors with three
# non-zeros in each row and column. The lasso of factors is minimized by proximal gradient steps on
# each factor in turn, from the true factors and from random ones, for many penalties. (The loss
# never rises, and the steps end when it hardly falls.)

n, per_row = 16, 3
rng = np.random.default_rng(0)


def sparse_factor():
    """Three non-zeros in each row and column, of magnitude between one half and one."""
    mask = np.zeros((n, n), dtype=bool)
    while not np.all(mask.sum(axis=1) == per_row):
        mask = sum(np.eye(n)[rng.permutation(n)] for _ in range(per_row)) > 0
    return mask * rng.uniform(0.5, 1, (n, n)) * rng.choice([-1, 1], (n, n))


truth = sparse_factor(), sparse_factor()
W = truth[0] @ truth[1]
X, X_test = rng.normal(size=(200, n)), rng.normal(size=(1000, n))
Y = X @ W.T + 0.3 * rng.normal(size=(200, n))
Y_test = X_test @ W.T


def shrunk(values, threshold):
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


def objective(left, right, penalty):
    rest = Y - X @ (left @ right).T
    return 0.5 * np.sum(rest**2) + penalty * (np.abs(left).sum() + np.abs(right).sum())


def l1_factors(left, right, penalty, max_iter=1500):
    gram, cross = X.T @ X, Y.T @ X
    before = objective(left, right, penalty)
    for i in range(1, max_iter + 1):
        inner = right @ gram @ right.T
        step = 1 / max(np.linalg.norm(inner, 2), 1e-12)
        left = shrunk(left - step * (left @ inner - cross @ right.T), step * penalty)
        step = 1 / max(np.linalg.norm(left, 2) ** 2 * np.linalg.norm(gram, 2), 1e-12)
        gradient = left.T @ (left @ right @ gram - cross)
        right = shrunk(right - step * gradient, step * penalty)
        if i % 100 == 0:
            now = objective(left, right, penalty)
            if before - now <= 1e-4 * now:
                break
            before = now
    return left, right


def non_zeros(*factors):
    return sum(int(np.count_nonzero(factor)) for factor in factors)


def test_error(*factors):
    return np.linalg.norm(X_test @ (factors[0] @ factors[1] - W).T) / np.linalg.norm(Y_test)


penalties = np.geomspace(1, 100, 9)
starts = {
    "l1, from the truth": [truth],
    "l1, from random factors": [
        tuple(rng.normal(size=(2, n, n)) / n**0.5) for _ in range(3)
    ],
}  # fmt: skip
paths = {}
for name, begins in starts.items():
    paths[name] = []
    for penalty in penalties:
        runs = [l1_factors(*begin, penalty) for begin in begins]
        paths[name].append(min(runs, key=lambda run, p=penalty: objective(*run, p)))

# %%
# Supports and budgets
# --------------------
#
# The same model with the true supports, and with budgets of three non-zeros for each row and
# column, of which nobody says where they are.

masks = [FixedMask(factor != 0) for factor in truth]
models = {
    "supports": SparseDeepLinearNet(masks, fit_intercept=False, max_iter=500),
    "budgets": SparseDeepLinearNet(
        [KSparse(per_row, axis=(0, 1))] * 2, fit_intercept=False, max_iter=500
    ),
}
learned = {}
for name, model in models.items():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, Y)
    learned[name] = [factor.toarray() for factor in model.operator_.factors]

print(f"{'':26} {'penalty':>8} {'non-zeros':>10} {'test error':>11} {'objective':>10}")
for name, found in paths.items():
    for penalty, factors in zip(penalties, found, strict=True):
        print(f"{name:26} {penalty:8.2f} {non_zeros(*factors):10} {test_error(*factors):11.3f}"
              f" {objective(*factors, penalty):10.0f}")  # fmt: skip
for name, factors in {"truth": truth, **learned}.items():
    print(f"{name:26} {'':8} {non_zeros(*factors):10} {test_error(*factors):11.3f}")

# %%
# Left: error against non-zeros. Right: what the minimizer found from random factors costs, as a
# share of what the true factors cost at their best scaling.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained")
for (name, found), mark in zip(paths.items(), ("s-", "o-"), strict=True):
    numbers = [non_zeros(*factors) for factors in found]
    axes[0].plot(numbers, [test_error(*factors) for factors in found], mark, label=name)
for (name, factors), mark in zip(learned.items(), ("*", "D"), strict=True):
    axes[0].plot(non_zeros(*factors), test_error(*factors), mark, markersize=10, label=name)
axes[0].axvline(non_zeros(*truth), color="0.5", linestyle=":", linewidth=1)
axes[0].set(xlabel="non-zeros of both factors", ylabel="relative test error", ylim=(0, 1))
axes[0].set_title("error against non-zeros")
axes[0].legend(fontsize="small")


def best_scaled(left, right):
    """The same product at the least cost: scaled for each inner unit."""
    share = np.sqrt(np.abs(right).sum(axis=1) / np.abs(left).sum(axis=0))
    return left * share, right / share[:, None]


def penalty_of(*factors):
    return np.abs(factors[0]).sum() + np.abs(factors[1]).sum()


reference = penalty_of(*best_scaled(*truth))
print(f"sum of magnitudes: true factors {reference:.1f}, "
      f"W and the identity {penalty_of(*best_scaled(W, np.eye(n))):.1f}")  # fmt: skip
for (name, found), mark in zip(paths.items(), ("s-", "o-"), strict=True):
    ratio = [
        objective(*factors, p) / objective(*best_scaled(*truth), p)
        for p, factors in zip(penalties, found, strict=True)
    ]
    axes[1].semilogx(penalties, ratio, mark, label=name)
axes[1].axhline(1, color="0.5", linestyle=":", linewidth=1)
axes[1].set(xlabel="penalty", ylabel="objective / that of the truth")
axes[1].set_title("cost against that of the true factors")
axes[1].legend(fontsize="small")
plt.show()

# %%
# With a small penalty the test error is small, and the factors from random starts hold two to
# three times the non-zeros of the truth, or more. With a penalty that leaves as many as the truth
# has, the values are shrunk until they are of little use. The right picture says that the
# minimization is not to blame: from a penalty of ten on, random starts end below the truth's own
# end, at other factors. W times the identity, no factorization at all, has a smaller sum of
# magnitudes than the true factors.
#
# Known supports have the least error and 96 non-zeros. Budgets are no penalty: they bound what they
# are meant to bound (three for each row and three for each column, both kept, hence a few more).
# But finding supports stays a hard, non-convex problem: here the sweeps end at other supports, with
# an error of .31; at as many non-zeros the penalty, from random factors, has .40.

# %%
# The factors
# -----------
#
# Each column has the factors of one row of the table above; the order of the inner units is
# arbitrary.


best = min(paths["l1, from random factors"], key=lambda factors: test_error(*factors))
panels = {"truth": truth, "l1, least test error": best, **learned}
figure, axes = plt.subplots(2, 4, figsize=(10, 5), layout="constrained")
for column, (name, factors) in enumerate(panels.items()):
    for ax, factor in zip(axes[:, column], factors, strict=True):
        limit = np.abs(factor).max()
        image = np.where(factor == 0, np.nan, factor)
        ax.imshow(image, cmap="RdBu_r", vmin=-limit, vmax=limit)
        ax.set(xticks=[], yticks=[])
    axes[0, column].set_title(f"{name}\n{non_zeros(*factors)} non-zeros", fontsize="medium")
axes[0, 0].set_ylabel("left")
axes[1, 0].set_ylabel("right")
plt.show()
