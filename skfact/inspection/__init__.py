"""Pictures of factorizations; matplotlib is imported when something is plotted."""

from skfact.inspection._activation_regions_display import ActivationRegionsDisplay
from skfact.inspection._support_display import SupportDisplay
from skfact.inspection._support_report_display import SupportReportDisplay

__all__ = ["ActivationRegionsDisplay", "SupportDisplay", "SupportReportDisplay"]
