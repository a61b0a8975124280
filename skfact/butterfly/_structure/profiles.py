"""What is known of the nodes of a matrix, in a few arrays: squared tails by place and rank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from skfact._kernels.chains import Places
from skfact.butterfly._structure.nodes import Node

ROUNDING = 1e-14  # share of the energy that squared tails are not told from


class Profiles:
    """Squared tails of rank 0, 1, .. at some places, of one matrix in one or more arrangements.

    Infinite where nothing is known. Places are ordered: those that may follow come before.
    `energy` is the squared norm of the matrix.
    """

    def __init__(
        self,
        places: Iterable[tuple[int, int]],
        shape: tuple[int, int],
        energy: float,
        count: int = 1,
    ) -> None:
        self.shape = shape
        self.names: list[tuple[int, int]] = sorted(places, key=lambda place: (place[0], -place[1]))
        self.index = {place: i for i, place in enumerate(self.names)}
        Q, P = np.array(self.names, dtype=np.int64).reshape(-1, 2).T.copy()
        self.lengths = np.minimum(shape[0] // Q, shape[1] // P) + 1
        starts = np.concatenate([[0], np.cumsum(self.lengths)])
        self.places = Places(Q, P, starts, np.array(shape, dtype=np.int64))
        self.squares = np.full((count, starts[-1]), np.inf)
        self.energy, self._starts = energy, starts.tolist()

    @classmethod
    def of(cls, tails: Mapping[tuple[int, int], np.ndarray], shape: tuple[int, int]) -> Profiles:
        """Tails of one arrangement."""
        energy = max((float(tail[0]) ** 2 for tail in tails.values()), default=0.0)
        profiles = cls(tails, shape, energy)
        for place, tail in tails.items():
            profiles.squares[0, profiles.at(profiles.index[place])] = tail**2
        return profiles

    def at(self, i: int) -> slice:
        """Where the squared tails of a place are."""
        return slice(self._starts[i], self._starts[i + 1])

    def node(self, i: int, rank: int) -> Node:
        """A place with a rank."""
        Q, P = self.names[i]
        return Node(Q, P, rank)

    def useful(self, squares: np.ndarray) -> np.ndarray:
        """The largest rank of use at each place (rows, p): fewer would leave something.

        Zero where nothing is known.
        """
        starts = self.places.starts
        enough = np.add.reduceat(squares > ROUNDING * self.energy, starts[:-1], axis=1)
        most = np.minimum(np.maximum(enough, 1), self.lengths - 2)
        most[np.isinf(squares[:, starts[:-1]])] = 0
        return most
