/* Expressions: checking a program and settling its dtypes. */
#include "expression.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "float_environment.h"

fz_dtype fz__operand_dtype(fz_op op, fz_dtype compute, int k) {
    return op != FZ_OP_COUNT && fz_op_is_condition(op, k) ? FZ_BOOL : compute;
}

/* ---- checks ----------------------------------------------------------------------------------------------- */

static fz_status check_program(const fz_program *p) {
    if (p->inputs < 0 || p->constants < 0 || p->instructions < 0 || p->outputs < 1)
        return fz__fail(FZ_ERROR_VALUE, "expression: a count is negative, or there is no output");
    if (p->inputs + p->outputs > FZ_MAX_EXPRESSION_ARRAYS)
        return fz__fail(FZ_ERROR_VALUE, "expression: %d inputs and outputs; at most %d would do",
                        p->inputs + p->outputs, FZ_MAX_EXPRESSION_ARRAYS);
    const int first = p->inputs + p->constants;
    for (int i = 0; i < p->instructions; i++) {
        const fz_instruction *in = &p->instruction[i];
        if ((unsigned)in->op > FZ_OP_COUNT || (unsigned)in->dtype > FZ_DTYPE_COUNT)
            return fz__fail(FZ_ERROR_VALUE, "expression: instruction %d has an unknown operation or dtype",
                            i);
        for (int k = 0; k < fz__instruction_arity(in); k++) {
            if (in->operands[k] < 0 || in->operands[k] >= first + i)
                return fz__fail(FZ_ERROR_VALUE, "expression: instruction %d uses value %d before it is there",
                                i, in->operands[k]);
        }
    }
    for (int i = 0; i < p->outputs; i++) {
        if (p->output[i] < 0 || p->output[i] >= first + p->instructions)
            return fz__fail(FZ_ERROR_VALUE, "expression: output %d is value %d, which is not there", i,
                            p->output[i]);
    }
    return FZ_OK;
}

/* ---- dtypes ----------------------------------------------------------------------------------------------- */

static bool is_integer(fz_dtype dtype) { return dtype >= FZ_INT8 && dtype <= FZ_UINT64; }

static bool is_huge(const fz_constant *number) { return number->kind.weak == FZ_HUGE; }

static bool is_negative(const fz_constant *number) {
    return is_huge(number) ? number->value.real < 0
                           : number->kind.dtype == FZ_INT64 && number->value.integer < 0;
}

bool fz__integer_fits(const fz_constant *number, fz_dtype dtype) {
    if (!is_integer(dtype)) return true;
    if (!is_integer(number->kind.dtype)) return !is_huge(number);
    const unsigned bits = 8 * (unsigned)fz_dtype_size(dtype);
    if (dtype >= FZ_UINT8) return !is_negative(number) && number->value.natural >> (bits - 1) >> 1 == 0;
    const uint64_t size = is_negative(number) ? ~number->value.natural : number->value.natural;
    return size >> (bits - 1) == 0;
}

/* What a Python number becomes beside arrays of dtype `strong` (NEP 50). */
static fz_dtype weak_dtype(fz_dtype own, fz_dtype strong) {
    if (fz__is_float(own)) return fz__is_float(strong) ? strong : FZ_FLOAT64;
    return strong == FZ_BOOL ? own : strong;
}

/* What one instruction becomes, at most: itself, and conversions of what it reads and writes. */
enum { MOST_SETTLED = 1 + FZ_MAX_OPERANDS };

/* The builder of a program with dtypes: values[place_of[v]] is value v of the program as given. */
typedef struct typing {
    const fz_program *program;
    int *place_of;
    fz__value *values;
    fz_instruction *instruction;
    bool *exponents; /* of the inputs */
    int first, instructions;
} typing;

static void append(typing *t, fz_instruction in, fz__value value) {
    t->instruction[t->instructions] = in;
    t->values[t->first + t->instructions++] = value;
}

static void append_conversion(typing *t, int from, fz_dtype dtype, bool weak) {
    append(t, (fz_instruction){FZ_OP_COUNT, dtype, {from}}, (fz__value){dtype, dtype, weak, -1});
}

/* The constant that value v is, if it is one and weak. */
static const fz_constant *weak_constant(const typing *t, int v) {
    if (v < t->program->inputs || v >= t->first || !t->values[v].weak) return NULL;
    return &t->program->constant[v - t->program->inputs];
}

