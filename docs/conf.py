"""Sphinx configuration. The pages build, and are read, without the network."""

import os
import sys
from pathlib import Path

import numopt

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

project = "numopt"
author = "numopt contributors"
copyright = "numopt contributors"
version = release = numopt.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "mathml",
    "support_table",
    "record",
]
exclude_patterns = [
    "_build",
    "auto_examples/*.ipynb",
    "auto_examples/*.py",
    "**/*.codeobj.json",
    "ot_sparse.rst",  # parts of ot.rst
    "ot_more.rst",
    "ot_tried.rst",
]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # the gallery's options hold functions
nitpicky = False
default_role = "literal"

# A page for each room is made from its __all__.
autosummary_generate = True
autosummary_ignore_module_all = False
autosummary_imported_members = True
autodoc_typehints = "none"  # shapes and ranges, which the docstrings give, say more
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
# Public docstrings are held to this: every parameter described, none invented, returns described, in order.
numpydoc_validation_checks = {"GL06", "GL07", "GL08", "PR01", "PR02", "PR03", "PR07", "RT01", "SS01"}
# The fields of a result are its Attributes; a plan is made by `relax_plan`; a status is an enum.
numpydoc_validation_exclude = {r"\.__\w+__$", r"Result$", r"\.MergeTree$", r"\.RelaxPlan$", r"\.Status\b"}

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["auto_examples"],
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "parallel": os.cpu_count(),
    "reset_modules": ("matplotlib", "seaborn", "strict_examples.strict"),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 1e9,
    "write_computation_times": False,
    "remove_config_comments": True,
}

mathml_macros = {
    "reg": r"\operatorname{reg}",
    "tol": r"\operatorname{tol}",
    "diag": r"\operatorname{diag}",
    "prox": r"\operatorname{prox}",
    "R": r"\mathbb{R}",
}

html_theme = "pydata_sphinx_theme"
html_title = f"numopt {release}"
html_static_path = ["_static"]
html_css_files = ["math.css", "tables.css"]
html_show_sourcelink = False
html_copy_source = False
_WIDE = ("index", "choose", "gpu", "support", "contributing/*")
_FAMILIES = ("ot*", "relax", "constrained", "monotone", "completion", "clustering")
html_sidebars = {page: [] for page in (*_WIDE, *_FAMILIES)}
html_theme_options = {
    "show_prev_next": False,
    "navbar_end": ["theme-switcher"],
    "navbar_persistent": ["search-button"],
    "navbar_align": "left",
    "header_links_before_dropdown": 9,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}


def _without_routing(app, what, name, obj, skip, options):
    """Leave out what scikit-learn adds to every estimator and describes in its own documentation."""
    return skip or name == "get_metadata_routing" or (name.startswith("set_") and name.endswith("_request"))


def setup(app):
    """Connect what autodoc leaves out."""
    app.connect("autodoc-skip-member", _without_routing)
