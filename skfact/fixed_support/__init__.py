"""Two factors with fixed supports: A ~ left @ right, each zero outside a given mask."""

from skfact.fixed_support._completion import complete_rank_one, is_closable
from skfact.fixed_support._hardness import hardness_instance
from skfact.fixed_support._identifiability import is_locally_identifiable
from skfact.fixed_support._rank_one_supports import RankOneSupport, rank_one_supports
from skfact.fixed_support._tiling import identify_tiling

__all__ = [
    "RankOneSupport",
    "complete_rank_one",
    "hardness_instance",
    "identify_tiling",
    "is_closable",
    "is_locally_identifiable",
    "rank_one_supports",
]
