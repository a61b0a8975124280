"""PyTorch modules: which layers are replaced, and that nothing else changes."""

import copy
import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose

torch = pytest.importorskip("torch")
from torch import nn

from skfact.compression import compress
from skfact.compression._layers.modules import read_module
from skfact.compression._layers.network import Replacement
from skfact.torch import FactorizedLinear


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def sequential():
    return nn.Sequential(nn.Linear(24, 48), nn.ReLU(), nn.Dropout(0.5), nn.Linear(48, 24))


class Tokens(nn.Module):
    """An embedding tied to the last layer, layers without bias, and a norm."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        self.query, self.key = nn.Linear(32, 32, bias=False), nn.Linear(32, 32, bias=False)
        self.up, self.down = nn.Linear(32, 64), nn.Linear(64, 32)
        self.norm = nn.LayerNorm(32)
        self.conv = nn.Conv1d(32, 32, 1)
        self.head = nn.Linear(32, 50, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, tokens, mask=None):
        h = self.embedding(tokens) if mask is None else self.embedding(tokens) * mask
        h = h + torch.softmax(self.query(h) @ self.key(h).mT / 6, -1) @ h
        h = self.norm(h + self.down(torch.relu(self.up(h))))
        return {"logits": self.head(h), "length": tokens.shape[1]}


TOKENS = torch.randint(0, 50, (80, 9), generator=torch.Generator().manual_seed(0))


def missed(one, other, X):
    with torch.no_grad():
        y, z = one.eval()(X), other.eval()(X)
    return float((y - z).norm() / (y - y.mean(0)).norm())


def test_a_sequential():
    network, X, others = sequential(), torch.randn(300, 24), torch.randn(300, 24)
    state = copy.deepcopy(network.state_dict())
    found = compress(network, X, max_density=0.5)
    assert network.training and found.network.training
    assert all(torch.equal(value, network.state_dict()[key]) for key, value in state.items())
    assert [layer.name for layer in found.layers] == ["0", "3"]
    small = found.network
    assert isinstance(small[0], FactorizedLinear) and small[0].bias.requires_grad
    numbers = sum(p.numel() for p in small.parameters()) - 48 - 24
    assert numbers == found.n_parameters_after <= 0.5 * found.n_parameters_before
    assert_allclose(found.output_error, missed(network, small, X), rtol=1e-4)
    plain = compress(network, max_density=0.5).network
    assert missed(network, small, others) < missed(network, plain, others)


def test_the_same_as_of_the_arrays():
    network, X = sequential(), torch.randn(300, 24)
    layers = network[0], network[3]
    pair = [m.weight.detach().numpy().T for m in layers], [m.bias.detach().numpy() for m in layers]
    found, expected = compress(network, X), compress(pair, X.numpy())
    assert_allclose(found.output_error, expected.output_error, rtol=1e-3)
    assert [x.structure for x in found.layers] == [x.structure for x in expected.layers]
    effects = [[layer.effect for layer in one.layers] for one in (found, expected)]
    assert_allclose(*effects, rtol=0.1)  # of the first 256 samples, and of all


def test_each_run_replaces_what_it_is_told():
    """Whatever other runs replaced before, and the one beside it does."""
    network, rows = sequential().eval(), torch.randn(300, 24)
    read = read_module(network, rows)

    def halved(place):
        linear = read.linears[place]
        return Replacement(linear.weight / 2, linear.bias)

    def outputs(replaced):
        with torch.no_grad():
            expected = read.written(replaced).eval()(rows).numpy()
        assert_allclose(np.concatenate(list(read.outputs(replaced))), expected, rtol=1e-5)
        return expected

    first, second = {0: halved(0)}, {1: halved(1)}
    found = [outputs(r) for r in (first, second, {}, first, {0: halved(0)}, {**first, **second})]
    for i, j in ((0, 3), (0, 4)):
        assert_allclose(found[i], found[j])
    assert not np.allclose(found[0], found[2]) and not np.allclose(found[1], found[2])
    for before, after in zip(read.inputs([1], {}), read.inputs([1], first), strict=True):
        assert_allclose(before[1].shape, after[1].shape)


def test_any_module():
    network = Tokens()
    found = compress(network, TOKENS, max_density=0.4)
    assert [layer.name for layer in found.layers] == ["query", "key", "up", "down"]
    assert set(found.skipped) == {"conv", "head"}
    assert "embedding.weight" in found.skipped["head"] and "convol" in found.skipped["conv"]
    small = found.network
    assert small.head.weight is small.embedding.weight and small.query.bias is None
    assert isinstance(small.norm, nn.LayerNorm)
    assert found.n_samples == 720 and 0 < found.output_error < 1
    assert small(TOKENS)["logits"].shape == (80, 9, 50)


def test_layers_that_stay_anyway_may_be_excluded():
    found = compress(Tokens(), exclude=["head", "c*"], include={"up", "k*"}, supports="low-rank")
    assert [layer.name for layer in found.layers] == ["key", "up"]
    assert {"head", "conv"} == set(found.skipped)


@pytest.mark.parametrize(
    "inputs",
    [
        (TOKENS, None),
        {"tokens": TOKENS},
        [TOKENS[:50], TOKENS[50:]],
        [{"tokens": TOKENS[:50, :5]}, {"tokens": TOKENS[50:], "mask": None}],
        torch.utils.data.DataLoader(TOKENS, batch_size=32),
    ],
    ids=["arguments", "names", "batches", "batches of names", "loader"],
)
def test_ways_to_pass_samples(inputs):
    found = compress(Tokens(), inputs, max_density=0.4)
    assert found.n_samples in (720, 520) and found.output_error > 0


def test_a_loader_that_shuffles_is_gone_through_once():
    network, X = sequential().eval(), torch.randn(200, 24)
    loader = torch.utils.data.DataLoader(X, batch_size=32, shuffle=True)
    found = compress(network, loader, max_density=0.5)
    with torch.no_grad():
        expected, outputs = network(X), found.network(X)
    missed = torch.linalg.norm(outputs - expected) / torch.linalg.norm(expected - expected.mean(0))
    assert found.output_error == pytest.approx(float(missed), rel=1e-3)


def test_a_batch_may_have_no_rows():
    """Also the first one, on which nothing would show that a weight is read past its layer."""

    class Reads(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two = nn.Linear(24, 24), nn.Linear(24, 24)

        def forward(self, X):
            return self.two(
                torch.relu(X @ getattr(self.one, "weight", torch.eye(24)) + self.one(X))
            )

    network, X = Reads(), torch.randn(300, 24)
    expected = compress(network, [X], max_density=0.6)
    found = compress(network, [X[:0], X, X[:0]], max_density=0.6)
    assert found.skipped.keys() == expected.skipped.keys() == {"one"}
    assert found.output_error == pytest.approx(expected.output_error, rel=1e-4)


@pytest.mark.parametrize("kind", ["tensor", "names", "batches"])
def test_samples_stay_as_they_are(kind):
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(24, 24)

        def forward(self, X):
            return self.linear(X.mul_(2))

    X, network = torch.randn(100, 24), Scaled()
    before = X.clone()
    given = {"tensor": X, "names": {"X": X}, "batches": [X[:60], (X[60:],)]}[kind]
    found = compress(network, given, max_density=0.6)
    assert torch.equal(X, before)
    with torch.no_grad():
        expected, outputs = network(X.clone()), found.network(X.clone())
    error = (outputs - expected).norm() / (expected - expected.mean(0)).norm()
    assert found.output_error == pytest.approx(float(error), rel=1e-3)


def test_arrays_are_taken_too():
    network, X = sequential(), np.random.default_rng(0).standard_normal((200, 24))
    assert (
        compress(network, X).output_error == compress(network, torch.tensor(X).float()).output_error
    )


def test_factors_train():
    small = compress(sequential(), torch.randn(200, 24)).network
    X, y = torch.randn(64, 24), torch.randn(64, 24)
    optimizer = torch.optim.Adam(small.parameters(), 0.01)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = (small.eval()(X) - y).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_frozen_layers_stay_frozen():
    network = sequential()
    network[0].requires_grad_(False)
    small = compress(network, torch.randn(200, 24)).network
    assert not any(p.requires_grad for p in small[0].parameters())
    assert all(p.requires_grad for p in small[3].parameters())


def test_modules_are_pickled_and_have_a_state():
    small = compress(sequential(), torch.randn(200, 24)).network.eval()
    X = torch.randn(3, 24)
    again = pickle.loads(pickle.dumps(small))
    assert torch.equal(again(X), small(X))
    again.load_state_dict(small.state_dict())


def test_double_precision_stays():
    small = compress(sequential().double(), torch.randn(200, 24).double()).network
    assert {p.dtype for p in small.parameters()} == {torch.float64}


def test_layers_are_called_by_keyword():
    class ByName(nn.Sequential):
        def forward(self, X):
            return self[1](input=torch.relu(self[0](input=X)))

    network, X = ByName(nn.Linear(24, 48), nn.Linear(48, 24)), torch.randn(300, 24)
    found = compress(network, X, max_density=0.5)
    assert len(found.layers) == 2 and not found.skipped
    assert_allclose(found.output_error, missed(network, found.network, X), rtol=1e-4)


def test_a_layer_in_two_places_is_one():
    shared = nn.Linear(24, 24)
    network = nn.Sequential(shared, nn.ReLU(), shared)
    found = compress(network, torch.randn(200, 24), max_density=0.5)
    assert found.network[0] is found.network[2] and isinstance(found.network[0], FactorizedLinear)
    assert found.n_samples == 400 and len(found.layers) == 1


class ReadsPast(nn.Module):
    """A module that uses the weight of its layer without calling it, or beside that."""

    def __init__(self, call):
        super().__init__()
        self.call, self.layer, self.other = call, nn.Linear(24, 24), nn.Linear(24, 24)

    def forward(self, X):
        h = self.layer(X) if self.call else X
        return self.other(h + nn.functional.linear(X, self.layer.weight))


@pytest.mark.parametrize("call", [False, True])
def test_a_weight_that_is_read_elsewhere_stays(call):
    found = compress(ReadsPast(call), torch.randn(200, 24), max_density=0.5)
    assert [layer.name for layer in found.layers] == ["other"]
    assert "another module reads its weight" in found.skipped["layer"]
    assert isinstance(found.network.layer, nn.Linear)


def encoder(**options):
    layer = nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True, **options)
    return nn.TransformerEncoder(layer, 2, norm=nn.LayerNorm(32))


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("given", [True, False], ids=["samples", "no samples"])
def test_transformers_of_pytorch(given):
    """In evaluation, in training, and where PyTorch would read weights past their layers."""
    network, X = encoder(), torch.randn(60, 7, 32)
    padded = torch.zeros(60, 7, dtype=torch.bool)
    padded[:30, 4:] = True
    inputs = {"src": X} if given else None
    found = compress(network, inputs, max_density=0.5, supports="low-rank")
    names = [f"layers.{l}.linear{i}" for l in (0, 1) for i in (1, 2)]
    assert [layer.name for layer in found.layers] == names
    left = ["self_attn.in_proj_weight", "self_attn.out_proj"]
    assert list(found.skipped) == [f"layers.{l}.{name}" for l in (0, 1) for name in left]
    assert all("attention itself reads it" in why for why in found.skipped.values())
    whole = [sum(p.numel() for p in one.parameters()) for one in (network, found.network)]
    looked_at = [found.n_parameters_before, found.n_parameters_after]
    assert whole == [count + found.n_parameters_elsewhere for count in looked_at]
    dense = copy.deepcopy(network).eval()
    for name in names:
        linear, new = dense.get_submodule(name), found.network.get_submodule(name)
        linear.weight.data = torch.tensor(new.to_operator().toarray())
        linear.bias.data = new.bias.data
    with torch.no_grad():
        expected = dense(X)
        for mode in (True, False):
            torch.testing.assert_close(found.network.train(mode)(X), expected, rtol=1e-3, atol=1e-4)
        both = (one(X, src_key_padding_mask=padded) for one in (found.network, dense))
        torch.testing.assert_close(*(y[~padded] for y in both), rtol=1e-3, atol=1e-4)
    if given:
        assert_allclose(found.output_error, missed(network, found.network, X), rtol=0.1)


class Sometimes(nn.Module):
    """Layers that only some batches have called."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(24, 24), nn.Linear(24, 24)
        self.never, self.last = nn.Linear(24, 24), nn.Linear(24, 24)

    def forward(self, X):
        h = torch.relu(self.first(X) if len(X) > 40 else self.second(X))
        return self.last(h)


