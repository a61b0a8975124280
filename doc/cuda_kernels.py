"""Write the page of CUDA kernels: from sources, their compiler, tests, and measurements."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from what_runs_where import collect

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from measure import digest  # noqa: E402

from skfact._kernels import _cuda  # noqa: E402
from tests._kernels.cuda_on_cpu import emulation, nvrtc  # noqa: E402

SOURCES = ROOT / "skfact" / "_kernels"
DTYPES = ("float32", "float64", "complex64", "complex128")
MEASURED = ROOT / "benchmarks" / "results" / "cuda.json"

PAGE = """\
CUDA kernels
============

What is known of each source of kernels that CuPy arrays go through, and how.

- *Compiled* by NVIDIA's compiler for each architecture, with the options that CuPy gives it: the
  most registers that a thread of its kernels takes.{spills}
- *Tests on the CPU*: tests with this dtype build the same source for the processor and compare with
  the array libraries (results), or let sanitizers watch (ThreadSanitizer with a thread of the
  processor for each thread of a block; AddressSanitizer with UndefinedBehaviorSanitizer). They need
  Linux and g++. This page knows that there are such tests, and the tests whether they pass.
- *Results on a device*: the card that gave right results, from the source as it is now, and when.

What has no kernel goes through operations of CuPy, one launch each. Bytes that these read and
write, counted in float32 with a stand-in for CuPy, as the tests do again:

- A path norm moves the weights three times, where once is the floor: read, written as magnitudes,
  and read again (784-1024-1024-10: 22 MB). A sketch of 100 components moves them six times, and its
  random signs, a byte each, come from the host, so that a seed means the same everywhere.
- A sweep of alternating least squares (512 x 512, 32 components, supports of 20 %) moves eight
  times what the matrix takes, 9 MB; a sweep of PALM along a butterfly of 256 rows 110 MB. They are
  some 700 and 560 launches.

At 2 TB/s 22 MB are 11 microseconds and 110 MB are 55; as many launches, of a few microseconds each,
take longer. At these sizes fewer bytes would not pay, and fewer launches would. Times are for a
device to tell.

CuPy compiles with ``-ftz=true``: on a device, denormal numbers of float32 and complex64 are zero.
Nothing here shows a time; for those see :doc:`/benchmarks`.

.. list-table::
   :header-rows: 1

"""
SPILLS = " None spills any to memory."


class Source(NamedTuple):
    """A source of kernels, and the module that launches them."""

    folder: str
    kernels: list[str]
    module: Any

    @property
    def title(self) -> str:
        return f"{', '.join(f'``{name}``' for name in self.kernels)} ({self.folder})"


def sources() -> list[Source]:
    """All folders of loops that have a CUDA source; the module has `SOURCE` and `options(dtype)`.

    Raises
    ------
    ValueError
        If a source is that of no module.
    """
    found = []
    for path in sorted(SOURCES.glob("*/*.cu")):
        module = import_module(f"skfact._kernels.{path.parent.name}.cuda")
        if path != module.SOURCE:
            raise ValueError(f"{path} is not the SOURCE of {module.__name__}.")
        found.append(
            Source(path.parent.name, emulation.kernels_of(path.read_text("utf-8")), module)
        )
    return found


def compiled(source: Source, dtype: str, architecture: str) -> str:
    """Registers of a thread.

    Raises
    ------
    ValueError
        If some are spilled to memory.
    """
    if nvrtc.library() is None:
        return "not compiled here"
    code, options = _cuda.code(source.module.SOURCE), source.module.options(np.dtype(dtype))
    found = nvrtc.compile_kernel(code, options, architecture)
    if found.spilled or found.stack:
        raise ValueError(f"{source.title}, {dtype}, {architecture}: {found}")
    return str(found.registers)


def on_cpu(items: list[Any], source: Source, dtype: str) -> str:
    """What tests of the source there are with the dtype.

    Raises
    ------
    ValueError
        If there is none.
    """
    tests = [
        item.callspec.params
        for item in items
        if item.path.name == "test_cuda.py"
        and item.path.parent.name == source.folder
        and getattr(item, "callspec", None)
        and item.callspec.params.get("dtype") == dtype
    ]
    if not tests:
        raise ValueError(f"No test of {source.title} runs with {dtype}.")
    watched = {parameters["sanitizer"] for parameters in tests if "sanitizer" in parameters}
    return ", ".join(["results", *sorted(f"{sanitizer} sanitizer" for sanitizer in watched)])


def on_device(source: Source, dtype: str, results: dict[str, Any] | None = None) -> str:
    """The card and the date of right results with the source as it is."""
    if results is None:
        results = json.loads(MEASURED.read_text("utf-8")) if MEASURED.exists() else {}
    device, section = results.get("device"), results.get("sections", {}).get("correctness", {})
    rows = [
        row
        for row in section.get("rows", [])
        if (row["source"], row["dtype"]) == (source.folder, dtype)
    ]
    if not device or not rows or section["state"] not in ("done", "cut off"):
        return "none yet"
    if results.get("sources", {}).get(source.folder) != digest(_cuda.code(source.module.SOURCE)):
        return "none since the source changed"
    return f"{device['name']}, {results['date']}"


def page(items: list[Any]) -> str:
    """The page as reStructuredText."""
    cases = [(source, dtype) for source in sources() for dtype in DTYPES]
    with ThreadPoolExecutor() as pool:
        tasks = [[pool.submit(compiled, *case, a) for a in nvrtc.ARCHITECTURES] for case in cases]
        registers = [[task.result() for task in row] for row in tasks]
    rows = [["", "", *nvrtc.ARCHITECTURES, "Tests on the CPU", "Results on a device"]]
    for case, counts in zip(cases, registers, strict=True):
        title = case[0].title if case[1] == DTYPES[0] else ""
        rows.append([title, case[1], *counts, on_cpu(items, *case), on_device(*case)])
    lines = []
    for row in rows:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    spills = "" if nvrtc.library() is None else SPILLS
    return PAGE.format(spills=spills) + "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(collect().all_items), "utf-8")
