"""Sphinx configuration: ``make docs``, or ``python -m sphinx -W -b html docs build/docs``."""

import inspect

import forzium
import forzium_engine
from forzium._ffi import zero_copy

project = "forzium"
copyright = "The forzium authors"
version = release = forzium.__version__

extensions = ["sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["images"]
html_theme = "alabaster"
html_theme_options = {"description": "Native array compute for Python", "page_width": "1080px"}
numpydoc_show_class_members = False
autodoc_typehints = "none"


ROWWISE = ("softmax", "log_softmax", "layer_norm", "rms_norm", "normalize", "cumsum", "cumprod")


def kind_of(name):
    """The heading of the reference under which a public name stands."""
    thing = getattr(forzium, name)
    if inspect.isclass(thing):
        return "classes"
    if name in ("evaluate", "expression", "fuse"):
        return "expressions"
    if name in ROWWISE:
        return "rows"
    if not isinstance(thing, type(forzium.add)):
        return "functions"
    parameters = inspect.signature(thing).parameters
    if next(iter(parameters.values())).kind is inspect.Parameter.POSITIONAL_ONLY:
        return "elementwise"
    return "reductions" if "axis" in parameters else "arrays"


def public_names():
    """What reference.rst lists, by heading: a new row of the operations' table needs no edit there."""
    names = {"engine": [], "zero_copy": [name for name in zero_copy.__all__ if name != "PoolAllocator"]}
    for name in forzium.__all__:
        if not name.startswith("_"):
            names.setdefault(kind_of(name), []).append(name)
    for name in forzium_engine.__all__:
        module = getattr(getattr(forzium_engine, name), "__module__", "") or ""
        if module.startswith("forzium_engine"):
            names["engine"].append(name)
    return names


def fill_template(app, docname, source):
    if docname == "reference":
        source[0] = app.builder.templates.render_string(source[0], {"names": public_names()})


def setup(app):
    app.connect("source-read", fill_template)
