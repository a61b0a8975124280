"""
==========================================
Fast transforms, recovered from a matrix
==========================================

A fast Fourier transform computes ``F @ x`` without ever forming the n x n matrix F: it multiplies
by a product of about log2(n) sparse factors instead. Somebody had to find that algorithm by hand.
:func:`~skfact.butterfly.butterfly_factorize` finds such factors from the numbers in a matrix:
exactly where the matrix has them, approximately, and with a bound on the error, where it does not.

Here it gets three matrices: a Hadamard matrix, the discrete Fourier transform (DFT), and a Hadamard
matrix hidden under noise.
"""

# Authors: skfact developers
# SPDX-License-Identifier: BSD-3-Clause
# sphinx_gallery_thumbnail_number = 3

import os
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import hadamard
from threadpoolctl import threadpool_limits

from skfact.butterfly import butterfly_factorize
from skfact.inspection import SupportDisplay

# %%
# Three matrices
# --------------
#
# Random noise is added to each entry of the third matrix, a tenth of the entry's size. A DFT fits
# the chain of supports only after its columns are put in bit-reversed order, the reordering that
# every textbook implementation of the FFT starts with. The function finds that out, and undoes the
# reordering inside the operator.

n = 1024
rng = np.random.default_rng(0)
clean = hadamard(n).astype(float)
matrices = {
    "Hadamard": clean,
    "DFT": np.fft.fft(np.eye(n)),
    "noisy Hadamard": clean + 0.1 * rng.normal(size=(n, n)),
}

# %%
# Error, bound, size and time
# ---------------------------
#
# The operator is compared with the dense product of BLAS on the same batch of 128 samples (samples
# are rows: ``operator.apply(X)`` is ``X @ A.T``). Both run on one thread, in turns, and the median
# counts.

threadpool_limits(1)  # one thread throughout, so that times can be compared


def median_times(*functions, repeats=15):
    """Milliseconds of each function; they take turns, so that a slow moment hits all of them."""
    times = [[] for _ in functions]
    for _ in range(repeats):
        for function, found in zip(functions, times, strict=True):
            start = time.perf_counter()
            function()
            found.append(1e3 * (time.perf_counter() - start))
    return np.median(times, axis=1)


def dense_and_factored(A, operator, batch=128):
    X = rng.normal(size=(batch, len(A))).astype(A.dtype)
    operator.apply(X)  # the first call decides which factors are multiplied out
    return median_times(lambda: X @ A.T, lambda: operator.apply(X))


operators = {}
butterfly_factorize(hadamard(64))  # the first use compiles, and says so
print(f"n = {n}, batch of 128")
print(f"{'':15}  {'error':>8} {'bound':>8}  {'numbers':>8} {'of dense':>8}", end="")
print(f"  {'dense':>8} {'factors':>8} {'ratio':>6}")
for name, A in matrices.items():
    operator, discarded = butterfly_factorize(A, return_errors=True)
    operators[name] = operator
    norm = np.linalg.norm(A)
    error = np.linalg.norm(operator.toarray() - A) / norm
    bound = np.sum(discarded) / norm
    dense, factored = dense_and_factored(A, operator)
    print(f"{name:15}  {error:8.1e} {bound:8.1e}  {operator.nnz:8} {operator.density:8.1%}", end="")
    print(f"  {dense:5.2f} ms {factored:5.2f} ms {dense / factored:5.1f}x")

# %%
# *Error* is the relative error in Frobenius norm; *bound* the sum of what the splits of the
# algorithm discarded, which is proved to be no smaller (up to rounding, which is all that there is
# in the first two rows). The factors hold two percent of the numbers of the matrix.
#
# The error of the third matrix is almost the size of its noise. That is no failure: the factors
# have far too few numbers to imitate noise, so they keep the Hadamard matrix and leave out the
# rest.

found = operators["noisy Hadamard"].toarray()
noisy = matrices["noisy Hadamard"]
print(f"noise in the matrix:     {np.linalg.norm(noisy - clean) / np.linalg.norm(clean):.3f}")
print(f"left over in the factors: {np.linalg.norm(found - clean) / np.linalg.norm(clean):.3f}")

# %%
# The factors
# -----------
#
# These are the ten factors of the DFT, and the permutation that comes before them (the last one in
# the product is the first one to be applied). Each has two numbers per row and mixes pairs of
# entries, as a step in the flow chart of an FFT does: neighbours first, on the right, then entries
# farther and farther apart.

display = SupportDisplay.from_operator(operators["DFT"])
display.figure_.suptitle("Ten factors of the DFT of 1024 points, and a permutation")

# %%
# The factors of a small noisy matrix, with their magnitudes. Without noise all would be equal, as
# all entries of a Hadamard matrix are.

small = hadamard(32) + 0.3 * rng.normal(size=(32, 32))
display = SupportDisplay.from_operator(butterfly_factorize(small), values=True)
display.figure_.suptitle("Five factors of a noisy Hadamard matrix")

# %%
# Where the gain begins
# ---------------------
#
# The dense product takes n\ :sup:`2` multiplications per sample and the factors 2 n log2(n), but a
# dense product also uses the processor best. For small matrices there is nothing to gain.

sizes = [32, 64, 128, 256, 512, 1024]
times = []
for size in sizes:
    A = hadamard(size).astype(float)
    times.append(dense_and_factored(A, butterfly_factorize(A)))
dense, factored = np.transpose(times)

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.loglog(sizes, dense, "s--", color="#D55E00", label="dense matrix (BLAS)")
ax.loglog(sizes, factored, "o-", color="#0072B2", label="factors")
ax.set_xticks(sizes, labels=[str(size) for size in sizes])
ax.xaxis.set_minor_locator(plt.NullLocator())
ax.set(xlabel="n", ylabel="milliseconds for 128 samples", title="Hadamard transform, one thread")
ax.grid(alpha=0.3)
ax.legend()

if plt.get_backend() == "agg" and "MPLBACKEND" not in os.environ:  # there is no display
    for number in plt.get_fignums():
        plt.figure(number).savefig(f"fast_transforms_{number}.png")
        print(f"wrote fast_transforms_{number}.png")
else:
    plt.show()
