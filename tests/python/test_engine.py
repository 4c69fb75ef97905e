"""forzium_engine: lists in, lists out, against plain Python, exact integers and exact fractions."""

import decimal
import doctest
import inspect
import math
import sys
from decimal import Decimal
from fractions import Fraction

import forzium_engine as engine
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

EPS = 2.0**-52


@st.composite
def matrices(draw, values=None, count=1, largest=7):
    """`count` matrices of one shape as lists or tuples of lists or tuples."""
    values = st.floats() if values is None else values
    rows, columns = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    row = st.lists(values, min_size=columns, max_size=columns)
    matrix = st.lists(row | row.map(tuple), min_size=rows, max_size=rows)
    return [draw(matrix | matrix.map(tuple)) for _ in range(count)]


def integers(rows, columns, seed=0):
    """A matrix of small integers, whose sums and products floats hold exactly."""
    return np.random.default_rng(seed).integers(-50, 50, (rows, columns)).tolist()


def same_lists(got, want):
    """Lists of Python floats with the values and zeros' signs of `want`."""
    return repr(got) == repr(want)


# ---- results ------------------------------------------------------------------------------------------


@given(matrices(), st.floats())
def test_multiply_and_add_give_plain_pythons_floats(drawn, scalar):
    (m,) = drawn
    before = repr(m)
    assert same_lists(engine.multiply(m, scalar), [[x * scalar for x in row] for row in m])
    assert same_lists(engine.add(m, scalar), [[x + scalar for x in row] for row in m])
    assert repr(m) == before


@given(matrices(count=2))
def test_elementwise_gives_plain_pythons_floats(drawn):
    a, b = drawn
    pairs = [list(zip(x, y, strict=True)) for x, y in zip(a, b, strict=True)]
    sums = [[x + y for x, y in row] for row in pairs]
    assert same_lists(engine.elementwise_add(a, b), sums)
    assert same_lists(engine.simd_elementwise_add(a, b), sums)
    assert same_lists(engine.elementwise_mul(a, b), [[x * y for x, y in row] for row in pairs])


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (1, 33), (33, 1), (100, 100), (257, 129)])
def test_sizes_on_both_sides_of_every_limit(shape):
    m = integers(*shape)
    assert engine.multiply(m, 0.5) == [[x * 0.5 for x in row] for row in m]
    assert engine.elementwise_add(m, m) == [[2 * x for x in row] for row in m]
    assert engine.transpose(m) == [list(column) for column in zip(*m, strict=True)]


def test_results_are_new_lists_of_floats():
    row = [1.0, 2.0]
    result = engine.multiply([row, row], 1)
    assert type(result) is list
    assert all(type(r) is list for r in result)
    assert all(type(x) is float for r in result for x in r)
    assert result[0] is not result[1]
    assert result[0] is not row


@pytest.mark.parametrize("multiply", [engine.matmul, engine.simd_matmul])
@pytest.mark.parametrize(("m", "k", "n"), [(1, 1, 1), (2, 3, 4), (5, 1, 7), (1, 40, 1), (67, 131, 50)])
def test_matmul_of_integers_is_exact(multiply, m, k, n):
    a, b = integers(m, k, 1), integers(k, n, 2)
    want = [[sum(a[i][p] * b[p][j] for p in range(k)) for j in range(n)] for i in range(m)]
    assert multiply(a, b) == want


@given(matrices(st.floats(-1e6, 1e6), count=2))
def test_matmul_stays_within_its_bound(drawn):
    a, b = drawn[0], list(zip(*drawn[1], strict=True))
    k = len(b)
    for row, results in zip(a, engine.simd_matmul(a, b), strict=True):
        for column, got in zip(zip(*b, strict=True), results, strict=True):
            products = [Fraction(x) * Fraction(y) for x, y in zip(row, column, strict=True)]
            bound = k * EPS * sum(map(abs, products)) + Fraction(k * 5e-324)
            assert abs(Fraction(got) - sum(products)) <= bound


@given(matrices(st.integers(-1000, 1000)), st.data())
def test_conv2d_of_integers_is_exact(drawn, data):
    (m,) = drawn
    h, w = len(m), len(m[0])
    kh, kw = data.draw(st.integers(1, h)), data.draw(st.integers(1, w))
    kernel = integers(kh, kw, 3)
    want = [
        [sum(m[i + p][j + q] * kernel[p][q] for p in range(kh) for q in range(kw)) for j in range(w - kw + 1)]
        for i in range(h - kh + 1)
    ]
    assert engine.conv2d(m, kernel) == want


@given(matrices(st.floats(allow_nan=False)), st.integers(1, 4))
def test_max_pool2d(drawn, size):
    small = drawn[0]
    m = [row for row in ([*row] * size for row in small) for _ in range(size)]
    want = [
        [max(m[i + p][j + q] for p in range(size) for q in range(size)) for j in range(0, len(m[0]), size)]
        for i in range(0, len(m), size)
    ]
    assert engine.max_pool2d(m, size) == want


def test_max_pool2d_gives_nan_where_a_window_holds_one():
    got = engine.max_pool2d([[math.nan, 9.0, 1.0, 2.0], [5.0, 6.0, 3.0, -math.inf]], 2)
    assert same_lists(got, [[math.nan, 3.0]])


