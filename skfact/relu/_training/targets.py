"""What a network is trained for: its link, and labels or numbers as targets of its outputs."""

from __future__ import annotations

import reprlib
from typing import Any, NamedTuple

import numpy as np
from sklearn.neural_network import MLPClassifier

from skfact._backend import is_array_api_obj, to_numpy
from skfact._checks import check_choice, require_finite
from skfact._inputs import as_floating, rectangular
from skfact.relu._networks.layered import LayeredNetwork


class Targets(NamedTuple):
    """The link from outputs to predictions, as scikit-learn's `out_activation_`, and targets."""

    link: str  # "identity", "exp", "softmax", or "logistic" of each output
    values: np.ndarray  # (n_samples, n_outputs): numbers, or 1 at the class of each sample


def targets_of(
    mlp: Any, network: LayeredNetwork, y: Any, loss: str | None, n_samples: int
) -> Targets:
    """Targets for a network that was read, from an MLP or from something else (None).

    An MLP knows its link and classes. Outputs of others are numbers, or with ``loss="log_loss"``
    scores of classes 0, 1, ...

    A TypeError tells that y is not numeric where it must be, a ValueError that y or `loss` does not
    fit.
    """
    n_outputs = network.sizes[-1]
    if mlp is not None:
        if loss is not None:
            raise ValueError(
                f"loss must be None for a {type(mlp).__name__}, which has its own; got {loss!r}."
            )
        link = mlp.out_activation_
        classes = mlp.classes_ if isinstance(mlp, MLPClassifier) else None
    else:
        loss = "squared_error" if loss is None else loss
        check_choice(loss, "loss", ("squared_error", "log_loss"))
        if loss == "squared_error" and network.left_out:
            raise ValueError(
                f"network ends in {network.left_out}, which makes probabilities of classes: pass "
                "loss='log_loss' and the numbers of the classes as y."
            )
        link, classes = "identity", None
        if loss == "log_loss":
            link = "logistic" if n_outputs == 1 else "softmax"
            classes = np.arange(max(2, n_outputs))
    is_multilabel = link == "logistic" and n_outputs > 1
    if classes is None or is_multilabel:
        values = _numbers(y, n_samples, n_outputs)
        if link == "exp" and (values < 0).any():
            raise ValueError(f"y must not be negative (Poisson loss); got {values.min():.3g}.")
        if is_multilabel and not ((values == 0) | (values == 1)).all():
            raise ValueError("y must be 0 or 1 for each label of a multilabel classifier.")
    else:
        values = _indicators(y, np.asarray(classes), n_samples)[:, -n_outputs:]
    return Targets(link, values.astype(to_numpy(network.weights[0]).dtype))


def _on_host(y: Any) -> np.ndarray:
    is_foreign = is_array_api_obj(y) and not isinstance(y, np.ndarray)
    return to_numpy(y) if is_foreign else rectangular(y, "y")


def _numbers(y: Any, n_samples: int, n_outputs: int) -> np.ndarray:
    values = to_numpy(as_floating(y, "y", real=True))
    if values.ndim == 1 and n_outputs == 1:
        values = values[:, None]
    if values.shape != (n_samples, n_outputs):
        raise ValueError(
            f"y has shape {values.shape}; one row for each of the {n_samples} samples and one "
            f"column for each of the {n_outputs} outputs are needed."
        )
    require_finite(float(np.abs(values).max()), "y")
    return values


def _indicators(y: Any, classes: np.ndarray, n_samples: int) -> np.ndarray:
    """(n_samples, n_classes), 1 at the class of each sample."""
    labels = _on_host(y)
    if labels.shape != (n_samples,):
        raise ValueError(
            f"y has shape {labels.shape}; one label for each of the {n_samples} samples is needed."
        )
    kinds = {"number" if x.dtype.kind in "biuf" else x.dtype.kind for x in (labels, classes)}
    if len(kinds) == 1:
        found = labels[:, None] == classes
    else:  # objects, or no labels at all
        found = np.array([[label == c for c in classes] for label in labels.tolist()], dtype=bool)
    (unknown,) = np.nonzero(~found.any(axis=1))
    if len(unknown):
        raise ValueError(
            f"y has the label {labels.tolist()[unknown[0]]!r}, which is none of the classes "
            f"{reprlib.repr(classes.tolist())} of the network: leave such samples out."
        )
    return found
