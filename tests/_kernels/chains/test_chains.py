"""Chains through a lattice: the compiled loops do what the arrays of the specification do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skfact._kernels._jit import compiled
from skfact._kernels.chains import best_pairs, cheapest, dispatch, fit_ranks, generic
from skfact.butterfly._structure.nodes import lattice
from skfact.butterfly._structure.profiles import Profiles
from tests.butterfly.chains import seeds

RANKS = np.array([1, 2, 3, 4, 6, 8])
needs_numba = pytest.mark.skipif(
    compiled("skfact._kernels.chains.numba") is None, reason="numba is missing or switched off"
)


def profiles_of(random, shape, count=3):
    """Tails that fall, nothing known of some."""
    found = Profiles(lattice(shape), shape, 1.0, count)
    for i in range(len(found.names)):
        own = found.squares[:, found.at(i)]
        own[:] = np.sort(random.random(own.shape), axis=1)[:, ::-1]
        own[:, 0], own[:, -1] = 1, 0
        if random.random() < 0.2:
            own[random.integers(count)] = np.inf
    return found


def states_of(profiles):
    """Ranks of all places."""
    kept = [RANKS[length - 1 > RANKS] for length in profiles.lengths]
    first = np.concatenate([[0], np.cumsum([len(ranks) for ranks in kept], dtype=int)])
    ranks = np.concatenate(kept)
    place = np.repeat(np.arange(len(kept)), np.diff(first))
    return first, ranks, profiles.squares[:, profiles.places.starts[place] + ranks]


@needs_numba
@given(st.sampled_from([(8, 8), (16, 12), (30, 4), (6, 2), (2, 9)]), seeds)
def test_compiled_loops_are_the_specification(shape, random):
    profiles = profiles_of(random, shape)
    places, squares = profiles.places, profiles.squares
    first, ranks, left = states_of(profiles)
    prices = np.geomspace(1e-4, 1, 12).reshape(3, 4)
    arguments = places, first, ranks, np.ascontiguousarray(left), prices
    ours, theirs = cheapest(*arguments), generic.cheapest(*arguments)
    np.testing.assert_array_equal(ours, theirs)
    most, budget = profiles.useful(squares), int(0.7 * shape[0] * shape[1])
    arguments = places, squares, most, RANKS, budget, 4
    for one, other in zip(best_pairs(*arguments), generic.best_pairs(*arguments), strict=True):
        np.testing.assert_array_equal(one, other)
    of = np.append(np.repeat(np.arange(len(first) - 1), np.diff(first)), -1)
    paths, which = of[ours].reshape(12, -1), np.repeat(np.arange(3), 4)
    starts = np.append(ranks, 1)[ours].reshape(12, -1)
    fitted = [starts.copy(), starts.copy()]
    for fit, own in zip((fit_ranks, generic.fit_ranks), fitted, strict=True):
        fit(places, squares, which, paths, own, np.array([budget, 1e-14]))
    np.testing.assert_array_equal(*fitted)


def test_without_numba(monkeypatch):
    profiles = profiles_of(np.random.default_rng(0), (8, 8))
    first, ranks, left = states_of(profiles)
    arguments = profiles.places, first, ranks, left, np.full((3, 1), 1e-2)
    expected = cheapest(*arguments)
    monkeypatch.setattr(dispatch, "compiled", lambda module: None)
    np.testing.assert_array_equal(cheapest(*arguments), expected)
