"""The verdict up to diagonal matrices between neighbours, for almost all parameters."""

from __future__ import annotations

from skfact.deep_linear._stability._identifiability.diagonal_scalings import (
    closes,
    dead_entry,
    mixed,
    most_diagonals,
    n_diagonals,
)
from skfact.deep_linear._stability._identifiability.facts import (
    ALMOST_ALL,
    DEAD,
    DENSE,
    NO,
    OF_MANY,
    OF_SOME,
    OPEN,
    PATH_BY_PATH,
    SOME_ARE_NOT,
    UNDECIDED,
    YES,
    Facts,
    Finding,
    fibre_pair,
)
from skfact.deep_linear._stability._identifiability.second_solutions import (
    Pair,
    verified,
)
from skfact.deep_linear._stability._identifiability.up_to_scalars import up_to_scalars
from skfact.fixed_support import is_locally_identifiable

OF_ONE = (
    "parameters with one product form surfaces, which are larger than those of the diagonal "
    "matrices that keep all factors inside the structure; others, that keep those of one h inside, "
    "may make them."
)
LOCALLY = (
    "Locally yes: for almost every h, the only factors near h with its product are its rescalings "
    "(the derivative has full rank up to scalars). Others far from h are not excluded. "
)


def up_to_diagonals(facts: Facts) -> Finding:
    """The verdict for almost every h, up to diagonal matrices between neighbours."""
    structure = facts.structure
    if structure.masks is not None:
        return _masks_up_to_diagonals(facts)
    if structure.tree is not None and structure.tree.collision() is None:
        return Finding(
            YES,
            "on every path of the tree all sums of indices differ (convolution_tree_is_recoverable)"
            ": kernels without a zero one are determined up to scalars on each path, which are "
            "diagonal matrices, constant on each block.",
            PATH_BY_PATH,
        )
    scalars = len(structure.sizes) - 1
    free: int | None = None
    if facts.jacobian_rank == facts.bounds[0] or scalars == 0:
        free = scalars  # there is room for no more
    elif structure.is_small(DENSE):
        free = n_diagonals(structure, facts.random)
    if free is None:
        return Finding(
            UNDECIDED, "the structure is too large to find the diagonal matrices it allows.", OPEN
        )
    return _scalars_alone(facts) if free == scalars else _by_derivative(facts, free)


def _scalars_alone(facts: Facts) -> Finding:
    """The verdict for almost every h from that for all, where only scalars stay inside."""
    found = up_to_scalars(facts)
    alone = (
        "no diagonal matrices but multiples of the identity keep the factors inside the structure"
    )
    if found.of_almost_all and facts.jacobian_rank != facts.bounds[0] and _may_be_diagonal(facts):
        return Finding(UNDECIDED, OF_ONE, OPEN)
    if found.verdict == YES or found.of_almost_all:
        return found._replace(
            reason=f"{alone}, so that both senses ask the same of it: {found.reason}"
        )
    local = LOCALLY if facts.jacobian_rank == facts.bounds[0] else ""
    if found.verdict == NO:
        return Finding(
            UNDECIDED,
            f"{alone}. {local}Particular h are not determined, and may be exceptions: "
            f"{found.reason}",
            SOME_ARE_NOT if local else OF_SOME,
            found.pair,
        )
    return found._replace(reason=f"{alone}. {local}Of all h: {found.reason}")


def _may_be_diagonal(facts: Facts) -> bool:
    """Whether diagonal matrices, others for each h, may make all parameters with one product."""
    structure = facts.structure
    if structure.masks is not None:  # which all diagonal matrices keep
        return False
    ranks = [rank for rank in (facts.rank, facts.jacobian_rank) if rank is not None]
    most = most_diagonals(structure, facts.random)
    return most is None or sum(structure.sizes) - min(ranks) <= most


def _masks_up_to_diagonals(facts: Facts) -> Finding:
    structure = facts.structure
    if dead_entry(structure) is not None:
        return Finding(NO, DEAD, OF_MANY, _dead_pair(facts))
    h = structure.draw(facts.random)
    other = mixed(structure, h)
    if other is not None:
        return Finding(
            NO,
            "two inner units of a gap have nested supports on both sides, so that they can be "
            "mixed: no h without zeros is determined up to diagonal matrices.",
            OF_MANY,
            verified(structure, h, other),
        )
    if structure.chain is not None and set(structure.chain.ranks) <= {1}:
        return Finding(
            YES,
            "neighbours of the chain meet in blocks of rank one, each determined up to a scalar, "
            "split after split: up to diagonal matrices for almost every product, those of "
            "factors without zeros among them.",
            ALMOST_ALL,
        )
    if closes(structure):
        return Finding(
            YES,
            "completion determines the factors, split in two again and again, up to diagonal "
            "matrices, for almost every product.",
            ALMOST_ALL,
        )
    if len(structure.sizes) == 2 and structure.is_small(DENSE):
        left, right = (mask.toarray() > 0 for mask in structure.masks or ())
        if not is_locally_identifiable(left, right, random_state=facts.random):
            return _not_by_derivative(facts)
    return _by_derivative(facts, n_diagonals(structure, facts.random))


def _dead_pair(facts: Facts) -> Pair | None:
    """Parameters that differ where no entry depends on them."""
    h = facts.structure.draw(facts.random)
    g = [x.copy() for x in h]
    k, s = dead_entry(facts.structure) or (0, 0)
    g[k][s] *= -1
    return verified(facts.structure, h, g)


def _not_by_derivative(facts: Facts) -> Finding:
    return Finding(
        NO,
        "the derivative of the product has more directions that change no product than diagonal "
        "matrices: almost no h is determined up to them, real or complex.",
        OF_MANY,
        fibre_pair(facts, diagonal=True),
    )


def _by_derivative(facts: Facts, free: int) -> Finding:
    """What the rank of the derivative proves: "not", or only what holds nearby."""
    if facts.jacobian_rank is None:
        return Finding(
            UNDECIDED, "the structure is too large for the rank of its derivative.", OPEN
        )
    if sum(facts.structure.sizes) - facts.jacobian_rank > free:
        if _may_be_diagonal(facts):
            return Finding(UNDECIDED, OF_ONE, OPEN)
        return _not_by_derivative(facts)
    return Finding(
        UNDECIDED,
        "locally yes: for almost every h, the only factors near h with its product are its "
        "diagonal rescalings (the derivative has full rank up to them). Others far from h are not "
        "excluded.",
        OPEN,
    )
