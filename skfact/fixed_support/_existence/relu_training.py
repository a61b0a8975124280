"""Whether training a sparse network with one hidden ReLU layer always has an optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from skfact._checks import check_number
from skfact.fixed_support._existence.closedness import Closedness, closedness_of
from skfact.fixed_support._supports.masks import check_supports


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
    known [1]_:

    - with **one output** every training set has optimal weights, whatever the supports;
    - in general, optimal weights for every training set imply that the set of products
      ``left @ right`` is closed. So supports that :func:`closedness` finds **not closed** have a
      training set without an optimum: the weights diverge while the error falls;
    - the converse fails, so that **closed** supports are "undecided" here: for several outputs a
      pattern can be closed and training have no optimum.

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
    The two implications are theorems of [1]_, not proved here; what is computed is closedness.

    References
    ----------
    .. [1] Q.-T. Le, E. Riccietti, R. Gribonval, "Does a sparse ReLU network training problem always
       admit an optimum?", NeurIPS 2023, arXiv:2306.02666.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.fixed_support import relu_training_has_optimum
    >>> lower = np.tri(2)
    >>> relu_training_has_optimum(lower, lower.T).answer
    'not always'
    >>> relu_training_has_optimum(np.ones((2, 3)), np.ones((3, 4))).answer
    'undecided'
    """
    left, right = check_supports(left_support, right_support)
    check_number(budget, "budget", int, 0)
    if left.shape[0] == 1:
        return TrainingOptimum(
            "always", "a network with one output and one hidden layer always has an optimum", None
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
