"""Whether products determine their factors: known structures, and brute force on small ones."""

import dataclasses

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose
from scipy.optimize import least_squares

from skfact import SparseDeepLinearNet
from skfact.deep_linear import (
    CirculantFactor,
    ConvolutionTree,
    StructuredFactor,
    ToeplitzFactor,
    convolution_tree_is_recoverable,
    factor_distance,
    lifting_operator,
    structure_identifiability,
)
from skfact.deep_linear._stability._identifiability.diagonal_scalings import n_diagonals
from skfact.deep_linear._stability._identifiability.up_to_scalars import (
    largest_matricization_rank,
)
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.fixed_support import is_closable
from skfact.supports import Chain
from tests.asserts import for_each, on_any_matrix
from tests.deep_linear._stability.structures import (
    NO,
    TABLE,
    YES,
    W,
    circular,
    linear_factor,
    random_structure,
    with_kernel,
)
from tests.deep_linear._stability.trees import random_tree

UNDECIDED = "undecided"


def asked(structure, **options):
    """The answer; a second solution of it is one."""
    found = structure_identifiability(structure, random_state=0, **options)
    if found.second_solution is not None:
        assert found.verdict == NO or (found.verdict, found.up_to) == (UNDECIDED, "diagonals")
        h, g = found.second_solution
        products = [as_structure(structure).product(x) for x in (h, g)]
        size = max(np.linalg.norm(products[0]), 1e-3)
        assert np.linalg.norm(products[0] - products[1]) <= 1e-9 * size
        assert factor_distance(h, g) > 1e-3
    return found


@pytest.mark.parametrize("name", TABLE)
def test_known_structures(name):
    row = TABLE[name]
    found = asked(row.structure)
    assert found.verdict == row.verdict
    assert row.reason in found.reason
    assert (found.sizes, found.rank, found.jacobian_rank, found.thresholds) == (
        row.sizes,
        row.rank,
        row.jacobian_rank,
        row.thresholds,
    )
    assert found.n_columns == np.prod(row.sizes)
    assert (found.second_solution is not None) == (row.verdict == NO)


@for_each(
    "m, n, p",
    [(3, 2, 3), (2, 3, 2), (4, 4, 4), (5, 3, 2), (12, 12, 12), (20, 30, 20), (200, 9, 200)],
)
def test_two_toeplitz_factors_are_never(m, n, p):
    assert asked([ToeplitzFactor(m, n), ToeplitzFactor(n, p)]).verdict == NO


@for_each("m, n", [(1, 1), (2, 3), (7, 4)])
def test_a_column_times_a_row_of_toeplitz_factors_is(m, n):
    assert asked([ToeplitzFactor(m, 1), ToeplitzFactor(1, n)]).verdict == YES


@for_each(
    "supports, n, verdict",
    [
        ([[0, 1], [0, 1], [0, 1]], 16, NO),
        ([[0, 1], [0, 2], [0, 4]], 16, YES),
        ([[0, 1], [0, 2], [0, 4]], 7, NO),
        ([[0, 1], [0, 1]], 8, NO),
    ],
)
def test_convolutions_need_distinct_sums(supports, n, verdict):
    assert asked([circular(s, n) for s in supports]).verdict == verdict


@for_each("seed", range(20))
def test_one_kernel_matrix_of_three_by_three(seed):
    random = np.random.default_rng(seed)
    Z = random.standard_normal((3, 3))
    found = asked(with_kernel(Z))
    assert found.verdict == YES and "rank 3" in found.reason
    values = np.linalg.svd(Z)
    found = asked(with_kernel(Z - values[1][2] * np.outer(values[0][:, 2], values[2][2])))
    assert found.verdict == NO and found.second_solution is not None


@for_each("seed", range(10))
def test_two_kernel_matrices_of_three_by_three_have_one_of_rank_two(seed):
    """det(Z_1 + t Z_2) is a cubic of t, which has a real root."""
    Z = np.random.default_rng(seed).standard_normal((2, 3, 3))
    found = asked(with_kernel(*Z))
    assert found.verdict == NO and found.second_solution is not None


