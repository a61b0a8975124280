"""Edges and supports as they may be written, and what makes edges a tree."""

import numpy as np
import pytest

from skfact.deep_linear._stability.tree_reading import (
    check_one_root,
    checked_edges,
    checked_support,
    roots_of,
)


def test_edges_become_tuples_of_plain_nodes():
    edges = checked_edges(np.array([[0, 1], [1, 2]]))
    assert edges == ((0, 1), (1, 2)) and type(edges[0][0]) is int
    assert checked_edges([["r", ("a", 1)], (("a", 1), None)]) == (("r", ("a", 1)), (("a", 1), None))
    assert roots_of(edges) == [0] and roots_of(((1, 2), (3, 4), (1, 5))) == [1, 3]


def test_every_tree_passes_in_any_order_of_edges():
    random = np.random.default_rng(0)
    for _ in range(50):
        count = int(random.integers(1, 12))
        edges = [(int(random.integers(v)), v) for v in range(1, count + 1)]
        check_one_root(tuple(edges[i] for i in random.permutation(count)))
        # one edge more closes a circle, or gives a node a second parent
        with pytest.raises(ValueError, match="edges has"):
            check_one_root((*edges, (count, int(random.integers(count + 1)))))


def test_indices_become_plain_numbers_or_pairs():
    assert checked_support(range(3), (4,), "s") == (0, 1, 2)
    assert checked_support(np.array([3, 0]), (4,), "s") == (3, 0)
    assert checked_support([[0, 1], np.array([2, 3])], (3, 4), "s") == ((0, 1), (2, 3))
