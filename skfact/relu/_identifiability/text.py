"""How a report on identifiability reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skfact.relu._identifiability.local_rank import LocalRank

if TYPE_CHECKING:
    from skfact.relu._identifiability.report import IdentifiabilityReport, LayerIdentifiability


def in_words(report: IdentifiabilityReport) -> str:
    """The report as text to be read."""
    lines = [f"IdentifiabilityReport: ReLU network {'-'.join(str(n) for n in report.sizes)}"]
    lines.append(f"  identifiable       {_verdict(report)}")
    for number, layer in enumerate(report.layers, start=1):
        lines += [f"  {text}" for text in _findings(number, layer)]
    if report.local is not None:
        lines += [f"  {text}" for text in _rank_lines(report.local, report.tol)]
    advice = _advice(report)
    if advice:
        lines.append(f"  what to do         {advice}")
    return "\n".join(lines)


def _verdict(report: IdentifiabilityReport) -> str:
    if report.is_identifiable:
        return "yes: no twins, irreducible" if report.layers else "yes: affine"
    if report.is_identifiable is False:
        anywhere = not report.is_admissible or any(
            layer.positive_twins or layer.has_flip for layer in report.layers
        )
        return "no: other networks compute the same function" + (
            "" if anywhere else " on any bounded set"
        )
    if len(report.layers) > 1:
        return "not decided: sufficient conditions are known for one hidden layer only"
    return "not decided: irreducibility is undetermined"


def _advice(report: IdentifiabilityReport) -> str:
    found = []
    if any(layer.positive_twins or not layer.is_admissible for layer in report.layers):
        found.append("simplify(network) merges positive twins and drops unused neurons")
    if any(layer.dead for layer in report.layers):
        found.append("more varied samples, or simplify(network, dead_on=X)")
    if report.local is not None and report.local.n_samples < report.local.n_samples_needed:
        found.append(f"pass at least {report.local.n_samples_needed:,} samples")
    return "; ".join(found)


def _findings(number: int, layer: LayerIdentifiability) -> list[str]:
    """One line for each finding of a hidden layer, one for a layer without."""
    found = []
    for group in layer.twins:
        for side in group:
            if len(side) > 1:
                found.append(("positive twins", _listed(side)))
        if group.opposite:
            found.append(
                ("negative twins", f"{_listed(group.neurons)} against {_listed(group.opposite)}")
            )
    result = layer.irreducibility
    if result.answer is False:
        text = f"flip the signs of {_listed(result.witness)}"
        found.append(("reducible", text + ("" if layer.has_flip else ": exchanges twins")))
    elif result.answer is None:
        found.append(("irreducible?", result.reason))
    for name, neurons in (
        ("nothing arrives at", layer.zero_incoming),
        ("nothing leaves", layer.zero_outgoing),
        ("dead on X", layer.dead),
        ("always active on X", layer.always_active),
    ):
        if neurons:
            found.append((name, _listed(neurons)))
    head = f"layer {number}"
    if not found:
        return [f"{head:<18} {layer.n_neurons:,} neurons: no twins, irreducible"]
    return [
        f"{head if i == 0 else '':<18} {name:<18} {text}" for i, (name, text) in enumerate(found)
    ]


def _rank_lines(local: LocalRank, tol: float) -> list[str]:
    sufficient = local.n_samples >= local.n_samples_needed
    verdict = "full" if local.deficiency == 0 else f"{local.deficiency:,} missing"
    lines = [
        f"{'local rank':<18} {local.rank:,} of {local.full_rank:,} ({verdict}) from "
        f"{local.n_samples:,} samples; {'' if sufficient else 'too few: '}"
        f"at least {local.n_samples_needed:,} are needed"
    ]
    if local.deficiency and sufficient:
        causes = ", ".join(f"{cause} {loss:,}" for cause, loss in local.by_cause().items())
        lines.append(f"{'missing for':<18} {causes}")
    border = local.smallest_kept < 100 * tol or local.largest_dropped > tol / 100
    lines.append(
        f"{'singular values':<18} {'CLOSE CALL: ' if border else ''}kept down to "
        f"{local.smallest_kept:.0e}, dropped from {local.largest_dropped:.0e} (tol={tol:.0e})"
    )
    return lines


def _listed(neurons: tuple[int, ...], most: int = 8) -> str:
    """Neurons in words, the first few of many."""
    shown = ", ".join(str(v) for v in neurons[:most])
    return shown if len(neurons) <= most else f"{shown}, ... ({len(neurons):,} in all)"
