"""PyTorch networks compute what is read from them, or are refused with what stands in the way."""

import numpy as np
import pytest

from skfact import ReLUPathEmbedding, relu
from tests.asserts import about

torch = pytest.importorskip("torch")
pytest.importorskip("torch.nn.utils.prune")
nn = torch.nn
X = np.random.default_rng(0).standard_normal((20, 5))

FUNCTIONS = {
    "activation_patterns": lambda m: relu.activation_patterns(m, X),
    "activation_space": lambda m: relu.activation_space(m, X),
    "align": lambda m: relu.align(m, m),
    "canonical_form": relu.canonical_form,
    "equalize": relu.equalize,
    "generalization_bound": lambda m: relu.generalization_bound(m, X, X[:, 0] > 0, n_draws=1),
    "identifiability_report": relu.identifiability_report,
    "is_rescaling_equivalent": lambda m: relu.is_rescaling_equivalent(m, m),
    "path_count": relu.path_count,
    "path_inner": lambda m: relu.path_inner(m, m),
    "path_kernel": lambda m: relu.path_kernel(m, X),
    "path_metric": lambda m: relu.path_metric(m, m),
    "path_norm": relu.path_norm,
    "path_saliency": relu.path_saliency,
    "path_sgd_scaling": relu.path_sgd_scaling,
    "path_sketch": relu.path_sketch,
    "path_sums": relu.path_sums,
    "prune": relu.prune,
    "quantize": relu.quantize,
    "rescale": lambda m: relu.rescale(m, [np.ones(6), np.ones(6)]),
    "retrain": lambda m: relu.retrain(m, X, X[:, :2], tol=0.1),
    "rescaling_factors": lambda m: relu.rescaling_factors(m, m),
    "simplify": relu.simplify,
    "top_paths": relu.top_paths,
    "ReLUPathEmbedding": lambda m: ReLUPathEmbedding(m).fit(X),
}


def module():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(5, 6), nn.ReLU())
    return nn.Sequential(first, nn.Linear(6, 6), nn.ReLU(), nn.Identity(), nn.Linear(6, 2)).double()


def refused_everywhere(network, message):
    for name, function in FUNCTIONS.items():
        with about(name), pytest.raises(ValueError, match=message):
            function(network)


def test_all_functions_are_listed():
    others = {"ActivationSpace", "GeneralizationBound", "IdentifiabilityReport", "NetworkGraph"}
    assert set(relu.__all__) - others == set(FUNCTIONS)
    for function in FUNCTIONS.values():
        function(module())


def pruned_twice(m):
    nn.utils.prune.l1_unstructured(m[1], "bias", 0.5)
    nn.utils.prune.random_unstructured(m[1], "bias", 1)


HOOKS = {
    "pruning": (
        lambda m: nn.utils.prune.l1_unstructured(m[0][0], "weight", 0.5),
        r"module 0\.0 \(Linear\).*L1Unstructured.*prune\.remove\(network\[0\]\[0\], 'weight'\)",
    ),
    "pruning, twice": (pruned_twice, r"PruningContainer.*prune\.remove\(network\[1\], 'bias'\)"),
    "weight norm": (
        lambda m: nn.utils.weight_norm(m[1]),
        r"WeightNorm.*remove_weight_norm\(network\[1\], 'weight'\)",
    ),
    "spectral norm": (
        lambda m: nn.utils.spectral_norm(m[1]),
        r"SpectralNorm.*remove_spectral_norm\(network\[1\], 'weight'\)",
    ),
    "parametrization": (
        lambda m: nn.utils.parametrizations.weight_norm(m[1]),
        r"module 1.*remove_parametrizations\(network\[1\], 'weight'\)",
    ),
    "parametrized bias": (
        lambda m: nn.utils.parametrize.register_parametrization(m[4], "bias", nn.ReLU()),
        r"module 4.*remove_parametrizations\(network\[4\], 'bias'\)",
    ),
    "of an activation": (
        lambda m: m[2].register_forward_hook(lambda module, given, value: 2 * value),
        r"module 2 \(ReLU\) has a forward hook.*handle\.remove",
    ),
    "of an identity": (
        lambda m: m[3].register_forward_pre_hook(lambda module, given: None),
        r"module 3 \(Identity\) has a forward pre-hook",
    ),
    "of the container": (
        lambda m: m.register_forward_hook(lambda module, given, value: -value),
        r"network \(Sequential\) has a forward hook",
    ),
    "of an inner container": (
        lambda m: m[0].register_forward_pre_hook(lambda module, given: given),
        r"module 0 \(Sequential\) has a forward pre-hook",
    ),
    "replaced forward": (
        lambda m: setattr(m[2], "forward", torch.sigmoid),
        r"module 2 \(ReLU\) has a `forward` of its own, '.*sigmoid'",
    ),
    "weight that is no parameter": (
        lambda m: setattr(m[1], "weight", m[1]._parameters.pop("weight").detach()),
        r"module 1 \(Linear\): weight is no parameter",
    ),
}


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated:FutureWarning")
@pytest.mark.parametrize("make, message", HOOKS.values(), ids=HOOKS)
def test_what_takes_part_in_the_forward_pass_is_refused(make, message):
    network = module()
    make(network)
    refused_everywhere(network, message)
    # also after a backward pass, where a reparametrized weight cannot be copied
    network(torch.ones(3, 5, dtype=torch.float64)).sum().backward()
    refused_everywhere(network, message)


