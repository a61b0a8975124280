"""Identifiability: which other networks compute the same function."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from skfact._backend import array_namespace, to_numpy
from skfact._checks import check_number
from skfact.relu._identifiability.irreducibility import decide_irreducibility
from skfact.relu._identifiability.kinks import off_kinks
from skfact.relu._identifiability.local_rank import (
    LocalRank,
    Suspect,
    generic_rank,
    local_rank,
    parameter_count,
    samples_needed,
)
from skfact.relu._identifiability.report import IdentifiabilityReport, LayerIdentifiability
from skfact.relu._identifiability.twins import find_twins, parallel_twins, twin_tolerance
from skfact.relu._networks.readers import read_layers
from skfact.relu._networks.samples import inputs_of
from skfact.relu._rescaling.canonical import host_layers

DEAD, ALWAYS_ACTIVE, NOT_ADMISSIBLE = "dead on X", "always active on X", "not admissible"
POSITIVE_TWIN, NEGATIVE_TWIN = "positive twin", "negative twin"
# the order in which suspicious neurons join the others: what a neuron costs is counted last for
# the causes that cost most
ORDER = (ALWAYS_ACTIVE, NEGATIVE_TWIN, POSITIVE_TWIN, NOT_ADMISSIBLE, DEAD)


def identifiability_report(
    network: Any,
    X: Any = None,
    *,
    tol: float | None = None,
    time_budget: float = 10.0,
    max_size: int = 50_000_000,
) -> IdentifiabilityReport:
    """Find out whether a network is determined by its function, up to permutation and rescaling.

    Weights alone tell about twins (neurons of a layer whose incoming weights and biases are
    multiples of each other), about irreducibility (whether the signs of some neurons can be
    flipped) and about neurons that nothing arrives at or leaves. Samples add which neurons are
    dead or always active on them, and whether the network is locally identifiable from its
    outputs on them: the rank test. Each line of the report says of which inputs it speaks.

    Parameters
    ----------
    network : network-like of layers
        The ReLU network.
    X : array-like of shape (n_samples, n_features), default=None
        Samples for the rank test; of a pipeline, as its `predict` takes them. Those on a kink are
        left out, and counted.
    tol : float, default=None
        Relative tolerance: for the distance of twins once their incoming weights and biases have
        unit norm, for sums that vanish and for singular values. None is 1e-10, for a network in
        float32 1e-5.
    time_budget : float, default=10.0
        Seconds for the solvers that decide irreducibility, over all layers. The problem is NP-hard:
        when time runs out, the answer is "undetermined".
    max_size : int, default=50_000_000
        Largest number of entries of a dense matrix that may be held (8 bytes each; two or three at
        a time). The rank test holds a square matrix of the size of the parameters at most, for any
        number of samples.

    Returns
    -------
    report : IdentifiabilityReport
        To be printed, or asked for its attributes.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or a parameter is no number.
    ValueError
        If the network is not usable or has the identity as activation, X does not fit it, or the
        compressed derivative on X has more than `max_size` entries: the message has the exact
        count.

    See Also
    --------
    skfact.relu.simplify : Merges positive twins and removes unused neurons.
    skfact.relu.activation_space : What samples tell about path weights.
    skfact.relu.is_rescaling_equivalent : Whether two networks are copies.
    skfact.inspection.IdentifiabilityDisplay : A picture of the report.

    Notes
    -----
    **Flips.** relu(z) - relu(-z) = z. Flipping the signs of the incoming weights w and biases b of
    neurons T changes the input of the next layer by the sum over T of v (w . x + b), with v the
    outgoing weights. If the sum of v w^T vanishes, this is a constant, which the next bias absorbs.
    A layer is irreducible if there is no such T. The ladder: the matrices v w^T are linearly
    independent; or one matrix has a positive inner product with all of them (a linear program whose
    answer is checked); or all assignments of the free columns are tried, up to nullity 18; or a
    mixed-integer program, to its own precision, in what remains of the time. (Its solver, HiGHS,
    prints a line of its own now and then in the version 1.12 that SciPy 1.17 contains.)

    **Rank.** The derivative J of all outputs on X by the parameters has rank at most the number p
    of parameters less that of hidden neurons, H, since each rescaling is a direction that changes
    nothing. If it is attained, networks near this one with the same outputs on X are rescalings of
    it [1]_. This needs a derivative: samples on a kink, where the input of a hidden neuron is zero
    up to rounding, are left out. Neurons that are active on no sample have no kinks, even where
    their inputs are zero: they count as dead, and with them the rank is never full. (On
    x >= 0 the network relu(x) is equal to relu(x + d) - d for every d > 0, which is no rescaling
    of it: the sample x = 0 must not count.)
    What is computed is J diag(theta) with unit columns, which rescaling does not change.
    What is missing is attributed to neurons in the order always active, negative twin, positive
    twin, not admissible, dead; of several causes of a neuron the last one counts. The first of a
    group of twins often costs nothing. Of the others, neurons come next whose inputs span too
    little on the samples where they are active: these are few, or a feature is constant on them.
    Loss without such a cause is called unexplained.

    **Near it, on X** (`local_identifiability`). Full rank suffices; it is not necessary, so that
    missing rank proves nothing by itself. "No" is said where another network near it is known:

    - the bias of a neuron at which nothing arrives, or that is dead on X, can be lowered; the
      incoming weights of one that nothing leaves can be turned;
    - outgoing weights can be moved between positive twins;
    - the bias of a neuron that is always active on X can be changed: the next biases absorb it;
    - incoming weights and bias of a neuron can be changed in a direction that is orthogonal to all
      of its inputs on the samples where it is active;
    - negative twins have parallel outgoing weights v and u: changes of their biases with
      v db = u dc add the same on both sides of the kink, which the next bias absorbs;

    and where the rank r is the same for all networks near it: by the theorem of constant rank,
    those with equal outputs then form a manifold of dimension p - r > H. It is, where r is as large
    as anywhere: equal to n_outputs * dim V (:func:`activation_space`), or to the rank at random
    parameters with the same gates, which is the largest one with probability one [2]_ [3]_.

    **Non-degenerate** is a network with full rank on some finite set of samples on no kink. On X
    the outputs near theta are A Phi(theta), with the path activations A and the path weights Phi,
    whose derivative has rank p - H if the network is admissible. So this says that no direction in
    which Phi changes is orthogonal to V(theta), the span of the activations of all inputs [1]_.
    By weights alone: a network with one hidden layer is non-degenerate if its neurons have kinks
    apart; no network is with neurons at which nothing arrives or which nothing leaves, with
    positive twins, or with negative twins whose outgoing weights are parallel. Else X decides.

    **From finitely many samples**, among all networks of these sizes, only "no" is proved
    (`identifiability_on_samples`): what bounded sets do not determine they do not, nor what they do
    not determine nearby.

    **Deep networks.** "No" is proved by networks that are written down. Conditions that suffice are
    known [4]_, between two networks that both satisfy them, on what each layer makes of all
    inputs; they are not tested here. With at least two inputs and two neurons in each hidden layer
    some open set of networks is identifiable [5]_, so that p - H is the largest rank that networks
    of these sizes have; which networks it does not say.

    **One hidden layer** is identifiable from some bounded set if and only if it has no twins and is
    irreducible [1]_. Why negative twins prevent it, in any layer: let their inputs be z and -z,
    scaled alike, and v and u what leaves them. Then v relu(z) + u relu(-z) = (v + u) relu(z) - u z.
    For B so large that z + B > 0 on the set, the second neuron can become relu(z + B) with outgoing
    weights -u; the next bias absorbs B u. On all inputs the two networks differ.

    Weights are copied to the host; the derivative is formed where X lives, in blocks of samples,
    and compressed on the host.

    References
    ----------
    .. [1] P. Stock, R. Gribonval, "An embedding of ReLU networks and an analysis of their
       identifiability", arXiv:2107.09370.
    .. [2] J. Bona-Pellissier, F. Malgouyres, F. Bachoc, "Local identifiability of deep ReLU neural
       networks: the theory", NeurIPS 2022, arXiv:2206.07424.
    .. [3] J. Bona-Pellissier, F. Malgouyres, F. Bachoc, "Geometry-induced implicit regularization
       in deep ReLU neural networks", arXiv:2402.08269.
    .. [4] J. Bona-Pellissier, F. Bachoc, F. Malgouyres, "Parameter identifiability of a deep
       feedforward ReLU neural network", Machine Learning 2023, arXiv:2112.12982.
    .. [5] M. Grillo, G. Montúfar, "Most ReLU networks admit identifiable parameters",
       arXiv:2605.03601.

    Examples
    --------
    Three neurons whose signs can be flipped together:

    >>> import numpy as np
    >>> from skfact.relu import identifiability_report
    >>> coefs = [np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([[1.0], [1.0], [-1.0]])]
    >>> intercepts = [np.array([0.5, -0.2, 0.3]), np.zeros(1)]
    >>> X = np.random.default_rng(0).uniform(-3, 3, size=(1000, 2))
    >>> report = identifiability_report((coefs, intercepts), X)
    >>> report.is_identifiable, report.is_locally_identifiable, report.layers[0].dead
    (False, True, ())
    >>> identifiability_report((coefs, intercepts))
    IdentifiabilityReport: ReLU network 2-3-1
      identifiable       no: other networks compute the same function on all inputs
      layer 1            reducible          flip the signs of 0, 1, 2
    """
    network = read_layers(network, "the theorems on identifiability are about layers")
    if network.activation == "identity" and network.hidden_sizes:
        raise ValueError(
            "network has activation='identity': any invertible matrix between two layers keeps its "
            "function. Identifiability up to rescaling is a question on activation='relu'."
        )
    tol = twin_tolerance(network, tol)
    check_number(time_budget, "time_budget", float, 0)
    check_number(max_size, "max_size", int, 1)
    if X is not None:
        X = inputs_of(network, X)
        _require_room(network.sizes, X.shape[0], max_size)
    deadline = time.monotonic() + float(time_budget)
    layers = host_layers(network)
    used = None if X is None else off_kinks(network, layers, X)[1:]
    idle = [(None, None)] * len(layers) if used is None else _idle(used[1])
    found = []
    for (incoming, outgoing), (dead, always) in zip(pairwise(layers), idle):
        twins = tuple(find_twins(incoming, tol))
        found.append(
            LayerIdentifiability(
                n_neurons=incoming.shape[1],
                twins=twins,
                parallel_twins=parallel_twins(twins, outgoing[:-1], tol),
                constant=_indices(~incoming[:-1].any(axis=0)),
                zero_incoming=_indices(~incoming.any(axis=0)),
                zero_outgoing=_indices(~outgoing[:-1].any(axis=1)),
                irreducibility=decide_irreducibility(
                    incoming[:-1], outgoing[:-1], tol, max_size, deadline
                ),
                dead=dead,
                always_active=always,
            )
        )
    report = IdentifiabilityReport(network.sizes, tuple(found), None, tol, network.left_out)
    if used is None:
        return report
    local = _local(layers, *used, found, tol)
    local = replace(local, n_on_kinks=X.shape[0] - local.n_samples)
    report = replace(report, local=local)
    if local.n_samples and report.local_identifiability.answer is None:
        local = replace(local, generic_rank=generic_rank(layers, *used, tol))
    return replace(report, local=local)


def _require_room(sizes: tuple[int, ...], n_samples: int, max_size: int) -> None:
    """The derivative is compressed while it is formed, to no more rows than columns."""
    columns = parameter_count(sizes)
    rows = min(n_samples * sizes[-1], columns)
    if rows * columns > max_size:
        raise ValueError(
            f"The derivative of {n_samples:,} x {sizes[-1]:,} outputs by {columns:,} parameters, "
            f"compressed, has {rows * columns:,} entries ({8 * rows * columns:,} bytes, and "
            f"{2 * n_samples * sizes[-1] * rows * columns:.1e} operations), more than "
            f"max_size={max_size:,}. At least {samples_needed(sizes):,} samples are needed for all "
            "parameters: raise max_size, or leave X out."
        )


def _indices(mask: Any) -> tuple[int, ...]:
    return tuple(int(v) for v in np.flatnonzero(mask))


def _idle(active: list[Any]) -> list[tuple[Any, Any]]:
    """For each layer the neurons that are dead and always active: none if there is no sample."""
    found = []
    for gate in active:
        counts = to_numpy(array_namespace(gate).sum(gate, axis=0))
        some = gate.shape[0] > 0
        found.append((_indices(some & (counts == 0)), _indices(some & (counts == gate.shape[0]))))
    return found


def _local(
    layers: list[np.ndarray],
    X: Any,
    active: list[Any],
    found: list[LayerIdentifiability],
    tol: float,
) -> LocalRank:
    suspects = [s for number, layer in enumerate(found, start=1) for s in _suspects(number, layer)]
    suspects.sort(key=lambda suspect: ORDER.index(suspect.cause))
    with np.errstate(all="ignore"):
        return local_rank(layers, X, active, suspects, tol)


def _suspects(number: int, layer: LayerIdentifiability) -> list[Suspect]:
    """Neurons of a layer with something that may cost rank, each with its gravest cause."""
    causes: dict[int, str] = dict.fromkeys(layer.always_active or (), ALWAYS_ACTIVE)
    grave = dict.fromkeys((*layer.zero_incoming, *layer.zero_outgoing), NOT_ADMISSIBLE)
    grave.update(dict.fromkeys(layer.dead or (), DEAD))
    for group in layer.twins:
        usual = [[v for v in side if v not in grave] for side in group]
        for side in usual:
            if all(usual):
                causes.update(dict.fromkeys(side, NEGATIVE_TWIN))
            if len(side) > 1:
                causes.update(dict.fromkeys(side, POSITIVE_TWIN))
    causes.update(grave)
    return [Suspect(number, v, cause) for v, cause in sorted(causes.items())]
