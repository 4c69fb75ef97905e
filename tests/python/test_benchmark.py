"""The benchmark as its user meets it: files, honesty, and what happens when something goes wrong."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from benchmarks import ROOT, environment, made_up_results, run_module
from forzium.bench import cli
from forzium.bench.console import Console
from forzium.bench.probes import PROBES
from forzium.bench.report import write_report
from forzium.bench.results import Results, Row

EIGHT = ("--only", "multiply.inplace.8", "--libraries", "forzium", "numpy", "numexpr")
QUICK = ("tests.benchmark.benchmark_rust_python", "--quick")


def bench(*arguments: object, modules: Path | None = None) -> subprocess.CompletedProcess[str]:
    return run_module(*QUICK, *arguments, modules=modules)


def fake_module(folder: Path, name: str, source: str) -> Path:
    folder.mkdir()
    (folder / f"{name}.py").write_text(textwrap.dedent(source))
    return folder


def rows_of(folder: Path) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = json.loads((folder / "results.json").read_text())["rows"]
    return rows


def test_a_run_leaves_json_csv_charts_and_a_report_that_stands_alone(tmp_path: Path) -> None:
    done = bench(*EIGHT, "python", "floor", "--only", "multiply.list.3", "--output", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    for library in ("forzium", "python", "numpy", "floor"):
        (row,) = (
            row
            for row in rows
            if (row["case"], row["library"], row["threads"]) == ("multiply.list.3", library, 1)
        )
        assert row["status"] == "ok"
        assert row["seconds"] == min(row["rounds"]) > 0  # type: ignore[call-overload]
    with (tmp_path / "results.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(rows)
    for chart in ("relative", "sizes"):
        assert (tmp_path / f"{chart}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{chart}.svg").read_text()
    report = (tmp_path / "report.html").read_text()
    assert "data:image/svg+xml;base64," in report
    assert "<link" not in report
    assert "<script" not in report
    assert 'src="http' not in report
    for text in (report, done.stdout):
        assert "The guide's claims" in text.replace("&#39;", "'")
        assert "The targets of this project" in text
        assert "not measured" in text


def test_a_folder_that_cannot_be_written_is_found_before_measuring(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    begin = time.monotonic()
    done = bench("--output", tmp_path / "file" / "metrics")
    assert done.returncode == 2
    assert time.monotonic() - begin < 20
    assert done.stdout == ""
    assert done.stderr.startswith("forzium bench: cannot write results to ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "no such case"], "no case matches"),
        (["nosuite"], "there are: guide, elementwise"),
        (["--rounds", "0"], "--rounds is 0"),
    ],
)
def test_bad_arguments_are_one_clear_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = bench(*arguments, "--output", tmp_path)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_library_that_is_not_installed_is_named_and_left_out(tmp_path: Path) -> None:
    absent = 'raise ModuleNotFoundError("No module named \'scipy\'", name="scipy")'
    modules = fake_module(tmp_path / "modules", "scipy", absent)
    done = bench(
        "--only",
        "conv2d.array.50",
        "--libraries",
        "forzium",
        "scipy",
        "--output",
        tmp_path / "metrics",
        modules=modules,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SciPy: not installed, its rows are left empty") == 1
    libraries = {row["library"] for row in rows_of(tmp_path / "metrics")}
    assert "forzium" in libraries
    assert "scipy" not in libraries
    assert "SciPy: not installed" in (tmp_path / "metrics" / "report.html").read_text()


FAKE_NUMEXPR = """
    import os, signal, sys, time
    __version__ = "0"

    def set_num_threads(count):
        pass

    def evaluate(expression, names, out):
