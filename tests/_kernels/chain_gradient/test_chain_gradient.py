"""The compiled squared error and gradient of a chain of small blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._kernels import _threads, chain_gradient
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.operators._factors import dense_factor
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

CHAINS = {
    "butterfly": Chain.butterfly(16),
    "rectangular": Chain.deformable((7, 2, 3), (2, 3, 4), (2, 2)),
    "one factor": Chain([(2, 3, 5, 4)]),
}


pytestmark = pytest.mark.usefixtures("small")


@pytest.fixture
def small(monkeypatch):
    """The compiled loop at any size, on two threads."""
    pytest.importorskip("numba")
    monkeypatch.setattr(chain_gradient.dispatch, "SMALLEST", 1)
    monkeypatch.setattr(_threads, "WORTH_A_THREAD", 0.0)
    monkeypatch.setattr(_threads, "thread_limit", lambda: 2)


def problem(name, batch, dtype):
    chain = CHAINS[name]
    random = np.random.default_rng(0)
    values = [random.standard_normal((p.a, p.d, p.b, p.c)).astype(dtype) for p in chain]
    X, Y = (random.standard_normal((n, batch)).astype(dtype) for n in chain.shape[::-1])
    return LinearNetwork(resolve_factor_sets(chain, chain.shape, X)), values, X, Y


@for_each("dtype", ["float32", "float64"])
@for_each("batch", [1, 64, 201])
@pytest.mark.parametrize("name", sorted(CHAINS))
def test_it_is_the_generic_one(name, batch, dtype):
    network, values, X, Y = problem(name, batch, dtype)
    assert chain_gradient.pays(values, X)
    loss, gradients, residual = chain_gradient.loss_and_gradient(values, X, Y)
    expected = network._factor_by_factor(values, X, Y)
    eps = np.finfo(dtype).eps
    assert_allclose(loss, expected[0], rtol=100 * eps)
    assert residual.dtype == dtype
    assert_allclose(residual, expected[2], atol=20 * eps * np.abs(expected[2]).max())
    for found, exact in zip(gradients, expected[1], strict=True):
        assert found.dtype == dtype and found.shape == exact.shape
        assert_allclose(found, exact, atol=100 * eps * np.abs(exact).max())


def test_layout_does_not_matter_and_nothing_is_written():
    _, values, X, Y = problem("butterfly", 70, "float64")
    expected = chain_gradient.loss_and_gradient(values, X, Y)
    frozen = [np.asfortranarray(array) for array in (X, Y)]
    for array in frozen:
        array.flags.writeable = False
    strided = [np.asfortranarray(value) for value in values]
    found = chain_gradient.loss_and_gradient(strided, *frozen)
    assert found[0] == expected[0]
    for one, other in zip(found[1], expected[1], strict=True):
        assert np.array_equal(one, other)


def test_what_it_leaves_to_blas_and_to_the_generic_one(monkeypatch):
    _, values, X, _ = problem("butterfly", 64, "float64")
    assert not chain_gradient.pays(values, X.astype("float32"))
    assert not chain_gradient.pays(values, X.astype(complex))
    assert not chain_gradient.pays([np.ones((1, 1, 9, 16))], X)
    monkeypatch.setattr(chain_gradient.dispatch, "SMALLEST", 2**40)
    assert not chain_gradient.pays(values, X)


def ends_of(chain, selected):
    """Both sides as they are, or with entries in another order, some left out and some zero."""
    n_out, n_in = chain.shape
    result, source = np.arange(n_out), np.arange(n_in)
    random = np.random.default_rng(1)
    if selected:
        result = np.concatenate([[-1], random.permutation(n_out)[: n_out - 1]])
        source = np.where(np.arange(n_in) == 0, -1, random.permutation(n_in))
    into, out = np.full(n_in, -1), np.full(n_out, -1)
    into[source[source >= 0]] = np.nonzero(source >= 0)[0]
    out[result[result >= 0]] = np.nonzero(result >= 0)[0]
    return chain_gradient.Selections(source, result, into, out)


@for_each("dtype", DTYPES)
@for_each("batch", [0, 1, 64, 201])
@for_each("selected", [False, True])
@pytest.mark.parametrize("name", sorted(CHAINS))
def test_rows_are_mapped_and_pulled_back(name, selected, batch, dtype):
    """Images, and gradients by the product rule, of dense factors with selections around them."""
    chain, random = CHAINS[name], np.random.default_rng(0)
    values = [gaussian(random, (p.a, p.d, p.b, p.c), dtype) for p in chain]
    ends = ends_of(chain, selected)
    X = gaussian(random, (batch, chain.shape[1]), dtype)
    G = gaussian(random, (batch, len(ends.result)), dtype)
    factors = [dense_factor(v) for v in values]
    left = np.where(ends.result[:, None] == np.arange(chain.shape[0]), 1, 0)
    right = np.where(ends.source[:, None] == np.arange(chain.shape[1]), 1, 0)
    matrix = left @ np.linalg.multi_dot([*factors, right, np.eye(chain.shape[1])])
    eps = 100 * np.finfo(dtype).eps

    def close(found, exact):
        assert found.dtype == dtype and found.shape == exact.shape
        assert_allclose(found, exact, atol=eps * max(1, np.abs(exact).max(initial=0)))

    close(chain_gradient.map_rows(values, ends, X), X @ matrix.T)
    for back in (True, False):
        gradients, of_X = chain_gradient.pull_back_rows(values, ends, X, G, back=back)
        if back:
            close(of_X, G @ matrix.conj())
        else:
            assert of_X is None
        for position, found in enumerate(gradients):
            before, after = left, right
            for factor in factors[:position]:
                before = before @ factor
            for factor in reversed(factors[position + 1 :]):
                after = factor @ after
            full = before.conj().T @ G.T @ (X @ after.T).conj()
            ones = dense_factor(np.ones_like(found)) != 0
            close(dense_factor(found), np.where(ones, full, 0))
