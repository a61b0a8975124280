"""Whether training a sparse ReLU network always has an optimum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse import csc_array

from skfact._checks import check_number
from skfact.fixed_support._existence.closedness import Closedness, closedness_of
from skfact.fixed_support._existence.everything import reach_everything
from skfact.fixed_support._existence.layer_choices import Layers, networks_of, widest
from skfact.fixed_support._existence.training_sequence import TrainingSequence, training_sequence
from skfact.fixed_support._supports.rank_one import classes_of
from skfact.fixed_support._tractable.closure import complete_closure
from skfact.supports import KSparse

ONE_OUTPUT = (
    "a network of one hidden layer always has an optimum if each hidden neuron reaches one output"
)
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
    right_support: Any = None,
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
      supports [1]_, and so for several outputs if **no hidden neuron reaches two of them**: these
      are networks of one output beside each other;
    - where **two hidden neurons share two outputs and two features**, some training set has no
      optimum: the weights diverge while the error falls to 0, which no weights reach (proved in the
      theory pages; the `witness` has the set and the weights). So it is for all dense networks with
      two or more outputs, hidden neurons and features; that a best approximation by two dense
      layers may not exist is known [2]_;
    - optimal weights for every training set imply that the set of products of all weights is
      closed, for any number of layers ([1]_; proved in the theory pages). So supports that
      :func:`closedness` finds **not closed** have a training set without an optimum, too;
    - where a budget or a family **allows finitely many supports**, one of the best weights of each
      is best: "always" follows from that of all of them. Some may have no optimum where others
      have it: "not always" is said if one support contains all others, or if the proof for the
      `witness` of one is a proof for all;
    - for all others the answer is "undecided": closed products are necessary and not sufficient.

    Parameters
    ----------
    left_support : mask of shape (n_outputs, n_hidden), KSparse or SupportFamily
        Support of the weights of the output layer, of booleans or of 0 and 1; a budget, which is a
        mask where it binds nothing; a family of these, or of pairs for both layers.
    right_support : mask of shape (n_hidden, n_inputs), KSparse or SupportFamily, default=None
        Support of the weights of the layer before; None for a family of pairs.
    *more_supports : masks, KSparse or SupportFamily
        Those of further layers, from the outputs to the features. Neighbours whose products are all
        matrices on a support count as one; if more than two are left, the answer is "undecided".
    n_outputs : int, default=None
        Number of outputs, where the output layer has a budget, which has no shape, or a pair of a
        family has no mask for it.
    budget : int, default=10_000
        As in :func:`closedness`.

    Returns
    -------
    optimum : TrainingOptimum
        With the fields `answer`, `reason`, `closedness`, `losses` and `witness`.

    Raises
    ------
    TypeError
        If a support holds no truth values or numbers, a family of pairs is given for one layer, or
        `budget` or `n_outputs` is no int.
    ValueError
        If a support is no non-empty mask, two neighbours do not fit, pairs of a family have other
        sizes, `budget` is negative, or `n_outputs` is missing for a budget or is not that of the
        mask.

    See Also
    --------
    closedness : The same question without the ReLU, and sequences that diverge.

    Notes
    -----
    That of one output is a theorem of [1]_, not proved here. Biases, which nothing constrains,
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
    >>> from skfact.supports import KSparse, SupportFamily
    >>> lower = np.tri(2)
    >>> relu_training_has_optimum(lower, lower.T).answer
    'not always'
    >>> relu_training_has_optimum(np.ones((2, 3)), np.ones((3, 4))).witness
    TrainingSequence(hidden neurons [0, 1], outputs [0, 1], features [0, 1])
    >>> relu_training_has_optimum(np.ones((3, 3)), np.eye(3)).answer
    'undecided'
    >>> relu_training_has_optimum(KSparse(5), KSparse(2, axis=1), n_outputs=1).answer
    'always'
    >>> relu_training_has_optimum(np.eye(2), np.ones((2, 3))).answer
    'always'
    >>> relu_training_has_optimum(np.eye(2), lower, lower.T).answer  # two hidden layers
    'not always'
    >>> family = SupportFamily([np.eye(2), np.eye(2)[::-1]])
    >>> relu_training_has_optimum(family, np.ones((2, 3))).answer
    'always'
    """
    check_number(budget, "budget", int, 0)
    networks = widest(networks_of([left_support, right_support, *more_supports], n_outputs))
    if len(networks) > 1:
        return _of_all(networks, n_outputs)
    found = _at_once(networks[0], n_outputs)
    return _by_products(merged_layers(networks[0]), budget) if found is None else found


