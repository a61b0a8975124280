"""The tests lie as the package does: a folder of tests for each folder of code, and no other."""

from pathlib import Path

import skfact

PACKAGE, TESTS = Path(skfact.__file__).parent, Path(__file__).parent


def folders(root: Path, pattern: str) -> set[str]:
    """The folders below a root that hold such a file themselves, `__init__.py` aside."""
    files = (path for path in root.rglob(pattern) if path.name != "__init__.py")
    return {path.parent.relative_to(root).as_posix() for path in files} - {"."}


def test_the_tests_mirror_the_package():
    code, tests = folders(PACKAGE, "*.py"), folders(TESTS, "test_*.py")
    assert code - tests == set(), "folders without tests"
    assert tests - code == set(), "folders of tests that test no folder"