@for_each("seed", range(5))
def test_two_kernel_matrices_of_four_by_four_have_none(seed):
    """Matrices of rank two have codimension 4: no generic plane meets them."""
    found = asked(with_kernel(*np.random.default_rng(seed).standard_normal((2, 4, 4))))
    assert found.verdict == UNDECIDED
    assert found.rank >= found.thresholds[1] and "almost every linear operator" in found.reason


def hyperdeterminant(Z):
    """Of a tensor 2 x 2 x 2: positive for real rank 2, negative for rank 3."""
    A, B = Z
    cross = np.linalg.det(A + B) - np.linalg.det(A) - np.linalg.det(B)
    return cross**2 - 4 * np.linalg.det(A) * np.linalg.det(B)


@for_each("seed", range(10))
def test_one_kernel_tensor_of_two_by_two_by_two(seed):
    Z = np.random.default_rng(seed).standard_normal((2, 2, 2))
    found = asked(with_kernel(Z))
    assert found.verdict == (NO if hyperdeterminant(Z) > 0 else UNDECIDED)


def test_the_limit_of_differences_that_is_none():
    """Identifiable in truth; no step proves it, and no step says otherwise."""
    found = asked(with_kernel(W))
    assert (found.rank, found.thresholds) == (7, (4, 8))
    assert found.verdict == UNDECIDED


def test_one_kernel_tensor_with_a_matricization_of_rank_three():
    Z = np.random.default_rng(0).standard_normal((3, 3, 2))
    assert largest_matricization_rank(Z) == 3
    assert asked(with_kernel(Z)).verdict == YES
    assert largest_matricization_rank(W) == 2


