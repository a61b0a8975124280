"""PyTorch networks compute what is read from them, or are refused with what stands in the way."""

import numpy as np
import pytest

from skfact import relu
from tests.asserts import about
from tests.bad_input.relu_modules import FUNCTIONS, X

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")
nn = torch.nn

from tests.relu.modules import (  # noqa: E402  (PyTorch may be missing)
    HOOKS,
    Net,
    columns,
    module,
    pieces,
    two_squares,
    with_hook,
)


def test_all_functions_are_listed():
    others = {"ActivationSpace", "GeneralizationBound", "IdentifiabilityReport", "NetworkGraph"}
    assert set(relu.__all__) - others == set(FUNCTIONS)
    for function in FUNCTIONS.values():
        function(module())


@pytest.mark.parametrize("put, message", HOOKS.values(), ids=HOOKS)
def test_hooks_are_seen_after_a_backward_pass(put, message):
    """Where a reparametrized weight cannot be copied. tests/bad_input has them before."""
    network = with_hook(put)
    network(torch.ones(3, 5, dtype=torch.float64)).sum().backward()
    with pytest.raises(ValueError, match=message):
        relu.equalize(network)


def test_hooks_on_all_modules():
    handle = nn.modules.module.register_module_forward_hook(lambda module, given, value: None)
    try:
        for name, function in FUNCTIONS.items():
            with about(name), pytest.raises(ValueError, match="global hook"):
                function(module())
    finally:
        handle.remove()
    FUNCTIONS["equalize"](module())


def test_what_the_message_advises_works():
    network = module()
    nn.utils.prune.l1_unstructured(network[0][0], "weight", 0.5)
    nn.utils.parametrizations.weight_norm(network[1])
    nn.utils.prune.remove(network[0][0], "weight")
    nn.utils.parametrize.remove_parametrizations(network[1], "weight")
    rows = torch.from_numpy(X)
    assert torch.allclose(relu.equalize(network)(rows), network(rows), rtol=0, atol=1e-12)
    pruned = relu.prune(network, 1.0)
    assert all(not layer.weight.any() for layer in (pruned[0][0], pruned[1], pruned[4]))
    assert len(relu.quantize(network, 2)[1].weight.unique()) <= 3


def test_hooks_on_gradients_are_none_of_ours():
    network = module()
    network.register_full_backward_hook(lambda module, given, value: None)
    rows = torch.from_numpy(X)
    assert torch.allclose(relu.equalize(network)(rows), network(rows), rtol=0, atol=1e-12)


def test_gradients_stay_with_the_network_that_has_them():
    network = module()
    network[1].weight.requires_grad_(False)
    network(torch.from_numpy(X)).sum().backward()
    written = relu.equalize(network)
    assert all(p.grad is None for p in written.parameters())
    grads = [p.requires_grad for p in network.parameters()]
    assert [p.requires_grad for p in written.parameters()] == grads and False in grads


def test_what_cannot_be_copied_is_said():
    network = module()
    network[2].last = network(torch.from_numpy(X))
    with pytest.raises(ValueError, match="network cannot be copied"):
        relu.equalize(network)
    assert relu.path_norm(network) == relu.path_norm(module())


@pytest.mark.parametrize("make", [columns(6), pieces(slice(6), slice(6, 12))])
def test_memory_in_common_is_fine_where_no_number_is(make):
    network = two_squares()
    make(network[0][2], network[2])
    rows = torch.from_numpy(X)
    assert torch.allclose(relu.equalize(network)(rows), network(rows), rtol=0, atol=1e-12)


def test_parameters_in_one_vector():
    network = two_squares()
    vector = nn.utils.parameters_to_vector(network.parameters()).detach()
    nn.utils.vector_to_parameters(vector, network.parameters())
    rows = torch.from_numpy(X)
    assert torch.allclose(relu.equalize(network)(rows), network(rows), rtol=0, atol=1e-12)
    assert torch.equal(nn.utils.parameters_to_vector(network.parameters()), vector)


