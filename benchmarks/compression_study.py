"""One network written with fewer numbers, in all ways: quality, before and after training."""

from __future__ import annotations

import io
import time
import warnings
from copy import deepcopy
from typing import Any

import compression_networks
import torch
from compression_networks import Case, outputs
from compression_ways import DENSITIES, WAYS, layers_of, network, seen, shared, uniform
from measure import progress
from page_parts import Rows
from torch import nn

TUNED = ("low rank, weighted", "Monarch", "pruning, weighted", "compress")
STEPS = {"digits": 300, "magika": 40, "minilm": 40}


def run(name: str, *arguments: int) -> Rows:
    """The rows of one network: ways, densities, how the budget is spent, numbers, qualities."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    case: Case = getattr(compression_networks, name)(*arguments)
    layers = seen(case.module, case.calibration)
    sizes = {key: layer.weights.size for key, layer in layers.items()}
    progress(f"{name}: {len(sizes)} layers, {sum(sizes.values())} weights")
    found: Rows = []
    for way, curve_of in WAYS.items():
        start = time.perf_counter()
        curves = {key: curve_of(layer) for key, layer in layers.items()}
        seconds = time.perf_counter() - start
        for density in DENSITIES:
            for spent, spend in (("alike", uniform), ("shared", shared)):
                places = spend(curves, sizes, density)
                module, numbers = network(case.module, layers, curves, places)
                row = {"way": way, "density": density, "spent": spent, "seconds": seconds}
                found.append(row | judged(name, case, module, numbers, sum(sizes.values())))
                progress(f"{name}: {found[-1]}")
    return found


def judged(name: str, case: Case, module: nn.Module, numbers: int, size: int) -> dict[str, Any]:
    """Numbers and quality of a network, before and after training."""
    row = {"share": numbers / size} | case.quality(outputs(module, case.held_out))
    return row


def tuned(case: Case, module: nn.Module, steps: int, rate: float = 1e-3) -> nn.Module:
    """A copy trained to give the outputs of the original: layers that were replaced, no others."""
    module = deepcopy(module)
    kept = {id(parameter) for parameter in parameters_of(case.module)}
    module.requires_grad_(False)
    original = layers_of(case.module)
    trained = [
        parameter
        for name in original
        if type(module.get_submodule(name)) is not nn.Linear
        for parameter in module.get_submodule(name).parameters()
    ]
    for parameter in trained:
        parameter.requires_grad_(True)
    optimizer = torch.optim.Adam(trained, lr=rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    expected = [outputs(case.module, [batch]) for batch in case.calibration]
    for step in range(steps):
        at = step % len(expected)
        optimizer.zero_grad()
        case.loss(module(case.calibration[at]), expected[at]).backward()
        optimizer.step()
        schedule.step()
    return module
