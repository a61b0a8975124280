"""ReLU networks seen through their paths: where they are linear, and blind to rescaling."""

from skfact.relu._activation import activation_patterns
from skfact.relu._alignment import align
from skfact.relu._canonical import canonical_form
from skfact.relu._compression import prune, quantize
from skfact.relu._equalization import equalize
from skfact.relu._estimator import ReLUPathEmbedding
from skfact.relu._graph import NetworkGraph
from skfact.relu._identifiability import identifiability_report
from skfact.relu._identifiability_report import IdentifiabilityReport
from skfact.relu._path_inner import path_inner
from skfact.relu._path_kernel import path_kernel
from skfact.relu._path_metric import path_metric
from skfact.relu._path_norm import path_count, path_norm
from skfact.relu._path_saliency import path_saliency, path_sgd_scaling
from skfact.relu._path_sketch import path_sketch
from skfact.relu._path_sums import path_sums
from skfact.relu._rescaling import is_rescaling_equivalent, rescale, rescaling_factors
from skfact.relu._simplify import simplify
from skfact.relu._top_paths import top_paths

__all__ = [
    "IdentifiabilityReport",
    "NetworkGraph",
    "ReLUPathEmbedding",
    "activation_patterns",
    "align",
    "canonical_form",
    "equalize",
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
    "simplify",
    "top_paths",
]
