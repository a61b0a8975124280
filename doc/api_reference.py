"""The public names, in one table: the reference pages and tests/test_public_api.py read it."""

import re
from importlib import import_module
from inspect import getdoc, isclass
from pathlib import Path
from typing import NamedTuple

from skfact.operators._no_array import NoArray


class Section(NamedTuple):
    """One subpackage: a title, an introduction and its public names."""

    title: str
    text: str
    # public name -> whether it takes arrays of any library ("what runs where" has a row for it)
    names: dict[str, bool]
    # the first name of a part of the table -> the heading of that part
    headings: dict[str, str] = {}


API_REFERENCE = {
    "skfact": Section(
        "Compilation",
        "What may be done before anything else; see :ref:`first-use`.",
        {"compile_kernels": False},
    ),
    "skfact.butterfly": Section(
        "Butterfly factorization",
        "A matrix becomes a product of Kronecker-sparse factors; see :doc:`/user_guide/butterfly`.",
        {
            "ButterflyFactorizer": True,
            "butterfly_factorize": True,
            "circulant_factorize": True,
            "split_errors": True,
            "complementary_ranks": True,
            "ComplementaryRanks": False,
            "structure_report": True,
            "StructureReport": False,
            "StructureRow": False,
            "StructureOption": False,
        },
    ),
    "skfact.fixed_support": Section(
        "Factorization with fixed supports",
        "Two factors, each zero outside a given mask; see :doc:`/user_guide/fixed_support`.",
        {
            "FixedSupportMF": True,
            "fixed_support_factorize": True,
            "FixedSupportFactorization": False,
            "analyze_supports": False,
            "SupportReport": False,
            "rank_one_supports": True,
            "RankOneSupport": False,
            "FAMILIES": False,
            "closedness": True,
            "Closedness": False,
            "DivergingSequence": False,
            "relu_training_has_optimum": True,
            "TrainingOptimum": False,
            "TrainingSequence": False,
            "complete_rank_one": True,
            "RankOneCompletion": False,
            "rank_one_contributions": True,
            "factors_from_contributions": True,
            "is_nondegenerate": True,
            "is_closable": True,
            "is_locally_identifiable": True,
            "identify_tiling": True,
            "Tiling": False,
            "hardness_instance": True,
        },
    ),
    "skfact.deep_linear": Section(
        "Sparse deep linear maps",
        "A linear map learned as a product of factors with fixed supports, structure or budgets, "
        "and when it determines them; see :doc:`/user_guide/deep_linear` and "
        ":doc:`/user_guide/stable_recovery`.",
        {
            "SparseDeepLinearNet": True,
            "StructuredFactor": False,
            "ToeplitzFactor": True,
            "CirculantFactor": True,
            "palm4msa": True,
            "hierarchical_palm": True,
            "explore_supports": True,
            "rank_one_tensor": True,
            "are_rescalings": True,
            "factor_distance": True,
            "lifting_operator": True,
            "LiftingOperator": False,
            "lifting_rank": False,
            "structure_identifiability": False,
            "StructureIdentifiability": False,
            "deep_null_space_constant": False,
            "DeepNullSpaceConstant": False,
            "factor_error_bound": True,
            "FactorErrorBound": False,
            "tensor_stability_bound": True,
            "tensor_lipschitz_bound": True,
            "ConvolutionTree": True,
            "TreeCollision": False,
            "convolution_tree_is_recoverable": False,
            "recover_convolution_tree": True,
            "TreeRecovery": False,
            "indistinguishable_kernels": False,
        },
        {"rank_one_tensor": "Stable recovery"},
    ),
    "skfact.relu": Section(
        "ReLU networks",
        "Networks seen through their paths; see :doc:`/user_guide/relu`.",
        {
            "ReLUPathEmbedding": True,
            "ActivationSpace": False,
            "GeneralizationBound": False,
            "IdentifiabilityReport": False,
            "NetworkGraph": True,
            "activation_patterns": True,
            "activation_space": True,
            "align": True,
            "canonical_form": True,
            "equalize": True,
            "generalization_bound": True,
            "identifiability_report": True,
            "is_rescaling_equivalent": True,
            "path_count": True,
            "path_inner": True,
            "path_kernel": True,
            "path_metric": True,
            "path_norm": True,
            "path_saliency": True,
            "path_sgd_scaling": True,
            "path_sketch": True,
            "path_sums": True,
            "prune": True,
            "quantize": True,
            "rescale": True,
            "rescaling_factors": True,
            "retrain": True,
            "simplify": True,
            "top_paths": True,
        },
    ),
    "skfact.operators": Section(
        "Operators",
        "Products of sparse factors, and sums of them, as fast linear maps.",
        {
            "FactorizedOperator": True,
            "OperatorSum": True,
            "KroneckerFactor": True,
            "SparseFactor": False,
            "PartialPermutation": True,
            "least_squares_codes": True,
            "load_operator": False,
            "orthogonal_matching_pursuit": True,
            "recognize_factor": False,
        },
    ),
    "skfact.transforms": Section(
        "Transforms",
        "Fast transforms as operators, of any size; see :doc:`/user_guide/transforms` and, for "
        "random ones, :doc:`/user_guide/rotations`.",
        {
            "dft": False,
            "rfft": False,
            "dct": False,
            "dst": False,
            "hartley": False,
            "hadamard": False,
            "haar": False,
            "wavelet": False,
            "circulant": True,
            "toeplitz": True,
            "convolution": True,
            "kron": True,
            "random_rotation": False,
            "FastRandomProjection": True,
        },
        {"random_rotation": "Rotations and projections"},
    ),
    "skfact.torch": Section(
        "PyTorch layers",
        "Modules whose weights are products of sparse factors, for PyTorch; see "
        ":doc:`/user_guide/pytorch`.",
        {
            "FactorizedLinear": False,
            "OrthogonalButterfly": False,
            "replace_linear_layers": False,
            "load_factorized": False,
        },
    ),
    "skfact.supports": Section(
        "Supports",
        "Where factors may be non-zero.",
        {
            "KroneckerSparse": True,
            "Chain": False,
            "KSparse": True,
            "FixedMask": True,
            "SupportFamily": True,
            "FAMILIES": False,
            "resolve_supports": False,
            "digit_reversal": False,
        },
    ),
    "skfact.compression": Section(
        "Compression",
        "Networks whose linear layers become products of factors; see "
        ":doc:`/user_guide/compression`.",
        {
            "compress": False,
            "compression_path": False,
            "Compression": False,
            "CompressedLayer": False,
            "CompressionDisplay": False,
        },
    ),
    "skfact.datasets": Section(
        "Datasets",
        "Matrices and operators with known factors.",
        {"make_butterfly": False, "make_convolution_tree": False},
    ),
    "skfact.exceptions": Section(
        "Warnings",
        "What is worth knowing about a result.",
        {"IllPosedWarning": False, "StructureWarning": False},
    ),
    "skfact.export": Section(
        "Export",
        "Out of Python: ONNX models and C source; see :doc:`/user_guide/export`.",
        {"to_onnx": False, "register_skl2onnx": False, "to_c": False},
    ),
    "skfact.inspection": Section(
        "Inspection",
        "Pictures, in the style of scikit-learn's displays; they need matplotlib.",
        {
            "ActivationRegionsDisplay": True,
            "CompletionDisplay": False,
            "ConvolutionTreeDisplay": True,
            "IdentifiabilityDisplay": False,
            "RankProfileDisplay": False,
            "StructureDisplay": False,
            "SupportDisplay": True,
            "SupportReportDisplay": False,
        },
    ),
}

