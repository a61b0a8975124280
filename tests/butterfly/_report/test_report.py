"""The words of a report."""

from dataclasses import replace

import pytest

from skfact.butterfly import StructureOption, StructureReport, StructureRow
from skfact.butterfly._report.report import described
from skfact.supports import Chain


def option(error, kind="product", numbers=100):
    return StructureOption(kind, kind, numbers, error, {})


def row(error, share=0.25, both=None, noise=0.8):
    return StructureRow(100, share, option(error), option(0.9, "low rank"), both, noise, 0.7, 200)


@pytest.mark.parametrize(
    "error, verdict",
    [
        (1e-14, "exact"),
        (2e-8, "structure found"),
        (0.43, "structure found"),
        (0.6, "a little better than noise"),
        (0.75, "no structure of this class found"),
    ],
)
def test_verdicts(error, verdict):
    assert row(error).verdict == verdict
    assert verdict.split()[0] in str(row(error)).lower()


def test_entries_are_compared_with_entries():
    both = option(0.65, "low rank + sparse")
    found = row(0.7, both=both)
    assert found.option is both and 0.66 < found.noise_level < 0.7
    assert found.verdict == "no structure of this class found"
    assert row(0.66, both=both).option.kind == "product"
    assert "best product: 0.7" in str(found) and "low rank: 0.9" in str(found)


def test_the_same_entries_shuffled():
    found = replace(row(0.3), shuffled_error=0.31)
    assert found.verdict == "no better than for the same entries shuffled"
    assert "the same entries shuffled: 0.31" in str(found)
    assert StructureReport((20, 20), None, (found,)).best is None
    assert replace(row(0.3), shuffled_error=0.5).verdict == "a little better than noise"
    assert replace(row(0.3), shuffled_error=0.7).verdict == "structure found"
    entries = replace(row(0.9, both=option(0.3, "low rank + sparse")), shuffled_error=0.3)
    assert StructureReport((20, 20), None, (entries,)).best is entries


def test_what_to_take():
    rows = row(0.4, 0.1), row(0.08, 0.2), row(0.01, 0.5)
    report = StructureReport((20, 20), None, rows)
    assert report.best is rows[1] and "first row with an error of at most 0.1" in report.advice
    assert "Product, with 100, misses 0.01" in report.advice
    assert "Half the error with 200 numbers" in str(report)
    assert StructureReport((20, 20), 0.05, rows).best is rows[2]
    assert StructureReport((20, 20), 0.001, rows).best is None
    fair = StructureReport((20, 20), None, rows[:1])
    assert fair.best is rows[0] and "too large to use" in fair.advice
    assert "after a check" in StructureReport((20, 20), None, (row(0.2),)).advice
    assert StructureReport((20, 20), None, (row(0.79),)).best is None
    dense = replace(row(0.0), product=option(0.0, "dense"))
    assert StructureReport((2, 2), None, (dense,)).best is None


def test_of_exact_ones_the_smaller_is_taken():
    entries = replace(option(0.0, "low rank + sparse"), numbers=50)
    found = row(1e-15, both=entries)
    assert found.option is entries and "an entry and its place as two" in str(found)
    assert row(1e-15, both=replace(entries, numbers=150)).option.kind == "product"
    within = replace(row(0.2, both=replace(entries, error=0.195)), tol=0.196)
    assert within.option.kind == "low rank + sparse"


def test_an_order_is_a_way_out_where_it_can_be():
    noise = StructureReport((64, 64), None, (row(0.79),))
    assert "in this order" in noise.advice and "'search'" in noise.advice
    for shape, way in (((64, 11), False), ((4, 64), False)):
        assert ("'search'" in replace(noise, shape=shape).advice) == way
    assert "'cluster'" in replace(noise, shape=(64, 11)).advice
    assert "'cluster'" not in replace(noise, shape=(4, 64)).advice


def test_html_has_a_line_for_each_budget():
    report = StructureReport((20, 20), None, (row(0.4), row(1e-14)))
    html = report._repr_html_()
    assert html.count("<tr>") == 3 and "structure found" in html and repr(report) == str(report)


def test_descriptions():
    assert described(Chain.low_rank(6, 8, 2), None) == "rank 2"
    monarch = described(Chain.monarch(6, 8, rank=2), "rows")
    assert monarch == "two factors, blocks of 2 x 4 of rank 2, rows digit-reversed"
    words = described(Chain.butterfly(8), "both")
    assert words.startswith("3 factors, blocks of 2 x 4 of rank 1, blocks of 4 x 2")
    assert described(Chain.dense(2, 3), None) == "the dense matrix"