def _at_once(layers: Layers, n_outputs: int | None) -> TrainingOptimum | None:
    """The answer for one network, unless products of weights have to be looked at."""
    by_budget = any(isinstance(layer, KSparse) for layer in layers)
    finitely_many = "a budget allows finitely many supports, and " if by_budget else ""
    if _is_one_output_each(layers, n_outputs):
        return TrainingOptimum("always", finitely_many + ONE_OUTPUT, None, COERCIVE)
    if by_budget:
        what = "more than one hidden layer" if len(layers) > 2 else "neurons that reach two outputs"
        return TrainingOptimum(
            "undecided",
            f"{finitely_many}with {what} what they reach together may be closed though some of "
            "them do not reach a closed set",
            None,
            "",
        )
    if len(layers) > 2:
        return None
    left, right = layers
    pair = neurons_in_common(left, right)
    if pair is None:
        return None
    return TrainingOptimum(
        "not always",
        f"hidden neurons {pair[0]} and {pair[1]} share two outputs and two features: on some data "
        "the error falls to 0, which no weights reach",
        None,
        SMALLEST_AT_TARGETS,
        training_sequence(left, right, pair),
    )


def _is_one_output_each(layers: Layers, n_outputs: int | None) -> bool:
    """Whether in one hidden layer no neuron, but constant ones, reaches two outputs.

    With a budget: in none of the supports that it allows.
    """
    if len(layers) > 2:
        return False
    left, right = layers
    if isinstance(left, KSparse):
        return n_outputs == 1 or (left.k == 1 and left.axis in (None, 0))
    reached = left.sum(axis=0)
    if not isinstance(right, KSparse):
        reached = reached[right.sum(axis=1) > 0]
    return bool((reached < 2).all())


def _of_all(networks: Sequence[Layers], n_outputs: int | None) -> TrainingOptimum:
    """The answer for networks of which any may be taken."""
    n = len(networks)
    n_always = sum(_is_one_output_each(layers, n_outputs) for layers in networks)
    if n_always == n:
        reason = f"one of the best weights of each of {n:,} supports is best, and {ONE_OUTPUT}"
        return TrainingOptimum("always", reason, None, COERCIVE)
    for i, layers in enumerate(networks):
        found = _at_once(layers, n_outputs)
        if found is None or (witness := found.witness) is None:
            continue
        if all(_misses(other, witness) for other in networks):
            reason = f"with number {i} of {n:,} supports {found.reason}, whatever the support"
            return replace(found, reason=reason)
    return TrainingOptimum(
        "undecided",
        f"{n_always:,} of {n:,} supports always have an optimum; what all of them reach together "
        "may be closed though some of them do not reach a closed set",
        None,
        "",
    )


def _misses(layers: Layers, witness: TrainingSequence) -> bool:
    """Whether the proof that no weights fit the data of a witness is one for these layers, too.

    It asks for no more hidden neurons than those of the witness that see its first feature and
    reach one of its outputs.
    """
    if any(isinstance(layer, KSparse) for layer in layers):
        return False
    left, right = (layer.toarray() for layer in layers)
    reach = left[list(witness.outputs)].any(axis=0) & right[:, witness.features[0]]
    return int(reach.sum()) <= 2 + len(witness.others)


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
