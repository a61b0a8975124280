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
        (1e-9, "exact"),
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
    assert found.option is both and found.noise_level == 0.7
    assert found.verdict == "no structure of this class found"
    assert row(0.66, both=both).option.kind == "product"
    assert "best product: 0.7" in str(found) and "low rank: 0.9" in str(found)


def test_what_to_take():
    rows = row(0.4, 0.1), row(0.08, 0.2), row(0.01, 0.5)
    report = StructureReport((20, 20), None, rows)
    assert report.best is rows[1] and "as it is" in report.advice
    assert "Half the error with about 200 numbers" in str(report)
    assert StructureReport((20, 20), 0.05, rows).best is rows[2]
    assert StructureReport((20, 20), 0.001, rows).best is None
    fair = StructureReport((20, 20), None, rows[:1])
    assert fair.best is rows[0] and "too large to use" in fair.advice
    assert "after a check" in StructureReport((20, 20), None, (row(0.2),)).advice
    assert StructureReport((20, 20), None, (row(0.79),)).best is None
    dense = replace(row(0.0), product=option(0.0, "dense"))
    assert StructureReport((2, 2), None, (dense,)).best is None


def test_html_has_a_line_for_each_budget():
    report = StructureReport((20, 20), None, (row(0.4), row(1e-9)))
    html = report._repr_html_()
    assert html.count("<tr>") == 3 and "structure found" in html and repr(report) == str(report)


def test_descriptions():
    assert described(Chain.low_rank(6, 8, 2), None) == "low rank, 2"
    monarch = described(Chain.monarch(6, 8, rank=2), "rows")
    assert monarch == "two factors, 2 x 4 blocks of rank 2, rows digit-reversed"
    assert described(Chain.butterfly(8), "both").startswith("3 factors, 2 x 4 blocks of rank 1, 4")
    assert described(Chain.dense(2, 3), None) == "the dense matrix"