def test_layers_that_some_batches_have_called():
    network, X = Sometimes(), torch.randn(250, 24)
    batches = [X[:100], X[100:130], X[130:230], X[230:]]
    found = compress(network, batches, max_density=0.5)
    assert [layer.name for layer in found.layers] == ["first", "last", "second"]
    assert found.skipped == {"never": "no batch of X has it called"}
    for layer, rows in (("first", [0, 2]), ("second", [1, 3])):
        linear, new = getattr(network, layer), getattr(found.network, layer)
        (row,) = [row for row in found.layers if row.name == layer]
        expected = missed(linear, new, torch.cat([batches[i] for i in rows]))
        assert_allclose(row.output_error, expected, rtol=1e-3)
    with torch.no_grad():
        y, z = (torch.cat([one(b) for b in batches]) for one in (network, found.network))
    assert_allclose(found.output_error, (y - z).norm() / (y - y.mean(0)).norm(), rtol=1e-3)


def test_rows_that_go_elsewhere_are_not_compared():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.gate = nn.Linear(24, 24), nn.Linear(24, 2)
            self.one, self.two = nn.Linear(24, 24), nn.Linear(24, 24)

        def forward(self, X):
            X = self.up(X)
            to_one = self.gate(X).argmax(-1) == 0
            y = torch.empty_like(X)
            y[to_one], y[~to_one] = self.one(X[to_one]), self.two(X[~to_one])
            return y

    network, X = Experts(), torch.randn(200, 24)
    with pytest.raises(ValueError, match=r"'(one|two)' gets \d+ rows.*sequential=False"):
        compress(network, X, max_density=0.4)
    assert compress(network, X, max_density=0.4, sequential=False).output_error > 0