@for_each("seed", range(40))
def test_no_verdict_contradicts_the_matrix(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    found = asked(structure)
    dense = lifting_operator(structure).toarray()
    assert found.rank == np.linalg.matrix_rank(dense)
    if found.rank == found.n_columns or found.verdict == YES:
        assert found.verdict == YES
        # random search: no other class fits a product
        random = np.random.RandomState(seed)
        h = structure.draw(random)
        solved = np.linalg.lstsq(dense, structure.product(h).ravel(), rcond=None)[0]
        if found.rank == found.n_columns:
            tensor = solved.reshape(structure.sizes)
            assert_allclose(tensor.ravel(), np.ravel(_outer(h)), atol=1e-8)
    if len(structure.sizes) == 1:
        assert found.verdict == (YES if found.rank == found.n_columns else NO)


def _outer(h):
    found = np.ones(())
    for x in h:
        found = np.multiply.outer(found, x)
    return found


@for_each("seed", range(40))
def test_masks_are_identifiable_where_they_meet_in_single_entries(seed):
    random = np.random.default_rng(seed)
    left, right = random.random((3, 2)) < 0.4, random.random((2, 3)) < 0.4
    left[0, 0] = right[0, 0] = True
    meets = left.any(axis=0).sum() == 1 and right.any(axis=1).sum() == 1
    assert asked([left, right]).verdict == (YES if meets else NO)


@for_each(
    "chain, verdict",
    [
        (Chain.butterfly(2), YES),
        (Chain.butterfly(16), YES),
        (Chain.monarch(6, 8), YES),
        (Chain.low_rank(4, 5, 1), YES),
        (Chain.low_rank(4, 5, 2), NO),
        (Chain.monarch(6, 8, rank=2), NO),
        (Chain.deformable((2, 2, 2), (2, 2, 2), 2), NO),
        (Chain.butterfly(1024), YES),
    ],
)
def test_chains_up_to_diagonals(chain, verdict):
    found = asked(chain, up_to="diagonals")
    assert found.verdict == verdict
    assert verdict == NO or "almost every product" in found.reason or len(chain) == 1
    if len(chain) > 1 and len(chain) < 5 and chain.shape != (4, 5):
        assert asked(chain).verdict == NO


def test_large_chains_take_no_time():
    found = asked(Chain.butterfly(1024))
    assert (found.verdict, found.rank) == (NO, 2**20)
    assert found.n_columns == 2048**10
    assert found.second_solution is not None
    assert "about 1e33" in repr(found)


@for_each("seed", range(40))
def test_two_masks_up_to_diagonals(seed):
    random = np.random.default_rng(seed)
    left, right = random.random((5, 3)) < 0.6, random.random((3, 5)) < 0.6
    left[0], right[:, 0] = True, True
    found = asked([left, right], up_to="diagonals")
    if is_closable(left, right):
        assert found.verdict == YES
    if found.verdict == NO:
        assert found.second_solution is not None
        # no diagonal matrix: ratios within a column of the left factor differ
        h, g = (x[0] for x in found.second_solution)
        columns = np.nonzero(left)[1]
        spread = [np.ptp((g / h)[columns == k]) for k in range(3) if np.sum(columns == k) > 1]
        assert max(spread, default=1) > 1e-6 or _ratios_differ(right, found.second_solution)


def _ratios_differ(right, pair):
    rows = np.nonzero(right)[0]
    h, g = (x[1] for x in pair)
    return any(np.ptp((g / h)[rows == k]) > 1e-6 for k in range(3) if np.sum(rows == k) > 1)


@for_each("scale", [1e-150, 1e150])
def test_units_of_factors_do_not_matter(scale):
    """Neither of a whole factor, nor of single parameters."""
    for kernel in (np.diag([3.0, 2.0, 1.0]), np.diag([3.0, 2.0, 0.0])):
        first, *others = with_kernel(kernel)
        wanted = structure_identifiability([first, *others], random_state=0)
        for weight in (np.full(first.n_parameters, scale), np.array([scale, *first_ones(first)])):
            basis = np.stack([first.matrix(e) for e in np.diag(weight)])
            found = structure_identifiability([linear_factor(basis), *others], random_state=0)
            assert (found.verdict, found.rank) == (wanted.verdict, wanted.rank)
            assert found.jacobian_rank == wanted.jacobian_rank


def first_ones(factor):
    return np.ones(factor.n_parameters - 1)


def test_models_of_parameters_are_left_out_and_named():
    pair = [ToeplitzFactor(3, 2, projection="non-negative"), ToeplitzFactor(2, 3)]
    assert "Projections of parameters are left out" in structure_identifiability(pair).reason


@for_each("seed", range(4))
def test_a_direct_search_finds_no_second_solution_of_what_is_identifiable(seed):
    random = np.random.default_rng(seed)
    factors = with_kernel(random.standard_normal((3, 3)))
    structure = as_structure(factors)
    assert asked(factors).verdict == YES
    for _ in range(10):
        h = [random.standard_normal(3), random.standard_normal(3)]
        goal = structure.product(h).ravel()

        def rest(x, goal=goal):
            return structure.product([x[:3], x[3:]]).ravel() - goal

        found = least_squares(rest, random.standard_normal(6), xtol=1e-15, ftol=1e-15, gtol=1e-15)
        if np.linalg.norm(found.fun) <= 1e-9 * np.linalg.norm(goal):
            assert factor_distance(h, [found.x[:3], found.x[3:]]) <= 1e-5


def test_convolution_trees_are_structures():
    tree = ConvolutionTree([(0, 1), (1, 2)], [[0, 5, 9], [0, 1]], 11)
    found = asked(tree.factors())
    assert (found.verdict, found.rank) == (YES, 6)
    # kernels of edges that share no path: columns that are zero, though each path is determined
    tree = ConvolutionTree([(0, 1), (0, 2), (1, 3), (2, 4)], [[0, 1]] * 2 + [[0, 2]] * 2, 16)
    found = asked(tree.factors())
    assert (found.verdict, found.rank, found.n_columns) == (NO, 8, 16)
    assert "convolution_tree_is_recoverable(tree) is True" in found.reason
    assert "path by path" in found.meaning
    found = asked(SparseDeepLinearNet(tree.factors()), up_to="diagonals")
    assert found.verdict == YES and "every path" in found.reason
    assert "recoverable" not in asked(tree.factors()[:1]).reason
    values = lifting_operator(tree.factors()).singular_values()
    assert_allclose(values, np.full(8, 4.0))


def test_a_tree_whose_paths_are_not_determined_says_so():
    tree = ConvolutionTree([(0, 1), (1, 2), (1, 3)], [[0, 1], [0, 1], [0, 2]], 8)
    found = asked(tree.factors())
    assert found.verdict == NO
    assert "convolution_tree_is_recoverable(tree) is False" in found.reason
    assert asked(tree.factors(), up_to="diagonals").verdict == UNDECIDED


@for_each("seed", range(10))
def test_recoverable_trees_have_no_other_changes_than_diagonals(seed):
    """The derivative has full rank up to the scalings of inner nodes: a check of the verdict."""
    tree = random_tree(np.random.default_rng(seed), bool(seed % 2))
    if not convolution_tree_is_recoverable(tree):
        return
    structure = as_structure(tree.factors())
    found = asked(structure, up_to="diagonals")
    assert found.verdict == YES
    free = n_diagonals(structure, np.random.RandomState(0))
    assert sum(structure.sizes) - found.jacobian_rank == free


def test_a_fixed_factor_is_one_with_one_parameter():
    H = scipy.linalg.hadamard(4) / 2.0
    with pytest.raises(ValueError, match=r"fixed matrix H.*StructuredFactor\(H.shape, 1"):
        structure_identifiability([np.eye(4), H, np.eye(4)])
    fixed = StructuredFactor(H.shape, 1, lambda h: h[0] * H, lambda G: (H * G).sum()[None])
    found = asked([np.eye(4), fixed, np.eye(4)])
    assert (found.verdict, found.rank) == (YES, 16)


def test_single_factors_and_single_entries():
    repeated = linear_factor(np.ones((2, 2, 2)))
    assert asked([repeated]).verdict == NO
    assert asked([ToeplitzFactor(5, 7)]).verdict == YES
    assert asked([np.eye(3)], up_to="diagonals").verdict == YES
    for factors in ([np.ones((1, 1))], [np.ones((1, 1))] * 3, [CirculantFactor(1)] * 3):
        for up_to in ("scalars", "diagonals"):
            assert asked(factors, up_to=up_to).verdict == YES
    never_meets = [np.array([[1, 0]]), np.array([[0], [1]])]
    found = asked(never_meets)
    assert (found.verdict, found.rank) == (NO, 0)
    assert asked(never_meets, up_to="diagonals").verdict == NO


def test_the_two_senses_of_structures_without_diagonals():
    for factors in (
        [ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)],
        [CirculantFactor(3)] * 2,
        [circular([0, 1], 8)] * 2,
    ):
        found = asked(factors, up_to="diagonals")
        assert found.verdict == asked(factors).verdict
        assert "both senses" in found.reason


