"""Write the page "what runs where" from the parametrization of the tests.

A public name counts as tested on an array namespace when a test that runs there (fixtures `xp`,
`device`, `asarray` of tests/conftest.py) refers to it, itself or through a function of the tests.
"""

import contextlib
import inspect
import io
import sys
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
from api_reference import API_REFERENCE

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"

# Namespaces whose tests exist and have never met the device that they need.
NOT_YET_RUN = {"cupy"}

PAGE = """\
What runs where
===============

Results come back in the array library, on the device and in the precision of the input. The table
is generated from the tests: ● means that tests run all names of the row there. Read-only arrays
of NumPy and a second device of array_api_strict are tried as well where they apply.

○ on CuPy: these tests need a CUDA device. They pass against a stand-in for CuPy, which has its
functions, refuses what it refuses, and compiles no kernels: arrays go through CuPy's functions
there, and :doc:`cuda_kernels` says how the kernels are tested. **No GPU has run them yet**.
array_api_strict stands for any library that follows the array API standard.

.. list-table::
   :header-rows: 1

"""


class Collected:
    """Pytest plugin that keeps the collected tests and the table of namespaces."""

    all_items: list[pytest.Function]
    items: list[pytest.Function]  # of array code
    titles: dict[str, str]

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[Any]) -> None:
        self.all_items = items
        self.items = [item for item in items if "namespace" in getattr(item, "fixturenames", ())]
        conftest = config.pluginmanager.get_plugin(str(TESTS / "conftest.py"))
        self.titles = {name: entry.title for name, entry in conftest.NAMESPACES.items()}


def collect() -> Collected:
    """Collect the tests without running them.

    Raises
    ------
    RuntimeError
        If a test file cannot be collected; the message is pytest's report.
    """
    collected = Collected()
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        code = pytest.main(["--collect-only", "-q", str(TESTS)], plugins=[collected])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(f"The tests could not be collected:\n{output.getvalue()}")
    return collected


def names_in(function: Any, seen: set[CodeType] | None = None) -> set[str]:
    """Names that a test refers to, itself or through functions of the test files."""
    seen = set() if seen is None else seen
    function = getattr(getattr(function, "hypothesis", None), "inner_test", function)
    function = inspect.unwrap(function)
    names: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        if code in seen:
            continue
        seen.add(code)
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    for name in sorted(names):
        helper = function.__globals__.get(name)
        if isinstance(helper, FunctionType) and TESTS in Path(helper.__code__.co_filename).parents:
            names |= names_in(helper, seen)
    return names


def tested_namespaces(collected: Collected) -> dict[str, set[str]]:
    """Public name -> the namespaces on which a test refers to it."""
    public = {name: set() for section in API_REFERENCE.values() for name in section.names}
    referred: dict[Any, set[str]] = {}
    for item in collected.items:
        if item.function not in referred:
            referred[item.function] = names_in(item.function)
        for name in referred[item.function] & public.keys():
            public[name].add(item.callspec.params["namespace"])
    return public


def _mark(namespaces: set[str], tested: set[str]) -> str:
    """Whether tests of a name run on any of the namespaces of a library."""
    if not namespaces & tested:
        return ""
    return "○" if namespaces <= NOT_YET_RUN else "●"


def page(tested: dict[str, set[str]], titles: dict[str, str]) -> str:
    """The page as reStructuredText.

    Raises
    ------
    ValueError
        If no test runs a name that takes arrays on NumPy.
    """
    libraries: dict[str, set[str]] = {}  # title before the comma: its namespaces
    for namespace, title in titles.items():
        libraries.setdefault(title.partition(",")[0], set()).add(namespace)
    rows = [["", *libraries]]
    for module, section in API_REFERENCE.items():
        alike: dict[tuple[str, ...], list[str]] = {}
        for name in (name for name, takes_arrays in section.names.items() if takes_arrays):
            if "numpy" not in tested[name]:
                raise ValueError(f"No test of {module}.{name} uses the fixtures `xp` or `asarray`.")
            marks = tuple(_mark(spaces, tested[name]) for spaces in libraries.values())
            alike.setdefault(marks, []).append(f":obj:`~{module}.{name}`")
        rows += [[", ".join(names), *marks] for marks, names in alike.items()]
    lines = []
    for row in rows:
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return PAGE + "\n".join(lines) + "\n"


if __name__ == "__main__":
    collected = collect()
    Path(sys.argv[1]).write_text(page(tested_namespaces(collected), collected.titles), "utf-8")
