"""The compiled squared error and gradient of a chain of small blocks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact._kernels import _threads, chain_gradient
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.deep_linear._linear_network import LinearNetwork
from skfact.supports import Chain
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
