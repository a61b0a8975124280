"""Adam's steps are those of PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._adam import Adam


def test_steps_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    values = [rng.standard_normal((3, 2)), rng.standard_normal(4)]
    other = [torch.tensor(v, requires_grad=True) for v in values]
    state, optimizer = Adam(values, 0.02), torch.optim.Adam(other, lr=0.02)
    for _ in range(20):
        gradients = [rng.standard_normal(v.shape) for v in values]
        values = state.step(values, gradients)
        for tensor, gradient in zip(other, gradients):
            tensor.grad = torch.from_numpy(gradient)
        optimizer.step()
    for value, tensor in zip(values, other):
        assert_allclose(value, tensor.detach().numpy(), rtol=1e-6)  # their epsilon is elsewhere


def test_what_has_no_slope_stays():
    values = [np.array([0.0, 2.0], dtype="float32")]
    state = Adam(values, 0.1)
    for _ in range(5):
        values = state.step(values, [np.array([0.0, 1.0], dtype="float32")])
    assert values[0].dtype == np.float32 and values[0][0] == 0
    assert_array_equal(values[0] < [1.0, 2.0], [True, True])
