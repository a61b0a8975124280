"""Closedness of the set of products, its witnesses, and what follows for ReLU networks."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import (
    closedness,
    fixed_support_factorize,
    relu_training_has_optimum,
)
from skfact.fixed_support._existence.open_patterns import FIRST, Budget, find_open_pattern
from skfact.fixed_support._supports.masks import check_supports
from tests.fixed_support.masks import band, support_pairs

LU = np.tri(2, dtype=int), np.tri(2, dtype=int).T
# two components on three lines: the first line is left to one, the last one to the other
LINES = np.array([[1, 0], [1, 1], [0, 1]]), np.ones((2, 2), dtype=int)


def check_witness(found, left, right):
    """The sequence stays in the supports, diverges, converges, and the limit is out of reach."""
    left, right = np.asarray(left, dtype=bool), np.asarray(right, dtype=bool)
    witness = found.witness
    limit = witness.limit.toarray()
    for epsilon in (1e-1, 1e-2, 1e-4):
        X, Y = (factor.toarray() for factor in witness.factors(epsilon))
        assert not X[~left].any()
        assert not Y[~right].any()
        assert_allclose(X @ Y, limit, atol=1.001 * epsilon)
        assert_allclose(witness.distance(epsilon), np.linalg.norm(X @ Y - limit))
        assert max(np.abs(X).max(), np.abs(Y).max()) == witness.largest_entry(epsilon)
        assert witness.largest_entry(epsilon) >= 0.99 / epsilon
    rows, columns = np.ix_(witness.rows, witness.columns)
    assert_array_equal(witness.covering, (left.astype(int) @ right)[rows, columns])
    sets = [
        [set(np.flatnonzero(left[i] & right[:, j])) for j in witness.columns] for i in witness.rows
    ]
    if len(witness.rows) == len(witness.columns):
        assert_no_rank(limit[rows, columns], sets)
    else:
        part = limit[rows, columns]
        if part.shape[0] == 2:
            part, sets = part.T, [list(column) for column in zip(*sets)]
        assert_no_middle(part, sets)


def assert_no_rank(part, sets):
    """Only p components reach all but the corner, and the limit has rank p + 1 for any corner."""
    p = len(part) - 1
    few = sets[0][0]
    entries = [found for row in sets for found in row]
    assert len(few) == p
    assert all(found == few for found in entries[:-1])
    for corner in (-1e6, -1.0, 0.0, 0.3, 1.0, 1e6):
        part[-1, -1] = corner
        assert np.linalg.matrix_rank(part) == p + 1


def assert_no_middle(part, sets):
    """The outer rows are multiples of the rows of the right factor; the middle one is no sum."""
    (k,), (q,) = sets[0][0], sets[2][0]
    assert sets == [[{k}, {k}], [{k, q}, {k, q}], [{q}, {q}]]
    outer = part[[0, 2]]
    assert outer.any(axis=1).all()  # so that they fix the directions of both
    assert np.linalg.matrix_rank(outer) < np.linalg.matrix_rank(part)


def canonical(left, right):
    """The pattern up to the order of rows, columns and components."""
    m, r, n = len(left), left.shape[1], right.shape[1]
    return min(
        (left[list(rows)][:, list(order)].tobytes(), right[list(order)][:, list(columns)].tobytes())
        for rows in permutations(range(m))
        for order in permutations(range(r))
        for columns in permutations(range(n))
    )


def test_all_patterns_of_two_components_in_two_rows_and_columns():
    answers = {}
    for bits in product([False, True], repeat=8):
        left, right = np.reshape(bits, (2, 2, 2))
        found = closedness(left, right, budget=0)
        answers.setdefault(canonical(left, right), set()).add(found.answer)
        rule = two_by_two_rule(left, right)
        assert found.answer == ("not closed" if rule else "closed")
    assert all(len(found) == 1 for found in answers.values())
    counts = [
        sum(found == {word} for found in answers.values())
        for word in ("closed", "not closed", "undecided")
    ]
    assert counts == [57, 1, 0]


def two_by_two_rule(left, right):
    """One component has all four entries, and the others together exactly one."""
    masks = [np.outer(a, b) for a, b in zip(left.T, right)]
    full = [k for k, mask in enumerate(masks) if mask.all()]
    others = sum(mask for k, mask in enumerate(masks) if k not in full)
    return len(full) == 1 and np.count_nonzero(others) == 1


@given(support_pairs(4, m=2, n=2))
def test_two_by_two_rule_for_any_number_of_components(supports):
    expected = "not closed" if two_by_two_rule(*supports) else "closed"
    assert closedness(*supports).answer == expected


@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_lu_is_not_closed(n):
    lower = np.tri(n)
    found = closedness(lower, lower.T, budget=0)
    assert found.answer == "not closed"
    assert found.n_examined == 0
    assert "LU" not in found.reason
    check_witness(found, lower, lower.T)


def test_the_lu_sequence():
    found = closedness(*LU)
    assert_array_equal(found.witness.covering, [[1, 1], [1, 2]])
    for epsilon in (0.1, 0.01):
        X, Y = (factor.toarray() for factor in found.witness.factors(epsilon))
        assert_allclose(X @ Y, [[epsilon, 1], [1, 0]], atol=1e-12)
    assert_array_equal(found.witness.limit.toarray(), [[0, 1], [1, 0]])
    with pytest.raises(ValueError, match="epsilon must be positive"):
        found.witness.factors(0.0)


@pytest.mark.parametrize(
    "left, right",
    [
        (np.ones((2, 1)), np.ones((1, 2))),
        (np.ones((2, 2)), np.ones((2, 2))),
        (np.ones((5, 3)), np.ones((3, 4))),
        (np.eye(3), np.eye(3)),
        ([[1, 0], [1, 1]], [[1, 0], [1, 1]]),
        (np.ones((1, 4)), np.ones((4, 5))),
        (np.ones((3, 2)), [[1, 1, 0, 0], [0, 0, 1, 1]]),
        (np.kron(np.eye(2), np.ones((2, 2))), np.kron(np.ones((2, 2)), np.eye(2))),
        ([[1, 0]], [[0, 0], [1, 1]]),
    ],
)
def test_closed_patterns(left, right):
    found = closedness(left, right)
    assert (found.answer, found.witness, found.n_examined) == ("closed", None, 0)
    assert "closed" in repr(found)


@given(support_pairs(6, m=1))
def test_one_row_or_one_column_is_closed(supports):
    left, right = supports
    assert closedness(left, right).answer == "closed"
    assert closedness(right.T, left.T).answer == "closed"


@pytest.mark.parametrize("p", [1, 2, 3])
def test_a_corner_that_others_reach(p):
    """p dense components, and one more on the last entry; some more where it does not matter."""
    n = p + 1
    last = np.eye(n)[:, -1:]
    left = np.concatenate([np.ones((n, p)), last], axis=1)
    found = closedness(left, np.concatenate([np.ones((p, n)), last.T]))
    assert found.answer == "not closed"
    assert len(found.witness.rows) == n
    check_witness(found, left, np.concatenate([np.ones((p, n)), last.T]))


@pytest.mark.parametrize("n_before", [0, 2, 3, 7])
def test_a_corner_after_other_components(n_before):
    """Components that do not matter come first; where many entries are shared, few are read."""
    left = scipy.linalg.block_diag(*[np.ones((3, 2))] * n_before, np.tri(2))
    found = closedness(left, left.T)
    assert found.answer == "not closed"
    check_witness(found, left, left.T)
    quick = find_open_pattern(*check_supports(left, left.T), Budget(0), largest=0)
    assert (quick is None) == (2 * n_before >= FIRST)


@pytest.mark.parametrize("left, right", [LINES, (LINES[1].T, LINES[0].T)])
def test_two_lines_that_become_parallel(left, right):
    found = closedness(left, right)
    assert found.answer == "not closed"
    check_witness(found, left, right)
    assert closedness(left, right, budget=0).answer == "undecided"


def test_overlapping_feature_groups_are_not_closed():
    groups = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]])
    found = closedness(np.ones((4, 2)), groups)
    assert found.answer == "not closed"
    check_witness(found, np.ones((4, 2)), groups)


CHAINS = {  # columns of components that all have the same rows, and whether they are chains
    "two": ([[1, 1, 1], [1, 1, 0]], True),
    "three, one twice": ([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]], True),
    "and another one": ([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]], True),
    "two in one": ([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]], False),
    "two in one, one of them longer": ([[1] * 5, [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], False),
    "overlapping in one": ([[1, 1, 1, 1], [1, 1, 1, 0], [0, 1, 1, 1]], False),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_are_closed(name):
    columns, is_chain = CHAINS[name]
    left, right = np.ones((9, len(columns))), np.repeat(columns, 3, axis=1)
    for masks in ((left, right), (right.T, left.T)):
        found = closedness(*masks)
        assert (found.answer == "closed") == is_chain
        assert not is_chain or "nested" in found.reason


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_products_on_a_chain_are_known_by_ranks(rank):
    """Two components on all columns, one more on three: also where the others have few ranks."""
    random = np.random.default_rng(rank)
    right = np.array([[1] * 6, [1] * 6, [0, 0, 0, 1, 1, 1]])
    A = random.standard_normal((6, 3)) @ random.standard_normal((3, 6))
    A[:, :3] = A[:, 3 : 3 + rank] @ random.standard_normal((rank, 3))
    assert closedness(np.ones((6, 3)), right).answer == "closed"
    result = fixed_support_factorize(A, np.ones((6, 3)), right, random_state=0, n_init=3)
    assert result.error <= 1e-6 * np.linalg.norm(A)


@given(support_pairs())
def test_the_two_proofs_never_contradict_each_other(supports):
    """What complete classes prove closed has no sub-pattern that is known not to be."""
    found = closedness(*supports)
    if found.answer == "not closed":
        check_witness(found, *supports)
    else:
        assert find_open_pattern(*check_supports(*supports), Budget(10**6)) is None


@given(support_pairs(4), st.data())
def test_a_restriction_of_a_closed_set_is_closed(supports, data):
    left, right = supports
    rows = sorted(data.draw(st.sets(st.sampled_from(range(left.shape[0])), min_size=1)))
    columns = sorted(data.draw(st.sets(st.sampled_from(range(right.shape[1])), min_size=1)))
    part = closedness(left[rows], right[:, columns]).answer
    whole = closedness(left, right).answer
    assert (whole, part) not in {("closed", "not closed")}
    assert part != "not closed" or whole == "not closed"


@given(support_pairs(4), st.data())
def test_the_answer_ignores_order_and_transposition(supports, data):
    left, right = supports
    rows = data.draw(st.permutations(range(left.shape[0])))
    components = data.draw(st.permutations(range(left.shape[1])))
    columns = data.draw(st.permutations(range(right.shape[1])))
    answer = closedness(left, right).answer
    assert closedness(left[rows][:, components], right[components][:, columns]).answer == answer
    assert closedness(right.T, left.T).answer == answer


def closure_says(left, right):
    """The complete classes on dense masks: closed, not closed (by one component), or neither."""
    m, n = len(left), right.shape[1]
    rectangles = {}
    for a, b in zip(left.T, right):
        if a.any() and b.any():
            key = np.outer(a, b).tobytes()
            rectangles[key] = rectangles.get(key, 0) + 1
    covered = np.zeros((m, n), dtype=bool)
    while True:
        masks = {}
        for key, p in rectangles.items():
            mask = np.frombuffer(key, dtype=bool).reshape(m, n) & ~covered
            if mask.any():
                masks[mask.tobytes()] = masks.get(mask.tobytes(), 0) + p
        masks = [(np.frombuffer(key, dtype=bool).reshape(m, n), p) for key, p in masks.items()]
        complete = [
            mask for mask, p in masks if p >= min(mask.any(axis=1).sum(), mask.any(axis=0).sum())
        ]
        if not complete:
            break
        covered = covered | np.any(complete, axis=0)
    if any((a & b).any() for (a, _), (b, _) in combinations(masks, 2)):
        return "undecided"
    bicliques = [all_bicliques(mask) for mask, _ in masks]
    if all(bicliques):
        return "closed"
    alone = any(not good and p == 1 for good, (_, p) in zip(bicliques, masks))
    return "not closed" if alone else "undecided"


def all_bicliques(mask):
    """Two rows that share a column have the same columns."""
    rows = mask.astype(int)
    return all((a == b).all() or not (a & b).any() for a, b in combinations(rows, 2))


@settings(max_examples=60)
@given(support_pairs(4))
def test_never_less_than_the_closure_on_every_restriction(supports):
    left, right = supports
    m, n = len(left), right.shape[1]
    whole = closure_says(left, right)
    restrictions = product(
        (list(rows) for size in range(1, m + 1) for rows in combinations(range(m), size)),
        (list(cols) for size in range(1, n + 1) for cols in combinations(range(n), size)),
    )
    open_part = any(
        closure_says(left[rows], right[:, columns]) == "not closed"
        for rows, columns in restrictions
    )
    found = closedness(left, right)
    if whole == "closed":
        assert found.answer == "closed"
        assert not open_part
    elif open_part:
        assert found.answer == "not closed"
        assert len(found.witness.rows) == len(found.witness.columns) == 2
        assert closedness(left, right, budget=0).answer == "not closed"


UNDECIDED = (
    np.array([[1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 1, 1]]),
    np.ones((3, 3), dtype=int),
)


def test_undecided_is_said_with_the_reason():
    found = closedness(*UNDECIDED)
    assert found.answer == "undecided"
    assert found.witness is None
    assert "overlap" in found.reason
    assert "all of these kinds" in found.reason
    assert 0 <= found.n_examined < 10_000


def test_the_budget_is_kept():
    random = np.random.default_rng(0)
    left, right = random.random((30, 8)) < 0.9, np.ones((8, 30))
    for budget in (0, 1, 7):
        found = closedness(left, right, budget=budget)
        assert found.n_examined <= budget


def optimized(left, right, A, random):
    """Loss of the best of four quasi-Newton runs, and the largest entry of its factors."""
    n_left = left.sum()

    def loss(theta):
        X, Y = np.zeros(left.shape), np.zeros(right.shape)
        X[left], Y[right] = theta[:n_left], theta[n_left:]
        R = X @ Y - A
        return np.sum(R**2), 2 * np.concatenate([(R @ Y.T)[left], (X.T @ R)[right]])

    runs = [
        scipy.optimize.minimize(
            loss,
            random.standard_normal(n_left + right.sum()),
            jac=True,
            options={"gtol": 1e-12, "maxiter": 3000},
        )
        for _ in range(4)
    ]
    best = min(runs, key=lambda run: run.fun)
    return best.fun, np.abs(best.x).max()


@pytest.mark.parametrize("left, right", [LU, LINES])
def test_an_optimizer_diverges_towards_the_limit(left, right):
    """Independent of the sequence: the smaller the loss, the larger the factors."""
    limit = closedness(left, right).witness.limit.toarray()
    left, right = left.astype(bool), right.astype(bool)
    loss, size = optimized(left, right, limit, np.random.default_rng(0))
    assert loss < 1e-3
    assert size > 5
    generic = limit + np.random.default_rng(1).uniform(0.5, 1, limit.shape)
    loss, size = optimized(left, right, generic, np.random.default_rng(0))
    assert loss < 1e-12


def test_many_components_in_sparse_memory():
    n = 5000
    arrow = scipy.sparse.hstack([np.ones((n, 1)), scipy.sparse.eye_array(n, format="csc")[:, 1:]])
    found = closedness(arrow, arrow.T)
    assert found.answer == "not closed"
    assert found.witness.limit.shape == (n, n)
    assert closedness(band(n, 3).T, band(n, 3)).answer == "not closed"
    groups = scipy.sparse.kron(scipy.sparse.eye_array(n // 5), np.ones((5, 5)))
    assert closedness(groups, groups).answer == "closed"
    # one class after the other becomes complete: a chain of 5,000 steps
    assert closedness(np.ones((20, n)), band(n, 5)).answer == "closed"


def test_masks_of_every_library(asarray):
    left, right = (asarray(mask) for mask in LU)
    assert closedness(left, right).answer == "not closed"
    assert relu_training_has_optimum(left, right).answer == "not always"


# ---- networks with one hidden ReLU layer ---------------------------------------------------


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
