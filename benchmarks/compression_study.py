"""One network written with fewer numbers, in all ways: quality, before and after training."""

import io
import time
import warnings
from collections import Counter
from copy import deepcopy
from itertools import product
from typing import Any

import compression_networks
import torch
from compression_networks import Case
from compression_ways import (
    DENSITIES,
    WAYS,
    by_effect,
    effects,
    layers_of,
    network,
    outputs,
    seen,
    shared,
    uniform,
)
from measure import medians, progress
from torch import nn

from skfact.compression import compression_path

LOW_RANK = "low rank, weighted"
FEW = 6  # batches on which effects are seen
TUNED = LOW_RANK, "pruning, weighted", "compress"
STEPS = {"digits": 300, "magika": 25, "minilm": 30}
SLOW = ("minilm",)  # compressed in one way only
RATE = 1e-3


def run(name: str, *arguments: int) -> dict[str, Any]:
    """Qualities of one network: for all ways, densities and ways to spend the budget."""
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    case: Case = getattr(compression_networks, name)(*arguments)
    linears = layers_of(case.module)
    size = sum(one.weight.numel() for one in linears.values())
    progress(f"{name}: {len(linears)} layers, {size} weights")
    before = case.quality(outputs(case.module, case.held_out))
    rows = [judged(name, case, size, *found) for found in _plain(case)]
    rows += [judged(name, case, size, *found) for found in _compressed(name, case)]
    return {
        "layers": len(linears),
        "weights": size,
        "others": sum(p.numel() for p in case.module.parameters()) - size,
        "before": before,
        "rows": rows,
    }


def _compressed(name: str, case: Case) -> Any:
    """What the package makes of it, from one search: a row so far, and the network."""
    ways = {"compress": True, "compress, one pass": False}
    for way, sequential in list(ways.items())[: 1 if name in SLOW else None]:
        start = time.perf_counter()
        path = compression_path(
            case.module, case.calibration, max_density=DENSITIES, sequential=sequential
        )
        seconds = time.perf_counter() - start
        progress(f"{name}, {way}: {seconds:.0f} s")
        for density, found in zip(DENSITIES, path, strict=True):
            row = {"way": way, "density": density, "spent": "shared", "seconds": seconds}
            row |= {"shared": found.shared, "tried": dict(found.tried)}
            row["numbers"] = found.n_parameters_after
            row["structures"] = dict(Counter(kind(layer.structure) for layer in found.layers))
            if sequential:
                row |= _gains(case, found.network.eval())
            yield row, found.network


def _gains(case: Case, module: nn.Module) -> dict[str, Any]:
    """Bytes that are stored, and milliseconds for a batch, of the original and of the module."""
    batch, sizes = case.held_out[0], []
    for one in (case.module, module):
        file = io.BytesIO()
        torch.save(one.state_dict(), file)
        sizes.append(file.tell())
    ways = {"original": case.module, "compressed": module}
    calls = {name: lambda one=one: outputs(one, [batch]) for name, one in ways.items()}
    times = medians(calls, 1.0, torch.get_num_threads())
    return {"bytes": sizes, "ms": [times[name].ms for name in ways]}


def kind(structure: str) -> str:
    """Low rank, dense or factors, of the words for a structure."""
    return "low rank" if structure.startswith("rank") else structure.split(",")[0]


def _plain(case: Case) -> Any:
    """The same of the yardsticks."""
    start = time.perf_counter()
    layers = seen(case.module, case.calibration)
    progress(f"inputs of layers: {time.perf_counter() - start:.0f} s")
    sizes = {name: layer.weights.size for name, layer in layers.items()}
    for way, curve_of in WAYS.items():
        start = time.perf_counter()
        curves = {name: curve_of(layer) for name, layer in layers.items()}
        seconds = time.perf_counter() - start
        ways = {"alike": (curves, uniform), "shared": (curves, shared)}
        if way == LOW_RANK:
            effect = effects(case.module, layers, curves, case.calibration[:FEW])
            ways["by effect"] = by_effect(curves, effect), shared
        for density, (spent, (counted, spend)) in product(DENSITIES, ways.items()):
            places = spend(counted, sizes, density)
            module, numbers = network(case.module, layers, curves, places)
            row = {"way": way, "density": density, "spent": spent}
            yield row | {"seconds": seconds, "numbers": numbers}, module


def judged(name: str, case: Case, size: int, row: dict[str, Any], module: nn.Module) -> Any:
    """The row with its share of numbers and its quality, before and after training."""
    row["share"] = row["numbers"] / size
    row["quality"] = case.quality(outputs(module.eval(), case.held_out))
    if row["way"] in TUNED and row["spent"] != "alike":
        start = time.perf_counter()
        module = tuned(case, module, STEPS[name])
        row["tuning, s"] = time.perf_counter() - start
        row["tuned"] = case.quality(outputs(module, case.held_out))
    progress(f"{name}: {row}")
    return row


def tuned(case: Case, module: nn.Module, steps: int) -> nn.Module:
    """A copy trained to give the outputs of the original: layers that were replaced, no others."""
    module = deepcopy(module).requires_grad_(False)
    replaced = [
        module.get_submodule(name)
        for name in layers_of(case.module)
        if type(module.get_submodule(name)) is not nn.Linear
    ]
    trained = [p for one in replaced for p in one.requires_grad_(True).parameters()]
    if not trained:
        return module
    optimizer = torch.optim.Adam(trained, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        batch = case.calibration[step % len(case.calibration)]
        with torch.no_grad():
            expected = case.module(batch)
        optimizer.zero_grad()
        case.loss(module(batch), expected).backward()
        optimizer.step()
        schedule.step()
    return module