# what data is: a docstring is only found on classes and functions
DATA = {
    "skfact.fixed_support.FAMILIES": (
        "Families of two supports by name: callables ``(n_samples, n_features, n_components) -> "
        "(left, right)`` that work for every shape and number of components."
    ),
    "skfact.supports.FAMILIES": (
        "Families by name: callables ``(n_out, n_in, rank) -> Chain`` that work for every shape."
    ),
}


def write_pages(folder: Path) -> None:
    """Write reference.rst, one page per public name, and what chapters include into `folder`."""
    folder.mkdir(exist_ok=True)
    lines = ["API reference", "=============", ""]
    lines += ["Every public name, by subject. Its page ends with the examples that use it.", ""]
    for module, section in API_REFERENCE.items():
        lines += [f".. module:: {module}", "", section.title, "-" * len(section.title), ""]
        lines += [section.text, ""]
        table = [".. list-table::", "   :class: names", "   :widths: 30 70", ""]
        lines += table
        for name in section.names:
            if name in section.headings:
                lines += ["", f".. rubric:: {section.headings[name]}", "", *table]
            lines += [f"   * - :obj:`~{module}.{name}`", f"     - {_summary(module, name)}"]
            _write(folder / f"{module}.{name}.rst", _page(module, name))
        lines += ["", ".. toctree::", "   :hidden:", f"   :caption: {section.title}", ""]
        lines += [f"   {module}.{name}" for name in section.names] + [""]
        for part, names in _parts(section).items():
            links = ", ".join(f":obj:`~{module}.{name}`" for name in names)
            _write(folder / f"{module}{part}.names.txt", f"- :mod:`{module}`: {links}.\n")
    _write(folder / "reference.rst", "\n".join(lines) + "\n")


