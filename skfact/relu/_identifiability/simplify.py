"""Fewer neurons, the same function."""

from __future__ import annotations

from typing import Any

import numpy as np

from skfact._backend import array_namespace, move, to_numpy
from skfact.relu._identifiability.twins import find_twins, twin_tolerance
from skfact.relu._networks.gates import gates
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.readers import read_layers
from skfact.relu._networks.samples import inputs_of
from skfact.relu._rescaling.canonical import host_layers, with_neurons


def simplify(network: Any, *, tol: float | None = None, dead_on: Any = None) -> Any:
    """Merge positive twins and remove neurons that no output needs.

    Positive twins are neurons of a layer whose incoming weights and biases are positive multiples
    of each other: one neuron with the sum of their outgoing weights does the same. A neuron without
    incoming weights is a constant, which the next bias absorbs; one without outgoing weights is
    not needed. This is repeated until nothing is left to do.

    Parameters
    ----------
    network : network-like of layers
        The network, which is not modified.
    tol : float, default=None
        Distance up to which neurons count as twins, once their incoming weights and biases have
        unit norm, and part of its terms up to which a sum of their outgoing weights counts as zero.
        None is 1e-10, for float32 1e-5.
    dead_on : array-like of shape (n_samples, n_features), default=None
        Samples; of a pipeline, as its `predict` takes them. If given, neurons that are active on
        none of them are removed, too: the outputs stay the same on these samples and wherever these
        neurons stay off, **but not elsewhere**.

    Returns
    -------
    network : same type as `network`
        With at most as many neurons in each hidden layer, and equal numbers of layers. Without
        `dead_on` it computes the same function, to rounding and `tol`.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or `tol` is no number.
    ValueError
        If the network is not usable, `tol` is not from 0 to 0.1, or `dead_on` does not fit it.

    See Also
    --------
    skfact.relu.identifiability_report : Finds twins and unused neurons, and more.
    skfact.relu.prune : Sets weights to zero; `simplify` then removes the neurons that this frees.

    Notes
    -----
    A layer never loses its last neuron: networks of these kinds have no layers without neurons.
    Where none is needed, one stays, with all its weights zero. A simplified MLP predicts and can be
    fitted further; its ``hidden_layer_sizes`` are the new ones.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370 (twins).

    Examples
    --------
    The first two neurons are twins, and the last one is a constant:

    >>> import numpy as np
    >>> from skfact.relu import simplify
    >>> coefs = [np.array([[1.0, 2.0, -1.0, 0.0]]), np.array([[1.0], [1.0], [3.0], [5.0]])]
    >>> intercepts = [np.array([0.5, 1.0, 0.0, 2.0]), np.array([0.25])]
    >>> coefs, intercepts = simplify((coefs, intercepts))
    >>> coefs[0], coefs[1].T, intercepts[1]
    (array([[ 2., -1.]]), array([[1.5, 3. ]]), array([10.25]))
    """
    network = read_layers(network, "neurons are merged and removed layer by layer")
    tol = twin_tolerance(network, tol)
    if dead_on is not None:
        network = _without_dead(network, inputs_of(network, dead_on, "dead_on"))
    while True:
        before = network.sizes
        for l in range(len(network.weights) - 1):
            network = _fold_constants(network, l)
            network = _merge_twins(network, l, tol)
        for l in range(len(network.weights) - 2, -1, -1):
            needed = _nonzero(network, network.weights[l + 1], axis=1)
            network = _keep(network, l, needed)
        if network.sizes == before:
            return network.write()


def _nonzero(network: LayeredNetwork, array: Any, axis: int) -> np.ndarray:
    return to_numpy(network.xp.any(array != 0, axis=axis))


def _keep(network: LayeredNetwork, l: int, needed: np.ndarray) -> LayeredNetwork:
    """Hidden layer l, counted from 0, with the needed neurons only; a silent one if none is."""
    if needed.all():
        return network
    if needed.any():
        return with_neurons(network, l + 1, np.flatnonzero(needed))
    network = with_neurons(network, l + 1, np.array([0]))
    weights, biases = list(network.weights), list(network.biases)
    for array, place in ((weights, l), (biases, l), (weights, l + 1)):
        array[place] = network.xp.zeros_like(array[place])
    return network.with_arrays(weights, biases)


def _without_dead(network: LayeredNetwork, X: Any) -> LayeredNetwork:
    active = [to_numpy(array_namespace(X).any(gate, axis=0)) for gate in gates(network, X)]
    for l, needed in enumerate(active):
        network = _keep(network, l, needed)
    return network


def _fold_constants(network: LayeredNetwork, l: int) -> LayeredNetwork:
    """Neurons of hidden layer l without incoming weights move into the next bias."""
    varies = _nonzero(network, network.weights[l], axis=0)
    if varies.all():
        return network
    xp = network.xp
    biases = list(network.biases)
    value = biases[l]
    if network.activation == "relu":
        value = xp.where(value > 0, value, xp.zeros_like(value))
    constant = move(~varies, xp, network.device)
    value = xp.where(constant, value, xp.zeros_like(value))
    biases[l + 1] = biases[l + 1] + value @ network.weights[l + 1]
    return _keep(network.with_arrays(network.weights, biases), l, varies)


def _merge_twins(network: LayeredNetwork, l: int, tol: float) -> LayeredNetwork:
    """Each group of positive twins of hidden layer l becomes its largest neuron."""
    twins = find_twins(host_layers(network)[l], tol)
    groups = [side for group in twins for side in group if len(side) > 1]
    if not groups:
        return network
    xp = network.xp
    arriving = np.vstack([to_numpy(network.weights[l]), to_numpy(network.biases[l])[None, :]])
    arriving = arriving.astype(np.float64)
    n = arriving.shape[1]
    # row v: which outgoing weights, times which factors, become those of v
    gather = np.eye(n)
    needed = np.ones(n, dtype=bool)
    for group in groups:
        members = np.array(group)
        largest = np.abs(arriving[:, members]).max(axis=0)
        top = largest.argmax()
        unit = arriving[:, members] / largest
        norms = np.linalg.norm(unit, axis=0)
        gather[members] = 0.0
        gather[members[top], members] = norms / norms[top] * (largest / largest[top])
        needed[members] = False
        needed[members[top]] = True
    moved = xp.astype(move(gather, xp, network.device), network.dtype)
    leaving = network.weights[l + 1]
    total, size = moved @ leaving, moved @ xp.abs(leaving)
    weights = list(network.weights)
    weights[l + 1] = xp.where(xp.abs(total) <= tol * size, xp.zeros_like(total), total)
    return _keep(network.with_arrays(weights, network.biases), l, needed)
