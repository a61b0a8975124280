"""Diagonal matrices between neighbouring factors, and other changes that products do not see."""

import numpy as np
from numpy.testing import assert_allclose

from skfact.deep_linear import (
    CirculantFactor,
    ToeplitzFactor,
    factor_distance,
    structure_identifiability,
)
from skfact.deep_linear._factor_sets.factor_set import factor_set
from skfact.deep_linear._stability._identifiability.diagonal_scalings import (
    closes,
    dead_entry,
    directions,
    inner_nodes,
    kept_diagonals,
    mixed,
    most_diagonals,
    n_diagonals,
    rescaled,
)
from skfact.deep_linear._stability._lifting.lifting_rank import jacobian
from skfact.deep_linear._stability._lifting.structure import as_structure
from skfact.supports import Chain, FixedMask
from tests.asserts import for_each
from tests.deep_linear._stability.structures import linear_factor, random_structure


def seeded():
    return np.random.RandomState(0)


@for_each("chain", [Chain.butterfly(8), Chain.low_rank(4, 5, 3), Chain.monarch(6, 8, rank=2)])
def test_diagonals_change_no_product(chain):
    structure = as_structure(chain)
    h = structure.draw(seeded())
    for gap in range(len(chain) - 1):
        diagonal = seeded().uniform(1, 2, structure.sets[gap].shape[1])
        g = rescaled(structure, h, gap, diagonal)
        assert_allclose(structure.product(g), structure.product(h), rtol=1e-13, atol=1e-15)
        assert factor_distance(h, g) > 0.1


@for_each("seed", range(30))
def test_directions_change_no_product(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    h = structure.draw(seeded())
    slope = jacobian(structure, h)
    for diagonal in (False, True):
        assert_allclose(slope @ directions(structure, h, diagonal), 0, atol=1e-8)
    scalars = directions(structure, h, diagonal=False)
    assert scalars.shape[1] == len(structure.sizes) - 1
    if structure.masks is not None and dead_entry(structure) is None:
        changes = directions(structure, h, diagonal=True)
        rank = np.linalg.matrix_rank(changes) if changes.size else 0
        assert n_diagonals(structure, seeded()) == rank


def sets(*factors):
    return [factor_set(f, f.shape) for f in factors]


def test_which_diagonals_stay_inside():
    full = FixedMask(np.ones((4, 4)))
    assert len(kept_diagonals(*sets(full, full))) == 4
    assert len(kept_diagonals(*sets(full, ToeplitzFactor(4, 3)))) == 1
    assert len(kept_diagonals(*sets(CirculantFactor(4), full))) == 1
    # each block of columns may have a multiple of its own
    blocks = CirculantFactor(2, blocks=(1, 2))
    assert len(kept_diagonals(*sets(blocks, full))) == 2
    assert len(kept_diagonals(*sets(blocks, ToeplitzFactor(4, 4)))) == 1


def test_nodes_on_paths_and_dead_entries():
    left, right = np.array([[1, 1, 0], [1, 0, 0]]), np.array([[1, 1], [0, 0], [1, 0]])
    structure = as_structure([left, right])
    assert [a.tolist() for a in inner_nodes(structure.masks)][1] == [True, False, False]
    assert dead_entry(structure) == (0, 1)  # row 0, column 1
    assert dead_entry(as_structure(Chain.butterfly(8))) is None


@for_each("chain", [Chain.low_rank(4, 5, 2), Chain.monarch(6, 8, rank=2)])
def test_units_with_nested_supports_mix(chain):
    structure = as_structure(chain)
    h = structure.draw(seeded())
    g = mixed(structure, h)
    assert_allclose(structure.product(g), structure.product(h), rtol=1e-12, atol=1e-14)
    # no diagonal matrix does that: within a column ratios stay
    ratios = [x[np.abs(x) > 0] for x in (g[0] / h[0],)]
    assert len(np.unique(np.round(ratios[0], 6))) > 2


def test_units_without_nested_supports_do_not():
    assert mixed(
        as_structure(Chain.butterfly(8)), as_structure(Chain.butterfly(8)).draw(seeded())
    ) is (None)


@for_each(
    "chain, wanted",
    [
        (Chain.butterfly(8), True),
        (Chain.butterfly(12), True),
        (Chain.deformable((2, 3, 2), (3, 2, 2)), True),
        (Chain.low_rank(4, 4, 2), False),
        (Chain.deformable((2, 3, 2), (3, 2, 2), (2, 1)), False),
    ],
)
def test_completion_splits_chains_of_rank_one(chain, wanted):
    assert closes(as_structure([p.mask() for p in chain])) is wanted


@for_each("seed", range(20))
def test_diagonals_that_keep_one_h_inside_are_counted_too(seed):
    structure = as_structure(random_structure(np.random.default_rng(seed)))
    most = most_diagonals(structure, seeded())
    assert n_diagonals(structure, seeded()) <= most
    # they change no product
    h = structure.draw(seeded())
    assert most <= sum(structure.sizes) - np.linalg.matrix_rank(jacobian(structure, h))


def test_diagonals_of_one_h():
    """U diag(h_1 + h_2 d) times a diagonal matrix: each h has a second one of its own."""
    random = np.random.default_rng(0)
    U, d = random.standard_normal((4, 4)), random.standard_normal(4)
    factors = [linear_factor(np.stack([U, U * d])), np.eye(4)]
    structure = as_structure(factors)
    assert n_diagonals(structure, seeded()) == 1 and most_diagonals(structure, seeded()) == 2
    assert structure_identifiability(factors, up_to="diagonals").verdict == "undecided"
    assert most_diagonals(as_structure([CirculantFactor(3)] * 2), seeded()) == 1
