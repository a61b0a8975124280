"""What a layer misses with how many numbers: one search, and factorizations where they decide.

Low rank is known for all ranks at once. Of other structures a search tells what they promise; what
is chosen for its promise is factored, and from then on what it was found to miss counts, and
corrects what others promise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from skfact._checks import unknown_name
from skfact._exponents import binary_exponent, times_power_of_two
from skfact.butterfly._factorize import Factorization, factor_plan, factorize, rescaled
from skfact.butterfly._output import (
    Inputs,
    OutputSearch,
    both_ways,
    closest,
)
from skfact.butterfly._plans import fixed_plan
from skfact.butterfly._rank_search import largest_rank
from skfact.butterfly._report.report import described
from skfact.butterfly._structure.choice import dense
from skfact.butterfly._structure.nodes import nodes_of
from skfact.butterfly._structure.search import Structure, StructureSearch
from skfact.butterfly._sum import family_of_sum
from skfact.compression._moments import WIDE
from skfact.operators import FactorizedOperator
from skfact.supports import FAMILIES, Chain, resolve_supports

POINTS = 12  # budgets, or ranks of a family, that are looked at
RANKS = 96  # ranks of low rank that are told apart
NOTHING = 1e-14  # squared error that is promised where none is
LITTLE = 1e-12  # energy beside that of inputs, which leaves these as they are
ROUNDING = 1e-7  # sizes of outputs, relative to the largest, that none has


class Option(NamedTuple):
    """One way to store a layer."""

    numbers: int
    error2: float  # squared, relative to the outputs
    structure: Structure
    known: bool = True  # factored, or low rank; otherwise the error is a promise

    @property
    def words(self) -> str:
        """What it is."""
        return described(self.structure.chain, self.structure.permutation)

    @property
    def is_dense(self) -> bool:
        """Whether it is the matrix itself."""
        return is_dense(self.structure)


class Layer:
    """A matrix (n_out, n_in) over a power of two, and the inputs on which its errors count.

    Of few inputs it is not known which directions of the outputs matter: those of low rank are
    looked for as if there were `few` times their mean energy more in each direction. Errors are
    those on the inputs.
    """

    def __init__(
        self,
        A: np.ndarray,
        exponent: int,
        inputs: Inputs | None,
        few: float = 0.0,
        n_rows: float = math.inf,
    ) -> None:
        self.A, self.exponent, self.inputs = A, exponent, inputs
        self.few, self.n_rows = few, n_rows

    @classmethod
    def of(
        cls,
        A: np.ndarray,
        root: np.ndarray | None,
        few: float = 0.0,
        n_rows: float = math.inf,
    ) -> Layer:
        """From the matrix and a root of the second moments of its inputs, which are of so many."""
        exponent = binary_exponent(A)
        A = times_power_of_two(A, -exponent)
        return cls(A, exponent, None if root is None else Inputs(root, A), few, n_rows)

    def factored(self, structure: Structure) -> Factorization:
        """The matrix in this structure."""
        plan = fixed_plan(structure.chain, structure.permutation)
        if self.inputs is None:
            return factor_plan(self.A, plan, structure.chain)
        return closest(
            list(both_ways(self.A, self.inputs, plan, structure.chain, factor_plan)),
        )

    def operator(self, structure: Structure) -> Any:
        """The operator that stands for the matrix; itself where it is dense."""
        if is_dense(structure):
            return times_power_of_two(self.A, self.exponent)
        if is_low_rank(structure) and self.inputs is not None:
            left = np.ascontiguousarray(self._leading(structure.chain.ranks[0]))
            unit: Any = FactorizedOperator([left, left.T @ self.A])
        else:
            unit = self.factored(structure).unit
        return rescaled(unit, self.exponent)

    @cached_property
    def low_rank_errors2(self) -> np.ndarray:
        """Squared relative errors of rank 0, 1, .., to the smaller side of the matrix."""
        if self.inputs is None:
            return _tails(np.linalg.svdvals(self.A).astype(float) ** 2)
        image = self.inputs.image(self.A)
        errors2 = _tails(_energies(self._steered, image))
        if self._plain is not None:
            basis, there = self._plain
            errors2[there:] = _tails(_energies(basis, image))[there:]
        return errors2

    def _leading(self, rank: int) -> np.ndarray:
        """Directions (n_out, rank) that the outputs are projected on."""
        if self._plain is not None and rank >= self._plain[1]:
            return self._plain[0][:, :rank]
        return self._steered[:, :rank]

    @cached_property
    def _steered(self) -> np.ndarray:
        """Leading directions of the outputs for inputs with more energy in each direction."""
        assert self.inputs is not None
        root, n = self.inputs.root, self.A.shape[1]
        more = max(self.few, LITTLE) * float(np.vdot(root, root)) / n or 1.0
        both = np.hstack([self.inputs.image(self.A), math.sqrt(more) * self.A])
        basis: np.ndarray = np.linalg.svd(both, full_matrices=False)[0]
        return basis[:, : min(self.A.shape)]

    @cached_property
    def _plain(self) -> tuple[np.ndarray, int] | None:
        """Leading directions, all that outputs have first, and how many these are.

        Where there are fewer than rows could show; None elsewhere.
        """
        assert self.inputs is not None
        m, n = self.A.shape
        if len(self.inputs.root) >= n:
            return None
        basis, sizes, _ = np.linalg.svd(self.inputs.image(self.A), full_matrices=False)
        eps = float(np.finfo(self.A.dtype).eps)
        there = int(np.sum(sizes > max(10 * eps * math.sqrt(max(m, n)), ROUNDING) * sizes[0]))
        if there >= min(m, n, self.n_rows - 1):
            return None
        basis = np.hstack([basis[:, :there], self._steered])
        whole: np.ndarray = np.linalg.qr(basis)[0][:, : min(m, n)]
        return whole, there


def _energies(basis: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Squared norms of the parts of outputs in the directions of a basis."""
    parts = (basis.T @ image).astype(np.float64)
    energies: np.ndarray = np.sum(parts**2, axis=1)
    return energies


