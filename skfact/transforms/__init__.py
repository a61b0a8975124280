"""Fast transforms as operators, rotations of any size, and random projections."""

from skfact.transforms._convolution import convolution
from skfact.transforms._dct import dct, dst
from skfact.transforms._dft import dft, rfft
from skfact.transforms._hadamard import hadamard
from skfact.transforms._hartley import hartley
from skfact.transforms._kron import kron
from skfact.transforms._projection import FastRandomProjection
from skfact.transforms._rotation import random_rotation
from skfact.transforms._toeplitz import circulant, toeplitz
from skfact.transforms._wavelets import haar, wavelet

__all__ = [
    "FastRandomProjection",
    "circulant",
    "convolution",
    "dct",
    "dft",
    "dst",
    "haar",
    "hadamard",
    "hartley",
    "kron",
    "random_rotation",
    "rfft",
    "toeplitz",
    "wavelet",
]
