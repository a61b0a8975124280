"""What is proved about a network and those that compute the same, and by which condition.

Each answer is True or False where a theorem or a construction proves it, up to the tolerance, and
otherwise None. A network theta is a copy of another one if it is a rescaling of a permutation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from skfact.relu._identifiability.local_rank import UNSEEN

if TYPE_CHECKING:
    from skfact.relu._identifiability.report import IdentifiabilityReport

# Singular values that are dropped are zero beyond doubt up to this part of the tolerance.
CLEAR = 0.01


class Verdict(NamedTuple):
    """An answer, None where nothing is proved, and the condition that it rests on."""

    answer: bool | None
    reason: str

    def __str__(self) -> str:
        start = {True: "yes", False: "no", None: "not decided"}[self.answer]
        return f"{start}: {self.reason}"


def near_on_samples(report: IdentifiabilityReport) -> Verdict:
    """Whether all networks near this one with the same outputs on the samples are rescalings."""
    local = report.local
    if local is None:
        return Verdict(None, "no samples")
    if local.deficiency == 0:
        return Verdict(True, "full rank")
    other = _other_network_near(report) or _other_on_samples(report)
    if other:
        return Verdict(False, other)
    if local.largest_dropped > CLEAR * report.tol:
        return Verdict(None, "rank is missing, and singular values are too close to the cut")
    if local.n_equations is not None and local.rank == local.n_equations:
        return Verdict(False, "the rank is as large as the activation space allows, and too small")
    if local.generic_rank is not None and local.rank == local.generic_rank:
        return Verdict(False, "the rank is the same for almost all networks with these gates")
    return Verdict(None, "rank is missing here, but not at almost all networks with these gates")


def non_degeneracy(report: IdentifiabilityReport) -> Verdict:
    """Whether some finite set of samples has full rank.

    One hidden layer with kinks apart: a direction that changes no output changes the jump of the
    slope at no kink. With v and z the outgoing weights and the input of a neuron, this says
    dv z + v dz = 0 there, an affine function of x: the neuron is rescaled.
    """
    if not report.layers:
        return Verdict(True, "affine")
    other = _other_network_near(report)
    if other:
        return Verdict(False, other)
    if len(report.layers) == 1 and not report.has_twins and not report.layers[0].constant:
        return Verdict(True, "one hidden layer, each neuron with a kink of its own")
    if report.local is None:
        return Verdict(None, "no samples")
    if report.local.deficiency == 0:
        return Verdict(True, "full rank on X")
    return Verdict(None, "rank is missing on X; more samples may have it")


def on_bounded_sets(report: IdentifiabilityReport) -> Verdict:
    """Whether all networks of these sizes, equal on some bounded set of inputs, are copies."""
    if not report.is_admissible:
        return Verdict(False, "neurons at which nothing arrives, or which nothing leaves")
    if any(layer.positive_twins for layer in report.layers):
        return Verdict(False, "positive twins")
    if any(layer.has_flip for layer in report.layers):
        return Verdict(False, "signs of neurons can be flipped together")
    if report.has_twins:
        return Verdict(False, "negative twins")
    if not report.layers:
        return Verdict(True, "affine")
    if len(report.layers) > 1:
        return Verdict(
            None, "the conditions that suffice and are tested are about one hidden layer"
        )
    if report.is_irreducible:
        return Verdict(True, "no twins, irreducible")
    return Verdict(None, "irreducibility is undetermined")


def on_samples(report: IdentifiabilityReport) -> Verdict:
    """Whether all networks of these sizes with the same outputs on the samples are copies.

    For finitely many samples only "no" is proved: what is not determined from bounded sets is not
    from these, and copies near a network without positive twins are rescalings.
    """
    bounded, near = on_bounded_sets(report), near_on_samples(report)
    if report.local is not None and bounded.answer is False:
        return bounded
    if near.answer is False:
        return Verdict(False, f"not even near it: {near.reason}")
    return Verdict(None, "no theorem says yes for finitely many samples")


def _other_network_near(report: IdentifiabilityReport) -> str:
    """Why there are other networks near it, for each finite set of samples, or nothing."""
    if not report.is_admissible:
        return "neurons at which nothing arrives, or which nothing leaves"
    if any(layer.positive_twins for layer in report.layers):
        return "positive twins, between which outgoing weights can be moved"
    if any(layer.parallel_twins for layer in report.layers):
        return "negative twins with parallel outgoing weights, whose biases can be moved"
    return ""


def _other_on_samples(report: IdentifiabilityReport) -> str:
    """Why there are other networks near it that are equal on the samples, or nothing."""
    if any(layer.dead for layer in report.layers):
        return "neurons dead on X, whose biases can be lowered"
    if any(layer.always_active for layer in report.layers):
        return "neurons always active on X, whose biases the next ones absorb"
    if report.local is not None and any(s.cause == UNSEEN for s, _ in report.local.losses):
        return "neurons whose inputs span too little on X, whose weights can be turned"
    return ""
