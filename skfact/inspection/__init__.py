"""Pictures of factorizations; matplotlib is imported when something is plotted."""

from skfact.inspection._activation_regions_display import ActivationRegionsDisplay
from skfact.inspection._completion_display import CompletionDisplay
from skfact.inspection._convolution_tree_display import ConvolutionTreeDisplay
from skfact.inspection._identifiability_display import IdentifiabilityDisplay
from skfact.inspection._rank_profile_display import RankProfileDisplay
from skfact.inspection._structure_display import StructureDisplay
from skfact.inspection._support_display import SupportDisplay
from skfact.inspection._support_report_display import SupportReportDisplay

__all__ = [
    "ActivationRegionsDisplay",
    "CompletionDisplay",
    "ConvolutionTreeDisplay",
    "IdentifiabilityDisplay",
    "RankProfileDisplay",
    "StructureDisplay",
    "SupportDisplay",
    "SupportReportDisplay",
]
