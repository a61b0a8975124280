"""The best pair of a family, and the bounds that spare the search others."""

import pickle
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skfact import FixedSupportMF
from skfact._backend import to_numpy
from skfact.exceptions import IllPosedWarning, StructureWarning
from skfact.fixed_support import FAMILIES, analyze_supports, fixed_support_factorize
from skfact.fixed_support._problem import Problem
from skfact.fixed_support._solvers.family import lower_bound
from skfact.supports import KroneckerSparse, SupportFamily
from tests.arrays import DTYPES
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.fixed_support.independent import check_factors, descend, random_masks, random_matrix
from tests.fixed_support.seeds import over_seeds

anyhow = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::skfact.exceptions.IllPosedWarning",
    "ignore::skfact.exceptions.StructureWarning",
)
GROUPS = np.repeat(np.eye(2), 2, axis=0)  # rows {0, 1} and {2, 3}
ORDERS = ([0, 1, 2, 3], [0, 2, 1, 3], [0, 2, 3, 1])
PAIRS = [(GROUPS[order], GROUPS[order].T) for order in ORDERS]


def family_for(random, m, n, kinds):
    """Pairs of masks of every kind, and of one shape."""
    pairs = []
    while len(pairs) < 5:
        left, right = random_masks(random, kinds[len(pairs) % len(kinds)])
        if left.any() and right.any():
            rows, columns = (
                random.integers(left.shape[0], size=m),
                random.integers(right.shape[1], size=n),
            )
            pairs.append((left[rows], right[:, columns]))
    return pairs


@anyhow
@over_seeds(12)
def test_the_best_pair_is_that_of_all_pairs_solved_one_by_one(seed):
    random = np.random.default_rng(seed)
    kinds = [["disjoint", "complete"], ["disjoint", "anything"]][seed % 2]
    pairs = family_for(random, 6, 5, kinds)
    A = random_matrix(random, 6, 5, is_complex=seed % 3 == 0)
    alone = [fixed_support_factorize(A, *pair, random_state=0) for pair in pairs]
    found = fixed_support_factorize(A, SupportFamily(pairs), random_state=0)
    best, losses = alone[found.family_index], np.array([one.loss for one in alone])
    check_factors(found, A, *pairs[found.family_index])
    assert_allclose(found.left, best.left)
    assert_allclose(found.loss, losses.min(), rtol=1e-9, atol=1e-12)
    solved = ~np.isnan(found.family_losses)
    assert solved[found.family_index]
    assert_allclose(found.family_losses[solved], losses[solved], rtol=1e-9, atol=1e-12)
    if found.optimal:  # no factors on any pair are better
        others = [descend(A, left, right, random, n_starts=1) for left, right in pairs]
        assert found.loss <= min(others) * (1 + 1e-9) + 1e-9
    else:
        assert not all(one.optimal for one in alone)


@anyhow
@over_seeds(2)
def test_the_best_pair_for_weights_and_signs(seed):
    random = np.random.default_rng(seed)
    pairs = family_for(random, 6, 5, ["disjoint", "complete"])
    A, weights = np.abs(random_matrix(random, 6, 5)), random.uniform(0, 1e8, (6, 5))
    for options in ({"entry_weight": weights}, {"positive": True}):
        options = {**options, "max_iter": 2000}  # nothing is random
        alone = [fixed_support_factorize(A, *pair, **options) for pair in pairs]
        losses = np.array([one.loss for one in alone])
        found = fixed_support_factorize(A, SupportFamily(pairs), **options)
        close = {"rtol": 1e-9, "atol": 1e-12 * np.sum(options.get("entry_weight", 1) * A**2)}
        assert_allclose(found.loss, losses.min(), **close)
        solved = ~np.isnan(found.family_losses)
        assert_allclose(found.family_losses[solved], losses[solved], **close)


@over_seeds(60)
def test_no_factors_have_a_loss_below_the_bound(seed):
    random = np.random.default_rng(seed)
    left, right = random_masks(random, ["disjoint", "complete", "anything"][seed % 3])
    A = random_matrix(random, left.shape[0], right.shape[1], is_complex=seed % 2 == 0)
    problem = Problem(A, analyze_supports(left, right))
    bounds = [lower_bound(problem, with_rank) for with_rank in (False, True)]
    assert bounds[0] <= bounds[1] * (1 + 1e-12)
    best = descend(A, left, right, random, n_starts=3)
    assert bounds[1] <= best * (1 + 1e-9) + 1e-12
    holes = random.random(A.shape) < 0.3
    outside = ~((left.astype(int) @ right.astype(int)) > 0)
    for weights in ((~holes).astype(float), random.uniform(0, 2, A.shape) * ~holes):
        weighted = Problem(np.where(holes, 0, A), problem.report, weights=weights)
        expected = np.sum((weights * np.abs(A) ** 2)[outside])
        assert_allclose(lower_bound(weighted, True), expected)


