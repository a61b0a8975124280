"""
====================================================
Path features: a network in the hands of other tools
====================================================

The output of a ReLU network is linear in its path activations: one feature for each path from a
pixel or a bias to the last hidden layer, equal to the pixel (or one) where all neurons on the path
are active. :class:`~skfact.relu.ReLUPathEmbedding` computes them, so that a trained network becomes
a transformer; :func:`~skfact.relu.path_kernel` is their inner product, without listing them.

Is a linear model on these features, or a support vector machine with this kernel, better than the
network itself? And than a plain RBF kernel? On handwritten digits, with few and many samples to
train on.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import warnings
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from skfact import ReLUPathEmbedding
from skfact.inspection import ActivationRegionsDisplay
from skfact.relu import path_kernel

warnings.simplefilter("ignore", ConvergenceWarning)  # of the training, which is stopped early

threadpool_limits(1)  # on small matrices threads cost more time than they save

X, y = load_digits(return_X_y=True)
X = X / 16

# %%
# The same function, as a linear model
# ------------------------------------

X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=300, stratify=y, random_state=0
)
train = {"solver": "lbfgs", "alpha": 0.1, "max_iter": 200}
mlp = MLPClassifier((16, 8), random_state=0, **train)
embedding = ReLUPathEmbedding(mlp, random_state=0).fit(X_train, y_train)
features = embedding.transform(X_test)
logits = features @ embedding.path_weights_
agree = np.mean(logits.argmax(axis=1) == embedding.estimator_.predict(X_test))
share = np.mean(features != 0)
print(f"{X.shape[1]} pixels become {features.shape[1]} features, {share:.0%} of them not zero")
print(f"the linear model of them predicts what the network predicts for {agree:.0%} of the images")

# %%
# A pipeline and a search over architectures
# ------------------------------------------
#
# Hidden layers are drawn at random (no training), or trained as those of a network. What follows is
# the same linear model.

pipeline = Pipeline([("paths", ReLUPathEmbedding(random_state=0)), ("model", RidgeClassifier())])
grid = [
    {
        "paths__estimator": [None],
        "paths__hidden_layer_sizes": [(8,), (32,), (8, 4)],
        "model__alpha": [1.0, 30.0],
    },
    {
        "paths__estimator": [MLPClassifier(hidden, **train) for hidden in [(8,), (32,), (8, 4)]],
        "model__alpha": [1.0, 30.0],
    },
]
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
print(f"{'gates':10} {'hidden layers':14} {'alpha':>6} {'cv':>6}")
for parameters, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    trained = parameters["paths__estimator"]
    hidden = trained or parameters["paths__hidden_layer_sizes"]
    hidden = hidden.hidden_layer_sizes if trained else hidden
    print(f"{'trained' if trained else 'random':10} {hidden!s:14}", end="")
    print(f" {parameters['model__alpha']:6} {score:6.3f}")
print(f"accuracy of the best one on the test set: {search.score(X_test, y_test):.3f}")

# %%
# Against the network itself and an RBF kernel
# --------------------------------------------
#
# Three random choices of the training set each: mean accuracy on the images that are left, and its
# standard deviation. The parameters of the RBF kernel are scikit-learn's defaults, C = 10 for all
# kernels.


def fitted(X, y, seed):
    network = MLPClassifier((32,), random_state=seed, **train).fit(X, y)
    random_paths = ReLUPathEmbedding(hidden_layer_sizes=(32,), random_state=seed)
    trained_paths = ReLUPathEmbedding(FrozenEstimator(network))
    return {
        "the network, (32,)": network,
        "its path features + ridge": Pipeline(
            [("paths", trained_paths), ("model", RidgeClassifier(30.0))]
        ).fit(X, y),
        "random path features + ridge": Pipeline(
            [("paths", random_paths), ("model", RidgeClassifier(30.0))]
        ).fit(X, y),
        "SVC, its path kernel": SVC(C=10, kernel=partial(path_kernel, network)).fit(X, y),
        "SVC, RBF kernel": SVC(C=10).fit(X, y),
        "SVC, linear kernel": SVC(C=10, kernel="linear").fit(X, y),
    }


sizes = [100, 300, 1000]
table = {}
for size in sizes:
    for seed in range(3):
        X_train, X_test, y_train, y_test = train_test_split(
            X, y, train_size=size, stratify=y, random_state=seed
        )
        for name, model in fitted(X_train, y_train, seed).items():
            table.setdefault((name, size), []).append(model.score(X_test, y_test))
names = list(dict.fromkeys(name for name, _ in table))
print(f"{'training samples':30}", *(f"{size:>14}" for size in sizes))
for name in names:
    scores = [np.array(table[name, size]) for size in sizes]
    print(f"{name:30}", *(f"{s.mean():6.3f} ± {s.std():.3f}" for s in scores))

# %%
# **The RBF kernel is the best throughout**, without any network. The path kernel improves on the
# network it was taken from, and is about as good as a plain linear kernel. Ridge regression on the
# path features is as good as the network, up to the choice of the training set, and with random
# gates, too, from 300 samples on. Whoever only wants accuracy on these images should take the RBF
# kernel: what the path features offer is a look at what the network does, in a linear model.

figure, ax = plt.subplots(figsize=(7, 4.2), layout="constrained")
for number, name in enumerate(names):
    scores = np.array([table[name, size] for size in sizes])
    position = np.array(sizes) * 1.04 ** (number - 2.5)
    ax.errorbar(position, scores.mean(axis=1), scores.std(axis=1), fmt="o-", label=name)
ax.set(xscale="log", xlabel="training samples", ylabel="accuracy on the other images")
ax.set_title("Networks, path features and kernels on digits")
ax.set_xticks(sizes, sizes)
ax.xaxis.set_minor_locator(plt.NullLocator())
ax.grid(alpha=0.3)
ax.legend(fontsize="small")
plt.show()

# %%
# Where the features are constant
# -------------------------------
#
# Between two boundaries no neuron switches: there the path features are linear in the pixels. The
# plane goes through three of the images; a network of (16, 8) neurons cuts it into these pieces.
# In the trained network each boundary is a bend of the function, too. On the right the outgoing
# weights of two neurons are set to zero: they still switch (red), and nothing changes there.

three = X[[np.flatnonzero(y == digit)[0] for digit in (0, 1, 4)]]
trained = embedding.estimator_
coefs = [w.copy() for w in trained.coefs_]
coefs[1][:2] = 0
figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
ActivationRegionsDisplay.from_network(trained, three, ax=axes[0])
ActivationRegionsDisplay.from_network((coefs, trained.intercepts_), three, ax=axes[1])
figure.suptitle("A trained network, and the same without two of its neurons")
plt.show()
