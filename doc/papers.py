"""Write the page of statements: what papers say, the function that does it, and the test of it.

The table is doc/papers.csv. `names` are public names, `tests` are "FILE: FUNCTION, ..." without the
folder and the beginnings of the names, which are the same for all; more files follow after "|". A
file alone is an example, which is run with the documentation.
"""

import csv
import inspect
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from api_reference import API_REFERENCE

HERE = Path(__file__).parent
ROOT = HERE.parent

SOURCES = {  # by the letters of the table; the first five are documents, the others papers
    "I": "Analyzing identifiability of sparse linear networks, talk, 2021",
    "E": "Expressivity, sparsity and identifiability in deep neural networks, talk",
    "A": "Algorithmic and theoretical aspects of sparse deep neural networks, talk, 2023",
    "R": "Rapture of the deep: highs and lows of sparsity in a world of depths, abstract, 2022",
    "M": "Malgouyres and Landsberg, Multilinear compressive sensing and an application to "
    "convolutional linear networks, `arXiv:1703.08044 <https://arxiv.org/abs/1703.08044>`__",
    "BD": "Bona-Pellissier, Bachoc and Malgouyres, Parameter identifiability of a deep feedforward "
    "ReLU neural network, `arXiv:2112.12982 <https://arxiv.org/abs/2112.12982>`__",
    "BF": "Le, Zheng, Riccietti and Gribonval, Butterfly factorization with error guarantees, "
    "`arXiv:2411.04506 <https://arxiv.org/abs/2411.04506>`__",
    "BG": "Bona-Pellissier, Malgouyres and Bachoc, Geometry-induced implicit regularization in "
    "deep ReLU neural networks, `arXiv:2402.08269 <https://arxiv.org/abs/2402.08269>`__",
    "BK": "Lim, Michalek and Qi, Best k-layer neural network approximations, `arXiv:1907.01507 "
    "<https://arxiv.org/abs/1907.01507>`__",
    "BL": "Bona-Pellissier, Malgouyres and Bachoc, Local identifiability of deep ReLU neural "
    "networks: the theory, `arXiv:2206.07424 <https://arxiv.org/abs/2206.07424>`__",
    "DO": "Le, Riccietti and Gribonval, Does a sparse ReLU network training problem always admit "
    "an optimum?, `arXiv:2306.02666 <https://arxiv.org/abs/2306.02666>`__",
    "EI": "Zheng, Riccietti and Gribonval, Efficient identification of butterfly sparse matrix "
    "factorizations, `arXiv:2110.01230 <https://arxiv.org/abs/2110.01230>`__",
    "EQ": "Stock, Graham, Gribonval and Jégou, Equi-normalization of neural networks, 2019",
    "ER": "Stock and Gribonval, An embedding of ReLU networks and an analysis of their "
    "identifiability, `arXiv:2107.09370 <https://arxiv.org/abs/2107.09370>`__",
    "FS": "Le Magoarou and Gribonval, Flexible multilayer sparse approximations of matrices and "
    "applications, 2016",
    "GM": "Grillo and Montúfar, Most ReLU networks admit identifiable parameters, "
    "`arXiv:2605.03601 <https://arxiv.org/abs/2605.03601>`__",
    "KL": "Dao et al., Kaleidoscope: an efficient, learnable representation for all structured "
    "linear maps, `arXiv:2012.14966 <https://arxiv.org/abs/2012.14966>`__",
    "NPF": "Lakshminarayanan and Singh, Neural path features and neural path kernel: "
    "understanding the role of gates in deep learning, 2020",
    "NQ": "Nagel, van Baalen, Blankevoort and Welling, Data-free quantization through weight "
    "equalization and bias correction, 2019",
    "PC": "Lebeurrier, Vayer and Gribonval, Path-conditioned training: a principled way to rescale "
    "ReLU neural networks, `arXiv:2602.19799 <https://arxiv.org/abs/2602.19799>`__",
    "PM": "Gonon, Brisebarre, Riccietti and Gribonval, A rescaling-invariant Lipschitz bound based "
    "on path-metrics for modern ReLU network parameterizations, `arXiv:2405.15006 <https://arxiv.org/abs/2405.15006>`__",
    "PN": "Gonon, Brisebarre, Riccietti and Gribonval, A path-norm toolkit for modern networks: "
    "consequences, promises and challenges, `arXiv:2310.01225 <https://arxiv.org/abs/2310.01225>`__",
    "PB": "Rouchouse, Gonon, Gribonval and Guedj, Non-vacuous generalization bounds: can rescaling "
    "invariances help?, `arXiv:2509.26149 <https://arxiv.org/abs/2509.26149>`__",
    "SE": "Le and Gribonval, Structured support exploration for multilayer sparse matrix "
    "factorization, 2021",
    "SGD": "Neyshabur, Salakhutdinov and Srebro, Path-SGD: path-normalized optimization in deep "
    "neural networks, 2015",
    "SV": "Le, Riccietti and Gribonval, Spurious valleys, NP-hardness, and tractability of sparse "
    "matrix factorization with fixed support, `arXiv:2112.00386 "
    "<https://arxiv.org/abs/2112.00386>`__",
    "TL": "Zheng, Riccietti and Gribonval, Identifiability in two-layer sparse matrix "
    "factorization, `arXiv:2110.01235 <https://arxiv.org/abs/2110.01235>`__",
}

