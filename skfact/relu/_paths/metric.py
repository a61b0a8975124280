"""Distance of two networks in path space, and what it says about their outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from operator import mul
from typing import Any

import numpy as np

from skfact._backend import array_namespace, move, to_numpy
from skfact._linalg import limited
from skfact.relu._networks.balance import (
    Paths,
    balance,
    rescaled,
    scaled_float,
    scaled_sum,
    shifted,
)
from skfact.relu._networks.network import EarlierSteps, Network, Step
from skfact.relu._networks.passes import arrive, edgewise, forward
from skfact.relu._networks.readers import read_pair
from skfact.relu._networks.samples import after_steps, checked_samples, name_after
from skfact.relu._rescaling.canonical import unit_powers
from skfact.relu._rescaling.classes import scales_in_order, scaling_classes


@dataclass(frozen=True)
class PathMetric:
    """Distance of two networks in path space; see :func:`path_metric`."""

    l1: float
    l1_is_exact: bool
    l2: float
    # what samples go through before they arrive at each of the two networks, and their features
    _earlier: tuple[EarlierSteps, EarlierSteps] = field(default=((), ()), repr=False, compare=False)
    _n_inputs: int | None = field(default=None, repr=False, compare=False)

    def output_bound(self, X: Any) -> Any:
        """Bound the change of the output, ||f(x) - f'(x)||_1, for each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples; of pipelines, as their `predict` takes them.

        Returns
        -------
        bound : array of shape (n_samples,)
            ``max(||x||_inf, 1) * l1`` with the inputs x of the networks; see Notes of
            :func:`path_metric`.

        Raises
        ------
        TypeError, ValueError
            If X is no real, finite matrix that fits the networks, or the earlier steps of two
            pipelines make different inputs of it.
        """
        X, other = (
            checked_samples(after_steps(steps, X, "X"), self._n_inputs, name_after(steps, "X"))
            for steps in self._earlier
        )
        xp = array_namespace(X)
        if any(self._earlier) and not np.array_equal(to_numpy(X), to_numpy(other)):
            raise ValueError(
                "The two networks see different inputs: the earlier steps of one pipeline make "
                "something else of X than those of the other, or there are none. The bound is for "
                "equal inputs: pass two pipelines with the same earlier steps, or the last steps."
            )
        return self.l1 * limited(xp.max(xp.abs(X), axis=1), low=1.0)


def path_metric(network: Any, other: Any) -> PathMetric:
    """Distance of the path weights of two networks, with a proven bound on their outputs.

    Parameters
    ----------
    network, other : network-like
        Networks with equal layer sizes, or two graphs with the same nodes.

    Returns
    -------
    metric : PathMetric
        - ``l1``: an upper bound of ``||Phi - Phi'||_1`` that also bounds the outputs,
        - ``l1_is_exact``: whether it is equal to the distance, as it is when one network is a
          pruned copy of the other,
        - ``l2``: ``||Phi - Phi'||_2``, exact to rounding,
        - ``output_bound(X)``: the bound of ``||f(x) - f'(x)||_1`` for each row x of X.

    Raises
    ------
    TypeError
        If a network is of an unsupported kind.
    ValueError
        If a network is not usable, or the shapes differ.

    Notes
    -----
    All three are invariant to rescaling either network: `other` is first rescaled to match. Let m
    have the common sign of w and w' and the smaller magnitude, or zero where signs differ. Then

        ||f(x) - f'(x)||_1 <= max(||x||_inf, 1) (||Phi - Phi_m||_1 + ||Phi_m - Phi'||_1),

    where both terms are sums of non-negative numbers that one forward pass gives. The bound with
    ``||Phi - Phi'||_1`` itself is false for networks whose signs differ.

    Proof. Move the weights on a straight line from w to m. The output for x is continuous and
    piecewise a polynomial in the time t, with finitely many changes of gates (of ReLUs and, in a
    graph, of maxima). Between them it is
    ``sum_p a_p x_p Phi_p(t)`` with gates a_p in {0, 1} and x_p an input or 1, so that its change is
    at most ``max(||x||_inf, 1)`` times the integral of the sum of ``abs(Phi_p'(t))``. No weight
    changes sign and all shrink in magnitude: so does each Phi_p, and the integral is
    ``||Phi - Phi_m||_1``.
    The same holds from w' to m.

    References
    ----------
    .. [1] A. Gonon, N. Brisebarre, E. Riccietti, R. Gribonval, "A rescaling-invariant Lipschitz
       bound based on path-metrics for modern ReLU network parameterizations", arXiv:2405.15006.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import path_metric, path_norm
    >>> coefs = [np.array([[1.0, -2.0], [3.0, 0.5]]), np.array([[2.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -1.0]), np.array([0.25])]
    >>> pruned = [coefs[0] * (abs(coefs[0]) > 1), coefs[1]], intercepts
    >>> metric = path_metric((coefs, intercepts), pruned)
    >>> metric.l1, path_norm((coefs, intercepts)) - path_norm(pruned)
    (2.5, 2.5)
    >>> metric.output_bound([[3.0, 0.0]])
    array([7.5])
    """
    # float64: the distances of float32 networks are differences of their roundings
    a, b = (n.cast("float64") for n in read_pair(network, other))
    logs = scales_in_order(b, partial(_median_ratio, a, b))
    matched = rescaled(b, [-move(log, b.xp, b.device) for log in logs])
    middle = matched.with_arrays(
        *(
            [_smaller(v, w) for v, w in zip(mine, others)]
            for mine, others in ((a.weights, matched.weights), (a.biases, matched.biases))
        )
    )
    lost, lost_power = _decrease(a, middle)
    gained, gained_power = _decrease(matched, middle)
    l1 = scaled_float(lost, lost_power) + scaled_float(gained, gained_power)
    same_signs = all(
        bool(a.xp.all(a.xp.sign(v) * a.xp.sign(w) >= 0))
        for v, w in zip((*a.weights, *a.biases), (*matched.weights, *matched.biases))
    )
    is_exact = same_signs and (lost == 0 or gained == 0)
    return PathMetric(l1, is_exact, _euclidean(a, b), (a.earlier, b.earlier), a.sizes[0])


def _smaller(v: Any, w: Any) -> Any:
    """The common sign with the smaller magnitude, zero where signs differ."""
    xp = array_namespace(v)
    smaller = xp.minimum(xp.abs(v), xp.abs(w))
    return xp.where(xp.sign(v) * xp.sign(w) > 0, xp.sign(v) * smaller, xp.zeros_like(v))


def _decrease(large: Network, small: Network) -> tuple[float, float]:
    """||Phi||_1 - ||Phi_small||_1 as (number, power of two), where |small| <= |large| everywhere.

    All terms are non-negative: nothing cancels.
    """
    paths = balance(large)
    lost, below = [0 * paths.ones()], [paths.ones()]  # below: absolute paths of the small network
    for v, w in _pairs(large, paths.steps, shifted(small.steps(), paths.exponents)):
        through = partial(_arrive, v, w)
        lost.append(
            through(lambda v, w: abs(v), lost, include_bias=False)
            + through(lambda v, w: abs(v) - abs(w), below)
        )
        below.append(through(lambda v, w: abs(w), below))
    return scaled_sum(lost[-1], paths.output_exponents)


def _pairs(network: Network, one: list[Step], two: list[Step]) -> Iterator[tuple[Step, Step]]:
    return islice(zip(one, two), 1, network.output + 1)


def _arrive(
    v: Step,
    w: Step,
    function: Callable[[Any, Any], Any],
    values: list[Any],
    include_bias: bool = True,
) -> Any:
    """What arrives at a node through a function of the edges of two networks."""
    (step,) = edgewise(function, [v], [w], include_bias=include_bias)
    return arrive(step, [values[i] for i in step.inputs])


def _median_ratio(a: Network, b: Network, l: int, before: np.ndarray) -> np.ndarray:
    """One where b is a pruned copy; follows a rescaling of either."""
    with np.errstate(divide="ignore", invalid="ignore"):
        mine, others = (
            np.log2(np.abs(np.vstack([to_numpy(n.weights[l]), to_numpy(n.biases[l])[None, :]])))
            for n in (a, b)
        )
        others[:-1] -= before[:, None]
        ratios = mine - others
    ratios[~np.isfinite(ratios)] = np.nan
    some = ~np.isnan(ratios).all(axis=0)
    found = np.full(ratios.shape[1], np.nan)
    found[some] = np.nanmedian(ratios[:, some], axis=0)
    return found


def _euclidean(a: Network, b: Network) -> float:
    """||Phi - Phi'||_2 by a pass with the Gram matrix of Phi and D = Phi - Phi'.

    D grows by D w' + Phi (w - w'). Where the incoming weights of both have unit norm, networks of
    close paths have close weights, and nothing cancels.
    """
    a_paths, b_paths = balance(a), balance(b)
    common = [a.xp.maximum(e, f) for e, f in zip(a_paths.exponents, b_paths.exponents)]
    a_powers, b_powers = (_unit_or(common, paths) for paths in (a_paths, b_paths))
    one = Paths.of(a).ones()
    phi, inner, norm = [one], [0 * one], [0 * one]  # sums of Phi^2, Phi D and D^2
    with np.errstate(under="ignore"):
        for v, w in _pairs(a, shifted(a.steps(), a_powers), shifted(b.steps(), b_powers)):
            through = partial(_arrive, v, w)
            norm.append(
                through(lambda v, w: w * w, norm, include_bias=False)
                + 2 * through(lambda v, w: w * (v - w), inner, include_bias=False)
                + through(lambda v, w: (v - w) ** 2, phi)
            )
            inner.append(
                through(mul, inner, include_bias=False) + through(lambda v, w: v * (v - w), phi)
            )
            phi.append(through(lambda v, w: v * v, phi))
        total, power = scaled_sum(limited(norm[-1], low=0.0), 2 * common[a.output])
    return scaled_float(math.sqrt(total), power / 2)


def _unit_or(common: list[Any], paths: Paths) -> list[Any]:
    """Powers of two for unit incoming weights; others where nothing arrives or scales are fixed."""
    network = paths.network
    arriving = forward(edgewise(abs, paths.steps), paths.ones())
    free = [move(labels > 0, network.xp, network.device) for labels in scaling_classes(network)]
    return [
        network.xp.where(some & (total > 0), unit, other)
        for some, total, unit, other in zip(free, arriving, unit_powers(network), common)
    ]
