"""Moments of rows that come in batches."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.compression._moments import Missed, Moments, root

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("scale, mean", [(1.0, 0.0), (1.0, 1e6), (1e150, 0.0), (1e-150, 1e-149)])
def test_they_are_those_of_all_rows(scale, mean):
    rows = mean + scale * RNG.standard_normal((50, 4)) @ RNG.standard_normal((4, 4))
    found = Moments()
    for batch in np.split(rows, [1, 7, 7, 30]):
        found.add(batch)
    assert found.n_samples == 50
    assert_allclose(found.mean, rows.mean(axis=0))
    unit = rows / found.scale
    assert_allclose(found.second(centred=True), np.cov(unit.T, bias=True), rtol=1e-6)
    assert_allclose(found.second(centred=False), unit.T @ unit / 50, rtol=1e-6)


@pytest.mark.parametrize("n_samples", [3, 9, 10, 90])
@pytest.mark.parametrize("centred", [False, True])
def test_a_root_of_few_and_of_many(n_samples, centred):
    rows = 3 + RNG.standard_normal((n_samples, 9))
    found = Moments()
    found.add(rows[:2])
    found.add(rows[2:])
    unit = (rows - centred * rows.mean(axis=0)) / found.scale
    root = found.root(centred=centred)
    assert found.is_few == (n_samples <= 9) and len(root) <= 9
    assert_allclose(root.T @ root, unit.T @ unit / n_samples, atol=1e-12)
    assert_allclose(found.second(centred=centred), root.T @ root, atol=1e-12)


@pytest.mark.parametrize("centred", [False, True])
def test_many_wide_rows_are_mixed(centred, monkeypatch):
    """So few that nothing is exact, and energies of any direction are about right."""
    monkeypatch.setattr("skfact.compression._moments.WIDE", 200)
    rows = 1 + RNG.standard_normal((3000, 5)) @ RNG.standard_normal((5, 300))
    found = Moments()
    for batch in np.split(rows, [100, 150, 900]):
        found.add(batch)
    assert_allclose(found.mean, rows.mean(axis=0))
    root = found.root(centred=centred)
    assert root.shape == (200, 300) and found.n_rows == 200
    unit = (rows - centred * rows.mean(axis=0)) / found.scale
    directions = RNG.standard_normal((300, 20))
    energies = np.sum((unit @ directions) ** 2, axis=0) / 3000
    assert_allclose(np.sum((root @ directions) ** 2, axis=0), energies, rtol=0.35)


def test_the_same_rows_are_known_as_such():
    rows = RNG.standard_normal((9, 3))
    one, two, three = Moments(), Moments(), Moments()
    for found, batch in ((one, rows), (two, rows), (three, rows[::-1])):
        found.add(batch)
    assert one.equal(two) and not one.equal(three)


@pytest.mark.parametrize("rank", [0, 2, 5])
def test_a_root(rank):
    half = RNG.standard_normal((rank, 5))
    found = root(half.T @ half)
    assert len(found) == max(rank, 1)
    assert_allclose(found.T @ found, half.T @ half, atol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e160, 1e-160])
def test_what_outputs_miss(scale):
    rows, others = RNG.standard_normal((2, 40, 3)) + 5
    missed = Missed()
    for start in range(0, 40, 7):
        missed.add(scale * rows[start : start + 7], scale * others[start : start + 7])
    whole = np.linalg.norm(rows - rows.mean(axis=0))
    assert_allclose(missed.relative_error, np.linalg.norm(rows - others) / whole)


def test_outputs_that_do_not_vary_miss_nothing():
    missed = Missed()
    missed.add(np.ones((4, 2)), np.ones((4, 2)))
    assert missed.relative_error == 0


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("value, error", [(0.1, 0.5), (-30.0, 0.5), (0.0, np.inf)])
def test_what_is_missed_of_outputs_that_do_not_vary(dtype, value, error):
    """The mean of seven equal numbers differs from them by rounding."""
    rows, missed = np.full((7, 3), value, dtype), Missed()
    missed.add(rows, rows + (value / 2 or 1.0))
    assert_allclose(missed.relative_error, error, rtol=1e-6)


def test_batches_without_rows_say_nothing():
    missed = Missed()
    for rows in (np.ones((0, 2)), np.array([[1.0, 0.0], [-1.0, 0.0]]), np.ones((0, 2))):
        missed.add(rows, 1.5 * rows)
    assert_allclose(missed.relative_error, 0.5)