/* The dtypes that the operands count as; whether all are weak. The number that does not fit its dtype, or NULL. */
static const fz_constant *operand_dtypes(const typing *t, const fz_instruction *in, fz_dtype dtypes[],
                                         bool *weak) {
    const fz_constant *misfit = NULL;
    const int arity = fz_op_arity(in->op);
    fz_dtype strong_ones[3];
    int count = 0;
    *weak = true;
    for (int k = 0; k < arity; k++) {
        const fz__value *x = &t->values[in->operands[k]];
        dtypes[k] = x->result;
        *weak &= x->weak;
        if (x->weak || fz_op_is_condition(in->op, k)) continue;
        strong_ones[count++] = x->result;
    }
    const fz_dtype strong = fz_promote_all(count, strong_ones);
    for (int k = 0; k < arity; k++) {
        if (!t->values[in->operands[k]].weak || fz_op_is_condition(in->op, k)) continue;
        const fz_constant *number = weak_constant(t, in->operands[k]);
        const fz_dtype own = number && is_huge(number) ? FZ_INT64 : dtypes[k];
        const fz_dtype taken = count ? weak_dtype(own, strong) : own;
        const bool fits = !number || fz__integer_fits(number, taken);
        if (!fits && fz__op_result(in->op, FZ_INT64) == FZ_BOOL) continue; /* compared as it is */
        if (!fits) misfit = number;
        dtypes[k] = taken;
    }
    return misfit;
}

static fz_status fail_misfit(const char *operation, const fz_constant *number, fz_dtype dtype) {
    char text[32];
    if (is_huge(number))
        snprintf(text, sizeof text, "%.17g", number->value.real);
    else if (number->kind.dtype == FZ_UINT64)
        snprintf(text, sizeof text, "%llu", (unsigned long long)number->value.natural);
    else
        snprintf(text, sizeof text, "%lld", (long long)number->value.integer);
    return fz__fail(FZ_ERROR_RANGE, "%s: the number %s does not fit %s", operation, text,
                    fz_dtype_name(dtype));
}

/* Beside narrow floats, and integers that become such, numbers are rounded to them, as arrays of them were: the
   computation is in float32. */
static void narrow_numbers(typing *t, fz_instruction *in, const fz_dtype dtypes[], fz_dtype result) {
    for (int k = fz_op_is_condition(in->op, 0); k < fz_op_arity(in->op); k++) {
        const int v = in->operands[k];
        const fz_dtype narrow = fz__is_narrow_float(dtypes[k]) ? dtypes[k] : result;
        if (!t->values[v].weak || !fz__is_narrow_float(narrow)) continue;
        in->operands[k] = t->first + t->instructions;
        append_conversion(t, v, narrow, true);
    }
}

/* Value v is an exponent of integers, which may not be below 0: known now, or of an input when it comes. */
static fz_status settle_exponent(typing *t, int v) {
    const fz_program *p = t->program;
    const fz_dtype dtype = t->values[v].result;
    if (dtype == FZ_BOOL || (dtype >= FZ_UINT8 && dtype <= FZ_UINT64)) return FZ_OK;
    if (v < p->inputs) {
        t->exponents[v] = true;
        return FZ_OK;
    }
    int from = v; /* a constant may have been converted */
    while (from >= t->first && t->instruction[from - t->first].op == FZ_OP_COUNT)
        from = t->instruction[from - t->first].operands[0];
    const fz_constant *number = from >= p->inputs && from < t->first ? &p->constant[from - p->inputs] : NULL;
    if (number && number->value.integer >= 0 && fz__integer_fits(number, dtype)) return FZ_OK;
    if (number)
        return fz__fail(FZ_ERROR_VALUE, "power: an integer to the power %lld is no integer; floats would do",
                        (long long)number->value.integer);
    return fz__fail(
        FZ_ERROR_VALUE,
        "power: an exponent of dtype %s that the expression computes may be below 0, where integers "
        "have no power; an array of exponents, float64(...) or uint8(...) would do",
        fz_dtype_name(dtype));
}

/* Is a bound of clip an integer that no element of this dtype is beyond? */
static bool bounds_nothing(const fz_constant *bound, fz_dtype dtype, bool is_low) {
    return bound && !fz__integer_fits(bound, dtype) && is_negative(bound) == is_low;
}

/* Such a bound is none, as NumPy's: what is left is an operation with the other. */
static fz_instruction without_bounds(const typing *t, const fz_instruction *in) {
    const int x = in->operands[0], low = in->operands[1], high = in->operands[2];
    if (in->op != FZ_OP_clip || t->values[x].weak) return *in;
    const fz_dtype dtype = t->values[x].result;
    const bool is_above = bounds_nothing(weak_constant(t, low), dtype, true);
    const bool is_below = bounds_nothing(weak_constant(t, high), dtype, false);
    if (is_above && is_below) return (fz_instruction){FZ_OP_positive, in->dtype, {x}};
    if (is_above) return (fz_instruction){FZ_OP_minimum, in->dtype, {x, high}};
    if (is_below) return (fz_instruction){FZ_OP_maximum, in->dtype, {x, low}};
    return *in;
}

