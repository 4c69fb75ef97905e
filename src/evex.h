/* AVX-512 instructions as bytes: as much of the EVEX encoding (Intel SDM, volume 2, section 2.7) as
   expression_code.c needs, and the few general instructions around them. */
#ifndef FZ_EVEX_H
#define FZ_EVEX_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Where bytes go; `full` once there was no room for some. */
typedef struct fz__bytes {
    uint8_t *at, *end;
    bool full;
} fz__bytes;

static inline void fz__put(fz__bytes *b, const void *bytes, size_t n) {
    if ((size_t)(b->end - b->at) < n) {
        b->full = true;
        return;
    }
    memcpy(b->at, bytes, n);
    b->at += n;
}

/* An opcode and what tells it from others with the same: prefix (0: none, 1: 66, 2: F3, 3: F2), map (1: 0F, 2: 0F38,
   3: 0F3A), W; and the vector's length, 512 or 128 bits. */
typedef struct fz__instruction_form {
    uint8_t prefix, map, wide, opcode;
    bool is_short;
} fz__instruction_form;

/* base + index * (1 << scale), in the numbers of general registers, and `ahead` times what the instruction moves; index
   FZ_NO_INDEX: base alone. */
enum { FZ_NO_INDEX = 4 };
typedef struct fz__address {
    int base, index, scale, ahead;
} fz__address;

/* The mask that an instruction writes under: none, or register `mask`, whose other lanes stay or become 0. */
typedef struct fz__lanes {
    int mask;
    bool zero;
} fz__lanes;

static inline void fz__put_evex(fz__bytes *b, fz__instruction_form f, int reg, int second, bool x, bool base,
                                fz__lanes lanes) {
    const uint8_t bytes[] = {
        0x62,
        (uint8_t)((~reg >> 3 & 1) << 7 | !x << 6 | !base << 5 | (~reg >> 4 & 1) << 4 | f.map),
        (uint8_t)(f.wide << 7 | (~second & 15) << 3 | 4 | f.prefix),
        (uint8_t)(lanes.zero << 7 | (f.is_short ? 0 : 2) << 5 | (~second >> 4 & 1) << 3 | lanes.mask),
        f.opcode,
    };
    fz__put(b, bytes, sizeof bytes);
}

/* reg = op(second, third), all registers. Unary operations have second = 0. */
static inline void fz__put_registers(fz__bytes *b, fz__instruction_form f, int reg, int second, int third,
                                     fz__lanes lanes) {
    fz__put_evex(b, f, reg, second, third >> 4 & 1, third >> 3 & 1, lanes);
    fz__put(b, (const uint8_t[]){(uint8_t)(0xc0 | (reg & 7) << 3 | (third & 7))}, 1);
}

/* Between a register and memory. */
static inline void fz__put_memory(fz__bytes *b, fz__instruction_form f, int reg, fz__address m,
                                  fz__lanes lanes) {
    fz__put_evex(b, f, reg, 0, m.index >> 3 & 1, m.base >> 3 & 1, lanes);
    const uint8_t rest[] = {(uint8_t)(0x44 | (reg & 7) << 3),
                            (uint8_t)(m.scale << 6 | (m.index & 7) << 3 | (m.base & 7)), (uint8_t)m.ahead};
    fz__put(b, rest, sizeof rest);
}

static inline void fz__put_byte(fz__bytes *b, int byte) { fz__put(b, (const uint8_t[]){(uint8_t)byte}, 1); }

static inline void fz__put_int(fz__bytes *b, int32_t value) { fz__put(b, &value, sizeof value); }

/* reg = *(base + offset), 64 bits. base is neither rsp nor r12. */
static inline void fz__put_pointer_load(fz__bytes *b, int reg, int base, int32_t offset) {
    const uint8_t bytes[] = {(uint8_t)(0x48 | reg >> 3 << 2 | base >> 3), 0x8b,
                             (uint8_t)(0x80 | (reg & 7) << 3 | (base & 7))};
    fz__put(b, bytes, sizeof bytes);
    fz__put_int(b, offset);
}

static inline void fz__put_push(fz__bytes *b, int reg) {
    fz__put(b, (const uint8_t[]){(uint8_t)(0x40 | reg >> 3), (uint8_t)(0x50 | (reg & 7))}, 2);
}

static inline void fz__put_pop(fz__bytes *b, int reg) {
    fz__put(b, (const uint8_t[]){(uint8_t)(0x40 | reg >> 3), (uint8_t)(0x58 | (reg & 7))}, 2);
}

#endif
