"""
==============================================
Fewer numbers for the variance: a study of PCA
==============================================

A principal component analysis (PCA) of k components has k numbers for each feature.
``ButterflyFactorizer(n_components=k)`` looks for k components that are a product of sparse factors,
and as close to the variance of PCA as such a product can be. What does it keep, what does a
classifier make of it, how long does it take, and is a PCA of fewer components, or a random
projection, not just as good?

Four kinds of data, in all of which one half of the samples is for fitting and the other for
measuring:

- handwritten digits, 64 pixels, 32 components; the classes are the digits;
- patches of 16 x 16 = 256 pixels of two photographs, 64 components; the classes are the
  photographs. Patches of the left halves are for fitting, of the right halves for measuring;
- windows of 100 x 200 = 20,000 pixels of the same photographs, 32 components;
- the digits in 20,000 random Fourier features, in no order, 32 components.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_sample_images
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.random_projection import GaussianRandomProjection, SparseRandomProjection
from threadpoolctl import threadpool_limits

from skfact import ButterflyFactorizer

threadpool_limits(1)  # one thread throughout, so that times can be compared


def digits():
    """Training samples, their classes, test samples, their classes."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)
    return X_train, y_train, X_test, y_test


def random_features(count, n_features):
    """The same for digits seen through random features that stand for a Gaussian kernel."""
    X_train, y_train, X_test, y_test = digits()
    sampler = RBFSampler(gamma=5e-4, n_components=n_features, random_state=0).fit(X_train)
    first, second = (sampler.transform(X[:count]).astype(np.float32) for X in (X_train, X_test))
    return first, y_train[:count], second, y_test[:count]


def photographs(height, width, count):
    """The same for grey patches of the left and of the right halves of two photographs."""
    images = [image.mean(axis=2).astype(np.float32) / 255 for image in load_sample_images().images]
    found = []
    for half in (np.s_[:, :320], np.s_[:, 320:]):
        patches = [
            extract_patches_2d(image[half], (height, width), max_patches=count, random_state=0)
            for image in images
        ]
        found += [np.concatenate(patches).reshape(2 * count, -1), np.repeat([0, 1], count)]
    return found


# %%
# The maps: PCA, factors of three kinds, PCA with as many numbers as each of them or up to one
# component fewer (of 50,160 numbers for 20,000 features, 2 components), and two random projections.
# What a map keeps of the variance of the test samples is measured alike for all: samples are
# projected on the span of its components.


def share_kept(components, X, mean):
    """Share of the variance of samples in the span of the components."""
    basis, _ = np.linalg.qr(np.asarray(components, dtype=float).T)
    centred = np.asarray(X, dtype=float) - mean
    return np.sum((centred @ basis) ** 2) / np.sum(centred**2)


