"""ReLU networks seen through their paths: where they are linear, and blind to rescaling."""

from skfact.relu._estimator import ReLUPathEmbedding
from skfact.relu._generalization.bound import GeneralizationBound, generalization_bound
from skfact.relu._identifiability.activation_space import ActivationSpace, activation_space
from skfact.relu._identifiability.decide import identifiability_report
from skfact.relu._identifiability.report import IdentifiabilityReport
from skfact.relu._identifiability.simplify import simplify
from skfact.relu._networks.gates import activation_patterns
from skfact.relu._networks.graph import NetworkGraph
from skfact.relu._paths.count import path_count
from skfact.relu._paths.inner import path_inner
from skfact.relu._paths.kernel import path_kernel
from skfact.relu._paths.metric import path_metric
from skfact.relu._paths.norm import path_norm
from skfact.relu._paths.path_sgd import path_sgd_scaling
from skfact.relu._paths.saliency import path_saliency
from skfact.relu._paths.sketch import path_sketch
from skfact.relu._paths.sums import path_sums
from skfact.relu._paths.top import top_paths
from skfact.relu._prune import prune
from skfact.relu._quantize import quantize
from skfact.relu._rescaling.alignment import align
from skfact.relu._rescaling.canonical import canonical_form
from skfact.relu._rescaling.equalize import equalize
from skfact.relu._rescaling.factors import is_rescaling_equivalent, rescaling_factors
from skfact.relu._rescaling.rescale import rescale
from skfact.relu._training.retrain import retrain

__all__ = [
    "ActivationSpace",
    "GeneralizationBound",
    "IdentifiabilityReport",
    "NetworkGraph",
    "ReLUPathEmbedding",
    "activation_patterns",
    "activation_space",
    "align",
    "canonical_form",
    "equalize",
    "generalization_bound",
    "identifiability_report",
    "is_rescaling_equivalent",
    "path_count",
    "path_inner",
    "path_kernel",
    "path_metric",
    "path_norm",
    "path_saliency",
    "path_sgd_scaling",
    "path_sketch",
    "path_sums",
    "prune",
    "quantize",
    "rescale",
    "rescaling_factors",
    "retrain",
    "simplify",
    "top_paths",
]
