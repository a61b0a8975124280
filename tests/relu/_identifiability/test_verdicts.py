"""Each verdict with another network that it says there is, or with an exact rank."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from skfact.relu import identifiability_report, is_rescaling_equivalent
from tests.asserts import at_most, for_each
from tests.relu.networks import (
    output,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
)

SAMPLES = np.random.default_rng(0).uniform(-3, 3, size=(300, 2))


def exact_jacobian(network, X, gates):
    """d f(X) / d theta in rational numbers, with given gates: rows are outputs on samples."""
    coefs, intercepts = ([np.vectorize(Fraction)(x) for x in part] for part in network)
    n_outputs, rows = coefs[-1].shape[1], []
    for number, x in enumerate(X):
        inputs = [np.array([Fraction(int(value)) for value in x])]
        for l, gate in enumerate(gates):
            z = inputs[-1] @ coefs[l] + intercepts[l]
            inputs.append(z * np.array([Fraction(int(on)) for on in gate[number]]))
        for o in range(n_outputs):
            g, parts = np.array([Fraction(int(k == o)) for k in range(n_outputs)]), []
            for l in range(len(coefs) - 1, -1, -1):
                parts.append(np.concatenate([np.outer(inputs[l], g).ravel(), g]))
                if l:
                    gate = np.array([Fraction(int(on)) for on in gates[l - 1][number]])
                    g = (coefs[l] @ g) * gate
            rows.append(np.concatenate(parts[::-1]))
    return np.array(rows)


def exact_rank(matrix):
    """By elimination in rational numbers."""
    matrix, rank = matrix.copy(), 0
    for column in matrix.T:
        (pivots,) = np.nonzero(column[rank:])
        if len(pivots):
            pivot = rank + pivots[0]
            matrix[[rank, pivot]] = matrix[[pivot, rank]]
            pivot_row = matrix[rank] / column[rank]
            for row in range(rank + 1, len(matrix)):
                if column[row]:
                    matrix[row] = matrix[row] - column[row] * pivot_row
            rank += 1
            if rank == len(matrix):
                break
    return rank


def integer_network(widths, seed, most=3):
    rng = np.random.default_rng(seed)
    coefs = [rng.integers(-most, most + 1, (n, m)).astype(float) for n, m in pairwise(widths)]
    return coefs, [rng.integers(-most, most + 1, m).astype(float) for m in widths[1:]]


def gates_of(network, X):
    found, h = [], X
    for w, b in zip(network[0][:-1], network[1][:-1]):
        z = h @ w + b
        found.append(z > 0)
        h = np.maximum(z, 0)
    return found, h


def off_kinks(network, X):
    """Samples at which no neuron that is active on any of them has an input of zero."""
    gates, _ = gates_of(network, X)
    h, keep = X, np.ones(len(X), dtype=bool)
    for w, b, gate in zip(network[0][:-1], network[1][:-1], gates):
        z = h @ w + b
        keep &= ~((z == 0) & gate.any(axis=0)).any(axis=1)
        h = np.maximum(z, 0)
    return X[keep]


@for_each("widths", [[2, 3, 1], [2, 2, 2, 1], [1, 3, 2, 2], [2, 1, 3, 1]])
def test_ranks_and_verdicts_by_exact_rational_ranks(widths):
    """Functional dimension on samples, of integer networks, and that of almost all others."""
    answers = set()
    for seed in range(12):
        network = integer_network(widths, seed)
        X = np.random.default_rng(seed).integers(-4, 5, (24, widths[0])).astype(float)
        X = off_kinks(network, X)
        report = identifiability_report(network, X)
        gates, _ = gates_of(network, X)
        rank = exact_rank(exact_jacobian(network, X, gates))
        assert report.local.n_samples == len(X) and report.local.rank == rank
        other = integer_network(widths, 100 + seed, 10**6)
        generic = exact_rank(exact_jacobian(other, X, gates))
        assert rank <= generic <= report.local.full_rank or not report.is_admissible
        answer = report.is_locally_identifiable
        answers.add(answer)
        if report.is_admissible:
            assert (answer is True) == (rank == report.local.full_rank)
            if rank == generic < report.local.full_rank:
                assert answer is False  # the rank is constant near it: fibres are manifolds
        if report.local.generic_rank is not None:
            assert report.local.generic_rank == generic
        if report.is_non_degenerate is False:
            assert rank < report.local.full_rank and answer is False
    assert False in answers


@for_each("widths", [[2, 2, 1], [2, 3, 2, 1], [3, 2, 2, 2], [2, 2, 2, 2, 1], [4, 2, 3]])
def test_the_functional_dimension_of_some_networks(widths):
    """With widths of two or more, some networks of all sizes have parameters less hidden neurons.

    That is the theorem of Grillo and Montufar; more than this no network has.
    """
    rng = np.random.default_rng(0)
    X = np.vstack([s * rng.standard_normal((300, widths[0])) for s in (0.5, 2.0, 8.0)])
    missing = [
        identifiability_report(random_network(widths, seed), X).local.deficiency
        for seed in range(60)
    ]
    assert min(missing) == 0


def moved(network, layer, biases=(), outgoing=(), absorbed=()):
    """Some biases of a layer, its outgoing weights and the next biases, changed a little."""
    coefs, intercepts = [w.copy() for w in network[0]], [b.copy() for b in network[1]]
    for v, change in biases:
        intercepts[layer][v] += change
    for v, change in outgoing:
        coefs[layer + 1][v] += change
    for change in absorbed:
        intercepts[layer + 1] += change
    return coefs, intercepts


def case(reason):
    """A network, another one near it that is equal on SAMPLES, and no rescaling."""
    coefs, intercepts = random_network([2, 3, 3, 2] if reason == "positive" else [2, 3, 1], 0)
    intercepts[0] *= 0.3
    step = 1e-4
    if reason in ("dead", "always active"):
        intercepts[0][0] = -100.0 if reason == "dead" else 100.0
        network = coefs, intercepts
        absorbed = [-step * coefs[1][0]] if reason == "always active" else []
        change = step if reason == "always active" else -step
        return network, moved(network, 0, [(0, change)], absorbed=absorbed)
    if reason == "unseen":  # active on two samples
        arriving = np.sort(SAMPLES @ coefs[0][:, 0])
        intercepts[0][0] = -(arriving[-2] + arriving[-3]) / 2
        on = SAMPLES[SAMPLES @ coefs[0][:, 0] + intercepts[0][0] > 0]
        turn = np.linalg.svd(np.column_stack([on, np.ones(2)]))[2][2]  # orthogonal to both
        network = coefs, intercepts
        other = moved(network, 0, [(0, step * turn[2])])
        other[0][0][:, 0] += step * turn[:2]
        return network, other
    if reason in ("positive", "parallel"):
        factor = 2.0 if reason == "positive" else -2.0
        coefs[0][:, 1], intercepts[0][1] = factor * coefs[0][:, 0], factor * intercepts[0][0]
        network = coefs, intercepts
        if reason == "positive":
            return network, moved(network, 0, outgoing=[(0, 2 * step), (1, -step)])
        v, u = float(coefs[1][0, 0]), float(coefs[1][1, 0])
        step = 1e-7
        return network, moved(network, 0, [(0, step / v), (1, step / u)], absorbed=[-step])
    coefs[0][:, 0], intercepts[0][0] = 0, 0
    network = coefs, intercepts
    return network, moved(network, 0, [(0, -step)])


@pytest.mark.parametrize(
    "reason, text, degenerate",
    [
        ("dead", "neurons dead on X", True),
        ("always active", "neurons always active on X", True),
        ("unseen", "inputs span too little on X", True),
        ("positive", "positive twins", False),
        ("parallel", "negative twins with parallel outgoing weights", False),
        ("nothing arrives", "at which nothing arrives", False),
    ],
)
def test_no_comes_with_another_network(reason, text, degenerate):
    network, other = case(reason)
    report = identifiability_report(network, SAMPLES)
    answer, found = report.local_identifiability
    assert answer is False and text in found and f"no: {found}" in repr(report)
    assert report.is_non_degenerate is degenerate
    assert report.identifiability_on_samples.answer is False
    assert_allclose(output(other, SAMPLES), output(network, SAMPLES), atol=1e-12)
    assert not is_rescaling_equivalent(network, other, rtol=1e-12)
    assert report.local.deficiency > 0


def test_too_small_an_activation_space():
    """As many equations as the rank, and fewer than unknowns."""
    network = random_network([2, 3, 1], 0)
    X = SAMPLES[:9]
    report = identifiability_report(network, X)
    layer = report.layers[0]
    assert report.local.rank == report.local.n_equations < report.local.full_rank
    if not layer.dead and not layer.always_active:
        assert "activation space" in report.local_identifiability.reason
    assert report.is_locally_identifiable is False and report.is_non_degenerate is True


def test_yes_and_its_limits():
    network = random_network([2, 3, 1], 0)
    network[1][0][:] *= 0.3
    report = identifiability_report(network, SAMPLES)
    assert report.local_identifiability == (True, "full rank")
    assert report.identifiability == (True, "no twins, irreducible")
    # finitely many samples: nothing is said of networks far away
    assert report.identifiability_on_samples.answer is None
    deep = random_network([2, 3, 3, 2], 3)
    without = identifiability_report(deep)
    assert without.is_non_degenerate is without.is_locally_identifiable is None
    assert (
        without.identifiability.answer is None
        and "one hidden layer" in without.identifiability.reason
    )
    assert without.identifiability_on_samples.answer is None


def test_singular_values_close_to_the_cut_decide_nothing():
    """Negative twins whose outgoing weights are nearly parallel: no other network is near."""
    answers = []
    for distance in np.logspace(-11, -7, 17):
        coefs, intercepts = random_network([2, 3, 2], 1)
        coefs[0][:, 1], intercepts[0][1] = -coefs[0][:, 0], -intercepts[0][0]
        coefs[1][1] = -coefs[1][0] + distance * coefs[1][0, ::-1] * [1, -1]
        report = identifiability_report((coefs, intercepts), 3 * SAMPLES)
        answer = report.local_identifiability.answer
        assert (answer is False) == bool(report.layers[0].parallel_twins)
        assert (answer is True) == (report.local.deficiency == 0)
        answers.append(answer)
    assert answers[0] is False and None in answers and answers[-1] is True


def test_non_degenerate_by_weights_alone():
    """One hidden layer without twins: some finite set of samples has full rank."""
    rng = np.random.default_rng(0)
    for seed in range(5):
        network = random_network([2, 3, 2], seed)
        assert identifiability_report(network).non_degeneracy.answer is True
        far = 300 * rng.standard_normal((3000, 2))
        assert identifiability_report(network, np.vstack([far, far / 300])).local.deficiency == 0
    constant = [np.array([[1.0, 0.0]]), np.ones((2, 1))], [np.ones(2), np.zeros(1)]
    assert identifiability_report(constant).is_non_degenerate is None
    # parallel outgoing weights make negative twins degenerate; others do not
    coefs, intercepts = random_network([2, 3, 2], 1)
    coefs[0][:, 1], intercepts[0][1] = -coefs[0][:, 0], -intercepts[0][0]
    report = identifiability_report((coefs, intercepts), 3 * SAMPLES)
    assert report.is_non_degenerate is True and report.layers[0].parallel_twins == ()
    coefs[1][1] = -3 * coefs[1][0]
    report = identifiability_report((coefs, intercepts), 3 * SAMPLES)
    assert report.is_non_degenerate is False and report.layers[0].parallel_twins == ((0, 1),)


@given(seeds)
@at_most(15)
def test_copies_have_the_same_verdicts(seed):
    widths = [2, 4, 3, 2]
    network = random_network(widths, seed)
    X = np.random.default_rng(seed).standard_normal((80, 2))
    other = shuffled(scaled(network, random_factors(widths, seed, 2.0)), seed)
    one, two = (identifiability_report(n, X) for n in (network, other))
    for name in (
        "identifiability",
        "local_identifiability",
        "non_degeneracy",
        "identifiability_on_samples",
    ):
        assert getattr(one, name) == getattr(two, name)
    assert one.local.activation_dimension == two.local.activation_dimension
    assert one.local.generic_rank == two.local.generic_rank
    near = one.local_identifiability.answer
    assert (near is True) == (one.local.deficiency == 0)
