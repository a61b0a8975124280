"""What a network's function and samples tell about its parameters."""

import time
import tracemalloc
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.optimize import OptimizeResult
from sklearn.neural_network import MLPRegressor

from skfact.relu import identifiability_report, is_rescaling_equivalent, rescale
from skfact.relu._identifiability import activation_space, derivative, rank_profile
from skfact.relu._identifiability import irreducibility as ladder
from skfact.relu._identifiability.irreducibility import decide_irreducibility
from tests.asserts import at_most, for_each
from tests.relu.networks import (
    output,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
    sizes,
)

SAMPLES = np.random.default_rng(0).uniform(-3, 3, size=(1500, 2))
FLIP = (
    [np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.array([[1.0], [1.0], [-1.0]])],
    [np.array([0.5, -0.2, 0.3]), np.array([0.1])],
)


def shallow(kind, seed=0):
    """A (2, 3, 1) network of one of the kinds of the rank oracles."""
    coefs, intercepts = random_network([2, 3, 1], seed)
    intercepts[0] *= 0.3
    factor = {"positive": 2.0, "negative": -2.0}.get(kind)
    if factor:
        coefs[0][:, 1], intercepts[0][1] = factor * coefs[0][:, 0], factor * intercepts[0][0]
    if kind in ("off", "on"):
        intercepts[0][0] = -100 if kind == "off" else 100
    return FLIP if kind == "flip" else (coefs, intercepts)


@pytest.mark.parametrize(
    "kind, rank, cause, identifiable",
    [
        ("generic", 10, None, True),
        ("positive", 7, "positive twin", False),
        ("negative", 9, "negative twin", False),
        ("flip", 10, None, False),
        ("off", 7, "dead on X", True),
        ("on", 9, "always active on X", True),
    ],
)
def test_rank_oracles(kind, rank, cause, identifiable):
    for seed in range(3):
        report = identifiability_report(shallow(kind, seed), SAMPLES)
        local = report.local
        assert (local.n_parameters, local.full_rank, local.n_samples_needed) == (13, 10, 10)
        assert local.rank == rank and local.deficiency == 10 - rank
        assert local.n_samples == len(SAMPLES) and local.n_hidden == 3
        assert local.by_cause() == ({cause: 10 - rank} if cause else {})
        assert report.is_identifiable is identifiable
        assert report.is_locally_identifiable is (rank == 10)
        assert report.is_non_degenerate is (kind not in ("positive", "negative"))
        assert local.smallest_kept > 1e-7 > 1e-12 > local.largest_dropped
        text = repr(report)
        assert f"{rank} of 10" in text and (cause is None or cause in text)


def orientations(network):
    """All networks of one input with the kinks of this one and the same bends at them.

    A neuron with w (x - k) and v bends the function by |w| v at k, also if it is turned over (-w).
    With distinct kinks no other network has the function, up to rescaling and permutation, as each
    kink takes a neuron; what is left to choose is the output bias.
    """
    (w, v), (b, _) = network
    X = np.linspace(-50, 50, 1001)[:, None]
    wanted = output(network, X)
    for signs in product([1, -1], repeat=w.shape[1]):
        other = [w * signs, v], [b * signs, np.zeros(v.shape[1])]
        missing = wanted - output(other, X)
        if np.ptp(missing, axis=0).max() < 1e-9 * abs(wanted).max():
            yield other[0], [other[1][0], missing[0]]


def test_one_hidden_layer_without_twins_is_determined_where_it_is_irreducible():
    """The converse, against all networks of one input with the same function."""
    rng, answers = np.random.default_rng(0), []
    for _ in range(60):
        n, n_out = rng.integers(1, 6), rng.integers(1, 3)
        w, v = rng.choice([-2, -1, 1, 2], (1, n)), rng.integers(1, 4, (n, n_out))
        kinks = rng.choice(np.arange(-9, 10), n, replace=False)
        network = [w.astype(float), v * 1.0], [-(w[0] * kinks) * 1.0, rng.standard_normal(n_out)]
        report = identifiability_report(network)
        same = list(orientations(network))
        assert not report.has_twins and len(same) >= 1
        assert report.is_identifiable is report.is_irreducible is (len(same) == 1)
        for other in same[1:]:
            assert not is_rescaling_equivalent(network, other, permutations=True)
        answers.append(report.is_identifiable)
    assert 10 < sum(answers) < 50