@given(st.lists(st.floats(), min_size=1, max_size=100), st.floats())
def test_scale(v, factor):
    assert same_lists(engine.scale(v, factor), [x * factor for x in v])
    assert same_lists(engine.scale(tuple(v), factor), [x * factor for x in v])


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=200))
def test_sum_list_is_near_the_exact_sum(v):
    bound = 10 * EPS * math.fsum(map(abs, v))
    assert abs(engine.sum_list(v) - math.fsum(v)) <= bound


def test_sum_list_is_pairwise():
    n = 1 << 20
    assert abs(engine.sum_list([0.1] * n) / math.fsum([0.1] * n) - 1) <= 16 * EPS


def unit_vector(v):
    """v / |v| to 60 digits, whatever its magnitude."""
    with decimal.localcontext() as context:
        context.prec = 60
        context.Emax, context.Emin = decimal.MAX_EMAX, decimal.MIN_EMIN
        norm = sum(Decimal(x) ** 2 for x in v).sqrt()
        return [Fraction(Decimal(x) / norm) for x in v]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=40).filter(any))
def test_normalize_over_all_magnitudes(v):
    for got, want in zip(engine.normalize(v), unit_vector(v), strict=True):
        assert abs(Fraction(got) - want) <= 8 * EPS * abs(want) + 2 * Fraction(5e-324)


@pytest.mark.parametrize(
    ("v", "want"),
    [
        ([1e100, 1e100], [math.sqrt(0.5)] * 2),
        ([1e-200, -1e-200], [math.sqrt(0.5), -math.sqrt(0.5)]),
        ([3e307, 4e307], [0.6, 0.8]),
        ([sys.float_info.max] * 4, [0.5] * 4),
        ([5e-324, 0.0], [1.0, 0.0]),
        ([7], [1.0]),
    ],
)
def test_normalize_neither_overflows_nor_vanishes(v, want):
    assert engine.normalize(v) == pytest.approx(want, rel=4 * EPS, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(1, 12), (12, 1), (3, 4), (4, 3)])
def test_reshape(rows, columns):
    v = [float(i) for i in range(12)]
    assert engine.reshape(v, rows, columns) == [v[i * columns : (i + 1) * columns] for i in range(rows)]


def test_small_calls():
    assert engine.noop() is None
    for n in (0, 1, 2**63, 2**64 - 1, True, np.uint64(2**64 - 1)):
        assert engine.echo_u64(n) == n


# ---- what counts as rows of numbers ---------------------------------------------------------------------


class Half:
    def __float__(self):
        return 0.5


class Index:
    def __index__(self):
        return 7


class Rows:
    """A sequence by its protocol alone."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


@pytest.mark.parametrize(
    "data",
    [
        [(3, 4), (5, 6)],
        ([3.0, 4], (5, 6.0)),
        [range(3, 5), range(5, 7)],
        [[np.float32(3), np.int8(4)], [np.float64(5), np.array(6)]],
        np.array([[3, 4], [5, 6]]),
        [np.array([3.0, 4.0]), [Fraction(5), Decimal(6)]],
        Rows([Rows([3, 4]), [5, 6]]),
        memoryview(b"\3\4\5\6").cast("B", (2, 2)),
    ],
)
def test_any_sequence_of_sequences_of_numbers(data):
    assert engine.multiply(data, 2) == [[6.0, 8.0], [10.0, 12.0]]


def test_objects_with_float_or_index():
    assert engine.add([[Half(), Index(), True]], Half()) == [[1.0, 7.5, 1.5]]


# ---- NumPy is not needed --------------------------------------------------------------------------------


def test_nothing_here_loads_numpy(run_python):
    run_python("""
        import sys
        sys.modules["numpy"] = None  # importing it is an error
        import forzium_engine as e
        m = [[float(i + j) for i in range(64)] for j in range(64)]
        assert e.multiply(m, 2.0) == e.elementwise_add(m, m)
        e.add(m, 1.0), e.matmul(m, m), e.simd_matmul(m, m), e.transpose(m), e.simd_elementwise_add(m, m)
        e.elementwise_mul(m, m), e.conv2d(m, [[1.0, 2.0]]), e.max_pool2d(m, 2), e.scale(m[0], 2.0)
        e.normalize(m[0]), e.reshape(m[0], 8, 8), e.sum_list(m[0]), e.noop(), e.echo_u64(3)
        e.detect_simd_support(), e.rayon_pool_metrics(True), e.optimize_thread_pools()
        e.run_in_compute_threadpool(e.noop), e.run_in_io_threadpool(e.noop)
        assert e.zero_copy_multiply(m, 2.0, e.PoolAllocator(1 << 20)).tolist() == e.multiply(m, 2.0)
        try:
            e.multiply([[1.0], ["x"]], 2.0)
        except TypeError:
            pass
        assert not [name for name in sys.modules if name.startswith("numpy.")]
    """)


# ---- documentation --------------------------------------------------------------------------------------

FUNCTIONS = [name for name in engine.__all__ if inspect.isroutine(getattr(engine, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_documented_examples(name):
    function = getattr(engine, name)
    assert inspect.signature(function) is not None
    text = inspect.getdoc(function)
    example = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_name_is_there():
    listed = """
        PoolAllocator add configure_rayon_thread_pool conv2d detect_simd_support echo_u64 elementwise_add
        elementwise_mul matmul max_pool2d multiply noop normalize numpy_ops optimize_thread_pools
        rayon_pool_metrics reshape run_in_compute_threadpool run_in_io_threadpool scale simd_elementwise_add
        simd_matmul sum_list transpose zero_copy_multiply
    """
    assert set(listed.split()) == set(engine.__all__)
