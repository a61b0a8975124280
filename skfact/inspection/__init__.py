"""Pictures of factorizations; matplotlib is imported when something is plotted."""

from skfact.inspection._activation_regions_display import ActivationRegionsDisplay
from skfact.inspection._support_display import SupportDisplay

__all__ = ["ActivationRegionsDisplay", "SupportDisplay"]
