"""Discrete Fourier transforms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skfact._checks import positive_int
from skfact.operators import FactorizedOperator
from skfact.transforms._fourier.sizes import fourier, spectrum_of_real
from skfact.transforms._fourier.stages import Stages, checked_dtype
from skfact.transforms._norm import norm_scale


def dft(n: int, *, norm: str = "backward", dtype: Any = np.complex128) -> FactorizedOperator:
    r"""Discrete Fourier transform: ``dft(n) @ x`` is ``scipy.fft.fft(x)``.

    .. math:: y_k = \sum_{j < n} x_j e^{-2 \pi i j k / n}

    Parameters
    ----------
    n : int
        Size, any.
    norm : {"backward", "ortho", "forward"}, default="backward"
        Scale, as in SciPy: 1, :math:`1 / \sqrt n` (then the operator is unitary) or :math:`1 / n`.
    dtype : dtype or str, default=complex128
        complex64 or complex128.

    Returns
    -------
    FactorizedOperator of shape (n, n)
        A factor for each prime factor of n, after a permutation (Cooley and Tukey).

    Raises
    ------
    TypeError
        If `n` is no integer, or `dtype` none of the two.
    ValueError
        If `n` is less than 1 or `norm` unknown.

    See Also
    --------
    rfft : Half of the spectrum, of real samples.
    hartley : A real transform of the same use.

    Notes
    -----
    There are :math:`n \sum_i p_i` non-zeros, where p_i are the prime factors of n: for a power of
    two :math:`2 n \log_2 n`. A prime factor p is a dense block of size p. Where that is more than
    for a convolution with a chirp (Bluestein [1]_), of size at least 2 n - 1, this is what the
    operator is made of: for primes from 149 on.

    `solve` inverts it, but not with a chirp. The adjoint does in any case: ``op.H`` of
    ``norm="ortho"``.

    References
    ----------
    .. [1] L. I. Bluestein, "A linear filtering approach to the computation of discrete Fourier
       transform", IEEE Trans. Audio Electroacoust. 18 (4), 1970.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import dft
    >>> op = dft(1024)
    >>> op
    FactorizedOperator(1024 x 1024, 11 factors, nnz=20480, complex128)
    >>> x = np.random.default_rng(0).standard_normal(1024)
    >>> bool(np.allclose(op @ x, np.fft.fft(x)))
    True
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype, kind="c")
    return scaled_fourier(n, norm).operator(dtype)


def rfft(n: int, *, norm: str = "backward", dtype: Any = np.complex128) -> FactorizedOperator:
    r"""Half of the spectrum: ``rfft(n) @ x`` is ``scipy.fft.rfft(x)``.

    Parameters
    ----------
    n : int
        Number of samples, any.
    norm : {"backward", "ortho", "forward"}, default="backward"
        Scale, as in SciPy: 1, :math:`1 / \sqrt n` or :math:`1 / n`.
    dtype : dtype or str, default=complex128
        complex64 or complex128. Or float32 or float64: then all factors are real, and so are the
        results: real and imaginary parts in turns, whose ``.view("complex128")`` is the half
        spectrum. This takes half the time.

    Returns
    -------
    FactorizedOperator of shape (n // 2 + 1, n), or (2 * (n // 2 + 1), n) if real
        The frequencies from 0 to ``n // 2``.

    Raises
    ------
    TypeError
        If `n` is no integer, or `dtype` none of the four.
    ValueError
        If `n` is less than 1 or `norm` unknown.

    See Also
    --------
    dft : The whole spectrum.

    Notes
    -----
    A complex operator is a linear map of complex vectors too, and has the factors of :func:`dft`.

    The real one keeps one frequency of each pair k and n - k throughout. If n is a power of two, n
    > 2, it has :math:`4 n (\log_2 n - 1)` non-zeros, of which a quarter are zeros within blocks of
    size 4. A prime factor p has dense blocks of size 2 p; of large ones a convolution with a chirp
    is made, as for :func:`dft`.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.transforms import rfft
    >>> x = np.random.default_rng(0).standard_normal((3, 1000))
    >>> bool(np.allclose(rfft(1000).apply(x), np.fft.rfft(x)))
    True
    >>> spectrum = rfft(1000, dtype="float64").apply(x).view("complex128")
    >>> bool(np.allclose(spectrum, np.fft.rfft(x)))
    True
    """
    n, dtype = positive_int(n, "n"), checked_dtype(dtype)
    kept = n // 2 + 1
    if dtype.kind == "c":
        stages = scaled_fourier(n, norm)
        return replace(stages, out=stages.out[:kept]).operator(dtype)
    return half_spectrum(n, norm_scale(norm, n)).operator(dtype)


def scaled_fourier(n: int, norm: Any) -> Stages:
    """The transform in complex factors."""
    return fourier(n).scaled(rows=np.full(n, norm_scale(norm, n)))


def half_spectrum(n: int, scale: float) -> Stages:
    """Real and imaginary parts of the frequencies up to n // 2, in turns, in real factors."""
    spectrum = spectrum_of_real(n)
    T, kept = len(spectrum.frequency), n // 2 + 1
    (slots,) = np.nonzero(spectrum.frequency >= 0)
    f = spectrum.frequency[slots]
    out = np.full((kept, 2), -1)
    out[np.minimum(f, n - f)] = np.stack([slots, T + slots], 1)
    signs = np.ones((kept, 2))
    signs[(n - f)[f > n // 2], 1] = -1  # the other one of the pair, conjugate
    out[0, 1] = -1
    if n % 2 == 0:
        nyquist = T if spectrum.merged else out[n // 2, 0]
        out[n // 2] = nyquist, -1
    return spectrum.stages(out.ravel(), np.arange(n)).scaled(rows=scale * signs.ravel())