@for_each(
    "factors",
    [
        [np.eye(8), ToeplitzFactor(8, 8)],
        [np.eye(3), ToeplitzFactor(3, 3)],
        [ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)],
        [circular([0, 1, 3], 16), circular([0, 2, 5], 16)],
    ],
)
def test_a_null_set_proves_nothing_of_almost_every_h(factors):
    assert asked(factors).verdict == NO
    found = asked(factors, up_to="diagonals")
    assert found.verdict == UNDECIDED
    assert "Locally yes" in found.reason and "articular h" in found.reason
    assert found.second_solution is not None
    assert "a particular h" in repr(found)


@for_each("seed", range(5))
def test_almost_every_diagonal_times_toeplitz_is_determined(seed):
    """The lifted equations of one factor, for a random other one, have one line of solutions."""
    random = np.random.default_rng(seed)
    structure = as_structure([np.eye(5), ToeplitzFactor(5, 5)])
    d, t = random.standard_normal(5), random.standard_normal(9)
    product = structure.product([d, t])
    # product_ij / t_(i-j) is the same for all j: linear in the inverses of d, and in t
    rows = [
        np.concatenate([product[i, j] * np.eye(5)[i], -np.eye(9)[i - j + 4]])
        for i in range(5)
        for j in range(5)
    ]
    assert np.linalg.matrix_rank(np.array(rows)) == 13