def test_bounds_are_reached_by_dense_supports_and_by_one_entry_for_each_component():
    A = random_matrix(np.random.default_rng(0), 5, 6)
    dense = Problem(A, analyze_supports(np.ones((5, 2)), np.ones((2, 6))))
    assert_allclose(lower_bound(dense, True), np.sum(np.linalg.svd(A)[1][2:] ** 2))
    diagonal = Problem(A, analyze_supports(np.eye(5), np.eye(5, 6)))
    assert_allclose(lower_bound(diagonal, False), np.sum(A**2) - np.sum(np.diag(A) ** 2))


def test_a_planted_pair_is_found_and_the_others_are_skipped():
    A = np.zeros((4, 4))
    A[np.ix_([0, 3], [0, 3])], A[np.ix_([1, 2], [1, 2])] = np.outer([1, 2], [3, 4]), 2.0
    found = fixed_support_factorize(A, SupportFamily(PAIRS))
    assert found.family_index == 2 and found.optimal
    assert_array_equal(np.isnan(found.family_losses), [True, True, False])
    assert_allclose(found.left @ found.right, A, atol=1e-14)
    assert "pair 2 of 3, 2 skipped by a bound" in repr(found)
    alone = fixed_support_factorize(A, *PAIRS[2])
    assert alone.family_index is None and alone.family_losses is None and "pair" not in repr(alone)


@on_any_matrix
def test_of_equal_pairs_the_first_counts():
    A = random_matrix(np.random.default_rng(0), 4, 4)
    for matrix in (A, np.diag([1.0, 2, 3, 4]), np.zeros((4, 4))):
        pair = PAIRS[1]
        found = fixed_support_factorize(matrix, SupportFamily([pair, pair, pair]))
        assert found.family_index == 0
    eye = np.eye(4)  # exact by both, of which the second is tried first
    chain = [(np.tri(4), np.tri(4).T), (eye, eye)]
    found = fixed_support_factorize(np.diag([1.0, 2, 3, 4]), SupportFamily(chain), random_state=0)
    assert found.family_index == 0 and found.relative_error < 1e-6