def test_flipping_the_signs_of_the_witness_keeps_the_function():
    layer = identifiability_report(FLIP).layers[0]
    assert layer.irreducibility.witness == (0, 1, 2) and not layer.twins
    coefs, intercepts = FLIP
    witness = list(layer.irreducibility.witness)
    w, b, v = coefs[0].copy(), intercepts[0].copy(), coefs[1]
    absorbed = intercepts[1] + b[witness] @ v[witness]
    w[:, witness] *= -1
    b[witness] *= -1
    flipped = [w, v], [b, absorbed]
    assert_allclose(output(flipped, SAMPLES), output(FLIP, SAMPLES), atol=1e-13)


@pytest.mark.parametrize("widths, layer", [([2, 3, 1], 0), ([3, 4, 5, 2], 1)])
def test_negative_twins_have_another_network_on_each_bounded_set(widths, layer):
    """One of them becomes a neuron that is always active there, and stands for a linear map."""
    coefs, intercepts = random_network(widths, 0)
    twin = -2.0 * coefs[layer][:, 0], -2.0 * intercepts[layer][0]
    coefs[layer][:, 1], intercepts[layer][1] = twin
    network = coefs, intercepts
    report = identifiability_report(network)
    assert report.is_identifiable is False and report.layers[layer].negative_twins
    assert "no: other networks compute the same function on any bounded set" in repr(report)
    X = np.random.default_rng(0).uniform(-3, 3, size=(200, widths[0]))
    far = 1e3 * X
    h = X if layer == 0 else np.maximum(X @ coefs[0] + intercepts[0], 0)
    shift = 1.0 + abs(h @ coefs[layer][:, 0] + intercepts[layer][0]).max()
    other = [w.copy() for w in coefs], [b.copy() for b in intercepts]
    leaves = 2.0 * coefs[layer + 1][1]  # of the twin, once it is scaled like neuron 0
    other[0][layer][:, 1] = coefs[layer][:, 0]
    other[1][layer][1] = intercepts[layer][0] + shift
    other[0][layer + 1][0] += leaves
    other[0][layer + 1][1] = -leaves
    other[1][layer + 1] += shift * leaves
    assert_allclose(output(other, X), output(network, X), rtol=1e-10, atol=1e-10)
    assert abs(output(other, far) - output(network, far)).max() > 1
    assert not is_rescaling_equivalent(network, other, permutations=True)


def test_a_flip_between_two_pairs_of_negative_twins_is_no_permutation():
    pairs = [np.array([[1.0, -1.0, -1.0, 1.0]]), np.array([[1.0], [3.0], [1.0], [5.0]])]
    report = identifiability_report((pairs, [np.array([0.5, -0.5, 0.3, -0.3]), np.zeros(1)]))
    assert report.layers[0].irreducibility.witness == (0, 2) and report.layers[0].has_flip
    assert "bounded" not in repr(report) and "exchanges" not in repr(report)
    # equal outgoing weights of two twins: flipping both exchanges them
    pairs[1][:] = [[1.0], [1.0], [2.0], [5.0]]
    report = identifiability_report((pairs, [np.array([0.5, -0.5, 0.3, -0.3]), np.zeros(1)]))
    assert report.layers[0].irreducibility.witness == (0, 1) and not report.layers[0].has_flip
    assert "on any bounded set" in repr(report) and "exchanges twins" in repr(report)


def zero_sums(w, v):
    """All subsets whose sum of v w^T is exactly zero, by trying each."""
    n = w.shape[1]
    matrices = np.einsum("iv,vo->vio", w, v).reshape(n, -1)
    subsets = (np.arange(1, 1 << n)[:, None] >> np.arange(n)) & 1
    return subsets[~(subsets @ matrices).any(axis=1)]


def decide(w, v, seconds=10.0):
    deadline = time.monotonic() + seconds
    return decide_irreducibility(w, v, 1e-10, 10**6, deadline)


