"""Layers whose weight is an operator, on every way that PyTorch runs them."""

import copy
import io
import pickle

import numpy as np
import pytest
import scipy.sparse

from skfact._kernels import chain_gradient
from skfact.operators import (
    FactorizedOperator,
    KroneckerFactor,
    OperatorSum,
    PartialPermutation,
)
from skfact.supports import Chain
from tests.arrays import DTYPES, gaussian
from tests.asserts import for_each

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn.utils import prune

from skfact.torch import FactorizedLinear, _linear, _ways


@pytest.fixture
def at_any_size(monkeypatch):
    """Loops on the values as they are, however few there are."""
    pytest.importorskip("numba")
    monkeypatch.setattr(chain_gradient.dispatch, "SMALLEST", 1)


def sparse_operator(dtype="float64"):
    rng = np.random.default_rng(1)
    matrix = scipy.sparse.random_array((6, 5), density=0.5, rng=rng).astype(dtype)
    matrix.data = gaussian(rng, matrix.data.shape, dtype)
    return FactorizedOperator(
        [matrix, PartialPermutation([3, -1, 0, 1, 2], 4), gaussian(rng, (4, 4), dtype)]
    )


def operators(make_operator, dtype="float64"):
    """Chains of small and of large blocks, selections, sparse factors, and sums."""
    chain = make_operator(Chain.butterfly(12), dtype, permuted=True)
    m, n = chain.shape
    rng = np.random.default_rng(2)
    large = FactorizedOperator([gaussian(rng, (m, 9), dtype), gaussian(rng, (9, n), dtype)])
    entries = scipy.sparse.random_array((m, n), density=0.3, rng=rng).astype(dtype)
    return {
        "chain": chain,
        "monarch": make_operator(Chain.monarch(12, 20), dtype),
        "large blocks": large,
        "sparse": sparse_operator(dtype),
        "sum": chain + large + entries,
    }


KINDS = ["chain", "monarch", "large blocks", "sparse", "sum"]


def rows(operator, *batch, seed=3):
    return gaussian(np.random.default_rng(seed), (*batch, operator.shape[1]), str(operator.dtype))


def tolerance(dtype):
    return 1e-5 if dtype in ("float32", "complex64") else 1e-12


def close(found, expected, dtype):
    found = found.detach().numpy()
    assert (str(found.dtype), found.shape) == (dtype, expected.shape)
    np.testing.assert_allclose(
        found, expected, rtol=0, atol=tolerance(dtype) * np.abs(expected).max()
    )


@for_each("dtype", DTYPES)
@for_each("permuted", [False, True])
def test_it_equals_apply(chain, permuted, dtype, make_operator):
    op = make_operator(chain, dtype, permuted=permuted)
    X = rows(op, 2, 3)
    layer = op.to_torch()
    expected = op.apply(X.reshape(6, -1)).reshape(2, 3, -1)
    for _ in range(3):  # values as they are, then put in order, then kept
        close(layer(torch.tensor(X)), expected, dtype)
    close(layer(torch.tensor(X[0, 0])), expected[0, 0], dtype)


@for_each("dtype", DTYPES)
@for_each("kind", KINDS)
@pytest.mark.usefixtures("at_any_size")
def test_all_ways_are_the_same(kind, dtype, make_operator):
    """Loops on the values, on the ordered values, PyTorch's operations; and the derivatives."""
    op = operators(make_operator, dtype)[kind]
    layer = op.to_torch()
    X = torch.tensor(rows(op, 70), requires_grad=True)
    G = torch.tensor(gaussian(np.random.default_rng(4), (70, op.shape[0]), dtype))
    expected, found = layer._in_operations(X), []
    wanted = [X, *layer.parameters()]
    exact = torch.autograd.grad(expected, wanted, G)
    for _ in range(2):
        Y = layer(X)
        close(Y, expected.detach().numpy(), dtype)
        found.append(torch.autograd.grad(Y, wanted, G))
    for gradients in found:
        for gradient, right in zip(gradients, exact, strict=True):
            assert gradient.shape == right.shape
            close(gradient, right.numpy(), dtype)
    with torch.no_grad():
        close(layer(X), expected.detach().numpy(), dtype)


