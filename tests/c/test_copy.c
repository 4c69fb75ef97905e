/* Copies under a mask: what is chosen is converted, nothing else is written or read. */
#include "instruction_set.h"
#include "operand.h"

static operand x, mask, out;
static uint64_t state = 11;

static void fill(operand *o) {
    for (ptrdiff_t i = 0; i < view_size(&o->view); i++) put(&o->view, i, (double)(random_bits(&state) % 100));
}

static void check_copied(fz_array before) {
    ptrdiff_t right = 0;
    const ptrdiff_t size = view_size(&out.view);
    for (; right < size; right++) {
        const double given = get(&x.view, right), was = get(&before, right);
        const double want = get(&mask.view, right) != 0 ? given : was;
        if (get(&out.view, right) != want) break;
    }
    CHECK(right == size, "element %td of %td differs", right, size);
    CHECK(operand_unchanged_around(&out), "wrote beside the output");
}

static void check_lengths(fz_dtype from, fz_dtype to, const ptrdiff_t steps[3]) {
    static double kept[600];
    static const unsigned shares[] = {0, 1, 2, 3, 100}; /* of 100 elements as many are not chosen, about */
    for (ptrdiff_t n = 0; n < 600; n += n < 70 ? 1 : 61)
        for (int share = 0; share < 5; share++) {
            check_case("%s to %s, %td, share %d", fz_dtype_name(from), fz_dtype_name(to), n, share);
            const ptrdiff_t sizes[] = {(ptrdiff_t)fz_dtype_size(from), 1, (ptrdiff_t)fz_dtype_size(to)};
            const placement where = n % 2 ? AT_BEGIN : AT_END;
            operand_place(&x, from, 1, &n, (ptrdiff_t[]){steps[0] * sizes[0]}, where, 0);
            operand_place(&mask, FZ_BOOL, 1, &n, (ptrdiff_t[]){steps[1]}, where, 0);
            operand_place(&out, to, 1, &n, (ptrdiff_t[]){steps[2] * sizes[2]}, where, 0);
            fill(&x), operand_scribble(&out), fill(&out);
            for (ptrdiff_t i = 0; i < n; i++) {
                put(&mask.view, i, random_bits(&state) % 100 >= shares[share]);
                kept[i] = get(&out.view, i);
            }
            operand_remember(&out);
            if (!CHECK(fz_copy_where(&x.view, &mask.view, &out.view) == FZ_OK, "%s", fz_error_message()))
                return;
            check_copied((fz_array){kept, FZ_FLOAT64, 1, &n, (ptrdiff_t[]){sizeof *kept}});
        }
}

static void check_refused(const fz_array *from, const fz_array *where, const fz_array *to,
                          fz_status expected) {
    fz_array target = *to;
    operand_remember(&out);
    const fz_status status = fz_copy_where(from, where, &target);
    CHECK(status == expected, "gave %d (%s), not %d", status, fz_error_message(), expected);
    CHECK(operand_unchanged(&out), "failed and wrote");
}

static void test_refusals(void) {
    const ptrdiff_t three = 3, two = 2;
    check_case("refusals");
    operand_place(&x, FZ_FLOAT64, 1, &three, NULL, AT_END, 0);
    operand_place(&mask, FZ_BOOL, 1, &three, NULL, AT_END, 0);
    operand_place(&out, FZ_FLOAT64, 1, &three, NULL, AT_END, 0);
    operand_scribble(&out);
    check_refused(NULL, NULL, &out.view, FZ_ERROR_VALUE);
    check_refused(&x.view, &x.view, &out.view, FZ_ERROR_DTYPE);
    operand_place(&mask, FZ_BOOL, 1, &two, NULL, AT_END, 0);
    check_refused(&x.view, &mask.view, &out.view, FZ_ERROR_SHAPE);
    fz_array same = out.view;
    same.strides = (ptrdiff_t[]){0};
    check_refused(&x.view, NULL, &same, FZ_ERROR_OVERLAP);
}

int main(void) {
    static const ptrdiff_t steps[][3] = {{1, 1, 1}, {2, -3, 1}, {0, 1, 2}, {-1, 1, -1}, {1, 0, 1}};
    static const fz_dtype pairs[][2] = {{FZ_FLOAT64, FZ_FLOAT64}, {FZ_FLOAT32, FZ_FLOAT64},
                                        {FZ_INT64, FZ_FLOAT32},   {FZ_UINT8, FZ_INT16},
                                        {FZ_INT16, FZ_UINT8},     {FZ_UINT32, FZ_INT32}};
    check_begin_kernels();
    x = operand_create(1 << 14), mask = operand_create(1 << 14), out = operand_create(1 << 14);
    for (int p = 0; p < 6; p++)
        for (int s = 0; s < 5; s++) check_lengths(pairs[p][0], pairs[p][1], steps[s]);
    test_refusals();
    operand_destroy(&x), operand_destroy(&mask), operand_destroy(&out);
    return check_end();
}
