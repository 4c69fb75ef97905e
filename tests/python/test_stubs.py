"""Stubs name what the modules have; docstrings are complete and their examples run."""

import ast
import doctest
import importlib
import inspect
from pathlib import Path

import numpy as np
import pytest

MODULES = ["forzium", "forzium_engine", "forzium._ffi.zero_copy"]


def stub_of(module):
    path = Path(importlib.import_module(module).__file__)
    return path.with_suffix(".pyi")


def names_in(statements):
    """The names that a stub's statements declare or re-export."""
    for statement in statements:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement.name
        elif isinstance(statement, ast.Assign):
            yield from (target.id for target in statement.targets if isinstance(target, ast.Name))
        elif isinstance(statement, ast.AnnAssign):
            yield statement.target.id
        elif isinstance(statement, ast.ImportFrom):
            yield from (alias.asname for alias in statement.names if alias.asname == alias.name)
        elif isinstance(statement, ast.If):
            yield from names_in([*statement.body, *statement.orelse])


def public_callables():
    """Every public function, and every public class with its public methods, by dotted name."""
    for module in MODULES:
        for name in importlib.import_module(module).__all__:
            thing = getattr(importlib.import_module(module), name)
            if callable(thing):
                yield f"{module}.{name}", thing
            if inspect.isclass(thing) and not issubclass(thing, BaseException):
                for method, member in vars(thing).items():
                    if not method.startswith("_") and callable(member):
                        yield f"{module}.{name}.{method}", member


CALLABLES = dict(public_callables())


@pytest.mark.parametrize("module", MODULES)
def test_stub_declares_the_public_names(module):
    public = set(importlib.import_module(module).__all__)
    declared = set(names_in(ast.parse(stub_of(module).read_text()).body))
    assert public - declared == set(), "not in the stub"
    assert {n for n in declared - public if not n.startswith("_")} == set(), "not in the module"


@pytest.mark.parametrize("module", MODULES)
def test_all_is_what_is_public(module):
    loaded = importlib.import_module(module)
    assert len(set(loaded.__all__)) == len(loaded.__all__)
    visible = {
        name
        for name, value in vars(loaded).items()
        if not name.startswith("_")
        and not inspect.ismodule(value)
        and name not in ("annotations", "TYPE_CHECKING")
    }
    assert visible <= set(loaded.__all__)


def test_stub_classes_declare_their_methods():
    import forzium

    for node in ast.parse(stub_of("forzium").read_text()).body:
        cls = getattr(forzium, node.name, None) if isinstance(node, ast.ClassDef) else None
        if inspect.isclass(cls) and not node.name.startswith("_"):
            public = {name for name in vars(cls) if not name.startswith("_")}
            declared = {name for name in names_in(node.body) if not name.startswith("_")}
            assert declared == public, node.name


def test_the_package_is_marked_as_typed():
    assert stub_of("forzium").with_name("py.typed").exists()


@pytest.mark.parametrize("name", CALLABLES)
def test_docstring(name):
    doc = inspect.getdoc(CALLABLES[name])
    assert doc, "no docstring"
    assert doc.splitlines()[0].strip(), "the first line is empty"
    if name.count(".") == 1 and name.startswith("forzium."):
        assert "Examples\n--------" in doc, "no Examples section"


def test_docstrings_examples_run():
    attempted = 0
    for name, thing in CALLABLES.items():
        module = (
            importlib.import_module(name.rpartition(".")[0] if name not in MODULES else name)
            if name.count(".") == 1
            else None
        )
        scope = {"np": np, **(vars(module) if module else {})}
        scope.update({m.split(".")[0]: importlib.import_module(m.split(".")[0]) for m in MODULES})
        example = doctest.DocTestParser().get_doctest(inspect.getdoc(thing) or "", scope, name, None, 0)
        said = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
        runner.run(example, out=said.append)
        assert runner.summarize(verbose=False).failed == 0, name + "\n" + "".join(said)
        attempted += len(example.examples)
    assert attempted > len(CALLABLES) / 2