def functional(layer):
    """The layer as a function of its rows and parameters."""
    names = [name for name, _ in layer.named_parameters()]
    return lambda X, *values: torch.func.functional_call(layer, dict(zip(names, values)), (X,))


def arguments(op, layer):
    given = [torch.tensor(rows(op, 3)), *(p.detach().clone() for p in layer.parameters())]
    return tuple(t.requires_grad_() for t in given)


@for_each("dtype", ["float64", "complex128"])
@for_each("kind", KINDS)
@pytest.mark.usefixtures("at_any_size")
def test_gradients(kind, dtype, make_operator):
    """Against differences of the function, along random directions."""
    op = operators(make_operator, dtype)[kind]
    layer = op.to_torch(bias=np.arange(op.shape[0]))
    given = arguments(op, layer)
    assert torch.autograd.gradcheck(functional(layer), given, fast_mode=True)
    assert torch.autograd.gradgradcheck(functional(layer), given, fast_mode=True)


@for_each("kind", KINDS)
@pytest.mark.usefixtures("at_any_size")
def test_gradients_of_some_only(kind, make_operator):
    op = operators(make_operator)[kind]
    X = torch.tensor(rows(op, 5))
    layer = op.to_torch()
    layer(X).sum().backward()
    expected = {name: p.grad for name, p in layer.named_parameters()}
    for chosen in expected:
        layer = op.to_torch().requires_grad_(False)
        layer.get_parameter(chosen).requires_grad_()
        layer(X).sum().backward()
        for name, parameter in layer.named_parameters():
            if name == chosen:
                torch.testing.assert_close(parameter.grad, expected[name])
            else:
                assert parameter.grad is None
    X.requires_grad_()
    layer = op.to_torch().requires_grad_(False)
    layer(X).sum().backward()
    np.testing.assert_allclose(X.grad.numpy(), np.ones((5, 1)) * op.toarray().sum(0), atol=1e-12)


def test_parameters_are_the_values(make_operator):
    op = make_operator(Chain.butterfly(8), permuted=True)
    parameters = list(op.to_torch().parameters())
    assert sum(parameter.numel() for parameter in parameters) == op.nnz
    for parameter, factor in zip(parameters, op.factors[1:-1], strict=True):
        assert parameter.requires_grad
        np.testing.assert_array_equal(parameter.detach().numpy(), factor.values)


