"""
================================================
Which filters does a convolutional network hide?
================================================

A signal passes several short filters, one after another, and only what comes out is seen. Are the
filters determined by that, and how far can noise move them?

This is asked whenever filters are to be *read*: the wavelets that a network has learned, the
atoms of a fast dictionary for images, the pulse and the layers in blind deconvolution of seismic
traces. For networks without activations there is an exact answer, a count of sums of indices.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact import SparseDeepLinearNet
from skfact.deep_linear import (
    ConvolutionTree,
    convolution_tree_is_recoverable,
    factor_distance,
    factor_error_bound,
    indistinguishable_kernels,
    recover_convolution_tree,
)
from skfact.inspection import ConvolutionTreeDisplay

# %%
# Two networks
# ------------
#
# Two filters with three values each, then a third one for each of two outputs. Neighbouring values
# of a filter are one sample apart in the first layer; in the next ones the distance grows by a
# factor, the *dilation*, as in WaveNet and in wavelet transforms. With the factor 1 it is a plain
# stack of convolutions.

EDGES = [("x", "a"), ("a", "b"), ("b", "y1"), ("b", "y2")]
LAYERS = [0, 1, 2, 2]  # of the edges


def network(dilation, size=32):
    supports = [[dilation**layer * i for i in range(3)] for layer in LAYERS]
    return ConvolutionTree(EDGES, supports, size)


for dilation in (1, 2, 3):
    tree = network(dilation)
    verdict = convolution_tree_is_recoverable(tree)
    print(f"dilation {dilation}: {'recoverable' if verdict else 'not recoverable'}")
    if not verdict:
        first, second, total = tree.collision()[1:]
        print(f"    {' + '.join(map(str, first))} = {' + '.join(map(str, second))} = {total}")

# %%
# Entry i of an output is the sum of all products of one value from each filter whose indices add
# up to i. Where all sums are different, each entry is *one* product, and the table of all products,
# a tensor of rank one, lies open: filters follow from it up to a scale for each. Where two sums are
# equal, only the sum of two products is seen.
#
# Filters with three values need a factor of 3 or more, those with two values 2 or more.

passes, fails = network(3), network(1)
rng = np.random.default_rng(2)
kernels = [rng.uniform(0.5, 1.5, 3) * rng.choice([-1, 1], 3) for _ in EDGES]
figure, axes = plt.subplots(1, 2, figsize=(9, 4.6), layout="constrained")
for ax, tree in zip(axes, (passes, fails), strict=True):
    ConvolutionTreeDisplay.from_tree(tree, kernels, ax=ax)
plt.show()

# %%
# Other filters, the same output
# ------------------------------
#
# On a network that fails, :func:`~skfact.deep_linear.indistinguishable_kernels` gives a pair of two
# sets of filters with one output. Here filters of the plain stack can also be exchanged, as
# convolution does not mind the order. Neither pair is the same up to scales.

pair = indistinguishable_kernels(fails)
swapped = [kernels[1], kernels[0], *kernels[2:]]


def apart(tree, one, other):
    """Distance of filters up to scales, on the path where it is largest."""
    paths = [([one[e] for e in path], [other[e] for e in path]) for path in tree.paths]
    return max(factor_distance(*both) for both in paths)


figure, axes = plt.subplots(2, 5, figsize=(10, 3.6), layout="constrained")
figure.suptitle("Two sets of filters of the plain stack, and one output")
names = [*(f"{start} → {end}" for start, end in EDGES), "output y1"]
for row, found, color in zip(axes, (kernels, swapped), ("#0072B2", "#D55E00"), strict=True):
    output = fails.product(found)[:8, 0]  # zero from there on
    for ax, name, values in zip(row, names, [*found, output], strict=True):
        limit = 1.1 * np.abs(output).max() if name == "output y1" else 1.7
        ax.axhline(0, color="0.6", linewidth=0.8)
        ax.vlines(np.arange(len(values)), 0, values, color=color, linewidth=3)
        ax.set(title=name, xticks=[], xlim=(-0.7, len(values) - 0.3), ylim=(-limit, limit))
plt.show()

for name, one, other in (("exchanged", kernels, swapped), ("of unit vectors", *pair)):
    change = np.abs(fails.product(one) - fails.product(other)).max()
    print(f"{name:16} outputs differ by {change:.1g}, filters by {apart(fails, one, other):.2f}")

# %%
# Noise
# -----
#
# Outputs with more and more noise. Where the network passes,
# :func:`~skfact.deep_linear.recover_convolution_tree` reads the table and
# approximates it by one of rank one, without a start to be chosen, and states a bound on the error
# of the filters. The bound with the constant of the paper, 7 in place of 2, is drawn as well; it
# says nothing where noise and residual are larger than half of the largest product.

levels = np.geomspace(1e-5, 1, 11)


def noisy(tree, level):
    clean = tree.product(kernels)
    noise = rng.standard_normal(clean.shape)
    noise *= level * np.linalg.norm(clean) / np.linalg.norm(noise)
    return clean + noise, np.linalg.norm(noise, axis=0)


errors, bounds, published = [], [], []
for level in levels:
    for _ in range(10):
        outputs, sizes = noisy(passes, level)
        found = recover_convolution_tree(outputs, passes, noise=sizes)
        errors.append(apart(passes, found.kernels, kernels))
        bounds.append(found.distance_bounds.max())
        published.append(max(
            factor_error_bound(
                None, [found.kernels[e] for e in path], size, residual,
                gamma=1.0, sigma=1.0, constant="published",
            ).bound
            for path, size, residual in zip(passes.paths, sizes, found.residuals, strict=True)
        ))  # fmt: skip
errors, bounds, published = np.reshape([errors, bounds, published], (3, len(levels), 10))

# %%
# To learn the filters of the other network from the same kind of data there is
# :class:`~skfact.deep_linear.SparseDeepLinearNet`, which asks for no verdict: its factors are those
# of the tree. Twelve random starts at each of four levels; a start that misses more than the best
# one would be left out, as it has not found a best fit.


def fits(tree, level, n_starts=12):
    """Distances to the true filters of all fits that are as good as the best one."""
    outputs, _ = noisy(tree, level)
    n = len(outputs)
    matrix = np.concatenate(
        [np.stack([np.roll(y, shift) for shift in range(n)], axis=1) for y in outputs.T], axis=1
    )  # circulant blocks, one for each output
    runs = []
    for seed in range(n_starts):
        net = SparseDeepLinearNet(
            tree.factors(), fit_intercept=False, max_iter=500, tol=1e-12, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            net.fit(np.eye(2 * n), matrix.T)
        first, second, last = net.parameters_
        runs.append((np.linalg.norm(net.coef_ - matrix), [first, second, last[:3], last[3:]]))
    best = min(miss for miss, _ in runs)
    close = 1.001 * best + 1e-6 * np.linalg.norm(matrix)
    return [apart(tree, found, kernels) for miss, found in runs if miss <= close]


few = levels[2:9:2]
learned = {
    name: [fits(tree, level) for level in few]
    for name, tree in (("dilation 3", passes), ("plain stack", fails))
}
print(f"{'':12} {'noise':>8} {'good fits':>10} {'least error':>12} {'largest':>8}")
for name, found in learned.items():
    for level, distances in zip(few, found, strict=True):
        print(f"{name:12} {level:8.1g} {len(distances):10} "
              f"{min(distances):12.1g} {max(distances):8.1g}")  # fmt: skip

# %%

figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharex=True, sharey=True, layout="constrained")
left, right = axes
left.loglog(levels, np.median(published, axis=1), "--", color="0.5", label="bound of the paper")
left.loglog(levels, np.median(bounds, axis=1), color="0.2", label="bound stated")
left.fill_between(levels, errors.min(axis=1), errors.max(axis=1), color="#0072B2", alpha=0.25)
left.loglog(levels, np.median(errors, axis=1), "o-", color="#0072B2", label="recovered")
left.set(title="dilation 3: recoverable", ylabel="error of the filters, up to scales")
right.set_title("plain stack: not recoverable")
for ax, found, color in zip(axes, learned.values(), ("#009E73", "#D55E00"), strict=True):
    for level, distances in zip(few, found, strict=True):
        label = "learned, good fits" if level == few[0] else None
        ax.loglog([level] * len(distances), distances, "x", color=color, markersize=9, label=label)
    ax.set_xlabel("noise, relative to the outputs")
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small", loc="upper left")
plt.show()

# %%
# Left, the error of the filters is proportional to the noise. So is the bound; as it allows for the
# worst noise and the worst filters, it is some 50 times larger here. Learned filters are the same
# ones from every start. Right, fits of equal quality hold two sets of filters, and less noise
# brings them no closer: more data would not help.
#
# What to do with a network that fails? If its filters are to be read, change the dilations until it
# passes. If not, use the product alone.
