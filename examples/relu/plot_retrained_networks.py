"""
================================================
Prune and train again: masks, rewinding, a bound
================================================

A network of which most weights are removed errs on most samples. Train the weights that are left
again, and it is often as good as before: :func:`~skfact.relu.retrain` does so while zeros stay
zero. Here three questions are asked of a network for handwritten digits. Does it matter which
weights go? Must training begin from the weights that are left, or do those of an earlier time serve
(*rewinding*), even those before any training (the *lottery ticket*)? And what can be proven of new
samples?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier

from skfact.relu import generalization_bound, prune, rescale, retrain

warnings.simplefilter("ignore", ConvergenceWarning)  # of trainings that are stopped early

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)

# %%
# Three times of one training: the seed is the same, and so are the weights it begins with.


def trained(n_epochs, learning_rate=1e-3):
    """The network after some epochs of its training."""
    mlp = MLPClassifier((40, 20), learning_rate_init=learning_rate, random_state=0)
    return mlp.set_params(max_iter=n_epochs).fit(X_train, y_train)


network, early, initial = trained(150), trained(5), trained(1, learning_rate=1e-12)
for name, mlp in (("trained", network), ("5 epochs", early), ("initial", initial)):
    print(f"{name:10} accuracy on the test set {mlp.score(X_test, y_test):.3f}")

# %%
# Which weights are left
# ----------------------
#
# The largest, those of largest path saliency, or any. A mask is a network with zeros.


def random_mask(network, amount):
    """The network without randomly chosen weights, in the same part of each layer."""
    rng, masked = np.random.default_rng(0), prune(network, 0)
    masked.coefs_ = [w * (rng.random(w.shape) >= amount) for w in network.coefs_]
    return masked


masks = {
    "magnitude": lambda amount: prune(network, amount),
    "saliency": lambda amount: prune(network, amount, criterion="saliency"),
    "random": lambda amount: random_mask(network, amount),
}
starts = {"weights that are left": None, "after 5 epochs": early, "before training": initial}
densities = np.array([0.4, 0.2, 0.1, 0.05])
scores = {}
print(f"{'mask':10} {'density':>7} {'pruned':>7}", *(f"{name:>22}" for name in starts))
for mask, make in masks.items():
    for density in densities:
        pruned = make(float(1 - density))
        row = [pruned.score(X_test, y_test)]
        for start in starts.values():
            again = retrain(pruned, X_train, y_train, start=start, max_iter=30)
            row.append(again.score(X_test, y_test))
        scores.setdefault(mask, []).append(row)
        print(f"{mask:10} {density:7.0%} {row[0]:7.3f}", *(f"{score:22.3f}" for score in row[1:]))

# %%
# Without training, little is left of the network at 20%. Trained again it has lost one or two
# percent, and with the largest weights about eight at 10%. Where these begin matters little down to
# 10%: training finds the way from the weights that are left, from those after five epochs, and from
# those before any training. Which weights are left matters more. Random ones do well at 40% from
# the weights that training had found, and fall behind at 20% and from earlier weights.
#
# Path saliency keeps up with magnitudes to 20%. At 10% it leaves 4 of the 2,560 weights of the
# first layer, and at 5% none: no path from a pixel is left to train. Magnitudes do not care for
# paths, and are the better criterion here, with training again as without
# (:ref:`sphx_glr_auto_examples_relu_plot_pruned_networks.py`).
#
# A mask alone
# ------------
#
# A mask that was found by training says something even about the weights before training
# (a *supermask*): they recognize more digits with it than without, though nothing was trained but
# the mask.

for density in densities:
    row = []
    for make in masks.values():
        masked = prune(initial, 0)
        pruned = make(float(1 - density))
        masked.coefs_ = [w * (v != 0) for w, v in zip(initial.coefs_, pruned.coefs_, strict=True)]
        row.append(masked.score(X_test, y_test))
    print(
        f"{density:4.0%} of the initial weights:",
        *(f"{mask} {score:.2f}" for mask, score in zip(masks, row, strict=True)),
    )

# %%
# What can be proven
# ------------------
#
# :func:`~skfact.relu.generalization_bound` is about the network with noise on its weights: with
# probability 95% it errs on at most this part of new samples. The bound follows from how far the
# weights are from zero, beside their noise, and that depends on the scaling of neurons; what the
# network computes, with its noise, does not. So the best scaling may be taken, the solution of a
# convex problem. Here the network has 760 weights and biases.

small = MLPClassifier((10,), alpha=0.3, solver="lbfgs", max_iter=500, random_state=0)
small.fit(X_train, y_train)
badly_scaled = rescale(small, [np.exp(np.random.default_rng(0).normal(size=10))])
bounds = {}
for name, mlp in (("as trained", small), ("rescaled", badly_scaled)):
    for rescaling in ("none", "equalize", "best"):
        found = generalization_bound(
            mlp, X_train, y_train, rescaling=rescaling, n_draws=200, random_state=0
        )
        bounds[name, rescaling] = found.bound
        print(
            f"{name:11} rescaling={rescaling!r:11} at most {found.bound:.3f} ({found.kl:.0f} nats)"
        )
print(f"errors on the test set without noise: {1 - small.score(X_test, y_test):.3f}")
print(found)

# %%
# Rescaling gains a tenth, and the bound does not depend on how the network comes. A constant guess
# errs on 90% of the digits: the bound says something, and is far above the errors on the test set.
# For larger networks, with as few samples, it says nothing.

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
colors = {"magnitude": "#D55E00", "saliency": "#0072B2", "random": "#009E73"}
styles = ("x:", "o-", "s--", "^-.")
labels = ("not trained again", *starts)
for mask, rows in scores.items():
    for column, style in zip(np.transpose(rows), styles, strict=True):
        left.semilogx(densities, column, style, color=colors[mask], markersize=5)
    left.plot([], [], color=colors[mask], label=mask)
for label, style in zip(labels, styles, strict=True):
    left.plot([], [], style, color="0.4", label=label)
left.axhline(network.score(X_test, y_test), color="0.6", linestyle=":", label="whole network")
left.set(xlabel="part of the weights that are left", ylabel="accuracy on the test set")
left.set_title("masks and starts")
left.set_xticks(densities, [f"{d:.0%}" for d in densities])
left.xaxis.set_minor_locator(plt.NullLocator())
left.legend(fontsize="small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
names = ("none", "equalize", "best")
for shift, network_name, color in ((-0.2, "as trained", "#0072B2"), (0.2, "rescaled", "#E69F00")):
    values = [bounds[network_name, name] for name in names]
    bars = right.bar(np.arange(3) + shift, values, 0.38, color=color, label=network_name)
    right.bar_label(bars, fmt="%.2f", fontsize="small")
right.axhline(0.9, color="0.4", linestyle="--", label="constant guess")
right.set_xticks(range(3), [f'rescaling="{name}"' for name in names])
right.set(ylabel="bound of the errors", ylim=(0, 1.05), title="what is proven of new samples")
right.legend(fontsize="small", ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.15))
plt.show()
