"""Axes that arrays have not, and axes named twice: NumPy's exceptions."""

import forzium
import numpy as np
import pytest
from numpy.exceptions import AxisError

X = np.arange(12.0).reshape(3, 4)

REDUCTIONS = [
    "sum",
    "prod",
    "mean",
    "var",
    "std",
    "min",
    "max",
    "any",
    "all",
    "count_nonzero",
    "nansum",
    "nanprod",
]
REDUCTIONS += ["nanmean", "nanmax", "nanmin", "nanvar", "nanstd"]
PLACES = ["argmin", "argmax"]
ROWS = ["softmax", "log_softmax", "layer_norm", "rms_norm", "normalize", "norm", "logsumexp"]


def refuse(operation, *arguments, **options):
    with pytest.raises(ValueError, match=r"ax[ei]s") as caught:
        operation(*arguments, **options)
    return caught.value


@pytest.mark.parametrize("name", [*REDUCTIONS, *PLACES, *ROWS, "cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [2, -3, 1000])
def test_an_axis_out_of_range_is_numpys_error(name, axis):
    error = refuse(getattr(forzium, name), X, axis=axis)
    assert type(error) is AxisError
    assert str(error) == f"{name}: axis {axis} is out of bounds for x with 2 axes"


@pytest.mark.parametrize("name", [*REDUCTIONS, *PLACES, "cumsum", "cumprod"])
@pytest.mark.parametrize("axis", [2, -3])
def test_numpy_raises_the_same(name, axis):
    assert type(refuse(getattr(np, name), X, axis=axis)) is AxisError


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize(
    ("axes", "kind"),
    [((0, 2), AxisError), ((0, 0), ValueError), ((1, -1), ValueError), ((0, 0, 5), AxisError)],
)
def test_one_axis_of_several(name, axes, kind):
    assert type(refuse(getattr(forzium, name), X, axis=axes)) is kind
    assert type(refuse(getattr(np, name), X, axis=axes)) is kind


@pytest.mark.parametrize(("axes", "kind"), [((0, 2), AxisError), ((0, -3), AxisError), ((1, 1), ValueError)])
def test_transpose(axes, kind):
    error = refuse(forzium.transpose, X, axes)
    assert type(error) is kind
    assert f"axes[1] is {axes[1]}" in str(error)
    assert type(refuse(np.transpose, X, axes)) is kind


def test_products():
    error = refuse(forzium.vecdot, X, X, axis=2)
    assert type(error) is AxisError
    assert type(refuse(np.vecdot, X, X, axis=2)) is AxisError


def test_a_number_has_no_axis_to_sum_products_along():
    for operation in (forzium.vecdot, np.vecdot):
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - each has its own message
            operation(1.0, X)
        assert type(caught.value) is ValueError


@pytest.mark.parametrize("axis", [2**31, -(2**31) - 1, 2**40])
def test_an_axis_beyond_all_arrays_is_a_bad_value(axis):
    refuse(forzium.sum, X, axis=axis)
    refuse(forzium.transpose, X, (0, axis))


def test_the_axis_is_quoted():
    assert "axes[1] is 1000;" in str(refuse(forzium.transpose, X, (0, 1000)))


@pytest.mark.parametrize(
    ("name", "axis"),
    [
        *((name, axis) for name in ("mean", "var", "std") for axis in (0, -1)),
        *((name, axes) for name in REDUCTIONS for axes in ((0,), (-1,))),
    ],
)
@pytest.mark.parametrize("number", [np.float64(3), np.array(3)], ids=repr)
def test_an_axis_of_a_number(name, axis, number):
    for operation in (getattr(forzium, name), getattr(np, name)):
        assert type(refuse(operation, number, axis=axis)) is AxisError


@pytest.mark.parametrize("name", [*REDUCTIONS, *PLACES, "cumsum", "cumprod"])
def test_a_bool_is_no_axis(name):
    for operation in (getattr(forzium, name), getattr(np, name)):
        with pytest.raises(TypeError, match="integer"):
            operation(X, True)


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("axes", [(), (0,), (0, 1), (0, 5)])
@pytest.mark.parametrize("x", [X, np.float64(3)], ids=["array", "number"])
def test_places_have_one_axis(name, axes, x):
    for operation in (getattr(forzium, name), getattr(np, name)):
        with pytest.raises(TypeError, match="tuple"):
            operation(x, axis=axes)


def test_bools_do_not_permute():
    for operation in (forzium.transpose, np.transpose):
        with pytest.raises(TypeError, match="integer"):
            operation(X, (True, False))


@pytest.mark.parametrize("text", ["sum(x, axis=2)", "max(x + 1, axis=-3)"])
def test_expressions(text):
    assert type(refuse(forzium.evaluate, text, {"x": X})) is AxisError


def test_fused_functions():
    assert type(refuse(forzium.fuse(lambda x: forzium.mean(x * 2, axis=5)), X)) is AxisError


def test_nothing_is_written():
    out = np.full(4, 7.0)
    refuse(forzium.sum, X, axis=2, out=out)
    assert (out == 7).all()


def test_an_axis_of_a_list(run_python):
    """The program that catches it need not know NumPy."""
    run_python(
        "import forzium\n"
        "try:\n"
        "    forzium.sum([1.0, 2.0], axis=1)\n"
        "except IndexError as error:\n"
        "    assert 'axis 1 is out of bounds' in str(error)\n"
        "else:\n"
        "    raise AssertionError\n"
    )
