"""The energy of rows in a row space: its value, gradient, invariances, and what is missing."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from skfact.butterfly._subspace import energy as module
from skfact.butterfly._subspace.energy import Energy
from tests.arrays import gaussian
from tests.asserts import for_each

KINDS = [(5, 9, "float64"), (40, 9, "float64"), (5, 9, "complex128"), (40, 9, "complex128")]


def projected(rows, B):
    """Energy that a projection on the row space keeps, by least squares."""
    codes, *_ = np.linalg.lstsq(B.T, rows.T, rcond=None)
    return np.sum(np.abs(codes.T @ B) ** 2)


@pytest.fixture(params=[2048, 0], ids=["S", "rows"])
def either_way(request, monkeypatch):
    """With the products of all pairs of features, and without."""
    monkeypatch.setattr(module, "FEW_FEATURES", request.param)


@pytest.mark.usefixtures("either_way")
@for_each("n_rows, n, dtype", KINDS)
def test_value_is_that_of_the_projection(n_rows, n, dtype):
    random = np.random.default_rng(0)
    rows, B = gaussian(random, (n_rows, n), dtype), gaussian(random, (3, n), dtype)
    energy = Energy(rows)
    total, kept = np.sum(np.abs(rows) ** 2), projected(rows, B)
    assert_allclose(energy.norm**2, total)
    assert_allclose(energy.look(B).share, kept / total, rtol=1e-10)
    assert_allclose(energy.outside(B) ** 2, total - kept, rtol=1e-10)
    # of orthonormal rows the objective loses as much everywhere
    basis = np.linalg.qr(B.T)[0].T
    assert_allclose(energy.look(basis).value * (1 + module.RIDGE), kept / total, rtol=1e-10)
    # any basis of the row space
    mixed = gaussian(random, (3, 3), dtype) @ B
    assert_allclose(energy.look(mixed).share, kept / total, rtol=1e-8)
    assert_allclose(energy.outside(np.vstack([mixed, B])) ** 2, total - kept, rtol=1e-10)


@pytest.mark.usefixtures("either_way")
@for_each("n_rows, n, dtype", KINDS)
def test_gradient_is_that_of_differences(n_rows, n, dtype):
    random = np.random.default_rng(1)
    energy = Energy(gaussian(random, (n_rows, n), dtype))
    B, step = gaussian(random, (3, n), dtype), 1e-6 * gaussian(random, (3, n), dtype)
    above, below = (energy.look(x).value for x in (B + step, B - step))
    expected = np.sum(np.conj(energy.look(B).gradient) * step).real
    assert_allclose((above - below) / 2, expected, rtol=1e-6)


def test_a_span_of_dependent_rows_has_a_gradient():
    random = np.random.default_rng(2)
    energy, B = Energy(gaussian(random, (6, 8))), gaussian(random, (2, 8))
    look = energy.look(np.vstack([B, B[:1]]))
    assert_allclose(look.share, energy.look(B).share, rtol=1e-8)
    assert np.abs(look.gradient).max() < 10


@for_each("exponent", [-1000, -500, 0, 500, 1000])
def test_every_scale(exponent):
    rows, B = gaussian(np.random.default_rng(3), (6, 8)), np.eye(2, 8)
    energy, plain = Energy(np.ldexp(rows, exponent)), Energy(rows)
    assert_allclose(np.ldexp(energy.outside(B), energy.exponent - exponent), plain.outside(B))
    assert_allclose(energy.look(B).share, plain.look(B).share)


class TestBesideTheBest:
    @pytest.mark.usefixtures("either_way")
    def test_difference_of_the_energies(self):
        random = np.random.default_rng(4)
        rows, B = gaussian(random, (12, 9)), gaussian(random, (3, 9))
        energy = Energy(rows)
        for V in (np.linalg.svd(rows)[2][:3], np.linalg.qr(gaussian(random, (9, 3)))[0].T):
            less = energy.beside(V, B)
            expected = projected(rows, V) - projected(rows, B)
            assert_allclose(less.missed**2, max(expected, 0), rtol=1e-10, atol=1e-12)
            assert_allclose(less.size**2, projected(rows, V))

    def test_nothing_is_missing_where_the_spans_are_one(self):
        rows = gaussian(np.random.default_rng(5), (12, 9))
        V = np.linalg.svd(rows)[2][:3]
        less = Energy(rows).beside(V, gaussian(np.random.default_rng(6), (3, 3)) @ V)
        assert less.missed < 1e-12 and less.leak < 1e-6

    def test_bound(self):
        """From the distance of B to V, also where V are no singular vectors."""
        random = np.random.default_rng(7)
        for _ in range(20):
            rows = gaussian(random, (12, 9)) @ np.diag(np.geomspace(1, 1e-2, 9))
            nearly = np.linalg.svd(rows)[2][:3] + 0.1 * random.random() * gaussian(random, (3, 9))
            V = np.linalg.qr(nearly.T)[0].T
            B = V + 0.2 * random.random() * gaussian(random, (3, 9))
            less, distance = Energy(rows).beside(V, B), np.linalg.norm(V - B)
            bound = np.hypot(less.largest * distance, less.leak * np.sqrt(2 * distance))
            assert less.missed <= bound


def test_single_precision_rows_in_parts(monkeypatch):
    random = np.random.default_rng(8)
    rows, B = gaussian(random, (50, 6)).astype(np.float32), gaussian(random, (2, 6))
    whole = Energy(rows)
    monkeypatch.setattr(module, "PART", 7)
    parts = Energy(rows)
    assert_allclose(parts.norm, whole.norm, rtol=1e-12)
    assert_allclose(parts.outside(B), whole.outside(B), rtol=1e-12)
    exact = projected(rows.astype(float), B) / whole.norm**2
    assert_allclose(parts.look(B).share, exact, rtol=1e-10)


def test_other_libraries(asarray):
    random = np.random.default_rng(9)
    rows, B = gaussian(random, (12, 9)), gaussian(random, (3, 9))
    energy, plain = Energy(asarray(rows)), Energy(rows)
    assert_allclose(energy.outside(asarray(B)), plain.outside(B))
    assert_allclose(energy.look(asarray(B)).share, plain.look(B).share)
    V = np.linalg.qr(gaussian(random, (9, 3)))[0].T
    assert_allclose(energy.beside(asarray(V), asarray(B)), plain.beside(V, B))
