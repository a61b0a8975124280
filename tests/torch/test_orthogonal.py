"""Rotations of activations: orthogonal for all parameters, the identity at the start."""

import copy
import math
import pickle

import numpy as np
import pytest

from skfact._kernels import chain_gradient
from tests.asserts import for_each

torch = pytest.importorskip("torch")
from torch import nn

from skfact.torch import OrthogonalButterfly
from skfact.torch._orthogonal import cayley, strides
from skfact.torch._product import in_operations

SIZES = [(24, 4, 3), (64, 8, 2), (15, 3, 2), (14, 7, 2), (7, 7, 1), (768, 8, 2)]


def turned(size, scale=1.0, dtype=torch.float64):
    torch.manual_seed(0)
    rotation = OrthogonalButterfly(*size, dtype=dtype)
    for angles in rotation.parameters():
        nn.init.normal_(angles, std=scale)
    return rotation


def dense(rotation):
    return torch.from_numpy(rotation.to_operator().toarray())


@for_each("size", SIZES)
def test_it_starts_at_the_identity(size):
    X = torch.randn(3, 2, size[0])
    assert torch.equal(OrthogonalButterfly(*size)(X), X)


@for_each("dtype", [torch.float32, torch.float64])
@for_each("scale", [1e-3, 1.0, 30.0])
@for_each("size", SIZES)
def test_it_is_orthogonal(size, scale, dtype):
    matrix = dense(turned(size, scale, dtype)).double()
    error = (matrix @ matrix.T - torch.eye(size[0])).abs().max()
    assert error < 20 * size[1] * max(1.0, scale) * torch.finfo(dtype).eps
    assert torch.linalg.slogdet(matrix).sign == 1


@for_each("size", SIZES)
def test_blocks_and_parameters(size):
    """As many numbers as rotations in so many planes have, none outside of the blocks."""
    n, b, count = size
    rotation = turned(size)
    assert sum(p.numel() for p in rotation.parameters()) == count * n * (b - 1) // 2
    factors = rotation.to_operator().factors
    assert [tuple(factor.pattern) for factor in factors] == list(rotation.patterns)
    for factor in factors:
        one = factor.toarray()
        np.testing.assert_allclose(one @ one.T, np.eye(n), atol=1e-12)
        assert (one != 0).sum() == n * b


def test_cayley_is_the_formula():
    angles = torch.randn(5, 6, dtype=torch.float64)
    rows, columns = np.triu_indices(4, 1)
    for rotation, entries in zip(cayley(angles, 4).numpy(), angles.numpy()):
        skew = np.zeros((4, 4))
        skew[rows, columns] = entries
        skew -= skew.T
        expected = np.linalg.solve((np.eye(4) + skew).T, (np.eye(4) - skew).T).T
        np.testing.assert_allclose(rotation, expected, atol=1e-14)


def test_all_inputs_meet_all_outputs():
    """Where powers of the block size divide n, as few factors as can do it."""
    for n, b in [(64, 4), (27, 3), (64, 8), (1024, 32)]:
        count = round(math.log(n, b))
        assert strides(n, b, count) == [b**l for l in range(count)]
        if n < 100:
            assert (dense(turned((n, b, count))) != 0).all()
    assert strides(768, 8, 3) == [1, 8, 48]
    assert strides(16, 4, 3) == [1, 4, 1]


@for_each("size", SIZES)
def test_products_and_gradients(size, monkeypatch):
    rotation = turned(size)
    matrix, X = dense(rotation), torch.randn(70, size[0], dtype=torch.float64, requires_grad=True)
    G = torch.randn_like(X)
    wanted = [X, *rotation.parameters()]
    if pytest.importorskip("numba"):
        monkeypatch.setattr(chain_gradient.dispatch, "SMALLEST", 1)
    Y = rotation(X)
    torch.testing.assert_close(Y, X @ matrix.T)
    found = torch.autograd.grad(Y, wanted, G)
    images = in_operations(X, rotation._layers())
    torch.testing.assert_close(images, Y)
    for gradient, expected in zip(found, torch.autograd.grad(images, wanted, G), strict=True):
        torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(torch.vmap(rotation)(X), Y)
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(rotation(X), Y)
        rotation.angles[0].data.zero_()
        torch.testing.assert_close(rotation(X), X @ dense(rotation).T)


