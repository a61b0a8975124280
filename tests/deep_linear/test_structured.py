"""Structured factors: projections by an independent method, what they print."""

import numpy as np
import pytest
import scipy.linalg
from numpy.testing import assert_allclose

from skfact._backend import array_namespace, device
from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor, palm4msa
from tests.asserts import assert_like, on_any_matrix

RANDOM = np.random.default_rng(0)
SIZES = np.array([1.0, 10.0, 100.0])


@pytest.mark.parametrize(
    "structure",
    [
        ToeplitzFactor(3, 4, blocks=(2, 1)),
        CirculantFactor(3, blocks=(1, 2)),
        StructuredFactor((3, 3), 3, lambda h: np.diag(SIZES * h), lambda G: SIZES * np.diag(G)),
        ToeplitzFactor(2, 5).T,
    ],
)
def test_projection_on_a_structure_is_least_squares(structure):
    G = RANDOM.standard_normal(structure.shape) + 1j * RANDOM.standard_normal(structure.shape)
    columns = [structure.matrix(h).ravel() for h in np.eye(structure.n_parameters)]
    basis = np.stack(columns, axis=1)
    expected = basis @ np.linalg.lstsq(basis, G.ravel(), rcond=None)[0]
    assert_allclose(structure.project(G), expected.reshape(structure.shape), atol=1e-12)


def test_matrices_are_those_of_scipy(asarray):
    h = RANDOM.standard_normal(6)
    given = asarray(h)
    circulant, toeplitz = scipy.linalg.circulant(h), scipy.linalg.toeplitz(h[2::-1], h[2:])
    assert_like(CirculantFactor(6).matrix(given), given, circulant)
    assert_like(ToeplitzFactor(3, 4).matrix(given), given, toeplitz)
    sums = [np.sum(circulant * CirculantFactor(6).matrix(e)) for e in np.eye(6)]
    assert_like(CirculantFactor(6).adjoint(asarray(circulant)), given, sums, rtol=1e-12)


def real_diagonal(x):
    """A vector on the diagonal, or the diagonal of a matrix, of real arrays only."""
    xp = array_namespace(x)
    assert xp.isdtype(x.dtype, "real floating")
    eye = xp.eye(3, dtype=x.dtype, device=device(x))
    return eye * x[None, :] if x.ndim == 1 else xp.sum(eye * x, axis=0)


@on_any_matrix
def test_maps_of_real_arrays_factor_complex_matrices(asarray):
    diagonal = StructuredFactor((3, 3), 3, real_diagonal, real_diagonal)
    A = np.diag(RANDOM.standard_normal(3) + 1j * RANDOM.standard_normal(3))
    for structure in (diagonal, CirculantFactor(3)):
        found = palm4msa(asarray(A), [structure]).toarray()
        expected = A if structure is diagonal else np.eye(3) * np.mean(np.diag(A))
        assert_like(found, asarray(A), expected, atol=1e-12)


def test_structures_print_what_makes_them():
    for factor in (ToeplitzFactor(2, 3), ToeplitzFactor(2, 3, blocks=(1, 2)), CirculantFactor(4)):
        again = eval(repr(factor))
        assert again.shape == factor.shape and again.n_parameters == factor.n_parameters