@pytest.mark.parametrize("max_nullity", [18, 0])
def test_irreducibility_against_brute_force(max_nullity, monkeypatch):
    """The ladder is right on small integer networks, and gives a smallest witness.

    The integer program may say, rarely, that its numbers do not bear an answer.
    """
    monkeypatch.setattr(ladder, "MAX_NULLITY", max_nullity)
    rng = np.random.default_rng(max_nullity)
    steps, answers = set(), []
    for _ in range(300 if max_nullity else 60):
        n, n_in, n_out, top = (rng.integers(1, high) for high in (10, 4, 3, 8))
        signs = rng.choice([-1, 1], (n_in, n))
        w, v = signs * rng.integers(1, top + 1, (n_in, n)), rng.integers(1, top + 1, (n, n_out))
        result, sums = decide(w.astype(float), v.astype(float)), zero_sums(w, v)
        answers.append(result.answer)
        if result.answer is None and not max_nullity:
            assert "to its own precision" in result.reason
            continue
        assert result.answer is (len(sums) == 0)
        if len(sums):
            assert len(result.witness) == sums.sum(axis=1).min()
            chosen = list(result.witness)
            assert not (w[:, chosen] @ v[chosen]).any()
        steps.add(result.reason.split(":")[0])
    assert steps == {"rank", "cone", "enumeration" if max_nullity else "integer program"}
    assert answers.count(None) <= 3 and 0.05 < answers.count(True) / len(answers) < 0.95


def test_subset_sum():
    """One input and one output: a zero sum of integers, with a planted answer or none."""
    w = np.array([[3.0, 34, -4, 12, 5, -44, 2, 101, -55]])
    assert decide(w, np.ones((9, 1))).answer is (len(zero_sums(w, np.ones((9, 1)))) == 0)
    even = np.concatenate([2.0 * np.array([3, 34, 12, 5, 2]), [-1001.0]])[None, :]
    result = decide(even, np.ones((6, 1)))
    assert result.answer is True and "2^5 assignments" in result.reason
    # more numbers than can be tried, and no time: said honestly
    w = np.random.default_rng(0).integers(1, 10**9, (1, 40)) * np.resize([1.0, -1.0], 40)
    result = decide(w, np.ones((40, 1)), seconds=0.0)
    assert result.answer is None and "time_budget" in result.reason and not result.witness
    network = [w, np.ones((40, 1))], None
    report = identifiability_report(network, time_budget=0)
    assert report.is_irreducible is None and "undetermined" in repr(report)
    result = decide_irreducibility(np.vstack([w, w]), np.ones((40, 1)), 1e-10, 79, np.inf)
    assert result.answer is None and "80 entries" in result.reason


def test_the_integer_program_is_taken_at_its_word_only_for_what_adds_up(monkeypatch):
    """Out of time, it may give a sum that is not the smallest: never one that contains a pair."""
    w, v = np.array([[1.0, -1.0, 2.0, -2.0, 3.0]]), np.ones((5, 1))
    monkeypatch.setattr(ladder, "MAX_NULLITY", 0)
    for chosen, witness in (([1, 1, 1, 1, 0], (0, 1)), ([0, 1, 0, 1, 1], (1, 3, 4))):
        found = OptimizeResult(x=np.array(chosen, dtype=float), status=1)
        monkeypatch.setattr(ladder, "milp", lambda *args, found=found, **options: found)
        assert decide(w, v).witness == witness
    wrong = OptimizeResult(x=np.array([1.0, 0, 0, 0, 1]), status=0)
    monkeypatch.setattr(ladder, "milp", lambda *args, **options: wrong)
    assert decide(w, v).answer is None
    monkeypatch.setattr(ladder, "milp", lambda *args, **options: OptimizeResult(x=None, status=1))
    assert decide(w, v).answer is None and "time_budget" in decide(w, v).reason


def test_nothing_is_printed(capfd):
    rng = np.random.default_rng(0)
    cases = {
        "rank": (rng.standard_normal((3, 4)), rng.standard_normal((4, 2))),
        "cone": (rng.random((2, 8)), rng.random((8, 1))),
        "enumeration": (rng.integers(-9, 9, (1, 16)) + 0.5, np.ones((16, 1))),
    }
    for name, (w, v) in cases.items():
        assert identifiability_report(([w, v], None)).layers[0].irreducibility.reason[:4] in name
    assert capfd.readouterr() == ("", "")


def summary(report):
    local = report.local
    return (
        report.is_identifiable,
        report.is_irreducible,
        report.is_admissible,
        report.is_non_degenerate,
        (local.rank, local.by_cause()),
        [
            (
                sorted(sorted(map(len, group)) for group in layer.twins),
                len(layer.irreducibility.witness),
                len(layer.dead),
                len(layer.always_active),
            )
            for layer in report.layers
        ],
    )


