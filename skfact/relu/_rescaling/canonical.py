"""One network for each class of networks that are rescalings of each other."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import move, to_numpy
from skfact._checks import check_choice, check_flag
from skfact._warn import warn
from skfact.relu._networks.balance import rescaled
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.network import Network
from skfact.relu._networks.readers import read_layers, read_network
from skfact.relu._rescaling.classes import scales_in_order
from skfact.relu._rescaling.path_kernel import log_factors_of_path_kernel
from skfact.relu._rescaling.rescale import require_in_range

# Outputs of a size beyond 2^-USUAL .. 2^USUAL are divided by a power of two.
USUAL = 900


def canonical_form(
    network: Any, *, criterion: str = "unit-norm", permutations: bool = False
) -> Any:
    """Choose one of the networks that are rescalings of each other.

    Networks that are rescalings of each other have the same canonical form, to rounding, except
    behind neurons at which no weight and no bias arrives: these keep their scale. With
    `permutations`, neurons of a layer are then sorted by their incoming weights. In a graph entries
    that meet in a sum or a maximum can only be rescaled together: for unit norms, the first linear
    node that leads to them gets one.

    Parameters
    ----------
    network : network-like
        The network, which is not modified.
    criterion : {"unit-norm", "path-kernel"}, default="unit-norm"
        Which one: "unit-norm" is the network whose hidden neurons have incoming weights and biases
        of unit l2 norm, in closed form; "path-kernel" that whose path kernel is closest to a
        multiple of the identity, see the notes.
    permutations : bool, default=False
        Also sort the neurons of each hidden layer. Not for graphs: the order of entries that meet
        in a sum or a maximum cannot change by itself.

    Returns
    -------
    network : same type as `network`
        Computes the same function.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `permutations` is no bool.
    ValueError
        If the network is not usable, `criterion` is unknown, or a rescaled weight is beyond the
        largest number.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If Newton's method does not converge, for the path kernel.

    See Also
    --------
    skfact.relu.equalize : The representer with the smallest norm of all weights.
    skfact.relu.is_rescaling_equivalent : Compare two networks directly.

    Notes
    -----
    **Path kernel** [2]_ (not that of samples, :func:`path_kernel`). Let J be the derivative of the
    path weights by the parameters, G = J^T J, and kappa its diagonal (:func:`path_sgd_scaling`).
    Rescaling multiplies each parameter by a number c_e and keeps the path weights: G becomes
    C^-1 G C^-1, with C = diag(c). How far this is from a multiple of the identity is the divergence
    of the log-determinant,

        ``D(G) = min over a > 0 of  tr(G) / a - log det(G / a) - n = n log(tr(G) / n) - log det G``,

    n times the logarithm of the ratio of the mean of the eigenvalues to their geometric mean. Only
    parameters on some path count, those with kappa > 0, whether they are zero or not. G is
    singular, since rescalings change no path weight; G + d diag(kappa) is not, for any d > 0, and
    rescales alike. On it, with the logarithms u of the factors of neurons and
    c_e = exp(u_t - u_s) for the parameter from s to t,

        ``D = n log sum_e kappa_e exp(-2 (u_t - u_s)) + 2 sum_e (u_t - u_s) + constant``,

    with a constant that holds all that depends on d, so that the minimizer does not. It is the
    logarithm of a sum of exponentials of linear functions of u, plus a linear function: convex.
    Strictly, too: along a direction h of u the second derivative is 4 n times a variance of
    h_t - h_s, zero only if this is the same for all edges; it is zero for the biases of outputs.
    Newton's method finds the minimum.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.
    .. [2] A. Lebeurrier, T. Vayer, R. Gribonval, "Path-conditioned training: a principled way to
       rescale ReLU neural networks", arXiv:2602.19799.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import canonical_form, path_sgd_scaling
    >>> coefs, intercepts = canonical_form(
    ...     ([np.array([[3.0]]), np.array([[2.0]])], [np.array([4.0]), np.array([1.0])])
    ... )
    >>> coefs[0], intercepts[0], coefs[1]
    (array([[0.6]]), array([0.8]), array([[10.]]))

    At the hidden neuron of the other form, what arrives and what leaves balances in kappa: the sum
    over incoming parameters less that over outgoing ones is their difference in number, times the
    mean of kappa.

    >>> network = canonical_form(
    ...     ([np.array([[3.0]]), np.array([[2.0]])], [np.array([4.0]), np.array([1.0])]),
    ...     criterion="path-kernel",
    ... )
    >>> (first, last), (bias, _) = path_sgd_scaling(network)
    >>> mean = (first.sum() + bias.sum() + last.sum() + 1.0) / 4
    >>> bool(np.isclose(first.sum() + bias.sum() - last.sum(), (2 - 1) * mean))
    True
    """
    network = read_network(network)
    check_choice(criterion, "criterion", ("unit-norm", "path-kernel"))
    check_flag(permutations, "permutations")
    if permutations:
        network = read_layers(network, "entries that meet in a sum or a maximum keep their order")
    with np.errstate(over="ignore", under="ignore"):
        powers = unit_powers(network) if criterion == "unit-norm" else _kernel_powers(network)
        result = rescaled(network, powers).cast(network.dtype)
    what = "neurons of unit norm make what leaves them"
    if criterion == "path-kernel":
        what = "factors for the path kernel make weights"
    require_in_range(result, network, what, "multiply or divide the outputs")
    if permutations:
        for l in range(len(result.weights) - 1):
            columns = np.vstack([to_numpy(result.biases[l]), to_numpy(result.weights[l])[::-1]])
            result = with_neurons(result, l + 1, np.lexsort(columns))
    return result.write()


def _kernel_powers(network: Network) -> list[Any]:
    """log2 of what to divide each entry by for the best path kernel."""
    logs, converged = log_factors_of_path_kernel(network)
    if not converged:
        warn("The factors for the path kernel still change.", ConvergenceWarning)
    return [-log / math.log(2) for log in logs]


def unit_powers(network: Network) -> list[Any]:
    """log2 of what to divide each entry by for unit incoming (w, b) of all hidden neurons.

    Neurons without incoming weights and bias stay as they are. Entries that can only be rescaled
    together follow the first linear node that leads to them.
    """
    wide = network.cast("float64")
    logs = scales_in_order(wide, lambda l, before: arriving_norm(wide, l, before))
    return [move(log, network.xp, network.device) for log in logs]


def arriving_norm(network: Network, l: int, before: np.ndarray) -> np.ndarray:
    """log2 of the norms of what arrives at the l-th linear node, whose input is times 2^before."""
    xp = network.xp
    with np.errstate(all="ignore"):
        scales = move(before, xp, network.device)[:, None]
        squares = xp.sum((network.weights[l] * 2.0**scales) ** 2, axis=0) + network.biases[l] ** 2
        if float(xp.min(squares)) > 1e-200 and float(xp.max(squares)) < 1e200:
            return to_numpy(xp.log2(squares) / 2)
        sizes = xp.log2(xp.abs(network.weights[l])) + scales
        sizes = xp.concat([sizes, xp.log2(xp.abs(network.biases[l]))[None, :]])
        largest = xp.max(sizes, axis=0)
        return to_numpy(largest + xp.log2(xp.sum(4.0 ** (sizes - largest), axis=0)) / 2)


def host_layers(network: LayeredNetwork) -> list[np.ndarray]:
    """Weights with the bias as last row, (n_l + 1, n_{l+1}), in float64 on the host.

    Hidden neurons are rescaled so that what arrives at them has unit norm: what is found from
    these arrays does not depend on how the network is scaled. Outputs that would leave the range of
    floating point are divided by a power of two.
    """
    network, powers = network.cast("float64"), unit_powers(network)
    size = np.floor(arriving_norm(network, len(network.weights) - 1, to_numpy(powers[-2])))
    beyond = np.where(np.isfinite(size) & (abs(size) > USUAL), size, 0.0)
    network = rescaled(network, [*powers[:-1], move(beyond, network.xp, network.device)])
    return [
        np.vstack([to_numpy(w), to_numpy(b)[None, :]])
        for w, b in zip(network.weights, network.biases)
    ]


def with_neurons(network: LayeredNetwork, layer: int, order: np.ndarray) -> LayeredNetwork:
    """Hidden layer 1 <= `layer` < L with the neurons of `order` only, as these follow there."""
    xp = network.xp
    order = move(np.asarray(order, dtype=np.int64), xp, network.device)
    weights, biases = list(network.weights), list(network.biases)
    weights[layer - 1] = xp.take(weights[layer - 1], order, axis=1)
    biases[layer - 1] = xp.take(biases[layer - 1], order)
    weights[layer] = xp.take(weights[layer], order, axis=0)
    return network.with_arrays(weights, biases)
