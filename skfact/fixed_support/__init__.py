"""Two factors with fixed supports: A ~ left @ right, each zero outside a given mask."""

from skfact.fixed_support._rank_one_supports import RankOneSupport, rank_one_supports

__all__ = ["RankOneSupport", "rank_one_supports"]
