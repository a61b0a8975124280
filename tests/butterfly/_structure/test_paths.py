"""Shortest paths against all paths."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact.butterfly._factorize import factorize
from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, chain_through, lattice
from skfact.butterfly._structure.paths import (
    best_of,
    best_paths,
    candidates,
    cheapest_paths,
    numbers_of,
)
from skfact.butterfly._structure.profiles import Profiles
from skfact.butterfly._structure.tails import Tails
from tests.arrays import gaussian
from tests.butterfly.chains import seeds


def all_paths(places):
    """All ways to go on and on to smaller Q and larger P, one node at least."""

    def onwards(place):
        yield [place]
        for other in places:
            if other != place and place[0] % other[0] == 0 and other[1] % place[1] == 0:
                yield from ([place, *rest] for rest in onwards(other))

    for place in places:
        yield from onwards(place)


def all_chains(tails):
    for places in all_paths(list(tails)):
        ranks = (range(1, len(tails[place]) - 1) for place in places)
        for chosen in product(*ranks):
            nodes = [Node(*place, r) for place, r in zip(places, chosen)]
            yield nodes, sum(tails[place][r] ** 2 for place, r in zip(places, chosen))


def tails_of(A, name=None):
    tails = Tails(A)
    return {place: tails.exact(Node(*place, 1), ARRANGEMENTS[name]) for place in lattice(A.shape)}


@given(st.sampled_from([(8, 8), (6, 8), (12, 4), (9, 6)]), seeds)
def test_the_cheapest_path_is_that_of_a_search_through_all(shape, random):
    tails = tails_of(gaussian(random, shape))
    chains = [(nodes, numbers_of(nodes, shape), error2) for nodes, error2 in all_chains(tails)]
    squares = {
        place: (np.arange(1, len(tail) - 1), tail[1:-1] ** 2) for place, tail in tails.items()
    }
    squares = {place: some for place, some in squares.items() if len(some[0])}
    prices = np.geomspace(1e-3, 1e2, 8) * tails[1, 1][0] ** 2 / np.prod(shape)
    for price, path in zip(prices, cheapest_paths(squares, shape, prices), strict=True):
        least = min(error2 + price * numbers for _, numbers, error2 in chains)
        assert path.error2 + price * path.numbers == pytest.approx(least, rel=1e-12)
        assert path.numbers == numbers_of(path.nodes, shape)
    for budget in (np.prod(shape) * np.array([0.4, 0.6, 0.8])).astype(int):
        within = [error2 for _, numbers, error2 in chains if numbers <= budget]
        best = next(iter(best_paths(Profiles.of(tails, shape), int(budget))), None)
        assert (best is None) == (not within)
        if best is not None:
            assert best.numbers <= budget
            assert min(within) - 1e-12 <= best.error2 <= 1.2 * min(within) + 1e-9


@given(st.sampled_from([(8, 8), (12, 4), (9, 6)]), seeds)
def test_the_best_of_three_factors(shape, random):
    tails = tails_of(gaussian(random, shape))
    chains = [chain for chain in all_chains(tails) if len(chain[0]) == 2]
    for budget in (np.prod(shape) * np.array([0.5, 0.7, 0.9])).astype(int):
        within = [error2 for nodes, error2 in chains if numbers_of(nodes, shape) <= budget]
        found = best_paths(Profiles.of(tails, shape), int(budget), 1000)
        assert all(path.numbers <= budget for path in found)
        best = min((path.error2 for path in found if len(path.nodes) == 2), default=np.inf)
        assert best == pytest.approx(min(within, default=np.inf), rel=1e-12)


@pytest.mark.parametrize("name, A", [("columns", np.fft.fft(np.eye(64))), (None, np.eye(64))])
def test_an_exact_chain_is_found(name, A):
    (best,) = best_paths(Profiles.of(tails_of(A, name), (64, 64)), 768)
    found = factorize(A, chain_through(best.nodes, A.shape), permutation=name)
    assert found.relative_error < 1e-14 and found.unit.nnz == best.numbers <= 768


def test_no_chain_is_so_cheap():
    tails = tails_of(gaussian(np.random.default_rng(0), (8, 8)))
    assert best_paths(Profiles.of(tails, (8, 8)), 10) == []
    assert best_paths(Profiles.of({}, (7, 7)), 10) == []


def test_paths_of_several_arrangements_are_those_of_each():
    A, budget = gaussian(np.random.default_rng(0), (12, 16)), 120
    each = [Profiles.of(tails_of(A, name), A.shape) for name in ARRANGEMENTS]
    both = Profiles(each[0].names, A.shape, each[0].energy, len(each))
    both.squares[:] = np.concatenate([one.squares for one in each])
    found = best_of(both, candidates(both, range(len(each)), budget), 1)
    (row, best), alone = found[0], [best_paths(one, budget)[0] for one in each]
    assert best.error2 == pytest.approx(min(path.error2 for path in alone))
    assert alone[row] == best
    for path in alone:
        assert path.numbers == numbers_of(path.nodes, A.shape) <= budget


def test_the_budget_is_filled_with_ranks():
    A = gaussian(np.random.default_rng(0), (64, 64))
    for budget in (1000, 1500, 2500):
        (best,) = best_paths(Profiles.of(tails_of(A), A.shape), budget)
        assert budget - 200 < best.numbers <= budget
        found = factorize(A, chain_through(best.nodes, A.shape), order="left-to-right")
        assert found.error <= best.error2**0.5 * (1 + 1e-9)