def test_training_fits_a_target():
    """Gradients reach every kind of factor: a few steps reduce the error, the pattern stays."""
    op = sparse_operator()
    target = torch.tensor(2 * op.toarray().T)
    layer = op.to_torch()
    identity = torch.eye(4, dtype=torch.float64)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = ((layer(identity) - target) ** 2).mean()
        loss.backward()
        assert all((p.grad != 0).any() for p in layer.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.05 * losses[0]
    np.testing.assert_allclose(op.toarray(), 0.5 * target.numpy().T)  # its own values are copies


CHANGES = {
    "in place": lambda p: p.mul_(2),
    "through data": lambda p: p.data.mul_(2),
    "other memory": lambda p: setattr(p, "data", 2 * p.data),
    "NumPy": lambda p: np.multiply(p.numpy(), 2, out=p.numpy()),
    "other strides": lambda p: setattr(p, "data", (2 * p.data).mT.contiguous().mT),
}


@for_each("change", CHANGES)
def test_changed_numbers_are_seen(change, make_operator):
    op = make_operator(Chain.butterfly(8), permuted=True)
    layer, X = op.to_torch(), torch.tensor(rows(op, 4))
    with torch.no_grad():
        for factor in range(1, 4):
            for _ in range(3):
                before = layer(X)
            CHANGES[change](layer.terms[0][factor].weight)
            torch.testing.assert_close(layer(X), 2 * before)


def test_changed_modules_are_seen(make_operator):
    op = make_operator(Chain.butterfly(8))
    layer, X = op.to_torch(), torch.tensor(rows(op, 4))
    for _ in range(2):
        before = layer(X)
    other = copy.deepcopy(layer.terms[0][1])
    with torch.no_grad():
        other.weight.mul_(2)
    layer.terms[0][1] = other
    torch.testing.assert_close(layer(X), 2 * before)
    layer.terms[0][1].register_forward_hook(lambda module, given, images: 2 * images)
    torch.testing.assert_close(layer(X), 4 * before)
    prune.l1_unstructured(layer.terms[0][0], "weight", 0.5)
    assert (layer.to_operator().factors[0].values == 0).sum() == 8
    expected = 2 * layer.to_operator().apply(X.numpy())
    for _ in range(2):
        np.testing.assert_allclose(layer(X).detach().numpy(), expected)


class Doubled(nn.Module):
    def forward(self, weight):
        return 2 * weight


@for_each("kind", ["chain", "sparse"])
def test_numbers_may_be_parametrized(kind, make_operator):
    op = operators(make_operator)[kind]
    layer, X = op.to_torch(), torch.tensor(rows(op, 4))
    layer(X).sum().backward()
    factor = next(factor for factor in layer.terms[0] if factor.weight is not None)
    gradient = factor.weight.grad
    nn.utils.parametrize.register_parametrization(factor, "weight", Doubled())
    for _ in range(2):
        np.testing.assert_allclose(layer(X).detach().numpy(), 2 * op.apply(X.numpy()))
    np.testing.assert_allclose(layer.to_operator().toarray(), 2 * op.toarray())
    (found,) = torch.autograd.grad(layer(X).sum(), factor.parametrizations.weight.original)
    torch.testing.assert_close(found, 2 * gradient)


def test_a_factor_in_two_places():
    values = np.random.default_rng(0).standard_normal((1, 2, 2, 2))
    factor = KroneckerFactor(values, (1, 2, 2, 2))
    layer = FactorizedOperator([factor, factor]).to_torch()
    layer.terms[0][1] = layer.terms[0][0]
    X = torch.randn(3, 4, dtype=torch.float64)
    expected = layer._in_operations(X)
    (exact,) = torch.autograd.grad(expected.sum(), layer.parameters())
    for _ in range(2):
        found = layer(X)
        torch.testing.assert_close(found, expected)
        torch.testing.assert_close(*torch.autograd.grad(found.sum(), layer.parameters()), exact)


class AtRandom(nn.Module):
    def forward(self, weight):
        return torch.rand(()) * weight


@pytest.mark.usefixtures("at_any_size")
def test_a_parametrization_at_random_is_asked_once(make_operator):
    """The images are linear in each factor: the derivative along itself gives them."""
    layer = make_operator(Chain.butterfly(8)).to_torch()
    factor = layer.terms[0][1]
    nn.utils.parametrize.register_parametrization(factor, "weight", AtRandom())
    original = factor.parametrizations.weight.original
    for batch in (2, 2, 70):
        total = layer(torch.randn(batch, 8, dtype=torch.float64)).sum()
        (found,) = torch.autograd.grad(total, original)
        torch.testing.assert_close((found * original).sum(), total)


def test_states_with_the_old_name_of_numbers(make_operator):
    """The parameter `weight` was called `values` once."""
    op = operators(make_operator)["sum"]
    old = {name.replace("weight", "values"): p for name, p in op.to_torch().state_dict().items()}
    assert sum("values" in name for name in old) == 6
    layer = (0.5 * op).to_torch()
    layer.load_state_dict(old)
    np.testing.assert_array_equal(layer.to_operator().toarray(), op.toarray())
    assert sum("values" in name for name in old) == 6  # that state itself stays


@for_each("kind", KINDS)
def test_without_numbers(kind, make_operator):
    """On "meta" there are shapes; numbers are loaded later."""
    op = operators(make_operator)[kind]
    full = op.to_torch(bias=np.ones(op.shape[0]))
    X = torch.tensor(rows(op, 4))
    with torch.device("meta"):  # where tensors are made, not where an operator's numbers are
        assert torch.equal(op.to_torch()(X), op.to_torch()(X))
    state = full.state_dict()
    for load in (
        lambda layer: layer.load_state_dict(state, assign=True),
        lambda layer: layer.to_empty(device="cpu").load_state_dict(state),
    ):
        layer = copy.deepcopy(full).to("meta")
        images = layer(X.to("meta"))
        assert images.is_meta and images.shape == (4, op.shape[0]) and images.dtype == X.dtype
        for call in (lambda layer=layer: layer(X), layer.to_operator):
            with pytest.raises(ValueError, match="layer has its weight on the device 'meta'"):
                call()
        load(layer)
        torch.testing.assert_close(layer(X), full(X))


def test_a_pytorch_that_says_nothing_of_itself(make_operator, monkeypatch):
    """Its operations are taken, as everywhere where loops would be wrong."""
    op = operators(make_operator)["sum"]
    layer, X = op.to_torch(), torch.tensor(rows(op, 4))
    expected = layer(X)
    for name in ("peek_interpreter_stack", "_len_torch_dispatch_stack", "_dispatch_key_set"):
        monkeypatch.setattr(_ways, name, None)
    monkeypatch.setattr(_linear, "in_loops", None)
    torch.testing.assert_close(layer(X), expected)
    torch.testing.assert_close(torch.func.jacrev(layer)(X[0]), torch.tensor(op.toarray()))


def test_backward_of_numbers_that_have_changed_is_an_error(make_operator):
    layer = make_operator(Chain.butterfly(8)).to_torch()
    Y = layer(torch.ones((3, 8), dtype=torch.float64))
    with torch.no_grad():
        layer.terms[0][0].weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        Y.sum().backward()


@for_each("kind", KINDS)
def test_copies_pickles_and_states(kind, make_operator):
    op = operators(make_operator)[kind]
    layer = op.to_torch(bias=np.ones(op.shape[0]))
    X = torch.tensor(rows(op, 4))
    expected = layer(X)
    buffer = io.BytesIO()
    torch.save(layer.state_dict(), buffer)
    buffer.seek(0)
    fresh = (0.5 * op).to_torch(bias=np.zeros(op.shape[0]))
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(fresh(X), expected)
    for again in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), copy.copy(layer)):
        assert torch.equal(again(X), expected)
    assert all(p is not q for p, q in zip(layer.parameters(), copy.deepcopy(layer).parameters()))
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    assert torch.equal(torch.load(buffer, weights_only=False)(X), expected)


