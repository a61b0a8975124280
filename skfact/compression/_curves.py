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
    column_groups,
    leading_outputs,
    weighted,
)
from skfact.butterfly._plans import fixed_plan
from skfact.butterfly._rank_search import largest_rank
from skfact.butterfly._report.report import described
from skfact.butterfly._structure.choice import dense
from skfact.butterfly._structure.nodes import nodes_of
from skfact.butterfly._structure.search import Structure, StructureSearch
from skfact.butterfly._sum import family_of_sum
from skfact.operators import FactorizedOperator
from skfact.supports import FAMILIES, Chain, resolve_supports

POINTS = 12  # budgets, or ranks of a family, that are looked at
RANKS = 96  # ranks of low rank that are told apart
NOTHING = 1e-14  # squared error that is promised where none is


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


class Layer(NamedTuple):
    """A matrix (n_out, n_in) over a power of two, and the inputs on which its errors count."""

    A: np.ndarray
    exponent: int
    inputs: Inputs | None

    @classmethod
    def of(cls, A: np.ndarray, root: np.ndarray | None) -> Layer:
        """From the matrix and a root of the second moments of its inputs."""
        exponent = binary_exponent(A)
        A = times_power_of_two(A, -exponent)
        return cls(A, exponent, None if root is None else Inputs(root, A))

    def outputs(self, B: np.ndarray) -> np.ndarray:
        """The outputs of a matrix for the inputs; without these the matrix."""
        image: np.ndarray = B if self.inputs is None else self.inputs.image(B)
        return image

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
            left = self._leading(self.inputs, structure)
            unit: Any = FactorizedOperator([left, left.T @ self.A])
        else:
            unit = self.factored(structure).unit
        return rescaled(unit, self.exponent)

    def _leading(self, inputs: Inputs, structure: Structure) -> np.ndarray:
        """Leading directions (n_out, rank) of the outputs: no operator of this rank is closer."""
        groups = column_groups(self.A, structure.chain, None)
        A_weighted = weighted(self.A, groups, inputs.block_roots(groups))
        basis = leading_outputs(self.A, inputs, A_weighted, structure.chain.ranks[0])
        return np.ascontiguousarray(basis)


class Curve:
    """The options of a layer: those of supports="auto"."""

    def __init__(self, layer: Layer) -> None:
        self.layer, self.shape = layer, layer.A.shape
        self.size = math.prod(self.shape)
        self._ratio = 1.0  # of an error to what was promised
        self._found: dict[int, Option | None] = {}  # by budget; None where low rank is closer

    @cached_property
    def low_rank_errors2(self) -> np.ndarray:
        """Squared relative errors of rank 0, 1, .."""
        squares = np.linalg.svdvals(self.layer.outputs(self.layer.A)).astype(float) ** 2
        tails = np.append(np.cumsum(squares[::-1])[::-1], 0.0)
        errors: np.ndarray = tails / (tails[0] or 1.0)
        return errors

    def low_rank_error2(self, numbers: int) -> float:
        """What low rank misses with at most so many numbers; nothing where these are all."""
        if numbers >= self.size:
            return 0.0
        rank = min(numbers // sum(self.shape), len(self.low_rank_errors2) - 1)
        return float(self.low_rank_errors2[rank])

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
            structures += [other for other in self._plain.best(budget, 1) if not is_low_rank(other)]
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
        errors2 = self.low_rank_errors2
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

    @cached_property
    def _promises(self) -> dict[int, Structure]:
        """The most promising structure of each budget that is not low rank."""
        search: Any = self._plain
        if self.layer.inputs is not None:
            search = OutputSearch(self.layer.A, self.layer.inputs, few=True)
        found = {}
        for budget in self._budgets:
            others = [some for some in search.best(budget, 2) if not is_low_rank(some)]
            if others and others[0].chain.nnz < self.size:
                found[budget] = others[0]
        return found

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
