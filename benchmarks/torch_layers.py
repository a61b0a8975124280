"""Are factorized PyTorch layers fast? ``python benchmarks/torch_layers.py``.

Butterfly layers of rank one in single precision, on one thread: their images against `apply` of
the operator on NumPy arrays and a dense layer, a step of training against a dense layer, and a
step of training of rotations of the inputs of a frozen dense layer against peft's BOFT with the
same blocks (left out where peft is not installed). Writes
results/torch_layers.json in about four minutes; ``--quick`` prints the table for n = 256.
"""

import argparse
import math
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from measure import in_new_process, keep, machine, medians, progress
from page_parts import Rows, between, cells, fold, how, measured, section, short, table

from skfact.operators import FactorizedOperator, KroneckerFactor
from skfact.supports import Chain

SIZES = (1024, 4096)
BATCHES = (16, 128, 1024)
BLOCK = 8  # of the rotations; peft has one factor where it cannot compile its CUDA kernel
SECONDS = 1.5
LAYER, TWO, DENSE = "skfact", "skfact, 2 factors", "dense nn.Linear"
APPLY, PEFT, FROZEN = "NumPy apply", "peft BOFT", "frozen nn.Linear alone"


def run(n: int, batch: int) -> Rows:
    """All questions for one size."""
    import torch

    torch.set_num_threads(1)
    random = np.random.default_rng(0)
    X = torch.from_numpy(random.standard_normal((batch, n)).astype(np.float32))
    G = torch.from_numpy(random.standard_normal((batch, n)).astype(np.float32))
    operator = FactorizedOperator(
        KroneckerFactor(
            random.standard_normal((p.a, p.d, p.b, p.c)).astype(np.float32) / math.sqrt(2), p
        )
        for p in Chain.butterfly(n)
    )
    layer, dense = operator.to_torch(), torch.nn.Linear(n, n, bias=False)
    with torch.no_grad():
        images = layer(X).numpy()
        assert np.allclose(images, operator.apply(X.numpy()), atol=1e-4 * np.abs(images).max())
    questions = {
        "forward": {
            LAYER: without_gradients(layer, X),
            APPLY: lambda: operator.apply(X.numpy()),
            DENSE: without_gradients(dense, X),
        },
        "training": {LAYER: step(layer, X, G), DENSE: step(dense, X, G)},
        "rotation": rotations(dense, X, G),
    }
    rows: Rows = []
    for question, contenders in questions.items():
        for name, found in medians(contenders, SECONDS, threads=1).items():
            rows.append(
                {"question": question, "n": n, "batch": batch, "contender": name, "ms": found.ms}
            )
            progress(f"{rows[-1]}")
    return rows


def rotations(dense: Any, X: Any, G: Any) -> dict[str, Callable[[], None]]:
    """A step of training of what turns the inputs of a frozen layer."""
    import torch

    from skfact.torch import OrthogonalButterfly

    frozen = torch.nn.Sequential(dense).requires_grad_(False)
    n = X.shape[1]
    steps = {
        name: step(torch.nn.Sequential(OrthogonalButterfly(n, BLOCK, count), dense), X, G)
        for name, count in ((LAYER, 1), (TWO, 2))
    }
    if find_spec("peft"):
        import peft

        config = peft.BOFTConfig(boft_block_size=BLOCK, target_modules=["0"])
        layer = torch.nn.Sequential(torch.nn.Linear(*reversed(dense.weight.shape), bias=False))
        tuned = peft.get_peft_model(layer, config)
        blocks = sum(p.numel() for name, p in tuned.named_parameters() if "boft_R" in name)
        assert blocks == BLOCK * n
        steps[PEFT] = step(tuned, X, G)
    steps[FROZEN] = step(frozen, X, G)
    return steps


def without_gradients(layer: Any, X: Any) -> Callable[[], Any]:
    import torch

    def images() -> None:
        with torch.no_grad():
            layer(X)

    return images


def step(layer: Any, X: Any, G: Any) -> Callable[[], None]:
    """Forward and backward, to the parameters and the inputs; parameters change as in training."""
    import torch

    X = X.clone().requires_grad_()

    def forward_and_backward() -> None:
        layer.zero_grad()
        layer(X).backward(G)
        with torch.no_grad():
            for parameter in layer.parameters():
                if parameter.requires_grad:
                    parameter.mul_(0.9999)

    return forward_and_backward


def ratios(rows: Rows, question: str, over: str, under: str) -> list[float]:
    """Time of a contender over that of another one, for each size."""
    found = cells([row for row in rows if row["question"] == question], "n", "batch")
    return [c[over]["ms"] / c[under]["ms"] for c in found.values() if over in c and under in c]


def page(results: dict[str, Any]) -> str:
    """The results as reStructuredText."""
    rows = results["rows"]
    answer = (
        f"Images take {between(ratios(rows, 'forward', LAYER, APPLY))} times as long as NumPy's; "
        f"a step of training is {between(ratios(rows, 'training', DENSE, LAYER))} times as fast "
        "as that of a dense layer"
    )
    against_peft = ratios(rows, "rotation", PEFT, LAYER)
    if against_peft:
        answer += (
            f", and one with rotated inputs {between(against_peft)} times as fast as peft's BOFT"
        )
    return "\n".join(
        section(
            "Are factorized PyTorch layers fast?",
            f"{answer}.",
            (
                "torch_layers",
                "Milliseconds of a step of training against the batch, both logarithmic, with a "
                "panel for each size and a line for each layer.",
                f"Forward and backward on one thread, single precision. {measured(results)}",
            ),
            "Butterfly layers of rank one have 2 n log2 n numbers in place of n². Rotations are "
            f"one factor with blocks of side {BLOCK}, as peft's are on a processor, or two; a step "
            "with them contains the products of the frozen dense layer, which is timed alone too. "
            "peft makes a dense rotation and multiplies the weight by it, at a cost that does not "
            "depend on the batch.",
            fold("Milliseconds", table=lines(rows)),
            how(results, "One thread, CPU time, single precision."),
        )
    )


def lines(rows: Rows) -> list[str]:
    return table(
        ["question", "n", "batch", "contender", "ms"],
        [[*list(row.values())[:-1], short(row["ms"])] for row in rows],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one small size; nothing is written")
    options = parser.parse_args()
    sizes = [(n, b) for n in ([256] if options.quick else SIZES) for b in BATCHES]
    rows = [row for n, b in sizes for row in in_new_process("torch_layers", "run", n, b, threads=1)]
    if options.quick:
        print("\n".join(lines(rows)))
        return
    named = {name: version(name) for name in ("torch", "peft") if find_spec(name)}
    results = machine() | {"versions": named, "rows": rows}
    keep("torch_layers", results, page)


if __name__ == "__main__":
    main()
