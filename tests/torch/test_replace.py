"""Factorized layers in the place of dense ones: names, sharing, copies."""

import copy

import pytest

torch = pytest.importorskip("torch")
from torch import nn

from skfact.torch import FactorizedLinear, replace_linear_layers
from skfact.torch._replace import swap


class Network(nn.Module):
    """Layers inside of modules, one of them twice, two with one weight."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16, bias=False))
        self.again = self.body[0]
        self.head = nn.Linear(16, 16)
        self.head.weight = self.body[2].weight
        self.norm = nn.LayerNorm(16)
        with torch.no_grad():
            for layer in (self.again, self.head):
                layer.weight.copy_(torch.randn(16, 2) @ torch.randn(2, 16))

    def forward(self, X):
        return self.head(self.norm(self.again(self.body(X))))


def same_images(first, second, X):
    torch.testing.assert_close(first(X), second(X), rtol=1e-4, atol=1e-5)


def test_exact_structures_compute_the_same():
    network, X = Network(), torch.randn(5, 16)
    state = copy.deepcopy(network.state_dict())
    new = replace_linear_layers(network, "dense")
    same_images(new, network, X)
    assert {name: type(m).__name__ for name, m in network.named_modules()}["head"] == "Linear"
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    assert isinstance(new.norm, nn.LayerNorm)


def test_a_layer_in_two_places_stays_one_and_tied_weights_stay_tied():
    new = replace_linear_layers(Network(), "low-rank", rank=2)
    assert new.again is new.body[0]
    assert isinstance(new.head, FactorizedLinear)
    pairs = list(zip(new.head.terms.parameters(), new.body[2].terms.parameters()))
    assert len(pairs) == 2 and all(one is two for one, two in pairs)
    assert new.body[2].bias is None and new.head.bias is not None
    new(torch.randn(3, 16)).sum().backward()
    assert all(p.grad is not None for p in new.parameters())


def test_names_are_patterns():
    new = replace_linear_layers(Network(), "low-rank", rank=2, include=["body.0", "a*"])
    found = [n for n, m in new.named_modules() if isinstance(m, FactorizedLinear)]
    assert found == ["body.0"] and new.again is new.body[0]


def test_in_place():
    network = Network()
    assert replace_linear_layers(network, "low-rank", rank=2, inplace=True) is network
    assert isinstance(network.head, FactorizedLinear)


def test_swap_keeps_the_order():
    network = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), nn.Linear(3, 2))
    new = nn.Identity()
    swap(network, "0.0", new)
    assert network[0][0] is new and isinstance(network[0][1], nn.ReLU)


def test_a_weight_shared_with_an_embedding_is_refused():
    network = nn.ModuleDict({"words": nn.Embedding(16, 16), "head": nn.Linear(16, 16)})
    network["head"].weight = network["words"].weight
    with pytest.raises(ValueError, match=r"'head' shares its weight with words\.weight.*exclude"):
        replace_linear_layers(network, "dense")
    for left in ("head", "again"):
        with pytest.raises(ValueError, match="no longer be tied"):
            replace_linear_layers(Network(), "dense", exclude=left)


def test_a_note_names_all_layers_that_cannot_be_replaced():
    network = nn.Transformer(16, 2, 1, 1, 16, batch_first=True)
    network.head, network.words = nn.Linear(16, 16), nn.Embedding(16, 16)
    network.head.weight = network.words.weight
    layers = {name: id(part) for name, part in network.named_modules()}
    with pytest.raises(TypeError, match="the attention around it reads its weight") as error:
        replace_linear_layers(network, "dense", inplace=True)
    assert {name: id(part) for name, part in network.named_modules()} == layers
    (note,) = error.value.__notes__
    left = [name for name, _ in network.named_modules() if name.endswith("out_proj")] + ["head"]
    assert note.endswith(f"exclude={left}.")
    new = replace_linear_layers(network.eval(), "dense", exclude=left)
    assert sum(isinstance(part, FactorizedLinear) for part in new.modules()) == 4
    words = torch.randn(3, 4, 16), torch.randn(3, 5, 16)
    with torch.no_grad():
        torch.testing.assert_close(new(*words), network(*words), rtol=1e-4, atol=1e-5)


def test_the_note_names_layers_that_are_tied_to_those_that_stay():
    network = Network()
    network.head.register_forward_hook(lambda *_: None)
    network.norm = nn.utils.parametrizations.weight_norm(nn.Linear(16, 16))
    with pytest.raises(ValueError, match="'head' has hooks") as error:
        replace_linear_layers(network, "low-rank", rank=2, exclude="again")
    (note,) = error.value.__notes__
    assert note.endswith("exclude=['body.0', 'body.2', 'again', 'head', 'norm'].")
    left = ["body.2", "head", "norm"]
    new = replace_linear_layers(network, "low-rank", rank=2, exclude=left)
    assert isinstance(new.again, FactorizedLinear) and new.head.weight is new.body[2].weight


def test_nothing_is_replaced_in_place_if_one_layer_cannot_be():
    network = nn.Sequential(nn.Linear(16, 16), nn.Linear(16, 16))
    network[1].weight.data[0, 0] = float("nan")
    layers = list(network)
    with pytest.raises(ValueError, match="NaN"):
        replace_linear_layers(network, "dense", inplace=True)
    assert all(one is other for one, other in zip(network, layers, strict=True))
