"""Rescaling never changes the function, and canonical forms tell nothing else apart."""

import copy
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from skfact._backend import array_namespace, to_numpy
from skfact.relu import (
    NetworkGraph,
    align,
    canonical_form,
    equalize,
    is_rescaling_equivalent,
    path_saliency,
    prune,
    quantize,
    rescale,
    rescaling_factors,
)
from tests.asserts import for_each
from tests.relu.graphs import chain
from tests.relu.networks import (
    ORACLE,
    output,
    path_vector,
    random_factors,
    random_network,
    scaled,
    seeds,
    shuffled,
    sizes,
    total_magnitude,
)

SAME_FUNCTION = {
    "canonical_form": canonical_form,
    "canonical_form, sorted": lambda network: canonical_form(network, permutations=True),
    "canonical_form, path kernel": lambda network: canonical_form(network, criterion="path-kernel"),
    "equalize": equalize,
    "equalize, bias": lambda network: equalize(network, include_bias=True),
    "equalize, p=0.1": lambda network: equalize(network, 0.1, max_iter=5000),
    "equalize, p=0.5": lambda network: equalize(network, 0.5, max_iter=5000),
    "equalize, p=1": lambda network: equalize(network, 1, max_iter=5000),
    "equalize, p=inf": lambda network: equalize(network, np.inf, max_iter=5000),
}


def equal_functions(a, b, seed=0, tolerance=1e-12):
    X = np.random.default_rng(seed).standard_normal((20, a[0][0].shape[0]))
    # rounding is relative to the sums of magnitudes of `a`
    assert_allclose(
        output(b, X), output(a, X), rtol=0, atol=tolerance * total_magnitude(a, X).max()
    )


def equal_networks(a, b, rtol=1e-9):
    for x, y in zip(a[0] + a[1], b[0] + b[1]):
        assert_allclose(x, y, rtol=rtol, atol=rtol * abs(y).max(initial=1e-300))


@pytest.mark.parametrize("name", SAME_FUNCTION)
@given(widths=sizes, seed=seeds)
def test_the_function_stays(name, widths, seed):
    network = random_network(widths, seed)
    before = copy.deepcopy(network)
    result = SAME_FUNCTION[name](network)
    equal_functions(network, result, seed)
    equal_networks(before, network, rtol=0)
    order = name == "canonical_form, sorted"
    assert is_rescaling_equivalent(network, result, permutations=order)
    if not order:
        assert_allclose(path_vector(result), path_vector(network), rtol=1e-10)


@pytest.mark.parametrize("spread", [1.0, 5.0])
def test_the_result_forgets_the_scaling(spread):
    widths = [4, 6, 5, 3]
    network = random_network(widths, 0)
    for name in SAME_FUNCTION:
        other = scaled(network, random_factors(widths, 1, spread))
        if name == "canonical_form, sorted":
            other = shuffled(other, 2)
        equal_networks(SAME_FUNCTION[name](other), SAME_FUNCTION[name](network), rtol=1e-8)


@pytest.mark.parametrize("where", ["incoming", "outgoing", "both", "layer", "all"])
def test_dead_neurons_survive(where):
    """No NaN, no infinity, the same function, whatever is zero."""
    coefs, intercepts = random_network([3, 4, 4, 2], 0)
    if where in ("incoming", "both"):
        coefs[0][:, 1], intercepts[0][1] = 0, 0
        coefs[1][:, 2] = 0  # with a bias
    if where in ("outgoing", "both"):
        coefs[1][1 if where == "both" else 0] = 0
    if where == "layer":
        coefs[1][:] = 0
    if where == "all":
        coefs, intercepts = ([0 * x for x in part] for part in (coefs, intercepts))
    network = coefs, intercepts
    for name in SAME_FUNCTION:
        result = SAME_FUNCTION[name](network)
        assert all(np.isfinite(x).all() for x in result[0] + result[1])
        equal_functions(network, result)


@pytest.mark.parametrize("kind", ["factors", "layers", "tiny", "huge"])
def test_any_scale(kind):
    widths = [3, 4, 4, 2]
    network = random_network(widths, 0)
    if kind == "factors":
        rng = np.random.default_rng(0)
        wild = scaled(network, [2.0 ** rng.integers(-400, 400, 4) for _ in range(2)])
    elif kind == "layers":
        wild = scaled(network, [np.full(4, 2.0**500), np.full(4, 2.0**-400)])
    else:
        factor = 1e-90 if kind == "tiny" else 1e90
        wild = [w * factor for w in network[0]], [0 * b for b in network[1]]
    for name in SAME_FUNCTION:
        result = SAME_FUNCTION[name](wild)
        assert all(np.isfinite(x).all() for x in result[0] + result[1])
        if kind in ("factors", "layers"):
            equal_networks(result, SAME_FUNCTION[name](network), rtol=1e-7)
        else:
            found, expected = path_vector(result, False), path_vector(wild, False)
            if "sorted" in name:  # neurons, and with them paths, are in another order
                found, expected = np.sort(found), np.sort(expected)
            assert_allclose(found, expected, rtol=1e-10)


