/* Comparisons of int64 with uint64. An expression knows what to make of them: one for each comparison and order is made
   where it is first needed, and kept. */
#include <stdatomic.h>

#include "internal.h"

static fz_status find_mixed_comparison(fz_op op, bool is_signed_first, const fz_expression **found) {
    enum { COMPARISONS = FZ_OP_greater_equal - FZ_OP_equal + 1 };
    static _Atomic(const fz_expression *) all[COMPARISONS][2];
    static const char *const names[] = {"x", "y"};
    static const fz_kind kinds[2][2] = {{{FZ_UINT64, 0}, {FZ_INT64, 0}}, {{FZ_INT64, 0}, {FZ_UINT64, 0}}};
    _Atomic(const fz_expression *) *kept = &all[op - FZ_OP_equal][is_signed_first];
    const fz_instruction compare = {op, FZ_BOOL, {0, 1}};
    const int output = 2;
    const fz_program program = {2, 0, 1, 1, names, NULL, &compare, &output};
    fz_expression *made;
    *found = atomic_load(kept);
    if (*found) return FZ_OK;
    const fz_status status = fz_expression_create(&program, kinds[is_signed_first], &made);
    if (status) return status;
    if (atomic_compare_exchange_strong(kept, found, made))
        *found = made;
    else
        fz_expression_free(made); /* another thread was faster */
    return FZ_OK;
}

fz_status fz__compare_mixed(fz_op op, const fz_array *const inputs[], fz_array *out) {
    const fz_expression *e;
    const fz_status status = find_mixed_comparison(op, inputs[0]->dtype == FZ_INT64, &e);
    return status ? status : fz_expression_run(e, inputs, &out);
}