PAGE = """\
Papers and their statements
===========================

What the sources say, the names that do it, and the test that it is so. A number is given where it
was read in the source; letters are those of the list below.

"""


class Statement(NamedTuple):
    """One line of the table."""

    section: str
    sources: list[str]
    statement: str
    number: str
    names: list[str]  # with their modules
    tests: list[tuple[Path, str]]  # file from the root of the project, function; "" for an example


def full_name(name: str) -> str:
    """A public name, or a member of one, with its module.

    Raises
    ------
    ValueError
        If no module has it, or several.
    """
    first = name.partition(".")[0]
    found = [module for module, section in API_REFERENCE.items() if first in section.names]
    if len(found) != 1:
        raise ValueError(f"{name} is a public name of {found}, not of one module.")
    return f"{found[0]}.{name}"


def resolve(name: str) -> Any:
    """The object of a name with its module."""
    module, path = ".".join(name.split(".")[:2]), name.split(".")[2:]
    value = import_module(module)
    for part in path:
        value = getattr(value, part)
    return value


def _tests(cell: str) -> list[tuple[Path, str]]:
    found = []
    for group in filter(None, (part.strip() for part in cell.split("|"))):
        file, _, functions = group.partition(": ")
        if not functions:
            found.append((Path("examples", f"{file}.py"), ""))
            continue
        folder, _, name = file.rpartition("/")
        path = Path("tests", folder, f"test_{name.removeprefix('test_')}.py")
        found += [(path, f"test_{function.strip()}") for function in functions.split(",")]
    return found


def statements() -> list[Statement]:
    """The lines of the table."""
    with (HERE / "papers.csv").open(encoding="utf-8", newline="") as file:
        return [
            Statement(
                row["section"],
                row["sources"].split(),
                row["statement"],
                row["number"],
                [full_name(name) for name in row["names"].split(", ") if name],
                _tests(row["tests"]),
            )
            for row in csv.DictReader(file, delimiter=";")
        ]


def _where(names: list[str]) -> str:
    """The files of the package that names, or the classes of members, are written in."""
    values = [inspect.unwrap(resolve(".".join(name.split(".")[:3]))) for name in names]
    files = [Path(inspect.getsourcefile(value)).relative_to(ROOT).as_posix() for value in values]
    return ", ".join(f"`{file}`" for file in dict.fromkeys(files))


def page() -> str:
    """The page as reStructuredText."""
    lines = []
    sections: dict[str, list[Statement]] = {}
    for one in statements():
        sections.setdefault(one.section, []).append(one)
    for section, those in sections.items():
        lines += [section, "-" * len(section), "", ".. list-table::", "   :class: choices"]
        lines += ["   :header-rows: 1", "   :widths: 42 12 46", ""]
        lines += ["   * - Statement", "     - Sources", "     - Names, files and tests"]
        for one in those:
            number = f" ({one.number})" if one.number else ""
            lines += [f"   * - {one.statement}", f"     - {', '.join(one.sources)}{number}"]
            names = ", ".join(f":obj:`~{name}`" for name in one.names)
            lines += [f"     - {names or '–'}"]
            if one.names:
                tests = ", ".join(
                    f"`{file.as_posix()}{'::' * bool(test)}{test}`" for file, test in one.tests
                )
                lines += ["", f"       {_where(one.names)}", "", f"       {tests}"]
        lines += [""]
    lines += ["Sources", "-------", ""]
    lines += [f"- **{letters}**: {title}." for letters, title in SOURCES.items()]
    return PAGE + "\n".join(lines) + "\n"
