"""Chains of a row space are judged by what it holds, ranks by the tolerance."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skfact import ButterflyFactorizer
from skfact.butterfly._structure.nodes import dimensions
from skfact.exceptions import StructureWarning
from skfact.supports import Chain
from tests.arrays import gaussian

DIGITS = load_digits().data
SCALED = gaussian(np.random.default_rng(0), (60, 20)) * np.linspace(2, 0.1, 20)


def kept_by_pca(X, k):
    return PCA(k).fit(X).explained_variance_ratio_.sum()


def test_auto_takes_a_chain_of_all_dimensions():
    found = ButterflyFactorizer(16, supports="auto").fit(DIGITS)
    assert found.operator_.nnz <= 256
    assert np.linalg.matrix_rank(found.components_) == 16 == dimensions(found.chain_)
    assert found.score(DIGITS) > 0.62 > kept_by_pca(DIGITS, 4)
    found = ButterflyFactorizer(16, supports="auto", max_density=0.375).fit(DIGITS)
    monarch = ButterflyFactorizer(16, supports="monarch").fit(DIGITS)
    assert found.score(DIGITS) >= monarch.score(DIGITS) - 1e-3


def test_too_few_dimensions_are_said_and_shares_add_up():
    """Ten components of 20 features, in the numbers of a chain of fewer dimensions."""
    with pytest.warns(StructureWarning, match="rank 3 at most, so that 7 of 10 components"):
        found = ButterflyFactorizer(10, supports="low-rank", rank=3).fit(SCALED)
    assert found.explained_variance_ratio_.sum() == pytest.approx(found.score(SCALED), abs=1e-9)
    assert np.count_nonzero(found.explained_variance_ratio_ > 1e-9) == 3


@pytest.mark.parametrize("supports", ["monarch", "auto"])
def test_a_tolerance_is_about_the_row_space(supports):
    found = ButterflyFactorizer(16, supports=supports, tol=0.2).fit(DIGITS)
    assert found.relative_error_ <= 0.2 and found.operator_.nnz <= 384
    shares = found.explained_variance_ratio_.sum() / kept_by_pca(DIGITS, 16)
    assert found.relative_error_ == pytest.approx(np.sqrt(1 - shares), rel=1e-6)


def test_the_whole_space_is_no_choice():
    with pytest.warns(StructureWarning, match="is the whole space"):
        ButterflyFactorizer(20, supports="monarch").fit(SCALED)


def test_a_pca_of_as_many_numbers_is_named_for_small_data_too():
    X = gaussian(np.random.default_rng(0), (50, 3)) @ gaussian(np.random.default_rng(1), (3, 64))
    with pytest.warns(StructureWarning, match="3 dense directions"):
        ButterflyFactorizer(8).fit(X)


@pytest.mark.parametrize(
    "chain, most",
    [(Chain.low_rank(6, 8, 2), 2), (Chain.butterfly(8), 8), (Chain.dense(3, 5), 3)],
)
def test_dimensions(chain, most):
    assert dimensions(chain) == most
    random, product = np.random.default_rng(0), np.eye(chain.shape[0])
    for pattern in chain:
        mask = pattern.mask()
        product = product @ (random.normal(size=mask.shape) * mask)
    assert np.linalg.matrix_rank(product) == most