@for_each("dtype", DTYPES)
@for_each("kind", KINDS)
def test_there_and_back(kind, dtype, make_operator):
    """The operator of a layer is the one it was made of, and the one of today's numbers."""
    op = operators(make_operator, dtype)[kind]
    back = op.to_torch().to_operator()
    assert type(back) is type(op)
    np.testing.assert_array_equal(back.toarray(), op.toarray())
    assert back.dtype == op.dtype
    np.testing.assert_array_equal(type(op).from_torch(op.to_torch()).toarray(), op.toarray())
    layer = op.to_torch()
    with torch.no_grad():
        next(layer.parameters()).zero_()
    expected = layer(torch.eye(op.shape[1], dtype=getattr(torch, dtype))).detach().T
    scale = np.abs(op.toarray()).max()
    np.testing.assert_allclose(
        layer.to_operator().toarray(), expected.numpy(), atol=tolerance(dtype) * scale
    )


def test_from_torch_of_layers():
    first, second = nn.Linear(5, 4, bias=False), nn.Linear(4, 6, bias=False)
    factorized = sparse_operator("float32").to_torch()
    op = FactorizedOperator.from_torch(nn.Sequential(first, factorized))
    expected = sparse_operator("float32").toarray() @ first.weight.detach().numpy()
    np.testing.assert_allclose(op.toarray(), expected, rtol=0, atol=1e-5)
    assert FactorizedOperator.from_torch(second.half()).dtype == np.float32
    with pytest.raises(ValueError, match="has a bias"):
        FactorizedOperator.from_torch(nn.Linear(3, 2))
    with pytest.raises(TypeError, match=r"OperatorSum\.from_torch"):
        FactorizedOperator.from_torch((op + op).to_torch())
    assert isinstance(OperatorSum.from_torch((op + op).to_torch()), OperatorSum)


