"""
==============================
Few samples of a sparse signal
==============================

A signal that is made of few cosines is determined by few of its samples: far fewer than it has
frequencies. To find which cosines, a greedy solver multiplies by the transform and its adjoint once
for each of them. :func:`~skfact.operators.orthogonal_matching_pursuit` does so with operators: a
thousand samples and 65,536 frequencies are some megabytes, and no matrix of half a gigabyte.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 1

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import orthogonal_mp
from threadpoolctl import threadpool_limits

from skfact.operators import FactorizedOperator, orthogonal_matching_pursuit
from skfact.transforms import dct, dft, hadamard

threadpool_limits(1)  # one thread throughout, so that times can be compared
rng = np.random.default_rng(0)

# %%
# A signal at random moments
# --------------------------
#
# Thirty of 65,536 cosines, seen at 1,024 of as many moments, with noise. The rows of an operator
# that are seen are an operator again.

n, m, n_cosines = 65_536, 1_024, 30
cosines = np.sort(rng.choice(3000, n_cosines, replace=False))
spectrum = np.zeros(n)
spectrum[cosines] = rng.choice([-1, 1], n_cosines) * rng.uniform(0.5, 1.5, n_cosines)

synthesis = dct(n, norm="ortho").T * np.sqrt(n / 2)  # cosines of amplitude one
moments = np.sort(rng.choice(n, m, replace=False))
A = synthesis[moments, :]
samples = A @ spectrum + 0.5 * rng.normal(size=m)

start = time.perf_counter()
found = orthogonal_matching_pursuit(A, samples, n_cosines)
seconds = time.perf_counter() - start
print(f"{seconds:.2f} s; matrix {8 * m * n / 1e6:.0f} MB, factors {A.nbytes / 1e6:.0f} MB")
print(f"cosines found: {np.sum(found[cosines] != 0)} of {n_cosines}")

figure, axes = plt.subplots(2, 1, figsize=(9, 5), layout="constrained")
part = slice(20_000, 21_000)
inside = moments[(moments >= part.start) & (moments < part.stop)]
axes[0].plot(np.arange(n)[part], (synthesis @ spectrum)[part], color="0.7", linewidth=4)
axes[0].plot(np.arange(n)[part], (synthesis @ found)[part], color="#0072B2", linewidth=1)
axes[0].plot(inside, samples[np.isin(moments, inside)], "o", color="#D55E00")
axes[0].set(title="A part of the signal (grey), its samples (dots) and what is found (line)")
axes[0].set_xlabel("moment")
axes[1].stem(cosines, spectrum[cosines], linefmt="0.7", markerfmt="o", basefmt=" ")
axes[1].plot(np.flatnonzero(found), found[found != 0], "x", color="#0072B2")
axes[1].lines[0].set(color="0.6", markersize=8)
axes[1].set(title="True cosines (circles) and those found (crosses)", xlabel="frequency")
axes[1].axhline(0, color="0.7", linewidth=0.8)
for ax in axes:
    ax.grid(alpha=0.3)
figure.suptitle("Thirty cosines from 1,024 of 65,536 samples")
plt.show()

# %%
# How many samples?
# -----------------
#
# Signals with 20 non-zeros in a thousand are measured by random rows of three transforms, and by a
# dense Gaussian matrix, without noise. Of fifty signals for each point, which are one batch, those
# are counted whose every entry is found.

size, k, n_signals = 1024, 20, 50
transforms = {
    "cosine": dct(size, norm="ortho"),
    "Hadamard": hadamard(size, norm="ortho"),
    "Fourier": dft(size, norm="ortho"),
}
counts = np.arange(30, 171, 20)


def share_found(operator):
    X = np.zeros((size, n_signals))
    for x in X.T:
        x[rng.choice(size, k, replace=False)] = rng.normal(size=k)
    found = orthogonal_matching_pursuit(operator, operator @ X, k)
    return np.mean(np.abs(found - X).max(axis=0) < 1e-6)


figure, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
for name, marker in zip([*transforms, "Gaussian"], "os^x", strict=True):
    shares = []
    for count in counts:
        if name == "Gaussian":
            operator = FactorizedOperator([rng.normal(size=(count, size)) / np.sqrt(count)])
        else:
            operator = transforms[name][rng.choice(size, count, replace=False), :]
        shares.append(share_found(operator))
    ax.plot(counts, shares, f"{marker}-", label=name)
ax.set(xlabel="measurements", ylabel="share of signals found", title="20 of 1,024 entries non-zero")
ax.grid(alpha=0.3)
ax.legend()
plt.show()

# %%
# Fast transforms measure as well as a Gaussian matrix. A complex number counts as one here, which
# is why Fourier needs half as many.
#
# Against the matrix
# ------------------
#
# The same measurements, solved with the operator and with the dense matrix by
# ``sklearn.linear_model.orthogonal_mp``. Both take the same entries, and find the same solution
# up to rounding.

print(f"{'unknowns':>9}{'seen':>7}{'':5}{'operator':>19}{'matrix':>21}{'difference':>12}")
for size in (4_096, 16_384, 65_536):
    seen, k = size // 16, size // 1024
    operator = np.sqrt(16) * dct(size, norm="ortho")[rng.choice(size, seen, replace=False), :]
    x = np.zeros(size)
    x[rng.choice(size, k, replace=False)] = rng.normal(size=k)
    y = operator @ x
    start = time.perf_counter()
    found = orthogonal_matching_pursuit(operator, y, k)
    seconds = time.perf_counter() - start
    print(f"{size:9}{seen:7}{seconds:13.3f} s{1e-6 * operator.nbytes:6.1f} MB", end="")
    if size == 65_536:
        print(f"{'':11}{8e-6 * seen * size:7.0f} MB{'not made':>15}")
        continue
    matrix = operator.toarray()
    start = time.perf_counter()
    dense = orthogonal_mp(matrix, y, n_nonzero_coefs=k)
    seconds = time.perf_counter() - start
    difference = np.linalg.norm(dense - found) / np.linalg.norm(found)
    print(f"{seconds:9.3f} s{1e-6 * matrix.nbytes:7.0f} MB{difference:15.0e}")
