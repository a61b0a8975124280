"""Whether training a sparse ReLU network always has an optimum."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from skfact.fixed_support import closedness, relu_training_has_optimum
from tests.fixed_support.masks import support_pairs


@given(support_pairs())
def test_relu_training_follows_from_closedness(supports):
    optimum, found = relu_training_has_optimum(*supports), closedness(*supports)
    if len(supports[0]) == 1:
        assert optimum.answer == "always"
    else:
        left, right = (support.astype(int) for support in supports)
        in_common = np.triu((left.T @ left > 1) & (right @ right.T > 1), 1).any()
        if in_common or found.answer == "not closed":
            assert optimum.answer == "not always"
        else:
            assert optimum.answer == "undecided"
        if not in_common:
            assert optimum.closedness.answer == found.answer
            assert found.reason in optimum.reason or found.answer == "closed"


def relu_limit(x, t, left, right, hidden, outputs, features, epsilon):
    """Samples of the proof that training may have no optimum, targets, and a network near them."""
    (p, q), (u, v), (f, g) = hidden, outputs, features
    points = np.stack(np.meshgrid(x, t), axis=-1).reshape(-1, 2)
    samples = np.zeros((len(points), right.shape[1]))
    samples[:, [f, g]] = points
    W, b = np.zeros(right.shape), np.zeros(len(right))
    V = np.zeros(left.shape)
    W[[p, q], f], W[[p, q], g], b[q] = 1, epsilon, epsilon
    V[u, p], V[u, q], V[v, p] = 1 / epsilon, -1 / epsilon, 1
    x, t = points.T
    targets = np.zeros((len(points), len(left)))
    targets[:, u] = np.where(x == 0, np.where(t > 0, -1, 0), np.where(x > 0, -1, 0))
    targets[:, v] = np.maximum(x, 0)
    others = [k for k in range(len(right)) if k not in hidden and right[k, f]]
    others = [k for k in others if left[u, k] or left[v, k]]
    for j, k in enumerate(others, start=1):
        W[k, f], b[k] = 1, -j
        output = u if left[u, k] else v
        V[output, k] = 1
        targets[:, output] += np.maximum(x - j, 0)
    return samples, targets, (V, W, b)


def test_two_neurons_that_share_two_outputs_and_features_may_have_no_optimum():
    """The error falls to zero while the weights grow without end, all within the supports."""
    left, right = np.ones((3, 4), dtype=bool), np.ones((4, 3), dtype=bool)
    left[0, 3], right[2, 1], left[2, 0] = False, False, False
    optimum = relu_training_has_optimum(left, right)
    assert optimum.answer == "not always" and "share two outputs" in optimum.reason
    t = np.arange(-9.5, 10, 2)  # none from -1 to 0
    offsets = np.array([-3, -2, -1, 1, 2, 3]) / 8
    x = np.append(np.add.outer(np.arange(3), offsets), 0)
    losses = []
    for epsilon in (1e-2, 1e-3, 1e-4):
        samples, targets, (V, W, b) = relu_limit(x, t, left, right, (0, 1), (0, 1), (0, 1), epsilon)
        assert not V[~left].any() and not W[~right].any()
        found = np.maximum(samples @ W.T + b, 0) @ V.T
        losses.append(np.abs(found - targets).max())
        assert np.abs(V).max() == 1 / epsilon
    assert_allclose(losses, losses[0] * np.array([1, 0.1, 0.01]), rtol=1e-6)
    assert losses[0] <= 0.1


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        (np.ones((2, 3)), np.ones((3, 4)), "not always"),
        (np.ones((2, 2)), np.ones((2, 2)), "not always"),
        (np.ones((1, 3)), np.ones((3, 4)), "always"),
        (np.ones((2, 3)), np.ones((3, 1)), "undecided"),
        (np.ones((2, 1)), np.ones((1, 4)), "undecided"),
        (np.ones((3, 3)), np.eye(3), "undecided"),
        ([[1, 1, 0], [1, 1, 1], [0, 0, 1]], [[1, 1, 0], [1, 1, 1], [1, 1, 1]], "not always"),
    ],
)
def test_relu_training_of_small_networks(left, right, answer):
    assert relu_training_has_optimum(left, right).answer == answer


def test_three_values_are_no_condition():
    optimum = relu_training_has_optimum(np.ones((1, 2)), np.ones((2, 2)))
    assert "TrainingOptimum(always" in repr(optimum)
    with pytest.raises(TypeError, match="three values"):
        bool(optimum)
