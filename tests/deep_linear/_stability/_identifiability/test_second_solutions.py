"""Other parameters with the same product."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.deep_linear import ToeplitzFactor, lifting_operator, rank_one_tensor
from skfact.deep_linear._stability._identifiability.second_solutions import (
    along_fibre,
    flattest_difference,
    in_kernel,
    of_columns,
    of_toeplitz_neighbours,
    verified,
    with_equal_products,
)
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain
from tests.asserts import for_each
from tests.deep_linear._stability.structures import W, circular, of_lift, with_kernel


def seeded():
    return np.random.RandomState(0)


def test_only_equal_products_of_different_classes_pass():
    structure = as_structure([ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)])
    h = structure.draw(seeded())
    assert verified(structure, h, [2 * h[0], h[1] / 2]) is None  # the same class
    assert verified(structure, h, [h[0], 1.01 * h[1]]) is None  # another product
    assert verified(structure, h, [0 * x for x in h]) is None
    butterfly = as_structure(Chain.butterfly(2))
    assert verified(butterfly, butterfly.draw(seeded()), [np.zeros(4)]) is None


@for_each("m, n, p", [(3, 2, 3), (1, 2, 1), (4, 3, 2), (2, 4, 5), (3, 5, 3), (8, 6, 8)])
def test_toeplitz_neighbours_have_a_product_that_is_zero(m, n, p):
    structure = as_structure([ToeplitzFactor(m, n), ToeplitzFactor(n, p)])
    h, g = of_toeplitz_neighbours(structure)
    assert all(np.any(x) for x in h) and not any(np.any(x) for x in g)
    assert_allclose(structure.product(h), 0, atol=1e-13)


def test_toeplitz_neighbours_in_longer_products():
    factors = [np.ones((2, 3), dtype=bool), ToeplitzFactor(3, 4), ToeplitzFactor(4, 2)]
    structure = as_structure(factors)
    assert_allclose(structure.product(of_toeplitz_neighbours(structure)[0]), 0, atol=1e-13)
    assert of_toeplitz_neighbours(as_structure(factors[:2])) is None
    assert (
        of_toeplitz_neighbours(as_structure([ToeplitzFactor(3, 1), ToeplitzFactor(1, 3)])) is None
    )


@pytest.mark.parametrize("find", [in_kernel, with_equal_products])
def test_searches_find_what_was_planted(find):
    random = np.random.default_rng(0)
    for sizes in [(3, 4), (2, 3, 3), (2, 2, 2, 2)]:
        planted = rank_one_tensor([random.standard_normal(size) for size in sizes])
        if find is with_equal_products:  # a kernel of rank two
            planted = planted + rank_one_tensor([random.standard_normal(size) for size in sizes])
        structure = as_structure(with_kernel(planted))
        pair = find(structure, seeded())
        assert pair is not None and verified(structure, *pair) is not None
        difference = rank_one_tensor(pair[0]) - rank_one_tensor(pair[1])
        cosine = np.vdot(difference, planted) / np.linalg.norm(difference) / np.linalg.norm(planted)
        assert abs(abs(cosine) - 1) <= 1e-8


def test_searches_find_nothing_where_there_is_nothing():
    for kernel in (W, np.eye(3), np.diag([3.0, 2.0, 1.0])):
        structure = as_structure(with_kernel(kernel))
        assert in_kernel(structure, seeded()) is None
        assert with_equal_products(structure, seeded()) is None


def test_columns_that_are_zero_or_parallel():
    lift = np.random.default_rng(0).standard_normal((4, 6))
    assert of_columns(as_structure(of_lift(lift, 2, 3)), lift) == (None, "")
    lift[:, 4] = -3 * lift[:, 1]
    (h, g), what = of_columns(as_structure(of_lift(lift, 2, 3)), lift)
    assert "multiples" in what
    assert_allclose(lift @ rank_one_tensor(h).ravel(), lift @ rank_one_tensor(g).ravel())
    lift[:, 2] = 0
    (h, g), what = of_columns(as_structure(of_lift(lift, 2, 3)), lift)
    assert "zero" in what and rank_one_tensor(h).ravel()[2] == 1


@for_each("n", [5, 8])
def test_along_the_surface_of_equal_products(n):
    structure = as_structure([circular(list(range(n)), n)] * 3)
    h, g = along_fibre(structure, seeded())
    assert_allclose(structure.product(h), structure.product(g), rtol=1e-9, atol=1e-11)


@for_each("seed", range(10))
def test_the_ratio_is_that_of_the_difference(seed):
    random = np.random.default_rng(seed)
    lift = random.standard_normal((9, 18))
    structure = as_structure(of_lift(lift, 3, 2, 3))
    start = [structure.draw(np.random.RandomState(s)) for s in (seed, seed + 100)]
    found = flattest_difference(structure.contraction, *start)
    difference = (rank_one_tensor(found.h) - rank_one_tensor(found.g)).ravel()
    ratio = np.linalg.norm(lift @ difference) / np.linalg.norm(difference)
    assert_allclose(found.ratio, ratio, rtol=1e-6, atol=1e-13)
    first = (rank_one_tensor(start[0]) - rank_one_tensor(start[1])).ravel()
    assert ratio <= np.linalg.norm(lift @ first) / np.linalg.norm(first)
    assert_allclose(
        lifting_operator(structure).matvec(difference), lift @ difference, rtol=1e-10, atol=1e-12
    )
