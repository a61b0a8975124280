"""Errors on inputs: weighted factorizations, what is proved of them, and which one is kept."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator

from skfact import ButterflyFactorizer
from skfact.butterfly import butterfly_factorize
from skfact.butterfly._factorize import factorize
from skfact.butterfly._output import DAMPING, Inputs, column_groups, undone, weighted
from skfact.exceptions import StructureWarning
from skfact.supports import Chain, resolve_supports
from tests.arrays import DTYPES, gaussian
from tests.asserts import assert_like, for_each, on_any_matrix
from tests.butterfly.chains import chains, masked_factors, seeds

PERMUTATIONS = (None, "columns", "rows", "both")


def correlated(random, n_samples, n, dtype="float64"):
    """Samples most of whose energy is in a few directions."""
    mixing = gaussian(random, (n, n), dtype) * 0.5 ** np.arange(n)[:, None]
    return gaussian(random, (n_samples, n), dtype) @ mixing


def on_inputs(E, X):
    return np.linalg.norm(E @ X.T) / np.sqrt(len(X))


@given(chains(), st.sampled_from(DTYPES), seeds)
def test_weights_keep_the_supports_and_are_undone(chain, dtype, random):
    A = gaussian(random, chain.shape, dtype)
    inputs = Inputs(correlated(random, 40, A.shape[1], dtype), A)
    groups = column_groups(A, chain, None)
    roots = inputs.block_roots(groups)
    # the weighted matrix is A times a block-diagonal one
    M = weighted(np.eye(A.shape[1], dtype=A.dtype), groups, roots)
    np.testing.assert_allclose(weighted(A, groups, roots), A @ M, rtol=1e-3, atol=1e-4)
    factors = masked_factors(random, chain, dtype)
    assert not np.any((factors[-1] @ M)[~chain[-1].mask()])
    gram = inputs.root.T @ inputs.root.conj()
    for group in groups.reshape(-1, groups.shape[-1]):
        block = M[np.ix_(group, group)]
        damped = gram[np.ix_(group, group)] + DAMPING * np.trace(gram).real / len(gram) * np.eye(
            len(group)
        )
        np.testing.assert_allclose(block @ block.conj().T, damped, rtol=1e-3, atol=1e-5)
    op = factorize(A @ M, chain, permutation=None).unit
    np.testing.assert_allclose(
        undone(op, roots).toarray() @ M, op.toarray(), rtol=1e-2, atol=1e-3 * np.linalg.norm(A)
    )


@on_any_matrix
@for_each("shape", [(12, 16), (20, 9), (13, 11)])
@for_each("permutation", PERMUTATIONS)
def test_low_rank_is_the_best_of_its_rank(shape, permutation):
    random = np.random.default_rng(0)
    A, X = gaussian(random, shape), correlated(random, 50, shape[1])
    found = factorize(A, "low-rank", rank=2, inputs=X, permutation=permutation)
    least = np.linalg.norm(np.linalg.svd(A @ X.T, compute_uv=False)[2:]) / np.sqrt(len(X))
    E = A - found.operator.toarray()
    np.testing.assert_allclose(on_inputs(E, X), least)
    np.testing.assert_allclose(
        on_inputs(E, X), found.error * 2.0 ** (found.exponent + found.seen.inputs.exponent)
    )
    assert found.relative_error == pytest.approx(on_inputs(E, X) / on_inputs(A, X))


@pytest.mark.parametrize("permutation", PERMUTATIONS)
def test_a_gram_matrix_in_the_blocks_of_the_last_factor_is_exact(permutation):
    """No Monarch product with these supports is closer: each block has a best rank-one part."""
    random, chain = np.random.default_rng(0), resolve_supports("monarch", 16, 16)
    A = gaussian(random, (16, 16))
    (groups,) = np.swapaxes(column_groups(A, chain, permutation), 0, 1)
    X = np.zeros((64, 16))
    for i, group in enumerate(groups):  # inputs in one block of columns at a time
        X[i * 16 : (i + 1) * 16, group] = correlated(random, 16, 4)
    found = factorize(A, chain, inputs=X, permutation=permutation)
    gram = X.T @ X / len(X)
    gram += DAMPING * np.trace(gram) / 16 * np.eye(16)
    E = A - found.operator.toarray()
    # the same from singular values of the weighted blocks
    rows = found.operator.factors[0].toarray() if permutation in ("rows", "both") else np.eye(16)
    missed = 0.0
    for group in groups:
        block_root = np.linalg.cholesky(gram[np.ix_(group, group)])
        B = (rows.T @ A)[:, group] @ block_root
        for j in range(4):  # classes of rows, spaced
            missed += np.sum(np.linalg.svd(B[j::4], compute_uv=False)[1:] ** 2)
    np.testing.assert_allclose(np.trace(E @ gram @ E.T), missed)


@on_any_matrix
@given(
    st.tuples(st.integers(1, 24), st.integers(1, 24)),
    st.sampled_from(["butterfly", "monarch", "low-rank", "dense", "auto"]),
    st.sampled_from(DTYPES),
    seeds,
)
def test_never_worse_than_without_inputs(shape, supports, dtype, random):
    A, X = gaussian(random, shape, dtype), correlated(random, 30, shape[1], dtype)
    found = factorize(A, supports, inputs=X)
    plain = factorize(A, supports)
    if supports == "auto" and plain.n_entries:
        return  # entries beside low rank are not fitted to inputs
    assert found.product.dtype == A.dtype
    error, before = (on_inputs(A - result.product, X) for result in (found, plain))
    eps = np.finfo(dtype).eps
    if found.unit.nnz == plain.unit.nnz or supports != "auto":
        assert error <= before * (1 + 100 * eps) + 1000 * eps * on_inputs(A, X)
    assert found.unit.nnz <= A.size if supports == "auto" else True


def test_inputs_of_no_influence():
    """Isotropic ones: what is best without them is best."""
    random = np.random.default_rng(0)
    A = gaussian(random, (16, 16))
    for supports in ("low-rank", "monarch"):
        found = factorize(A, supports, inputs=np.eye(16), permutation=None)
        plain = factorize(A, supports, permutation=None)
        np.testing.assert_allclose(found.product, plain.product, atol=1e-10)
    for X in (np.zeros((5, 16)), np.ones((1, 16)), 1e-160 * np.eye(16)):
        assert np.all(np.isfinite(factorize(A, "monarch", inputs=X).product))


@for_each("supports", ["low-rank", "monarch"])
def test_the_least_rank_within_a_tolerance(supports):
    random = np.random.default_rng(0)
    A, X = gaussian(random, (32, 32)), correlated(random, 100, 32)
    found = factorize(A, supports, inputs=X, tol=0.1)
    assert found.relative_error <= 0.1
    assert found.unit.nnz < factorize(A, supports, tol=0.1).unit.nnz
    rank = max(found.chain.ranks, default=1)
    if rank > 1:
        assert factorize(A, supports, inputs=X, rank=rank - 1).relative_error > 0.1


@for_each("exponents", [(-900, 0), (900, -900), (0, 900)])
def test_every_scale(exponents):
    random = np.random.default_rng(0)
    A, X = gaussian(random, (16, 16)), correlated(random, 40, 16)
    i, j = exponents
    plain = factorize(A, "monarch", inputs=X)
    found = factorize(A * 2.0**i, "monarch", inputs=X * 2.0**j)
    np.testing.assert_allclose(found.product * 2.0**-i, plain.product)
    assert found.relative_error == pytest.approx(plain.relative_error)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_of_any_library(asarray, dtype):
    random = np.random.default_rng(0)
    A, X = gaussian(random, (16, 24), dtype), correlated(random, 40, 24, dtype)
    for supports in ("monarch", "auto"):
        expected = butterfly_factorize(A, supports, inputs=X)
        if hasattr(expected, "terms"):
            continue
        found = butterfly_factorize(asarray(A), supports, inputs=asarray(X))
        assert_like(found.toarray(), asarray(expected.toarray()), rtol=0, atol=1e-3)


def test_the_warning_speaks_of_inputs():
    random = np.random.default_rng(0)
    A, X = gaussian(random, (64, 64)), gaussian(random, (500, 64))
    with pytest.warns(StructureWarning, match=r"error of [.\d]+ on the inputs. Plain low rank"):
        butterfly_factorize(A, inputs=X)
    chain = Chain.low_rank(64, 64, 3)
    butterfly_factorize(A, chain, inputs=correlated(random, 500, 64))


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")  # W has no structure
class TestEstimator:
    """criterion="output" of ButterflyFactorizer."""

    random = np.random.default_rng(0)
    X = correlated(random, 80, 24) + 5.0
    W = gaussian(random, (16, 24))

    @pytest.mark.parametrize("orthonormalize", [True, False])
    @pytest.mark.parametrize("supports", ["low-rank", "monarch", "butterfly", "auto"])
    def test_errors_are_those_of_outputs(self, supports, orthonormalize):
        fast = ButterflyFactorizer(
            operator=self.W, supports=supports, criterion="output", orthonormalize=orthonormalize
        ).fit(self.X)
        missed = self.X @ self.W.T - fast.transform(self.X)
        norms = np.linalg.norm(missed, axis=1)
        np.testing.assert_allclose(fast.reconstruction_err_, np.sqrt(np.mean(norms**2)))
        outputs = (self.X - self.X.mean(axis=0)) @ self.W.T
        np.testing.assert_allclose(
            fast.relative_error_, np.linalg.norm(missed) / np.linalg.norm(outputs)
        )
        assert fast.reconstruction_err_ <= fast.error_bound_
        plain = ButterflyFactorizer(
            operator=self.W, supports=supports, orthonormalize=orthonormalize, max_density=None
        ).fit(self.X)
        E = plain.components_ - self.W
        before = np.linalg.norm(E @ (self.X - self.X.mean(axis=0)).T) / np.sqrt(len(self.X))
        if not hasattr(plain.operator_, "terms"):
            assert fast.reconstruction_err_ <= before * (1 + 1e-10)
        # the output for the mean is kept
        mean = self.X.mean(axis=0, keepdims=True)
        np.testing.assert_allclose(fast.transform(mean), mean @ self.W.T)

    def test_an_estimator(self):
        X = load_digits().data
        pca = PCA(32).fit(X)
        errors = {}
        for criterion in ("matrix", "output"):
            fast = ButterflyFactorizer(
                operator=FrozenEstimator(pca), supports="monarch", rank=2, criterion=criterion
            ).fit(X)
            missed = fast.transform(X) - pca.transform(X)
            errors[criterion] = np.linalg.norm(missed) / np.linalg.norm(pca.transform(X))
        assert errors["output"] < 0.9 * errors["matrix"]

    def test_scales(self):
        plain = ButterflyFactorizer(operator=self.W, supports="monarch", criterion="output")
        plain.fit(self.X)
        large = ButterflyFactorizer(
            operator=self.W * 2.0**400, supports="monarch", criterion="output"
        ).fit(self.X * 2.0**300)
        for name in ("reconstruction_err_", "error_bound_", "level_errors_"):
            expected = getattr(plain, name) * 2.0**700
            np.testing.assert_allclose(getattr(large, name), expected)

    def test_an_operator_is_needed(self):
        for options in ({}, {"n_components": 3}):
            with pytest.raises(ValueError, match=r"criterion='output'.*pass operator"):
                ButterflyFactorizer(criterion="output", **options).fit(self.X)


@on_any_matrix
@for_each("dtype", DTYPES)
@for_each("supports", ["low-rank", "auto"])
def test_fewer_samples_than_the_rank_are_exact(dtype, supports):
    random = np.random.default_rng(0)
    A, X = gaussian(random, (32, 32), dtype), gaussian(random, (3, 32), dtype)
    found = factorize(A, supports, max_density=0.25, inputs=X)
    eps = np.finfo(dtype).eps
    assert found.relative_error <= 100 * eps
    # the rank that is left goes to directions that the samples do not show
    assert np.linalg.matrix_rank(found.operator.toarray(), tol=1e3 * eps) == 4


@on_any_matrix
def test_auto_is_no_worse_than_low_rank_nor_than_without_inputs():
    for seed in range(6):
        random = np.random.default_rng(seed)
        A, X = gaussian(random, (16, 16)), correlated(random, 40, 16)
        for samples in (A, X):
            auto, low_rank = (
                factorize(A, supports, max_density=0.25, inputs=samples)
                for supports in ("auto", "low-rank")
            )
            assert auto.relative_error <= low_rank.relative_error * (1 + 1e-9)


@on_any_matrix
def test_auto_adds_entries_on_inputs():
    random = np.random.default_rng(0)
    A = np.outer(*gaussian(random, (2, 24)))
    A.ravel()[random.choice(576, 17, replace=False)] += 10
    X = gaussian(random, (100, 24))
    found = factorize(A, "auto", inputs=X)
    assert found.n_entries and found.numbers <= A.size // 4
    E = A - found.operator.toarray()
    assert on_inputs(E, X) <= 1e-6 * on_inputs(A, X)
    fitted = ButterflyFactorizer(operator=A, criterion="output", supports="auto").fit(X)
    centred = X - X.mean(axis=0)
    missed = np.linalg.norm(centred @ (A - fitted.components_).T) / 10
    assert fitted.reconstruction_err_ == pytest.approx(missed, rel=1e-6, abs=1e-12)
    assert missed <= fitted.error_bound_
    few = factorize(np.eye(24), "auto", inputs=X, max_density=0.4)
    assert few.numbers == 2 * 24 and few.error == 0
