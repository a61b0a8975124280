"""
==========================
A photograph, in focus
==========================

A photograph out of focus is a convolution of the sharp one, and sharpening it an inverse problem:
which image, blurred, gives what the camera saw? The solvers of SciPy and PyLops ask a matrix for
products only. Here they get :func:`~skfact.transforms.convolution`, an operator of some megabytes,
in place of a matrix that has no place in memory: 65,536 unknown pixels, 61,504 seen ones.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 1

import time

import matplotlib.pyplot as plt
import numpy as np
import pylops
from pylops.optimization.sparsity import fista, ista
from scipy.sparse.linalg import lsqr
from sklearn.datasets import load_sample_image
from threadpoolctl import threadpool_limits

from skfact.transforms import convolution, kron, wavelet

threadpool_limits(1)  # one thread throughout, so that times can be compared

# %%
# What the camera sees
# --------------------
#
# A point out of focus becomes a disc, here of nine pixels across. Along the border of the picture
# light comes from outside of it: what is seen (``mode="valid"``) has fewer pixels than what shines
# on it. Noise of .003 of white is added.

photograph = load_sample_image("flower.jpg").mean(axis=2)[60:316, 150:406] / 255
distance = np.hypot(*np.mgrid[-4:5, -4:5])
disc = (distance <= 4.3) / np.sum(distance <= 4.3)
blur = convolution(disc, photograph.shape, mode="valid")
seen_shape = tuple(np.subtract(photograph.shape, 8))

rng = np.random.default_rng(0)
seen = blur @ photograph.ravel() + 0.003 * rng.normal(size=blur.shape[0])
print(blur)
print(f"dense: {8 * np.prod(blur.shape) / 1e9:.0f} GB, factors: {blur.nbytes / 1e6:.0f} MB")

# %%
# Least squares, and a sparse image
# ---------------------------------
#
# Blurring leaves little of fine details, so that plain least squares would fit the noise. Two ways
# out:
#
# - *A small image.* :func:`scipy.sparse.linalg.lsqr` minimizes
#   :math:`\|B x - y\|^2 + \delta^2 \|x\|^2`. It takes the operator as it is.
# - *Few wavelets.* Images have few large coefficients in a wavelet basis W, which is an operator
#   too: the Kronecker product of the transforms along rows and columns.
#   :math:`\frac 1 2 \|B W^T c - y\|^2 + \lambda \|c\|_1` is minimized by iterated shrinkage
#   (ISTA), or with momentum (FISTA). PyLops has both, and takes LinearOperators of SciPy once they
#   are wrapped as its own.
#
# The average is set aside, since neither penalty should pull an image to black.

mean = seen.mean()


def quality(image):
    """Peak signal to noise ratio in decibels, away from the border."""
    error = (image.reshape(photograph.shape) - photograph)[8:-8, 8:-8]
    return -10 * np.log10(np.mean(error**2))


images = {}
start = time.perf_counter()
small, _, n_steps, *_ = lsqr(blur, seen - mean, damp=0.05, iter_lim=60)
images["least squares"] = small + mean
print(f"least squares: {n_steps} iterations in {time.perf_counter() - start:.1f} s")

W = kron(wavelet(256, "sym4", 4), wavelet(256, "sym4", 4))
wrapped = pylops.LinearOperator((blur @ W.T).aslinearoperator())
costs = {}
for name, solver in {"ISTA": ista, "FISTA": fista}.items():
    start = time.perf_counter()
    # its threshold is eps * alpha / 2; the norm of a blur is 1 at most, and so may be the step
    coefficients, n_steps, costs[name] = solver(
        wrapped, seen - mean, niter=40, eps=4e-4, alpha=1.0, tol=0.0
    )
    print(f"{name}: {n_steps} iterations in {time.perf_counter() - start:.1f} s")
    images[name] = W.T @ coefficients + mean
print(f"{np.mean(coefficients != 0):.0%} of the wavelet coefficients are not zero")

# %%

margin = np.pad(seen.reshape(seen_shape), 4, mode="edge")
shown = {
    "seen": margin,
    "least squares": images["least squares"],
    "few wavelets (FISTA)": images["FISTA"],
    "photograph": photograph,
}
figure, axes = plt.subplots(1, 4, figsize=(12, 3.6), layout="constrained")
for ax, (name, image) in zip(axes, shown.items(), strict=True):
    ax.imshow(image.reshape(photograph.shape), cmap="gray", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[], title=name)
    if name != "photograph":
        ax.set_xlabel(f"{quality(image):.1f} dB")
figure.suptitle("A photograph out of focus, and two reconstructions")
plt.show()

# %%
# Momentum costs nothing more per step, and saves most of the steps.

ahead = np.sum(np.array(costs["FISTA"]) > costs["ISTA"][-1])
print(f"FISTA reaches after {ahead + 1} steps what ISTA reaches after 39")

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for (name, cost), style in zip(costs.items(), ("s--", "o-"), strict=True):
    first = 0 if name == "ISTA" else 1  # PyLops notes its objective before the step
    ax.semilogy(np.arange(first, first + 40), cost, style, label=name, markersize=3)
ax.set(xlabel="iterations", ylabel="objective", title="Shrinkage, with momentum and without")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# The same as with the matrix
# ---------------------------
#
# A part of the picture is small enough for the dense matrix: the same solver finds the same image
# with both, up to rounding.

part = (64, 64)
operator = convolution(disc, part, mode="valid")
matrix = operator.toarray()
y = operator @ photograph[100:164, 100:164].ravel() - mean
found = {}
for name, B in {"matrix": matrix, "operator": operator}.items():
    start = time.perf_counter()
    found[name] = lsqr(B, y, damp=0.1, atol=1e-10, btol=1e-10)[0]
    seconds = time.perf_counter() - start
    print(f"{name:9} {seconds:6.2f} s, {B.nbytes / 1e6:6.1f} MB")
difference = np.linalg.norm(found["matrix"] - found["operator"]) / np.linalg.norm(found["matrix"])
print(f"relative difference of the solutions: {difference:.0e}")
