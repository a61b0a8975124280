"""The public names: one table, importable lightly, every docstring valid."""

import inspect
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from numpydoc.docscrape import get_doc_object
from numpydoc.validate import ERROR_MSGS, validate
from sklearn.base import BaseEstimator

import skfact

ROOT = Path(__file__).parents[1]
PACKAGE = Path(skfact.__file__).parent
# None of these may be loaded by `import skfact`; the optional ones never by using an estimator.
HEAVY = {"array_api_compat", "joblib", "numpy", "pandas", "scipy", "sklearn"}
OPTIONAL = {"cupy", "dask", "matplotlib", "numba", "torch"}


def load_table() -> dict[str, Any]:
    spec = spec_from_file_location("api_reference", ROOT / "doc" / "api_reference.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.API_REFERENCE


TABLE = load_table()
# skfact.torch imports PyTorch: it is no part of `from skfact import *`, and may not be there
LIGHT = [module for module in TABLE if module != "skfact.torch"]
SUBPACKAGES = [module for module in TABLE if module != "skfact"]
IMPORTABLE = [module for module in TABLE if module in LIGHT or find_spec("torch")]


def paths(module: str) -> list[str]:
    return [f"{module}.{name}" for name in TABLE[module].names]


def resolve(path: str) -> Any:
    module, name = path.rsplit(".", 1)
    return getattr(import_module(module), name)


def is_ours(function: Any) -> bool:
    code = getattr(function, "__code__", None)
    return code is not None and PACKAGE in Path(code.co_filename).parents


def documented(path: str) -> Iterator[str]:
    """The name and, for a class, its public methods and properties written in skfact."""
    value = resolve(path)
    if not (inspect.isclass(value) or inspect.isroutine(value)):
        return
    yield path
    if inspect.isclass(value):
        for name in dir(value):
            member = inspect.getattr_static(value, name)
            function = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not name.startswith("_") and is_ours(inspect.unwrap(function)):
                yield f"{path}.{name}"


def docstring_checks() -> set[str]:
    """Codes of the numpydoc checks that pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    everything, *left_out = project["tool"]["numpydoc_validation"]["checks"]
    assert everything == "all"
    assert set(left_out) <= set(ERROR_MSGS)
    return set(ERROR_MSGS) - set(left_out)


CHECKS = docstring_checks()


def test_every_public_subpackage_is_in_the_table():
    found = {
        f"skfact.{module.name}"
        for module in pkgutil.iter_modules(skfact.__path__)
        if not module.name.startswith("_")
    }
    assert found == set(SUBPACKAGES)


@pytest.mark.parametrize("module", [module for module in IMPORTABLE if module in SUBPACKAGES])
def test_table_and_all_agree(module):
    assert sorted(import_module(module).__all__) == sorted(TABLE[module].names)


@pytest.mark.parametrize("module", IMPORTABLE)
def test_docstrings_are_valid(module):
    problems = {
        name: [error for error in validate(name)["errors"] if error[0] in CHECKS]
        for path in paths(module)
        for name in documented(path)
    }
    assert {name: errors for name, errors in problems.items() if errors} == {}


@pytest.mark.parametrize("module", IMPORTABLE)
def test_docstrings_have_examples(module):
    examples = {
        path: get_doc_object(value)["Examples"]
        for path in paths(module)
        if inspect.isclass(value := resolve(path)) or inspect.isroutine(value)
    }
    assert [path for path, lines in examples.items() if ">>>" not in "".join(lines)] == []


def test_validation_finds_a_broken_docstring():
    problems = {code for code, _ in validate(f"{__name__}.resolve")["errors"]}
    assert problems & CHECKS


def test_top_level_names():
    """Names of its own, the subpackages, and of their names the estimators."""
    assert set(skfact.__all__) <= set(dir(skfact))
    light = [module for module in LIGHT if module in SUBPACKAGES]
    subpackages = {module.removeprefix("skfact."): import_module(module) for module in light}
    names = [resolve(path) for module in LIGHT for path in paths(module)]
    classes = filter(inspect.isclass, names)
    estimators = {c.__name__: c for c in classes if issubclass(c, BaseEstimator)}
    own = {*TABLE["skfact"].names, "__version__"}
    assert {*subpackages, *estimators, *own} == set(skfact.__all__)
    for name, value in {**subpackages, **estimators}.items():
        assert getattr(skfact, name) is skfact.__getattr__(name) is value  # at hand, and imported


def test_layers_for_pytorch_are_at_hand():
    pytest.importorskip("torch")
    assert skfact.torch is import_module("skfact.torch") and "torch" not in skfact.__all__


def test_unknown_top_level_name():
    with pytest.raises(AttributeError, match="no attribute 'Butterfly'"):
        skfact.Butterfly  # noqa: B018


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after the statement; any warning is an error."""
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stderr) == (0, "")
    return set(process.stdout.split())


def test_import_is_light():
    assert loaded_after("import skfact") & (HEAVY | OPTIONAL) == set()


def test_star_imports_load_nothing_optional():
    statement = "; ".join(f"from {module} import *" for module in ["skfact", *LIGHT])
    assert loaded_after(statement) & OPTIONAL == set()


def test_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", citation, re.MULTILINE)[1] == skfact.__version__
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(r"^\d+\.\d+\.\d+", changelog, re.MULTILINE)[0] == skfact.__version__
