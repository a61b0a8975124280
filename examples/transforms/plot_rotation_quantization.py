"""
===============================
Rotate activations, then round
===============================

A layer runs faster when its inputs are rounded to 4 bits. One large activation then costs all
others their digits: the steps between numbers are in proportion to the largest of them. A rotation
:math:`Q` before the rounding spreads large activations over all others, and the weights undo it,
:math:`W x = (W Q^T) (Q x)`. Methods for language models do this with Hadamard matrices, which there
are for some sizes only. :func:`~skfact.transforms.random_rotation` has one for every size.

`Magika <https://github.com/google/magika>`_, a public network that tells the type of a file from
its bytes, shows what it does on real activations: those of its last layer, for files of the Python
installation.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause

import sysconfig
from importlib.resources import files
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import onnx
import onnxruntime
from scipy.stats import ortho_group

from skfact.transforms import random_rotation

# %%
# The activations
# ---------------

folder = files("magika").joinpath("models/standard_v3_3")
model = onnx.load_model_from_string(folder.joinpath("model.onnx").read_bytes())
numbers = {item.name: onnx.numpy_helper.to_array(item) for item in model.graph.initializer}
last_product, last_sum = (node for node in model.graph.node if "Dense_1" in node.output[0])
weights = numbers[last_product.input[1]].T.astype(float)  # (214 types, 512 activations)
offset = numbers[last_sum.input[1]][0].astype(float)


def read(path, side=1024, padding=256):
    """First and last bytes of a file, without white space around them; padded in between."""
    content = path.read_bytes().strip()
    row = np.full(2 * side, padding, dtype=np.int32)
    start, end = (np.frombuffer(part, np.uint8) for part in (content[:side], content[-side:]))
    row[: len(start)], row[2 * side - len(end) :] = start, end
    return row


by_ending = {}
for place in sorted({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib")}):
    for path in sorted(Path(place).rglob("*.*")):
        if path.is_file() and 64 < path.stat().st_size < 10**6:
            by_ending.setdefault(path.suffix, []).append(path)
rng = np.random.default_rng(0)
chosen = [path for paths in by_ending.values() for path in rng.permutation(paths)[:10]]
rows = np.unique([read(path) for path in chosen], axis=0)
model.graph.output.append(onnx.helper.make_empty_tensor_value_info(last_product.input[0]))
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
network = onnxruntime.InferenceSession(model.SerializeToString(), options)
parts = np.array_split(rows, len(rows) // 50 + 1)
X = np.concatenate([network.run([last_product.input[0]], {"bytes": part})[0] for part in parts])
X = X.astype(float)
outputs = X @ weights.T + offset
types = outputs.argmax(axis=1)
print(f"{len(X)} files of {len(np.unique(types))} types, {X.shape[1]} activations each")

# %%
# Which files there are depends on the machine, and so do the numbers below, a little.
#
# The largest activation of a file is some five times their root mean square, and up to a dozen
# times. Behind a rotation it is what it would be among Gaussian numbers, whatever the file.


def peaks(rows):
    """Largest magnitude of each row, over its root mean square."""
    return np.abs(rows).max(axis=1) / np.sqrt(np.mean(rows**2, axis=1))


Q = random_rotation(512, random_state=0)
rotated = Q.apply(X)
for name, found in (("plain", peaks(X)), ("rotated", peaks(rotated))):
    print(
        f"{name:8} largest over root mean square: {found.mean():.1f} on average, {found.max():.1f}"
    )

# %%
# Rounding
# --------
#
# Activations are rounded file by file, weights output by output, to integers of b bits times one
# step for each row. The weights are rotated before they are rounded, once and for all. For
# comparison there is a rotation drawn at random among all orthogonal matrices, which is dense.


def rounded(rows, bits):
    """The rows in integers from -(2^(b-1) - 1) to 2^(b-1) - 1, times a step."""
    step = np.abs(rows).max(axis=1, keepdims=True) / (2 ** (bits - 1) - 1)
    return np.round(rows / step) * step


dense = ortho_group.rvs(512, random_state=0)
ways = {
    "plain": (X, weights),
    "random_rotation": (rotated, Q.apply(weights)),
    "dense rotation": (X @ dense.T, weights @ dense.T),
}
all_bits = range(2, 9)
errors = {name: [] for name in ways}
print("share of files with the same type as before")
print(f"{'bits':17}", *(f"{bits:6}" for bits in all_bits))
for name, (inputs, matrix) in ways.items():
    kept = []
    for bits in all_bits:
        found = rounded(inputs, bits) @ rounded(matrix, bits).T
        scale = np.linalg.norm(outputs - offset)
        errors[name].append(np.linalg.norm(found + offset - outputs) / scale)
        kept.append(np.mean((found + offset).argmax(axis=1) == types))
    print(f"{name:17}", *(f"{share:6.1%}" for share in kept))
print(
    f"error at 4 bits: {errors['plain'][2]:.3f} plain, {errors['random_rotation'][2]:.3f} rotated"
)

# %%

COLORS = {"plain": "#D55E00", "random_rotation": "#0072B2", "dense rotation": "black"}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
one = np.argmax(peaks(X))
for values, name, style in ((X, "plain", {"lw": 0.8}), (rotated, "random_rotation", {"lw": 0.8})):
    row = values[one] / np.sqrt(np.mean(values[one] ** 2))
    axes[0].plot(row, color=COLORS[name], label=name, **style)
axes[0].set(
    xlabel="activation", ylabel="value over root mean square", title="The file of the largest peak"
)
for name, found in errors.items():
    style = "--" if name == "dense rotation" else "o-"
    axes[1].semilogy(all_bits, found, style, color=COLORS[name], label=name)
axes[1].set(xlabel="bits", ylabel="relative error", title="Outputs of the layer")
for ax in axes:
    ax.grid(alpha=0.3)
    ax.legend()
figure.suptitle("Rounded activations and weights, plain and rotated")
plt.show()

# %%
# The rotation is worth more than half a bit, and as much as a dense one that has been drawn among
# all: their lines are the same. It is a product of small factors, with 512 x 19 numbers instead of
# 512 x 512.
#
# Any size
# --------
#
# Sizes of hidden layers of language models, which are no powers of two, and a prime number. The
# largest entry of an orthogonal matrix is at least :math:`1 / \sqrt n`; here is how many times more
# it is, for a few inputs at random, and how many times fewer products there are than with a dense
# matrix.

print(f"{'n':>6} {'largest x sqrt(n)':>18} {'fewer products':>15} {'peak of an outlier':>19}")
for n in (3584, 13_696, 14_336, 18_944, 29_568, 10_007):
    rotation = random_rotation(n, random_state=0)
    units = np.zeros((8, n))
    units[np.arange(8), rng.integers(n, size=8)] = 1
    largest = np.abs(rotation.apply(units)).max() * np.sqrt(n)
    noise = rng.standard_normal((8, n)) + 100 * units
    before, after = peaks(noise).mean(), peaks(rotation.apply(noise)).mean()
    fewer = n**2 / rotation.nnz
    print(f"{n:6} {largest:18.2f} {fewer:15.0f} {before:12.0f} -> {after:.1f}")
