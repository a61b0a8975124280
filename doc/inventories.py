"""Where the pages of other projects are, for a build that cannot ask them: small inventories.

Intersphinx fetches the inventory of each project and falls back to these files, which hold the
names that our pages refer to.
"""

import zlib
from pathlib import Path

# project: (address, name of its pages by object, {role: names})
PROJECTS = {
    "python": (
        "https://docs.python.org/3/",
        "library/{module}.html#{name}",
        {"class": ["collections.abc.Callable", "pathlib.Path"]},
    ),
    "numpy": (
        "https://numpy.org/doc/stable/",
        "reference/generated/{name}.html#{name}",
        {"class": ["numpy.ndarray", "numpy.random.Generator"], "function": ["numpy.asarray"]},
    ),
    "scipy": (
        "https://docs.scipy.org/doc/scipy/",
        "reference/generated/{name}.html#{name}",
        {
            "class": ["scipy.sparse.csr_array", "scipy.sparse.linalg.LinearOperator"],
            "function": ["scipy.sparse.linalg.cg", "scipy.sparse.linalg.lsqr"],
        },
    ),
    "sklearn": (
        "https://scikit-learn.org/stable/",
        "modules/generated/{name}.html#{name}",
        {
            "class": [
                "sklearn.cross_decomposition.PLSRegression",
                "sklearn.decomposition.NMF",
                "sklearn.decomposition.PCA",
                "sklearn.decomposition.TruncatedSVD",
                "sklearn.ensemble.RandomTreesEmbedding",
                "sklearn.linear_model.Ridge",
                "sklearn.model_selection.GridSearchCV",
                "sklearn.neural_network.MLPClassifier",
                "sklearn.neural_network.MLPRegressor",
                "sklearn.pipeline.Pipeline",
                "sklearn.preprocessing.StandardScaler",
                "sklearn.random_projection.GaussianRandomProjection",
                "sklearn.random_projection.SparseRandomProjection",
            ],
            "function": [
                "sklearn.linear_model.lasso_path",
                "sklearn.random_projection.johnson_lindenstrauss_min_dim",
            ],
        },
    ),
    "torch": (
        "https://docs.pytorch.org/docs/stable/",
        "generated/{name}.html#{name}",
        {"class": ["torch.nn.Module", "torch.nn.Sequential"]},
    ),
}


def mapping(folder: Path) -> dict[str, tuple[str, tuple[str | None, str]]]:
    """Write the inventories into `folder`; return what ``intersphinx_mapping`` takes."""
    folder.mkdir(exist_ok=True)
    found: dict[str, tuple[str, tuple[str | None, str]]] = {}
    for project, (address, page, objects) in PROJECTS.items():
        path = folder / f"{project}.inv"
        lines = [
            f"{name} py:{role} 1 {page.format(name=name, module=name.rpartition('.')[0])} -"
            for role, names in objects.items()
            for name in names
        ]
        head = (
            f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
            "# The remainder of this file is compressed using zlib.\n"
        )
        path.write_bytes(head.encode() + zlib.compress("\n".join(lines).encode() + b"\n"))
        found[project] = (address, (None, str(path)))
    return found