def test_optimal_is_said_of_the_whole_family():
    """A pair without a closed form, which a bound does not leave out, leaves it open."""
    A = random_matrix(np.random.default_rng(1), 4, 4)
    lower, block = np.tri(4), (np.ones((4, 2)), np.ones((2, 4)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = fixed_support_factorize(A, SupportFamily([block, (lower, lower.T)]), random_state=0)
    assert not found.optimal
    exact = np.outer([1.0, 2, 3, 4], [1, 1, 2, 2])  # on the block: nothing is better than zero
    found = fixed_support_factorize(exact, SupportFamily([block, (lower, lower.T)]))
    assert found.optimal and found.family_index == 0 and np.isnan(found.family_losses[1])
    thin = np.diag([1.0, 1, 1, 1])[:, :2]  # rank two and off the diagonal: both bounds are large
    A = random_matrix(np.random.default_rng(2), 4, 4)
    few = (thin + np.eye(4, 2, k=-1), thin.T + np.eye(2, 4, k=1))
    full = (np.ones((4, 4)), np.ones((4, 4)))
    found = fixed_support_factorize(A, SupportFamily([few, full]))
    assert found.optimal and found.family_index == 1 and np.isnan(found.family_losses[0])


@on_any_matrix
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library_and_precision(asarray, dtype):
    host = random_matrix(np.random.default_rng(0), 4, 4, "complex" in dtype).astype(dtype)
    given = asarray(host)
    family = SupportFamily([*PAIRS, (np.ones((4, 1)), np.ones((1, 4)))])
    found, reference = (fixed_support_factorize(A, family) for A in (given, host))
    assert found.family_index == reference.family_index
    assert_like(found.left, given)
    product = to_numpy(found.left) @ to_numpy(found.right)
    assert_allclose(product, reference.left @ reference.right, atol=1e3 * np.finfo(dtype).eps)
    assert_array_equal(to_numpy(given), host)


@on_any_matrix
@for_each("scale", [1e-300, 1e-150, 1e150, 1e300])
def test_any_magnitude(scale):
    A = random_matrix(np.random.default_rng(3), 4, 4)
    usual, found = (fixed_support_factorize(x, SupportFamily(PAIRS)) for x in (A, scale * A))
    assert found.family_index == usual.family_index
    assert_allclose(
        (found.left / scale**0.5) @ (found.right / scale**0.5), usual.left @ usual.right
    )
    assert_allclose(found.error, scale * usual.error)
    assert_array_equal(np.isnan(found.family_losses), np.isnan(usual.family_losses))


def test_zero_rank_deficient_and_one_entry():
    column = (np.ones((4, 1)), np.ones((1, 4)))
    for A in (np.zeros((4, 4)), np.ones((4, 4))):
        found = fixed_support_factorize(A, SupportFamily([*PAIRS, column]))
        assert found.loss < 1e-20 and found.optimal
    family = SupportFamily([([[0]], [[1]]), ([[1]], [[1]])])
    assert fixed_support_factorize([[3.0]], family).family_index == 1


def test_families_of_one_factor_stand_beside_all_of_the_other():
    A = PAIRS[1][0] @ np.diag([2.0, 3.0]) @ PAIRS[2][1]
    lefts, rights = (SupportFamily([pair[side] for pair in PAIRS]) for side in (0, 1))
    found = fixed_support_factorize(A, lefts, rights)
    assert divmod(found.family_index, 3) == (1, 2) and len(found.family_losses) == 9
    assert found.loss < 1e-25
    one = fixed_support_factorize(A, PAIRS[1][0], rights)
    assert one.family_index == 2 and one.loss < 1e-25
    free = fixed_support_factorize(A, None, rights)
    assert free.family_index == 2 and free.left.shape == (4, 2)
    pattern = KroneckerSparse(2, 2, 1, 1)  # that of GROUPS
    assert fixed_support_factorize(PAIRS[0][0] @ PAIRS[0][1], pattern, rights).family_index == 0


@anyhow
def test_missing_entries_and_a_penalty():
    random = np.random.default_rng(5)
    truth = PAIRS[1][0] @ random.standard_normal((2, 6))
    rights = np.ones((2, 6))
    family = SupportFamily([(pair[0], rights) for pair in PAIRS])
    holes = np.where(random.random(truth.shape) < 0.15, np.nan, truth)
    found = fixed_support_factorize(holes, family, missing_values=np.nan, random_state=0)
    assert found.family_index == 1 and not found.optimal and found.relative_error < 1e-3
    ridge = fixed_support_factorize(truth, family, alpha=0.01)
    assert ridge.family_index == 1 and ridge.optimal
    alone = [fixed_support_factorize(truth, *pair, alpha=0.01).loss for pair in family.members]
    assert_allclose(ridge.loss, min(alone))


def test_exact_asks_for_a_closed_form_of_every_pair():
    lower = np.tri(4)
    family = SupportFamily([PAIRS[0], (lower, lower.T)])
    with pytest.raises(ValueError, match="no closed form: pair 1 of the family: beside"):
        fixed_support_factorize(np.eye(4), family, solver="exact")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IllPosedWarning)
        slow = fixed_support_factorize(np.ones((4, 4)), family, solver="alternating")
    assert not slow.optimal and slow.solver == "alternating"


def planted_table(seed=0):
    """Samples in three groups of features, which are not neighbours."""
    random = np.random.default_rng(seed)
    groups = np.eye(3)[:, [0, 1, 2, 0, 1, 2, 0, 1, 2]]
    return random.standard_normal((30, 3)) @ (groups * random.uniform(1, 2, (3, 9))), groups


def test_the_estimator_chooses_a_pair():
    X, groups = planted_table()
    neighbours = FAMILIES["disjoint-groups"](30, 9, 3)[1]
    family = SupportFamily([(None, neighbours), (None, groups)])
    model = FixedSupportMF(supports=family).fit(X)
    assert model.family_index_ == 1 and model.optimal_ and model.family_losses_[0] > 1
    assert_allclose(model.inverse_transform(model.transform(X)), X)
    assert_array_equal(model.components_ != 0, groups > 0)
    both = FixedSupportMF(3, supports=(None, SupportFamily([neighbours, groups]))).fit(X)
    assert_allclose(both.components_, model.components_)
    rows = np.ones((30, 3), dtype=bool)
    assert FixedSupportMF(supports=family).fit(X, left_support=rows).family_index_ == 1
    assert FixedSupportMF(supports=(None, groups)).fit(X).family_index_ is None
    for copied in (clone(model).fit(X), pickle.loads(pickle.dumps(model))):
        assert copied.family_index_ == 1 and copied.supports == family
        assert_allclose(copied.components_, model.components_)


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
def test_families_go_into_a_grid_search():
    X, groups = planted_table(1)
    neighbours = FAMILIES["disjoint-groups"](30, 9, 3)[1]
    options = [(None, neighbours), SupportFamily([(None, neighbours), (None, groups)])]
    search = GridSearchCV(FixedSupportMF(), {"supports": options}, cv=3).fit(X)
    assert search.best_params_["supports"] is options[1] or search.best_index_ == 1
    assert search.best_score_ > 0.999


def test_the_warning_is_about_the_pair_that_was_kept():
    A = random_matrix(np.random.default_rng(0), 32, 32)
    tiles = FAMILIES["butterfly"](32, 32, 4)
    with pytest.warns(StructureWarning, match="relative error"):
        fixed_support_factorize(A, SupportFamily([tiles, tiles]))


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
def test_weights_and_signs_of_a_family():
    """The best of its pairs, each factored alone; losses are weighted."""
    random = np.random.default_rng(0)
    A, weights = random.random((8, 6)), 1e-3 * random.uniform(0.1, 3, (8, 6))
    pairs = [(np.ones((8, 2)), random.random((2, 6)) < 0.7) for _ in range(4)]
    options = {"positive": True, "entry_weight": weights, "alpha": 1e-5}
    found = fixed_support_factorize(A, SupportFamily(pairs), **options)
    losses = [fixed_support_factorize(A, *pair, **options).loss for pair in pairs]
    assert found.left.min() >= 0 and found.right.min() >= 0
    assert found.family_index == np.argmin(losses)
    assert_allclose(found.loss, min(losses))
    seen = ~np.isnan(found.family_losses)
    assert_allclose(found.family_losses[seen], np.array(losses)[seen])