def test_hooks_on_all_modules():
    handle = nn.modules.module.register_module_forward_hook(lambda module, given, value: None)
    try:
        refused_everywhere(module(), "global hook")
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


def two_squares():
    """Linear maps of equal shape in two containers."""
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6))
    return nn.Sequential(first, nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 2)).double()


def pieces(first, second):
    """Biases that are pieces of one NumPy array, which PyTorch does not know."""

    def make(a, b):
        memory = np.linspace(0, 1, 12)
        a.bias = nn.Parameter(torch.from_numpy(memory[first]))
        b.bias = nn.Parameter(torch.from_numpy(memory[second]))

    return make


def columns(start):
    """Weights that are columns of one matrix."""

    def make(a, b):
        matrix = torch.randn(6, 12, dtype=torch.float64)
        a.weight = nn.Parameter(matrix[:, :6])
        b.weight = nn.Parameter(matrix[:, start : start + 6])

    return make


TIED = {
    "weights": lambda a, b: setattr(b, "weight", a.weight),
    "biases": lambda a, b: setattr(b, "bias", a.bias),
    "transposed": lambda a, b: setattr(b, "weight", nn.Parameter(a.weight.data.T)),
    "data": lambda a, b: setattr(b.bias, "data", a.bias.data),
    "a bias in a weight": lambda a, b: setattr(b, "bias", nn.Parameter(a.weight.data[:, 2])),
    "overlapping columns": columns(5),
    "overlapping memory": pieces(slice(6), slice(5, 11)),
}


@pytest.mark.parametrize("make", TIED.values(), ids=TIED)
def test_tied_parameters_are_refused(make):
    network = two_squares()
    make(network[0][2], network[2])
    refused_everywhere(
        network, r"module 2 \(Linear\): (weight|bias) and module 0\.2 \(Linear\): .* are tied"
    )


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


class Net(nn.Module):
    """As in PyTorch's tutorial."""

    def __init__(self, forward=None, **more):
        super().__init__()
        torch.manual_seed(0)
        self.flatten = nn.Flatten()
        self.layers = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)).double()
        for name, module in more.items():
            setattr(self, name, module)
        self.then = forward or (lambda self, x: self.layers(self.flatten(x)))
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return self.then(self, x)


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


def softmax(self, x):
    return torch.softmax(self.layers(x), dim=1)


def image(self, x):
    return self.layers(x.reshape(x.shape[0], 1, 28, 28))


REFUSED = {
    "dropout": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Dropout(), nn.Linear(6, 2)),
        r"module 2 \(Dropout\) is in training mode.*network\.eval\(\)",
    ),
    "batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2)),
        r"module 1 \(BatchNorm1d\) is in training mode.*network\.eval\(\)",
    ),
    "no statistics": (
        lambda: nn.Sequential(
            nn.Linear(5, 6), nn.BatchNorm1d(6, track_running_stats=False), nn.ReLU()
        ).eval(),
        r"module 1 \(BatchNorm1d\) has no running statistics.*track_running_stats=True",
    ),
    "size of a batch norm": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.BatchNorm1d(7)).eval(),
        r"module 1 \(BatchNorm1d\): mean has shape \(7,\); \(6,\) is needed",
    ),
    "flatten": (
        lambda: nn.Sequential(nn.Flatten(start_dim=0), nn.Linear(5, 6)),
        r"module 0 is Flatten\(start_dim=0.*use torch\.nn\.Flatten\(\)",
    ),
    "softmax inside": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.Softmax(dim=1), nn.Linear(6, 2)),
        r"module 1 \(Softmax\) is not the last module: .*, 2,",
    ),
    "softmax of a ReLU": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Softmax(dim=1)),
        "module 2 is Softmax; only Linear",
    ),
    "softmax of samples": (
        lambda: nn.Sequential(nn.Linear(5, 6), nn.LogSoftmax(dim=0)),
        r"module 1 \(LogSoftmax\) has dim=0: give it dim=1",
    ),
    "convolution": (
        lambda: nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6, 2)),
        "module 0 is Conv1d; .*write convolutions.*NetworkGraph",
    ),
    "two sequentials": (
        lambda: Net(head=nn.Sequential(nn.Linear(2, 2))),
        r"holds 2 Sequentials: pass one of them, network\.layers, network\.head",
    ),
    "more in its forward": (
        lambda: Net(softmax),
        r"network \(Net\) does not compute what its Sequential 'layers' does: pass network\.layers",
    ),
    "other samples": (
        lambda: Net(image),
        r"network \(Net\) does not take rows of 5 features.*pass network\.layers",
    ),
    "dropout in a named one": (
        lambda: Net(layers=nn.Sequential(nn.Linear(5, 6), nn.Dropout())),
        r"module layers\.1 \(Dropout\) is in training mode",
    ),
}


@pytest.mark.parametrize("make, message", REFUSED.values(), ids=REFUSED)
def test_what_is_not_read_is_named(make, message):
    refused_everywhere(make(), message)
