"""
===================================================
Pruning a network: a proven bound and what it costs
===================================================

Setting weights of a network to zero changes its outputs. :func:`~skfact.relu.path_metric` bounds by
how much, for every input, from the weights alone. How far is that bound from the true change? And
which weights should go: the smallest ones, which depends on how the neurons are scaled, or those
with the smallest paths through them, which does not?

The network has two hidden layers and is trained on handwritten digits; it is not trained again
after pruning.
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

from skfact.relu import equalize, path_metric, prune, rescale

warnings.simplefilter("ignore", ConvergenceWarning)  # of the training, which is stopped early

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
network = MLPClassifier((64, 32), max_iter=150, random_state=0).fit(X_train, y_train)
rng = np.random.default_rng(0)
twin = rescale(network, [np.exp(2 * rng.normal(size=n)) for n in (64, 32)])


def logits(network, X):
    """The outputs before the softmax."""
    *hidden, (w, b) = zip(network.coefs_, network.intercepts_, strict=True)
    for v, c in hidden:
        X = np.maximum(X @ v + c, 0)
    return X @ w + b


# %%
# Which weights go
# ----------------
#
# The same function twice: as trained, and with its neurons rescaled by random factors. Magnitudes
# see a difference, path saliency sees none, and after equalization magnitudes see none either.

amounts = np.array([0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
ways = {
    "magnitude, as trained": (network, "magnitude"),
    "magnitude, rescaled": (twin, "magnitude"),
    "magnitude, rescaled and equalized": (equalize(twin), "magnitude"),
    "path saliency, as trained": (network, "saliency"),
    "path saliency, rescaled": (twin, "saliency"),
}
scores = {
    way: [prune(net, float(a), criterion=criterion).score(X_test, y_test) for a in amounts]
    for way, (net, criterion) in ways.items()
}
print(f"{'part of the weights removed':34}", *(f"{a:5.0%}" for a in amounts))
for way, row in scores.items():
    print(f"{way:34}", *(f"{score:5.2f}" for score in row))

# %%
# Pruning by magnitude depends on the scaling: the rescaled twin has lost much of its accuracy when
# 40% of the weights are gone, and equalization gives it back. Path saliency is the same for both.
# That is its merit; **it is not the better criterion**: beyond 60% it removes more accuracy than
# magnitudes of the network as it was trained.
#
# The bound and the true change
# -----------------------------
#
# The first tenth of the weights belongs mostly to pixels that are always white, and costs nothing.
# For each test image the bound says how much the ten outputs can change together. The table gives
# the median over the images, the largest change of all images, and the ratio of bound and change.

parts = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8])
curves = {}
before = logits(network, X_test)
print(f"median size of the outputs (l1 norm): {np.median(abs(before).sum(axis=1)):.1f}")
print(f"{'criterion':10} {'removed':>8} {'change':>9} {'largest':>9} {'bound':>9} {'ratio':>8}")
for criterion in ("magnitude", "saliency"):
    rows = []
    for part in parts:
        pruned = prune(network, float(part), criterion=criterion)
        change = abs(logits(pruned, X_test) - before).sum(axis=1)
        metric = path_metric(network, pruned)
        bound = metric.output_bound(X_test)
        assert (change <= bound).all()
        rows.append((np.median(change), change.max(), np.median(bound)))
        print(f"{criterion:10} {part:8.1%}", *(f"{value:9.3g}" for value in rows[-1]), end=" ")
        print(f"{rows[-1][2] / rows[-1][0]:8.0f}")
    curves[criterion] = np.array(rows)

# %%
# The bound holds for every image (the script checks it), and for **any** input of that size, which
# is why it is pessimistic: it is about 80 to 370 times the true (median) change, and larger
# than the outputs themselves once 15% of the weights are gone. As a guarantee it is useful for
# small changes only.

colors = dict(zip(ways, ("#D55E00", "#D55E00", "#E69F00", "#0072B2", "#0072B2"), strict=True))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
for way, row in scores.items():
    style = "s:" if way.endswith("rescaled") else "o-"
    left.plot(amounts, row, style, color=colors[way], label=way, markersize=5)
left.set(xlabel="part of the weights removed", ylabel="accuracy on the test set")
left.set_title("accuracy after pruning")
left.legend(fontsize="small", loc="lower left")
for criterion, color in (("magnitude", "#D55E00"), ("saliency", "#0072B2")):
    change, _, bound = curves[criterion].T
    right.loglog(parts, bound, "^--", color=color, label=f"{criterion}: bound")
    right.loglog(parts, change, "o-", color=color, label=f"{criterion}: true change")
right.axhline(np.median(abs(before).sum(axis=1)), color="0.6", linestyle=":", label="the outputs")
right.set(xlabel="part of the weights removed", ylabel="change of the outputs, l1 (median)")
right.set_title("change of the outputs, and its bound")
right.legend(fontsize="small")
right.set_xticks([0.1, 0.2, 0.4, 0.8], ["10%", "20%", "40%", "80%"])
right.xaxis.set_minor_locator(plt.NullLocator())
for ax in (left, right):
    ax.grid(alpha=0.3)
plt.show()
