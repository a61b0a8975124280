"""The metric d_p on classes of parameters that have the same rank-one tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from skfact._checks import check_number
from skfact._exponents import times_power_of_two, unscaled_number
from skfact._linalg import is_complex
from skfact.deep_linear._stability._classes.rank_one import ScaledUnits, read_pair, scaled_units

GRID = 512  # first angles that are tried
FINEST = 2.0**-20  # how far the intervals of angles that could hold the minimum are halved
MOST_NORMS = 2**20  # entries of all vectors that are tried, after which they are halved no more


def factor_distance(h: Sequence[Any], g: Sequence[Any], p: float = 2) -> float:
    r"""Distance of two parameters up to rescalings: the metric d_p between their classes.

    Parameters
    ----------
    h, g : sequence of K arrays of shape (S_k,)
        Parameter vectors, real or complex, of the same lengths; arrays of more dimensions as in
        :func:`are_rescalings`.
    p : float, default=2
        Exponent of the norm, at least 1; ``inf`` for the largest entry.

    Returns
    -------
    distance : float
        ``d_p(h, g)``; zero where and only where :math:`P(h) = P(g)`, see :func:`rank_one_tensor`.

    Raises
    ------
    TypeError
        If an argument is no sequence of numeric vectors, or `p` no number.
    ValueError
        If the vectors are not finite or differ in number, length or shape, `p` is below 1, or three
        or more vectors are complex and `p` is not 2.

    See Also
    --------
    are_rescalings : Whether two parameters are in one class.
    tensor_stability_bound : An upper bound of the distance from the tensors.

    Notes
    -----
    Both are brought to their normal form h', g': vectors with equal largest magnitudes. Then

    .. math:: d_p(h, g) = \min_s \| (h'_k - s_k g'_k)_k \|_p

    over signs s with product one, the norm over all entries; over phases where one of the two is
    complex. Signs need no search: the nearer one is taken for each vector, and if their product is
    -1, that vector is turned which raises the distance least. Phases for ``p=2`` are found from one
    equation in one unknown. For two vectors and any `p` there is one angle: intervals of it that
    cannot hold the minimum are ruled out until the others are shorter than ``1e-6``, or many, as
    where the norm hardly depends on the angle; then follows a local search.

    References
    ----------
    .. [1] F. Malgouyres, J. Landsberg, "Multilinear compressive sensing and an application to
       convolutional linear networks", arXiv:1703.08044, Definition 1.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.deep_linear import factor_distance
    >>> h = [np.array([1.0, 2.0]), np.array([3.0, 0.0, -1.0])]
    >>> factor_distance(h, [-4 * h[0], -0.25 * h[1]])
    0.0
    >>> factor_distance(h, [0 * h[0], h[1]], p=np.inf) == 6**0.5
    True
    """
    p = check_exponent(p)
    one, two = (scaled_units(x) for x in read_pair(h, g))
    return class_distance(one, two, p)


def check_exponent(p: Any, name: str = "p") -> float:
    """The exponent of a norm, at least 1, as a float.

    Raises
    ------
    TypeError
        If it is no number.
    ValueError
        If it is smaller than 1, or beyond the largest float.
    """
    check_number(p, name, float, 1)
    return float(p)


def class_distance(one: ScaledUnits | None, two: ScaledUnits | None, p: float) -> float:
    """d_p between two classes, given by unit vectors and sizes; None is the zero class."""
    for x in (one, two):
        if x is not None and p != 2 and len(x.units) > 2 and is_complex(x.units[0]):
            raise ValueError(
                f"The distance of {len(x.units)} complex vectors is known for p=2 only, got "
                f"p={p:g}: its minimum over the phases has no formula for another p. Pass p=2."
            )
    pieces, exponent = best_pieces(one, two, p)
    return unscaled_number(p_norm([p_norm(x, p) for x in pieces], p), exponent)


def best_pieces(
    one: ScaledUnits | None, two: ScaledUnits | None, p: float
) -> tuple[list[np.ndarray], int]:
    """Differences h'_k - s_k g'_k for the best signs or phases, and their power of two.

    For three or more complex vectors and another p, the phases that are best for p = 2.
    """
    if one is None or two is None:
        if one is two:
            return [np.zeros(1)], 0
        size, exponent = (one or two).level  # type: ignore[union-attr]
        return [size * u for u in (one or two).units], exponent  # type: ignore[union-attr]
    level = max(one.level[1], two.level[1])
    a, b = (  # the normal forms, the larger of ordinary magnitude
        [times_power_of_two(size * u, exponent - level) for u in x.units]
        for x in (one, two)
        for size, exponent in [x.level]
    )
    if len(a) == 1:
        pieces = [a[0] - b[0]]
    elif not is_complex(a[0]):
        pieces = _best_signs(a, b, p)
    elif len(a) == 2 and p != 2:
        pieces = _turned(a, b, _best_angle(a, b, p))
    else:
        pieces = _turned(a, b, _best_phases(a, b))
    return pieces, level


def p_norm(x: Any, p: float) -> float:
    """p-norm of all entries; no power of an entry over- or underflows before it counts."""
    size = np.abs(np.asarray(x))
    largest = float(np.max(size))
    if largest == 0 or p == math.inf:
        return largest
    return largest * float(np.sum((size / largest) ** p) ** (1 / p))


def _best_signs(a: list[Any], b: list[Any], p: float) -> list[Any]:
    """Differences a_k - s_k b_k for the best signs of product one."""
    minus, plus = ([x - y for x, y in zip(a, b)], [x + y for x, y in zip(a, b)])
    sizes = np.array([[p_norm(x, p) for x in side] for side in (minus, plus)])
    turn = sizes[1] < sizes[0]
    if np.sum(turn) % 2:
        low, high = np.min(sizes, axis=0), np.max(sizes, axis=0)
        k = int(np.argmin(high if p == math.inf else _log_rise(low, high, p)))
        turn[k] = not turn[k]
    return [y if turned else x for x, y, turned in zip(minus, plus, turn)]


def _log_rise(low: np.ndarray, high: np.ndarray, p: float) -> np.ndarray:
    """Logarithms of high**p - low**p, which itself may be no number."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rise = p * np.log(high) + np.log(-np.expm1(p * np.log(low / high)))
    return np.where(low == high, -math.inf, rise)


