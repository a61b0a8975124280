"""Fast transforms as operators: Fourier, cosine, sine, Hadamard, wavelets, convolutions."""

from skfact.transforms._convolution import convolution
from skfact.transforms._dct import dct, dst
from skfact.transforms._dft import dft, rfft
from skfact.transforms._hadamard import hadamard
from skfact.transforms._hartley import hartley
from skfact.transforms._kron import kron
from skfact.transforms._toeplitz import circulant, toeplitz
from skfact.transforms._wavelets import haar, wavelet

__all__ = [
    "circulant",
    "convolution",
    "dct",
    "dft",
    "dst",
    "haar",
    "hadamard",
    "hartley",
    "kron",
    "rfft",
    "toeplitz",
    "wavelet",
]