def test_numbers_that_are_not_there():
    with pytest.raises(ValueError, match=r"module 0\.0 \(Linear\): weight is on the meta device"):
        relu.path_norm(module().to("meta"))


def like_many():
    """Everything that is read: a flat image, dropout, batch norms on both sides, a softmax."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Flatten(),
        nn.BatchNorm1d(5),
        nn.Linear(5, 6, bias=False),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Sequential(nn.BatchNorm1d(6, affine=False), nn.Linear(6, 4), nn.ReLU()),
        nn.BatchNorm1d(4),
        nn.BatchNorm1d(4),
        nn.Linear(4, 3),
        nn.BatchNorm1d(3),
        nn.BatchNorm1d(3),
        nn.Softmax(dim=1),
    ).double()
    with torch.no_grad():
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm1d) and norm.affine:  # signs of both kinds
                norm.weight.copy_(torch.linspace(-1, 2, norm.num_features))
                norm.bias.copy_(torch.linspace(1, -2, norm.num_features))
        for _ in range(3):
            network(torch.randn(50, 5, dtype=torch.float64))
    return network.eval()


def test_what_does_nothing_in_evaluation_is_left_out_and_batch_norms_are_folded():
    network, rows = like_many(), torch.from_numpy(X)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    expected = network(rows)
    before = network[:-1](rows).detach().numpy()
    graph = relu.NetworkGraph(5)
    h = graph.input
    for layer in [*network[:6], *network[6], *network[7:-1]]:
        if isinstance(layer, nn.Linear):
            bias = None if layer.bias is None else layer.bias.detach().numpy()
            h = graph.linear(h, layer.weight.detach().numpy().T, bias)
        elif isinstance(layer, nn.BatchNorm1d):
            scale, shift = (
                None if a is None else a.detach().numpy() for a in (layer.weight, layer.bias)
            )
            mean, variance = layer.running_mean.numpy(), layer.running_var.numpy()
            h = graph.batch_norm(h, mean, variance, scale, shift, eps=layer.eps)
        elif isinstance(layer, nn.ReLU):
            h = graph.relu(h)
    np.testing.assert_allclose(graph.predict(X), before, rtol=1e-10)
    for function in (relu.path_norm, relu.path_count):
        np.testing.assert_allclose(function(network), function(graph), rtol=1e-12)
    for name in ("equalize", "canonical_form", "simplify"):
        written = FUNCTIONS[name](network)
        assert torch.allclose(written(rows), expected, rtol=0, atol=1e-12), name
        kinds = [type(m) for m in network.modules()]
        folded = [nn.Identity if kind is nn.BatchNorm1d else kind for kind in kinds]
        assert [type(m) for m in written.modules()] == folded
        assert not written.training
    assert all(torch.equal(v, network.state_dict()[name]) for name, v in state.items())


def test_a_module_around_one_sequential():
    network, rows = Net(), torch.from_numpy(X)
    written = relu.equalize(network)
    assert type(written) is Net and written is not network
    assert torch.allclose(written(rows), network(rows), rtol=0, atol=1e-12)
    assert not torch.equal(written.layers[0].weight, network.layers[0].weight)
    assert relu.path_norm(network) == relu.path_norm(network.layers)
    assert network.calls == 1  # what is tried is a copy
    shaky = Net(lambda self, x: self.drop(self.layers(x)), drop=nn.Dropout())
    state = torch.random.get_rng_state()
    with pytest.raises(ValueError, match="does not compute"):
        relu.path_norm(shaky)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_reports_name_the_softmax_that_they_leave_out():
    for network, found in (
        (nn.Sequential(*module(), nn.LogSoftmax(dim=1)), "module 5 (softmax)"),
        (module(), ""),
    ):
        report = relu.identifiability_report(network)
        assert report.left_out == found
        head = repr(report).splitlines()[0]
        assert head.endswith(f"5-6-6-2{', before ' * bool(found)}{found}")