@given(sizes, seeds)
def test_factors_are_found(widths, seed):
    network, factors = random_network(widths, seed), random_factors(widths, seed, 3.0)
    other = rescale(network, factors)
    equal_networks(other, scaled(network, factors), rtol=1e-14)
    equal_functions(network, other, seed)
    for found, c in zip(rescaling_factors(network, other), factors):
        assert_allclose(found, c, rtol=1e-12)
    assert is_rescaling_equivalent(network, other)
    assert is_rescaling_equivalent(other, network)


@given(sizes, seeds, st.integers(0, 10**6))
def test_one_changed_number_is_noticed(widths, seed, where):
    network = random_network(widths, seed)
    other = scaled(network, random_factors(widths, seed))
    arrays = other[0] + other[1]
    array = arrays[where % len(arrays)]
    index = np.unravel_index(where % array.size, array.shape)
    hidden_chain = len(widths) > 2 and 1 in widths
    array[index] *= -1.0
    assert not is_rescaling_equivalent(network, other)
    array[index] *= -1.5
    # a hidden neuron with one connection on either side has no redundancy to notice it by
    if not hidden_chain:
        assert not is_rescaling_equivalent(network, other)
        with pytest.raises(ValueError, match="not rescalings"):
            rescaling_factors(network, other)
        # as equal path products, with equal signs, leave nothing but rescalings
        one, two = path_vector(network), path_vector(other)
        assert abs(one - two).max() > 1e-6 * abs(two).max()


def test_signs_are_needed():
    """Equal path weights, another function."""
    a = [np.array([[1.0]]), np.array([[1.0]])], [np.zeros(1), np.zeros(1)]
    b = [np.array([[-1.0]]), np.array([[-1.0]])], [np.zeros(1), np.zeros(1)]
    assert_array_equal(path_vector(a), path_vector(b))
    assert output(a, [[1.0]]) == 1 and output(b, [[1.0]]) == 0
    assert not is_rescaling_equivalent(a, b)


def test_neurons_reached_from_behind_only():
    """Nothing arrives at the neuron: its factor is read off what leaves it."""
    coefs, intercepts = random_network([3, 4, 2], 0)
    coefs[0][:, 1], intercepts[0][1] = 0, 0
    factors = [np.array([2.0, 5.0, 0.5, 1.0])]
    other = scaled((coefs, intercepts), factors)
    assert_allclose(rescaling_factors((coefs, intercepts), other)[0], factors[0], rtol=1e-14)
    other[0][1][1, 0] *= 2
    assert not is_rescaling_equivalent((coefs, intercepts), other)


@given(sizes, seeds)
def test_permutations(widths, seed):
    network = random_network(widths, seed)
    other = shuffled(scaled(network, random_factors(widths, seed, 2.0)), seed)
    assert is_rescaling_equivalent(network, other, permutations=True)
    equal_networks(align(network, other), other)
    equal_functions(network, align(network, other), seed)
    other[0][-1][0, 0] *= 1.1
    distinct = len(widths) > 2 and min(widths) > 1
    assert not (distinct and is_rescaling_equivalent(network, other, permutations=True))
    assert not is_rescaling_equivalent(network, random_network([*widths, 3], seed))


def test_positive_twins_are_told_apart_by_what_leaves_them():
    coefs, intercepts = random_network([3, 6, 4, 2], 0)
    for twin in (1, 2, 3):
        coefs[0][:, twin] = coefs[0][:, 0] * twin
        intercepts[0][twin] = intercepts[0][0] * twin
    network = coefs, intercepts
    for seed in range(5):
        other = shuffled(scaled(network, random_factors([3, 6, 4, 2], seed)), seed)
        assert is_rescaling_equivalent(network, other, permutations=True)


@given(sizes, seeds, seeds)
def test_aligning_never_changes_the_function(widths, seed, other):
    a, b = random_network(widths, seed), random_network(widths, other)
    aligned = align(a, b)
    equal_functions(a, aligned, seed)
    assert is_rescaling_equivalent(a, aligned, permutations=True)


