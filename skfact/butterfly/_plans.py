"""Which permutation and chain to take: the one under which the blocks of one node miss least."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from skfact._backend import to_numpy
from skfact._exponents import binary_exponent, times_power_of_two
from skfact.butterfly._permutations import clustered_orders, search_permutations
from skfact.butterfly._reading import Permutation, arrange
from skfact.butterfly._structure.nodes import ARRANGEMENTS, Node, nodes_of
from skfact.butterfly._structure.tails import Tails
from skfact.supports import Chain, digit_reversal, resolve_supports
from skfact.supports._families import aligned_chain

# Another permutation is worth it where its error is at most this share of the plain one.
REORDERED = 0.9
# So is one by clusters, of that and of those by digits.
CLUSTERED = 0.95
# So is another chain, which may have so many times the numbers, as long as it saves some.
ALIGNED, AT_MOST = 0.5, 2
# Share of the norm that tails are not told from.
ROUNDING = 1e-7
# Rows or columns of all the blocks that are looked at.
SAMPLED = 256
#: Permutations that are chosen among several plans.
CHOSEN = ("auto", "cluster")


class Plan(NamedTuple):
    """How a matrix is to be factored: its chain, given ``rank=``, and its permutation."""

    chain: Callable[..., Chain]
    permutation: Any
    share: float = 1.0  # of the error of plans tried before, up to which this one is worth it
    found: bool = True  # whether the search for it succeeded
    agreed: bool = True  # whether attempts of it came to the same error


def fixed_plan(chain: Chain, permutation: Any) -> Plan:
    """The plan of a chain that has its ranks."""
    return Plan(partial(_fixed, chain), permutation)


def _fixed(chain: Chain, rank: int | None) -> Chain:
    return chain


def first_plan(supports: Any, shape: tuple[int, int], permutation: Permutation) -> Plan:
    """The plan that was asked for; where one is to be chosen, the one that is tried first."""
    chain = partial(resolve_supports, supports, *shape)
    return Plan(chain, None if permutation in CHOSEN else permutation)


def searched_plan(
    A: Any,
    supports: Any,
    rank: int | None,
    random_state: Any,
    on_attempt: Callable[[int, float], Any] | None,
) -> Plan:
    """The plan of permutation="search"."""
    plan = first_plan(supports, A.shape, None)
    chain = plan.chain(rank=rank)
    found = search_permutations(A, chain, random_state=random_state, on_attempt=on_attempt)
    orders = found.rows, found.cols
    return plan._replace(permutation=orders, found=found.found, agreed=found.agreed)


class Wanted(NamedTuple):
    """What the plans for a matrix depend on, beside its supports and its rank."""

    permutation: Any
    order: Any
    random_state: Any = None  # of the search for a permutation
    on_attempt: Callable[[int, float], Any] | None = None


def plans_for(
    A: Any, supports: Any, rank: int | None, budget: float, wanted: Wanted
) -> tuple[Plan, Callable[[], list[Plan]]]:
    """The plan to try first, and what finds the others with at most so many numbers."""
    if isinstance(wanted.permutation, str) and wanted.permutation == "search":
        plan = searched_plan(A, supports, rank, wanted.random_state, wanted.on_attempt)
        return plan, list
    first = first_plan(supports, A.shape, wanted.permutation)

    def others() -> list[Plan]:
        if wanted.permutation not in CHOSEN:
            return []
        named = isinstance(wanted.order, str)  # or the chain has to stay
        plans = other_plans(supports, A.shape, rank, aligned=named)
        if wanted.permutation == "cluster":
            plans += clustered_plans(A, supports, rank)
        return [plan for plan in plans if rank is None or plan.chain(rank=rank).nnz <= budget]

    return first, others


def clustered_plans(A: Any, supports: Any, rank: int | None) -> list[Plan]:
    """The plans that permutation="cluster" has beside those of "auto"."""
    plan = first_plan(supports, A.shape, None)
    chain = plan.chain(rank=rank)
    if telling_node(chain) is None:
        return []
    m, n = chain.shape
    spread = np.arange(m), np.arange(n)
    back = digit_reversal(chain.out_radices), digit_reversal(chain.in_radices)
    plans = []
    A = times_power_of_two(A, -binary_exponent(A))
    for pair in clustered_orders(to_numpy(A)):
        padded = [np.append(order, np.arange(len(order), len(s))) for order, s in zip(pair, spread)]
        for reversal in ARRANGEMENTS.values():
            digits = [(s, b)[turned] for s, b, turned in zip(spread, back, reversal)]
            rows, cols = (order[d] for order, d in zip(padded, digits, strict=True))
            plans.append(Plan(plan.chain, (rows, cols), CLUSTERED))
    return plans


def other_plans(
    supports: Any, shape: tuple[int, int], rank: int | None, aligned: bool = True
) -> list[Plan]:
    """What "auto" may do instead, for a chain with gaps and a dense product."""
    first = first_plan(supports, shape, "auto")
    own = first.chain(rank=rank)
    node = telling_node(own)
    if node is None or node.Q == node.P == 1:  # low rank in any order
        return []
    plans = [Plan(first.chain, name, REORDERED) for name in ARRANGEMENTS if name is not None]
    named = aligned and isinstance(supports, str)
    fitting = aligned_chain(supports, *shape, rank or 1) if named else None
    most = min(AT_MOST * own.nnz, shape[0] * shape[1] - 1)
    if fitting not in (None, own) and len(fitting) > 1 and fitting.nnz <= most:
        chain = partial(_aligned, supports, shape)
        plans += [Plan(chain, name, ALIGNED) for name in ARRANGEMENTS]
    return plans


def _aligned(supports: str, shape: tuple[int, int], rank: int | None) -> Chain:
    chain = aligned_chain(supports, *shape, rank or 1)
    assert chain is not None  # since there was one of rank 1
    return chain


def telling_node(chain: Chain) -> Node | None:
    """The gap whose blocks have most to lose; None where no gap loses anything."""
    merged, _ = chain.merge_redundant()
    if len(merged) == 1 or merged.product.a > 1 or merged.product.d > 1:
        return None
    m, n = chain.shape
    return max(nodes_of(merged), key=lambda node: min(m // node.Q, n // node.P) / node.r)


def promises(A: Any, plans: list[Plan], rank: int | None) -> list[float]:
    """Share of the norm that some blocks miss at the most telling node of each plan.

    About the least that the plan can miss. The matrix is of ordinary magnitude.
    """
    looks: dict[tuple[int, int], Tails] = {}
    found = []
    for plan in plans:
        chain = plan.chain(rank=rank)
        node = telling_node(chain)
        if node is None:
            found.append(math.inf)
            continue
        side = min(chain.shape[0] // node.Q, chain.shape[1] // node.P)
        if isinstance(plan.permutation, str | None):
            if chain.shape not in looks:
                looks[chain.shape] = Tails(A, chain.shape)
            count, rng = max(4, SAMPLED // side), np.random.default_rng(0)
            arrangement = ARRANGEMENTS[plan.permutation]
            tails = looks[chain.shape].sampled(node, arrangement, count, rng)
        else:  # the best of so many samples would flatter
            arranged = Tails(arrange(A, chain, plan.permutation).toarray())
            tails = arranged.exact(node, ARRANGEMENTS[None])
        found.append(max(tails[min(node.r, side)] / (tails[0] or 1.0), ROUNDING))
    return found
