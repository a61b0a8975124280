"""Closedness of the set of products, and its witnesses."""

from itertools import combinations, permutations, product

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import FAMILIES, closedness, fixed_support_factorize
from skfact.fixed_support._existence.open_patterns import FIRST, Budget, find_open_pattern
from skfact.fixed_support._supports.masks import check_supports
from tests.asserts import at_most
from tests.fixed_support._existence.witnesses import check_witness
from tests.fixed_support.masks import band, support_pairs

LU = np.tri(2, dtype=int), np.tri(2, dtype=int).T
# two components on three lines: the first line is left to one, the last one to the other
LINES = np.array([[1, 0], [1, 1], [0, 1]]), np.ones((2, 2), dtype=int)


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
    check_witness(found.witness, lower, lower.T)


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
    check_witness(found.witness, left, np.concatenate([np.ones((p, n)), last.T]))


@pytest.mark.parametrize("n_before", [0, 2, 3, 7])
def test_a_corner_after_other_components(n_before):
    """Components that do not matter come first; where many entries are shared, few are read."""
    left = scipy.linalg.block_diag(*[np.ones((3, 2))] * n_before, np.tri(2))
    found = closedness(left, left.T)
    assert found.answer == "not closed"
    check_witness(found.witness, left, left.T)
    quick = find_open_pattern(*check_supports(left, left.T), Budget(0), largest=0)
    assert (quick is None) == (2 * n_before >= FIRST)


@pytest.mark.parametrize("left, right", [LINES, (LINES[1].T, LINES[0].T)])
def test_two_lines_that_become_parallel(left, right):
    found = closedness(left, right)
    assert found.answer == "not closed"
    check_witness(found.witness, left, right)
    assert closedness(left, right, budget=0).answer == "undecided"


def test_overlapping_feature_groups_are_not_closed():
    groups = np.array([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]])
    found = closedness(np.ones((4, 2)), groups)
    assert found.answer == "not closed"
    check_witness(found.witness, np.ones((4, 2)), groups)


@pytest.mark.parametrize("shape", [(50, 10), (5, 10), (2, 10), (50, 3), (10, 30)])
def test_families_without_a_best_approximation(shape):
    """What the guide says of named families: for which numbers of components it is known."""
    n = shape[1]
    answers = {r: closedness(*FAMILIES["overlapping-groups"](*shape, r)).answer for r in {1, 2, n}}
    assert answers == {1: "closed", 2: "not closed", n: "closed"}
    if shape == (50, 10):
        for r in range(3, n):
            masks = FAMILIES["overlapping-groups"](*shape, r)
            assert closedness(*masks).answer == "undecided"
        for name in ("arrow", "banded", "lu"):
            for r in range(3, n + 1):
                assert closedness(*FAMILIES[name](*shape, r)).answer == "not closed"


NESTED = {  # columns of components with the same rows; whether any two are nested or apart
    "two": ([[1, 1, 1], [1, 1, 0]], True),
    "three, one twice": ([[1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 1, 0], [0, 1, 0, 0]], True),
    "and another one": ([[1, 1, 1, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 1, 1], [0, 0, 0, 0, 1]], True),
    "two in one": ([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]], True),
    "two in one, one of them longer": ([[1] * 5, [1, 1, 1, 0, 0], [0, 0, 0, 1, 1]], True),
    "overlapping in one": ([[1, 1, 1, 1], [1, 1, 1, 0], [0, 1, 1, 1]], False),
}


@pytest.mark.parametrize("name", NESTED)
def test_nested_columns_are_closed(name):
    columns, is_nested = NESTED[name]
    left, right = np.ones((9, len(columns))), np.repeat(columns, 3, axis=1)
    for masks in ((left, right), (right.T, left.T)):
        found = closedness(*masks)
        assert (found.answer == "closed") == is_nested
        assert not is_nested or "no more rows" in found.reason


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
        check_witness(found.witness, *supports)
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
    answers = {
        closedness(*masks).answer
        for masks in (
            supports,
            (left[rows][:, components], right[components][:, columns]),
            (right.T, left.T),
        )
    }
    # the search for limits has so many steps, and takes them in the order of the lines
    assert len(answers) == 1 or answers == {"undecided", "not closed"}


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


@at_most(60)
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