def _turned(a: list[Any], b: list[Any], angles: np.ndarray) -> list[Any]:
    return [x - np.exp(1j * t) * y for x, y, t in zip(a, b, angles)]


def _best_phases(a: list[Any], b: list[Any]) -> np.ndarray:
    r"""Angles t_k of sum zero that minimize the sum of ``||a_k - exp(i t_k) b_k||_2^2``.

    With r_k and alpha_k the size and the argument of <b_k, a_k>, the angles are alpha_k + psi_k,
    and the sum of r_k cos psi_k is maximal among psi of given sum. There r_k sin psi_k are equal,
    and only the psi of the smallest r_k can exceed a right angle: with t for that one,

        t + sum_k arcsin(r_min sin t / r_k) = |sum psi_k|.

    The left side is concave in t on [0, pi], at most the right one at 0, and at least at pi: it has
    one root, or a second one at pi, which is no maximum.
    """
    products = np.array([np.vdot(y, x) for x, y in zip(a, b)])
    sizes, angles = np.abs(products), np.angle(products)
    missing = -math.remainder(math.fsum(angles), 2 * math.pi)  # what the psi add up to
    smallest = int(np.argmin(sizes))
    turns = np.zeros(len(a))
    if sizes[smallest] == 0 or missing == 0:
        turns[smallest] = missing
        return angles + turns
    ratios = sizes[smallest] / np.delete(sizes, smallest)
    goal = abs(missing)

    def others(t: float) -> np.ndarray:
        return np.arcsin(ratios * math.sin(t))

    def excess(t: float) -> float:
        return t + float(np.sum(others(t))) - goal

    # the others make no more than t of it each, and none below zero
    end = goal
    if not excess(end) > 0 and np.sum(ratios) > 1:  # the goal is pi, up to rounding
        end = minimize_scalar(lambda t: -excess(t), bounds=(0.0, goal), method="bounded").x
    t = brentq(excess, 0.0, end, xtol=1e-300, rtol=1e-15) if excess(end) > 0 else goal
    turns[smallest] = t
    turns[np.arange(len(a)) != smallest] = others(t)
    turns *= math.copysign(1.0, missing)
    turns[smallest] += missing - math.fsum(turns)  # rounding
    return angles + turns


def _best_angle(a: list[Any], b: list[Any], p: float) -> np.ndarray:
    """Angles (t, -t) that minimize the p-norm of all entries of a_k - exp(i t_k) b_k.

    The norm changes by no more than ||b||_p times the change of t: intervals of angles that cannot
    hold the minimum are left out, and the others are halved. Relative to the best angle for p = 2,
    which is the best of all where the distance is zero.
    """
    base = _best_phases(a, b)
    b = [np.exp(1j * t) * y for t, y in zip(base, b)]
    slope = p_norm([p_norm(y, p) for y in b], p)

    def some_norms(turns: np.ndarray) -> np.ndarray:
        turn = np.exp(1j * turns)
        rows = [x - factor[:, None] * y for x, y, factor in zip(a, b, (turn, turn.conj()))]
        return _row_norms(np.concatenate(rows, axis=1), p)

    def norms(turns: np.ndarray) -> np.ndarray:
        some = max(1, MOST_NORMS // (a[0].size + a[1].size))  # what is held at a time
        return np.concatenate([some_norms(turns[i : i + some]) for i in range(0, len(turns), some)])

    half = math.pi / GRID
    middles = 2 * half * np.arange(-GRID // 2, GRID // 2)
    values = norms(middles)
    while half > FINEST and values.size * (a[0].size + a[1].size) < MOST_NORMS:
        middles = middles[values - slope * half <= np.min(values)]
        half /= 2
        middles = np.concatenate([middles - half, middles + half])
        values = norms(middles)
    best = float(middles[np.argmin(values)])
    near = minimize_scalar(
        lambda t: norms(np.array([t]))[0],
        bounds=(best - 4 * half, best + 4 * half),
        method="bounded",
        options={"xatol": 1e-15},
    )
    candidates = np.array([0.0, best, float(near.x)])
    turn = float(candidates[np.argmin(norms(candidates))])
    return base + np.array([turn, -turn])


def _row_norms(x: np.ndarray, p: float) -> np.ndarray:
    """p-norm of each row, as in `p_norm`."""
    size = np.abs(x)
    largest = np.max(size, axis=1)
    if p == math.inf:
        return largest
    unit = size / np.where(largest > 0, largest, 1.0)[:, None]
    return largest * np.sum(unit**p, axis=1) ** (1 / p)
