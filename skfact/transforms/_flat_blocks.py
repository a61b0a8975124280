"""Orthogonal matrices of any order with small entries: what a rotation is made of."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from itertools import product

import numpy as np

from skfact.supports._radices import prime_factors

Maker = Callable[[int], np.ndarray]


def flat_block(b: int) -> np.ndarray:
    """An orthogonal matrix (b, b) whose entries are at most ``flatness(b) / sqrt(b)``."""
    return kind_of(b)[1](b)


def flatness(b: int) -> float:
    """The largest magnitude in `flat_block`, times sqrt(b): at least 1, and at most sqrt(2)."""
    return kind_of(b)[0]


@lru_cache(maxsize=4096)
def kind_of(b: int) -> tuple[float, Maker]:
    """The flattest kind of matrix that there is for an order: its flatness, and what makes it."""
    if is_hadamard_order(b):
        return 1.0, lambda b: hadamard_matrix(b) / math.sqrt(b)
    angles = 2 * math.pi * np.arange(b) / b - math.pi / 4
    kinds: list[tuple[float, Maker]] = [
        (math.sqrt(2) * float(np.abs(np.cos(angles)).max()), hartley_matrix)
    ]
    if b == 5:
        kinds.append((6 * math.sqrt(5) / 11, lambda b: order_five()))
    if b % 4 == 3 and is_hadamard_order(b + 1):
        kinds.append((math.sqrt(b / (b + 1)) * (1 + 1 / (1 + math.sqrt(b + 1))), hadamard_core))
    if b % 4 == 2 and is_prime_power(b - 1):
        kinds.append((math.sqrt(b / (b - 1)), conference_matrix))
    if b % 4 == 1 and is_prime_power(b):
        kinds.append((1 + 1 / math.sqrt(b), paley_core))
    return min(kinds, key=lambda kind: kind[0])


def hartley_matrix(b: int) -> np.ndarray:
    """Entries cos + sin of 2 pi i j / b, over sqrt(b); orthogonal for every order."""
    angles = 2 * math.pi / b * (np.outer(np.arange(b), np.arange(b)) % b)
    return (np.cos(angles) + np.sin(angles)) / math.sqrt(b)


def order_five() -> np.ndarray:
    """The circulant matrix of (6, 6, -6, 3, 2) / 11, whose rows are orthonormal."""
    row = np.array([6, 6, -6, 3, 2]) / 11
    return np.stack([np.roll(row, shift) for shift in range(5)])


def hadamard_core(b: int) -> np.ndarray:
    """A Hadamard matrix of order b + 1 without its first row and column, made orthogonal.

    With these all ones, the core K has K K^T = (b + 1) I - J and K J = -J for the matrix J of ones,
    so that (K + y J) / sqrt(b + 1) is orthogonal for b y^2 - 2 y - 1 = 0.
    """
    H = hadamard_matrix(b + 1)
    H = H * H[:, :1]
    H = H * H[:1]
    return (H[1:, 1:] + (1 - math.sqrt(b + 1)) / b) / math.sqrt(b + 1)


def conference_matrix(b: int) -> np.ndarray:
    """Zeros on the diagonal and signs elsewhere, over sqrt(b - 1), for a prime power b - 1."""
    return bordered(quadratic_characters(b - 1)) / math.sqrt(b - 1)


def paley_core(b: int) -> np.ndarray:
    """Q / sqrt(b) + J / b, since Q Q^T = b I - J and Q J = 0, for a prime power b."""
    return quadratic_characters(b) / math.sqrt(b) + 1 / b


@lru_cache(maxsize=4096)
def is_hadamard_order(n: int) -> bool:
    """Whether `hadamard_matrix` knows one: all multiples of 4 up to 88 are among them."""
    if n <= 2:
        return n >= 1
    return n % 4 == 0 and (paley_kind(n) > 0 or hadamard_divisor(n) > 0)


def hadamard_divisor(n: int) -> int:
    """A part d of n of which, and of n / d, there are Hadamard matrices; 0 if there is none."""
    parts = (d for d in (2, *range(4, math.isqrt(n) + 1, 4)) if n % d == 0)
    return next((d for d in parts if is_hadamard_order(d) and is_hadamard_order(n // d)), 0)


def paley_kind(n: int) -> int:
    """Which of Paley's two constructions makes a Hadamard matrix of an order; 0 for none."""
    if n % 4 == 0 and is_prime_power(n - 1):
        return 1
    return 2 if n % 4 == 0 and n // 2 % 4 == 2 and is_prime_power(n // 2 - 1) else 0


def hadamard_matrix(n: int) -> np.ndarray:
    """Signs (n, n) with orthogonal rows: of Paley [1], or Kronecker products of smaller ones.

    [1] R. E. A. C. Paley, "On orthogonal matrices", J. Math. Phys. 12, 1933.
    """
    if n == 1:
        return np.ones((1, 1))
    two = np.array([[1.0, 1.0], [1.0, -1.0]])
    if n == 2:
        return two
    match paley_kind(n):
        case 1:
            return np.eye(n) + bordered(quadratic_characters(n - 1), -1)
        case 2:
            signs = bordered(quadratic_characters(n // 2 - 1))
            return np.kron(signs, two) + np.kron(np.eye(n // 2), [[1, -1], [-1, -1]])
    d = hadamard_divisor(n)
    return np.kron(hadamard_matrix(d), hadamard_matrix(n // d))


def bordered(core: np.ndarray, left: int = 1) -> np.ndarray:
    """The matrix with a row of ones above it, a column of `left` beside it, and 0 between them."""
    return np.block(
        [[np.zeros((1, 1)), np.ones((1, len(core)))], [np.full((len(core), 1), left), core]]
    )


def is_prime_power(q: int) -> bool:
    """Whether there is a field of q elements, of odd order."""
    return q % 2 == 1 and len(set(prime_factors(q))) == 1


def quadratic_characters(q: int) -> np.ndarray:
    """Q (q, q): 1 where the difference of two elements of the field is a square, else -1, or 0."""
    primes = prime_factors(q)
    p, k = primes[0], len(primes)
    elements = np.indices((p,) * k).reshape(k, q).T  # polynomials modulo one of degree k
    character = np.full((p,) * k, -1)
    character[(0,) * k] = 0
    for square in powers_of_root(p, k)[::2]:
        character[square] = 1
    differences = (elements[:, None] - elements) % p  # (q, q, k)
    return character[tuple(np.moveaxis(differences, -1, 0))].astype(float)


def powers_of_root(p: int, k: int) -> list[tuple[int, ...]]:
    """All elements but 0 of the field of p^k, as the powers 1, x, x^2, ... of one of them.

    The first polynomial x^k = c_0 + c_1 x + ... modulo which x has so many powers is taken.
    """
    one = (1,) + (0,) * (k - 1)
    for polynomial in product(range(p), repeat=k):
        powers: list[tuple[int, ...]] = []
        power = one
        while not powers or (power != one and any(power) and len(powers) < p**k):
            powers.append(power)
            carried = (0, *power[:-1])
            power = tuple((low + power[-1] * c) % p for low, c in zip(carried, polynomial))
        if power == one and len(powers) == p**k - 1:
            return powers
    raise AssertionError("every finite field has a primitive root")
