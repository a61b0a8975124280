"""The constant of the deep null space property, and the bound on the error of factors."""

import math

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from skfact.deep_linear import (
    CirculantFactor,
    SparseDeepLinearNet,
    StructuredFactor,
    ToeplitzFactor,
    are_rescalings,
    deep_null_space_constant,
    factor_distance,
    factor_error_bound,
    lifting_operator,
    rank_one_tensor,
)
from skfact.deep_linear._stability._identifiability.null_space import _largest_ratio
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain
from tests.asserts import for_each, on_any_matrix
from tests.deep_linear._stability.parameters import draw
from tests.deep_linear._stability.structures import (
    NO,
    TABLE,
    YES,
    W,
    circular,
    of_lift,
    with_kernel,
)

PAIR = [ToeplitzFactor(4, 1), ToeplitzFactor(1, 3)]


def constant(structure):
    return deep_null_space_constant(structure, random_state=0)


@pytest.mark.parametrize("name", TABLE)
def test_known_structures(name):
    found, row = constant(TABLE[name].structure), TABLE[name]
    assert found.value == {YES: 1.0, NO: math.inf}[row.verdict]
    assert not found.is_estimate and float(found) == found.value
    assert found.identifiability.verdict == row.verdict


@for_each("Z, value", [(np.eye(3), 3**0.5), (np.diag([3.0, 2.0, 1.0]), 3.7416574)])
def test_one_kernel_matrix(Z, value):
    found = constant(with_kernel(Z))
    assert not found.is_estimate
    assert_allclose(found.value, value, rtol=1e-7)


@for_each("seed", range(5))
def test_the_search_reaches_what_is_known_and_never_more(seed):
    Z = np.random.default_rng(seed).standard_normal((3, 4))
    structure = as_structure(with_kernel(Z))
    values = np.linalg.svd(Z, compute_uv=False)
    wanted = np.linalg.norm(values) / values[2]
    assert_allclose(constant(structure).value, wanted, rtol=1e-8)
    found = _largest_ratio(structure, 11, np.random.RandomState(seed))
    assert wanted * (1 - 1e-3) <= found <= wanted * (1 + 1e-9)


def ratio(lift, h, g):
    difference = (rank_one_tensor(h) - rank_one_tensor(g)).ravel()
    rows = np.linalg.svd(lift)[2][: np.linalg.matrix_rank(lift)]
    return np.linalg.norm(difference) / np.linalg.norm(rows @ difference)


def test_estimates_are_lower_bounds_better_than_draws():
    random = np.random.default_rng(1)
    lift = random.standard_normal((14, 16))  # of 4 x 4: a generic kernel of dimension two
    found = constant(of_lift(lift, 4, 4))
    assert found.is_estimate and "may be larger" in found.reason
    drawn = max(ratio(lift, draw(random, (4, 4)), draw(random, (4, 4))) for _ in range(300))
    assert found.value >= drawn > 1


def test_the_limit_of_differences_has_no_finite_constant():
    """The truth is infinite; T = P((1, e) x 3) - P((1, 0) x 3) has the ratio 1 / e."""
    found = constant(with_kernel(W))
    assert found.is_estimate and found.value > 100
    assert ">= " in repr(found)
    lift = lifting_operator(with_kernel(W)).toarray()
    assert ratio(lift, [np.array([1, 1e-3])] * 3, [np.array([1.0, 0])] * 3) > 500


def test_chains_answer_at_once():
    assert constant(Chain.butterfly(1024)).value == math.inf
    assert constant(Chain.dense(30, 30)).value == 1


def fitted(structure, X):
    """Parameters of the best rank-one tensor for X; the kernel is trivial."""
    dense = lifting_operator(structure).toarray()
    tensor = np.linalg.lstsq(dense, X.ravel(), rcond=None)[0].reshape(as_structure(structure).sizes)
    left, values, right = np.linalg.svd(tensor)
    return [values[0] * left[:, 0], right[0]]


@for_each("seed", range(20))
@pytest.mark.parametrize("p", [1, 2, 3, math.inf])
@pytest.mark.parametrize("name", ["sharp", "published"])
def test_the_bound_holds(seed, p, name):
    random = np.random.default_rng(seed)
    structure = as_structure([PAIR, [circular([0, 1], 9), circular([0, 2, 5], 9)]][seed % 2])
    truth = draw(random, structure.sizes)
    noise = random.standard_normal(structure.shape)
    noise *= 10.0 ** random.uniform(-6, 0) / np.linalg.norm(noise)
    X = structure.product(truth) + noise
    found = fitted(structure, X)
    eta = np.linalg.norm(X - structure.product(found))
    for h in (truth, found):
        result = factor_error_bound(
            structure, h, np.linalg.norm(noise), eta, p=p, constant=name, random_state=0
        )
        assert result.is_guaranteed and result.gamma == 1
        tensors = rank_one_tensor(found) - rank_one_tensor(truth)
        assert np.linalg.norm(tensors) <= result.tensor_bound * (1 + 1e-12)
        assert factor_distance(truth, found, p) <= result.bound


def test_the_published_constant_has_a_condition():
    h = [np.ones(4), np.ones(3)]
    options = {"constant": "published", "random_state": 0}
    sigma = factor_error_bound(PAIR, h, 0.0, **options).sigma
    assert math.isfinite(factor_error_bound(PAIR, h, 0.499 * sigma, **options).bound)
    assert factor_error_bound(PAIR, h, 0.501 * sigma, **options).bound == math.inf
    assert math.isfinite(factor_error_bound(PAIR, h, 0.501 * sigma).bound)
    small = factor_error_bound(PAIR, h, 1e-3), factor_error_bound(PAIR, h, 1e-3, **options)
    assert_allclose(small[1].bound / small[0].bound, 3.5)


