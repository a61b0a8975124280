"""
========================
Compress a trained layer
========================

A layer of a trained network is a dense matrix. Which product of sparse factors, with how many
numbers, can stand in for it? And is it enough to factor the weights, or should the factors be
trained on what the layer sees, its activations?

Two networks answer: a small one for handwritten digits, trained here, and a public one,
`Magika <https://github.com/google/magika>`_, which tells the type of a file from its bytes and
ships its weights in a Python package. Four families stand in for a layer, each with as many numbers
as a budget allows: butterfly and Monarch factors, two factors of low rank, and a single sparse
matrix.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import sysconfig
import warnings
from copy import deepcopy
from importlib.resources import files
from itertools import count, takewhile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnx
import onnxruntime
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skfact import SparseDeepLinearNet
from skfact.butterfly import butterfly_factorize
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, KSparse

threadpool_limits(1)
warnings.simplefilter("ignore", ConvergenceWarning)  # training is stopped early on purpose
warnings.simplefilter("ignore", StructureWarning)  # the errors of all families are shown below
rng = np.random.default_rng(0)
COLORS = {
    "butterfly": "#0072B2",
    "monarch": "#D55E00",
    "low-rank": "#009E73",
    "sparse": "#CC79A7",
}


def supports_within(family, n_out, n_in, budget):
    """The largest supports of a family with at most `budget` numbers, and how many they have."""
    if family == "sparse":
        return [KSparse(budget)], budget
    chains = (Chain.for_shape(n_out, n_in, family=family, rank=rank) for rank in count(1))
    *_, chain = takewhile(lambda chain: chain.nnz <= budget, chains)
    return chain, chain.nnz


def factor_weights(weights, supports):
    """The product of factors that is closest to the weights, as a dense matrix."""
    if isinstance(supports, Chain):
        return butterfly_factorize(weights, supports).toarray()
    return supports[0].project(weights)


def compress(weights, offset, X, budgets):
    """For each family and budget: (number of numbers, {way: (weights, offset)})."""
    outputs, found = X @ weights.T + offset, []
    for family in COLORS:
        last = 0
        for budget in budgets:
            try:
                supports, n_numbers = supports_within(family, *weights.shape, budget)
            except ValueError:  # no member is as small as that
                continue
            if n_numbers == last:
                continue
            last = n_numbers
            product = factor_weights(weights, supports)
            shift = (outputs - X @ product.T).mean(axis=0)
            net = SparseDeepLinearNet(supports, max_iter=60).fit(X, outputs)
            ways = {
                "weights only": (product, offset),
                "offset fitted": (product, shift),
                "fine-tuned": (net.coef_, net.intercept_),
            }
            found.append((family, n_numbers, ways))
    return found


def table(found, error, quality, name):
    """Print error and quality of every way; return them as points to draw."""
    print(f"{'':10} {'':>7}   {'error of the outputs':^23}   {name:^23}")
    heads = ("weights", "offset", "tuned")
    print(f"{'family':10} {'numbers':>7}  ", *(f"{head:>7}" for head in heads), end="   ")
    print(*(f"{head:>7}" for head in heads))
    points = []
    for family, n_numbers, ways in found:
        errors = [error(*pair) for pair in ways.values()]
        qualities = [quality(*pair) for pair in ways.values()]
        print(f"{family:10} {n_numbers:7}  ", *(f"{value:7.3f}" for value in errors), end="   ")
        print(*(f"{value:7.3f}" for value in qualities))
        points.append((family, n_numbers, errors, qualities))
    return points


def draw(points, size, best, name, title):
    """Error and quality against the number of numbers."""
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained")
    for ax, which in zip(axes, (2, 3), strict=True):
        for family, color in COLORS.items():
            own = [point for point in points if point[0] == family]
            numbers = [point[1] for point in own]
            for way, style, face in ((0, "o:", "white"), (2, "o-", color)):
                values = [point[which][way] for point in own]
                label = f"{family}, {'fine-tuned' if way else 'weights only'}"
                ax.semilogx(numbers, values, style, color=color, markerfacecolor=face, label=label)
        shares = np.array([0.05, 0.1, 0.2, 0.4])
        ax.set_xticks(shares * size, [f"{share:.0%}" for share in shares])
        ax.xaxis.set_minor_locator(plt.NullLocator())
        ax.set(xlabel="numbers in the factors, as a share of the dense layer")
        ax.grid(alpha=0.3)
    errors = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0]
    axes[0].set(ylabel="relative error of the outputs", yscale="log")
    axes[0].set_yticks(errors, [f"{error:g}" for error in errors])
    axes[0].yaxis.set_minor_locator(plt.NullLocator())
    axes[0].set_ylim(0.85 * min(min(point[2]) for point in points), None)
    axes[1].axhline(best, color="0.5", linestyle="--", label="dense layer")
    axes[1].set(ylabel=name)
    figure.suptitle(f"{title}: factors in its place")
    figure.legend(*axes[1].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    plt.show()


# %%
# Digits: the layer in the middle
# -------------------------------
#
# The network has two hidden layers of 256 neurons. The layer between them is a matrix of
# 256 x 256 numbers, most of the network. Half of the images are for training, of the network and of
# the factors; the other half is only for measuring.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)
network = MLPClassifier((256, 256), max_iter=60, random_state=0).fit(X_train, y_train)
dense_score = network.score(X_test, y_test)
weights, offset = network.coefs_[1].T, network.intercepts_[1]


def activations(X):
    """The inputs of the middle layer."""
    return np.maximum(X @ network.coefs_[0] + network.intercepts_[0], 0)


seen, seen_test = activations(X_train), activations(X_test)
outputs = seen_test @ weights.T + offset


def with_layer(weights, offset):
    """The network with another middle layer: it is set back into the MLP."""
    other = deepcopy(network)
    other.coefs_[1], other.intercepts_[1] = weights.T, offset
    return other


def relative_error(inputs, outputs):
    """A function of weights and offset: error on these inputs, relative to the variation."""
    size = np.linalg.norm(outputs - outputs.mean(axis=0))
    return lambda weights, offset: np.linalg.norm(inputs @ weights.T + offset - outputs) / size


# %%
# Three ways to fill the factors:
#
# - *weights*: the product closest to the weights; no data are used;
# - *offset*: the same product, with the offset that suits the activations;
# - *tuned*: :class:`~skfact.deep_linear.SparseDeepLinearNet` fitted to activations as inputs and
#   the outputs of the dense layer as targets. It starts from factors of the least-squares matrix,
#   and takes at most 60 steps of L-BFGS from there; for the sparse matrix, of PALM.

found = compress(weights, offset, seen, budgets=(4096, 12288, 24576))
points = table(
    found,
    relative_error(seen_test, outputs),
    lambda *pair: with_layer(*pair).score(X_test, y_test),
    "accuracy",
)
print(f"accuracy of the dense layer, {weights.size} numbers: {dense_score:.3f}")

# %%

draw(points, weights.size, dense_score, "accuracy on the test set", "Layer for digits")

# %%
# **Factoring the weights is not enough.** An error above 1 is worse than a constant output. The
# closest product treats all directions of the input alike, while the activations fill them very
# unevenly, and have a mean far from zero. Fitting the offset repairs only the mean; where the rest
# of the error stays large it can even cost accuracy.
#
# **Fine-tuned**, every family has a much smaller error with the same numbers. With 12288 of them,
# 19% of the layer, low rank reaches the accuracy of the dense layer, and the others lose at most
# 0.006; with 4096, 6%, all lose 0.01 to 0.02. Two factors of low rank have the smallest
# error at 4096 and 12288; at 24576 sparse, Monarch and low rank are close together. The butterfly
# is last throughout.
#
# Why the butterfly does not fit: its supports group neighbouring neurons, and the order of hidden
# neurons is arbitrary. The best approximations of the weights as they are, with their neurons in
# random order, and with all entries shuffled:

matrices = {
    "as trained": weights,
    "neurons permuted": rng.permutation(rng.permutation(weights), axis=1),
    "entries shuffled": rng.permuted(weights.ravel()).reshape(weights.shape),
}
print(f"{'error of the weights':28}", *(f"{name:>17}" for name in matrices))
for family in COLORS:
    supports, n_numbers = supports_within(family, *weights.shape, 12288)
    errors = [
        np.linalg.norm(matrix - factor_weights(matrix, supports)) / np.linalg.norm(matrix)
        for matrix in matrices.values()
    ]
    print(f"{family:13} {n_numbers:6} numbers", *(f"{error:17.3f}" for error in errors))

# %%
# Another order of the neurons makes no difference, and a matrix without any structure can be
# approximated nearly as well: there is nothing in these weights for butterfly and Monarch supports
# to hold on to, unlike those of a fast transform. Low rank does find something: the entries in
# their places are easier for it than shuffled.
#
# Magika: a public network
# ------------------------
#
# The last layer is a matrix of 214 x 512 numbers: one output for each type of file. The
# activations come from real files, those of the Python installation and of the packages in it: at
# most ten for each ending. Each is reduced to its first and last 1024 bytes, as the network wants
# it. Which files there are depends on the machine, and so do the numbers below.

folder = files("magika").joinpath("models/standard_v3_3")
model = onnx.load_model_from_string(folder.joinpath("model.onnx").read_bytes())
numbers = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
last_product, last_sum = (node for node in model.graph.node if "Dense_1" in node.output[0])
weights = numbers[last_product.input[1]].T.astype(float)
offset = numbers[last_sum.input[1]][0].astype(float)
print("numbers in the network:", sum(array.size for array in numbers.values()))
print("in the last layer:", weights.size)


def read(path, side=1024, padding=256):
    """First and last bytes of a file, without white space around them; padded in between."""
    content = path.read_bytes().strip()
    row = np.full(2 * side, padding, dtype=np.int32)
    start, end = (np.frombuffer(part, np.uint8) for part in (content[:side], content[-side:]))
    row[: len(start)], row[2 * side - len(end) :] = start, end
    return row


def session(model):
    """The network, ready to run on one core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options)


