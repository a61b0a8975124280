"""Families of two supports: what they are made of, for every shape."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact.fixed_support import FAMILIES, analyze_supports, fixed_support_factorize
from skfact.supports import Chain, KroneckerSparse

SHAPES = list(product((1, 2, 5, 16), (1, 3, 7, 30)))


def masks(name, *shape):
    report = analyze_supports(*FAMILIES[name](*shape))
    return report.left_support.toarray(), report.right_support.toarray(), report


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("r", [None, 1, 2, 3, 8, 20])
def test_every_shape_and_number_of_components(name, r):
    for m, n in SHAPES:
        left, right, report = masks(name, m, n, r)
        assert (left.shape[0], right.shape[1]) == (m, n)
        assert r is None or left.shape[1] == r
        assert (
            left.any(axis=1).all() and right.any(axis=0).all()
        )  # no sample or feature is left out
        assert not len(report.dead_components)


@pytest.mark.parametrize("name", ["dense", "disjoint-groups", "butterfly", "monarch"])
def test_tractable_families(name):
    for (m, n), r in product(SHAPES, (None, 1, 2, 3, 8)):
        assert masks(name, m, n, r)[2].route == "blockwise"


@pytest.mark.parametrize("name", ["overlapping-groups", "arrow", "banded", "lu"])
def test_families_without_closed_form(name):
    assert masks(name, 30, 30, 5)[2].route == "alternating"


def test_groups_partition_or_overlap():
    _, disjoint, _ = masks("disjoint-groups", 4, 10, 3)
    assert_array_equal(disjoint.sum(axis=0), 1)
    assert np.ptp(disjoint.sum(axis=1)) <= 1
    _, overlapping, _ = masks("overlapping-groups", 4, 30, 3)
    assert_array_equal(overlapping.sum(axis=1), [15, 20, 15])
    assert (overlapping[0] & overlapping[1]).sum() == 10
    assert not (overlapping[0] & overlapping[2]).any()


@pytest.mark.parametrize("n", [4, 16, 64])
def test_butterfly_and_monarch_are_halves_of_their_chains(n):
    for name in ("butterfly", "monarch"):
        left, right, _ = masks(name, n, n, None)
        chain = Chain.for_shape(n, n, family=name)
        middle = len(chain) // 2
        assert_array_equal(left, chain[:middle].product.mask())
        assert_array_equal(right, chain[middle:].product.mask())


def test_tiles_of_as_many_components_are_the_halves_of_a_butterfly():
    """The same classes as those of the dyadic middle split, whatever the order of components."""
    given, halves = masks("butterfly", 16, 16, 16)[2], (
        KroneckerSparse(1, 4, 4, 4), KroneckerSparse(4, 4, 4, 1)
    )  # fmt: skip
    expected = analyze_supports(*halves)

    def rectangles(report):
        return {(s.rows.tobytes(), s.columns.tobytes(), len(s.components)) for s in report.classes}

    assert rectangles(given) == rectangles(expected)


def test_monarch_raises_the_rank_of_square_tiles():
    report = masks("monarch", 16, 16, 8)[2]
    assert {(s.shape, s.multiplicity) for s in report.classes} == {((8, 8), 2)}


def test_lu_and_arrow_shapes():
    left, right, _ = masks("lu", 5, 5, None)
    assert_array_equal(left, np.tri(5))
    assert_array_equal(right, np.tri(5).T)
    left, right, _ = masks("arrow", 6, 6, 4)
    pattern = (left.astype(int) @ right) > 0
    assert pattern.all()
    assert_array_equal(left[:, 1:], np.repeat(np.eye(3), 2, axis=0))
    left, right, _ = masks("banded", 20, 20, 20)
    i, j = np.nonzero(left)
    assert np.abs(i - j).max() == 1


def test_lu_reproduces_matrices_that_have_one():
    random = np.random.default_rng(0)
    A = (np.tri(4) + 6 * np.eye(4)) @ np.triu(random.standard_normal((4, 4)) + 6 * np.eye(4))
    result = fixed_support_factorize(
        A, *FAMILIES["lu"](4, 4, None), n_init=2, tol=1e-8, max_iter=5000, random_state=0
    )
    assert_allclose(result.left @ result.right, A, atol=1e-5)