def milliseconds(function, repeats=7):
    """The median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(1e3 * (time.perf_counter() - start))
    return np.median(times)


FACTORS = {
    "Monarch, rank 1": {"supports": "monarch"},
    "Monarch, rank 2": {"supports": "monarch", "rank": 2},
    "butterfly": {"supports": "butterfly"},
}


def measured(name, reduction, data):
    """One line of the table, and its numbers and the share of the variance."""
    X_train, y_train, X_test, y_test = data
    start = time.perf_counter()
    reduction.fit(X_train)
    seconds = time.perf_counter() - start
    components = reduction.components_
    if isinstance(reduction, ButterflyFactorizer):
        n_numbers = reduction.operator_.nnz
    elif isinstance(reduction, SparseRandomProjection):
        n_numbers, components = components.nnz, components.toarray()
    else:
        n_numbers = components.size
    kept = share_kept(components, X_test, X_train.mean(axis=0))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    classifier.fit(reduction.transform(X_train), y_train)
    accuracy = classifier.score(reduction.transform(X_test), y_test)
    duration = milliseconds(lambda: reduction.transform(X_test))
    print(
        f"{name:24} {kept:8.3f} {accuracy:9.3f} {n_numbers:10,} {duration:8.2f} ms {seconds:7.2f} s"
    )
    return n_numbers, kept


def study(title, data, k, factors):
    """The table of one kind of data; (numbers, share) of each map by its name."""
    n_features = data[0].shape[1]
    print(f"\n{title}: {n_features} features, {k} components")
    print(f"{'':24} {'variance':>8} {'accuracy':>9} {'numbers':>10} {'transform':>11} {'fit':>9}")
    points = {"PCA": [measured(f"PCA({k})", PCA(k, random_state=0), data)]}
    for name in factors:
        model = ButterflyFactorizer(k, random_state=0, **FACTORS[name])
        points[name] = [measured(name, model, data)]
        as_many = points[name][0][0] // n_features
        points["PCA"].append(
            measured(f"  as many: PCA({as_many})", PCA(as_many, random_state=0), data)
        )
    for name, projection in (
        ("Gaussian projection", GaussianRandomProjection(k, random_state=0)),
        ("sparse projection", SparseRandomProjection(k, random_state=0)),
    ):
        points[name] = [measured(name, projection, data)]
    return points


found = {
    "Digits": study("Digits", digits(), 32, FACTORS),
    "Patches": study("Patches", photographs(16, 16, 1000), 64, FACTORS),
    "Windows": study("Windows", photographs(100, 200, 75), 32, ("butterfly",)),
    "Random features": study(
        "Random features", random_features(300, 20_000), 32, ("Monarch, rank 1",)
    ),
}

# %%
# **In numbers, factors pay for features that have an order**, such as pixels. Of the digits a
# Monarch product with 37% of the numbers of the PCA keeps as much of the variance, but for a
# thousandth, and the butterfly with 19% keeps more than nine tenths, where a PCA with as many
# numbers keeps less than six. The classifier is as accurate with each of these as with the PCA, and
# a tenth worse with the smallest PCA. On the large windows the butterfly, with 8% of the numbers,
# even keeps more of the test samples than the PCA, which fits the 150 training samples too closely.
#
# **They pay little where a few components would do**: of the patches 5 components keep 97% of the
# variance, and the butterfly with as many numbers 98%. Any map tells the two photographs apart
# nearly as well, or as badly, as any other.
#
# **They do not pay for features without an order**: of random features a Monarch product keeps a
# hundredth more than a PCA with as many numbers, and far less than the PCA of as many components.
# (Its 32 codes still classify better than the few of the small PCA.)
#
# **A random projection is not as good**, where variance counts: it keeps half of that of the digits
# (a share of 32 of 64 dimensions), a quarter of that of the patches and next to nothing of 20,000
# features. For a classifier it is closer, at no fit at all: on the digits a sparse projection with
# 262 numbers is nearly as accurate as a PCA with 768, though less so than the butterfly with 384;
# on the photographs it is as good as any map; of random features it loses ten percent and more.
#
# **In time nothing is gained here**: 32 or 64 dense rows are read as fast as the samples are. Only
# with more components does the gain of
# :ref:`sphx_glr_auto_examples_butterfly_plot_digits_pipeline.py` begin. The fit takes a second or
# two for hundreds of features, and more than ten for 20,000, where the PCA takes less than one.

STYLES = {
    "PCA": ("o--", "black"),
    "Monarch, rank 1": ("s", "#D55E00"),
    "Monarch, rank 2": ("D", "#CC79A7"),
    "butterfly": ("^", "#0072B2"),
    "Gaussian projection": ("X", "#999999"),
    "sparse projection": ("P", "#56B4E9"),
}
figure, axes = plt.subplots(2, 2, figsize=(8, 7), layout="constrained", sharey=True)
for ax, (title, points) in zip(axes.flat, found.items(), strict=True):
    for name, pairs in points.items():
        style, color = STYLES[name]
        numbers, shares = zip(*sorted(pairs), strict=True)
        ax.semilogx(numbers, shares, style, color=color, markersize=10, label=name)
    ax.set(title=title, ylim=(0, 1.04))
    ax.xaxis.set_minor_formatter(plt.NullFormatter())
    ax.grid(alpha=0.3)
for ax in axes[1]:
    ax.set_xlabel("numbers in the map")
figure.supylabel("variance kept, test samples")
handles = {}
for ax in axes.flat:
    for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
        handles[label] = handle
figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3)
plt.show()
