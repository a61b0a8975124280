"""Rank-one supports, pieces and the closure, against definitions written out on dense masks."""

import time
import tracemalloc
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from numpy.testing import assert_array_equal
from scipy.sparse.csgraph import connected_components

from skfact.fixed_support import analyze_supports, rank_one_supports
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.rank_one import RankOneSupport
from skfact.fixed_support._tractable.closure import complete_closure, overlaps, pieces_of
from skfact.supports import KroneckerSparse
from tests.fixed_support.seeds import over_seeds


def random_masks(random, density=None):
    m, n, r = random.integers(1, 7, size=3)
    density = random.uniform(0.2, 0.9) if density is None else density
    left = random.random((m, r)) < density
    right = random.random((r, n)) < density
    if r > 1 and random.random() < 0.5:  # equal components are rare by chance
        left[:, 1], right[1] = left[:, 0], right[0]
    return left, right


def as_set(support):
    return {(int(i), int(j)) for i in support.rows for j in support.columns}


@over_seeds(50)
def test_classes_are_the_distinct_rectangles(seed):
    left, right = random_masks(np.random.default_rng(seed))
    rectangles = [np.outer(left[:, k], right[k]) for k in range(left.shape[1])]
    classes = rank_one_supports(left, right)
    for support in classes:
        mask = np.zeros((left.shape[0], right.shape[1]), dtype=bool)
        mask[np.ix_(support.rows, support.columns)] = True
        equal = [k for k, found in enumerate(rectangles) if np.array_equal(found, mask)]
        assert_array_equal(support.components, equal)
        assert support.is_complete == (len(equal) >= min(support.shape))
    members = [k for support in classes for k in support.components]
    assert sorted(members) == [k for k, found in enumerate(rectangles) if found.any()]
    firsts = [support.components[0] for support in classes]
    assert firsts == sorted(firsts)


@over_seeds(50)
def test_overlaps_are_the_common_entries(seed):
    left, right = random_masks(np.random.default_rng(seed), density=0.4)
    classes = rank_one_supports(left, right)
    shape = left.shape[0], right.shape[1]
    expected = {
        (a, b): as_set(classes[a]) & as_set(classes[b])
        for a, b in combinations(range(len(classes)), 2)
        if as_set(classes[a]) & as_set(classes[b])
    }
    found = overlaps(classes, shape, limit=10**6)
    assert bool(found) == bool(expected)
    for overlap in found:
        common = {(i, j) for i in overlap.rows.tolist() for j in overlap.columns.tolist()}
        assert common == expected[overlap.first, overlap.second]


def dense_cover(cover):
    """The entries of a cover as a dense mask."""
    found = np.zeros(cover.shape, dtype=bool)
    found[cover.within(*map(np.arange, cover.shape))] = True
    return found


def components_of(mask):
    """Connected components of a bipartite graph as pairs of sets, from its dense mask."""
    m, n = mask.shape
    graph = np.zeros((m + n, m + n), dtype=bool)
    graph[:m, m:] = mask
    _, label = connected_components(scipy.sparse.csr_array(graph), directed=False)
    found = set()
    for value in set(label[:m]) & set(label[m:]):
        rows, columns = np.flatnonzero(label[:m] == value), np.flatnonzero(label[m:] == value)
        found.add((tuple(rows.tolist()), tuple(columns.tolist())))
    return found


@over_seeds(200)
def test_closure_is_a_fixpoint_of_its_definition(seed):
    left, right = random_masks(np.random.default_rng(seed))
    shape = left.shape[0], right.shape[1]
    classes = rank_one_supports(left, right)
    closure = complete_closure(classes, shape)
    covered = np.zeros(shape, dtype=bool)
    for piece in closure.absorbed:
        answered = np.zeros(shape, dtype=bool)
        answered[np.ix_(piece.rows, piece.columns)] = True
        answered &= ~covered
        # connected where it does not consist of a complete class, and reached by its components
        if piece not in classes:
            assert components_of(answered) == {(tuple(piece.rows), tuple(piece.columns))}
        assert piece.is_complete
        assert left[np.ix_(piece.rows, piece.components)].all()
        assert right[np.ix_(piece.components, piece.columns)].all()
        covered |= answered
    assert_array_equal(dense_cover(closure.cover), covered)
    expected = {}
    for support in classes:
        mask = np.zeros(shape, dtype=bool)
        mask[np.ix_(support.rows, support.columns)] = True
        for rows, columns in components_of(mask & ~covered):
            expected.setdefault((rows, columns), []).extend(support.components.tolist())
    found = {
        (tuple(p.rows.tolist()), tuple(p.columns.tolist())): p.components.tolist()
        for p in closure.pieces
    }
    assert found == {key: sorted(value) for key, value in expected.items()}
    assert all(len(value) < min(map(len, key)) for key, value in expected.items())  # none left
    for piece, is_rectangle in zip(closure.pieces, closure.is_rectangle, strict=True):
        assert is_rectangle == (not covered[np.ix_(piece.rows, piece.columns)].any())


