"""The search for supports: what it keeps, what it finds, and where PALM stays behind."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import to_numpy
from skfact._stopping import Stopping
from skfact.deep_linear import CirculantFactor, ToeplitzFactor, explore_supports, palm4msa
from skfact.deep_linear._factor_sets.resolve import resolve_linear_or_budgets
from skfact.deep_linear._palm.exploration import Exploration
from skfact.exceptions import StructureWarning
from skfact.fixed_support import fixed_support_factorize
from skfact.supports import FixedMask, KroneckerSparse, KSparse, SupportFamily
from tests.arrays import DTYPES, FEW, gaussian
from tests.asserts import assert_like, for_each

anyhow = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore::skfact.exceptions.StructureWarning",
)
KINDS = {
    "budgets": [KSparse(2, axis=0), KSparse(9), KSparse(2, axis=1)],
    "families": [SupportFamily([np.tri(6), np.tri(6).T, KSparse(8)]), KSparse(2, axis=1)],
    "a mask and a budget": [np.tri(6), KSparse(12)],
    "a structure and a budget": [CirculantFactor(6), KSparse(2, axis=0)],
    "a pattern and a budget": [KroneckerSparse(2, 3, 3, 1), KSparse(10)],
}


def error(operator, A):
    return np.linalg.norm(operator.toarray() - A) / np.linalg.norm(A)


def planted_family(n, n_factors, seed):
    """A product of factors on one of three random supports each, and these families."""
    random = np.random.default_rng(seed)
    sets, chosen, A = [], [], np.eye(n)
    for _ in range(n_factors):
        diagonals = [np.eye(n, dtype=bool)[random.permutation(n)] for _ in range(3)]
        masks = [(random.random((n, n)) < 1.5 / n) | diagonal for diagonal in diagonals]
        sets.append(SupportFamily(masks))
        chosen.append(int(random.integers(3)))
        A = A @ (masks[chosen[-1]] * random.uniform(1, 2, (n, n)) * random.choice([-1, 1], (n, n)))
    return A, sets, chosen


def is_on(operator, sets, chosen):
    """Whether all factors lie on the planted supports."""
    factors = [factor.toarray() for factor in operator.factors]
    found = [family.nearest(factor) for factor, family in zip(factors, sets, strict=True)]
    for factor, family, k in zip(factors, sets, found, strict=True):
        assert not factor[~family.members[k].mask()].any()
    return found == chosen


@anyhow
@pytest.mark.parametrize("is_complex", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_no_sweep_raises_the_loss_and_factors_stay_in_their_sets(kind, is_complex):
    A = gaussian(np.random.default_rng(0), (6, 6), "complex128" if is_complex else "float64")
    sets = resolve_linear_or_budgets(KINDS[kind], A.shape, A)
    random = np.random.default_rng(1)
    values = [one.project(gaussian(random, one.values_shape, A.dtype)) for one in sets]
    given = [value.copy() for value in values]
    state, losses = Exploration(A, sets, values), []
    for _ in range(8):
        losses.append(state.loss)
        state.run(Stopping(1, 0.0))
        for one, value in zip(sets, state.values, strict=True):
            assert_allclose(one.project(value), value)
        product = np.linalg.multi_dot([one.dense(v) for one, v in zip(sets, state.values)])
        assert_allclose(state.loss, np.linalg.norm(A - product) ** 2)
    assert np.all(np.diff(losses) <= 1e-9 * losses[0])
    assert losses[-1] < 0.99 * losses[0]
    for value, before in zip(values, given, strict=True):
        assert_array_equal(value, before)


@pytest.mark.parametrize("is_complex", [False, True])
def test_values_on_a_support_are_those_of_least_squares(is_complex):
    random, dtype = np.random.default_rng(0), "complex128" if is_complex else "float64"
    A = gaussian(random, (5, 4), dtype)
    left, right = gaussian(random, (5, 3), dtype), gaussian(random, (3, 4), dtype)
    right = KSparse(6).project(right)
    sets = resolve_linear_or_budgets([np.ones((5, 3)), KSparse(6)], A.shape, A)
    state = Exploration(A, sets, [left.ravel(), right])
    left = sets[0].dense(state.values[0])
    found, residual = state._fitted(1, state.values[1], state.residual)
    i, j = np.nonzero(right)
    columns = [(left[:, [a]] * (np.arange(4) == b)).ravel() for a, b in zip(i, j, strict=True)]
    best = np.linalg.lstsq(np.stack(columns, axis=1), A.ravel())[0]
    assert_allclose(found[i, j], best, rtol=1e-6)
    assert_allclose(residual, A - left @ found, atol=1e-10)
    assert_array_equal(found != 0, right != 0)


@anyhow
@for_each("n, n_factors, n_palm", [(8, 2, 1), (16, 2, 1), (16, 3, 4), (32, 2, 1)])
def test_planted_supports_of_a_family_are_found_where_palm_keeps_others(n, n_factors, n_palm):
    """Of all problems all but one, and more than by PALM from identities, or the best of starts."""
    ours, palm, count = 0, 0, 2 if FEW else 4
    for seed in range(count):
        A, sets, chosen = planted_family(n, n_factors, seed)
        found = explore_supports(A, sets, n_init=10, random_state=0)
        ours += is_on(found, sets, chosen) and error(found, A) < 0.2
        tries = [palm4msa(A, sets)]
        for start in range(n_palm - 1):
            tries.append(palm4msa(A, sets, init="random", random_state=start, max_iter=100))
        best = min(tries, key=lambda one: error(one, A))
        palm += is_on(best, sets, chosen) and error(best, A) < 0.2
    assert ours >= count - 1 and ours > palm, (ours, palm)


@anyhow
def test_sparse_principal_components_are_found_more_often_than_by_palm():
    """Samples of three components with three features each, and noise."""
    ours = palm = 0
    for seed in range(10):
        random = np.random.default_rng(seed)
        loadings = KSparse(3, axis=1).project(random.standard_normal((3, 12)))
        X = random.standard_normal((50, 3)) * [3, 2, 1] @ loadings
        X = X + 0.05 * random.standard_normal((50, 12))
        sets = [np.ones((50, 3)), KSparse(3, axis=1)]
        planted = {*map(tuple, loadings != 0)}
        found = [explore_supports(X, sets, random_state=0), palm4msa(X, sets)]
        hits = [{*map(tuple, one.factors[1].to_csr().toarray() != 0)} == planted for one in found]
        ours, palm = ours + hits[0], palm + hits[1]
    assert ours >= 5 and ours > palm, (ours, palm)


@anyhow
def test_more_starts_are_never_worse():
    A = np.random.default_rng(0).standard_normal((8, 8))
    sets = [KSparse(2, axis=(0, 1))] * 2
    few, many = (
        explore_supports(A, sets, n_init=n, random_state=3, return_loss=True)[1] for n in (2, 5)
    )
    assert_array_equal(many[:2], few)
    operator, losses = explore_supports(A, sets, n_init=5, random_state=3, return_loss=True)
    assert_array_equal(losses, many)
    assert np.linalg.norm(operator.toarray() - A) ** 2 <= losses.min() * (1 + 1e-9)


@anyhow
@for_each("seed", range(4))
def test_two_tractable_masks_end_at_the_optimum(seed):
    random = np.random.default_rng(seed)
    A = random.standard_normal((6, 8))
    left, right = np.repeat(np.eye(3), 2, axis=0), np.repeat(np.eye(3), [4, 2, 2], axis=1)
    exact = fixed_support_factorize(A, left, right)
    found = explore_supports(A, [left, right], n_init=2, tol=1e-10, random_state=0)
    assert_allclose(error(found, A), exact.relative_error, rtol=1e-6)


@anyhow
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_library_and_precision(asarray, dtype):
    random = np.random.default_rng(0)
    sets = [SupportFamily([np.tri(5, 4), np.tri(5, 4)[::-1]]), KSparse(2, axis=0)]
    left, right = gaussian(random, (5, 4), dtype), gaussian(random, (4, 6), dtype)
    host = sets[0].project(left) @ sets[1].project(right)
    A = asarray(host)
    options = {"n_init": 2, "max_iter": 5, "random_state": 0}
    found, reference = (explore_supports(matrix, sets, **options) for matrix in (A, host))
    assert_like(found.toarray(), A)
    assert_allclose(to_numpy(found.toarray()), reference.toarray(), atol=1e4 * np.finfo(dtype).eps)
    assert_array_equal(to_numpy(A), host)


@anyhow
@for_each("exponent", [-1000, -500, 500, 1000])
def test_any_magnitude(exponent):
    A, sets, _ = planted_family(8, 2, 0)
    usual, found = (
        explore_supports(matrix, sets, n_init=3, random_state=0)
        for matrix in (A, np.ldexp(A, exponent))
    )
    assert_allclose(np.ldexp(found.toarray(), -exponent), usual.toarray(), atol=1e-7)


def test_zero_and_one_entry():
    sets = [KSparse(3), KSparse(2, axis=1)]
    operator, losses = explore_supports(np.zeros((3, 3)), sets, return_loss=True, random_state=0)
    assert_allclose(operator.toarray(), 0, atol=1e-8)
    one = explore_supports([[-4.0]], [KSparse(1), KSparse(1)], random_state=0)
    assert_allclose(one.toarray(), [[-4.0]])
    assert_allclose(*(abs(factor.to_csr().toarray()) for factor in one.factors))


def test_what_is_of_no_use_or_not_at_its_end_is_said():
    A = np.random.default_rng(0).standard_normal((8, 8))
    with pytest.warns(StructureWarning, match="relative error"), pytest.warns(ConvergenceWarning):
        explore_supports(A, [KSparse(4), KSparse(4)], n_init=1, max_iter=1, random_state=0)
    A, sets, _ = planted_family(8, 2, 1)
    explore_supports(A, sets, n_init=12, max_iter=1, tol=0, random_state=0)  # asked for, no word


@anyhow
def test_progress(capsys):
    A, sets, _ = planted_family(8, 2, 2)
    explore_supports(A, sets, n_init=2, verbose=1, random_state=0)
    assert "[explore_supports] start 1, relative error" in capsys.readouterr().out


@anyhow
def test_structures_stay_structures():
    random = np.random.default_rng(0)
    A = ToeplitzFactor(6, 6).matrix(random.standard_normal(11)) @ np.diag(random.uniform(1, 2, 6))
    found = explore_supports(A, [ToeplitzFactor(6, 6), FixedMask(np.eye(6))], random_state=0)
    assert error(found, A) < 1e-3