@for_each(
    "factors, order",
    [
        ([circular([0, 1], 8)] * 2, (0, 1)),
        ([circular([0, 1, 3], 16)] * 2, (0, 1)),
        ([circular([0, 1], 16), circular([0, 2], 16), circular([0, 1], 16)], (0, 2)),
    ],
)
def test_convolutions_of_one_support_are_exchanged(factors, order):
    for up_to in ("scalars", "diagonals"):
        found = asked(factors, up_to=up_to)
        assert found.verdict == NO
        assert f"factors {order[0]} and {order[1]}" in found.reason
        h, g = found.second_solution
        for k, other in zip(order, order[::-1]):
            assert_allclose(h[k], g[other], rtol=0)
        assert "order" in found.meaning and "almost no h" in found.reason


@for_each(
    "structure, named",
    [
        (Chain.butterfly(4), True),
        (Chain.monarch(6, 8), True),
        ([np.ones((2, 5)), np.ones((5, 2))], False),  # more changes than diagonal matrices
        ([CirculantFactor(3)] * 2, False),
        ([np.array([[0, 0, 1]]), np.ones((3, 1))], False),
    ],
)
def test_scalars_name_the_other_sense_where_diagonals_are_the_reason(structure, named):
    assert ("up_to='diagonals'" in asked(structure).meaning) == named


def test_locally_is_said_to_be_local():
    """A diagonal times a dense mask times a Toeplitz factor of one column."""
    random = np.random.default_rng(3)
    masks = [random.random((9, 6)) < 0.5, random.random((6, 6)) < 0.5, random.random((6, 9)) < 0.5]
    found = asked(masks, up_to="diagonals")
    if found.verdict == UNDECIDED:
        assert "locally" in found.reason or "too large" in found.reason
    mixed = [np.ones((4, 1), dtype=bool), np.ones((1, 4), dtype=bool), ToeplitzFactor(4, 4)]
    assert asked(mixed, up_to="diagonals").verdict in (NO, UNDECIDED)


def test_blocks_that_scale_apart():
    """Each block of columns takes a multiple of its own, and each block of rows pays."""
    factors = [CirculantFactor(3, blocks=(2, 2)), np.ones((6, 2), dtype=bool)]
    found = asked(factors, up_to="diagonals")
    assert found.verdict in (NO, UNDECIDED)
    assert "both senses" not in found.reason


@on_any_matrix
def test_estimators_are_asked_in_one_call():
    random = np.random.default_rng(0)
    X, y = random.standard_normal((40, 8)), random.standard_normal((40, 8))
    net = SparseDeepLinearNet([p.mask() for p in Chain.butterfly(8)]).fit(X, y)
    assert asked(net, up_to="diagonals").verdict == YES
    assert asked(net).verdict == NO
    assert asked(SparseDeepLinearNet([ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)])).verdict == YES


def test_the_answer_says_what_it_means():
    found = asked(Chain.butterfly(4))
    text = repr(found)
    for word in ("not identifiable", "16 of 64 columns", "C = 15, D = 28", "rank 12 of 16"):
        assert word in text
    assert "one choice among others" in " ".join(text.split())
    assert "real parameters" in found.reason
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.verdict = YES
    special = asked([ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)])
    assert "share it with none near them" in special.meaning
    assert max(map(len, text.split("\n"))) <= 100


def test_the_same_random_state_gives_the_same_answer():
    first, second = (asked(with_kernel(np.diag([1.0, 1.0, 0.0]))) for _ in range(2))
    for x, y in zip(first.second_solution[0], second.second_solution[0]):
        assert_allclose(x, y, rtol=0, atol=0)
