"""Entries that several components reach, found without a look at the others."""

import numpy as np
import scipy.sparse
from hypothesis import given
from numpy.testing import assert_array_equal

from skfact.fixed_support import is_closable, is_locally_identifiable
from skfact.fixed_support._supports import shared_entries
from skfact.fixed_support._supports.masks import check_supports
from skfact.fixed_support._supports.shared_entries import SharedEntries, distinct_lines
from tests.fixed_support.masks import support_pairs


@given(support_pairs())
def test_shared_entries_by_definition(supports):
    left, right = (support.astype(int) for support in supports)
    count, id_sum = left @ right, (left * np.arange(1, left.shape[1] + 1)) @ right
    shared = SharedEntries(*check_supports(*supports))
    rows, columns = np.nonzero(count > 1)
    assert_array_equal(shared.rows, rows)
    assert_array_equal(shared.columns, columns)
    assert_array_equal(shared.count, count[rows, columns])
    assert_array_equal(shared.id_sum, id_sum[rows, columns])
    reached = [(left[i] & right[:, j]).tobytes() for i, j in zip(rows, columns)]
    same = np.array([[a == b for b in reached] for a in reached]).reshape(len(rows), len(rows))
    assert_array_equal(shared.mark[:, None] == shared.mark, same)


@given(support_pairs())
def test_equal_lines_are_known_at_once(supports):
    """A support with repeated rows and columns is closable if the one without them is."""
    left, right = supports
    random = np.random.default_rng(left.sum())
    more_rows = np.append(np.arange(len(left)), random.integers(len(left), size=3))
    more_columns = np.append(np.arange(right.shape[1]), random.integers(right.shape[1], size=3))
    repeated = left[more_rows], right[:, more_columns]
    few_left, few_right = distinct_lines(*check_supports(*repeated))
    assert few_left.shape[0] == len(np.unique(left, axis=0))
    assert few_right.shape[1] == len(np.unique(right, axis=1).T)
    few = few_left.toarray(), few_right.toarray()
    assert is_closable(*repeated) == is_closable(*few) == is_closable(*supports)


def products_read(monkeypatch, left, right, decide):
    """How many products of a row by a component are formed."""
    read = []
    original = shared_entries.weighted_coverage

    def counted(part, right, weights):
        read.append(int((part.astype(np.int64) @ np.diff(right.indptr)).sum()))
        return original(part, right, weights)

    with monkeypatch.context() as patch:
        patch.setattr(shared_entries, "weighted_coverage", counted)
        assert decide(left, right)
    return sum(read)


def test_what_one_component_reaches_is_not_read(monkeypatch):
    for decide in (is_closable, is_locally_identifiable):
        for n in (2000, 100_000):  # 1e10 entries
            one = np.ones((n, 1)), np.ones((1, n))
            assert products_read(monkeypatch, *one, decide) == 0
        for n in (500, 1000):
            full, diagonal = np.ones((n, 1)), scipy.sparse.eye_array(n)
            arrow = scipy.sparse.hstack([full, diagonal], format="csr")
            assert products_read(monkeypatch, arrow, arrow.T, decide) <= 4 * n
