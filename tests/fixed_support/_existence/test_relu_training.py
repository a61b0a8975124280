"""Whether training a sparse ReLU network always has an optimum."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from skfact.fixed_support import closedness, relu_training_has_optimum
from skfact.supports import KSparse, SupportFamily
from tests.asserts import at_most
from tests.fixed_support.masks import support_pairs


@given(support_pairs())
def test_relu_training_follows_from_closedness(supports):
    optimum, found = relu_training_has_optimum(*supports), closedness(*supports)
    left, right = (support.astype(int) for support in supports)
    if left[:, right.any(axis=1)].sum(axis=0).max(initial=0) < 2:
        assert optimum.answer == "always" and found.answer != "not closed"
    else:
        in_common = np.triu((left.T @ left > 1) & (right @ right.T > 1), 1).any()
        if in_common or found.answer == "not closed":
            assert optimum.answer == "not always"
        else:
            assert optimum.answer == "undecided"
        if not in_common:
            assert optimum.closedness.answer == found.answer
            assert found.reason in optimum.reason or found.answer == "closed"


def outputs_of(witness, epsilon):
    (hidden, last), (bias, shift) = witness.weights(epsilon)
    return np.maximum(witness.samples @ hidden + bias, 0) @ last + shift


@at_most(30)
@given(support_pairs(5))
def test_two_neurons_that_share_two_outputs_and_features_have_a_witness(supports):
    """The error falls to zero while the weights grow without end, all within the supports."""
    left, right = supports
    witness = relu_training_has_optimum(left, right).witness
    if witness is None:
        return
    losses = []
    for epsilon in (1e-3, 1e-4, 1e-5):
        (hidden, last), _ = witness.weights(epsilon)
        assert not last.T[~left].any() and not hidden.T[~right].any()
        assert witness.largest_weight(epsilon) == 1 / epsilon
        losses.append(witness.loss(epsilon))
        found = outputs_of(witness, epsilon)
        assert_allclose(losses[-1], np.mean((found - witness.targets) ** 2))
    assert_allclose(losses, losses[0] * 100.0 ** -np.arange(3), rtol=1e-4)
    with pytest.raises(ValueError, match="epsilon must be positive"):
        witness.weights(0)


def test_the_data_of_the_witness_are_those_of_the_proof():
    left, right = np.ones((3, 4), dtype=bool), np.ones((4, 3), dtype=bool)
    left[0, 3], right[2, 1], left[2, 0] = False, False, False
    optimum = relu_training_has_optimum(left, right)
    assert optimum.answer == "not always" and "share two outputs" in optimum.reason
    witness = optimum.witness
    r = 2 + len(witness.others)  # neurons that see the first feature and reach the two outputs
    assert r == 4 and witness.others == ((2, 0), (3, 1))
    x, t = witness.samples[:, witness.features].T
    times = np.unique(t)
    assert len(times) >= 2 * r + 1 and len(set(np.diff(times))) == 1
    assert times.min() < -1 and times.max() > 0 and not np.any((times >= -1) & (times <= 0))
    offsets = np.array([-3, -2, -1, 1, 2, 3]) / 8
    assert_array_equal(
        np.unique(x), np.unique([0, *(j + d for j in range(r - 1) for d in offsets)])
    )
    u, v = witness.targets[:, witness.outputs].T
    assert_array_equal(u[(x == 0) & (t > 0)], -1)
    assert_array_equal(u[(x == 0) & (t < -1)], 0)
    assert_array_equal(v[x < 0], 0)


def test_an_optimizer_needs_larger_weights_for_smaller_errors():
    """Independent of the sequence but for its start: all weights of a dense network are free."""
    witness = relu_training_has_optimum(np.ones((2, 2)), np.ones((2, 2))).witness
    X, Y = witness.samples, witness.targets

    def loss(theta):
        W, b, V, c = np.split(theta, [4, 6, 10])
        H = np.maximum(X @ W.reshape(2, 2) + b, 0)
        R = H @ V.reshape(2, 2) + c - Y
        G = (R @ V.reshape(2, 2).T) * (H > 0)
        gradient = [(X.T @ G).ravel(), G.sum(axis=0), (H.T @ R).ravel(), R.sum(axis=0)]
        return np.sum(R**2) / 2, np.concatenate(gradient)

    (hidden, last), (bias, shift) = witness.weights(0.05)
    start = np.concatenate([hidden.ravel(), bias, last.ravel(), shift])
    best = []
    for bound in (5.0, 20.0, 80.0):
        found = minimize(
            loss, np.clip(start, -bound, bound), jac=True, bounds=[(-bound, bound)] * len(start)
        )
        best.append(found.fun)
    assert best[0] > best[1] > best[2] > 0


@pytest.mark.parametrize(
    ("left", "right", "answer"),
    [
        (np.ones((2, 3)), np.ones((3, 4)), "not always"),
        (np.ones((2, 2)), np.ones((2, 2)), "not always"),
        (np.ones((1, 3)), np.ones((3, 4)), "always"),
        (np.ones((2, 3)), np.ones((3, 1)), "undecided"),
        (np.ones((2, 1)), np.ones((1, 4)), "undecided"),
        (np.ones((3, 3)), np.eye(3), "undecided"),
        (np.eye(2), np.ones((2, 3)), "always"),
        (np.kron(np.eye(2), np.ones((1, 2))), np.ones((4, 3)), "always"),
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


def test_budgets_with_one_output_always_have_an_optimum():
    hidden = np.ones((3, 4))
    for left in (np.ones((1, 3)), KSparse(2), KSparse(1, axis=1)):
        for right in (hidden, KSparse(5), KSparse(2, axis=(0, 1))):
            optimum = relu_training_has_optimum(left, right, n_outputs=1)
            assert optimum.answer == "always" and "cross-entropy" in optimum.losses
            more = relu_training_has_optimum(left, right, KSparse(9), n_outputs=1)
            assert more.answer == "undecided"
            several = relu_training_has_optimum(KSparse(1, axis=0), right, n_outputs=5)
            assert several.answer == "always"  # no hidden neuron reaches two outputs
    found = relu_training_has_optimum(KSparse(5), hidden, n_outputs=2)
    assert found.answer == "undecided" and "finitely many supports" in found.reason
    with pytest.raises(ValueError, match="n_outputs must be given"):
        relu_training_has_optimum(KSparse(5), hidden)
    with pytest.raises(ValueError, match="n_outputs is 2, but left_support has 3 rows"):
        relu_training_has_optimum(hidden, hidden.T, n_outputs=2)


@given(support_pairs(5))
def test_outputs_that_share_no_neuron_are_networks_beside_each_other(supports):
    """Each output with neurons of its own, which are as many as they were."""
    left, right = supports
    m, r = left.shape
    apart, copies = np.zeros((m, m * r), dtype=bool), np.tile(right, (m, 1))
    for i, row in enumerate(left):
        apart[i, i * r : (i + 1) * r] = row
    shuffle = np.random.default_rng(0).permutation(m * r)
    optimum = relu_training_has_optimum(apart[:, shuffle], copies[shuffle])
    assert optimum.answer == "always" and "cross-entropy" in optimum.losses
    assert relu_training_has_optimum(apart, KSparse(1)).answer == "always"
    # a neuron that sees no feature is constant, and reaches what it likes
    apart = np.hstack([apart, np.ones((m, 1))])
    copies = np.vstack([copies, np.zeros((1, right.shape[1]))])
    assert relu_training_has_optimum(apart, copies).answer == "always"


def is_no_constraint(budget, m, n):
    """Whether the matrix of ones is within it: each entry charged to a line, as a matching."""
    if budget.axis != (0, 1):
        return bool((budget.project(np.ones((m, n))) != 0).all())
    charges = np.zeros((m * n, m + n), dtype=bool)
    for entry, (i, j) in enumerate(np.ndindex(m, n)):
        charges[entry, [i, m + j]] = True
    graph = csr_array(np.repeat(charges, budget.k, axis=1))
    return bool((maximum_bipartite_matching(graph, perm_type="column") >= 0).all())


@given(st.integers(1, 12), st.sampled_from([None, 0, 1, (0, 1)]), st.integers(2, 5), st.data())
def test_a_budget_that_binds_nothing_is_a_mask(k, axis, m, data):
    r, n = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 5))
    budget = KSparse(k, axis)
    found = relu_training_has_optimum(budget, np.ones((r, n)), n_outputs=m)
    free = relu_training_has_optimum(np.ones((m, r)), np.ones((r, n)))
    if is_no_constraint(budget, m, r):
        assert repr(found) == repr(free)
    else:
        assert "finitely many supports" in found.reason
    # of the first layer, between layers whose sizes are known
    layers = np.ones((m, r)), budget, np.ones((n, 2))
    between = relu_training_has_optimum(*layers)
    assert ("finitely many" not in between.reason) == is_no_constraint(budget, r, n)


def test_families_with_an_answer_from_each_member():
    eye, dense = np.eye(2), np.ones((2, 2))
    hidden = np.ones((2, 3))
    for family, answer in (
        ([eye, eye[::-1]], "always"),
        ([eye, KSparse(1, axis=0)], "always"),
        ([eye, dense], "not always"),  # which contains all
        ([np.tri(2), np.tri(2).T], "undecided"),
        ([eye, np.tri(2)], "undecided"),
    ):
        optimum = relu_training_has_optimum(SupportFamily(family), hidden)
        assert optimum.answer == answer
        assert bool(optimum.losses) == (answer != "undecided")
    families = SupportFamily([eye, eye[::-1]]), SupportFamily([hidden, np.eye(2, 3)])
    assert relu_training_has_optimum(*families).answer == "always"
    pairs = SupportFamily([(eye, hidden), (eye[::-1], np.eye(2, 3))])
    assert relu_training_has_optimum(pairs).answer == "always"
    pairs = SupportFamily([(None, hidden), (None, np.eye(2, 3))])
    assert relu_training_has_optimum(pairs, n_outputs=1).answer == "always"
    assert relu_training_has_optimum(pairs, n_outputs=3).answer == "not always"
    with pytest.raises(ValueError, match="n_outputs must be given where a pair"):
        relu_training_has_optimum(pairs)
    deep = SupportFamily([eye, np.tri(2)]), np.tri(2).T, eye
    assert relu_training_has_optimum(*deep).answer == "not always"
    with pytest.raises(TypeError, match=r"more_supports\[0\] is a family of pairs"):
        relu_training_has_optimum(eye, eye, pairs)


def test_a_witness_of_one_member_is_one_of_all_if_none_has_more_neurons():
    """Those that see its first feature and reach one of its outputs."""
    hidden = np.ones((4, 2))
    one, other = np.zeros((2, 4)), np.zeros((2, 4))
    one[:, :2], other[:, 2:] = 1, 1
    optimum = relu_training_has_optimum(SupportFamily([one, other]), hidden)
    assert optimum.answer == "not always" and "whatever the support" in optimum.reason
    witness = optimum.witness
    assert witness.outputs == (0, 1) and witness.neurons == (0, 1) and witness.others == ()
    fewer = np.ones((3, 3)), np.ones((3, 2))  # in pairs they need not be as many
    pairs = SupportFamily([(one[:, :2], hidden[:2]), (np.eye(2, 3), fewer[1])])
    assert relu_training_has_optimum(pairs).answer == "not always"
    # three neurons may give the kinks of two: nothing is proved
    more = np.zeros((2, 4))
    more[0, 1:] = more[1, 2] = 1
    undecided = relu_training_has_optimum(SupportFamily([one, more]), hidden)
    assert undecided.answer == "undecided" and "0 of 2 supports" in undecided.reason


LOWER = np.tri(3, dtype=bool)


@pytest.mark.parametrize(
    ("layers", "answer"),
    [
        ([LOWER, LOWER.T, np.eye(3)], "not always"),
        ([np.eye(3), LOWER, np.eye(3), LOWER.T], "not always"),
        ([np.ones((2, 3)), np.ones((3, 3)), np.ones((3, 4))], "undecided"),
        ([LOWER, LOWER.T, LOWER], "undecided"),
        ([np.eye(3)] * 4, "undecided"),
        ([np.ones((1, 3)), np.ones((3, 3)), np.ones((3, 2))], "undecided"),
    ],
)
def test_more_layers_than_two(layers, answer):
    optimum = relu_training_has_optimum(*layers)
    assert optimum.answer == answer
    assert optimum.witness is None and bool(optimum.losses) == (answer == "not always")


@given(support_pairs(4), st.integers(0, 2))
def test_diagonal_layers_change_nothing(supports, place):
    left, right = supports
    layers = [left, right]
    layers.insert(place, np.eye([len(left), len(right), right.shape[1]][place]))
    found, of_two = relu_training_has_optimum(*layers), closedness(*supports)
    assert (found.answer == "not always") == (of_two.answer == "not closed")


def test_a_relu_network_follows_products_that_are_not_closed():
    """Large biases: no ReLU cuts anything off, and the outputs tend to those of the limit."""
    layers = [LOWER, LOWER.T, np.eye(3)]
    witness = relu_training_has_optimum(*layers).closedness.witness
    limit = witness.limit.toarray()
    X = np.random.default_rng(0).uniform(-1, 1, (40, 3))
    for epsilon in (1e-1, 1e-2, 1e-3):
        U, V = (factor.toarray() for factor in witness.factors(epsilon))
        first, second = np.full(3, 2.0), np.full(3, 10 / epsilon)
        hidden = np.maximum(np.maximum(X + first, 0) @ V.T + second, 0)
        outputs = hidden @ U.T - U @ (V @ first + second)
        assert np.abs(outputs - X @ limit.T).max() <= 3 * epsilon


def test_masks_of_every_library(asarray):
    left, right = (asarray(mask) for mask in (LOWER, LOWER.T))
    assert relu_training_has_optimum(left, right).answer == "not always"
    assert relu_training_has_optimum(KSparse(3), right, n_outputs=1).answer == "always"