def test_singular_values_of_convolutions():
    structure = [circular([0, 1], 16), circular([0, 2], 16)]
    found = factor_error_bound(structure, [np.ones(2), np.ones(2)], 0.1, 0.02, random_state=0)
    assert_allclose(found.sigma, 4)
    assert_allclose(found.tensor_bound, 0.03)
    assert_allclose(found.bound, 2 * 2 * 0.03)
    known = factor_error_bound(None, [np.ones(2), np.ones(2)], 0.1, 0.02, gamma=1, sigma=4)
    assert_allclose(known.bound, found.bound)


def test_of_complex_parameters():
    h = [np.ones(4) * 1j, np.ones(3)]
    real = factor_error_bound(PAIR, [np.ones(4), np.ones(3)], 0.1).bound
    assert_allclose(factor_error_bound(PAIR, h, 0.1).bound / real, (1 + 2**0.5) / 2)


def test_of_one_factor():
    found = factor_error_bound([CirculantFactor(4)], [np.zeros(4)], 0.1, p=1)
    assert_allclose(found.bound, 4 * 2 * 0.1 / 2)


@for_each("size", [1e-150, 1.0, 1e150])
def test_of_any_size(size):
    h = [np.full(4, size), np.full(3, size)]
    found = factor_error_bound(PAIR, h, 1e-3 * size, gamma=1, sigma=1)
    assert_allclose(found.bound, 2 * 7**0.5 * 1e-3, rtol=1e-12)


def test_parameters_of_every_library(asarray):
    h = [asarray(np.ones(4)), asarray(np.ones(3))]
    assert factor_error_bound(PAIR, h, 0.1) == factor_error_bound(
        PAIR, [np.ones(4), np.ones(3)], 0.1
    )


def test_the_bound_for_factors_of_product_zero():
    zero = [np.zeros(4), np.ones(3)]
    for p in (1, 2, np.inf):
        found = factor_error_bound(PAIR, zero, 0.1, p=p)
        assert found.is_guaranteed and found.bound < math.inf
        for h in ([np.eye(4)[0], 0.1 * np.eye(3)[1]], [np.ones(4), 0.1 / 12**0.5 * np.ones(3)]):
            assert_allclose(np.linalg.norm(np.outer(*h)), 0.1)
            assert factor_distance(zero, h, p) <= found.bound


def test_singular_values_that_are_not_seen_are_missed():
    """The Gram matrix tells no value below a millionth of the largest from zero."""
    scales = np.ones((33, 1))
    scales[-1] = 1e-8
    toeplitz = ToeplitzFactor(33, 33)
    scaled = StructuredFactor(
        (33, 33), 65, lambda h: scales * toeplitz.matrix(h), lambda G: toeplitz.adjoint(scales * G)
    )
    with pytest.raises(ValueError, match=r"singular values, \d+ of them too small"):
        factor_error_bound([scaled, toeplitz], [np.ones(65)] * 2, 0.1, gamma=1.0)


def test_equations_of_little_weight_change_no_constant():
    turn = np.kron(np.eye(2), [[0, -1], [1, 0]])
    kernel = np.stack([np.eye(4).ravel(), turn.ravel()], axis=1) / 2
    rows = scipy.linalg.null_space(kernel.T).T
    weights = np.ones(14)
    for weights[3] in (1.0, 1e-6):
        found = deep_null_space_constant(of_lift(weights[:, None] * rows, 4, 4), random_state=0)
        assert found.is_estimate
        assert_allclose(found.value, 2**0.5, rtol=1e-6)


@on_any_matrix
def test_learned_blocks_are_parameters():
    X = np.random.default_rng(0).standard_normal((40, 4))
    net = SparseDeepLinearNet("butterfly", random_state=0).fit(X, X)
    assert net.parameters_[0].ndim == 4
    flat = [x.ravel() for x in net.parameters_]
    bounds = [factor_error_bound(net, h, 0.1, gamma=1, sigma=1) for h in (net.parameters_, flat)]
    assert bounds[0] == bounds[1]
    other = [-2 * net.parameters_[0], -0.5 * net.parameters_[1]]
    assert are_rescalings(net.parameters_, other) and factor_distance(other, flat) < 1e-6


def test_an_infinite_bound_is_called_none():
    found = factor_error_bound([ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)], [np.ones(4)] * 2, 0.1)
    assert found.bound == math.inf and "no bound" in repr(found)
    assert "is_guaranteed" not in repr(found)
    found = factor_error_bound(PAIR, [np.ones(4), np.ones(3)], 0.1)
    assert "no bound" not in repr(found) and "is_guaranteed=True" in repr(found)


def test_what_is_not_bounded():
    ones = [np.ones(4), np.ones(4)]
    pair = [ToeplitzFactor(3, 2), ToeplitzFactor(2, 3)]
    assert factor_error_bound(pair, ones, 0.0).bound == math.inf
    large = factor_error_bound([CirculantFactor(64)] * 2, [np.ones(64)] * 2, 0.1)
    assert large.bound == math.inf and math.isnan(large.sigma)
    for h in ([np.ones(4), np.ones(3)], [np.zeros(4), np.ones(3)]):
        assert factor_error_bound(PAIR, h, 0.0).bound == 0
    found = factor_error_bound(with_kernel(W), [np.ones(2)] * 3, 0.1, random_state=0)
    assert not found.is_guaranteed