def test_what_a_network_draws_is_the_same_in_each_run():
    class Noisy(nn.Sequential):
        def forward(self, X):
            return super().forward(X + torch.randn_like(X))

    network, X = Noisy(*sequential()), torch.randn(300, 24)
    state = torch.get_rng_state()
    found = compress(network, X, max_density=1.0)
    assert not found.skipped and found.output_error == 0
    assert torch.equal(torch.get_rng_state(), state)


def test_sizes_of_a_layer_may_be_read():
    class ReadsSizes(nn.Sequential):
        def forward(self, X):
            assert self[0].bias is not None
            return super().forward(X) / self[0].in_features

    found = compress(ReadsSizes(*sequential()), torch.randn(300, 24), max_density=0.5)
    assert len(found.layers) == 2 and not found.skipped


def test_modules_that_give_no_floats():
    class Classes(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(24, 24)

        def forward(self, X):
            return self.layer(X).argmax(-1)

    found = compress(Classes(), torch.randn(200, 24))
    assert found.output_error is None and found.layers[0].output_error > 0


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_networks_are_named():
    network, X = nn.Sequential(sequential()), torch.randn(200, 24)
    network[0] = torch.compile(network[0], backend="eager")
    with pytest.raises(ValueError, match=r"network\.0 is compiled.*compile what comes back"):
        compress(network, X)
    scripted = torch.jit.script(sequential())
    with pytest.raises(ValueError, match=r"no linear layer.*3: TorchScript compiled it"):
        compress(scripted, X)


def test_half_precision_by_autocast():
    class Halved(nn.Sequential):
        def forward(self, X):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                return super().forward(X)

    X = torch.randn(300, 24)
    found = compress(Halved(*sequential()), X, max_density=0.5)
    expected = compress(sequential(), X, max_density=0.5)
    assert len(found.layers) == 2 and not found.skipped
    assert 0 < found.output_error < 1.5 * expected.output_error


def test_what_is_left_out_is_named():
    network = sequential()
    network.append(nn.Linear(24, 24).half())
    network.append(nn.utils.parametrizations.weight_norm(nn.Linear(24, 24)))
    hooked = nn.Linear(24, 24)
    hooked.register_forward_hook(lambda *_: None)
    network.append(hooked)
    network.append(nn.Linear(24, 24, dtype=torch.complex64))
    broken = nn.Linear(24, 24)
    broken.weight.data[0, 0] = torch.nan
    network.append(broken)
    network.append(nn.Linear(24, 24, device="meta"))
    found = compress(network)
    reasons = ["float16", "parametrization", "hooks", "complex", "NaN", "meta"]
    assert list(found.skipped) == [str(4 + i) for i in range(len(reasons))]
    for why, reason in zip(found.skipped.values(), reasons, strict=True):
        assert reason in why
