"""Two factors with fixed supports: A ~ left @ right, each zero outside a given mask."""

from skfact.fixed_support._estimator import FixedSupportMF
from skfact.fixed_support._existence.closedness import Closedness, closedness
from skfact.fixed_support._existence.diverging import DivergingSequence
from skfact.fixed_support._existence.relu_training import TrainingOptimum, relu_training_has_optimum
from skfact.fixed_support._existence.training_sequence import TrainingSequence
from skfact.fixed_support._factorization import FixedSupportFactorization
from skfact.fixed_support._factorize import fixed_support_factorize
from skfact.fixed_support._supports.families import MASK_PAIRS as FAMILIES
from skfact.fixed_support._supports.rank_one import RankOneSupport, rank_one_supports
from skfact.fixed_support._tractable.hardness import hardness_instance
from skfact.fixed_support._tractable.report import SupportReport, analyze_supports
from skfact.fixed_support._uniqueness.closability import is_closable
from skfact.fixed_support._uniqueness.completion import RankOneCompletion, complete_rank_one
from skfact.fixed_support._uniqueness.contributions import (
    factors_from_contributions,
    is_nondegenerate,
    rank_one_contributions,
)
from skfact.fixed_support._uniqueness.local import is_locally_identifiable
from skfact.fixed_support._uniqueness.tiling import Tiling, identify_tiling

__all__ = [
    "FAMILIES",
    "Closedness",
    "DivergingSequence",
    "FixedSupportFactorization",
    "FixedSupportMF",
    "RankOneCompletion",
    "RankOneSupport",
    "SupportReport",
    "Tiling",
    "TrainingOptimum",
    "TrainingSequence",
    "analyze_supports",
    "closedness",
    "complete_rank_one",
    "factors_from_contributions",
    "fixed_support_factorize",
    "hardness_instance",
    "identify_tiling",
    "is_closable",
    "is_locally_identifiable",
    "is_nondegenerate",
    "rank_one_contributions",
    "rank_one_supports",
    "relu_training_has_optimum",
]
