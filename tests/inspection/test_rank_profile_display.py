"""The picture of complementary ranks has the ranks and the chain."""

import numpy as np
import pytest

from skfact.butterfly import complementary_ranks
from skfact.inspection import RankProfileDisplay

pytest.importorskip("matplotlib")
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from tests.inspection._pictures import assert_readable


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def test_ranks_and_chain():
    found = complementary_ranks(np.fft.fft(np.eye(12)))
    display = RankProfileDisplay.from_ranks(found)
    texts = [text.get_text() for text in display.ax_.texts]
    columns, rows = (1, 2, 3, 4, 6), (6, 4, 3, 2, 1)
    assert texts == [str(found.ranks[Q, P]) for Q in rows for P in columns]
    (line,) = display.ax_.get_lines()
    places = [(columns[int(x)], rows[int(y)]) for x, y in line.get_xydata()]
    assert len(places) == len(found.chain) - 1
    assert all(found.ranks[Q, P] == 1 for P, Q in places)
    assert f"{found.chain.nnz} of 144" in display.ax_.get_title()


@pytest.mark.parametrize("style", ["default", "dark_background"])
def test_it_is_readable(style):
    with plt.style.context(style):
        for A in (np.fft.fft(np.eye(96)), np.eye(7, 30), np.ones((1, 5))):
            assert_readable(RankProfileDisplay.from_matrix(A))


def test_no_ranks():
    with pytest.raises(TypeError, match="ranks must be ComplementaryRanks"):
        RankProfileDisplay(np.eye(3))