def run(network, rows, name):
    """An output of the network, or an input of a layer, for many files."""
    parts = np.array_split(rows, len(rows) // 50 + 1)
    return np.concatenate([network.run([name], {"bytes": part})[0] for part in parts])


by_ending = {}
for place in sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}):
    for path in sorted(Path(place).rglob("*.*")):
        if path.is_file() and 64 < path.stat().st_size < 10**6:
            by_ending.setdefault(path.suffix, []).append(path)
chosen = [path for paths in by_ending.values() for path in rng.permutation(paths)[:10]]
rows = np.unique([read(path) for path in chosen], axis=0)
model.graph.output.append(onnx.helper.make_empty_tensor_value_info(last_product.input[0]))
network = session(model)
inputs = run(network, rows, last_product.input[0]).astype(float)
seen, seen_test, _, rows_test = train_test_split(inputs, rows, test_size=300, random_state=0)
outputs = seen_test @ weights.T + offset
labels = outputs.argmax(axis=1)
print(
    f"{len(seen)} files to learn from, {len(labels)} of {len(np.unique(labels))} types to measure"
)

# %%
# Quality is now how often the network still names the same type as before.

found = compress(weights, offset, seen, budgets=(5000, 15000, 30000))
points = table(
    found,
    relative_error(seen_test, outputs),
    lambda weights, offset: np.mean((seen_test @ weights.T + offset).argmax(axis=1) == labels),
    "same type as before",
)