/* The bits of the signed number s are what it is from 0 up: as uint64 it compares as it should. Below 0 it is less than
   any unsigned, whatever its bits say:  s < u  is  bits(s) < u | s < 0,  and  s == u  is  bits(s) == u & s >= 0. */
static void settle_mixed_comparison(typing *t, const fz_instruction *in, bool is_signed_first) {
    const int s = in->operands[is_signed_first ? 0 : 1];
    const bool is_less = in->op == FZ_OP_less || in->op == FZ_OP_less_equal;
    const bool holds_below =
        in->op == FZ_OP_not_equal || (in->op != FZ_OP_equal && is_less == is_signed_first);
    const fz__value number = {FZ_INT64, FZ_INT64, false, -1};
    const fz__value natural = {FZ_UINT64, FZ_BOOL, false, -1}, sign = {FZ_INT64, FZ_BOOL, false, -1};
    const int made = t->first + t->instructions;
    append(t, *in, natural);
    append(t, (fz_instruction){FZ_OP_subtract, in->dtype, {s, s}}, number); /* 0 */
    append(t, (fz_instruction){holds_below ? FZ_OP_less : FZ_OP_greater_equal, in->dtype, {s, made + 1}},
           sign);
    append(t,
           (fz_instruction){holds_below ? FZ_OP_bitwise_or : FZ_OP_bitwise_and, in->dtype, {made, made + 2}},
           (fz__value){FZ_BOOL, FZ_BOOL, false, -1});
}

/* With a huge number integers are compared as float64, to which those of 64 bits may round up; to twice as much none
   does. Of two such numbers the nearest float64 say nothing. */
static fz_status double_huge(typing *t, fz_instruction *in) {
    const fz_constant *const numbers[] = {weak_constant(t, in->operands[0]),
                                          weak_constant(t, in->operands[1])};
    const bool huge[] = {numbers[0] && is_huge(numbers[0]), numbers[1] && is_huge(numbers[1])};
    if (huge[0] && huge[1]) return fail_misfit(fz_op_name(in->op), numbers[0], FZ_INT64);
    for (int k = 0; k < 2; k++) {
        const int v = in->operands[k];
        if (!huge[k] || !is_integer(t->values[in->operands[1 - k]].result)) continue;
        in->operands[k] = t->first + t->instructions;
        append(t, (fz_instruction){FZ_OP_add, in->dtype, {v, v}},
               (fz__value){FZ_FLOAT64, FZ_FLOAT64, true, -1});
    }
    return FZ_OK;
}

static fz_status settle_operation(typing *t, const fz_instruction *given) {
    fz_dtype dtypes[FZ_MAX_OPERANDS], compute, result;
    bool weak;
    fz_instruction settled = without_bounds(t, given), *const in = &settled;
    const fz_constant *misfit = operand_dtypes(t, in, dtypes, &weak);
    fz_status status = fz_op_dtype(in->op, dtypes, &compute, &result);
    if (status) return status;
    if (misfit && !fz__is_float(compute)) return fail_misfit(fz_op_name(in->op), misfit, compute);
    if (in->op == FZ_OP_power && !fz__is_full_float(compute)) status = settle_exponent(t, in->operands[1]);
    if (status) return status;
    const fz_dtype computed = fz__op_result(in->op, compute);
    if (fz__is_mixed_comparison(in->op, dtypes)) {
        settle_mixed_comparison(t, in, dtypes[0] == FZ_INT64);
        return FZ_OK;
    }
    if (fz__is_comparison(in->op)) status = double_huge(t, in);
    if (status) return status;
    narrow_numbers(t, in, dtypes, result);
    if (in->op == FZ_OP_multiply && in->operands[0] == in->operands[1] && compute != FZ_BOOL)
        in->op = FZ_OP_square; /* reads it once */
    append(t, *in, (fz__value){compute, computed, weak && result != FZ_BOOL, -1});
    if (result != computed) append_conversion(t, t->first + t->instructions - 1, result, weak);
    return FZ_OK;
}

static fz_status settle_conversion(typing *t, const fz_instruction *in) {
    const fz_constant *number = weak_constant(t, in->operands[0]);
    if (number && !fz__integer_fits(number, in->dtype) && is_huge(number))
        return fail_misfit("astype", number, in->dtype);
    append_conversion(t, in->operands[0], in->dtype, false);
    return FZ_OK;
}

/* Gives every instruction its dtypes; what has another dtype in memory than in computing becomes a conversion,
   and so does an output that is no instruction's result. */
