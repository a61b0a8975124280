"""What PALM and training ask of a set of factors, for every kind of set."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skfact._backend import array_namespace, to_numpy
from skfact.deep_linear import CirculantFactor, StructuredFactor, ToeplitzFactor
from skfact.deep_linear._factor_sets.budget import BudgetSet
from skfact.deep_linear._factor_sets.cropped import CroppedSet, cropped
from skfact.deep_linear._factor_sets.factor_set import factor_set, is_support
from skfact.deep_linear._factor_sets.family import FamilySet
from skfact.deep_linear._factor_sets.kronecker import KroneckerSet, patterns_of
from skfact.deep_linear._factor_sets.mask import MaskSet
from skfact.deep_linear._factor_sets.resolve import resolve_factor_sets
from skfact.deep_linear._factor_sets.structured import StructuredSet
from skfact.deep_linear._solvers.palm import ConstantSet
from skfact.operators import FactorizedOperator
from skfact.supports import FixedMask, KroneckerSparse, KSparse, SupportFamily
from tests.arrays import DTYPES

RANDOM = np.random.default_rng(0)
STATE = RANDOM.bit_generator.state
SIZES = np.array([1.0, 10.0, 100.0])
SCALED = StructuredFactor(
    (3, 3),
    3,
    lambda h: np.diag(SIZES.astype(h.dtype) * h),
    lambda G: SIZES.astype(G.dtype) * np.diag(G),
)


def positive_parts(h):
    """The nearest non-negative numbers; of complex ones, the nearest real ones."""
    xp = array_namespace(h)
    real = xp.real(h) if xp.isdtype(h.dtype, "complex floating") else h
    return xp.astype(xp.where(real > 0, real, xp.zeros_like(real)), h.dtype)


PATTERN = KroneckerSparse(2, 2, 3, 2)
THICK = np.random.default_rng(1).random((7, 6)) < 0.6
THIN = np.random.default_rng(1).random((130, 140)) < 0.03  # large enough for CSR
KINDS = {
    "pattern": KroneckerSet(PATTERN),
    "cropped pattern": CroppedSet(KroneckerSet(PATTERN), (7, 9)),
    "thin mask": MaskSet(FixedMask(THIN)),
    "thick mask": MaskSet(FixedMask(THICK)),
    "full mask": MaskSet(FixedMask(np.ones((2, 3)))),
    "empty mask": MaskSet(FixedMask(np.zeros((2, 3)))),
    "cropped mask": CroppedSet(MaskSet(FixedMask(THICK)), (5, 6)),
    "budget": BudgetSet(KSparse(5), (4, 3)),
    "budget of rows": BudgetSet(KSparse(2, axis=1), (4, 3)),
    "budget of columns": BudgetSet(KSparse(2, axis=0), (4, 3)),
    "family": FamilySet(
        SupportFamily([np.eye(4), np.eye(4)[::-1], (2, 2, 2, 1), KSparse(3)]), (4, 4)
    ),
    "Toeplitz": StructuredSet(ToeplitzFactor(3, 4, blocks=(2, 1))),
    "circulant": StructuredSet(CirculantFactor(3, blocks=(1, 2))),
    "scaled diagonal": StructuredSet(SCALED),
    "non-negative circulant": StructuredSet(CirculantFactor(3, projection=positive_parts)),
    "transposed structure": StructuredSet(ToeplitzFactor(2, 5).T),
    "constant": ConstantSet(np.random.default_rng(2).standard_normal((3, 4))),
}


@pytest.fixture(autouse=True)
def same_numbers_in_any_order():
    RANDOM.bit_generator.state = STATE


def draw(shape, dtype):
    values = RANDOM.standard_normal(shape)
    if "complex" in dtype:
        values = values + 1j * RANDOM.standard_normal(shape)
    return values.astype(dtype)


def same(found, expected, dtype, scale=1e2):
    found = np.asarray(found)
    assert found.dtype == dtype and found.shape == np.shape(expected)
    size = float(np.max(np.abs(expected), initial=1))
    assert_allclose(found, expected, atol=scale * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_all_maps_are_those_of_the_matrix(kind, dtype):
    one = KINDS[kind]
    (m, n), v = one.shape, draw(one.values_shape, dtype)
    X, P, R, G = (draw(shape, dtype) for shape in ((n, 5), (m, 5), (n, 5), (m, n)))
    S = one.dense(v)
    assert S.shape == (m, n) and S.dtype == dtype
    same(one.times(v, X), S @ X, dtype)
    same(one.adjoint_times(v, P), S.conj().T @ P, dtype)
    same(one.correlate(P, R), one.restrict(P @ R.conj().T), dtype)
    same(np.vdot(S, G), np.vdot(v, one.restrict(G)), dtype, 1e4)
    same(FactorizedOperator(one.factors(v, v)).toarray(), S, dtype)
    assert_allclose(one.norm(v), np.linalg.norm(S), rtol=1e-5)
    assert_allclose(one.norm(one.unit(v)), 1.0 if S.any() else 0.0, rtol=1e-5)
    turned = one.transposed(v)
    assert turned.shape == one.T.values_shape and one.T.shape == (n, m)
    same(one.T.dense(turned), S.T, dtype)
    assert_array_equal(one.T.transposed(turned), v)
    if one.keeps_scaled_columns and not isinstance(one, CroppedSet):
        sizes = np.arange(1, n + 1).astype(S.real.dtype)
        same(one.dense(one.scale_columns(v, sizes)), S * sizes, dtype)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "constant"])
def test_projection_is_idempotent_and_nothing_in_the_set_is_nearer(kind):
    one, dtype = KINDS[kind], "complex128"
    M = draw(one.shape, dtype)
    best = one.project(one.coordinates(M))
    assert_allclose(one.project(best), best)
    distance = np.linalg.norm(M - one.dense(best))
    for step in (1e-4, 1e-2, 1.0, 10.0):
        for _ in range(10):
            other = one.project(best + step * draw(one.values_shape, dtype))
            assert np.linalg.norm(M - one.dense(other)) >= distance * (1 - 1e-12)
    if one.is_linear and not one.has_model:  # the normal equations, which are more
        assert_allclose(one.restrict(M - one.dense(best)), 0 * best, atol=1e-12)
    moved = best + draw(one.values_shape, dtype)
    for proposed in one.proposals(moved, best):
        assert_allclose(one.project(proposed), proposed)


def test_data_in_the_place_of_a_factor_do_not_move():
    one = KINDS["constant"]
    M = draw(one.shape, "float64")
    assert one.project(M) is one.matrix
    assert [id(values) for values in one.proposals(2 * M, M)] == [id(M)]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "constant"])
def test_every_library(kind, xp, device, asarray):
    one = StructuredSet(ToeplitzFactor(2, 3)) if kind == "scaled diagonal" else KINDS[kind]
    (m, n), v = one.shape, draw(one.values_shape, "float64")
    X, P, G = (draw(shape, "float64") for shape in ((n, 5), (m, 5), (m, n)))
    values, matrix = asarray(v), asarray(G)
    for found, expected in (
        (one.dense(values), one.dense(v)),
        (one.restrict(matrix), one.restrict(G)),
        (one.times(values, asarray(X)), one.times(v, X)),
        (one.adjoint_times(values, asarray(P)), one.adjoint_times(v, P)),
        (one.correlate(asarray(P), asarray(X)), one.correlate(P, X)),
        (one.transposed(values), one.transposed(v)),
        (one.coordinates(matrix), one.coordinates(G)),
        (one.project(values), one.project(v)),
        (one.identity(matrix), one.identity(G)),
    ):
        assert array_namespace(found) is xp and found.device == device
        assert_allclose(to_numpy(found), expected, atol=1e-12)


def test_only_large_masks_with_few_entries_are_multiplied_as_sparse_matrices():
    assert KINDS["thin mask"].sparse and not KINDS["thick mask"].sparse


def test_identity_within_a_set():
    like = np.empty(0, dtype="float32")
    for support in (
        KroneckerSparse(2, 2, 2, 1),
        FixedMask(np.tri(4)),
        KSparse(9),
        ToeplitzFactor(4, 4),
    ):
        one = factor_set(support, (4, 4))
        assert_array_equal(one.dense(one.identity(like)), np.eye(4, dtype="float32"))
    shift = MaskSet(FixedMask(np.eye(4, k=1) + np.eye(4, k=-3)))  # all rows can be matched
    assert_array_equal(shift.dense(shift.identity(like)), np.roll(np.eye(4), 1, axis=1))
    wide = MaskSet(FixedMask([[0, 1, 1], [0, 1, 0]]))
    assert_array_equal(wide.dense(wide.identity(like)), [[0, 0, 1], [0, 1, 0]])
    turn = StructuredFactor(
        (2, 2), 1, lambda h: h * np.array([[0, 1], [-1, 0]]), lambda G: G[:1, 1] - G[1:, 0]
    )
    assert_array_equal(StructuredSet(turn).identity(np.empty(0)), [1.0])


def test_products_are_cropped_at_their_ends():
    sets = [KroneckerSet(p) for p in (KroneckerSparse(1, 2, 2, 4), KroneckerSparse(2, 4, 4, 1))]
    values = [draw(one.values_shape, "float64") for one in sets]
    whole = sets[0].dense(values[0]) @ sets[1].dense(values[1])
    left, right = cropped(sets, (5, 7))
    assert_allclose(left.dense(values[0]) @ right.dense(values[1]), whole[:5, :7])
    (both,) = cropped(sets[:1], (5, 7))
    assert_allclose(both.dense(values[0]), sets[0].dense(values[0])[:5, :7])
    assert patterns_of(sets) == [one.pattern for one in sets]
    assert patterns_of([left, right]) is None


def test_kinds_of_supports_are_known_by_their_registration():
    supports = [KSparse(3), FixedMask(THICK), PATTERN, ToeplitzFactor(2, 3), SupportFamily([[[1]]])]
    assert all(is_support(support) for support in supports) and not is_support("butterfly")
    like = np.empty(0)
    sets = resolve_factor_sets([KSparse(3), THICK, KSparse(1)], (5, 3), like)
    assert [one.shape for one in sets] == [(5, 7), (7, 6), (6, 3)]
    with pytest.raises(TypeError, match="no kind of support"):
        factor_set("butterfly", (2, 2))


@pytest.mark.parametrize("dtype", ["float32", "complex128"])
@pytest.mark.parametrize("side", [140, 600])  # with vectors dense, and not
def test_budgets_multiply_by_few_entries_as_by_all(side, dtype):
    random = np.random.default_rng(0)
    one = factor_set(KSparse(2, axis=1), (side, side + 3))
    for share in (0.02, 0.5, 0.0):
        values = random.standard_normal(one.shape) * (random.random(one.shape) < share)
        values = (values * (1 + 2j) if dtype == "complex128" else values).astype(dtype)
        for columns in (1, 7):
            X = random.standard_normal((side + 3, columns)).astype(dtype)
            Y = random.standard_normal((side, columns)).astype(dtype)
            found = one.times(values, X), one.adjoint_times(values, Y)
            for array, expected in zip(found, (values @ X, values.conj().T @ Y)):
                assert_allclose(array, expected, atol=1e-4 if dtype == "float32" else 1e-12)
                assert array.dtype == dtype
