"""Sphinx configuration: `sphinx-build -W doc doc/_build/html`, from anywhere and offline."""

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

os.environ["MPLBACKEND"] = "Agg"

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from api_reference import write_pages  # noqa: E402
from benchmark_figures import write as write_figures  # noqa: E402
from floors import draw  # noqa: E402
from inventories import mapping  # noqa: E402
from papers import page as page_of_papers  # noqa: E402
from pictures import write as write_pictures  # noqa: E402
from sphinx_gallery.sorting import ExplicitOrder  # noqa: E402

import skfact  # noqa: E402

# of the gallery
SECTIONS = ("butterfly", "fixed_support", "deep_linear", "relu", "transforms", "deploy")
# pages without a column of contents: lists of pages, and wide tables
WHOLE_WIDTH = ["index", "theory/index", "user_guide/index", "user_guide/which_tool"]
WHOLE_WIDTH += [f"auto_examples/{name}/index" for name in SECTIONS]

project = "skfact"
author = "skfact developers"
copyright = "skfact developers"
version = release = skfact.__version__

extensions = [
    "alt_texts",
    "numpydoc",
    "sphinx-mathjax-offline",
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
nitpicky = True
exclude_patterns = ["_build", "auto_examples/**.ipynb", "auto_examples/**.py"]

default_role = "code"  # single backticks, in docstrings and in CHANGELOG.md, are code
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"  # the column beside a page is narrow
numpydoc_show_class_members = False
copybutton_prompt_text = r">>> |\.\.\. "  # prompts and results are not copied
copybutton_prompt_is_regexp = True
# that loops are compiled is no output of an example
logging.getLogger("skfact").setLevel(logging.ERROR)
suppress_warnings = ["sphinx_gallery.space_in_filename"]  # of the folder of the checkout
intersphinx_mapping = mapping(HERE / "generated")
intersphinx_timeout = 5

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("skfact",),
    "subsection_order": ExplicitOrder([f"../examples/{name}" for name in SECTIONS]),
    "abort_on_example_error": True,
    "plot_gallery": True,
    "parallel": os.cpu_count(),  # each example in a process of its own
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,  # pages that load scripts from elsewhere
    "remove_config_comments": True,
    "capture_repr": (),  # what is to be read is printed
}

html_domain_indices = False  # the reference lists the modules
html_theme = "pydata_sphinx_theme"
html_title = f"skfact {release}"
html_theme_options = {
    "navigation_with_keys": False,
    "header_links_before_dropdown": 5,
    "secondary_sidebar_items": {
        "**": ["page-toc", "sourcelink"],
        **{page: [] for page in WHOLE_WIDTH},
    },
}
html_sidebars = {name: [] for name in ("index", "benchmarks")}  # no list of pages beside them
html_static_path = ["_static"]
html_css_files = ["widths.css"]
html_favicon = "_static/favicon.svg"

# pages that follow from tables: public names, contracts of imports, parametrization of the tests,
# what a compiler says
write_pages(HERE / "generated")
scripts = {  # they take long, and processes of their own
    name: subprocess.Popen(
        [sys.executable, HERE / f"{name}.py", HERE / "generated" / f"{name}.rst"]
    )
    for name in ("what_runs_where", "cuda_kernels")
}
(HERE / "generated" / "papers.rst").write_text(page_of_papers(), encoding="utf-8")
(HERE / "generated" / "floors.svg").write_text(draw(), encoding="utf-8")
write_pictures(HERE / "generated")
write_figures(HERE / "generated")
for name, script in scripts.items():
    if script.wait():
        raise RuntimeError(f"{name}.py failed; see above.")


def setup(app: Any) -> None:
    """The files of MathJax are copied when all else is done, which it does not declare."""
    app.extensions["sphinx-mathjax-offline"].parallel_read_safe = True
