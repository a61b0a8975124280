"""
=================================================
A cheaper PCA in a pipeline, and when it pays off
=================================================

A principal component analysis (PCA) multiplies every sample by a dense matrix, its
``components_``. :class:`~skfact.butterfly.ButterflyFactorizer` has a product of sparse factors in
its place: fewer numbers to store and, for matrices large enough, less time to transform. With
``operator=PCA(...)`` it fits that PCA and factors its components, with ``n_components=`` it looks
for those factors that keep the most variance.

First on handwritten digits, with the pipeline and the grid search that one would use for any
other transformer: what does the approximation cost in accuracy? Then on patches of photographs,
where the matrices are larger: from which size on does it save time, and is a plain PCA with fewer
components the better way to save?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import time
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skfact import ButterflyFactorizer
from skfact.exceptions import StructureWarning
from skfact.inspection import SupportDisplay

threadpool_limits(1)  # one thread throughout, so that times can be compared
# the tables below show what is warned of: candidates that miss more than half of their matrix
warnings.simplefilter("ignore", StructureWarning)


def median_times(*functions, repeats=15):
    """Milliseconds of each function; they take turns, so that a slow moment hits all of them."""
    times = [[] for _ in functions]
    for _ in range(repeats):
        for function, found in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            found.append(1e3 * (time.perf_counter() - start))
    return np.median(times, axis=1)


# %%
# Digits: a search over supports and ranks
# ----------------------------------------
#
# The images have 8 x 8 pixels, the PCA keeps 24 components: a dense matrix of 1536 numbers.
#
# A classifier does not care which basis of the 24-dimensional space it is given.
# ``criterion="subspace"`` uses that freedom: it approximates the space that the components span
# rather than each single one of them. The supports
# (where the factors may be non-zero) and their rank are hyperparameters like any other.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)


def pipeline(reduce):
    return Pipeline(
        [
            ("scale", StandardScaler()),
            ("reduce", reduce),
            ("classify", LogisticRegression(max_iter=1000)),
        ]
    )


fast = pipeline(ButterflyFactorizer(operator=PCA(24)))
grid = {
    "reduce__criterion": ["matrix", "subspace"],
    "reduce__supports": ["butterfly", "monarch"],
    "reduce__rank": [1, 2],
}
search = GridSearchCV(fast, grid, cv=StratifiedKFold(3, shuffle=True, random_state=0))
search.fit(X_train, y_train)
print("best in cross-validation:")
for name, value in search.best_params_.items():
    print(f"    {name} = {value!r}")

# %%
# One row for each candidate, fitted to all training data: its accuracy in cross-validation and on
# the test set, how many numbers the map has, and how long it takes to transform the test set. Below
# them plain PCAs, with 24 components and with fewer: that is the other way to save numbers.

plain = {k: pipeline(PCA(k)).fit(X_train, y_train) for k in (4, 6, 9, 12, 16, 20, 24)}
plain_points = [(k * X.shape[1], model.score(X_test, y_test)) for k, model in plain.items()]
scaled = plain[24][0].transform(X_test)

points = []
print(f"{'map':27} {'cv':>6} {'test':>6} {'numbers':>8} {'transform':>11}")
for parameters, in_search in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    model = fast.set_params(**parameters).fit(X_train, y_train)
    criterion, rank, supports = (parameters[name] for name in sorted(parameters))
    accuracy, n_numbers = model.score(X_test, y_test), model["reduce"].operator_.nnz
    (duration,) = median_times(lambda model=model: model["reduce"].transform(scaled))
    points.append((supports, criterion, n_numbers, accuracy))
    print(f"{supports:9} rank {rank}, {criterion:10}", end="")
    print(f" {in_search:6.3f} {accuracy:6.3f} {n_numbers:8} {duration:8.2f} ms")
for (k, model), (n_numbers, accuracy) in zip(plain.items(), plain_points, strict=True):
    (duration,) = median_times(lambda model=model: model["reduce"].transform(scaled))
    print(f"{f'PCA({k})':34} {accuracy:6.3f} {n_numbers:8} {duration:8.2f} ms")

# %%
# From 38% of the numbers on, "monarch" of rank 1, the accuracy is that of the plain PCA up to 0.01,
# which the choice of the test set accounts for (one image is 0.002). A plain PCA with as few
# numbers, 6 or 9 components, is far below. The criterion "subspace" helps where numbers are few.
#
# There is **nothing to gain in time** here: at this size the plain PCA is the fastest.

colors = {"butterfly": "#0072B2", "monarch": "#D55E00"}
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.plot(
    *zip(*plain_points, strict=True), "k*--", markersize=10, label="plain PCA, 4 to 24 components"
)
for supports, color in colors.items():
    for criterion, face in (("matrix", "none"), ("subspace", color)):
        found = [point[2:] for point in points if point[:2] == (supports, criterion)]
        marker = "o" if supports == "butterfly" else "s"
        style = {"color": color, "markerfacecolor": face, "markersize": 9, "linestyle": "none"}
        label = f"{supports}, criterion={criterion!r}"
        ax.plot(*zip(*found, strict=True), marker, label=label, **style)
ax.set(
    xlabel="numbers in the map", ylabel="accuracy on the test set", title="Digits in fewer numbers"
)
ax.grid(alpha=0.3)
ax.legend(fontsize="small", loc="lower right")
plt.show()

# %%
# The factors that the search chose, with their magnitudes:

display = SupportDisplay.from_estimator(search.best_estimator_["reduce"], values=True)
display.figure_.suptitle("The chosen factors")
plt.show()

# %%
# Patches of photographs: where the gain in time begins
# -----------------------------------------------------
#
# Now larger maps: grey patches of 8 x 8, 16 x 16 and 32 x 32 pixels of two photographs, and a PCA
# with a quarter as many components as there are pixels. One half of the patches is for fitting, the
# other for measuring. The factors are those of ``n_components``. Quality is now
# :meth:`~skfact.butterfly.ButterflyFactorizer.score`, the share of the variance that survives
# ``transform`` and ``inverse_transform``.

photographs = [image.mean(axis=2) / 255 for image in load_sample_images().images]


def patches(side, n_patches=4000):
    """Patches as rows, in float32, shuffled."""
    found = [
        extract_patches_2d(photograph, (side, side), max_patches=n_patches // 2, random_state=0)
        for photograph in photographs
    ]
    rows = np.concatenate(found).reshape(n_patches, -1).astype(np.float32)
    return np.random.default_rng(0).permutation(rows)


def shares_kept(pca, X):
    """Share of the variance kept by the first 1, 2, ... of the components."""
    return np.cumsum(np.sum(pca.transform(X) ** 2, axis=0)) / np.sum((X - pca.mean_) ** 2)


sides = [8, 16, 32]
times = {"plain PCA": [], "butterfly": [], "monarch": []}
points = []
print(f"{'':23} {'variance':>8} {'':16} {'of a PCA with':>13}")
print(f"{'map':10} {'':12} {'kept':>8} {'numbers':>16} {'as many':>13} {'transform':>12}", end="")
print(f" {'fit':>8}")
for side in sides:
    X_train, X_test = np.split(patches(side), 2)
    n_components = side**2 // 4
    pca = PCA(n_components, svd_solver="covariance_eigh")
    maps = {"plain PCA": pca}
    for supports in colors:
        maps[supports] = ButterflyFactorizer(n_components, supports=supports, random_state=0)
    seconds = {}
    for name, reduce in maps.items():
        start = time.perf_counter()
        reduce.fit(X_train)
        seconds[name] = time.perf_counter() - start
    plain_shares = shares_kept(pca, X_test)
    durations = median_times(
        *(lambda reduce=reduce, X=X_test: reduce.transform(X) for reduce in maps.values())
    )
    for (name, reduce), duration in zip(maps.items(), durations, strict=True):
        times[name].append(duration)
        if name == "plain PCA":
            kept, n_numbers, as_many = plain_shares[-1], pca.components_.size, ""
        else:
            kept, n_numbers = reduce.score(X_test), reduce.operator_.nnz
            as_many = f"{plain_shares[n_numbers // side**2 - 1]:.3f}"
            points.append((name, side, n_numbers, kept))
        share = f"({n_numbers / pca.components_.size:.0%})"
        print(
            f"{n_components:3} x {side**2:4} {name:12} {kept:8.3f} {n_numbers:9} {share:>6}", end=""
        )
        print(f" {as_many:>13} {duration:9.2f} ms {seconds[name]:6.2f} s")

# %%
# In time, the plain PCA wins for 8 x 8 pixels, as it did for the digits. The gain begins around
# 16 x 16 pixels, and grows from there: for n pixels the dense matrix has n\ :sup:`2` / 4 numbers,
# the two "monarch" factors of the order of n\ :sup:`1.5`, the butterfly n log n. The price is the
# fit, many seconds for 32 x 32 pixels: it factors anew many times, and then improves all factors at
# once.
#
# In quality, the factors keep about as much of the variance as the plain PCA, and **more than a
# plain PCA with as few numbers**. But neighbouring pixels of a photograph are so alike that a few
# components hold nearly everything: whoever is content with 0.95 takes these, which is faster
# still.
# Factors pay where many outputs are needed, as for the digits above, or for the transforms in
# :ref:`sphx_glr_auto_examples_butterfly_plot_fast_transforms.py`.

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
pixels = [side**2 for side in sides]
styles = {"plain PCA": ("*--", "black")}
styles |= {"butterfly": ("o-", colors["butterfly"]), "monarch": ("s-", colors["monarch"])}
for name, (style, color) in styles.items():
    left.loglog(pixels, times[name], style, color=color, markersize=8, label=name)
left.set_xticks(pixels, labels=[f"{side} × {side}" for side in sides])
left.xaxis.set_minor_locator(plt.NullLocator())
left.set(
    xlabel="pixels of a patch",
    ylabel="milliseconds for 2000 patches",
    title="Time of transform, one thread",
)
n_components = 1 + np.arange(len(plain_shares))
right.semilogx(n_components * side**2, plain_shares, "k--", label="plain PCA, 1 to 256 components")
for name, found_side, n_numbers, kept in points:
    if found_side == side:
        style, color = styles[name]
        right.semilogx(n_numbers, kept, style[0], color=color, markersize=8, label=name)
right.set(
    xlabel="numbers in the map",
    ylabel="share of the variance kept",
    title=f"Quality, {side} × {side} pixels",
)
for ax in (left, right):
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
plt.show()
