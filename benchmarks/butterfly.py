"""Butterfly factorization beside its peers: ``python benchmarks/butterfly.py [--quick]``.

Each question is asked in processes of their own, with one thread or two for all libraries. Within
a process all contenders take turns and medians count: of CPU time on one thread, of wall time on
two. Peers are measured where they are installed::

    pip install . pyfaust lazylinop psutil pandas torch

Writes results/butterfly.json and results/butterfly.rst, which the documentation includes. With
``--quick`` or ``--only``, the page is printed and nothing is written unless ``--output`` says
where.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from measure import in_new_process, machine, progress
from report import page

RESULTS = Path(__file__).parent / "results"

# question -> (module, function, numbers of threads); None: all that the libraries choose
QUESTIONS: dict[str, tuple[str, str, tuple[int, ...] | None]] = {
    "scaling": ("factorize", "scaling", (1, 2)),
    "peers": ("factorize", "peers", (1,)),
    "memory": ("factorize", "memory", (1,)),
    "apply": ("apply", "against_dense", (1, 2)),
    "chains": ("apply", "general_chains", (1,)),
    "one vector": ("apply", "one_vector", (1,)),
    "first use": ("first_use", "run", None),
    "processes": ("processes", "run", None),
}


def ask(question: str, quick: bool) -> Any:
    module, function, numbers = QUESTIONS[question]
    if numbers is None:
        return in_new_process(module, function, quick, threads=None)
    rows = []
    for threads in numbers:
        rows += in_new_process(module, function, threads, quick, threads=threads)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, less than a minute")
    parser.add_argument("--only", nargs="+", choices=QUESTIONS, default=list(QUESTIONS))
    parser.add_argument("--output", type=Path, help="folder for the results")
    options = parser.parse_args()
    whole = not options.quick and len(options.only) == len(QUESTIONS)
    output = options.output or (RESULTS if whole else None)
    results = machine() | {"versions": in_new_process("contenders", "versions", threads=1)}
    for question in options.only:
        start = time.perf_counter()
        results[question] = ask(question, options.quick)
        progress(f"=== {question}: {time.perf_counter() - start:.0f} s")
    text = page(results)
    if output is None:
        print(text)
        return
    output.mkdir(parents=True, exist_ok=True)
    (output / "butterfly.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    (output / "butterfly.rst").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
