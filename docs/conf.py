"""The documentation site: ``make docs`` builds it, and runs the code of its pages on the way."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE / "_ext")]
# The kernels that run the pages inherit this.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [
        str(HERE.parent / "src"),
        str(HERE.parent / "papers" / "src"),
        os.environ.get("PYTHONPATH", ""),
    ]
)
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
# One cache of compiled code for all pages, kept from one build to the next.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(HERE.parent / "build" / "docs-jax-cache"))
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

from liftless._version import __version__  # noqa: E402

project = "liftless"
author = "the liftless developers"
copyright = "the liftless developers, Apache-2.0"  # noqa: A001
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_nb",
    "mathml",
    "public",
]
exclude_patterns = ["_build", "jupyter_execute"]

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
# Headings can be linked to from the file that has them, as on any page that shows Markdown.
myst_heading_anchors = 3
nb_execution_mode = os.environ.get("LIFTLESS_DOCS_EXECUTION", "cache")
nb_execution_cache_path = str(HERE.parent / "build" / "docs-notebooks")
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True}
numpydoc_show_class_members = False
numpydoc_use_plots = False
numpydoc_xref_param_type = False

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"liftless {version}"
html_static_path = ["_static"]
html_css_files = ["liftless.css"]
html_show_sphinx = False
html_copy_source = False


def _bars(app, what, name, obj, options, lines):  # noqa: ARG001
    """In docstrings |x| is an absolute value, never a substitution."""
    for k, line in enumerate(lines):
        parts = line.split("``")
        parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
        lines[k] = "``".join(parts)


def setup(app):
    """Prepare docstrings, after numpydoc."""
    app.connect("autodoc-process-docstring", _bars, priority=900)