def test_compiled_and_traced():
    rotation, X = turned((24, 4, 3)), torch.randn(5, 24, dtype=torch.float64)
    compiled = torch.compile(rotation, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(X), rotation(X))
    network = nn.Sequential(rotation, nn.Tanh())
    traced = torch.fx.symbolic_trace(network)
    assert [node.target for node in traced.graph.nodes][1] == "0"
    assert torch.equal(traced(X), network(X))


def test_without_numbers():
    """On "meta" there are shapes; numbers are loaded later."""
    full, X = turned((24, 4, 3)), torch.randn(5, 24, dtype=torch.float64)
    with torch.device("meta"):
        rotation = OrthogonalButterfly(24, 4, 3, dtype=torch.float64)
    assert all(angles.is_meta for angles in rotation.angles)
    assert rotation(X.to("meta")).is_meta
    for call in (lambda: rotation(X), rotation.to_operator):
        with pytest.raises(ValueError, match="rotation has its weight on the device 'meta'"):
            call()
    rotation.to_empty(device="cpu").load_state_dict(full.state_dict())
    torch.testing.assert_close(rotation(X), full(X))


def test_derivatives_of_all_orders():
    rotation = turned((12, 3, 2))
    names = [name for name, _ in rotation.named_parameters()]

    def images(X, *angles):
        return torch.func.functional_call(rotation, dict(zip(names, angles)), (X,))

    given = torch.randn(2, 12, dtype=torch.float64), *rotation.parameters()
    given = tuple(t.detach().clone().requires_grad_() for t in given)
    assert torch.autograd.gradcheck(images, given)
    assert torch.autograd.gradgradcheck(images, given)


@for_each("bias", [True, False])
def test_merge(bias):
    rotation, X = turned((24, 4, 3)), torch.randn(5, 24, dtype=torch.float64)
    linear = nn.Linear(24, 7, bias, dtype=torch.float64).requires_grad_(False)
    merged = rotation.merge(linear)
    torch.testing.assert_close(merged(X), linear(rotation(X)))
    assert (merged.bias is None) == (not bias) and not torch.equal(merged.weight, linear.weight)


def test_fine_tuning_finds_a_rotation():
    """A layer whose weight was rotated: training the rotation alone finds it."""
    target, rotation = turned((16, 4, 2), scale=0.3), turned((16, 4, 2), scale=0.0)
    linear = nn.Linear(16, 16, dtype=torch.float64).requires_grad_(False)
    expected = target.merge(linear)
    X = torch.randn(200, 16, dtype=torch.float64)
    optimizer = torch.optim.LBFGS(
        rotation.parameters(), max_iter=200, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        error = ((linear(rotation(X)) - expected(X)) ** 2).mean()
        error.backward()
        return error

    optimizer.step(loss)
    assert loss() < 1e-8


@for_each("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype):
    rotation, X = turned((24, 4, 3), dtype=torch.float32), torch.randn(5, 24)
    expected, eps = rotation(X), torch.finfo(dtype).eps
    with torch.autocast("cpu", dtype=dtype):
        assert (rotation(X) - expected).abs().max() < 20 * eps
    half = copy.deepcopy(rotation).to(dtype)
    assert (half(X.to(dtype)) - expected).abs().max() < 40 * eps


def test_copies_and_pickles():
    rotation, X = turned((24, 4, 3)), torch.randn(5, 24, dtype=torch.float64)
    with torch.no_grad():
        expected = rotation(X)
        for again in (copy.deepcopy(rotation), pickle.loads(pickle.dumps(rotation))):
            assert torch.equal(again(X), expected)
    fresh = OrthogonalButterfly(24, 4, 3, dtype=torch.float64)
    fresh.load_state_dict(rotation.state_dict())
    assert torch.equal(fresh(X), rotation(X))
    assert "n=24, patterns=((6, 4, 4, 1), (2, 4, 4, 3)" in repr(rotation)
