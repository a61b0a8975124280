"""Fourier transforms of composite size n = s m: s transforms of size m, and blocks of size s.

Complex numbers in real factors are two entries, real part and imaginary part. A transform of size m
with T *slots*, one complex number each, has its real parts first, then its imaginary parts: entry
(p, t) is at ``p * T + t``. The s transforms follow one another, so that a block takes the inputs
(h, p) at distance T, transform h and part p, and gives the outputs (p, q): Kronecker-sparse.

Of real samples half of the spectrum is kept, one frequency of each pair k, m - k. Of an even size,
slot 0 has X_0 and X_{m / 2}, which are real. Of an odd size its imaginary part is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from skfact.operators._factors import repeated
from skfact.supports._radices import digit_reversal, prime_factors
from skfact.transforms._fourier.stages import Stages

UNUSED = -1  # the frequency of a slot that is always zero


def fourier_values(radices: Sequence[int]) -> list[np.ndarray]:
    """Values of the factors of a Fourier transform with columns in digit-reversed order.

    Each splits transforms of size p m into p of size m (Cooley and Tukey): with rows (j, l) and
    columns (k, l), its entries are w_p^(j k) w_(p m)^(k l).
    """
    found = []
    for t, p in enumerate(radices):
        m = prod(radices[t + 1 :])
        j, k, l = np.arange(p)[:, None], np.arange(p), np.arange(m)[:, None, None]
        block = root(p * m, m * j * k + k * l)  # (d, b, c)
        found.append(repeated(block[None], prod(radices[:t])))
    return found


def root(n: int, power: np.ndarray) -> np.ndarray:
    """The n-th root of unity ``exp(-2 pi i / n)`` to an integer power, exact before rounding."""
    angle = -2 * np.pi / n * (power % n)
    return np.cos(angle) + 1j * np.sin(angle)


def complex_fourier(n: int) -> Stages:
    """The transform in complex factors."""
    radices = prime_factors(n) or (1,)
    return Stages(tuple(fourier_values(radices)), digit_reversal(radices), np.arange(n), n)


@dataclass(frozen=True)
class Spectrum:
    """A Fourier transform in real factors, whose outputs are the slots of a spectrum.

    Input i of the product belongs to sample ``leaf[i]``; of complex samples, real and imaginary
    part of a leaf are neighbours in a block of the first factor applied.
    """

    values: tuple[np.ndarray, ...]
    n: int  # samples
    leaf: np.ndarray  # (n_leaves,), -1 for a zero
    frequency: np.ndarray  # of each slot, (T,)
    merged: bool  # the imaginary part of slot 0 is the real number X_{n / 2}
    is_complex: bool  # the samples are

    def turned(self, blocks: np.ndarray) -> Spectrum:
        """With (T, 2, 2) blocks that multiply the two parts of each slot."""
        first = self.values[0]  # (1, d, (p, q), c)
        _, d, b, c = first.shape
        rows = first.reshape(d, 2, b // 2, c)
        per_slot = blocks.reshape(b // 2, d, 2, 2)  # slot q * d + l
        turned = np.einsum("qlij,ljqc->liqc", per_slot, rows, optimize=True)
        return replace(self, values=(turned.reshape(1, d, b, c), *self.values[1:]))

    def turned_samples(self, blocks: np.ndarray) -> Spectrum:
        """With (n, 2, 2) blocks that multiply the two parts of each complex sample first."""
        last = self.values[-1]  # (a, d, b, (h, p))
        a, d, b, c = last.shape
        padded = np.concatenate([blocks, np.zeros((1, 2, 2))])[self.leaf]  # UNUSED is the last
        per_leaf = padded.reshape(a, c // 2, d, 2, 2)
        columns = last.reshape(a, d, b, c // 2, 2)
        turned = np.einsum("ilbhp,ihlpj->ilbhj", columns, per_leaf, optimize=True)
        return replace(self, values=(*self.values[:-1], turned.reshape(a, d, b, c)))

    def stages(self, out: np.ndarray, samples: np.ndarray, n_in: int | None = None) -> Stages:
        """With entry ``samples[j]`` of an argument as sample j; of complex ones (n, 2) entries."""
        parts = samples.reshape(self.n, -1)
        taken = np.where(self.leaf[:, None] >= 0, parts[self.leaf], -1)  # (n_leaves, parts)
        a, d, _, c = self.values[-1].shape
        # leaf (i, h, l), part p, is input (i, (h, p), l)
        into = taken.reshape(a, c // parts.shape[1], d, -1).swapaxes(2, 3).ravel()
        return Stages(self.values, into, out, samples.size if n_in is None else n_in)

    def places(self) -> np.ndarray:
        """Where the two parts of a slot of frequency f go as results f and n - f."""
        found, T = np.full(self.n, -1), len(self.frequency)
        (slots,) = np.nonzero(self.frequency >= 0)
        found[-self.frequency[slots] % self.n] = T + slots
        found[self.frequency[slots]] = slots
        if self.merged:
            found[self.n // 2] = T
        return found


def real_radices(n: int) -> tuple[int, ...]:
    """Sizes of the blocks of the transform of real samples, the first one applied first.

    The first block has n entries per row, those of size s after it 2 s.
    """
    primes = prime_factors(n) or (1,)
    if n % 2:
        return primes[::-1]
    first = next(s for s in (4, 6, 2) if n % s == 0)
    return first, *prime_factors(n // first)


def real_fourier(n: int, radices: tuple[int, ...]) -> Spectrum:
    """The transform of real samples."""
    s, *others = radices
    slots = -(-s // 2)
    w = root(s, np.arange(slots)[:, None] * np.arange(s))
    block = np.concatenate([w.real, w.imag])  # ((p, q), h)
    if s % 2 == 0:
        block[slots] = root(2, np.arange(s)).real  # X_{s / 2}
    values = [repeated(block[None, None], n // s)]
    frequency, m = np.arange(slots), s
    for s in others:
        blocks, frequency = joined(frequency, m, s)
        m *= s
        values.append(repeated(blocks[None], n // m))
    leaf = leaves(radices)
    return Spectrum(tuple(reversed(values)), n, leaf, frequency, n % 2 == 0, False)


def joined(frequency: np.ndarray, m: int, s: int) -> tuple[np.ndarray, np.ndarray]:
    """Blocks (T, 2 s, 2 s) that join s spectra of m real samples, and the new frequencies."""
    h, q = np.arange(s), np.arange(s)
    f = frequency[:, None] + q * m  # (T, s)
    blocks = as_real(root(s * m, f[:, :, None] * h))
    blocks[frequency == UNUSED] = 0
    f[frequency == UNUSED] = UNUSED
    blocks[0], f[0] = first_block(m, s)
    return blocks, f.T.ravel()


def as_real(w: np.ndarray) -> np.ndarray:
    """Complex blocks (T, q, h) in real ones (T, (p, q), (h, p))."""
    T, rows, columns = w.shape
    real = np.stack([np.stack([w.real, -w.imag], -1), np.stack([w.imag, w.real], -1)], 1)
    return real.reshape(T, 2 * rows, 2 * columns)


def first_block(m: int, s: int) -> tuple[np.ndarray, np.ndarray]:
    """What joins the slots 0, whose parts are X_0 and X_{m / 2} (or 0); and its frequencies."""
    n, h = s * m, np.arange(s)
    block = np.zeros((2, s, s, 2))  # (p, q, h, p)
    f = np.full(s, UNUSED)
    chosen = [0, *(q * m for q in range(1, -(-s // 2)))]
    if m % 2 == 0:
        chosen += [m // 2 + q * m for q in range(s // 2)]
    f[: len(chosen)] = chosen
    for q, k in enumerate(chosen):
        w = root(n, k * h)
        source = int(k % m != 0)
        block[0, q, :, source] = w.real
        block[1, q, :, source] = w.imag
    block[1, 0] = 0
    if n % 2 == 0:
        block[1, 0, :, int(n // 2 % m != 0)] = root(2, h).real
    return block.reshape(2 * s, 2 * s), f


def complex_pairs(n: int) -> Spectrum:
    """The transform of complex samples, in real factors."""
    radices = prime_factors(n) or (1,)
    values = [as_real(v[0])[None] for v in fourier_values(radices[::-1])]
    shared = [repeated(v, n // (v.shape[1] * v.shape[2] // 2)) for v in values]
    return Spectrum(tuple(shared), n, leaves(radices), np.arange(n), False, True)


def leaves(radices: tuple[int, ...]) -> np.ndarray:
    """Which sample each leaf is: those of h modulo the last radix form the transform h of it."""
    return digit_reversal(radices[::-1])
