"""
=======================================
A fast Fourier transform for a graph
=======================================

The eigenvectors of a graph's Laplacian play the part of the Fourier basis: filtering a signal on
the graph means to transform, to damp the high frequencies, and to transform back. For a general
graph the transform is a dense matrix U, and nobody knows an FFT for it. How near do products of
sparse factors come, at an equal number of non-zeros?

The contenders are the closed form for butterfly supports, with the vertices as they come and in an
order made for it, budgets without supports (:func:`~skfact.deep_linear.hierarchical_palm`), and two
ways without factors: the largest entries of U, and its lowest frequencies alone.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 2

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_swiss_roll
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import kneighbors_graph

from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import hierarchical_palm
from skfact.exceptions import StructureWarning
from skfact.inspection import SupportDisplay
from skfact.supports import KSparse, digit_reversal

warnings.simplefilter("ignore", StructureWarning)  # the errors of all are shown below

# %%
# The graph, and a signal on it
# -----------------------------
#
# 128 points on a rolled-up sheet, each joined to its six nearest neighbours. The signal is the
# position along the sheet, with noise; the filter ``exp(-t frequency)`` is to take the noise away.

n = 128
points, along = make_swiss_roll(n, random_state=0)
near = kneighbors_graph(points, 6).toarray()
adjacency = np.maximum(near, near.T)
laplacian = np.diag(adjacency.sum(axis=1)) - adjacency
frequencies, U = np.linalg.eigh(laplacian)

rng = np.random.default_rng(0)
clean = (along - along.mean()) / along.std()
noisy = clean + 0.5 * rng.normal(size=n)
response = np.exp(-0.15 * frequencies)
exact = U @ (response * (U.T @ noisy))


def distance(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


print(f"connected: {frequencies[1] > 1e-9}")
errors = distance(noisy, clean), distance(exact, clean)
print(f"error of the signal: noisy {errors[0]:.3f}, filtered {errors[1]:.3f}")

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
limit = np.abs(noisy).max()
for ax, (title, signal) in zip(
    axes,
    {"signal with noise": noisy, "filtered with U": exact, "signal": clean}.items(),
    strict=True,
):
    for i, j in np.argwhere(np.triu(adjacency)):
        ax.plot(points[[i, j], 0], points[[i, j], 2], color="0.8", linewidth=0.6, zorder=1)
    dots = ax.scatter(
        points[:, 0], points[:, 2], c=signal, cmap="RdBu_r", vmin=-limit, vmax=limit, s=18, zorder=2
    )
    ax.set(title=title, xticks=[], yticks=[], aspect="equal")
figure.colorbar(dots, ax=axes, shrink=0.8, label="signal")
figure.suptitle("A signal on the vertices of a graph")
plt.show()

# %%
# An order of the vertices
# ------------------------
#
# Butterfly factors fit a matrix whose blocks have rank one: those of a few neighbouring frequencies
# and many vertices of one region, and the other way round. There are no such regions in an
# arbitrary order of the vertices. Cutting the graph in half, each half again, and so on, along the
# second eigenvector of each part, makes nested regions; bit reversal brings a region into the rows
# that form a block in the dyadic chain.


def nested_order(vertices):
    """Vertices of a part, cut in half again and again."""
    if len(vertices) == 1:
        return vertices
    part = adjacency[np.ix_(vertices, vertices)]
    second = np.linalg.eigh(np.diag(part.sum(axis=1)) - part)[1][:, 1]
    vertices = vertices[np.argsort(second, kind="stable")]
    half = len(vertices) // 2
    return np.concatenate([nested_order(vertices[:half]), nested_order(vertices[half:])])


nested = nested_order(np.arange(n))[digit_reversal([2] * (n.bit_length() - 1))]
orders = {"as they come": np.arange(n), "nested": nested}

# %%
# Approximations
# --------------
#
# Larger ranks of the blocks, or larger budgets for each row and column, are more non-zeros.

approximations = {}
for name, order in orders.items():
    for rank in (1, 2, 4, 8):
        operator = butterfly_factorize(U[order], rank=rank)
        matrix = np.empty((n, n))
        matrix[order] = operator.toarray()
        approximations[f"butterfly, {name}", f"rank {rank}"] = operator.nnz, matrix, operator
for k in (2, 4, 8):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # more sweeps gain little here
        operator = hierarchical_palm(U, k=k, max_iter=10)
    approximations["budgets", f"k = {k}"] = operator.nnz, operator.toarray(), operator
for share in (1 / 8, 1 / 4, 1 / 2):
    kept = KSparse(int(share * n * n)).project(U)
    approximations["largest entries", f"{share:.1%}"] = int(share * n * n), kept, None
    first = int(share * n)
    low = np.where(np.arange(n) < first, U, 0.0)
    approximations["lowest frequencies", f"{share:.1%}"] = n * first, low, None

print(f"{'':28}{'':10} {'non-zeros':>10} {'of dense':>9} {'error of U':>11} {'of filtering':>13}")
curves = {}
for (name, label), (nnz, matrix, _) in approximations.items():
    filtered = matrix @ (response * (matrix.T @ noisy))
    errors = distance(matrix, U), distance(filtered, exact)
    curves.setdefault(name, []).append((nnz / n**2, *errors))
    print(f"{name:28}{label:10} {nnz:10} {nnz / n**2:9.1%} {errors[0]:11.3f} {errors[1]:13.3f}")

# %%
# Error against budget
# --------------------

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharex=True)
marks = dict(zip(curves, "osD^v", strict=True))
for column, (ax, title) in enumerate(zip(axes, ("U", "the filtered signal"), strict=True), start=1):
    for name, found in curves.items():
        found = np.array(sorted(found))
        ax.semilogx(found[:, 0], found[:, column], marks[name] + "-", label=name)
    ax.set(title=f"Error of {title}", xlabel="non-zeros, as a share of the dense matrix")
    ax.set_xticks([0.1, 0.2, 0.5, 1], ["10 %", "20 %", "50 %", "100 %"])
    ax.xaxis.set_minor_locator(plt.NullLocator())
    ax.axvline(1, color="0.5", linewidth=0.8, linestyle=":")
    ax.set_ylim(bottom=0)
    ax.grid(alpha=0.3)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5)
plt.show()

# %%
# - The eigenvectors of this graph are no butterfly: with rank one almost all of U is lost. Nested
#   regions help, the more the larger the rank: at rank four the error is .13 instead of .42. At
#   rank eight the chain has as many numbers as U, and is exact.
# - Budgets need no order. For U they are better than butterflies of a similar size; for the
#   filtered signal they are no better than butterflies in nested order.
# - No product of factors beats the largest entries of U at the same budget: many entries of these
#   eigenvectors are small already.
# - For a filter that keeps low frequencies, the lowest eigenvectors alone have the least error up
#   to half of the dense matrix, although they are the worst approximation of U.
#
# So factors pay where the transform has the structure (see
# :ref:`sphx_glr_auto_examples_butterfly_plot_fast_transforms.py`), and here it has little.

# %%
# The supports
# ------------
#
# What the budgets chose for two non-zeros in each row and column (those that are among the largest
# of their row or of their column stay, which are a few more). All factors but the first are near to
# a diagonal, with a few entries that mix vertices.

display = SupportDisplay.from_operator(approximations["budgets", "k = 2"][2])
display.figure_.suptitle("Seven factors within budgets, k = 2")
plt.show()