"""


def test_a_wrong_result_is_reported_and_not_ranked(tmp_path: Path) -> None:
    modules = fake_module(tmp_path / "modules", "numexpr", FAKE_NUMEXPR + "        out[...] = 0\n")
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    rows = [row for row in rows_of(tmp_path / "metrics") if row["library"] == "numexpr"]
    assert rows
    for row in rows:
        assert row["status"] == "wrong"
        assert row["seconds"] is None
        assert "wrong by" in str(row["note"])


def test_what_a_library_prints_does_not_disturb(tmp_path: Path) -> None:
    source = FAKE_NUMEXPR + '        out *= names["factor"]; print("{noise"); os.write(1, b"noise}")\n'
    modules = fake_module(tmp_path / "modules", "numexpr", source)
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in rows_of(tmp_path / "metrics") if row["library"] == "numexpr"} == {"ok"}


def test_all_have_as_many_rounds_as_the_slowest(tmp_path: Path) -> None:
    slow = FAKE_NUMEXPR + '        out *= names["factor"]; time.sleep(0.2)\n'
    modules = fake_module(tmp_path / "modules", "numexpr", slow)
    done = bench(*EIGHT, "--rounds", 7, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    (rounds,) = {len(row["rounds"]) for row in rows_of(tmp_path / "metrics")}  # type: ignore[arg-type]
    assert 1 < rounds < 7


def test_a_crash_is_a_row_and_the_rest_goes_on(tmp_path: Path) -> None:
    source = FAKE_NUMEXPR + "        os.kill(os.getpid(), signal.SIGKILL)\n"
    modules = fake_module(tmp_path / "modules", "numexpr", source)
    done = bench(*EIGHT, "--output", tmp_path / "metrics", modules=modules)
    assert done.returncode == 0, done.stderr
    statuses = {row["library"]: (row["status"], row["note"]) for row in rows_of(tmp_path / "metrics")}
    assert statuses["numexpr"] == ("crashed", "ended by SIGKILL")
    assert statuses["forzium"] == ("ok", "")


@pytest.mark.parametrize("reason", ["no answer within 300 s", "printed no figures"])
def test_a_probe_that_fails_is_noted_and_the_report_is_written(tmp_path, monkeypatch, reason) -> None:
    def run(command, **options):
        if reason.startswith("no answer"):
            raise subprocess.TimeoutExpired(command, options["timeout"])
        return subprocess.CompletedProcess(command, 0, stdout="Segmentation fault", stderr="")

    results = made_up_results(1e-7)
    results.machine |= {"cpu": "a CPU", "cpus": 2, "caches": {}, "system": "a system", "python": "3"}
    results.options |= {"quick": True, "rounds": 1}
    monkeypatch.setattr(subprocess, "run", run)
    results.probes = {name: measure(True, lambda text: None) for name, measure in PROBES.items()}
    assert results.probes["import"]["forzium"]["failed"] == reason
    assert all(row["failed"] == reason for row in results.probes["pool"])
    write_report(results, [], tmp_path)
    assert reason in (tmp_path / "report.html").read_text()


def main_that_measures(monkeypatch: pytest.MonkeyPatch, folder: Path, measure: Callable[..., None]) -> int:
    monkeypatch.setattr(Console, "measure", measure)
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    return cli.main(["--only", "multiply.inplace.8", "--output", str(folder)])


def a_row(results: Results) -> Row:
    return Row("multiply.inplace.8", "forzium", 1, rounds=[1e-7] * (len(results.rows) + 1))


def test_whatever_ends_a_run_leaves_what_was_measured(tmp_path, monkeypatch) -> None:
    def measure(console, results, *others):
        results.rows.append(a_row(results))
        raise OSError("no process can be started")

    with pytest.raises(OSError, match="no process"):
        main_that_measures(monkeypatch, tmp_path, measure)
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["complete"] is False
    assert [row["rounds"] for row in results["rows"]] == [[1e-7]]
    assert (tmp_path / "results.csv").exists()


def test_a_run_writes_its_results_now_and_then(tmp_path, monkeypatch) -> None:
    """What nobody can catch, as a kill, costs the last minute."""
    found = []

    def measure(console, results, effort, libraries, probes, keep):
        for _ in range(2):
            results.rows.append(a_row(results))
            keep()
            found.append(len(rows_of(tmp_path)))

    monkeypatch.setattr(cli, "SECONDS_BETWEEN_WRITES", 0.0)
    assert main_that_measures(monkeypatch, tmp_path, measure) == 0
    assert found == [1, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_keep_what_was_measured_and_leave_no_process(tmp_path: Path, number) -> None:
    """A library that hangs on the second case gives the moment to interrupt."""
    hang = """\
        out *= names["factor"]
        if out.size > 8:
            with open(os.environ["REACHED"], "a") as reached:
                print(os.getpid(), file=reached)
            time.sleep(1000)
"""
    modules = fake_module(tmp_path / "modules", "numexpr", FAKE_NUMEXPR + hang)
    reached = tmp_path / "reached"
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            *QUICK,
            *EIGHT,
            "--only",
            "multiply.inplace.1e6",
            "--output",
            tmp_path / "metrics",
        ],
        cwd=ROOT,
        env={**environment(modules), "REACHED": str(reached)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs ignore it
    )
    deadline = time.monotonic() + 120
    while not reached.exists() or not reached.read_text().strip():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Interrupted: what was measured so far is kept." in said
    results = json.loads((tmp_path / "metrics" / "results.json").read_text())
    assert results["complete"] is False
    measured = {row["case"] for row in results["rows"] if row["seconds"]}
    assert "multiply.inplace.8" in measured
    assert "multiply.inplace.1e6" not in measured
    assert "interrupted" in (tmp_path / "metrics" / "report.html").read_text()
    for worker in reached.read_text().split():
        with pytest.raises(ProcessLookupError):
            os.kill(int(worker), 0)


def test_info_is_light() -> None:
    code = (
        "import sys, runpy; sys.argv = ['forzium', 'info']; runpy.run_module('forzium', run_name='__main__')"
    )
    watched = f"import atexit, sys; atexit.register(lambda: print('numpy' in sys.modules)); {code}"
    done = subprocess.run([sys.executable, "-c", watched], capture_output=True, text=True, check=True)
    *lines, numpy_loaded = done.stdout.splitlines()
    names = {line.split()[0] for line in lines}
    assert {"version", "simd", "num_threads", "cache_bytes", "kernels"} <= names
    assert numpy_loaded == "False"
