"""
==========================================================
Rounding a network to a few bits, whatever its scaling was
==========================================================

Multiply what arrives at a hidden neuron by a positive number, divide what leaves it by the same
number: the network computes the same function. Its weights are other ones, and rounding them to a
grid of a few bits does more or less harm. How much does the scaling matter, and does
:func:`~skfact.relu.equalize` make it irrelevant?

Two networks trained on handwritten digits are rescaled by random factors, rounded as they are or
equalized first, and tested. Weights are rounded to one grid per layer (simulated: the numbers stay
floating).
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

from skfact.relu import equalize, quantize, rescale

warnings.simplefilter("ignore", ConvergenceWarning)  # of the training, which is stopped early

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, stratify=y, random_state=0)
networks = {
    hidden: MLPClassifier(hidden, max_iter=150, random_state=0).fit(X_train, y_train)
    for hidden in [(64,), (64, 32)]
}

# %%
# Accuracy after rounding
# -----------------------
#
# The factors are log-normal, with standard deviation sigma of their logarithms: at sigma = 3 two
# neurons out of three lie within a factor of 20 of where they were. Each entry is the mean over
# five draws, and in brackets the worst of them.

sigmas, draws = [0, 1, 2, 3], 5
preparations = {
    "as it is": lambda network: network,
    "equalized": lambda network: equalize(network, p=np.inf, max_iter=20_000),
    "per channel": lambda network: network,
}


def accuracies(network, sigma, bits, preparation):
    """Test accuracy of the rounded network for several random rescalings of it."""
    scheme = "per_channel" if preparation == "per channel" else "per_tensor"
    found = []
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        factors = [np.exp(sigma * rng.normal(size=len(b))) for b in network.intercepts_[:-1]]
        prepared = preparations[preparation](rescale(network, factors))
        found.append(quantize(prepared, bits, scheme=scheme).score(X_test, y_test))
    return np.array(found)


results = {}
for hidden, network in networks.items():
    print(f"hidden layers {hidden}, not rounded: {network.score(X_test, y_test):.3f}")
    for bits in (8, 4):
        for preparation in preparations:
            row = [accuracies(network, sigma, bits, preparation) for sigma in sigmas]
            results[hidden, bits, preparation] = row
            print(f"  int{bits} {preparation:12}", end="")
            print(*(f"  {found.mean():.3f} ({found.min():.3f})" for found in row))

# %%
# As it is, the network depends on luck: a rescaling with sigma = 2 ruins even eight bits, with four
# bits sigma = 1 does. One grid for each neuron instead of one for each layer ("per channel") undoes
# the scale of what arrives at a neuron but not that of what leaves it: it helps for small sigma.
#
# After equalization every rescaling gives **the same rounded network**, as good as the trained one
# was. It does not make that one better: where nothing was rescaled (sigma = 0) equalization gains
# or loses a few test images, and with eight bits nothing. It is a remedy for badly scaled networks.

colors = {"as it is": "#D55E00", "equalized": "#0072B2", "per channel": "#009E73"}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for ax, (hidden, network) in zip(axes, networks.items(), strict=True):
    ax.axhline(network.score(X_test, y_test), color="0.6", linestyle=":", label="not rounded")
    for bits, style in ((8, "-o"), (4, "--s")):
        for preparation, color in colors.items():
            means = [found.mean() for found in results[hidden, bits, preparation]]
            ax.plot(sigmas, means, style, color=color, label=f"int{bits}, {preparation}")
    ax.set(title=f"hidden layers {hidden}", xlabel="sigma of the random rescaling")
    ax.set_xticks(sigmas)
    ax.grid(alpha=0.3)
axes[0].set_ylabel("accuracy on the test set")
axes[1].legend(fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))
figure.suptitle("Networks rounded to 8 and to 4 bits")
plt.show()
