"""PyTorch modules: what tests make, and what is refused, with the message."""

import warnings

import numpy as np
import torch
import torch.nn.utils.prune
from torch import nn


def module():
    torch.manual_seed(0)
    first = nn.Sequential(nn.Linear(5, 6), nn.ReLU())
    return nn.Sequential(first, nn.Linear(6, 6), nn.ReLU(), nn.Identity(), nn.Linear(6, 2)).double()


def pruned_twice(m):
    nn.utils.prune.l1_unstructured(m[1], "bias", 0.5)
    nn.utils.prune.random_unstructured(m[1], "bias", 1)


# what takes part in the forward pass of a module: how it is put there
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


def with_hook(put):
    """The module with a hook, or what else takes part in its forward pass."""
    network = module()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*weight_norm.* is deprecated", FutureWarning)
        put(network)
    return network


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


# numbers that two layers share: how they come to it
TIED = {
    "weights": lambda a, b: setattr(b, "weight", a.weight),
    "biases": lambda a, b: setattr(b, "bias", a.bias),
    "transposed": lambda a, b: setattr(b, "weight", nn.Parameter(a.weight.data.T)),
    "data": lambda a, b: setattr(b.bias, "data", a.bias.data),
    "a bias in a weight": lambda a, b: setattr(b, "bias", nn.Parameter(a.weight.data[:, 2])),
    "overlapping columns": columns(5),
    "overlapping memory": pieces(slice(6), slice(5, 11)),
}


TIE = r"module 2 \(Linear\): (weight|bias) and module 0\.2 \(Linear\): .* are tied"


def with_tie(put):
    """Layers that share numbers."""
    network = two_squares()
    put(network[0][2], network[2])
    return network


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


def softmax(self, x):
    return torch.softmax(self.layers(x), dim=1)


def image(self, x):
    return self.layers(x.reshape(x.shape[0], 1, 28, 28))


def layers(*kinds):
    """A Sequential of modules of these classes, with their arguments."""
    return lambda: nn.Sequential(*(getattr(nn, kind)(*sizes) for kind, *sizes in kinds))


def used_twice():
    """One layer in two places."""
    linear = nn.Linear(5, 5)
    return nn.Sequential(linear, nn.ReLU(), linear)


def not_a_number():
    """A network with a bias that is none."""
    network = module()
    with torch.no_grad():
        network[4].bias[1] = float("nan")
    return network


class Bare(nn.Module):
    """Layers without a Sequential around them."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(5, 2)

    def forward(self, x):
        return self.first(x)


# what is not read: how it is made, and the message
UNREAD = {
    "ReLU6": (
        layers(("Linear", 5, 6), ("ReLU6",), ("Linear", 6, 2)),
        "module 1 is ReLU6; only Linear, ReLU",
    ),
    "tanh": (layers(("Linear", 5, 6), ("Tanh",), ("Linear", 6, 2)), "module 1 is Tanh"),
    "two linear layers": (
        layers(("Linear", 5, 6), ("Linear", 6, 2)),
        "module 1 is Linear.*multiply them",
    ),
    "a ReLU first": (
        layers(("ReLU",), ("Linear", 5, 6)),
        "module 0 is ReLU, and .* follow a Linear",
    ),
    "two ReLUs": (
        layers(("Linear", 5, 6), ("ReLU",), ("ReLU",), ("Linear", 6, 2)),
        "module 2 is ReLU",
    ),
    "a ReLU last": (layers(("Linear", 5, 6), ("ReLU",)), "last module is ReLU"),
    "other widths": (
        layers(("Linear", 5, 6), ("ReLU",), ("Linear", 5, 2)),
        r"module 2 \(Linear\).*chain",
    ),
    "no layers": (layers(), "zero layers"),
    "an identity": (layers(("Identity",)), "zero layers"),
    "a layer used twice": (used_twice, "module 2 is a Linear that is used twice"),
    "half precision": (
        lambda: module().half(),
        r"module 0\.0 \(Linear\): weight.*float16",
    ),
    "NaN": (not_a_number, r"module 4 \(Linear\): bias contains NaN"),
    "no Sequential": (Bare, "is Bare; .*exactly one Sequential and computes what that does"),
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