def test_from_an_operator_of_tensors(make_operator):
    op = make_operator(Chain.butterfly(8), permuted=True).to_device(torch.ones(1))
    X = torch.rand((5, op.shape[1]), dtype=torch.float64)
    torch.testing.assert_close(op.to_torch()(X), op.apply(X))


@for_each("kind", KINDS)
@pytest.mark.usefixtures("at_any_size")
def test_shapes_and_strides_of_rows(kind, make_operator):
    op = operators(make_operator)[kind]
    layer, n = op.to_torch(), op.shape[1]
    X = torch.tensor(rows(op, 6))
    expected = layer(X)
    assert layer(X[:0]).shape == (0, op.shape[0])
    assert layer(X.reshape(2, 3, n)[:, :0]).shape == (2, 0, op.shape[0])
    layer(X[:0].requires_grad_()).sum().backward()
    for other in (
        X.T.contiguous().T,
        X.repeat_interleave(2, 1)[:, ::2],
        X.flip(0).flip(0),
        torch.cat([X, X])[::2][:3],
    ):
        want = expected if len(other) == 6 else layer(other.contiguous())
        torch.testing.assert_close(layer(other), want)
    constant = X[:1].expand(4, n)
    torch.testing.assert_close(layer(constant), expected[:1].expand(4, -1))


@for_each("dtype", ["float16", "bfloat16"])
@for_each("kind", KINDS)
def test_half_precision(kind, dtype, make_operator):
    """To the rounding of its numbers: a few factors, and sums of at most 20 products."""
    op = operators(make_operator, "float32")[kind]
    layer = op.to_torch(bias=np.ones(op.shape[0]))
    X = torch.tensor(rows(op, 4))
    dtype = getattr(torch, dtype)
    expected = layer(X)
    half = copy.deepcopy(layer).to(dtype)
    found = half(X.to(dtype))
    assert found.dtype == dtype
    scale = 20 * torch.finfo(dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=scale)
    found.sum().backward()
    with torch.autocast("cpu", dtype=dtype):
        found = layer(X)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, rtol=0, atol=scale)
    np.testing.assert_allclose(half.to_operator().toarray(), op.toarray(), atol=scale)


@for_each("kind", ["sparse", "sum"])  # factors of all kinds are in these
def test_compile_and_export(kind, make_operator):
    op = operators(make_operator)[kind]
    layer = op.to_torch(bias=np.ones(op.shape[0]))
    X = torch.tensor(rows(op, 4), requires_grad=True)
    expected = layer(X)
    wanted = [X, *layer.parameters()]
    exact = torch.autograd.grad((expected**2).sum(), wanted)
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    found = compiled(X)
    torch.testing.assert_close(found, expected)
    for gradient, right in zip(torch.autograd.grad((found**2).sum(), wanted), exact, strict=True):
        torch.testing.assert_close(gradient, right)
    batch = torch.export.Dim("batch")
    program = torch.export.export(layer, (X.detach(),), dynamic_shapes=({0: batch},))
    more = torch.tensor(rows(op, 9))
    torch.testing.assert_close(program.module()(more), layer(more))