@at_most(15)
@given(sizes, seeds)
def test_copies_have_the_same_report(widths, seed):
    network = random_network(widths, seed)
    if len(widths) > 2 and widths[1] > 1:
        network[0][0][:, 1], network[1][0][1] = -network[0][0][:, 0], -network[1][0][0]
    X = np.random.default_rng(seed).standard_normal((60, widths[0]))
    report = identifiability_report(network, X)
    other = scaled(network, random_factors(widths, seed, 2.0))
    again = identifiability_report(other, X)
    assert again.layers == report.layers
    assert summary(again) == summary(report)
    assert summary(identifiability_report(shuffled(other, seed), X)) == summary(report)
    local = report.local
    lost = sum(loss for _, loss in local.losses)
    assert all(loss > 0 for _, loss in local.losses) and local.unexplained >= 0
    assert lost + local.unexplained == local.deficiency >= 0


def test_rank_by_differences():
    """The Jacobian itself: against central differences of the network."""
    from skfact.relu._identifiability.derivative import ScaledDerivative
    from skfact.relu._networks.gates import gates
    from skfact.relu._networks.readers import read_network
    from skfact.relu._rescaling.canonical import host_layers

    network = random_network([3, 4, 3, 2], 0)
    X = np.random.default_rng(1).standard_normal((15, 3))
    layers = host_layers(read_network(network))
    found = np.vstack(list(ScaledDerivative(layers, X, gates(read_network(network), X)).blocks()))
    theta, columns = [layer.ravel() for layer in layers], []
    for l, i in [(l, i) for l, flat in enumerate(theta) for i in range(flat.size)]:
        values = []
        for sign in (1, -1):
            moved = [layer.copy() for layer in layers]
            moved[l].ravel()[i] *= 1 + sign * 1e-6
            values.append(output(([m[:-1] for m in moved], [m[-1] for m in moved]), X))
        columns.append((values[0] - values[1]).ravel())
    rows = np.tile(1 / abs(layers[-1]).max(axis=0), 15)
    expected = np.stack(columns, axis=1) * rows[:, None]
    norms = np.linalg.norm(expected, axis=0)
    expected = expected / np.where(norms > 1e-12, norms, np.inf)
    assert_allclose(found, expected, atol=1e-6)


def test_causes_beyond_twins():
    coefs, intercepts = random_network([3, 6, 5, 2], 3)
    coefs[0][:, 0], intercepts[0][0] = 0, 0
    coefs[1][2] = 0
    coefs[1][:, 1], intercepts[1][1] = 0, 1.0
    X = np.random.default_rng(0).standard_normal((200, 3))
    report = identifiability_report((coefs, intercepts), X)
    first, second = report.layers
    assert first.zero_incoming == (0,) and first.zero_outgoing == (2,)
    assert 0 in first.dead and not report.is_admissible and report.is_identifiable is False
    assert second.irreducibility.witness == (1,) and 1 in second.always_active
    assert {"not admissible", "dead on X"} <= set(report.local.by_cause())
    assert "simplify" in repr(report)


@pytest.mark.parametrize("n_active", [1, 2, 4])
def test_a_neuron_active_on_few_samples_costs_what_these_miss(n_active):
    """Its 4 incoming parameters matter on so many samples only."""
    coefs, intercepts = random_network([3, 4, 1], 1)
    X = np.random.default_rng(0).uniform(-3, 3, size=(500, 3))
    arriving = np.sort(X @ coefs[0][:, 0])
    intercepts[0][0] = -(arriving[-n_active] + arriving[-n_active - 1]) / 2
    local = identifiability_report((coefs, intercepts), X).local
    cause = "inputs span too little on X"
    assert local.by_cause() == ({cause: 4 - n_active} if n_active < 4 else {})
    assert local.losses == (((1, 0, cause), 4 - n_active),) * (n_active < 4)


