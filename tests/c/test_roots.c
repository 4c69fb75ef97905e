/* Square roots: whichever way this CPU goes, each gives the bits of the C library's. */
#include "instruction_set.h"
#include "internal.h"

enum { N = 1 << 18 };

static float narrow[N], narrow_roots[N];
static double wide[N], wide_roots[N];

/* Of all exponents; squares, what is beside them, and what has no root. */
static void fill(void) {
    static const double special[] = {0, -0.0, 1, -1, INFINITY, -INFINITY, NAN, 4, 0x1p-1074, 0x1p-149};
    uint64_t state = 1;
    for (int i = 0; i < N; i++) {
        const float f = fabsf(random_float(&state));
        const double d = fabs(random_double(&state)), whole = floor(random_unit(&state) * 0x1p26);
        const bool is_square = i % 4 == 0;
        narrow[i] = is_square ? (float)(whole / 0x1p14) * (float)(whole / 0x1p14) : f;
        wide[i] = is_square ? whole * whole : d;
        if (i % 8 == 4) narrow[i] = nextafterf(narrow[i], 0), wide[i] = nextafter(wide[i], 0);
    }
    for (int i = 0; i < (int)(sizeof special / sizeof *special); i++) {
        narrow[i * 37] = (float)special[i];
        wide[i * 41] = special[i];
    }
}

static void test_roots(bool quick) {
    const ptrdiff_t shape[] = {N}, narrow_step[] = {4}, wide_step[] = {8};
    const fz_array x = {narrow, FZ_FLOAT32, 1, shape, narrow_step},
                   y = {wide, FZ_FLOAT64, 1, shape, wide_step};
    fz_array roots = {narrow_roots, FZ_FLOAT32, 1, shape, narrow_step},
             wider = {wide_roots, FZ_FLOAT64, 1, shape, wide_step};
    check_case(quick ? "by the instruction" : "by steps");
    fz__roots_are_quick = quick;
    CHECK(fz_sqrt(&x, &roots) == FZ_OK);
    CHECK(fz_sqrt(&y, &wider) == FZ_OK);
    for (int i = 0; i < N; i++) {
        if (!same_float(narrow_roots[i], sqrtf(narrow[i])))
            CHECK(false, "of %a: %a", narrow[i], narrow_roots[i]);
        if (!same_double(wide_roots[i], sqrt(wide[i]))) CHECK(false, "of %a: %a", wide[i], wide_roots[i]);
    }
}

int main(void) {
    check_begin_kernels();
    fill();
    test_roots(false);
    test_roots(true);
    return check_end();
}
