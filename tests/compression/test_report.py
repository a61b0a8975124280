"""The words of a report on a compressed network."""

import numpy as np
import pytest

from skfact.compression import CompressedLayer, Compression


def layer(error=0.05, low_rank=0.05, structure="rank 3", after=30, in_place=0.06, effect=None):
    return CompressedLayer(
        "a", (10, 20), structure, 200, after, error, low_rank, in_place, effect, 8.0, 4.0
    )


def report(*layers, output_error=0.05, low_rank=None, skipped=None):
    return Compression(([], []), layers, skipped or {}, 99, output_error, 0.0, low_rank)


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
    [(0.05, "use it"), (0.2, "or tune it"), (0.5, "not worth it as it is"), (None, "pass X")],
)
def test_advice(error, words):
    assert words in report(layer(), output_error=error).advice


def test_low_rank_beside():
    found = report(layer(error=0.1), low_rank=0.04)
    assert "Low rank alone would miss 2 times as much" in found.advice
    assert "Low rank does as well" in report(layer(error=0.1), low_rank=0.01).advice


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
