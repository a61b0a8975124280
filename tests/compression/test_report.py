"""The words of a report on a compressed network."""

import numpy as np
import pytest

from skfact.compression import CompressedLayer, Compression


def layer(error=0.05, low_rank=0.05, structure="rank 3", after=30, in_place=0.06, effect=None):
    return CompressedLayer(
        "a", (10, 20), structure, 200, after, error, low_rank, in_place, effect, 8.0, 4.0
    )


def report(*layers, output_error=0.05, low_rank=None, skipped=None, **more):
    return Compression(([], []), layers, skipped or {}, 99, output_error, 0.0, low_rank, **more)


@pytest.mark.parametrize(
    "row, verdict",
    [
        (layer(), "good"),
        (layer(in_place=0.2), "fair"),
        (layer(in_place=0.5), "misses much"),
        (layer(structure="two factors", low_rank=0.1), "good, closer than low rank"),
        (layer(structure="two factors", in_place=None), "good"),
        (layer(0.0, 0.0, "the dense matrix", 200, 0.01), "kept dense"),
    ],
)
def test_verdicts_of_layers(row, verdict):
    assert row.verdict == verdict
    text = str(report(row))
    assert ("kept dense" in text) == (verdict == "kept dense")
    assert ("2 times as fast" in text) == (verdict != "kept dense")
    assert ("low rank: 0.1" in text) == ("closer" in verdict)


@pytest.mark.parametrize(
    "error, words",
    [
        (0.05, "on these samples: check its score on others, and use it"),
        (0.2, "or allow more numbers"),
        (0.5, "not worth it as it is: allow more numbers."),
        (None, "pass X"),
    ],
)
def test_advice(error, words):
    assert words in report(layer(), output_error=error).advice


def test_few_samples_say_little():
    assert "fewer" not in report(layer()).advice
    few = Compression(([], []), (layer(),), {}, 19, 0.05, 0.0, None)
    assert "fewer than the 20 inputs of a layer: of other directions they say nothing" in few.advice


@pytest.mark.parametrize(
    "low_rank, words",
    [
        (0.04, "Low rank alone would miss 2 times as much, layer by layer"),
        (0.0106, "would miss 3 % more, layer"),
        (0.0109, "would miss 4 % more, layer"),
        (1e3, "would miss 316 times as much"),
        (1e6, "would miss more than 1000 times as much"),
        (0.01, "Low rank does about as well here as any structure that was found"),
    ],
)
def test_low_rank_beside(low_rank, words):
    """Of a layer that misses 0.1, and low rank the root of these."""
    assert words in report(layer(error=0.1), low_rank=low_rank).advice


@pytest.mark.parametrize(
    "low_rank, words",
    [(0.0025, "miss less, 0.5 of that"), (0.01, "miss as much"), (0.04, "miss 2 times as much")],
)
def test_low_rank_beside_a_family(low_rank, words):
    advice = report(layer(error=0.1), low_rank=low_rank, supports="monarch").advice
    assert words in advice and "any structure" not in advice
    assert "Low rank" not in report(layer(error=0.1), low_rank=1.0, supports="low-rank").advice


@pytest.mark.parametrize(
    "supports, numbers, words",
    [
        ("auto", 60, "Low rank alone would take 2 times as many numbers"),
        ("auto", 30, "Low rank takes as few numbers here as any structure"),
        ("monarch", 30, "Low rank would take as many numbers"),
        ("monarch", 15, "Low rank would take 50 % of these numbers"),
    ],
)
def test_low_rank_beside_a_tolerance(supports, numbers, words):
    found = report(layer(), low_rank_numbers=numbers, shared="by tolerance", supports=supports)
    assert words in found.advice and "miss" not in found.advice.split("Low rank")[1]


@pytest.mark.parametrize(
    "after, words",
    [(200, "200 (100 %)"), (199, "199 (100 %)"), (45, "45 (22 %)"), (1, "1 (0.5 %)")],
)
def test_shares(after, words):
    assert f"become {words}" in str(report(layer(after=after)))


def test_how_the_budget_was_shared():
    tried = {"by effect": 0.35, "alike": 0.3, "equal shares": 0.4}
    words = "Numbers are shared with all layers alike: before layers are fitted in turn, "
    found = report(layer(), shared="alike", tried=tried)
    assert words in str(found) and words in found._repr_html_()
    others = "miss 0.3, and would miss 0.35 by the effects of the layers, 0.4 in equal shares."
    assert others in str(found)
    same = report(layer(), tried={"by effect": 0.3, "alike": 0.3})
    assert "shared" not in str(same) and "shared" not in same._repr_html_()


def test_modules_are_trained_on():
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(20, 10))
    for error, words in ((0.2, "bears that, or train it on."), (0.5, "numbers, or train it on.")):
        assert words in Compression(module, (layer(),), {}, 99, error, 0.0, None).advice


def test_the_whole_network():
    """Of 200 numbers 30 stay: with 100 elsewhere 130 of 300, with 5 no other share to speak of."""
    words = "Elsewhere the network has 100 numbers, which stay: as a whole it keeps 43 %."
    found = report(layer(), n_parameters_elsewhere=100)
    assert words in str(found) and words in found._repr_html_()
    assert "Elsewhere" not in str(report(layer(), n_parameters_elsewhere=5))


def test_totals():
    """Errors .1 and .2 with effects 4 and 1/2."""
    layers = layer(error=0.1, effect=4.0), layer(error=0.2, effect=0.5)
    assert report(*layers, shared="by effect").total == pytest.approx(0.06)
    assert report(*layers, shared="equal shares").total == pytest.approx(0.05)
    assert report(layers[0], shared="alike").total == pytest.approx(0.01)


def test_nothing_gained():
    dense = layer(0.0, 0.0, "the dense matrix", 200, 0.0)
    assert "not worth it" in report(dense).advice


def test_all_that_was_left_is_named():
    found = report(layer(), layer(after=10), skipped={"conv": "it is a convolution"})
    assert found.n_parameters_before == 400 and found.n_parameters_after == 40
    assert found.speedup == 2.0
    text, table = str(found), found._repr_html_()
    assert "400 numbers of 2 layers become 40 (10 %), errors on 99 samples" in text
    assert "conv: left as it is, it is a convolution." in text
    assert table.count("<tr>") == 4 and "it is a convolution" in table
    assert repr(found) == text and np.isfinite(found.total)
