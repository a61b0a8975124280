"""Squared tails in a few arrays."""

import numpy as np

from skfact.butterfly._structure.profiles import Profiles


def test_places_are_ordered_and_their_tails_are_kept():
    tails = {
        (1, 1): np.array([2.0, 1.0, 1e-9, 0.0, 0.0]),
        (2, 1): np.array([2.0, 1.5, 0.0]),
        (1, 2): np.array([2.0, 1.2, 0.0]),
    }
    profiles = Profiles.of(tails, (4, 4))
    assert profiles.names == [(1, 2), (1, 1), (2, 1)] and profiles.energy == 4
    for place, tail in tails.items():
        own = profiles.squares[0, profiles.at(profiles.index[place])]
        np.testing.assert_array_equal(own, tail**2)
    follow = profiles.places.follow()
    assert follow.tolist() == [[False] * 3, [True, False, False], [True, True, False]]
    np.testing.assert_array_equal(profiles.useful(profiles.squares), [[1, 2, 1]])


def test_nothing_is_known_at_first():
    profiles = Profiles([(1, 1), (2, 3)], (4, 6), 1.0, 2)
    assert np.all(np.isinf(profiles.squares))
    np.testing.assert_array_equal(profiles.useful(profiles.squares), 0)
    assert Profiles.of({}, (7, 7)).names == []
