"""When an iteration ends."""

import pytest

from skfact._stopping import WINDOW, Stopping
from tests.asserts import for_each


@for_each("tol", [1e-1, 1e-3, 1e-6])
def test_a_loss_that_falls_geometrically_is_slow_by_its_rate(tol):
    """Over the window 1 - rate**WINDOW of the loss is lost, which is `tol` at this rate."""
    critical = (1 - tol) ** (1 / WINDOW)
    for rate, slow in [(critical**1.01, False), (critical**0.99, True)]:
        losses = [rate**i for i in range(40)]
        assert Stopping(100, tol).is_slow(losses) == slow
        assert not Stopping(100, tol).is_slow(losses[:WINDOW])  # too few to tell


def test_a_part_of_the_loss_that_never_changes_counts():
    losses = [1 - 0.01 * i for i in range(WINDOW + 1)]
    assert not Stopping(100, 0.05).is_slow(losses)
    assert Stopping(100, 0.05).is_slow(losses, constant=9.0)


def test_without_tolerance_only_a_loss_that_stands_still_is_slow():
    assert not Stopping(100, 0.0).is_slow([1 - 1e-15 * i for i in range(20)])
    assert Stopping(100, 0.0).is_slow([1.0] * 20)


@pytest.mark.parametrize("answer, ends", [(None, False), (False, False), (1, True), (True, True)])
def test_who_is_told_can_end_the_run(answer, ends):
    heard = []
    stopping = Stopping(100, 0.1, lambda *news: heard.append(news) or answer)
    assert stopping.told(3, 0.5) is ends
    assert heard == [(3, 0.5)]
    assert Stopping(100, 0.1).told(3, 0.5) is False
