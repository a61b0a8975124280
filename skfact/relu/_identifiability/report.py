"""What a report on identifiability holds, and how it reads."""

from __future__ import annotations

from dataclasses import dataclass

from skfact.relu._identifiability.irreducibility import Irreducibility
from skfact.relu._identifiability.local_rank import LocalRank
from skfact.relu._identifiability.twins import Twins
from skfact.relu._identifiability.verdicts import (
    Verdict,
    near_on_samples,
    non_degeneracy,
    on_bounded_sets,
    on_samples,
)


@dataclass(frozen=True)
class LayerIdentifiability:
    """What was found in one hidden layer; neurons are numbered from 0.

    Parameters
    ----------
    n_neurons : int
        Width of the layer.
    twins : tuple of Twins
        Groups of proportional neurons: `neurons` on one side, `opposite` on the other.
    zero_incoming : tuple of int
        Neurons whose incoming weights and bias are all zero.
    zero_outgoing : tuple of int
        Neurons whose outgoing weights are all zero.
    irreducibility : Irreducibility
        Its `answer` (None: undetermined), the `reason` and, if reducible, a `witness`.
    dead, always_active : tuple of int or None
        Neurons that are active on no sample, and on all, of those on no kink; None without samples.
    parallel_twins : tuple of (int, int)
        Pairs of negative twins whose outgoing weights are multiples of each other, too.
    constant : tuple of int
        Neurons without incoming weights, whatever their bias.
    """

    n_neurons: int
    twins: tuple[Twins, ...]
    zero_incoming: tuple[int, ...]
    zero_outgoing: tuple[int, ...]
    irreducibility: Irreducibility
    dead: tuple[int, ...] | None = None
    always_active: tuple[int, ...] | None = None
    parallel_twins: tuple[tuple[int, int], ...] = ()
    constant: tuple[int, ...] = ()

    @property
    def positive_twins(self) -> tuple[tuple[int, ...], ...]:
        """Groups of positive twins."""
        return tuple(side for group in self.twins for side in group if len(side) > 1)

    @property
    def negative_twins(self) -> tuple[Twins, ...]:
        """Groups with neurons on both sides."""
        return tuple(group for group in self.twins if group.opposite)

    @property
    def is_admissible(self) -> bool:
        """Whether something arrives at each neuron, and something leaves it."""
        return not self.zero_incoming and not self.zero_outgoing

    @property
    def has_flip(self) -> bool:
        """Whether flipping the signs of the witness is more than exchanging two negative twins.

        It is no permutation otherwise: each exchange in it would be a smaller witness, and a
        witness of more than two neurons contains no smaller one of two.
        """
        witness = set(self.irreducibility.witness)
        return bool(witness) and not any(
            len(witness) == 2 and all(witness.intersection(side) for side in group)
            for group in self.negative_twins
        )


@dataclass(frozen=True, repr=False)
class IdentifiabilityReport:
    """What is known about the networks that compute the same function as a given one.

    Made by :func:`identifiability_report`; its text is meant to be read. It speaks of three sets of
    inputs, and says of which: all of them, some bounded set that is large enough, and the samples X
    that are on no kink. Lines on a layer are about its weights, unless they say "on X".

    Nothing in it changes when neurons are rescaled, and only the numbers of neurons do when they
    are permuted.

    Parameters
    ----------
    sizes : tuple of int
        Widths of all layers, inputs and outputs included.
    layers : tuple of LayerIdentifiability
        One entry for each hidden layer, with `n_neurons`, `twins` (groups with `neurons` and
        `opposite`), `positive_twins`, `negative_twins`, `zero_incoming`, `zero_outgoing`,
        `irreducibility` (`answer`, `reason`, `witness`), `dead`, `always_active`,
        `parallel_twins` and `constant`.
    local : LocalRank or None
        The rank test on samples, with `rank`, `full_rank`, `deficiency`, `losses` (neuron by
        neuron), `unexplained`, `by_cause()`, `n_samples`, `n_on_kinks`, `n_samples_needed`,
        `activation_dimension`, `generic_rank`, `is_sketched`, `smallest_kept` and
        `largest_dropped`; None without samples.
    tol : float
        The tolerance that was used.
    left_out : str
        The softmax or other link that makes predictions of the outputs, by name, if the network
        has one: the report is about the outputs before it.

    See Also
    --------
    identifiability_report : Makes the report.
    skfact.inspection.IdentifiabilityDisplay : Draws it.

    Examples
    --------
    >>> import numpy as np
    >>> from skfact.relu import identifiability_report
    >>> network = [np.array([[1.0, 2.0, -1.0]]), np.array([[1.0], [1.0], [3.0]])], None
    >>> report = identifiability_report(network)
    >>> report.layers[0].twins
    (Twins(neurons=(0, 1), opposite=(2,)),)
    >>> report.is_identifiable
    False
    """

    sizes: tuple[int, ...]
    layers: tuple[LayerIdentifiability, ...]
    local: LocalRank | None
    tol: float
    left_out: str = ""

    @property
    def is_admissible(self) -> bool:
        """Whether each hidden neuron has a nonzero incoming and a nonzero outgoing parameter."""
        return all(layer.is_admissible for layer in self.layers)

    @property
    def is_irreducible(self) -> bool | None:
        """Whether all layers are irreducible; None if that is undetermined."""
        answers = [layer.irreducibility.answer for layer in self.layers]
        if False in answers:
            return False
        return None if None in answers else True

    @property
    def has_twins(self) -> bool:
        """Whether any layer has twins, positive or negative."""
        return any(layer.twins for layer in self.layers)

    @property
    def non_degeneracy(self) -> Verdict:
        """Whether some finite set of samples has full rank: `answer` and `reason`.

        Then all networks near this one with the same outputs on this set are its rescalings.
        """
        return non_degeneracy(self)

    @property
    def is_non_degenerate(self) -> bool | None:
        """The answer of `non_degeneracy`; None if neither is proved."""
        return self.non_degeneracy.answer

    @property
    def local_identifiability(self) -> Verdict:
        """Whether networks near this one, equal on X, are rescalings: `answer` and `reason`."""
        return near_on_samples(self)

    @property
    def is_locally_identifiable(self) -> bool | None:
        """The answer of `local_identifiability`; None if neither is proved, or without samples."""
        return self.local_identifiability.answer

    @property
    def identifiability(self) -> Verdict:
        """Whether some bounded set of inputs determines the network: `answer` and `reason`."""
        return on_bounded_sets(self)

    @property
    def is_identifiable(self) -> bool | None:
        """Whether some bounded set of inputs determines the network, up to its copies.

        That is, whether all networks of these sizes with the same outputs on this set are copies:
        permutations and rescalings. One hidden layer: True if and only if it has no twins and is
        irreducible. More layers: False where another network can be written down, because of
        twins, neurons that are not admissible or flips of signs; else None: not decided.
        """
        return self.identifiability.answer

    @property
    def identifiability_on_samples(self) -> Verdict:
        """Whether the samples determine the network among all of its sizes: "no", or not decided.

        It is "no" where `identifiability` or `local_identifiability` is; nothing proves "yes" for
        finitely many samples.
        """
        return on_samples(self)

    def __repr__(self) -> str:
        return _in_words(self)


