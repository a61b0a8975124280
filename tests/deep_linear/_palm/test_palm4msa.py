"""PALM4MSA: loss, sets, starts, and the compiled sweeps against the generic ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.linalg import hadamard
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact.butterfly import butterfly_factorize
from skfact.deep_linear import hierarchical_palm, palm4msa
from skfact.deep_linear._factor_sets.factor_set import factor_set
from skfact.exceptions import StructureWarning
from skfact.supports import FixedMask, KroneckerSparse, KSparse, SupportFamily
from tests.asserts import at_most

# these tests are about the steps, not the fit: few steps, few non-zeros, a Gaussian matrix
no_fit = pytest.mark.filterwarnings("ignore:The .* numbers in the factors")
SUPPORTS = {
    "chain": lambda m, n: "butterfly",
    "row and column budgets": lambda m, n: [KSparse(2, axis=(0, 1))] * 3,
    "mixture": lambda m, n: [KSparse(2, axis=0), np.tri(5, 4) > 0, KSparse(2 * n)],
    "kaleidoscope": lambda m, n: [
        KroneckerSparse(1, m, 4, 1),
        KroneckerSparse(2, 2, 2, 1),
        KroneckerSparse(1, 2, 2, 2),
        KSparse(2, axis=1),
    ],
}


def matrix(m, n, is_complex=False, seed=0):
    random = np.random.default_rng(seed)
    A = random.standard_normal((m, n))
    return A + 1j * random.standard_normal((m, n)) if is_complex else A


@no_fit
@at_most(6)
@given(
    st.sampled_from(sorted(SUPPORTS)),
    st.integers(1, 9),
    st.integers(1, 9),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["left-to-right", "right-to-left"]),
)
def test_no_sweep_raises_the_loss(name, m, n, is_complex, at_random, order):
    A = matrix(m, n, is_complex, seed=m + 10 * n)
    operator, losses = palm4msa(
        A,
        SUPPORTS[name](m, n),
        init="random" if at_random else None,
        order=order,
        max_iter=8,
        tol=0,
        random_state=0,
        return_loss=True,
    )
    norm2 = np.linalg.norm(A) ** 2
    assert np.all(np.diff(losses) <= 1e-13 * norm2)
    assert_allclose(np.linalg.norm(A - operator.toarray()) ** 2, losses[-1], atol=1e-12 * norm2)


@pytest.mark.parametrize("n", [4, 16])
def test_hadamard_with_butterfly_supports_is_exact(n):
    operator = palm4msa(hadamard(n), "butterfly")
    assert operator.nnz == 2 * n * (n.bit_length() - 1)
    assert_allclose(operator.toarray(), hadamard(n), atol=1e-12)


@no_fit
def test_factors_stay_in_their_sets_and_share_the_scale():
    supports = [KSparse(3, axis=1), FixedMask(np.tri(6)), KroneckerSparse(2, 3, 3, 1)]
    operator = palm4msa(matrix(8, 6), supports, init="random", max_iter=20, tol=0, random_state=3)
    left, middle, right = (factor.toarray() for factor in operator.factors)
    assert np.count_nonzero(left, axis=1).max() <= 3
    assert not np.any(np.triu(middle, 1))
    assert not np.any(right[~supports[2].mask()])
    norms = [np.linalg.norm(factor) for factor in (left, middle, right)]
    assert_allclose(norms, norms[0])


@no_fit
def test_a_start_at_the_optimum_stays_there():
    A = matrix(8, 8)
    best = butterfly_factorize(A)
    operator, losses = palm4msa(
        A, "butterfly", init=best.factors, max_iter=5, tol=0, return_loss=True
    )
    assert_allclose(losses[0], np.linalg.norm(A - best.toarray()) ** 2)
    assert losses[-1] <= losses[0]
    assert operator.shape == (8, 8)


@no_fit
@pytest.mark.parametrize("name", ["chain", "row and column budgets"])
def test_every_namespace(asarray, name):
    host = matrix(6, 4)
    options = {"max_iter": 6, "tol": 0}
    A = asarray(host)
    operator = palm4msa(A, SUPPORTS[name](6, 4), **options)
    expected = palm4msa(host, SUPPORTS[name](6, 4), **options).toarray()
    assert array_namespace(operator.toarray()) is array_namespace(A)
    assert operator.toarray().dtype == A.dtype
    assert_allclose(to_numpy(operator.toarray()), expected, atol=1e-9)
    assert_allclose(to_numpy(A), host)


@no_fit
@pytest.mark.parametrize("factor", [2.0**-490, 3.0, 2.0**490])
def test_scale_of_the_matrix_is_that_of_the_result(factor):
    A = matrix(8, 8)
    usual = palm4msa(A, "butterfly", max_iter=3, tol=0).toarray()
    scaled = palm4msa(A * factor, "butterfly", max_iter=3, tol=0).toarray()
    assert_allclose(scaled / factor, usual, rtol=1e-9, atol=1e-9)


@no_fit
@pytest.mark.parametrize("supports", ["butterfly", [KSparse(2)] * 2])
@pytest.mark.parametrize("A", [np.zeros((4, 4)), np.ones((1, 1)), np.ones((4, 4))])
def test_degenerate_matrices(A, supports):
    operator = palm4msa(A, supports)
    assert np.all(np.isfinite(operator.toarray()))
    assert np.linalg.norm(A - operator.toarray()) <= np.linalg.norm(A) + 1e-12


def test_masks_without_a_diagonal_have_a_start():
    off = ~np.eye(8, dtype=bool)
    A = matrix(8, 8)
    shifted = np.roll(A, 1, axis=1)
    for supports in ([np.ones((8, 8)), np.roll(np.eye(8), 1, axis=1)], [off, off]):
        operator = palm4msa(shifted, supports, max_iter=60, tol=0)
        assert np.linalg.norm(operator.toarray() - shifted) <= 0.1 * np.linalg.norm(A)


@no_fit
def test_same_seed_same_bits_and_other_seed_other_start():
    A, supports = matrix(6, 6), [KSparse(12)] * 2
    runs = [
        palm4msa(A, supports, init="random", max_iter=2, tol=0, random_state=seed).toarray()
        for seed in (0, 0, 1)
    ]
    assert np.array_equal(runs[0], runs[1])
    assert not np.allclose(runs[0], runs[2])


@no_fit
def test_unfinished_runs_warn_and_verbose_prints(capsys):
    with pytest.warns(ConvergenceWarning, match="2 sweeps"):
        palm4msa(matrix(8, 8), "butterfly", max_iter=2, verbose=1)
    assert capsys.readouterr().out.count("sweep") == 2


@no_fit
@pytest.mark.parametrize("function", [palm4msa, hierarchical_palm])
@pytest.mark.parametrize("dtype", ["float64", "float32", "complex128"])
def test_all_factors_have_the_same_norm(function, dtype):
    A = matrix(8, 8, dtype == "complex128").astype(dtype)
    budgets = [KSparse(30), KSparse(29), KSparse(28)]
    sizes = (0, 2.0**-60, 1e-20, 1, 3, 2.0**61, 1e25)
    for size in (*sizes, *((1e150, 2.0**-500, 1e-300) if dtype == "float64" else ())):
        operator = function(A * A.dtype.type(size), budgets, max_iter=3, tol=0)
        norms = [np.linalg.norm(factor.toarray()) for factor in operator.factors]
        assert_allclose(norms, norms[0], rtol=1e-5 if dtype == "float32" else 1e-12)
        assert bool(norms[0]) == bool(size)


def test_masks_that_meet_only_in_their_middle_are_reached_from_the_usual_start():
    left, right = np.zeros((6, 6)), np.zeros((6, 6))
    left[:2, 5] = left[4, 0] = 1  # rows 0 and 5 of the right mask: one of them is not matched
    right[1:3, 3] = right[3:, 0] = right[4, 1] = 1
    A = np.zeros((6, 6))
    A[:2, 0] = 3, -1
    for order in ("left-to-right", "right-to-left"):
        operator = palm4msa(A, [left, right], order=order)
        assert_allclose(operator.toarray(), A, atol=1e-12)
    A = np.array([[0.0, 1, 2]])  # zero where an identity looks
    found = palm4msa(A, [KSparse(1), KSparse(2)], inner_sizes=[1])
    assert_allclose(found.toarray(), A)


def test_factors_of_no_use_are_named():
    with pytest.warns(StructureWarning, match="relative error of 0.*Try larger supports") as caught:
        palm4msa(matrix(8, 8), [KSparse(5)] * 2, max_iter=100)
    assert caught[0].filename == __file__
    with pytest.warns(StructureWarning, match="save nothing on its 1024.*Try smaller supports"):
        palm4msa(matrix(32, 32), [KSparse(1024)] * 2, max_iter=2, tol=0)
    with pytest.warns(StructureWarning, match="whose product is zero"):
        palm4msa(matrix(2, 2), [np.array([[1, 0], [0, 0]]), np.array([[0, 0], [1, 1]])])
    palm4msa(np.zeros((32, 32)), "butterfly")


@pytest.mark.parametrize(
    "arguments, options, error, message",
    [
        ((np.full((4, 4), np.nan), "butterfly"), {}, ValueError, "NaN"),
        ((np.ones((4, 4)), []), {}, ValueError, "supports is empty"),
        ((np.ones((4, 4)), KSparse(2)), {}, TypeError, "a list with one"),
        ((np.ones((4, 4)), [np.ones((3, 4))]), {}, ValueError, "3 rows, where A has 4"),
        ((np.ones((4, 4)), [np.ones((4, 2)), np.ones((3, 4))]), {}, ValueError, "must chain"),
        ((np.ones((4, 4)), ["x"]), {}, TypeError, r"supports\[0\] must be"),
        ((np.ones((4, 4)), [KSparse(1)] * 2), {"inner_sizes": [2, 2]}, ValueError, "1 gaps"),
        ((np.ones((4, 4)), "butterfly"), {"inner_sizes": [2]}, ValueError, "inner_sizes goes"),
        ((np.ones((4, 4)), "butterfly"), {"order": "up"}, ValueError, "order must be"),
        ((np.ones((4, 4)), "butterfly"), {"init": "zero"}, ValueError, "init must be"),
        ((np.ones((4, 4)), "butterfly"), {"init": [np.eye(4)]}, ValueError, "2 matrices"),
        ((np.ones((4, 4)), "butterfly"), {"init": [np.eye(3)] * 2}, ValueError, r"init\[0\] has"),
        ((np.ones((4, 4)), "butterfly"), {"init": [1j * np.eye(4)] * 2}, TypeError, "is complex"),
        ((np.ones((4, 4)), "butterfly"), {"max_iter": 0}, ValueError, "max_iter"),
        ((np.ones((4, 4)), "butterfly"), {"tol": -1.0}, ValueError, "tol"),
        ((np.ones((4, 4)), "butterfly"), {"verbose": -1}, ValueError, "verbose"),
        ((np.ones((4, 4)), "butterfly"), {"return_loss": "no"}, TypeError, "return_loss must be"),
        ((np.ones((4, 4)), "butterfly"), {"return_loss": np.nan}, TypeError, "return_loss must be"),
        ((np.ones((4, 4)), [KSparse(9)] * 3), {"inner_sizes": {3, 4}}, TypeError, "inner_sizes"),
        ((np.ones((4, 4)), {KSparse(9)}), {}, TypeError, "supports must be"),
    ],
)
def test_wrong_arguments_are_refused(arguments, options, error, message):
    with pytest.raises(error, match=message):
        palm4msa(*arguments, **options)


@pytest.mark.parametrize("order", ["left-to-right", "right-to-left"])
def test_each_factor_of_a_hadamard_matrix_finds_its_pattern(order):
    """From a family of all three patterns, in no order of its own."""
    patterns = [KroneckerSparse(a, 2, 2, 4 // a) for a in (4, 1, 2)]
    family = SupportFamily(patterns)
    for operator in (
        palm4msa(hadamard(8), [family] * 3, order=order),
        hierarchical_palm(hadamard(8), [family] * 3),
    ):
        assert_allclose(operator.toarray(), hadamard(8), atol=1e-10)
        supports = [factor.to_csr().toarray() != 0 for factor in operator.factors]
        assert {FixedMask(support) for support in supports} == {
            FixedMask(pattern.mask()) for pattern in patterns
        }


def test_random_starts_on_a_family_take_all_its_members():
    """Not only the one with most entries, which is nearest to a normal matrix."""
    family = SupportFamily([np.eye(6), np.tri(6), np.tri(6).T])
    one = factor_set(family, (6, 6))
    random, normal = np.random.RandomState(0), np.random.default_rng(0).standard_normal((6, 6))
    drawn = [one.drawn(normal, random) for _ in range(20)]
    assert {FixedMask(matrix != 0) for matrix in drawn} == set(family.members)
    masked = FixedMask(np.eye(6))
    assert factor_set(masked, (6, 6)).drawn(normal, random) is normal
