"""Training of a network within the zero pattern of its weights."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skfact._adam import BATCH
from skfact._backend import to_numpy
from skfact._checks import (
    check_choice,
    check_finite,
    check_number,
    check_positive,
    check_random_state,
)
from skfact._stopping import Stopping
from skfact._warn import warn
from skfact.relu._networks.layered import LayeredNetwork
from skfact.relu._networks.readers import mlp_in, read_layers
from skfact.relu._networks.samples import inputs_of
from skfact.relu._training.descent import Batches, Descent, adam, lbfgs
from skfact.relu._training.objective import Objective
from skfact.relu._training.targets import targets_of


def retrain(
    network: Any,
    X: Any,
    y: Any,
    *,
    start: Any = None,
    loss: str | None = None,
    alpha: float | None = None,
    solver: str = "lbfgs",
    max_iter: int = 200,
    tol: float = 1e-4,
    batch_size: int | str = "auto",
    learning_rate_init: float = 1e-3,
    random_state: Any = None,
) -> Any:
    """Train a network further while weights that are zero stay zero.

    What a pruned network has lost comes back, mostly, when the weights that are left are trained
    again. Zeros are held exactly; the other weights and all biases are trained. The objective is

        ``mean of the losses + alpha / (2 n_samples) * sum of the squared weights``.

    With `start` training begins from other weights, of which the zeros of `network` are a mask:
    from those of an earlier time (*rewinding*), or of the time before any training (the *lottery
    ticket*).

    Parameters
    ----------
    network : network-like of layers
        The network, which is not modified; its weights of zero are the pattern.
    X : array-like of shape (n_samples, n_features)
        Samples; of a pipeline, as its `predict` takes them. Its earlier steps stay as they are.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Labels of a classifier, otherwise the values of the outputs.
    start : network-like of layers, default=None
        A network with layers of the same sizes to begin from; None is `network` itself.
    loss : {"squared_error", "log_loss"}, default=None
        None is the loss of an MLP, also in a pipeline, and of other networks half the squared
        error, summed over the outputs. With "log_loss" their outputs are scores of classes: y is 0,
        1, ...
    alpha : float, default=None
        Penalty; None is the one of an MLP, and of other networks 0.
    solver : {"lbfgs", "adam"}, default="lbfgs"
        Quasi-Newton steps on all samples, or steps on mini-batches.
    max_iter : int, default=200
        Largest number of iterations ("lbfgs") or epochs ("adam").
    tol : float, default=1e-4
        Stop where no slope is larger, or an iteration lowers the loss by less than 1e-5 tol,
        relatively ("lbfgs"); or after ten epochs that lower it by less ("adam").
    batch_size : int, default="auto"
        Samples of a mini-batch; "auto" is 200.
    learning_rate_init : float, default=1e-3
        Size of the steps of "adam".
    random_state : int, RandomState instance or None, default=None
        Orders the samples of "adam".

    Returns
    -------
    network : same type as `network`
        With trained weights. Of an MLP also ``loss_``, the objective there, ``n_iter_`` and
        ``loss_curve_`` are those of this training.

    Raises
    ------
    TypeError
        If the network is of an unsupported kind, or a parameter has a wrong type.
    ValueError
        If the network is not usable, X or y does not fit it, a parameter has a wrong value, or the
        loss is no number at the start.

    Warns
    -----
    sklearn.exceptions.ConvergenceWarning
        If `max_iter` is reached; or if no step lowers the loss, or "adam" leaves the range of
        floating point: then the network comes back as it was at the start.

    See Also
    --------
    skfact.relu.prune : Makes the zeros.

    Notes
    -----
    "lbfgs" returns a network whose objective is at most that of the start. The objective is the
    one whose gradient scikit-learn's MLPs follow; for several outputs their `loss_` has the mean of
    the squared errors in place of the sum, which is not what they minimize. What an MLP stores
    about validation and earlier optimizers is dropped. Computed on the host.

    References
    ----------
    .. [1] J. Frankle, M. Carbin, "The lottery ticket hypothesis: finding sparse, trainable neural
       networks", ICLR 2019.
    .. [2] A. Renda, J. Frankle, M. Carbin, "Comparing rewinding and fine-tuning in neural network
       pruning", ICLR 2020.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from skfact.relu import prune, retrain
    >>> X, y = load_digits(return_X_y=True)
    >>> X = X / 16
    >>> mlp = MLPClassifier((32,), solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    >>> pruned = prune(mlp, 0.9)
    >>> trained = retrain(pruned, X, y)
    >>> bool(pruned.score(X, y) < 0.9), bool(trained.score(X, y) > 0.99)
    (True, True)
    >>> bool((trained.coefs_[0][pruned.coefs_[0] == 0] == 0).all())
    True
    """
    read = read_layers(network, "gradients go back layer by layer")
    X = to_numpy(inputs_of(read, X))
    mlp = mlp_in(network)
    targets = targets_of(mlp, read, y, loss, len(X))
    if alpha is None:
        alpha = 0.0 if mlp is None else mlp.alpha
    check_finite(alpha, "alpha")
    check_choice(solver, "solver", ("lbfgs", "adam"))
    check_number(max_iter, "max_iter", int, 1)
    check_finite(tol, "tol")
    check_positive(learning_rate_init, "learning_rate_init")
    if batch_size != "auto":
        check_number(batch_size, "batch_size", int, 1, "auto")
    size = BATCH if batch_size == "auto" else int(batch_size)
    random = check_random_state(random_state)
    begin = _begin(read, start)
    X = X.astype(begin.weights[0].dtype, copy=False)
    objective = Objective(X, targets, float(alpha) / len(X), read.activation)
    with np.errstate(over="ignore", invalid="ignore"):  # reported below
        if not math.isfinite(objective(begin.weights, begin.biases)[0]):
            raise ValueError(
                "The loss is no finite number at the start: the outputs are beyond the largest "
                "number, or their squares are. Scale X (and y), or rescale the network."
            )
        stopping = Stopping(int(max_iter), float(tol))
        if solver == "lbfgs":
            found = lbfgs(objective, *begin, stopping)
        else:
            batches = Batches(size, float(learning_rate_init), random)
            found = adam(objective, *begin, stopping, batches)
    found = _told(found, begin, stopping)
    arrays = read.with_arrays(found.weights, found.biases).moved(read.xp, read.device, read.dtype)
    result = arrays.write()
    if mlp is not None:
        _record(mlp_in(result), found, objective)
    return result


class Begin(NamedTuple):
    """Where training begins, on the host, and which weights it may change."""

    weights: list[np.ndarray]
    biases: list[np.ndarray]
    masks: list[np.ndarray]


def _begin(network: LayeredNetwork, start: Any) -> Begin:
    host = [np.array(to_numpy(w)) for w in network.weights]
    masks = [w != 0 for w in host]
    first = network
    if start is not None:
        first = read_layers(start, "training starts from layers", "start")
        network.require_same_nodes(first)
    weights, biases = (
        [np.array(to_numpy(a), dtype=host[0].dtype) for a in arrays]
        for arrays in (first.weights, first.biases)
    )
    return Begin([w * mask for w, mask in zip(weights, masks)], biases, masks)


def _told(found: Descent, begin: Begin, stopping: Stopping) -> Descent:
    """What was found, with a warning where it is not the end of a descent."""
    if not all(np.isfinite(a).all() for a in (*found.weights, *found.biases)):
        warn(
            "Training left the range of floating point, and the network comes back as it was at "
            "the start. Lower learning_rate_init, or scale X.",
            ConvergenceWarning,
        )
        return found._replace(weights=begin.weights, biases=begin.biases)
    if found.end == "stuck":
        warn(
            "No step along the slope lowers the loss, and the network comes back as it was at the "
            "start: it is at a kink, or numbers are too large. Scale X (and y), or take "
            "solver='adam'.",
            ConvergenceWarning,
        )
    elif found.end == "max_iter":
        warn(
            f"Training ended after max_iter={stopping.max_iter} iterations before it converged; "
            "increase max_iter, or tol.",
            ConvergenceWarning,
        )
    return found


def _record(mlp: Any, found: Descent, objective: Objective) -> None:
    """What scikit-learn says of a training, and nothing about earlier ones."""
    mlp.loss_ = objective(found.weights, found.biases)[0]
    mlp.n_iter_ = found.n_iter
    mlp.loss_curve_ = found.losses[1:]
    if getattr(mlp, "best_loss_", None) is not None:
        mlp.best_loss_ = mlp.loss_
    if getattr(mlp, "validation_scores_", None) is not None:
        mlp.validation_scores_, mlp.best_validation_score_ = [], -np.inf