def _in_words(report: IdentifiabilityReport) -> str:
    """The report as text to be read."""
    head = f"IdentifiabilityReport: ReLU network {'-'.join(str(n) for n in report.sizes)}"
    lines = [f"{head}, before {report.left_out}" if report.left_out else head]
    lines.append(f"  identifiable       {_verdict(report)}")
    for number, layer in enumerate(report.layers, start=1):
        lines += [f"  {text}" for text in _findings(number, layer)]
    if report.local is not None:
        lines += [f"  {text}" for text in _on_samples(report, report.local)]
    advice = _advice(report)
    if advice:
        lines.append(f"  what to do         {advice}")
    return "\n".join(lines)


def _verdict(report: IdentifiabilityReport) -> str:
    answer, reason = report.identifiability
    if answer:
        return f"yes, from some bounded set of inputs: {reason}"
    if answer is False:
        anywhere = not report.is_admissible or any(
            layer.positive_twins or layer.has_flip for layer in report.layers
        )
        where = "all inputs" if anywhere else "any bounded set"
        return f"no: other networks compute the same function on {where}"
    return f"not decided from any set: {reason}"


def _advice(report: IdentifiabilityReport) -> str:
    found = []
    if any(layer.positive_twins or not layer.is_admissible for layer in report.layers):
        found.append("simplify(network) merges positive twins and drops unused neurons")
    if any(layer.dead for layer in report.layers):
        found.append("more varied samples, or simplify(network, dead_on=X)")
    if report.local is not None and report.local.n_samples < report.local.n_samples_needed:
        samples = _many(report.local.n_samples_needed, "sample")
        found.append(f"pass at least {samples}{' on no kink' * bool(report.local.n_on_kinks)}")
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
    return _under(head, found or [(_many(layer.n_neurons, "neuron"), "no twins, irreducible")])


def _on_samples(report: IdentifiabilityReport, local: LocalRank) -> list[str]:
    """What the rank test found on the samples, and what it proves."""
    tol = report.tol
    sufficient = local.n_samples >= local.n_samples_needed
    verdict = "full" if local.deficiency == 0 else f"{local.deficiency:,} missing"
    found = [
        (
            "local rank",
            f"{local.rank:,} of {local.full_rank:,} ({verdict}) from "
            f"{_many(local.n_samples, 'sample')}; "
            f"{'' if sufficient else 'too few: '}at least {local.n_samples_needed:,} are needed",
        )
    ]
    if local.n_on_kinks:
        samples = _many(local.n_on_kinks, "sample")
        found.append(("left out", f"{samples} on a kink, where the input of a neuron is zero"))
    if local.deficiency and sufficient:
        causes = ", ".join(f"{cause} {loss:,}" for cause, loss in local.by_cause().items())
        found.append(("missing for", causes))
    sketched = ", of a random sketch" if local.is_sketched else ""
    border = local.smallest_kept < 100 * tol or local.largest_dropped > tol / 100
    found.append(
        (
            "singular values",
            f"{'CLOSE CALL: ' if border else ''}kept down to {local.smallest_kept:.0e}, dropped "
            f"from {local.largest_dropped:.0e} (tol={tol:.0e}{sketched})",
        )
    )
    equations = "more equations than"
    if local.activation_dimension is not None:
        equations = f"{local.n_outputs:,} x {local.activation_dimension:,} equations for"
    found.append(("activation space", f"{equations} the {local.full_rank:,} unknowns"))
    found.append(("determined nearby", str(report.local_identifiability)))
    found.append(("non-degenerate", str(report.non_degeneracy)))
    return _under("on X", found)


def _under(head: str, found: list[tuple[str, str]]) -> list[str]:
    """Lines in three columns, the first of which holds the head once."""
    return [
        f"{head if i == 0 else '':<18} {name:<18} {text}" for i, (name, text) in enumerate(found)
    ]


def _many(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def _listed(neurons: tuple[int, ...], most: int = 8) -> str:
    """Neurons in words, the first few of many."""
    shown = ", ".join(str(v) for v in neurons[:most])
    return shown if len(neurons) <= most else f"{shown}, ... ({len(neurons):,} in all)"