class TestEqualization:
    def test_oracle(self):
        squares = lambda arrays: sum((x**2).sum() for x in arrays)  # noqa: E731
        coefs, intercepts = equalize(ORACLE)
        assert_allclose(
            rescaling_factors(ORACLE, (coefs, intercepts))[0], [0.795271, 0.696471], atol=1e-6
        )
        assert_allclose(squares(coefs), 16.772216, atol=1e-6)
        assert_allclose(squares(coefs + intercepts), 17.478, atol=1e-3)
        with_bias = equalize(ORACLE, include_bias=True)
        assert_allclose(rescaling_factors(ORACLE, with_bias)[0], [0.790377, 0.660633], atol=1e-6)
        largest = equalize(ORACLE, np.inf)
        assert_allclose(rescaling_factors(ORACLE, largest)[0], [0.816497, 0.707107], atol=1e-6)

    @given(sizes, seeds, st.sampled_from([0.4, 1, 2, 3.5, np.inf]), st.booleans())
    def test_incoming_and_outgoing_norms_are_equal(self, widths, seed, p, bias):
        coefs, intercepts = equalize(
            random_network(widths, seed), p, include_bias=bias, max_iter=20_000
        )
        for w, b, out in zip(coefs, intercepts, coefs[1:]):
            arriving = np.vstack([w, b]) if bias else w
            assert_allclose(
                np.linalg.norm(arriving, p, axis=0), np.linalg.norm(out, p, axis=1), rtol=1e-8
            )

    @given(sizes, seeds, st.sampled_from([1, 2]))
    def test_no_rescaling_has_a_smaller_norm(self, widths, seed, p):
        network = random_network(widths, seed)
        best = sum((abs(w) ** p).sum() for w in equalize(network, p)[0])
        for spread in (1e-3, 0.1, 1.0):
            other = scaled(equalize(network, p), random_factors(widths, seed, spread))
            assert best <= sum((abs(w) ** p).sum() for w in other[0]) * (1 + 1e-12)

    @pytest.mark.parametrize("bias", [False, True])
    @pytest.mark.parametrize("hidden", [1, 2, 6, 20])
    def test_deep_networks_take_few_sweeps(self, hidden, bias):
        widths = [16] * (hidden + 2)
        network = scaled(random_network(widths, 0), random_factors(widths, 1, 2.0))
        result, n_iter = equalize(
            network, include_bias=bias, tol=1e-9, max_iter=20, return_n_iter=True
        )
        assert 1 <= n_iter <= 20
        for w, b, out in zip(*result, result[0][1:]):
            arriving = np.vstack([w, b]) if bias else w
            assert_allclose((arriving**2).sum(axis=0), (out**2).sum(axis=1), rtol=1e-8)

    @for_each(
        "p, bias",
        [(0.1, True), (0.1, False), (0.3, False), (0.5, False), (0.5, True), (1, True), (2, False)],
    )
    def test_the_least_sum_of_powers(self, p, bias):
        """Against a general minimizer over the logarithms of the factors."""
        widths = [4, 5, 6, 3]
        network = random_network(widths, 1)

        def total(network):
            coefs, intercepts = network
            arrays = [*coefs, *intercepts[:-1]] if bias else coefs
            return sum((abs(a) ** p).sum() for a in arrays)

        def of_logarithms(u):
            return np.log(total(scaled(network, np.split(np.exp(u), [5]))))

        best = np.exp(minimize(of_logarithms, np.zeros(11), options={"gtol": 1e-8}).fun)
        found = equalize(scaled(network, random_factors(widths, 0)), p, include_bias=bias)
        assert_allclose(total(found), best, rtol=1e-8)
        equal_functions(network, found)

    @for_each("p", [0.02, 1e-4, 1e-9])
    def test_the_smallest_exponents(self, p):
        """As many weights arrive as leave: the sum of logarithms decides. Else factors diverge."""
        network = random_network([5, 5, 5, 5], 0)
        for start in (network, chain(network)):
            found, n_iter = equalize(start, p, return_n_iter=True)
            coefs = found[0] if start is network else found.coefs
            logs = [np.log(abs(w)) for w in coefs]
            assert n_iter < 20
            for arriving, leaving in pairwise(logs):
                assert_allclose(arriving.sum(axis=0), leaving.sum(axis=1), atol=30 * max(p, 1e-6))
        if p < 1e-3:
            wide = random_network([4, 5, 6, 3], 0)
            for start in (wide, chain(wide)):
                with pytest.raises(ValueError, match=f"p={p!r} weights .*flow.*: take a larger p"):
                    equalize(start, p)

    def test_too_few_sweeps_warn(self):
        network = random_network([4, 5, 6, 3], 0)
        with pytest.warns(ConvergenceWarning, match="max_iter=1") as caught:
            equalize(network, max_iter=1)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            equalize(network)

    def test_float32(self):
        network = random_network([4, 5, 6, 3], 0, np.float32)
        result = equalize(network)
        assert {x.dtype for x in result[0] + result[1]} == {np.dtype("float32")}
        equal_functions(network, result, tolerance=1e-6)


