"""
======================================================
Path-SGD: training that does not see how weights scale
======================================================

Two networks that are rescalings of each other compute the same function. One step of gradient
descent, and they do not any more: the gradient depends on the scaling. Path-SGD divides it by
:func:`~skfact.relu.path_sgd_scaling`, weight by weight, and its step commutes with rescaling. Do
rescaled twins stay twins, then, over a whole training on handwritten digits? And does that make the
training better?
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 2

from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

from skfact.relu import path_sgd_scaling, rescale

threadpool_limits(1)  # on small matrices threads cost more time than they save

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
targets = np.eye(10)[y_train]

# %%
# The two steps
# -------------
#
# A network is a pair of lists: weights and biases. The loss is the cross-entropy of its outputs.


def forward(network, X):
    """The inputs of all layers, and the outputs."""
    inputs = [X]
    *hidden, (w, b) = zip(*network, strict=True)
    for v, c in hidden:
        inputs.append(np.maximum(inputs[-1] @ v + c, 0))
    return inputs, inputs[-1] @ w + b


def loss_and_gradient(network, X, targets):
    inputs, outputs = forward(network, X)
    outputs = outputs - outputs.max(axis=1, keepdims=True)
    logarithms = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    back = (np.exp(logarithms) - targets) / len(X)
    gradient = [], []
    for w, h in zip(network[0][::-1], inputs[::-1], strict=True):
        gradient[0].insert(0, h.T @ back)
        gradient[1].insert(0, back.sum(axis=0))
        back = (back @ w.T) * (h > 0)
    return -(targets * logarithms).sum() / len(X), gradient


def sgd_step(network, gradient, eta):
    return tuple(
        [a - eta * g for a, g in zip(*arrays, strict=True)]
        for arrays in zip(network, gradient, strict=True)
    )


def path_sgd_step(network, gradient, eta):
    kappa = path_sgd_scaling(network)
    return tuple(
        # kappa is zero for weights on no path, and so is the gradient
        [a - eta * g / np.where(k > 0, k, 1) for a, g, k in zip(*arrays, strict=True)]
        for arrays in zip(network, gradient, kappa, strict=True)
    )


def train(network, step, eta, n_steps=400, seed=0):
    """The losses on the batches, the outputs on the test images after each step, the network."""
    rng = np.random.default_rng(seed)
    losses, trajectory = [], []
    for _ in range(n_steps):
        rows = rng.integers(0, len(X_train), 64)
        loss, gradient = loss_and_gradient(network, X_train[rows], targets[rows])
        network = step(network, gradient, eta)
        losses.append(loss)
        trajectory.append(forward(network, X_test)[1])
    return np.array(losses), np.array(trajectory), network


# %%
# Twins
# -----
#
# The network starts from the usual normal weights; its twin is rescaled by log-normal factors, with
# standard deviation 1 of their logarithms. Both see the same batches in the same order. For either
# method the step size is, of a few that were tried, the one with the smallest loss of the network
# that is not rescaled.

rng = np.random.default_rng(0)
widths = [64, 32, 16, 10]
start = (
    [rng.normal(size=(n, m)) * np.sqrt(2 / n) for n, m in pairwise(widths)],
    [np.zeros(m) for m in widths[1:]],
)
directions = [rng.normal(size=n) for n in widths[1:-1]]


def rescaled(sigma):
    return rescale(start, [np.exp(sigma * d) for d in directions])


methods = {"SGD": (sgd_step, [0.03, 0.1, 0.3, 1.0]), "Path-SGD": (path_sgd_step, [0.1, 0.3, 1, 3])}
best, runs = {}, {}
for name, (step, etas) in methods.items():
    ends = [train(start, step, eta)[0][-50:].mean() for eta in etas]
    best[name] = etas[int(np.argmin(ends))]
    runs[name] = [train(network, step, best[name]) for network in (start, rescaled(1.0))]
    accuracies = [np.mean(t[-1].argmax(axis=1) == y_test) for _, t, _ in runs[name]]
    print(f"{name}: step size {best[name]:g}, accuracies of the twins", end=" ")
    print(" and ".join(f"{a:.3f}" for a in accuracies))

figure, axes = plt.subplots(1, 2, figsize=(10, 3.9), layout="constrained")
for number, (name, ((losses, one, _), (other_losses, other, _))) in enumerate(runs.items()):
    smooth = np.ones(10) / 10
    for curve, style, label in [(losses, "-", ""), (other_losses, ":", ", rescaled twin")]:
        axes[0].semilogy(
            np.convolve(curve, smooth, "valid"),
            style,
            color=f"C{number}",
            lw=1 if style == "-" else 2.5,
            label=name + label,
        )
    apart = np.linalg.norm(one - other, axis=(1, 2)) / np.linalg.norm(one, axis=(1, 2))
    axes[1].semilogy(apart, color=f"C{number}", label=name)
    print(f"{name}: relative distance of the twins, at most {apart.max():.1e}")
axes[0].set(xlabel="step", ylabel="loss (mean of 10 batches)", title="loss")
axes[1].set(xlabel="step", title="relative distance of the twins' outputs", ylim=(1e-17, 1e2))
for ax in axes:
    ax.grid(alpha=0.3)
    ax.legend(fontsize="small")
plt.show()

# %%
# Under Path-SGD the twins differ by rounding only, after each of the steps: the two curves of the
# loss lie on each other. Under SGD they are different functions after the first step.
#
# Is that an advantage?
# ---------------------
#
# Where the start is badly scaled it is, at the step sizes from above. To be fair, the step size of
# SGD is also chosen anew for each rescaling, which nobody could do without trying.

sigmas = [0, 0.5, 1, 1.5, 2]


def accuracy(name, sigma, eta):
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # where SGD diverges
        losses, trajectory, _ = train(rescaled(sigma), methods[name][0], eta)
    return losses[-50:].mean(), np.mean(trajectory[-1].argmax(axis=1) == y_test)


accuracies = {
    f"{name}, step size {best[name]:g}": [accuracy(name, s, best[name])[1] for s in sigmas]
    for name in methods
}
tried = [0.003, 0.01, 0.03, 0.1, 0.3]
ends = [[accuracy("SGD", sigma, eta) for eta in tried] for sigma in sigmas]
accuracies["SGD, best of five step sizes"] = [
    end[np.nanargmin([loss for loss, _ in end])][1] for end in ends
]
figure, ax = plt.subplots(figsize=(5.5, 3.9), layout="constrained")
for name, values in accuracies.items():
    ax.plot(sigmas, values, "o-", label=name)
    print(f"{name:30}", *(f"{a:.3f}" for a in values))
ax.set(xlabel="sigma of the rescaling", ylabel="accuracy on the test set", ylim=(0, 1.02))
ax.set_title("Training from rescaled starts")
ax.grid(alpha=0.3)
ax.legend(fontsize="small", loc="lower left")
plt.show()

# %%
# From the usual start SGD ends with the lower loss, and both are as accurate. The further away the
# start is scaled, the worse SGD does, even with the best of the step sizes; Path-SGD runs through
# the same functions each time. The price is a forward and a backward pass on the squared weights in
# every step.