def test_a_sketch_of_the_derivative_gives_the_same_report(monkeypatch):
    coefs, intercepts = random_network([6, 8, 5, 3], 1)
    coefs[0][:, 1], intercepts[0][1] = 2 * coefs[0][:, 0], 2 * intercepts[0][0]
    X = np.random.default_rng(0).standard_normal((300, 6)) * [1, 1, 1, 1, 1, 0]
    exact = identifiability_report((coefs, intercepts), X)
    monkeypatch.setattr(rank_profile, "COLUMNS_TO_SKETCH", 50)
    monkeypatch.setattr(rank_profile, "ROWS_REACHED", 100)
    sketched = identifiability_report((coefs, intercepts), X)
    assert sketched.local.is_sketched and "of a random sketch" in repr(sketched)
    assert not exact.local.is_sketched and "sketch" not in repr(exact)
    assert sketched.local.rank == exact.local.rank and exact.local.deficiency > 0
    assert sketched.local.losses == exact.local.losses
    assert sketched.local_identifiability == exact.local_identifiability


def test_the_derivative_is_never_held_whole(monkeypatch):
    """80,000 rows by 184 columns are 118 MB."""
    for module in (derivative, activation_space):
        monkeypatch.setattr(module, "BLOCK_ENTRIES", 1 << 18)
    network = random_network([10, 12, 4], 0)
    X = np.random.default_rng(0).standard_normal((20_000, 10))
    tracemalloc.start()
    try:
        report = identifiability_report(network, X, max_size=184**2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert report.local.deficiency == 0 and peak < 60e6
    with pytest.raises(ValueError, match="184 parameters, compressed, has 33,856 entries"):
        identifiability_report(network, X, max_size=184**2 - 1)


ONE = np.ones((1, 1))
IDENTITY = [ONE, ONE], [np.zeros(1), np.zeros(1)]
KINK = 0.1 + 0.2 - 0.3  # zero, but for rounding


@for_each(
    "samples, rank, n_on_kinks",
    [
        ([0, 1, 2], 2, 1),
        ([0, 1, 2, 3], 2, 1),
        ([KINK, 1, 2, 3], 2, 1),
        ([-KINK, 1, 2, 3], 2, 1),
        ([-1, 1, 2], 3, 0),
        ([-1, 0, 1, 2, 0], 3, 2),
        ([-1, 0, -2], 1, 0),  # never active: its kink is no matter
        ([-1, KINK, -2, -KINK], 1, 0),
    ],
)
def test_samples_on_a_kink_prove_nothing(samples, rank, n_on_kinks):
    """On x >= 0, relu(x) is relu(x + d) - d for every d > 0."""
    X = np.array(samples, dtype=float)[:, None]
    report = identifiability_report(IDENTITY, X)
    local = report.local
    assert (local.rank, local.n_on_kinks) == (rank, n_on_kinks)
    assert local.n_samples == len(X) - n_on_kinks
    assert report.is_locally_identifiable is (rank == 3)
    assert ("left out" in repr(report)) is (n_on_kinks > 0)
    if min(samples) > -0.5:
        other = [ONE, ONE], [np.full(1, 0.1), np.full(1, -0.1)]
        assert_allclose(output(other, X), output(IDENTITY, X), atol=1e-15)
        assert not is_rescaling_equivalent(other, IDENTITY) and not report.is_locally_identifiable


@given(seeds, st.booleans())
@at_most(20)
def test_rows_of_zeros_without_biases_are_left_out(seed, deep):
    """So are kinks of later layers, and those that hidden neurons reach by rounding."""
    widths = [3, 4, 3, 2] if deep else [3, 4, 2]
    coefs, intercepts = random_network(widths, seed)
    X = np.random.default_rng(seed).standard_normal((60, 3))
    network = coefs, [0 * b for b in intercepts]
    expected = identifiability_report(network, X)
    # with no neuron of the first layer active, the second one is on its kink
    already = expected.local.n_on_kinks
    assert deep or already == 0
    with_zeros = np.concatenate([X, np.zeros((5, 3))])
    report = identifiability_report(network, with_zeros)
    assert report.local.n_on_kinks == already + 5 and report.layers == expected.layers
    assert report.local.rank == expected.local.rank
    # samples that are moved onto the kink of a neuron
    w = coefs[0][:, 0]
    shift = intercepts[0][0]
    on_kink = X[:7] - np.outer((X[:7] @ w + shift) / (w @ w), w)
    report = identifiability_report((coefs, intercepts), np.concatenate([X, on_kink]))
    if report.layers[0].dead and 0 in report.layers[0].dead:
        assert report.local.n_on_kinks == 0
    else:
        assert report.local.n_on_kinks == 7 and report.local.n_samples == 60


def test_kinks_in_single_precision():
    coefs, _ = random_network([4, 6, 2], 0, np.float32)
    X = np.random.default_rng(0).standard_normal((300, 4)).astype("f4")
    w = coefs[0][:, 0].astype(float)
    X[:9] -= np.outer((X[:9] @ w) / (w @ w), w).astype("f4")
    assert identifiability_report((coefs, None), X).local.n_on_kinks == 9


def test_no_sample_off_the_kinks():
    network = [np.array([[1.0, -1.0]]), np.ones((2, 1))], [np.array([1.0, 1.0]), np.zeros(1)]
    report = identifiability_report(network, [[1.0], [-1.0]])
    assert (report.local.rank, report.local.n_samples, report.local.n_on_kinks) == (0, 0, 2)
    assert report.layers[0].dead == report.layers[0].always_active == ()
    assert report.is_locally_identifiable is False
    assert "too few" in repr(report) and "samples on no kink" in repr(report)


def test_lines_say_of_which_samples_they_speak():
    """Identifiable by the weights, not from these samples: two sets of inputs, no contradiction."""
    coefs, intercepts = random_network([3, 4, 1], 1)
    X = np.random.default_rng(0).uniform(-3, 3, size=(500, 3))
    arriving = np.sort(X @ coefs[0][:, 0])
    intercepts[0][0] = -(arriving[-2] + arriving[-3]) / 2  # active on two samples
    report = identifiability_report((coefs, intercepts), X)
    assert report.is_identifiable and report.local.deficiency == 2
    _, first, layer, *on_samples = repr(report).splitlines()
    assert first == (
        "  identifiable       yes, from some bounded set of inputs: no twins, irreducible"
    )
    assert layer == "  layer 1            4 neurons          no twins, irreducible"
    assert on_samples[0].startswith("  on X               local rank ")
    assert all(line[:21].isspace() for line in on_samples[1:])
    undecided = repr(identifiability_report(random_network([3, 4, 4, 2], 0)))
    assert "not decided from any set" in undecided
    assert "on all inputs" in repr(identifiability_report(shallow("positive")))
    assert "on any bounded set" in repr(identifiability_report(shallow("negative")))


def test_too_few_samples_are_said():
    report = identifiability_report(shallow("generic"), SAMPLES[:4])
    assert report.local.rank == 4 and report.local.by_cause() == {"unexplained": 6}
    assert "too few: at least 10" in repr(report) and "pass at least 10" in repr(report)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_any_scale(scale):
    for kind in ("generic", "positive", "on"):
        coefs, intercepts = shallow(kind)
        report = identifiability_report((coefs, intercepts), SAMPLES[:200])
        far = [coefs[0] * scale, coefs[1]], [intercepts[0] * scale, intercepts[1]]
        assert summary(identifiability_report(far, SAMPLES[:200])) == summary(report)
        far = [coefs[0], coefs[1] * scale], [intercepts[0], intercepts[1] * scale]
        assert summary(identifiability_report(far, SAMPLES[:200])) == summary(report)


def test_trivial_networks():
    affine = identifiability_report(([np.ones((3, 2))], None), np.eye(3))
    assert affine.is_identifiable and affine.layers == () and affine.is_non_degenerate
    assert affine.local.rank == 6 and affine.local.full_rank == 8
    nothing = identifiability_report(([np.zeros((1, 1)), np.zeros((1, 1))], None), [[1.0]])
    assert nothing.is_identifiable is False and nothing.local.rank == 1
    X = np.random.default_rng(0).standard_normal((20, 3))
    mlp = MLPRegressor(
        hidden_layer_sizes=(4,), activation="identity", solver="lbfgs", max_iter=5000
    )
    with pytest.raises(ValueError, match="activation='identity'"):
        identifiability_report(mlp.fit(X, X[:, 0]))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, dtype):
    network = shallow("negative")
    single = [[x.astype(dtype) for x in part] for part in network]
    arrays = tuple([asarray(x) for x in part] for part in single)
    X = SAMPLES[:300].astype(dtype)
    report = identifiability_report(rescale(arrays, [asarray(np.full(3, 2.0))]), asarray(X))
    assert report.local.rank == 9 and report.layers[0].twins[0].opposite == (1,)
    assert report.tol == (1e-5 if dtype == "float32" else 1e-10)
