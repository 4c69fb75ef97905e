"""What README, docs/ and examples/ show is what happens."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

import forzium
import pytest

ROOT = Path(__file__).parents[2]
SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
LINKS = sorted(set(re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", (ROOT / "README.md").read_text())))


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_readme_runs(run_python, snippet):
    assert run_python(snippet).stdout


@pytest.mark.parametrize("link", LINKS)
def test_readme_links_lead_to_files(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.rst")), ids=lambda page: page.name)
def test_documentation_tells_the_truth(run_python, page):
    """In a process of its own: a page may fork, and sets the number of threads."""
    run_python(f"import doctest; assert doctest.testfile({str(page)!r}, module_relative=False).failed == 0")


def test_every_public_name_stands_in_the_reference():
    listed = runpy.run_path(str(ROOT / "docs/conf.py"))["public_names"]()
    names = {name for under in listed.values() for name in under}
    assert names >= {name for name in forzium.__all__ if not name.startswith("_")}
    template = (ROOT / "docs/reference.rst").read_text()
    assert [heading for heading in listed if f"names.{heading}" not in template] == []


@pytest.mark.parametrize(
    "script", sorted((ROOT / "examples/python").glob("*.py")), ids=lambda path: path.name
)
def test_example_runs(script):
    if "skimage" in script.read_text():
        pytest.importorskip("skimage")
    process = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert process.returncode == 0, process.stderr
