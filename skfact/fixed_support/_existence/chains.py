"""Chains of nested rectangles, whose products make a closed set."""

from __future__ import annotations

from collections.abc import Sequence

from skfact.fixed_support._supports.rank_one import RankOneSupport


def chains(pieces: Sequence[RankOneSupport]) -> list[list[RankOneSupport]]:
    """Chains of nested rectangles with equal rows or equal columns, largest first.

    A rectangle that is nested in or around no other one is a chain by itself.
    """
    return _with_equal_lines(_with_equal_lines([[piece] for piece in pieces], 0), 1)


def _with_equal_lines(found: list[list[RankOneSupport]], side: int) -> list[list[RankOneSupport]]:
    """Nested rectangles with equal rows (side 0) or columns (side 1) as one chain, largest first.

    Chains of more than one rectangle are left as they are.
    """
    groups: dict[bytes, list[RankOneSupport]] = {}
    result = [chain for chain in found if len(chain) > 1]
    for piece, *others in found:
        if not others:
            groups.setdefault((piece.rows, piece.columns)[side].tobytes(), []).append(piece)
    for group in groups.values():
        smallest: dict[int, RankOneSupport] = {}  # so far, with this line of the other side
        chain_of: dict[int, list[RankOneSupport]] = {}
        for piece in sorted(group, key=lambda piece: -piece.size):
            lines = (piece.columns, piece.rows)[side].tolist()
            around = {id(smallest.get(line)): smallest.get(line) for line in lines}
            (holder, *more) = around.values()
            chain = chain_of[id(holder)] if holder is not None and not more else None
            if chain is None or chain[-1] is not holder:  # in no rectangle, or beside another one
                chain = []
                result.append(chain)
            chain.append(piece)
            chain_of[id(piece)] = chain
            smallest.update(dict.fromkeys(lines, piece))
    return result