static fz_status settle_program(typing *t, const fz_kind kinds[], int output[]) {
    const fz_program *p = t->program;
    for (int v = 0; v < t->first; v++) {
        const fz_kind kind = v < p->inputs ? kinds[v] : p->constant[v - p->inputs].kind;
        if ((unsigned)kind.dtype >= FZ_DTYPE_COUNT)
            return fz__fail(FZ_ERROR_DTYPE, "expression: value %d has the unknown dtype %d", v,
                            (int)kind.dtype);
        t->place_of[v] = v;
        t->values[v] = (fz__value){kind.dtype, kind.dtype, kind.weak != 0, -1};
    }
    for (int i = 0; i < p->instructions; i++) {
        fz_instruction in = p->instruction[i];
        for (int k = 0; k < fz__instruction_arity(&in); k++) in.operands[k] = t->place_of[in.operands[k]];
        const fz_status status = in.op == FZ_OP_COUNT ? settle_conversion(t, &in) : settle_operation(t, &in);
        if (status) return status;
        t->place_of[t->first + i] = t->first + t->instructions - 1;
    }
    for (int i = 0; i < p->outputs; i++) {
        output[i] = t->place_of[p->output[i]];
        if (output[i] >= t->first) continue;
        append_conversion(t, output[i], t->values[output[i]].result, false);
        output[i] = t->first + t->instructions - 1;
    }
    return FZ_OK;
}

/* ---- life ------------------------------------------------------------------------------------------------- */

static bool copy_description(fz_expression *e, const fz_program *p, const fz_kind kinds[]) {
    e->inputs = p->inputs;
    e->constants = p->constants;
    e->outputs = p->outputs;
    e->kinds = malloc((size_t)p->inputs * sizeof *kinds + 1);
    e->constant = malloc((size_t)p->constants * sizeof *e->constant + 1);
    e->output_dtypes = malloc((size_t)p->outputs * sizeof *e->output_dtypes);
    e->names = calloc((size_t)p->inputs + 1, sizeof *e->names);
    e->exponents = calloc((size_t)p->inputs + 1, sizeof *e->exponents);
    if (!e->kinds || !e->constant || !e->output_dtypes || !e->names || !e->exponents) return false;
    if (p->inputs) memcpy(e->kinds, kinds, (size_t)p->inputs * sizeof *kinds);
    if (p->constants) memcpy(e->constant, p->constant, (size_t)p->constants * sizeof *e->constant);
    for (int k = 0; k < p->inputs; k++) {
        e->names[k] = strdup(p->names ? p->names[k] : "an input");
        if (!e->names[k]) return false;
    }
    return true;
}

static fz_status fail_memory(void) {
    return fz__fail(FZ_ERROR_MEMORY, "expression: there is not enough memory");
}

static fz_status build(fz_expression *e, const fz_program *p, const fz_kind kinds[]) {
    const size_t first = (size_t)p->inputs + (size_t)p->constants;
    const size_t most = MOST_SETTLED * (size_t)p->instructions + (size_t)p->outputs;
    typing t = {.program = p, .first = (int)first};
    int output[FZ_MAX_EXPRESSION_ARRAYS];
    t.place_of = malloc((first + most) * sizeof *t.place_of);
    t.values = malloc((first + most) * sizeof *t.values);
    t.instruction = malloc(most * sizeof *t.instruction);
    fz_status status = FZ_OK;
    if (!t.place_of || !t.values || !t.instruction || !copy_description(e, p, kinds)) status = fail_memory();
    t.exponents = e->exponents;
    if (!status) status = settle_program(&t, kinds, output);
    for (int i = 0; !status && i < p->outputs; i++) e->output_dtypes[i] = t.values[output[i]].result;
    if (!status) status = fz__build_chains(e, t.instructions, t.instruction, t.values, output);
    free(t.place_of);
    free(t.values);
    free(t.instruction);
    return status;
}

fz_status fz_expression_create(const fz_program *program, const fz_kind kinds[], fz_expression **expression) {
    fz_status status = fz_init();
    if (!status) status = check_program(program);
    if (status) return status;
    fz_expression *e = calloc(1, sizeof *e);
    if (!e) return fail_memory();
    const fz__float_environment environment = fz__save_float_environment();
    fz__use_default_float_modes(); /* for the constants, which stay */
    status = build(e, program, kinds);
    fz__restore_float_environment(environment);
    if (status)
        fz_expression_free(e);
    else
        *expression = e;
    return status;
}

void fz_expression_free(fz_expression *e) {
    if (!e) return;
    for (int k = 0; e->names && k < e->inputs; k++) free(e->names[k]);
    fz__codes_free(e->codes);
    void *const parts[] = {
        e->names, e->kinds,           e->exponents, e->constant, e->output_dtypes, e->source,  e->conversion,
        e->chain, e->register_dtypes, e->step,      e->meaning,  e->place,         e->bundles, e};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) free(parts[i]);
}

fz_dtype fz_expression_dtype(const fz_expression *e, int output) { return e->output_dtypes[output]; }
