"""Distance of two networks in path space, and what it says about their outputs."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import array_namespace, move, to_numpy
from skfact._exponents import times_power_of_two
from skfact.relu._networks.balance import balance, scaled_float, scaled_sum, shifted
from skfact.relu._networks.layered import Network
from skfact.relu._networks.pairs import read_pair
from skfact.relu._networks.passes import ones
from skfact.relu._networks.samples import checked_samples
from skfact.relu._rescaling.canonical import normalized


class PathMetric(NamedTuple):
    """Distance of two networks in path space; see :func:`path_metric`."""

    l1: float
    l1_is_exact: bool
    l2: float

    def output_bound(self, X: Any) -> Any:
        """Bound the change of the output, ||f(x) - f'(x)||_1, for each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        bound : array of shape (n_samples,)
            ``max(||x||_inf, 1) * l1``; see Notes of :func:`path_metric`.

        Raises
        ------
        TypeError, ValueError
            If X is no real, finite, non-empty matrix.
        """
        X = checked_samples(X, None, "X")
        xp = array_namespace(X)
        return self.l1 * xp.clip(xp.max(xp.abs(X), axis=1), 1.0, None)


def path_metric(network: Any, other: Any) -> PathMetric:
    """Distance of the path weights of two networks, with a proven bound on their outputs.

    Parameters
    ----------
    network, other : MLP, FrozenEstimator, (coefs, intercepts) or torch Sequential
        Networks with equal layer sizes.

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
    piecewise a polynomial in the time t, with finitely many changes of gates. Between them it is
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
    a, b = read_pair(network, other)
    # float64: the distances of float32 networks are differences of their roundings
    a, b = (n.moved(n.xp, n.device, "float64") for n in (a, b))
    matched = _matched(a, b)
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
    return PathMetric(l1, same_signs and (lost == 0 or gained == 0), _euclidean(a, b))


def _smaller(v: Any, w: Any) -> Any:
    """The common sign with the smaller magnitude, zero where signs differ."""
    xp = array_namespace(v)
    smaller = xp.minimum(xp.abs(v), xp.abs(w))
    return xp.where(xp.sign(v) * xp.sign(w) > 0, xp.sign(v) * smaller, xp.zeros_like(v))


def _decrease(large: Network, small: Network) -> tuple[float, float]:
    """||Phi||_1 - ||Phi_small||_1 as (number, power of two), where |small| <= |large| everywhere.

    All terms are non-negative: nothing cancels.
    """
    large, exponents = balance(large)
    small = shifted(small, exponents)
    below = ones(large, large.sizes[0])  # sum of the absolute paths of the small network
    difference = 0 * below
    for v, w, c, d in zip(large.weights, small.weights, large.biases, small.biases):
        difference = difference @ abs(v) + below @ (abs(v) - abs(w)) + (abs(c) - abs(d))
        below = below @ abs(w) + abs(d)
    return scaled_sum(difference, exponents[-1])


def _matched(a: Network, b: Network) -> Network:
    """b rescaled to a, neuron by neuron, by the median ratio of incoming weights.

    The median is one where b is a pruned copy, and follows a rescaling of either network.
    """
    shift = np.zeros(a.sizes[0])
    shifts = [shift]
    for l in range(len(a.weights) - 1):
        with np.errstate(divide="ignore", invalid="ignore"):
            v, w, c, d = (
                np.log2(np.abs(to_numpy(x)))
                for x in (a.weights[l], b.weights[l], a.biases[l], b.biases[l])
            )
            ratios = np.concatenate([v - w + shift[:, None], [c - d]])
        ratios[~np.isfinite(ratios)] = np.nan
        known = ~np.isnan(ratios).all(axis=0)
        shift = np.zeros(a.sizes[l + 1])
        shift[known] = np.nanmedian(ratios[:, known], axis=0)
        shifts.append(shift)
    shifts.append(np.zeros(a.sizes[-1]))
    return shifted(b, [-move(shift, a.xp, a.device) for shift in shifts])


def _euclidean(a: Network, b: Network) -> float:
    """||Phi - Phi'||_2 by a pass with the Gram matrix of Phi and D = Phi - Phi'.

    D grows by D w' + Phi (w - w'). With incoming weights of unit norm, networks of close paths have
    close weights, and nothing cancels.
    """
    xp = a.xp
    with np.errstate(under="ignore"):
        (a, mine), (b, others) = normalized(a), normalized(b)
        # the outputs have powers of two of their own, which may differ between the networks
        top = xp.maximum(mine, others)
        norm_a = ones(a, a.sizes[0])
        inner, norm_d = 0 * norm_a, 0 * norm_a
        last = len(a.weights) - 1
        for l, (v, w, c, d) in enumerate(zip(a.weights, b.weights, a.biases, b.biases)):
            if l == last:
                v, c = (times_power_of_two(x, mine - top) for x in (v, c))
                w, d = (times_power_of_two(x, others - top) for x in (w, d))
            norm_d = norm_d @ w**2 + 2 * (inner @ (w * (v - w))) + norm_a @ (v - w) ** 2
            norm_d = norm_d + (c - d) ** 2
            inner = inner @ (v * w) + norm_a @ (v * (v - w)) + c * (c - d)
            norm_a = norm_a @ v**2 + c**2
        total, power = scaled_sum(xp.clip(norm_d, 0.0, None), 2 * top)
    return scaled_float(math.sqrt(total), power / 2)
