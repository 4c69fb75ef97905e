"""Sequences and other arrays' interfaces as arguments: what they lie about or change is a clear error."""

import forzium
import numpy as np
import pytest
from oracle import outcome
from refusals import OPERATIONS, SQUARE, arguments, assert_refused, call_with, nested, result_of

# ---- sequences ---------------------------------------------------------------------------------


def cyclic():
    value = []
    value.append(value)
    return value


RAGGED = {
    "rows of two lengths": [[1.0, 2.0], [3.0]],
    "a number among rows": [[1.0, 2.0], 3.0],
    "a row among numbers": [1.0, [2.0, 3.0]],
    "deep": [[[1.0], [2.0]], [[3.0], [4.0, 5.0]]],
    "an empty row": [[1.0], []],
    "uneven depth": [[1.0], [[2.0]]],
    "65 levels": nested(65),
    "100,000 levels": nested(100_000),
    "itself within": cyclic(),
}


@arguments
@pytest.mark.parametrize("kind", RAGGED)
def test_ragged_and_too_deep_sequences(name, argument, kind):
    out = np.full(np.shape(result_of(name)), 7.0)
    value = RAGGED[kind]
    assert_refused(lambda: call_with(name, argument, value, out=out), ValueError, name, argument, out=out)


def test_sequences_as_deep_as_numpy_allows():
    np.testing.assert_array_equal(forzium.negative(nested(64)), -np.array(nested(64)))


@arguments
def test_integers_too_large_for_a_float(name, argument):
    for value in (10**400, [10**400], [[10**400] * 4] * 4, -(10**400)):
        assert_refused(lambda value=value: call_with(name, argument, value), OverflowError, name, argument)


def test_lists_that_convert_themselves_to_other_memory(run_python):
    """What NumPy makes of such a list need not lie in order, nor hold its items: no crash."""
    run_python(
        """
        import forzium, numpy as np

        class Reversed(list):
            def __array__(self, dtype=None, copy=None):
                return np.array([1, 2, 3, 2**70], object)[::-1]

        class Spread(Reversed):
            def __array__(self, dtype=None, copy=None):
                return np.array([[1, 0]] * 2 + [[2**70, 0]] * 2, object)[:, 0]

        class Repeated(Reversed):
            def __array__(self, dtype=None, copy=None):
                return np.broadcast_to(np.array(2**70, object), (4,))

        for kind in (Reversed, Spread, Repeated):
            for items in ([1, 2, 3, 2**70], [1.0] * 4, [2**70], []):
                value = kind(items)
                for given in (value, [value, value], [kind([2**70])]):
                    for call in (forzium.negative, forzium.sum, forzium.max, forzium.transpose,
                                 lambda x: forzium.add(x, 1.0), lambda x: forzium.add(1.0, x),
                                 lambda x: forzium.matmul(x, np.ones((4, 1)))):
                        for _ in range(20):
                            try:
                                np.asarray(call(given)).tobytes()
                            except (TypeError, ValueError):
                                pass
        """
    )


@arguments
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_byte_swapped_floats_are_taken(name, argument, dtype):
    value = OPERATIONS[name][1][OPERATIONS[name][0].index(argument)].astype(dtype)
    swapped = value.astype(value.dtype.newbyteorder())
    np.testing.assert_array_equal(call_with(name, argument, swapped), call_with(name, argument, value))


@pytest.mark.skipif(
    np.lib.NumpyVersion(np.__version__) < "2.3.0", reason="this NumPy crashes on them: np.asarray(victim)"
)
def test_sequences_that_change_while_they_are_read(run_python):
    """Numbers whose conversion empties the list they are in: an error or a result, never a crash."""
    run_python(
        """
        import forzium

        class Saboteur(float):
            def __float__(self):
                victim.clear()
                rows.clear()
                return 1.0

        class Integer:
            def __index__(self):
                victim.clear()
                return 1
            __float__ = __index__

        class Row(list):
            def __len__(self):
                return 10**6
            def __getitem__(self, index):
                raise RuntimeError("no")

        for saboteur in (Saboteur(1.0), Integer()):
            for position in range(3):
                victim = [1.0, 2.0, 3.0]
                victim[position] = saboteur
                rows = [victim, [1.0, 2.0, 3.0]]
                for call in (lambda: forzium.add(victim, 1.0), lambda: forzium.sum(rows)):
                    try:
                        call()
                    except (TypeError, ValueError, RuntimeError):
                        pass
        for row in (Row([1.0]), [Row([1.0]), [2.0]]):
            try:
                forzium.add(row, 1.0)
            except (TypeError, ValueError, RuntimeError, MemoryError):
                pass
        """
    )


# ---- exporters that lie or fail ----------------------------------------------------------------


class Interface:
    def __init__(self, interface):
        self.__array_interface__ = interface


GOOD_INTERFACE = SQUARE.__array_interface__


@pytest.mark.parametrize(
    "change",
    [{"typestr": "<c16"}, {"typestr": "nonsense"}, {"typestr": 8}, {"shape": (-1, 4)}, {"shape": "44"},
     {"shape": (2.5,)}, {"data": "here"}, {"data": (None, False)}, {"strides": (8,)}, {"strides": "88"}],
    ids=repr,
)  # fmt: skip
def test_malformed_array_interface(change):
    exporter = Interface({**GOOD_INTERFACE, **change})
    _, error = outcome(lambda: forzium.negative(exporter))
    assert isinstance(error, (TypeError, ValueError)), error


@pytest.mark.parametrize("interface", [None, 3, {}, {"version": 3}, ()], ids=repr)
def test_array_interface_that_is_none(interface):
    _, error = outcome(lambda: forzium.negative(Interface(interface)))
    assert isinstance(error, (TypeError, ValueError)), error


@pytest.mark.parametrize("attribute", ["__array_interface__", "__dlpack__"])
def test_an_exporters_own_error_comes_through(attribute):
    def fail(self, *args, **kwargs):
        raise RuntimeError("exporter says no")

    body = {"__array_interface__": property(fail)} if attribute == "__array_interface__" else {
        "__dlpack__": fail, "__dlpack_device__": lambda self: (1, 0)
    }  # fmt: skip
    exporter = type("Exporter", (), body)()
    with pytest.raises(RuntimeError, match="exporter says no"):
        forzium.negative(exporter)


@pytest.mark.parametrize("device", [(2, 0), (8, 0)])
def test_dlpack_of_another_device(device):
    class Exporter:
        def __dlpack__(self, **options):
            raise BufferError("not on the CPU")

        def __dlpack_device__(self):
            return device

    _, error = outcome(lambda: forzium.negative(Exporter()))
    assert isinstance(error, (TypeError, ValueError, BufferError)), error


def test_dlpack_that_is_no_capsule():
    class Exporter:
        def __dlpack__(self, **options):
            return 3

        def __dlpack_device__(self):
            return (1, 0)

    _, error = outcome(lambda: forzium.negative(Exporter()))
    assert isinstance(error, (TypeError, ValueError)), error