@for_each("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script")  # jacfwd's own
def test_transforms(kind, make_operator):
    """torch.func, forward derivatives, batches of gradients, and none at all."""
    op = operators(make_operator)[kind]
    layer = op.to_torch()
    X, dense = torch.tensor(rows(op, 4)), torch.tensor(op.toarray())
    torch.testing.assert_close(torch.vmap(layer)(X), layer(X))
    torch.testing.assert_close(torch.func.jacrev(layer)(X[0]), dense)
    torch.testing.assert_close(torch.func.jacfwd(layer)(X[0]), dense)
    for vectorize in (False, True):
        found = torch.autograd.functional.jacobian(layer, X[0], vectorize=vectorize)
        torch.testing.assert_close(found, dense)
    with torch.inference_mode():
        torch.testing.assert_close(layer(X), X @ dense.T)


def test_from_linear_keeps_what_is_around_the_weight():
    linear = nn.Linear(16, 8).eval()
    linear.weight.requires_grad_(False)
    layer = FactorizedLinear.from_linear(linear, "dense")
    X = torch.randn(3, 16)
    torch.testing.assert_close(layer(X), linear(X))
    assert not layer.training and layer.bias is not linear.bias and layer.bias.requires_grad
    assert not any(p.requires_grad for p in layer.terms.parameters())
    assert FactorizedLinear.from_linear(nn.Linear(16, 8, bias=False), "dense").bias is None


def test_from_linear_with_inputs():
    """Rows in a plane: two numbers of rank are enough for them, not for others."""
    linear = nn.Linear(16, 16, dtype=torch.float64)
    inputs = torch.randn(40, 2, dtype=torch.float64) @ torch.randn(2, 16, dtype=torch.float64)
    layer = FactorizedLinear.from_linear(linear, "low-rank", rank=2, inputs=inputs)
    torch.testing.assert_close(layer(inputs), linear(inputs))


def test_it_says_what_it_is(make_operator):
    layer = make_operator(Chain.butterfly(8), permuted=True).to_torch(bias=np.zeros(7))
    assert "in_features=9, out_features=7, bias=True, numbers=48, density=0.762" in repr(layer)
    assert "pattern=(1, 2, 2, 4)" in repr(layer)
    assert "shape=(6, 5), nnz=15" in repr(sparse_operator().to_torch())


@for_each("dtype", [*DTYPES, "float16"])
def test_a_selection_takes_all_rows(dtype):
    layer = FactorizedOperator([PartialPermutation([2, -1, 0], 4)]).to_torch()
    X = torch.arange(8).reshape(2, 4).to(getattr(torch, dtype))
    expected = torch.tensor([[2, 0, 0], [6, 0, 4]]).to(X.dtype)
    assert torch.equal(layer(X), expected)
    assert layer(X.requires_grad_()).dtype == X.dtype
    np.testing.assert_array_equal(layer.to_operator().apply(np.arange(4.0)[None]), [[2, 0, 0]])


def test_there_is_no_dense_weight():
    with pytest.raises(AttributeError, match="in the place of a weight"):
        sparse_operator().to_torch().weight  # noqa: B018


@for_each("kind", KINDS)
def test_a_leaf_of_traced_graphs(kind, make_operator):
    operator = operators(make_operator)[kind]
    network = nn.Sequential(nn.Sequential(operator.to_torch()), nn.Tanh())
    traced = torch.fx.symbolic_trace(network)
    assert [node.target for node in traced.graph.nodes if node.op == "call_module"] == ["0.0", "1"]
    X = torch.from_numpy(rows(operator, 3))
    torch.testing.assert_close(traced(X), network(X), rtol=0, atol=0)
    with pytest.raises(TypeError, match=r"FactorizedLinear the whole.*nn\.Sequential"):
        torch.fx.symbolic_trace(network[0][0])
