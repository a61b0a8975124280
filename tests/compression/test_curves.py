"""Error curves of a layer: what is promised is measured before it counts."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import block_diag, hadamard

from skfact.compression._curves import Curve, FamilyCurve, Layer
from skfact.operators import FactorizedOperator

RNG = np.random.default_rng(0)


def error2(A, B, root):
    image = (lambda M: M) if root is None else (lambda M: M @ root.T)
    return (np.linalg.norm(image(A - B)) / np.linalg.norm(image(A))) ** 2


def dense(operator):
    return operator if isinstance(operator, np.ndarray) else operator.toarray()


ROOTS = {"entries": None, "inputs": RNG.standard_normal((30, 24)) @ RNG.standard_normal((24, 24))}


@pytest.mark.parametrize("root", ROOTS.values(), ids=ROOTS)
@pytest.mark.parametrize("scale", [1.0, 1e-150, 1e150])
@pytest.mark.parametrize("kind", ["auto", "low-rank", "monarch"])
def test_errors_and_numbers_are_those_of_the_operators(root, scale, kind):
    A = RNG.standard_normal((20, 24))
    layer = Layer.of(scale * A, root)
    curve = Curve(layer) if kind == "auto" else FamilyCurve(layer, kind)
    for _ in range(20):
        promised = [option for option in curve.options() if not option.known]
        for option in promised[:1]:
            curve.settle(option)
    options = curve.options()
    assert all(option.known for option in options) and len(options) > 2
    assert options[-1].is_dense and options[-1].numbers == 480 and options[-1].error2 == 0
    for option in options:
        operator = layer.operator(option.structure)
        assert_allclose(error2(A, dense(operator) / scale, root), option.error2, atol=1e-12)
        stored = operator.size if option.is_dense else operator.nnz
        assert stored == option.numbers


def test_low_rank_on_inputs_is_the_closest():
    A, root = RNG.standard_normal((12, 10)), RNG.standard_normal((40, 10))
    curve = Curve(Layer.of(A, root))
    sizes = np.linalg.svd(A @ root.T, compute_uv=False)
    for option in curve.low_rank():
        rank = option.numbers // 22
        least = np.sum(sizes[rank:] ** 2) / np.sum(sizes**2)
        assert_allclose(option.error2, least, atol=1e-14)
        assert curve.low_rank_error2(option.numbers + 3) == option.error2


@pytest.mark.parametrize("root", [None, RNG.standard_normal((64, 64))], ids=["entries", "inputs"])
@pytest.mark.parametrize(
    "A, words",
    [
        (hadamard(64).astype(float), "factors"),
        (block_diag(*RNG.standard_normal((8, 8, 8))), "factors"),
        (np.outer(RNG.standard_normal(64), RNG.standard_normal(64)), "rank 1"),
    ],
    ids=["hadamard", "blocks", "rank one"],
)
def test_structure_is_found(A, words, root):
    curve = Curve(Layer.of(A, root))
    for _ in range(20):
        exact = [option for option in curve.options() if option.error2 < 1e-12]
        if all(option.known for option in exact):
            break
        curve.settle(next(option for option in exact if not option.known))
    smallest = min(exact, key=lambda option: option.numbers)
    assert words in smallest.words and smallest.numbers <= 64 * 64 / 3


def test_a_promise_that_is_not_kept_corrects_the_others():
    rows = RNG.standard_normal((200, 4)) @ RNG.standard_normal((4, 64))
    curve = Curve(Layer.of(RNG.standard_normal((64, 64)), rows))
    before = [option for option in curve.options() if not option.known]
    if before:
        curve.settle(before[0])
        after = {option.structure: option.error2 for option in curve.options()}
        for option in before[1:]:
            assert after.get(option.structure, math.inf) >= option.error2


def test_small_layers():
    for shape in [(1, 1), (1, 7), (7, 1), (2, 2)]:
        curve = Curve(Layer.of(RNG.standard_normal(shape), None))
        assert curve.options()[-1].is_dense
        assert all(option.numbers < math.prod(shape) for option in curve.options()[:-1])


def test_zeros_are_rank_one():
    curve = Curve(Layer.of(np.zeros((6, 6)), np.eye(6)))
    assert curve.options()[0].error2 == 0
    operator = curve.layer.operator(curve.options()[0].structure)
    assert isinstance(operator, FactorizedOperator) and not operator.toarray().any()
