"""Bad input of transforms."""

from functools import partial

import numpy as np
import scipy.sparse

from skfact.transforms import (
    circulant,
    convolution,
    dct,
    dft,
    dst,
    haar,
    hadamard,
    hartley,
    kron,
    rfft,
    toeplitz,
    wavelet,
)
from tests.bad_input.cases import A, refused

for build in (dft, rfft, dct, dst, hartley, hadamard, haar, wavelet):
    name = build.__name__
    for n, error in [(0, ValueError), (-4, ValueError), (4.0, TypeError), ("4", TypeError)]:
        refused(f"{name}: n = {n!r}", build, n, error=error, message="n must be")
    for dtype in ("int64", "float16", None, "text"):
        refused(
            f"{name}: dtype {dtype}",
            partial(build, dtype=dtype),
            4,
            error=TypeError,
            message="dtype",
        )
for build in (dft, rfft, dct, dst, hartley, hadamard):
    for norm in ("orthogonal", None, 2):
        refused(
            f"{build.__name__}: norm {norm}",
            partial(build, norm=norm),
            4,
            error=ValueError,
            message="norm must be one of",
        )
refused(
    "dft: real", partial(dft, dtype="float32"), 4, error=TypeError, message="dtype.*complex.*rfft"
)
for build in (dct, dst):
    for type, error in [(0, ValueError), (5, ValueError), ("II", TypeError), (2.0, TypeError)]:
        refused(f"{build.__name__}: type {type}", build, 4, type, error=error, message="type must")
refused("dct: type 1 of one sample", dct, 1, 1, error=ValueError, message="n must be at least 2")
refused("hadamard: n = 12", hadamard, 12, error=ValueError, message="n must be a power .* to 16")
refused("haar: odd n", haar, 9, error=ValueError, message="n must be even")
refused("haar: level 0", haar, 8, 0, error=ValueError, message="level must be at least 1")
refused("haar: level of text", haar, 8, "max", error=TypeError, message="level must be int")
refused("haar: level too high", haar, 24, 4, error=ValueError, message="halved only 3 times")
refused("wavelet: no name", wavelet, 8, 2, error=TypeError, message="name must be a str")
refused(
    "wavelet: unknown",
    wavelet,
    8,
    "daubechies",
    error=(ValueError, ImportError),  # without PyWavelets
    message="name must be an orthogonal wavelet|PyWavelets, which is not installed",
)
refused(
    "wavelet: biorthogonal",
    wavelet,
    8,
    "bior2.2",
    error=(ValueError, ImportError),
    message="name must be an orthogonal wavelet|PyWavelets, which is not installed",
)
for name, build in [
    ("circulant: c", circulant),
    ("toeplitz: c", toeplitz),
    ("toeplitz: r", partial(toeplitz, [1.0])),
]:
    argument = name[-1]
    for id, value, error, message in [
        ("matrix", A, ValueError, "must be 1-D"),
        ("number", 3.0, ValueError, "must be 1-D"),
        ("nothing", [], ValueError, "must be 1-D with at least one entry"),
        ("NaN", [1.0, np.nan], ValueError, "contains NaN"),
        ("text", "abc", TypeError, "has dtype"),
        ("sparse", scipy.sparse.eye_array(3), TypeError, "is a sparse matrix"),
        ("half precision", np.ones(3, np.float16), TypeError, "has dtype float16"),
    ]:
        refused(f"{name} is {id}", build, value, error=error, message=f"{argument} {message}")
for id, kernel, shape, mode, error, message in [
    ("3-D kernel", A[None], (8, 8, 8), "full", ValueError, "kernel must be 1-D or 2-D"),
    ("no kernel", [], 4, "full", ValueError, "kernel must be 1-D or 2-D with at least"),
    ("infinite kernel", [np.inf], 4, "full", ValueError, "kernel contains inf"),
    ("shape of an image", [1.0], (4, 4), "full", ValueError, "shape must have as many .* 1;"),
    ("shape of a signal", A, 4, "full", ValueError, "shape must have as many .* 2;"),
    ("shape of floats", [1.0], 4.5, "full", TypeError, "shape must be"),
    ("shape of zeros", A, (4, 0), "full", ValueError, r"shape\[1\] must be at least 1"),
    ("unknown mode", [1.0], 4, "circular", ValueError, "mode must be one of"),
    (
        "valid part of nothing",
        A,
        (8, 7),
        "valid",
        ValueError,
        "kernel.* nothing is left",
    ),
]:
    refused(f"convolution: {id}", convolution, kernel, shape, mode, error=error, message=message)
refused("kron: left is a vector", kron, A[0], A, error=ValueError, message="left must be an op")
refused("kron: right is text", kron, A, "text", error=TypeError, message="right has dtype")
