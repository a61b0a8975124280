"""
==================================
Dictionaries and sparse components
==================================

Dictionary learning and sparse principal components are products of two factors, one of which has
few non-zeros: atoms times sparse codes, or scores times sparse components. With
:func:`~skfact.deep_linear.palm4msa` the number of non-zeros is a budget, not the outcome of a
penalty. What the sweeps find depends on where they start.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from itertools import combinations

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, DictionaryLearning, SparsePCA
from sklearn.exceptions import ConvergenceWarning

from skfact.deep_linear import palm4msa
from skfact.exceptions import StructureWarning
from skfact.supports import KSparse

warnings.simplefilter("ignore", ConvergenceWarning)
warnings.simplefilter("ignore", StructureWarning)  # poor starts are part of the story

# %%
# A planted dictionary
# --------------------
#
# Ten features, six atoms of unit norm, and 400 samples, the columns of Y, that are combinations of
# one or two atoms, with 1 % noise.

n_features, n_atoms, n_samples = 10, 6, 400
rng = np.random.default_rng(0)
atoms = rng.standard_normal((n_features, n_atoms))
atoms /= np.linalg.norm(atoms, axis=0)


def samples(n_active):
    codes = np.zeros((n_atoms, n_samples))
    for code in codes.T:
        chosen = rng.choice(n_atoms, n_active, replace=False)
        code[chosen] = rng.choice([-1, 1], n_active) * rng.uniform(0.5, 1.5, n_active)
    Y = atoms @ codes
    return Y + 0.01 * np.linalg.norm(Y) * rng.standard_normal(Y.shape) / Y.size**0.5


def n_recovered(found):
    """How many atoms are found, up to their sign: with a cosine above 0.99."""
    found = found / np.maximum(np.linalg.norm(found, axis=0), 1e-12)
    return int(np.sum(np.abs(atoms.T @ found).max(axis=1) > 0.99))


# %%
# One atom for each sample
# ------------------------
#
# Codes with one non-zero in each column make clusters of lines: k-means up to a factor for each
# sample. As for k-means, samples that lie far from each other are a good start (k-means++, with the
# distance to lines), and any samples, or normal entries, are not.


def unit(columns):
    return columns / np.maximum(np.linalg.norm(columns, axis=0), 1e-12)


def any_samples(Y, rng):
    return unit(Y[:, rng.choice(n_samples, n_atoms, replace=False)])


def samples_apart(Y, rng):
    directions = unit(Y)
    chosen = [rng.integers(n_samples)]
    for _ in range(n_atoms - 1):
        near = np.abs(directions[:, chosen].T @ directions).max(axis=0)
        weight = np.sum(Y**2, axis=0) * np.maximum(1 - near**2, 0)
        chosen.append(rng.choice(n_samples, p=weight / weight.sum()))
    return directions[:, chosen]


def learned(Y, n_active, init, max_iter=300):
    """Atoms of unit norm, and the relative error.

    The norm of an atom can be moved to its codes, without a change of the product or the budget.
    """
    supports = [np.ones((n_features, n_atoms), dtype=bool), KSparse(n_active, axis=0)]
    operator = palm4msa(
        Y, supports, init=init, order="right-to-left", max_iter=max_iter, random_state=0
    )
    error = np.linalg.norm(operator.toarray() - Y) / np.linalg.norm(Y)
    return unit(operator.factors[0].toarray()), error


Y = samples(1)
results = {}
for name, start in (
    ("normal entries", lambda Y, rng: unit(rng.standard_normal((n_features, n_atoms)))),
    ("any samples", any_samples),
    ("samples apart", samples_apart),
):
    results[name] = []
    for seed in range(10):
        first = start(Y, np.random.default_rng(seed))
        found, error = learned(Y, 1, [first, first.T @ Y])
        results[name].append((error, n_recovered(found)))
    errors, counts = zip(*results[name], strict=True)
    print(f"{name:15} errors {min(errors):.3f} to {max(errors):.3f}, atoms found {counts}")

# %%
# Two atoms for each sample
# -------------------------
#
# With two, the same start is not enough: a step changes codes little, and keeps their non-zeros in
# poor places. Six atoms have 15 pairs, and the best one for a sample is found by trying all. So
# twenty sweeps and best pairs take turns, from ten starts. Where atoms are missed, the error says
# so: keep the start with the least one.


def best_pairs(Y, found):
    codes, least = np.zeros((n_atoms, n_samples)), np.full(n_samples, np.inf)
    for pair in combinations(range(n_atoms), 2):
        values = np.linalg.lstsq(found[:, pair], Y, rcond=None)[0]
        error = np.sum((Y - found[:, pair] @ values) ** 2, axis=0)
        better = error < least
        least[better], codes[:, better] = error[better], 0
        codes[np.ix_(pair, np.flatnonzero(better))] = values[:, better]
    return codes


Y2 = samples(2)
turns = []
for seed in range(10):
    found = samples_apart(Y2, np.random.default_rng(seed))
    for _ in range(12):
        found, error = learned(Y2, 2, [found, best_pairs(Y2, found)], max_iter=20)
    turns.append((error, n_recovered(found)))
alone = []
for seed in range(10):
    first = samples_apart(Y2, np.random.default_rng(seed))
    found, error = learned(Y2, 2, [first, best_pairs(Y2, first)])
    alone.append((error, n_recovered(found)))
print("sweeps alone:   ", [f"{error:.2f}: {count}" for error, count in sorted(alone)])
print("with best pairs:", [f"{error:.2f}: {count}" for error, count in sorted(turns)])

# %%
# Three of ten starts find all atoms, and it is those with an error of the size of the noise.
# scikit-learn minimizes the error with an l1 penalty on the codes, which lets them leave poor
# places: here it finds all atoms from a single start. (Its codes below are chosen by orthogonal
# matching pursuit, which takes one atom after the other.)

peers = {}
for n_active, data in ((1, Y), (2, Y2)):
    model = DictionaryLearning(n_atoms, alpha=0.3, max_iter=100, fit_algorithm="cd",
                               transform_algorithm="omp", transform_n_nonzero_coefs=n_active,
                               random_state=0).fit(data.T)  # fmt: skip
    rebuilt = model.transform(data.T) @ model.components_
    error = np.linalg.norm(rebuilt - data.T) / np.linalg.norm(data)
    peers[n_active] = (error, n_recovered(model.components_.T))
    print(f"DictionaryLearning, {n_active} active: error {error:.3f}, "
          f"atoms found {peers[n_active][1]}")  # fmt: skip

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
series = (
    (axes[0], "one atom for each sample", results, peers[1]),
    (axes[1], "two atoms", {"sweeps alone": alone, "with best pairs": turns}, peers[2]),
)
for ax, title, runs, peer in series:
    for (name, pairs), marker in zip(runs.items(), "sox", strict=False):
        errors, counts = zip(*pairs, strict=True)
        ax.plot(errors, counts, marker, label=name, alpha=0.7, fillstyle="none", markersize=8)
    ax.plot(*peer, "*", label="DictionaryLearning", color="0.8", markersize=20, zorder=1)
    ax.set(xlabel="relative error", title=title, ylim=(-0.5, 6.5))
    ax.legend(fontsize="small")
    ax.grid(alpha=0.3)
axes[0].set_ylabel("atoms found, of six")
plt.show()

# %%
# Sparse principal components
# ---------------------------
#
# Principal components are combinations of all features. A budget of non-zeros for each component,
# ``KSparse(k, axis=1)``, or for all of them, ``KSparse(k)``, makes them sparse. Samples are rows
# here, so that scores stand on the left, and the sweeps start from the principal components.
# ``SparsePCA`` of scikit-learn has a penalty in place of the budget. The variance that
# components keep is that of the best approximation of the centred samples in their span.

X = load_digits().data[:600]
X = X - X.mean(axis=0)
n_components = 8
pca = PCA(n_components).fit(X)


def variance_kept(components):
    basis = np.linalg.qr(components[components.any(axis=1)].T)[0]
    return np.linalg.norm(X @ basis) ** 2 / np.linalg.norm(X) ** 2


def with_budget(support):
    operator = palm4msa(
        X,
        [np.ones((len(X), n_components), dtype=bool), support],
        init=[pca.transform(X), pca.components_],
        max_iter=100,
    )
    return operator.factors[1].toarray()


found = {"a budget for each": [], "one budget for all": [], "SparsePCA": [], "PCA, cut off": []}
for k in (2, 4, 6, 9, 13, 20, 32):
    found["a budget for each"].append(with_budget(KSparse(k, axis=1)))
    found["one budget for all"].append(with_budget(KSparse(k * n_components)))
    found["PCA, cut off"].append(KSparse(k, axis=1).project(pca.components_))
for alpha in (90, 60, 30, 20, 12, 7):
    model = SparsePCA(n_components, alpha=alpha, method="cd", max_iter=30, random_state=0).fit(X)
    found["SparsePCA"].append(model.components_)

curves = {
    name: [(np.count_nonzero(one), variance_kept(one)) for one in components]
    for name, components in found.items()
}
for name, points in curves.items():
    print(f"{name:19}", ", ".join(f"{number}: {kept:.3f}" for number, kept in points))
print(f"PCA: {variance_kept(pca.components_):.3f} with {pca.components_.size} numbers")

figure, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
for (name, points), marker in zip(curves.items(), "osD^", strict=True):
    ax.plot(*zip(*points, strict=True), marker + "-", label=name, markersize=5)
ax.axhline(variance_kept(pca.components_), color="0.4", linestyle=":", label="PCA, all 512 numbers")
ax.set(xlabel="non-zeros of eight components", ylabel="share of the variance", xlim=(0, 300))
ax.set_title("Variance against non-zeros, digits of 64 pixels")
ax.grid(alpha=0.3)
ax.legend(fontsize="small", loc="lower right")
plt.show()

# %%
# From about 100 numbers on, one budget for all components keeps the most variance; with few, the
# penalty does, which gives some components up. Cutting off what is small in principal components
# keeps least. Below are the components with nine pixels each.

figure, axes = plt.subplots(1, n_components, figsize=(10, 1.8), layout="constrained")
figure.suptitle("Eight sparse components of digits, nine pixels each")
for ax, component in zip(axes, unit(found["a budget for each"][3].T).T, strict=True):
    image = np.where(component == 0, np.nan, component).reshape(8, 8)
    ax.imshow(image, cmap="RdBu_r", vmin=-1, vmax=1)
    ax.set(xticks=[], yticks=[])
plt.show()
