"""Whether training a sparse ReLU network always has an optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse import csc_array

from skfact._checks import check_number, positive_int
from skfact.fixed_support._existence.closedness import Closedness, closedness_of
from skfact.fixed_support._existence.everything import reach_everything
from skfact.fixed_support._existence.training_sequence import TrainingSequence, training_sequence
from skfact.fixed_support._supports.masks import as_mask, check_supports
from skfact.fixed_support._supports.rank_one import classes_of
from skfact.fixed_support._tractable.closure import complete_closure
from skfact.supports import KSparse

ONE_OUTPUT = "a network with one output and one hidden layer always has an optimum"
COERCIVE = (
    "every loss that is continuous in the outputs and grows without bound with them (squared, "
    "absolute, Huber; not cross-entropy)"
)
SMALLEST_AT_TARGETS = (
    "every continuous loss that is smallest where the outputs are the targets, and only there"
)


@dataclass(frozen=True, repr=False, eq=False)
class TrainingOptimum:
    """Answer of :func:`relu_training_has_optimum`.

    It has three values, so that it cannot be used as a condition: compare `answer`.

    Parameters
    ----------
    answer : {"always", "not always", "undecided"}
        Whether every training set has optimal weights, some have none, or it is not known.
    reason : str
        Why, in words.
    closedness : Closedness or None
        What was found out about the products of the weights; None where it was not needed.
    losses : str
        The loss functions that the answer holds for, in words.
    witness : TrainingSequence or None
        For "not always" by two hidden neurons: a training set, and weights that diverge on it. By
        products that are not closed, it is `closedness.witness` with biases so large that no ReLU
        cuts anything off.

    See Also
    --------
    relu_training_has_optimum : Gives this answer.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import relu_training_has_optimum
    >>> relu_training_has_optimum(np.ones((1, 3)), np.eye(3)).answer
    'always'
    """

    answer: str
    reason: str
    closedness: Closedness | None
    losses: str
    witness: TrainingSequence | None = None

    def __bool__(self) -> bool:
        raise TypeError(
            "The answer has three values; compare `.answer` with 'always', 'not always' or "
            "'undecided'."
        )

    def __repr__(self) -> str:
        return f"TrainingOptimum({self.answer}: {self.reason})"


def relu_training_has_optimum(
    left_support: Any,
    right_support: Any,
    *more_supports: Any,
    n_outputs: int | None = None,
    budget: int = 10_000,
) -> TrainingOptimum:
    """Whether training a sparse ReLU network always has an optimum.

    With one hidden layer the network is x -> left @ relu(right @ x + bias) + bias, with weights
    that are zero outside the supports; training minimizes a loss over a finite set of pairs. Every
    training set has an optimum if and only if, for every finite set of samples, the outputs that
    the weights reach on it are a closed set. What is known:

    - with **one output** and one hidden layer every training set has optimal weights, whatever the
      supports [1]_, and so for a budget of non-zeros, which allows finitely many supports;
    - where **two hidden neurons share two outputs and two features**, some training set has no
      optimum: the weights diverge while the error falls to 0, which no weights reach (proved in the
      theory pages; the `witness` has the set and the weights). So it is for all dense networks with
      two or more outputs, hidden neurons and features; that a best approximation by two dense
      layers may not exist is known [2]_;
    - optimal weights for every training set imply that the set of products of all weights is
      closed, for any number of layers ([1]_; proved in the theory pages). So supports that
      :func:`closedness` finds **not closed** have a training set without an optimum, too;
    - for all others the answer is "undecided": closed products are necessary and not sufficient.

    Parameters
    ----------
    left_support : mask of shape (n_outputs, n_hidden) or KSparse
        Support of the weights of the output layer, of booleans or of 0 and 1; or a budget.
    right_support : mask of shape (n_hidden, n_inputs) or KSparse
        Support of the weights of the layer before.
    *more_supports : masks or KSparse
        Those of further layers, from the outputs to the features. Neighbours whose products are all
        matrices on a support count as one; if more than two are left, the answer is "undecided".
    n_outputs : int, default=None
        Number of outputs, where the output layer has a budget, which has no shape.
    budget : int, default=10_000
        As in :func:`closedness`.

    Returns
    -------
    optimum : TrainingOptimum
        With the fields `answer`, `reason`, `closedness`, `losses` and `witness`.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers, or `budget` or `n_outputs` is no int.
    ValueError
        If a support is no non-empty mask, two neighbours do not fit, `budget` is negative, or
        `n_outputs` is missing for a budget or is not that of the mask.

    See Also
    --------
    closedness : The same question without the ReLU, and sequences that diverge.

    Notes
    -----
    The first implication is a theorem of [1]_, not proved here. Biases, which nothing constrains,
    are used in the proofs of the others. "always" holds for every loss that is continuous in the
    outputs and grows without bound with them (squared, absolute, Huber), since these outputs are a
    closed set; cross-entropy does not grow for separated classes, and has no optimum there. "not
    always" holds for every continuous loss that is smallest where the outputs are the targets, and
    nowhere else.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Does a sparse ReLU network training problem always
       admit an optimum?", NeurIPS 2023, arXiv:2306.02666.
    .. [2] L.-H. Lim, M. Michalek, Y. Qi, "Best k-layer neural network approximations",
       Constructive Approximation 55, 2022, arXiv:1907.01507.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import relu_training_has_optimum
    >>> from skfact.supports import KSparse
    >>> lower = np.tri(2)
    >>> relu_training_has_optimum(lower, lower.T).answer
    'not always'
    >>> relu_training_has_optimum(np.ones((2, 3)), np.ones((3, 4))).witness
    TrainingSequence(hidden neurons [0, 1], outputs [0, 1], features [0, 1])
    >>> relu_training_has_optimum(np.ones((3, 3)), np.eye(3)).answer
    'undecided'
    >>> relu_training_has_optimum(KSparse(5), KSparse(2, axis=1), n_outputs=1).answer
    'always'
    >>> relu_training_has_optimum(np.eye(2), lower, lower.T).answer  # two hidden layers
    'not always'
    """
    check_number(budget, "budget", int, 0)
    supports = [left_support, right_support, *more_supports]
    if any(isinstance(support, KSparse) for support in supports):
        return _of_budgets(supports, n_outputs)
    masks = _checked_masks(supports)
    if n_outputs is not None and positive_int(n_outputs, "n_outputs") != masks[0].shape[0]:
        raise ValueError(
            f"n_outputs is {n_outputs}, but left_support has {masks[0].shape[0]} rows, one for "
            "each output. Leave it out: it is for budgets, which have no shape."
        )
    if len(masks) == 2:
        if masks[0].shape[0] == 1:
            return TrainingOptimum("always", ONE_OUTPUT, None, COERCIVE)
        pair = neurons_in_common(masks[0], masks[1])
        if pair is not None:
            return TrainingOptimum(
                "not always",
                f"hidden neurons {pair[0]} and {pair[1]} share two outputs and two features: on "
                "some data the error falls to 0, which no weights reach",
                None,
                SMALLEST_AT_TARGETS,
                training_sequence(masks[0], masks[1], pair),
            )
    return _by_products(merged_layers(masks), budget)


def _of_budgets(supports: Sequence[Any], n_outputs: int | None) -> TrainingOptimum:
    """The answer for layers of which some have a budget of non-zeros."""
    for i, support in enumerate(supports):
        if not isinstance(support, KSparse):
            rows = as_mask(support, _name(i)).shape[0]
            n_outputs = rows if i == 0 else n_outputs
    if n_outputs is None:
        raise ValueError(
            "n_outputs must be given where left_support is a budget, which has no shape: 1 for a "
            "network with one output."
        )
    if positive_int(n_outputs, "n_outputs") == 1 and len(supports) == 2:
        return TrainingOptimum(
            "always", f"a budget allows finitely many supports, and {ONE_OUTPUT}", None, COERCIVE
        )
    what = "more than one hidden layer" if len(supports) > 2 else "more than one output"
    return TrainingOptimum(
        "undecided",
        f"a budget allows finitely many supports, and with {what} what they reach together may be "
        "closed though some of them do not reach a closed set",
        None,
        "",
    )


def _by_products(masks: Sequence[Any], budget: int) -> TrainingOptimum:
    """What follows from the products of the weights of layers."""
    if len(masks) > 2:
        return TrainingOptimum(
            "undecided",
            f"{len(masks)} layers are left whose products are no products of two, and whether "
            "these are closed is not known",
            None,
            "",
        )
    if len(masks) == 1:
        return TrainingOptimum(
            "undecided",
            "the products of the weights are all matrices on a support: they are closed, which is "
            "necessary and not sufficient",
            None,
            "",
        )
    found = closedness_of(masks[0].tocsc(), masks[1].tocsr(), budget)
    if found.answer == "not closed":
        reason = f"the products of the weights are not closed: {found.reason}"
        return TrainingOptimum("not always", reason, found, SMALLEST_AT_TARGETS)
    known = (
        "the products of the weights are closed, which is necessary and not sufficient"
        if found.answer == "closed"
        else f"it is undecided whether the products of the weights are closed: {found.reason}"
    )
    return TrainingOptimum("undecided", known, found, "")


def _checked_masks(supports: Sequence[Any]) -> list[Any]:
    """The masks of all layers, (m, r) and (r, n) for neighbours."""
    names = [_name(i) for i in range(len(supports))]
    pairs = [
        check_supports(*two, names=named) for two, named in zip(pairwise(supports), pairwise(names))
    ]
    return [pairs[0][0], *(right.tocsc() for _, right in pairs[:-1]), pairs[-1][1]]


def _name(i: int) -> str:
    return ("left_support", "right_support")[i] if i < 2 else f"more_supports[{i - 2}]"


def merged_layers(masks: Sequence[Any]) -> list[Any]:
    """Masks with the same products; neighbours that reach every matrix on a support are one."""
    found = list(masks)
    if len(found) < 3:
        return found
    for i, (left, right) in enumerate(pairwise(found)):
        left, right = left.tocsc(), right.tocsr()
        closure = complete_closure(classes_of(left, right), (left.shape[0], right.shape[1]))
        if reach_everything(left, right, closure.cover):
            product = csc_array((left.astype(np.int64) @ right.astype(np.int64)) > 0)
            product.sort_indices()
            return merged_layers([*found[:i], product, *found[i + 2 :]])
    return found


def neurons_in_common(left: Any, right: Any) -> tuple[int, int] | None:
    """Two hidden neurons that share two outputs and two features; None if there are none."""
    for support in classes_of(left, right):
        if support.multiplicity > 1 and min(support.shape) > 1:
            return int(support.components[0]), int(support.components[1])
    outputs, features = left.astype(np.int32), right.astype(np.int32)
    shared = (outputs.T @ outputs > 1).multiply(features @ features.T > 1)
    first, second = scipy.sparse.triu(shared, 1).nonzero()
    return (int(first[0]), int(second[0])) if len(first) else None
