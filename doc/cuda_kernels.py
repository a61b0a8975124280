"""Write the page of CUDA kernels: from their compiler, from the tests, and from measurements."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from what_runs_where import collect

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from skfact._kernels import _cuda  # noqa: E402
from skfact._kernels.apply import cuda as apply  # noqa: E402
from skfact._kernels.low_rank_blocks import cuda as split  # noqa: E402
from tests._kernels.cuda_on_cpu import nvrtc  # noqa: E402

DTYPES = ("float32", "float64", "complex64", "complex128")
MEASURED = ROOT / "benchmarks" / "results" / "cuda.json"

PAGE = """\
CUDA kernels
============

What is known of each kernel that CuPy arrays go through, and how.

- *Compiled* by NVIDIA's compiler for each architecture: the registers of a thread; none spills any
  to memory.
- *On the CPU* the same source runs with a thread of the processor for each thread of the device.
  ●: the results are those of the array libraries; ●●: ThreadSanitizer, AddressSanitizer and
  UndefinedBehaviorSanitizer watched it, too, and have nothing to say.

None of this shows a time, and only the last column says that a device has run the kernel.

.. list-table::
   :header-rows: 1

"""


class Kernel(NamedTuple):
    """A kernel, and the options that its largest build takes."""

    title: str
    module: Any
    options: Any
    folder: str  # of its tests


KERNELS = (
    Kernel(
        "Product of a chain of factors",
        apply,
        lambda dtype: apply.options(dtype, apply.USUAL.sides, True),
        "apply",
    ),
    Kernel("Split of rank one", split, split.options, "low_rank_blocks"),
)


def compiled(kernel: Kernel, dtype: str, architecture: str) -> str:
    """Registers of a thread.

    Raises
    ------
    ValueError
        If some are spilled to memory.
    """
    if nvrtc.library() is None:
        return "not compiled here"
    code, options = _cuda.code(kernel.module.SOURCE), kernel.options(np.dtype(dtype))
    found = nvrtc.compile_kernel(code, options, architecture)
    if found.spilled or found.stack:
        raise ValueError(f"{kernel.title}, {dtype}, {architecture}: {found}")
    return str(found.registers)


def on_cpu(items: list[Any], kernel: Kernel, dtype: str) -> str:
    """Whether tests of the kernel run with the dtype, and whether sanitizers watch."""
    tests = [
        item.callspec.params
        for item in items
        if item.path.name == "test_cuda.py"
        and item.path.parent.name == kernel.folder
        and getattr(item, "callspec", None)
        and item.callspec.params.get("dtype") == dtype
    ]
    watched = {parameters["sanitizer"] for parameters in tests if "sanitizer" in parameters}
    if not tests:
        raise ValueError(f"No test of {kernel.title!r} runs with {dtype}.")
    return "●●" if watched == {"thread", "address"} else "●"


def on_device() -> str:
    """The card and the date of the measurements."""
    results = json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}
    device = results.get("device")
    return f"{device['name']}, {results['date']}" if device else "not measured"


def page(items: list[Any]) -> str:
    """The page as reStructuredText."""
    cases = [(kernel, dtype) for kernel in KERNELS for dtype in DTYPES]
    with ThreadPoolExecutor() as pool:
        tasks = [[pool.submit(compiled, *case, a) for a in nvrtc.ARCHITECTURES] for case in cases]
        registers = [[task.result() for task in row] for row in tasks]
    rows = [["", "", *nvrtc.ARCHITECTURES, "On the CPU", "On a device"]]
    for (kernel, dtype), counts in zip(cases, registers, strict=True):
        title = kernel.title if dtype == DTYPES[0] else ""
        rows.append([title, dtype, *counts, on_cpu(items, kernel, dtype), on_device()])
    lines = []
    for row in rows:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return PAGE + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(collect().all_items), "utf-8")
