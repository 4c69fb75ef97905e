"""The accuracy command: what it measures, finds, prints and writes."""

import subprocess
import sys

import numpy as np
import pytest
from forzium.accuracy import measure as measuring
from forzium.accuracy.cli import instruction_sets, main
from forzium.accuracy.inputs import every_float32, hard_points, sampled
from forzium.accuracy.measure import Finding, join, measure
from forzium.accuracy.oracle import ORACLES
from forzium.accuracy.table import rows_of, write
from oracle import APPROXIMATE


def test_every_approximate_function_has_an_oracle():
    assert set(APPROXIMATE) <= set(ORACLES)


def test_every_float32_is_every_pattern():
    first, second = (chunk for (chunk,), _ in zip(every_float32(), range(2), strict=False))
    assert first.dtype == np.float32
    assert first.view(np.uint32)[0] == 0
    assert second.view(np.uint32)[0] == first.view(np.uint32)[-1] + 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_meet_every_exponent_and_the_hard_places(dtype):
    (points,) = (np.concatenate(chunks) for chunks in zip(*sampled(np.dtype(dtype), 1, 100_000), strict=True))
    exponents = np.unique(np.frexp(points[np.isfinite(points)])[1])
    limits = np.finfo(dtype)
    assert set(range(limits.minexp + 1, limits.maxexp + 1)) <= set(exponents.tolist())
    hard = hard_points(np.dtype(dtype))
    assert np.isnan(hard).any()
    assert {0.0, 1.0, -1.0, np.inf, -np.inf, 0.5, float(limits.smallest_subnormal)} <= set(hard.tolist())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_samples_of_pairs_surround_the_zeros_of_logaddexp(dtype):
    x, y = (np.concatenate(chunks) for chunks in zip(*sampled(np.dtype(dtype), 2, 100_000), strict=True))
    with np.errstate(all="ignore"):
        sums = np.expm1(x.astype(np.longdouble)) + np.exp(y.astype(np.longdouble))
    near = np.sign(sums[(np.abs(sums) <= 2 * np.finfo(dtype).eps) & (x > -0.69) & (x < -0.01)])
    assert (near > 0).sum() > 500
    assert (near < 0).sum() > 500


class OffByUlps:
    """An engine that is wrong by 3 units in one place, by one elsewhere."""

    def __init__(self, simd):
        self.simd = simd

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        pass

    def start(self, name, operands):
        right = getattr(np, name)(operands[0].astype(np.float64)).astype(np.float32)
        wrong = np.nextafter(right, np.float32(np.inf))
        worse = np.nextafter(np.nextafter(wrong, wrong + 1), wrong + 1)
        self.got = np.where(operands[0] == 2.5, worse, wrong)

    def result(self):
        return self.got


def test_the_worst_error_is_found_and_its_place(monkeypatch):
    monkeypatch.setattr(measuring, "Engine", OffByUlps)
    (finding,) = measure("arctan", "float32", ["made up"], exhaustive=False)
    assert finding.at == (2.5,)
    assert 2.5 <= finding.ulp <= 3.5
    assert finding.count > 1_000_000


def test_parts_join_to_the_whole(monkeypatch):
    monkeypatch.setattr(measuring, "Engine", OffByUlps)
    parts = [measure("arctan", "float32", ["made up"], False, part, 3) for part in range(3)]
    assert join(parts) == measure("arctan", "float32", ["made up"], exhaustive=False)


def test_the_table_is_a_page_that_keeps_what_is_not_measured_again(tmp_path):
    page = tmp_path / "page.rst"
    write(page, [Finding("log", "float32", "avx2", 1234567, 0.75, (0.1,)), Finding("exp", "float64", "avx2")])
    write(page, [Finding("log", "float32", "avx2", 7, 0.5, (0.2,)), Finding("log", "float32", "sse2")])
    text = page.read_text()
    assert "   * - log\n     - float32\n     - avx2\n     - 7\n     - 0.5000\n     - 0.2\n" in text
    assert "1,234,567" not in text
    assert [row[:3] for row in rows_of(text)] == [
        ("exp", "float64", "avx2"),
        ("log", "float32", "avx2"),
        ("log", "float32", "sse2"),
    ]
    assert text.endswith("     - nowhere\n")


def test_an_unknown_function_is_one_clear_line(capsys):
    assert main(["--functions", "nosuch"]) == 2
    assert "nosuch is none of" in capsys.readouterr().err


def test_the_command_measures_every_instruction_set(tmp_path):
    name = APPROXIMATE[0]
    command = [
        sys.executable,
        "-m",
        "forzium",
        "accuracy",
        "--functions",
        name,
        "--write",
        tmp_path / "page.rst",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for simd in instruction_sets():
        assert f"     - {simd}\n" in (tmp_path / "page.rst").read_text()
