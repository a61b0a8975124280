"""Two factors with fixed supports: A ~ left @ right, each zero outside a given mask."""

from skfact.fixed_support._closability import is_closable
from skfact.fixed_support._closedness import Closedness, closedness
from skfact.fixed_support._completion import RankOneCompletion, complete_rank_one
from skfact.fixed_support._diverging import DivergingSequence
from skfact.fixed_support._hardness import hardness_instance
from skfact.fixed_support._identifiability import is_locally_identifiable
from skfact.fixed_support._rank_one_supports import RankOneSupport, rank_one_supports
from skfact.fixed_support._relu_training import TrainingOptimum, relu_training_has_optimum
from skfact.fixed_support._tiling import Tiling, identify_tiling

__all__ = [
    "Closedness",
    "DivergingSequence",
    "RankOneCompletion",
    "RankOneSupport",
    "Tiling",
    "TrainingOptimum",
    "closedness",
    "complete_rank_one",
    "hardness_instance",
    "identify_tiling",
    "is_closable",
    "is_locally_identifiable",
    "rank_one_supports",
    "relu_training_has_optimum",
]