def _parts(section: Section) -> dict[str, list[str]]:
    """Names under each heading, by the end of a file name; "" for those before the first one."""
    parts: dict[str, list[str]] = {}
    part = ""
    for name in section.names:
        if name in section.headings:
            part = "." + section.headings[name].lower().replace(" ", "_")
        parts.setdefault(part, []).append(name)
    return parts


def _summary(module: str, name: str) -> str:
    path = f"{module}.{name}"
    text = DATA.get(path) or getdoc(getattr(import_module(module), name)).split("\n")[0]
    return re.sub(r":(\w+):`(\w+)`", rf":\1:`~{module}.\2`", text)  # names of the same module


def _page(module: str, name: str) -> str:
    path = f"{module}.{name}"
    heading = f"{name}\n{'=' * len(name)}\n\n.. currentmodule:: {module}\n\n"
    if path in DATA:
        directive = f".. py:data:: {name}\n\n   {DATA[path]}\n"
    elif isclass(getattr(import_module(module), name)):
        # its text is scikit-learn's, with references into scikit-learn's own pages
        directive = f".. autoclass:: {name}\n   :members:\n"
        directive += (
            "   :exclude-members: set_fit_request, set_partial_fit_request, set_score_request, "
            "set_transform_request\n"
        )
        if issubclass(getattr(import_module(module), name), NoArray):  # operators and factors
            directive += "   :inherited-members: NoArray\n"
    else:
        directive = f".. autofunction:: {name}\n"
    gallery = f"\n.. minigallery:: {_uses(module, name)}\n   :add-heading: Examples that use it\n"
    return heading + directive + gallery


def _uses(module: str, name: str) -> str:
    """Names under which sphinx-gallery files an example: as imported, or the method called."""
    value = getattr(import_module(module), name)
    bases = value.__mro__ if isclass(value) else []
    ours = [base for base in bases if base.__module__.startswith("skfact.")]
    methods = dict.fromkeys(method for base in ours for method in vars(base) if method[0] != "_")
    return " ".join(
        [f"{module}.{name}", f"skfact.{name}", *(f"{module}.{name}.{m}" for m in methods)]
    )


def _write(path: Path, text: str) -> None:
    # an unchanged page keeps its time stamp, so that Sphinx does not read it again
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
