"""What errors of a layer do to the outputs, and that the budget goes where they do much."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import skfact.compression._search as module
from skfact.compression import compress
from skfact.compression._report import AS_SHARED

RNG = np.random.default_rng(0)
N = 24
X, OTHERS = RNG.standard_normal((2, 400, N))


def missed(outputs, network, other, rows):
    y, z = outputs(network, rows), outputs(other, rows)
    return np.linalg.norm(y - z) / np.linalg.norm(y - y.mean(axis=0))


def pair():
    """A perceptron whose first hidden neurons vary most and are read least.

    So small errors of the first layer, which are in the others, do much to the outputs.
    """
    rng = np.random.default_rng(1)

    def turned(m, n):
        basis = np.linalg.qr(rng.standard_normal((n, n)))[0]
        return rng.standard_normal((m, n)) @ np.diag(0.93 ** np.arange(n)) @ basis

    first = np.hstack([8 * turned(N, 4), turned(N, 44)])
    second = np.vstack([0.02 * turned(4, 48), turned(44, 48)])
    return [first, second, turned(48, N)], [np.zeros(48), np.ones(48), np.zeros(N)]


def perceptron(network, rows):
    *hidden, (last, bias) = zip(*network)
    for weight, intercept in hidden:
        rows = np.maximum(rows @ weight + intercept, 0)
    return rows @ last + bias


def branches():
    """Layers beside each other, of gates 1 and 1/10: effects differ by 100."""
    torch = pytest.importorskip("torch")

    class Branches(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.strong, self.weak = torch.nn.Linear(N, N), torch.nn.Linear(N, N)
            for layer in (self.strong, self.weak):
                layer.weight.data = torch.as_tensor(WEIGHT).float()

        def forward(self, rows):
            return self.strong(rows) + 0.1 * self.weak(rows.flip(-1))

    return Branches()


WEIGHT = np.linalg.qr(RNG.standard_normal((N, N)))[0] @ np.diag(0.93 ** np.arange(N))


def of_module(network, rows):
    import torch

    with torch.no_grad():
        return network.eval()(torch.as_tensor(rows).float()).numpy()


@pytest.mark.parametrize("made, outputs", [(pair, perceptron), (branches, of_module)])
@pytest.mark.parametrize("sequential", [False, True])
@pytest.mark.parametrize("density", [0.3, 0.5])
def test_less_is_missed_than_when_layers_count_alike(
    made, outputs, density, sequential, monkeypatch
):
    network, options = made(), {"max_density": density, "sequential": sequential}
    found = compress(network, X, **options)
    assert found.bound <= found.total <= found.bound * (1 + 2e-3)
    assert found.total <= found.low_rank_total * (1 + 2e-3)
    assert found.shared == "by effect"
    monkeypatch.setattr(module, "effects", lambda *_: {})
    alike = compress(network, X, **options)
    assert all(layer.effect is None for layer in alike.layers) and "by effect" not in alike.tried
    errors = [missed(outputs, network, one.network, OTHERS) for one in (found, alike)]
    assert errors[0] < 0.9 * errors[1]


def test_effects_in_closed_form():
    """Of the terms of a sum, they are the shares of the variance; of the last layer it is one."""
    found = compress(branches(), X, max_density=0.5)
    strong, weak = (layer.effect for layer in found.layers)
    assert_allclose([strong, strong / weak], [1, 100], rtol=0.25)
    assert_allclose(compress(pair(), X, max_density=0.5).layers[-1].effect, 1, rtol=0.1)


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_effects_are_relative(scale):
    coefs, intercepts = pair()
    one = compress((coefs, intercepts), X, max_density=0.5)
    scaled = coefs[:-1], intercepts[:-1]
    last = [scale * coefs[-1]], [scale * intercepts[-1]]
    other = compress([a + b for a, b in zip(scaled, last)], X, max_density=0.5)
    assert_allclose([x.effect for x in other.layers], [x.effect for x in one.layers], rtol=1e-6)


def test_outputs_that_do_not_vary_say_nothing():
    coefs, intercepts = pair()
    coefs[1] = 0 * coefs[1]
    found = compress((coefs, intercepts), X, max_density=0.5)
    assert found.output_error == 0
    assert [layer.effect for layer in found.layers] == [None] * 3


@pytest.mark.parametrize(
    "inputs, options",
    [(None, {}), (X, {"tol": 0.2}), (X, {"include": "0"})],
    ids=["no inputs", "tolerance", "one layer"],
)
def test_nothing_is_measured_where_it_is_of_no_use(inputs, options):
    found = compress(pair(), inputs, **options)
    assert all(layer.effect is None for layer in found.layers)
    assert_allclose(found.total, sum(layer.error**2 for layer in found.layers))


def test_a_layer_without_effect_counts_a_little():
    """Its outputs are read by nobody, and still it gets what the others cannot use."""
    network = branches()
    network.weak.weight.data *= 1e-6
    found = compress(network, X, max_density=0.6)
    strong, weak = found.layers
    assert_allclose(weak.effect, 1e-3 * strong.effect)
    assert strong.error < 1e-6 and weak.numbers_after > 0


def test_few_rows_in_a_batch_are_not_all():
    """Of one sample alone outputs do not vary."""
    torch = pytest.importorskip("torch")
    rows = torch.as_tensor(X).float()
    ones, whole = (compress(branches(), list(torch.split(rows, n))) for n in (1, 400))
    expected = [layer.effect for layer in whole.layers]
    assert_allclose([layer.effect for layer in ones.layers], expected, rtol=0.2)


def test_effects_are_shown():
    found = compress(pair(), X, max_density=0.5)
    assert "<th>effect</th>" in found._repr_html_().replace(' scope="col"', "")
    assert all(f"{layer.effect:.2g}" in found._repr_html_() for layer in found.layers)


@pytest.mark.parametrize("effects", [{0: 1e-3, 1: 1.0, 2: 1e-3}, {0: 1e-3, 1: 1e-3, 2: 1.0}])
def test_the_way_to_share_that_misses_least_is_taken(effects, monkeypatch):
    """Also where effects are misleading."""
    monkeypatch.setattr(module, "effects", lambda *_: effects)
    found = compress(pair(), X, max_density=0.5, sequential=False)
    assert found.output_error == found.tried[found.shared] == min(found.tried.values())
    assert_allclose(found.output_error, missed(perceptron, pair(), found.network, X))
    assert set(found.tried) == {"by effect", "alike", "equal shares"}
    again = compress(pair(), X, max_density=0.5)
    assert again.tried == found.tried and again.shared == found.shared
    assert found.shared != "by effect"
    assert found.total == pytest.approx(sum(layer.error**2 for layer in found.layers))
    assert f"Numbers are shared {AS_SHARED[found.shared]}" in str(found)
