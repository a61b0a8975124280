"""Networks whose layers become products of factors, within one budget."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import hadamard

from skfact.compression import compress
from skfact.exceptions import StructureWarning
from skfact.operators import FactorizedOperator

RNG = np.random.default_rng(0)
SIZES = 30, 48, 40, 6


def network(dtype="f8", scale=1.0):
    """Weights with falling singular values, as trained ones have, and their biases."""
    coefs = [
        scale
        * RNG.standard_normal((m, n))
        @ np.diag(0.8 ** np.arange(n))
        @ np.linalg.qr(RNG.standard_normal((n, n)))[0]
        for m, n in pairwise(SIZES)
    ]
    intercepts = [scale * RNG.standard_normal(n) for n in SIZES[1:]]
    return [w.astype(dtype) for w in coefs], [b.astype(dtype) for b in intercepts]


def outputs(pair, X):
    coefs, intercepts = pair
    for l, (w, b) in enumerate(zip(coefs, intercepts)):
        X = X @ w + b
        X = np.maximum(X, 0) if l < len(coefs) - 1 else X
    return X


def missed(pair, other, X):
    expected = outputs(pair, X)
    whole = np.linalg.norm(expected - expected.mean(axis=0))
    return np.linalg.norm(outputs(other, X) - expected) / whole


PAIR = network()
X = RNG.standard_normal((400, 30)) @ np.diag(0.9 ** np.arange(30)) + 1
OTHERS = RNG.standard_normal((400, 30)) @ np.diag(0.9 ** np.arange(30)) + 1


@pytest.mark.parametrize("supports", ["auto", "low-rank"])
@pytest.mark.parametrize("inputs", [None, X], ids=["entries", "inputs"])
@pytest.mark.parametrize("size", [{"max_density": 0.35}, {"budget": 1500}, {"tol": 0.1}])
def test_sizes_and_errors(size, inputs, supports):
    given = pickle.dumps(PAIR)
    found = compress(PAIR, inputs, **size, supports=supports)
    assert pickle.dumps(PAIR) == given
    coefs, intercepts = found.network
    assert found.n_parameters_before == sum(w.size for w in PAIR[0])
    stored = [w.size if isinstance(w, np.ndarray) else w.nnz for w in coefs]
    assert [layer.numbers_after for layer in found.layers] == stored
    if "tol" in size:
        assert all(layer.error <= 0.1 for layer in found.layers)
        assert found.n_parameters_after < found.n_parameters_before
        assert found.low_rank_total is None and found.shared == "by tolerance"
        assert found.low_rank_numbers >= found.n_parameters_after
    else:
        budget = size.get("budget", 0.35 * found.n_parameters_before)
        assert 0.8 * budget < found.n_parameters_after <= budget
        assert found.bound <= found.total <= found.bound * (1 + 2e-3)
        assert found.total <= found.low_rank_total * (1 + 2e-3)
    if inputs is None:
        assert found.output_error is found.n_samples is None
        assert all(map(np.array_equal, intercepts, PAIR[1]))
    else:
        assert_allclose(found.output_error, missed(PAIR, found.network, X))
        # biases take up the mean errors
        assert_allclose(outputs(found.network, X).mean(0), outputs(PAIR, X).mean(0))


def test_layers_fitted_one_after_another_miss_less_on_other_samples():
    found = [compress(PAIR, X, max_density=0.2, sequential=s).network for s in (True, False)]
    errors = [missed(PAIR, network, OTHERS) for network in found]
    assert errors[0] < 0.97 * errors[1]


def test_without_looking_at_inputs_more_is_missed():
    plain, seen = compress(PAIR, max_density=0.2), compress(PAIR, X, max_density=0.2)
    assert missed(PAIR, seen.network, OTHERS) < 0.8 * missed(PAIR, plain.network, OTHERS)


def test_errors_in_place_are_those_of_the_layer():
    found = compress(PAIR, X, max_density=0.3)
    before = after = X
    for l, layer in enumerate(found.layers):
        y = before @ PAIR[0][l] + PAIR[1][l]
        z = after @ found.network[0][l] + found.network[1][l]
        assert_allclose(layer.output_error, np.linalg.norm(y - z) / np.linalg.norm(y - y.mean(0)))
        before, after = np.maximum(y, 0), np.maximum(z, 0)
    assert compress(PAIR, X, sequential=False).layers[1].output_error is None


def test_all_numbers_change_nothing():
    found = compress(PAIR, X, max_density=1.0)
    assert all(layer.is_dense for layer in found.layers) and found.total == 0
    assert all(map(np.array_equal, found.network[0], PAIR[0]))
    assert "not worth it" in str(found) and found.output_error == 0


def test_layers_of_low_rank_are_exact():
    coefs = [
        RNG.standard_normal((m, 2)) @ RNG.standard_normal((2, n)) for m, n in ((30, 40), (40, 20))
    ]
    pair = coefs, [np.ones(40), np.zeros(20)]
    for inputs in (None, X):
        found = compress(pair, inputs, tol=1e-6)
        assert [layer.structure for layer in found.layers] == ["rank 2", "rank 2"]
        assert missed(pair, found.network, X) < 1e-10


@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_any_magnitude(scale):
    """Of the weights, and of the inputs."""
    (w, *_), (b, *_) = PAIR
    usual = compress(([w], [b]), X, max_density=0.3)
    for pair, rows in ((([scale * w], [scale * b]), X), (([w], [scale * b]), scale * X)):
        found = compress(pair, rows, max_density=0.3)
        assert_allclose(found.output_error, usual.output_error, rtol=1e-6)
        assert found.layers[0].structure == usual.layers[0].structure


def test_float32_stays():
    found = compress(network("f4"), X, max_density=0.3)
    assert {w.dtype for pair in found.network for w in pair} == {np.dtype("f4")}
    assert outputs(found.network, X.astype("f4")).dtype == np.float32


def test_batches_are_the_same_as_all_rows(monkeypatch):
    whole = compress(PAIR, X, max_density=0.3)
    monkeypatch.setattr("skfact.compression._layers.arrays.ROWS", 64)
    parts = compress(PAIR, X, max_density=0.3)
    assert_allclose(parts.output_error, whole.output_error, rtol=1e-6)


def test_only_the_layers_asked_for():
    found = compress(PAIR, X, max_density=0.3, include=["0", "1"], exclude="1")
    assert [layer.name for layer in found.layers] == ["0"]
    assert isinstance(found.network[0][0], FactorizedOperator)
    assert_array_equal(found.network[0][1], PAIR[0][1])
    assert found.n_parameters_after <= 0.3 * PAIR[0][0].size
    last = compress(PAIR, X, max_density=0.5, include="2").network
    assert_array_equal(last[0][0], PAIR[0][0])


def test_few_samples_are_told_of():
    with pytest.warns(StructureWarning, match=r"layer '1' 20 rows for its 48 inputs"):
        compress(PAIR, X[:20])


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@pytest.mark.parametrize("n_samples", [15, 60, 400])
@pytest.mark.parametrize("size", [{"max_density": 0.3}, {"tol": 0.2}])
def test_errors_are_those_on_the_samples(n_samples, size):
    rows = X[:n_samples]
    found = compress(PAIR, rows, **size, sequential=False)
    for l, layer in enumerate(found.layers):
        y = rows @ PAIR[0][l]
        y, z = y - y.mean(axis=0), rows @ (PAIR[0][l] - found.network[0][l] @ np.eye(y.shape[1]))
        z = z - z.mean(axis=0)
        assert_allclose(layer.error, np.linalg.norm(z) / np.linalg.norm(y), atol=1e-7)
        assert layer.error <= size.get("tol", 1)
        rows = np.maximum(rows @ PAIR[0][l] + PAIR[1][l], 0)


def low_rank(rank, *shape):
    return RNG.standard_normal((shape[0], rank)) @ RNG.standard_normal((rank, shape[1]))


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
@pytest.mark.parametrize("n_samples", [12, 40, 400])
def test_what_is_exact_misses_nothing_however_few_the_samples(n_samples):
    exact = [low_rank(2, 30, 40)], [np.ones(40)]
    found = compress(exact, X[:n_samples], tol=1e-7)
    assert found.layers[0].structure == "rank 2" and found.output_error < 1e-7
    if n_samples > 30:  # inputs in five dimensions, and more of them than these
        rows = low_rank(5, n_samples, 30)
        found = compress((PAIR[0][:1], PAIR[1][:1]), rows, tol=1e-6)
        assert found.layers[0].structure == "rank 5" and found.output_error < 1e-6


@pytest.mark.filterwarnings("ignore::skfact.exceptions.StructureWarning")
def test_inputs_that_do_not_vary():
    """The bias says all of them, whatever else is left."""
    pair = PAIR[0][:1], PAIR[1][:1]
    for rows in (np.ones((40, 30)), np.full((20, 30), 0.1, "f4")):
        found = compress(pair, rows, max_density=0.2)
        assert found.layers[0].error == found.layers[0].low_rank_error == 0
        assert found.output_error < 1e-7 and found.layers[0].structure == "rank 1"


@pytest.mark.parametrize("name, numbers", [("hadamard", 64 * 2 * 6), ("kronecker", 2 * 64 * 8)])
def test_what_the_entries_show_is_found_on_inputs_too(name, numbers):
    """Exact products take the numbers of their factors, for any tolerance."""
    rng = np.random.default_rng(3)
    exact = {"hadamard": hadamard(64), "kronecker": np.kron(*rng.standard_normal((2, 8, 8)))}
    pair, rows = ([exact[name].T.astype(float)], [np.zeros(64)]), rng.standard_normal((300, 64))
    found = compress(pair, rows, tol=1e-4)
    assert found.n_parameters_after <= numbers and found.output_error < 1e-12


def test_what_comes_alive_is_missed():
    """Neurons that no sample reaches, and that some reach where their layer is of low rank."""
    rng = np.random.default_rng(0)
    coefs, rows = [rng.standard_normal((16, 24)), np.ones((24, 8))], rng.standard_normal((100, 16))
    pair = coefs, [-(rows @ coefs[0]).max(axis=0) - 1e-3, np.ones(8)]
    found = compress(pair, rows, max_density=0.5)
    off = np.linalg.norm(outputs(found.network, rows) - 1) / np.linalg.norm(np.ones((100, 8)))
    assert off > 1e-6
    assert_allclose([found.output_error, found.layers[1].output_error], off, rtol=1e-6)


@pytest.mark.parametrize("sequential", [False, True])
def test_of_wide_layers_no_products_of_all_inputs_are_kept(sequential, monkeypatch):
    rows = np.tile(X, (5, 1)) + 0.1 * RNG.standard_normal((2000, 30))
    usual = compress(PAIR, rows, max_density=0.3, sequential=sequential)
    for module in ("_moments", "_curves"):
        monkeypatch.setattr(f"skfact.compression.{module}.WIDE", 24)
    found = compress(PAIR, rows, max_density=0.3, sequential=sequential)
    assert missed(PAIR, found.network, OTHERS) < 1.5 * missed(PAIR, usual.network, OTHERS)


def test_the_same_twice():
    one, two = (compress(PAIR, X, max_density=0.3) for _ in range(2))
    assert str(one) == str(two)
    assert all(np.array_equal(outputs(one.network, X), outputs(two.network, X)) for _ in range(1))


def test_extreme_bounds():
    """A tolerance of one lets every layer be of rank one, a budget beyond all changes nothing."""
    found = compress(PAIR, X, tol=1.0)
    assert [layer.structure for layer in found.layers] == ["rank 1"] * 3
    for size in ({"budget": 10**30}, {"budget": np.int64(2**62)}, {"tol": 1e-300}):
        found = compress(PAIR, X, **size)
        assert all(layer.is_dense for layer in found.layers) and found.output_error == 0


def test_what_was_compressed_in_part_is_compressed_on():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(30, 48), torch.nn.ReLU(), torch.nn.Linear(48, 6))
    rows = torch.as_tensor(X).float()
    half = compress(module, rows, max_density=0.3, include="0")
    whole = compress(half.network, rows, max_density=0.5)
    assert [layer.name for layer in whole.layers] == ["2"]
    assert whole.skipped == {"0": "it is factorized already"}
    with pytest.raises(ValueError, match=r"no linear layer.*0: it is factorized already"):
        compress(whole.network, rows)