def _tails(energies: np.ndarray) -> np.ndarray:
    """What is left, as a share, without the first 0, 1, .. energies."""
    tails = np.append(np.cumsum(energies[::-1])[::-1], 0.0)
    shares: np.ndarray = tails / (tails[0] or 1.0)
    return shares


class Curve:
    """The options of a layer: those of supports="auto"."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.shape = layer, layer.A.shape
        self.size = math.prod(self.shape)
        self._ratio = 1.0  # of an error to what was promised
        self._found: dict[int, Option | None] = {}  # by budget; None where low rank is closer

    def low_rank_error2(self, numbers: int) -> float:
        """What low rank misses with at most so many numbers; nothing where these are all."""
        if numbers >= self.size:
            return 0.0
        errors2 = self.layer.low_rank_errors2
        return float(errors2[min(numbers // sum(self.shape), len(errors2) - 1)])

    def options(self) -> list[Option]:
        """All that is known or promised, the dense matrix last."""
        promised = [self._at(budget) for budget in self._budgets]
        others = [option for option in promised if option is not None]
        return [*self.low_rank(), *others, self.dense]

    def settle(self, option: Option) -> None:
        """Factor what was only promised."""
        budget = next(b for b in self._budgets if self._at(b) == option)
        structures = [option.structure]
        if self.layer.inputs is not None:  # what the entries are like may say more
            structures += [
                other
                for other in self._plain.best(budget, 1)
                if not is_low_rank(other) and other.chain[-1].c <= self._widest
            ]
        found = [(self.layer.factored(structure), structure) for structure in structures]
        result, structure = min(found, key=lambda pair: pair[0].relative_error)
        promise = max(self._promises[budget].estimate ** 2, NOTHING)
        self._ratio = max(self._ratio, found[0][0].relative_error ** 2 / promise)
        numbers = result.numbers
        closer = result.relative_error**2 < self.low_rank_error2(numbers)
        self._found[budget] = (
            Option(numbers, result.relative_error**2, structure) if closer else None
        )

    @property
    def dense(self) -> Option:
        """The matrix itself."""
        return Option(self.size, 0.0, dense(*self.shape))

    def low_rank(self) -> list[Option]:
        """Ranks with fewer numbers than the matrix."""
        m, n = self.shape
        most = min((self.size - 1) // (m + n), min(m, n))
        ranks = np.unique(np.geomspace(1, max(most, 1), RANKS).astype(int))
        errors2 = self.layer.low_rank_errors2
        return [
            Option(
                int(r) * (m + n),
                float(errors2[r]),
                Structure(None, Chain.low_rank(m, n, int(r)), math.sqrt(errors2[r])),
            )
            for r in ranks
            if r <= most
        ]

    def _at(self, budget: int) -> Option | None:
        """What is best beside low rank in a budget, known or promised."""
        if budget in self._found:
            return self._found[budget]
        structure = self._promises.get(budget)
        if structure is None:
            return None
        error2 = self._ratio * structure.estimate**2
        if error2 >= self.low_rank_error2(structure.chain.nnz):
            return None
        return Option(structure.chain.nnz, error2, structure, known=False)

    @cached_property
    def _budgets(self) -> list[int]:
        least, most = sum(self.shape), 0.9 * self.size
        return sorted({int(n) for n in np.geomspace(least, max(least, most), POINTS)})

    @property
    def _widest(self) -> int:
        """Columns of a block, products of which are no more for all blocks than can be kept."""
        return WIDE**2 // self.shape[1]

    @cached_property
    def _promises(self) -> dict[int, Structure]:
        """The most promising structure of each budget that is not low rank."""
        search: Any = self._plain
        if self.layer.inputs is not None:
            search = OutputSearch(self.layer.A, self.layer.inputs, few=True, widest=self._widest)
        found = {}
        for budget in self._budgets:
            others = [some for some in search.best(budget, 2) if not is_low_rank(some)]
            others += self._at_worst(budget)
            if others and (best := min(others, key=_estimate)).chain.nnz < self.size:
                found[budget] = best
        return found

    def _at_worst(self, budget: int) -> list[Structure]:
        """What the entries alone promise, for inputs on which that counts most.

        Nothing is missed of what is exact, whatever the inputs.
        """
        inputs = self.layer.inputs
        if inputs is None or not (image := inputs.norm(self.layer.A)):
            return []
        growth = inputs.largest * float(np.linalg.norm(self.layer.A)) / image
        return [
            some._replace(estimate=growth * some.estimate)
            for some in self._plain.best(budget, 2)
            if not is_low_rank(some) and some.chain[-1].c <= self._widest
        ]

    @cached_property
    def _plain(self) -> StructureSearch:
        return StructureSearch(self.layer.A, self.size - 1)


class FamilyCurve(Curve):
    """The options of a family of supports, by name or as a callable: all of them factored."""

    def __init__(self, layer: Layer, supports: str | Callable[[int, int], Chain]) -> None:
        super().__init__(layer)
        self.supports = supports

    def options(self) -> list[Option]:
        """All of them, the dense matrix last."""
        low_rank = isinstance(self.supports, str) and self.supports == "low-rank"
        return [*(self.low_rank() if low_rank else self._members), self.dense]

    @cached_property
    def _members(self) -> list[Option]:
        found: dict[int, Option] = {}
        for rank in self._ranks:
            result = factorize(self.layer.A, self.supports, rank=rank, inputs=self._samples)
            if result.numbers < self.size:
                structure = Structure(
                    result.plan.permutation, result.chain, float(result.relative_error)
                )
                found[result.numbers] = Option(result.numbers, result.relative_error**2, structure)
        return list(found.values())

    @property
    def _samples(self) -> Any:
        """Inputs with the second moments of those that count."""
        if self.layer.inputs is None:
            return None
        root = self.layer.inputs.root
        return root * math.sqrt(len(root))

    @property
    def _ranks(self) -> list[int | None]:
        """Ranks with fewer numbers than the matrix."""
        if not isinstance(self.supports, str):
            return [None]
        if resolve_supports(self.supports, *self.shape, rank=1).nnz >= self.size:
            return []
        most = largest_rank(self.supports, self.shape, self.size - 1)
        return [int(rank) for rank in np.unique(np.geomspace(1, most, POINTS).astype(int))]


def _estimate(structure: Structure) -> float:
    return structure.estimate


def is_low_rank(structure: Structure) -> bool:
    """Whether it is two factors, both of them dense."""
    return len(structure.chain) == 2 and nodes_of(structure.chain)[0][:2] == (1, 1)


def is_dense(structure: Structure) -> bool:
    """Whether it is the matrix itself."""
    return len(structure.chain) == 1


def check_supports(supports: Any) -> Any:
    """The family of supports by name, or a callable; raise unless layers of any shape have one."""
    if isinstance(supports, Chain) or not (isinstance(supports, str) or callable(supports)):
        raise TypeError(
            "supports must be 'auto', the name of a family or a callable (n_out, n_in) -> Chain, "
            f"since layers have different shapes; got {supports!r:.80}."
        )
    if isinstance(supports, str) and supports != "auto":
        if family_of_sum(supports) is not None:
            raise ValueError(
                f"supports={supports!r} is not fitted to inputs: pass the family without its "
                "entries, or 'auto'."
            )
        if supports not in FAMILIES:
            raise unknown_name("supports", supports, ["auto", *FAMILIES])
    return supports
