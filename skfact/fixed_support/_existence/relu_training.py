"""Whether training a sparse network with one hidden ReLU layer always has an optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse

from skfact._checks import check_number
from skfact.fixed_support._existence.closedness import Closedness, closedness_of
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import classes_of


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

    def __bool__(self) -> bool:
        raise TypeError(
            "The answer has three values; compare `.answer` with 'always', 'not always' or "
            "'undecided'."
        )

    def __repr__(self) -> str:
        return f"TrainingOptimum({self.answer}: {self.reason})"


def relu_training_has_optimum(
    left_support: Any, right_support: Any, *, budget: int = 10_000
) -> TrainingOptimum:
    """Whether training a network with one sparse hidden layer always has an optimum.

    The network is x -> left @ relu(right @ x + bias) + bias, with weights that are zero outside the
    supports, and training minimizes its mean squared error over a finite set of pairs. What is
    known ([1]_ but for the second):

    - with **one output** every training set has optimal weights, whatever the supports;
    - where **two hidden neurons share two outputs and two features**, some training set has no
      optimum: the weights diverge while the error falls to 0, which no weights reach (proved in the
      theory pages). So it is for all dense networks with two or more outputs, hidden neurons and
      features; that a best approximation by two dense layers may not exist is known [2]_;
    - optimal weights for every training set imply that the set of products ``left @ right`` is
      closed. So supports that :func:`closedness` finds **not closed** have a training set without
      an optimum, too;
    - for all others the answer is "undecided": closed products are necessary and not sufficient.

    Parameters
    ----------
    left_support : mask of shape (n_outputs, n_hidden)
        Support of the weights of the output layer, of booleans or of 0 and 1.
    right_support : mask of shape (n_hidden, n_features)
        Support of the weights of the hidden layer.
    budget : int, default=10_000
        As in :func:`closedness`.

    Returns
    -------
    optimum : TrainingOptimum
        With the fields `answer`, `reason` and `closedness`.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers, or `budget` is no int.
    ValueError
        If a support is no non-empty mask, the two do not fit, or `budget` is negative.

    See Also
    --------
    closedness : The same question without the ReLU, and sequences that diverge.

    Notes
    -----
    The implications with [1]_ are theorems of it, not proved here. Biases, which nothing
    constrains, are used in the proof of the second statement.

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
    >>> lower = np.tri(2)
    >>> relu_training_has_optimum(lower, lower.T).answer
    'not always'
    >>> relu_training_has_optimum(np.ones((2, 3)), np.ones((3, 4))).answer
    'not always'
    >>> relu_training_has_optimum(np.ones((3, 3)), np.eye(3)).answer
    'undecided'
    """
    left, right = check_supports(left_support, right_support)
    check_number(budget, "budget", int, 0)
    if left.shape[0] == 1:
        return TrainingOptimum(
            "always", "a network with one output and one hidden layer always has an optimum", None
        )
    pair = neurons_in_common(left, right)
    if pair is not None:
        return TrainingOptimum(
            "not always",
            f"hidden neurons {pair[0]} and {pair[1]} share two outputs and two features: on some "
            "data the error falls to 0, which no weights reach",
            None,
        )
    found = closedness_of(left, right, budget)
    if found.answer == "not closed":
        return TrainingOptimum(
            "not always", f"the products of the weights are not closed: {found.reason}", found
        )
    known = (
        "the products of the weights are closed, which is necessary and not sufficient"
        if found.answer == "closed"
        else f"it is undecided whether the products of the weights are closed: {found.reason}"
    )
    return TrainingOptimum("undecided", known, found)


def neurons_in_common(left: Any, right: Any) -> tuple[int, int] | None:
    """Two hidden neurons that share two outputs and two features; None if there are none."""
    for support in classes_of(left, right):
        if support.multiplicity > 1 and min(support.shape) > 1:
            return int(support.components[0]), int(support.components[1])
    outputs, features = left.astype(np.int32), right.astype(np.int32)
    shared = (outputs.T @ outputs > 1).multiply(features @ features.T > 1)
    first, second = scipy.sparse.triu(shared, 1).nonzero()
    return (int(first[0]), int(second[0])) if len(first) else None
