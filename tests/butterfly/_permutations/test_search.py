"""The search for permutations: what it finds, and what it says it found."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize, split_errors
from skfact.butterfly._factorize import factorize
from skfact.butterfly._permutations.levels import Effort, descend
from skfact.butterfly._permutations.search import noise_error, search_permutations
from skfact.datasets import make_butterfly
from skfact.exceptions import StructureWarning
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each
from tests.butterfly.chains import member

RADIX_FOUR = Chain.deformable((4, 4), (4, 4))


def shuffled(A, noise=0.0, seed=0):
    """A matrix with noise of that relative norm, rows and columns in random orders."""
    random = np.random.default_rng(seed)
    E = gaussian(random, A.shape, A.dtype)
    A = A + (noise * np.linalg.norm(A) / np.linalg.norm(E)) * E
    return A[random.permutation(len(A))][:, random.permutation(A.shape[1])]


def matrix(kind, n, seed):
    if kind == "DFT":
        return np.fft.fft(np.eye(n))
    if kind == "Hadamard":
        return hadamard(n, dtype=float)
    if kind == "butterfly":
        return make_butterfly(n, random_state=seed)[0]
    return member(np.random.default_rng(seed), Chain.butterfly(n))


def error_of(A, found, supports="butterfly", **how):
    pair = found.rows, found.cols
    return factorize(A, supports, permutation=pair, **how).relative_error


@for_each(
    "kind, n, noise",
    [
        *[(kind, 32, noise) for kind in ("DFT", "Hadamard", "butterfly") for noise in (0, 0.1)],
        *[(kind, 64, 0.01) for kind in ("butterfly", "normal values")],
        *[(kind, 16, 0.01) for kind in ("DFT", "Hadamard", "normal values")],
        *[(kind, n, 0) for kind in ("DFT", "butterfly", "normal values") for n in (12, 30, 60)],
        ("Hadamard", 64, 0.1),
    ],
)
def test_shuffled_products_are_found(kind, n, noise):
    for seed in range(2):
        A = shuffled(matrix(kind, n, seed), noise, seed)
        found = search_permutations(A, random_state=0)
        assert found.found
        assert found.error <= max(1.3 * noise, 1e-13)
        assert_allclose(found.error, error_of(A, found), atol=1e-14)


@for_each(
    "chain",
    [
        Chain.deformable((2, 3, 2), (3, 2, 2)),
        Chain.deformable((4, 2, 2), (2, 2, 2)),
        Chain.deformable((2, 2, 3), (3, 4, 3)),
        Chain.monarch(12, 20),
        Chain.low_rank(7, 5, 1),
        Chain.deformable((2, 2, 2, 2), (2, 2, 1, 2)),  # a pair of neighbours is redundant
        RADIX_FOUR,
    ],
)
def test_any_radices_on_either_side(chain):
    random = np.random.default_rng(0)
    for dtype in DTYPES:
        A = shuffled(member(random, chain, dtype))
        found = search_permutations(A, chain)
        assert found.found
        assert found.error <= 200 * np.finfo(dtype).eps
        assert_allclose(found.error, error_of(A, found, chain), atol=50 * np.finfo(dtype).eps)


def test_the_levels_lose_what_the_factorization_from_left_to_right_does():
    A = shuffled(matrix("butterfly", 24, 0), 0.2)
    chain = Chain.butterfly(24)
    end = descend(A, chain.out_radices, chain.in_radices, Effort(2, 1, 2), None)
    pair = end.rows.T.ravel(), end.cols.ravel()
    result = factorize(A, chain, order="left-to-right", permutation=pair)
    assert_allclose(end.lost, result.error**2)


def test_noise_is_not_found():
    for n in (4, 8, 16):
        A = np.random.default_rng(n).normal(size=(n, n))
        attempts: dict[int, float] = {}
        found = search_permutations(A, random_state=0, on_attempt=attempts.__setitem__)
        assert not found.found
        assert list(attempts) == [1, 2, 3, 4, 5, 6]
        assert found.error == min(attempts.values())
        assert_allclose(found.error, error_of(A, found))
        assert noise_error(Chain.butterfly(n)) < 2 * found.error


def test_orders_that_differ_are_counted():
    # three pairs of rows, which the second level joins; two triples of columns
    rows = {
        frozenset(map(frozenset, (a, b, set(range(6)) - {*a, *b})))
        for a in combinations(range(6), 2)
        for b in combinations(sorted(set(range(6)) - {*a}), 2)
    }
    columns = {
        frozenset((frozenset(a), frozenset(range(6)) - {*a})) for a in combinations(range(6), 3)
    }
    chain = Chain.deformable((2, 3), (2, 3))
    free = chain.nnz - 2 * 3  # 2 x 3 blocks of rank one
    orders = len(rows) * len(columns)
    assert_allclose(noise_error(chain) ** 2, 1 - (free + 2 * np.log(orders)) / 36)


def test_the_same_seed_gives_the_same_permutations():
    A = shuffled(matrix("normal values", 16, 0), 0.3)
    first, second = (search_permutations(A, random_state=3) for _ in range(2))
    assert_array_equal(first.rows, second.rows)
    assert_array_equal(first.cols, second.cols)
    easy = shuffled(matrix("DFT", 16, 0))
    first, second = (search_permutations(easy, random_state=seed) for seed in (1, 2))
    assert_array_equal(first.rows, second.rows)
    assert_array_equal(first.cols, second.cols)


@for_each("dtype, exponent", [("float64", 500), ("complex128", -500), ("float32", 100)])
def test_extreme_magnitudes(dtype, exponent):
    A = shuffled(matrix("butterfly", 16, 0).astype(dtype), 0.05)
    expected = search_permutations(A)
    found = search_permutations(A * A.dtype.type(2.0) ** exponent)
    assert_allclose(found.error, expected.error, rtol=1e-5)  # orders may differ, as good
    assert found.found and expected.found


def test_arrays_of_any_library(asarray):
    A = shuffled(matrix("butterfly", 12, 0)).astype(np.float32)
    found = search_permutations(asarray(A))
    assert found.found and found.error < 1e-5
    assert isinstance(found.rows, np.ndarray)


def test_degenerate_members():
    random = np.random.default_rng(0)
    gaps = matrix("butterfly", 16, 0)
    gaps[:5], gaps[:, 3:6] = 0, 0
    tiny = matrix("butterfly", 16, 0)
    tiny[::3] *= 1e-200
    rank_one = np.outer(random.normal(size=16), random.normal(size=16))
    for A in (np.zeros((8, 8)), np.eye(16), np.ones((16, 16)), rank_one, gaps, tiny):
        A = shuffled(A)
        found = search_permutations(A)
        assert found.found
        assert found.error < 1e-13
        assert_array_equal(np.sort(found.rows), np.arange(len(A)))
        assert_array_equal(np.sort(found.cols), np.arange(len(A)))


@for_each("n_rounds, error", [(0, ValueError), (1.5, TypeError)])
def test_rounds_are_counted(n_rounds, error):
    with pytest.raises(error, match="n_rounds"):
        search_permutations(np.eye(4), n_rounds=n_rounds)


@for_each("shape", [(1, 1), (1, 5), (5, 1), (5, 7)])
def test_a_dense_factor_takes_any_order(shape):
    A = np.random.default_rng(0).normal(size=shape)
    found = search_permutations(A, "dense")
    assert found.found and found.error == 0


@for_each(
    "supports, message",
    [
        (Chain.butterfly(32), "supports of the shape of A, \\(31, 31\\), got \\(32, 32\\)"),
        ("butterfly", "shape of A"),
        (Chain.low_rank(31, 31, 2), "rank one .* got ranks \\(2,\\)"),
        ([(31, 1, 1, 1)] * 2, "product has no zeros"),
    ],
)
def test_chains_without_a_search_are_refused(supports, message):
    supports = supports if isinstance(supports, str | Chain) else Chain(supports)
    with pytest.raises(ValueError, match=message):
        search_permutations(np.eye(31), supports)


def test_the_public_door():
    A = shuffled(np.fft.fft(np.eye(32)), seed=3)
    operator = butterfly_factorize(A, permutation="search")
    assert_allclose(operator.toarray(), A, atol=1e-12)
    assert np.linalg.norm(split_errors(A, permutation="search")) <= 1e-12
    H = shuffled(hadamard(32, dtype=float), 0.05, seed=3)
    estimator = ButterflyFactorizer(permutation="search", random_state=0).fit(H)
    assert estimator.relative_error_ < 0.05
    rows, cols = estimator.permutation_
    given = ButterflyFactorizer(permutation=(rows, cols)).fit(H)
    assert_array_equal(given.components_, estimator.components_)
    rough = butterfly_factorize(H, permutation="search", tol=0.06)
    assert rough.nnz == operator.nnz


def test_attempts_are_printed(capsys):
    A = shuffled(make_butterfly(16, random_state=0)[0])
    ButterflyFactorizer(permutation="search", verbose=1).fit(A)
    assert "attempt 1, relative error" in capsys.readouterr().out


def test_a_search_in_vain_is_said():
    A = gaussian(np.random.default_rng(0), (16, 16))
    estimator = ButterflyFactorizer(permutation="search", random_state=0)
    with pytest.warns(StructureWarning, match="^ButterflyFactorizer: .*found no order") as caught:
        estimator.fit(A)
    assert len(caught) == 1 and caught[0].filename == __file__
    assert f"a relative error of {estimator.relative_error_:.3g}, pure" in str(caught[0].message)
    with pytest.warns(StructureWarning, match="^permutation='search' found no order"):
        butterfly_factorize(A, permutation="search", random_state=0)


@for_each("options", [{"tol": 1e-8}, {"tol": 0.5}, {"supports": "butterfly+sparse"}])
def test_noise_of_rank_one_is_no_measure_of_what_has_more_numbers(options):
    A = gaussian(np.random.default_rng(0), (16, 16))
    budget = {} if "tol" in options else {"max_density": 0.8}
    with pytest.warns(StructureWarning, match="found no order") as caught:
        operator = butterfly_factorize(A, permutation="search", random_state=0, **options, **budget)
    message = str(caught[0].message)
    terms = getattr(operator, "terms", (operator,))
    numbers = operator.nnz + (terms[-1].nnz if len(terms) > 1 else 0)
    assert len(caught) == 1 and "noise" not in message
    assert f"with {numbers} numbers for its 256." in message


def test_attempts_agree_where_noise_is_small():
    A = make_butterfly(16, random_state=0)[0]
    random = np.random.default_rng(0)
    A = A[random.permutation(16)][:, random.permutation(16)]
    assert search_permutations(A).agreed
    noise = gaussian(random, (16, 16))
    errors = []
    found = search_permutations(noise, on_attempt=lambda number, error: errors.append(error))
    close = [error <= 1.02 * min(errors) for error in errors]
    assert found.error == min(errors) and found.agreed == (sum(close) > 1)