@over_seeds(200)
def test_pieces_are_connected_components(seed):
    random = np.random.default_rng(seed)
    m, n = random.integers(1, 9, size=2)
    holes = random.random((m, n)) < random.uniform(0.1, 0.95)
    cover = complete_closure(
        [RankOneSupport(np.array([i]), np.flatnonzero(h), np.array([0])) for i, h in
         enumerate(holes) if h.any()],
        (m, n),
    ).cover  # fmt: skip
    assert_array_equal(dense_cover(cover), holes)
    support = RankOneSupport(np.arange(m), np.arange(n), np.array([0]))
    found = pieces_of(support, cover)
    keys = {(tuple(rows.tolist()), tuple(columns.tolist())) for rows, columns, _ in found}
    assert keys == components_of(~holes)
    for rows, columns, is_rectangle in found:
        assert is_rectangle == (not holes[np.ix_(rows, columns)].any())


def test_staircase_is_absorbed_step_by_step():
    """Row i holds components 0 .. i: each support is one row once the later ones are covered."""
    n = 6
    closure = complete_closure(rank_one_supports(np.tri(n), np.ones((n, n))), (n, n))
    assert closure.pieces == []
    assert [piece.rows.tolist() for piece in closure.absorbed] == [[i] for i in range(n)][::-1]


def test_lu_is_stuck_after_one_step():
    left = np.tri(5)
    closure = complete_closure(rank_one_supports(left, left.T), (5, 5))
    assert [piece.shape for piece in closure.absorbed] == [(1, 1)]
    assert not closure.is_rectangle[np.argmin([piece.size for piece in closure.pieces])]


def test_masks_come_in_any_form(asarray):
    left = np.array([[1, 0], [1, 1]])
    right = np.array([[1, 1, 0], [0, 1, 1]])
    expected = [repr(support) for support in rank_one_supports(left, right)]
    for convert in (asarray, scipy.sparse.coo_array, scipy.sparse.csc_matrix, list):
        found = rank_one_supports(convert(left), convert(right.astype(bool)))
        assert [repr(support) for support in found] == expected


def test_masks_are_not_modified():
    left = scipy.sparse.csr_array(
        (np.array([1, 0, 1]), np.array([1, 0, 0]), np.array([0, 2, 3])), shape=(2, 2)
    )
    before = left.data.copy(), left.indices.copy()
    found, _ = check_supports(left, np.eye(2))
    assert_array_equal(found.toarray(), [[False, True], [True, False]])
    assert_array_equal(left.data, before[0])
    assert_array_equal(left.indices, before[1])


def test_kronecker_supports():
    left, right = KroneckerSparse(1, 4, 4, 4), KroneckerSparse(4, 4, 4, 1)
    classes = rank_one_supports(left, right)
    assert len(classes) == 16 and {support.shape for support in classes} == {(4, 4)}
    assert overlaps(classes, (16, 16)) == []


@pytest.mark.parametrize("kind", ["random", "disjoint", "arrow", "lu"])
def test_large_masks_take_seconds_and_the_memory_of_their_nonzeros(kind):
    n = 5000 if kind != "lu" else 1000
    random = np.random.default_rng(0)
    if kind == "random":
        left = scipy.sparse.random_array((n, n), density=0.01, rng=random, dtype=bool)
        right = scipy.sparse.random_array((n, n), density=0.01, rng=random, dtype=bool)
    elif kind == "disjoint":
        left = scipy.sparse.eye_array(n, dtype=bool)
        right = scipy.sparse.csr_array(np.ones((n, n), dtype=bool))[:, :200]
    elif kind == "arrow":
        left = scipy.sparse.eye_array(n, dtype=bool).tolil()
        left[:, 0] = True
        right = left.T
    else:
        left = scipy.sparse.csr_array(np.tri(n, dtype=bool))
        right = left.T
    left, right = scipy.sparse.csc_array(left), scipy.sparse.csr_array(right)
    nnz = left.nnz + right.nnz
    start = time.process_time()
    tracemalloc.start()
    classes = rank_one_supports(left, right)
    closure = complete_closure(classes, (n, right.shape[1]))
    overlaps(closure.pieces, (n, right.shape[1]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    covered = closure.cover.within(np.arange(n), np.arange(right.shape[1]))[0]
    assert len(covered) <= nnz
    assert peak < 200 * nnz + 3000 * n  # 25 million entries would be more
    assert time.process_time() - start < 30


def test_the_report_can_be_read():
    """Sizes, complete and dead components, the reason and where, the route, its cost."""
    left = np.array([[1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 0], [0, 1, 0, 0]])
    right = np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1], [0, 0, 0, 0, 1]])
    report = analyze_supports(left, right)
    assert not report.is_tractable and report.route == "alternating"
    text = repr(report)
    for words in (
        "(4 x 5) ~ (4 x 4) @ (4 x 5)",
        "3 distinct",
        "dead components    1: [2]",
        "complete classes   1",
        "no: ",
        "components [0] and [1]",
        "alternating",
        "per sweep",
    ):
        assert words in text, words
    assert "yes: " in repr(analyze_supports(np.eye(3), np.eye(3)))


def test_the_cost_of_a_sweep_is_that_of_the_nonzeros():
    """Products with the blocks, Gram matrices and systems of both half steps, counted by hand."""
    left, right = np.ones((6, 2)), np.array([[1, 1, 1, 0], [0, 1, 1, 1]])
    products = 2 * (6 * 3 + 6 * 3)
    of_rows = 6 * 2**2 + 2**3 // 3  # six rows with the same two components: one system
    of_columns = (1 + 4 + 4 + 1) + (1 + 8 + 1) // 3  # three different ones
    assert analyze_supports(left, right).cost == products + of_rows + of_columns