# %%

draw(points, weights.size, 1.0, "share of files with the same type", "Last layer of Magika")

# %%
# Here the single **sparse matrix wins** at every budget, in error and in types kept; low rank has
# the second smallest error. At the smaller budgets butterfly and Monarch keep more types than low
# rank in spite of their larger error. Fine-tuning gains for every family again, though there are
# hardly more files to learn from than the layer has inputs.
#
# None of them is free of loss. And a sparse matrix also has to say where its numbers are: if an
# index counts as much as a number, its 15000 stand against 30000 of the others. For Magika it is
# then level with low rank; for the digits (12288 against 24576) low rank is ahead.
#
# Back into the network
# ---------------------
#
# In the MLP the compressed layer went back through ``coefs_`` and ``intercepts_``; every accuracy
# above was measured that way. In an ONNX file, the arrays of the layer are replaced. The network
# then runs as before, here with the last row of the table:

family, n_numbers, ways = found[-1]
new_weights, new_offset = ways["fine-tuned"]


def set_numbers(model, name, array):
    """Replace an array of the network; its shape and dtype stay."""
    (item,) = (item for item in model.graph.initializer if item.name == name)
    array = np.reshape(array, item.dims).astype(np.float32)
    item.CopyFrom(onnx.numpy_helper.from_array(array, name))


set_numbers(model, last_product.input[1], new_weights.T)
set_numbers(model, last_sum.input[1], new_offset)
exported = run(session(model), rows_test[:50], "target_label").argmax(axis=1)
expected = (seen_test[:50] @ new_weights.T + new_offset).argmax(axis=1)
print(f"{family}, {n_numbers} numbers, 50 files")
print(f"same type as computed from the activations: {np.mean(exported == expected):.2f}")
print(f"same type as from the dense layer:          {np.mean(exported == labels[:50]):.2f}")

# %%
# For PyTorch, ``operator_`` becomes a layer with trainable factors, and the offset its bias:
#
# .. code-block:: python
#
#     net = SparseDeepLinearNet("monarch").fit(activations, outputs)
#     layer = net.operator_.to_torch(bias=net.intercept_)  # skfact.torch.FactorizedLinear
#     z = layer(x)
