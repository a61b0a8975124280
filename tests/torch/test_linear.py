"""The operator as a PyTorch module."""

import io
import pickle

import numpy as np
import pytest
import scipy.sparse

from skfact.operators import FactorizedOperator, PartialPermutation
from skfact.supports import Chain
from tests.arrays import DTYPES
from tests.asserts import for_each

torch = pytest.importorskip("torch")

from skfact.torch import FactorizedLinear


@for_each("dtype", DTYPES)
@for_each("permuted", [False, True])
def test_module_equals_apply(chain, permuted, dtype, make_operator):
    op = make_operator(chain, dtype, permuted=permuted)
    X = np.random.default_rng(0).standard_normal((2, 3, op.shape[1])).astype(dtype)
    module = op.to_torch()
    assert isinstance(module, FactorizedLinear)
    got = module(torch.tensor(X)).detach().numpy()
    expected = op.apply(X.reshape(6, -1)).reshape(2, 3, -1)
    assert (got.dtype, got.shape) == (expected.dtype, expected.shape)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(
        got / scale, expected / scale, atol=1e-5 if "32" in dtype or dtype == "complex64" else 1e-12
    )
    one = module(torch.tensor(X[0, 0])).detach().numpy()
    np.testing.assert_allclose(one / scale, expected[0, 0] / scale, atol=1e-5)


def test_parameters_are_the_values(make_operator):
    op = make_operator(Chain.butterfly(8), permuted=True)
    parameters = list(op.to_torch().parameters())
    assert sum(parameter.numel() for parameter in parameters) == op.nnz
    for parameter, factor in zip(parameters, op.factors[1:-1]):
        assert parameter.requires_grad
        np.testing.assert_array_equal(parameter.detach().numpy(), factor.values)


def sparse_operator():
    rng = np.random.default_rng(1)
    return FactorizedOperator(
        [
            scipy.sparse.random_array((6, 5), density=0.5, rng=rng),
            PartialPermutation([3, -1, 0, 1, 2], 4),
            rng.standard_normal((4, 4)),
        ]
    )


def test_training_fits_a_target():
    """Gradients reach every kind of factor: a few steps reduce the error, the pattern stays."""
    op = sparse_operator()
    target = torch.tensor(2 * op.toarray().T)
    module = op.to_torch()
    identity = torch.eye(4, dtype=torch.float64)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((module(identity) - target) ** 2).mean()
        loss.backward()
        assert all((p.grad != 0).any() for p in module.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    np.testing.assert_allclose(op.toarray(), 0.5 * target.numpy().T)  # its own values are copies


def test_module_pickles_and_saves():
    module = sparse_operator().to_torch()
    X = torch.ones((3, 4), dtype=torch.float64)
    again = pickle.loads(pickle.dumps(module))
    assert torch.equal(again(X), module(X))
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    fresh = sparse_operator().to_torch()
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(X), module(X))
    assert "pattern=(1, 4, 4, 1)" in repr(module)


def test_from_an_operator_of_tensors(make_operator):
    op = make_operator(Chain.butterfly(8), permuted=True).to_device(torch.ones(1))
    X = torch.rand((5, op.shape[1]), dtype=torch.float64)
    torch.testing.assert_close(op.to_torch()(X), op.apply(X))