class TestCompression:
    @given(sizes, seeds, st.floats(0, 1), st.sampled_from(["magnitude", "saliency"]))
    def test_the_smallest_go(self, widths, seed, amount, criterion):
        network = random_network(widths, seed)
        pruned = prune(network, amount, criterion=criterion)
        total = sum(w.size for w in network[0])
        gone = [w == 0 for w in pruned[0]]
        assert sum(int(g.sum()) for g in gone) == round(amount * total)
        scores = network[0] if criterion == "magnitude" else path_saliency(network)[0]
        lost = np.concatenate([abs(s)[g] for s, g in zip(scores, gone)])
        kept = np.concatenate([abs(s)[~g] for s, g in zip(scores, gone)])
        assert lost.max(initial=0) <= kept.min(initial=np.inf)
        for w, v, g in zip(network[0], pruned[0], gone):
            assert_array_equal(v[~g], w[~g])
        for b, c in zip(network[1], pruned[1]):
            assert_array_equal(b, c)

    @for_each("seed", range(5))
    def test_zeros_count_among_weights_without_paths(self, seed):
        """Many weights of no saliency are not zero: they wait until zeros are used up."""
        coefs, intercepts = random_network([4, 6, 5, 2], seed)
        coefs[0][:, :3] = 0
        coefs[2][2:] = 0
        network = coefs, [0 * b for b in intercepts]
        zeros = sum(int((w == 0).sum()) for w in coefs)
        without = sum(int((s == 0).sum()) for s in path_saliency(network)[0])
        assert 12 < zeros < without
        for criterion in ("magnitude", "saliency"):
            for amount in (1, zeros - 1, zeros, zeros + 1, without, 0.5, 1.0):
                pruned = prune(network, amount, criterion=criterion)
                asked = round(amount * 64) if isinstance(amount, float) else amount
                assert sum(int((w == 0).sum()) for w in pruned[0]) == max(zeros, asked)
        pruned = prune(network, without, criterion="saliency")
        assert_allclose(path_vector(pruned), path_vector(network), rtol=1e-15)
        three = [[[1.0, 0, 2], [0, 0, 1]], [[0.0], [5], [0]]], None
        assert [np.count_nonzero(w) for w in prune(three, 3, criterion="saliency")[0]] == [3, 1]

    def test_numbers_and_parts(self):
        network = random_network([3, 4, 2], 0)
        assert sum((w == 0).sum() for w in prune(network, 5)[0]) == 5
        assert sum((w == 0).sum() for w in prune(network, 1.0)[0]) == 20
        assert sum((w == 0).sum() for w in prune(network, 1)[0]) == 1

    def test_saliency_is_blind_to_rescaling_and_magnitude_is_not(self):
        widths = [6, 8, 8, 3]
        network = random_network(widths, 0)
        other = scaled(network, random_factors(widths, 1, 2.0))
        gone = {
            criterion: [
                np.concatenate([(w == 0).ravel() for w in prune(n, 0.5, criterion=criterion)[0]])
                for n in (network, other)
            ]
            for criterion in ("magnitude", "saliency")
        }
        assert_array_equal(*gone["saliency"])
        assert (gone["magnitude"][0] != gone["magnitude"][1]).mean() > 0.1

    @given(sizes, seeds, st.integers(2, 10), st.sampled_from(["per_tensor", "per_channel"]))
    def test_grid(self, widths, seed, bits, scheme):
        network = random_network(widths, seed)
        coefs, intercepts = quantize(network, bits, scheme=scheme)
        levels = 2 ** (bits - 1) - 1
        for w, v in zip(network[0], coefs):
            largest = abs(w).max(axis=0 if scheme == "per_channel" else None)
            steps = v / largest * levels
            assert_allclose(steps, np.round(steps), atol=1e-9)
            assert (abs(steps) <= levels + 1e-9).all()
            assert (abs(v - w) <= largest / levels * (0.5 + 1e-9)).all()
        assert all(b is c or np.array_equal(b, c) for b, c in zip(network[1], intercepts))

    def test_zero_columns_stay_zero(self):
        coefs, _ = quantize(([np.zeros((2, 2)), np.ones((2, 1))], None), 4, scheme="per_channel")
        assert_array_equal(coefs[0], np.zeros((2, 2)))

    def test_equalized_networks_are_rounded_the_same_at_any_scaling(self):
        widths = [6, 8, 3]
        network = random_network(widths, 0)
        results = [
            quantize(equalize(scaled(network, random_factors(widths, 1, s)), np.inf), 8)
            for s in (0.0, 3.0)
        ]
        equal_networks(*results, rtol=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_array_library(asarray, xp, dtype):
    a, b = random_network([4, 5, 3, 2], 0, dtype), random_network([4, 5, 3, 2], 1, dtype)
    one, two = (([asarray(w) for w in n[0]], [asarray(c) for c in n[1]]) for n in (a, b))
    calls = [
        lambda m, n: canonical_form(m),
        lambda m, n: canonical_form(m, permutations=True),
        lambda m, n: equalize(m, tol=1e-6),
        lambda m, n: equalize(m, np.inf, include_bias=True, tol=1e-6),
        align,
        lambda m, n: prune(m, 0.3, criterion="saliency"),
        lambda m, n: quantize(m, 6, scheme="per_channel"),
        lambda m, n: quantize(m, 6),
    ]
    for call in calls:
        expected, found = call(a, b), call(one, two)
        for x, y in zip(expected[0] + expected[1], found[0] + found[1]):
            assert array_namespace(y) is xp and y.dtype == one[0][0].dtype
            assert_allclose(to_numpy(y), x, rtol=1e-3 if dtype == "float32" else 1e-6, atol=1e-5)
    other = rescale(one, [asarray(np.full(5, 2.0)), asarray(np.full(3, 0.25))])
    assert is_rescaling_equivalent(one, other)
    assert_allclose(rescaling_factors(one, other)[1], np.full(3, 0.25), rtol=1e-5)


@pytest.mark.parametrize("permutations", [False, True])
def test_canonical_forms_beyond_the_range(permutations):
    for dtype, large in (("float64", 1e200), ("float32", 1e30)):
        network = (
            [
                np.array([[large]], dtype),
                np.array(
                    [
                        [large],
                    ],
                    dtype,
                ),
            ],
            None,
        )
        with pytest.raises(ValueError, match="overflow"):
            canonical_form(network, permutations=permutations)
    network = [[[1e200, 1e-160]], [[1e100, -1e-100], [1e100, 1.0]]], None
    coefs, _ = canonical_form(network, permutations=permutations)
    assert_allclose(coefs[0], [[1.0, 1.0]])
    assert_allclose(np.sort(coefs[1][:, 0]), [1e-60, 1e300], rtol=1e-12)
    assert_allclose(np.sort(coefs[1][:, 1]), [-1e100, 1e-160], rtol=1e-12)


def test_weights_out_of_range_are_said():
    """Underflow changes the function as overflow does; beside larger weights it is rounding."""
    network = [[[1e-200]], [[1.0]]], None
    with pytest.raises(ValueError, match="factors make weights underflow"):
        rescale(network, [[1e-200]])
    with pytest.raises(ValueError, match="factors make weights underflow"):
        rescale(network, [[1e308]])
    assert rescale(network, [[1e100]])[0][1] == 1e-100
    with pytest.raises(ValueError, match="unit norm make what leaves them underflow"):
        canonical_form(([[[1e-200]], [[1e-200]]], None))
    coefs, _ = canonical_form(([[[1.0, 1e-200]], [[1.0], [1e-200]]], None))
    assert_array_equal(coefs[1], [[1.0], [0.0]])


def test_factors_are_asked_for_by_their_places():
    graph = NetworkGraph(1)
    graph.linear(graph.linear(graph.input, [[1.0]]), [[1.0]])
    for network, place in ((graph, "linear nodes but the output"), (ORACLE, "hidden layers")):
        with pytest.raises(
            ValueError, match=f"each of the 1 {place}; got a list of length 0"
        ) as caught:
            rescale(network, [])
        assert ("graph" in str(caught.value)) is False


def test_neurons_where_nothing_arrives_keep_their_scale():
    network = [[[2.0]], [[0.0]], [[5.0]]], [[0.0], [0.0], [1.0]]
    for factor in (1.0, 4.0):
        coefs, _ = canonical_form(rescale(network, [[3.0], [factor]]))
        assert_allclose(np.ravel(coefs), [1.0, 0.0, 5.0 / factor], rtol=1e-14)
