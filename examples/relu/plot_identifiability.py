"""
=================================================
Which other networks compute the same function?
=================================================

A function of a ReLU network does not tell its weights. Neurons can be reordered, and what arrives
at a neuron can be multiplied by a positive number if what leaves it is divided by it: such networks
are *copies*. Are there others? Where is it impossible to say from the outputs which network made
them? And which of these cases can be recognized from the weights?

The networks here have one or two inputs and one output, so that their functions can be drawn. A
hidden neuron with incoming weights w and bias b bends the function where w . x + b = 0. It is zero
on one side of this *kink* and active on the other.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 2

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

from skfact.inspection import IdentifiabilityDisplay
from skfact.relu import (
    activation_patterns,
    align,
    identifiability_report,
    is_rescaling_equivalent,
    rescale,
    simplify,
)

warnings.simplefilter("ignore", ConvergenceWarning)  # of the training, which is stopped early


def shallow(w, b, v, c=0.0):
    """A network (coefs, intercepts) with one hidden layer and one output."""
    w = np.atleast_2d(np.asarray(w, dtype=float))
    return [w, np.array(v, dtype=float)[:, None]], [np.array(b, dtype=float), np.array([c])]


def neurons(network, X):
    """What each hidden neuron adds to the output, (n_samples, n_neurons)."""
    (w, v), (b, _) = network
    return np.maximum(X @ w + b, 0) * v[:, 0]


def function(network, X):
    return neurons(network, X).sum(axis=1) + network[1][1]


def draw_line(ax, network, low, high, title):
    """A function of one input, what its neurons add, and the sides on which they are active."""
    x = np.linspace(low, high, 801)
    ax.plot(x, function(network, x[:, None]), color="black", lw=2.5, label="the function")
    for i, part in enumerate(neurons(network, x[:, None]).T):
        ax.plot(x, part, "--", color=f"C{i}", lw=1.2, label=f"neuron {i}")
    ax.margins(y=0.14)
    (w,), b = network[0][0], network[1][0]
    for i, (kink, side) in enumerate(zip(-b / w, np.sign(w), strict=True)):
        if low < kink < high:
            ax.plot(kink, function(network, np.array([[kink]])), "o", color=f"C{i}", ms=6)
            ax.annotate(
                "",
                (kink + side * 0.07 * (high - low), 0.05),
                (kink, 0.05),
                xycoords=ax.get_xaxis_transform(),
                arrowprops={"arrowstyle": "->", "color": f"C{i}"},
            )
    ax.set_title(title, fontsize="medium")
    ax.set_xlabel("input")


def legend_below(figure, ax):
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)


# %%
# Copies
# ------
#
# Reordered and rescaled, the weights look unrelated. :func:`~skfact.relu.is_rescaling_equivalent`
# recognizes copies, and :func:`~skfact.relu.align` brings one back to the other.

network = shallow([1, 1, -1], [1, -1, 0.2], [1, -2, 0.7])
(w, v), (b, c) = rescale(network, [[0.2, 3.0, 40.0]])
copy = [w[:, [2, 0, 1]], v[[2, 0, 1]]], [b[[2, 0, 1]], c]
back, _ = align(copy, network)
print("incoming weights of the network:", network[0][0][0])
print("incoming weights of the copy:   ", copy[0][0][0])
print("incoming weights, aligned:      ", back[0][0])
print("copies:", is_rescaling_equivalent(network, copy, permutations=True))

# %%
# From here on, copies count as one network.
#
# Positive twins
# --------------
#
# Two neurons whose incoming weights and biases are positive multiples of each other bend the
# function at the same place in the same direction. Only the sum of what leaves them counts: it can
# be split in any way, and :func:`~skfact.relu.simplify` needs one neuron for it. In the pictures,
# dashed lines are what the neurons add; arrows point to the side on which they are active.

twins = shallow([1, 1, -1], [1, 1, 0.5], [1, 0.5, 0.8])
split = shallow([1, 1, -1], [1, 1, 0.5], [2.2, -0.7, 0.8])
merged = simplify(twins)
print("copies:", is_rescaling_equivalent(twins, split, permutations=True))
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharey=True, layout="constrained")
draw_line(axes[0], twins, -3, 2, "outgoing weights 1 and 0.5")
draw_line(axes[1], split, -3, 2, "outgoing weights 2.2 and -0.7")
draw_line(axes[2], merged, -3, 2, "merged by simplify")
figure.suptitle("Positive twins: one function, three networks")
legend_below(figure, axes[0])
plt.show()

# %%
# Flips of signs
# --------------
#
# This hat is written by neurons that are all active to the right of their kinks, or by neurons that
# are all active to the left. No two of them are twins.
#
# relu(z) - relu(-z) = z: when the sign of all that arrives at a neuron is flipped, the function
# changes by v (w . x + b), with v the outgoing weight. For these three neurons the sum of v w is
# 1 - 2 + 1 = 0, and a constant remains, which the output's bias absorbs. A layer without such
# neurons is called *irreducible*.

hat = shallow([1, 1, 1], [1, 0, -1], [1, -2, 1])
flipped = shallow([-1, -1, -1], [-1, 0, 1], [1, -2, 1])
print(identifiability_report(hat))
figure, axes = plt.subplots(1, 2, figsize=(7.5, 3.9), sharey=True, layout="constrained")
draw_line(axes[0], hat, -2, 2, "built from the left")
draw_line(axes[1], flipped, -2, 2, "built from the right")
figure.suptitle("A hat, written in two ways")
legend_below(figure, axes[0])
plt.show()

# %%
# With two inputs the kinks are lines. Here, too, the outgoing weights times the incoming ones sum
# to zero, and all three neurons can change sides (arrows).

plane = shallow([[1, 0, 1], [0, 1, 1]], [0.5, -0.2, 0.3], [1, 1, -1])
(w, v), (b, c) = plane
mirrored = [-w, v], [-b, c + b @ v]
grid = np.linspace(-2, 2, 201)
X = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
print("largest difference:", abs(function(plane, X) - function(mirrored, X)).max())
print("copies:", is_rescaling_equivalent(plane, mirrored, permutations=True))
signs = np.array([-1, 1, 1])
one_flipped = [signs * w, v], [signs * b, c + b[0] * v[0]]
figure, axes = plt.subplots(1, 3, figsize=(11.5, 3.9), sharey=True, layout="constrained")
titles = ["the network", "all three flipped: the same", "one flipped: another function"]
levels = np.linspace(-2.7, 2.7, 28)
for ax, shown, title in zip(axes, [plane, mirrored, one_flipped], titles, strict=True):
    values = function(shown, X).reshape(201, 201)
    filled = ax.contourf(grid, grid, values, levels, cmap="RdBu", extend="both")
    for i in range(3):
        normal, offset = shown[0][0][:, i], shown[1][0][i]
        size = np.linalg.norm(normal)
        foot, along = -offset * normal / size**2, np.array([-normal[1], normal[0]]) / size
        ends = np.stack([foot - 5 * along, foot + 5 * along], axis=1)
        ax.plot(*ends, color=f"C{i + 1}", lw=2)
        start = foot + (1.2, -1.2, 0.9)[i] * along
        ax.annotate(
            "",
            start + 0.55 * normal / size,
            start,
            arrowprops={"arrowstyle": "-|>", "color": f"C{i + 1}", "lw": 2},
        )
    ax.set(xlim=(-2, 2), ylim=(-2, 2), aspect="equal")
    ax.set_title(title, fontsize="medium")
figure.colorbar(filled, ax=axes, label="output", shrink=0.9, ticks=range(-2, 3))
figure.suptitle("Three neurons on the plane")
plt.show()

# %%
# Negative twins
# --------------
#
# Two neurons with opposite incoming weights and biases share a kink and are active on either side
# of it. As long as inputs stay in a bounded set, one of them is not needed there: a neuron that is
# active on the whole set does its part (and the output's bias, which is 4 on the right, the rest).
# Beyond the set, the difference shows.

pair = shallow([1, -1, 2], [0, 0, -2], [1.5, 1, -0.6])
other = shallow([1, 1, 2], [0, 4, -2], [2.5, -1, -0.6], 4)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True, layout="constrained")
for ax, network, title in zip(
    axes, [pair, other], ["negative twins", "a neuron active on the whole set"], strict=True
):
    draw_line(ax, network, -7, 3, title)
    ax.axvspan(-3, 2, color="0.92", zorder=0, label="the bounded set")
legend_below(figure, axes[0])
plt.show()
x = np.linspace(-3, 2, 101)[:, None]
print("largest difference on the set:", abs(function(pair, x) - function(other, x)).max())
print(identifiability_report(pair))

# %%
# For one hidden layer this is all there is: a network is determined, up to copies, by its outputs
# on some bounded set *if and only if* it has no twins and is irreducible. For more layers these
# conditions are necessary, and it is not known what suffices.
#
# The ladder
# ----------
#
# Twins are found by comparing neurons. Whether a layer is irreducible is NP-hard to decide: with
# one input and one output the question is whether some of n numbers sum to zero. The report climbs
# a ladder of tests, and says "undetermined" when its time is over.

rng = np.random.default_rng(0)
signs = np.resize([1, -1], 40)
layers = {
    "3 inputs, 5 neurons, 2 outputs": (rng.normal(size=(3, 5)), rng.normal(size=(5, 2))),
    "8 neurons, positive weights": (rng.uniform(size=(2, 8)), rng.uniform(size=(8, 1))),
    "12 neurons": (rng.normal(size=(2, 12)), rng.normal(size=(12, 1))),
    "12 integers": (rng.integers(1, 100, (1, 12)) * signs[:12], np.ones((12, 1))),
    "40 integers below 1e3": (rng.integers(1, 1000, (1, 40)) * signs, np.ones((40, 1))),
    "40 integers below 1e7": (rng.integers(1, 10**7, (1, 40)) * signs, np.ones((40, 1))),
}
for name, weights in layers.items():
    result = identifiability_report((list(weights), None), time_budget=1.0).layers[0].irreducibility
    answer = {True: "irreducible", False: "reducible", None: "undetermined"}[result.answer]
    print(f"{name:31} {answer:13} {result.reason.removeprefix('undetermined: ')}")

# %%
# Neuron by neuron
# ----------------
#
# Networks that are trained are rarely twins by accident. What samples add is the *local rank*: how
# many directions of parameter space change the outputs on them. A full rank, parameters less hidden
# neurons, means that all networks near this one with the same outputs are copies.
#
# To see each finding once, here is a network into which they were planted: 0 and 3 are positive
# twins, 1 and 4 negative ones, neuron 5 is never active on the samples and neuron 6 always. In the
# second layer the first three neurons can be flipped together, and nothing leaves the last one of
# the third. The numbers below neurons are the rank that they cost, counted one after another.

w = [rng.normal(size=shape) for shape in [(3, 8), (8, 5), (5, 4), (4, 1)]]
b = [0.3 * rng.normal(size=n) for n in (8, 5, 4, 1)]
for neuron, twin, factor in [(0, 3, 2.0), (1, 4, -0.5)]:
    w[0][:, twin], b[0][twin] = factor * w[0][:, neuron], factor * b[0][neuron]
w[0][:, 5:7] *= 0.2
b[0][5:7] = -3, 3
w[1][:, 2] = w[1][:, 0] + w[1][:, 1]
w[2][1], w[2][2] = w[2][0], -w[2][0]
w[3][3] = 0
planted = w, b
samples = rng.uniform(-3, 3, size=(2000, 3))
report = identifiability_report(planted, samples)
print(report)
IdentifiabilityDisplay.from_report(report)
plt.show()

# %%
# :func:`~skfact.relu.simplify` takes out what can be taken out without changing the function on any
# input, and with ``dead_on`` also neurons that are off on the samples. Negative twins, flips and
# neurons that are always active remain: there nothing is superfluous.

simpler = simplify(planted, dead_on=samples)
print(identifiability_report(simpler, samples))

# %%
# A trained network
# -----------------
#
# Two networks of the same size, trained on the diabetes data with weak and with strong weight
# decay. With two hidden layers the report cannot say yes; it says what it found in the way, which
# is nothing in the weights of the first one. Strong decay switches neurons off, or on for good.

X, y = load_diabetes(return_X_y=True)
X = StandardScaler().fit_transform(X)
y = (y - y.mean()) / y.std()
trained = {}
figure, axes = plt.subplots(2, 1, figsize=(7, 6.5), layout="constrained")
for ax, alpha in zip(axes, [1e-3, 10.0], strict=True):
    network = MLPRegressor(
        hidden_layer_sizes=(12, 6), alpha=alpha, solver="lbfgs", max_iter=1000, random_state=0
    ).fit(X, y)
    report = identifiability_report(network, X)
    print(f"alpha={alpha:g}, R2 on the training set {network.score(X, y):.2f}")
    print(report)
    IdentifiabilityDisplay.from_report(report, ax=ax)
    ax.set_title(f"alpha={alpha:g}: {ax.get_title()}", fontsize="medium")
    trained[alpha] = network
plt.show()

# %%
# A neuron that is active on few samples costs rank, too: what arrives at it, 13 parameters in the
# second layer, matters on these samples only. Rank is "unexplained" if no neuron accounts for it.

active = activation_patterns(trained[1e-3], X)[:, 12:].sum(axis=0)
print("active samples of the neurons of layer 2, weak decay:", *active)
