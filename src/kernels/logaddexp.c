/* What vectors of logaddexp leave to whole numbers of 128 bits: results near 0, where its terms cancel. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernels.h"

typedef unsigned __int128 uint128;
typedef __int128 int128;

#define ONE ((uint128)1 << 124) /* fixed-point numbers: 124 bits after the point */

/* a * b, which is below 16; what is below the last place is dropped. */
static uint128 product(uint128 a, uint128 b) {
    const uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    const uint128 middle = (uint128)a1 * b0, other = (uint128)a0 * b1;
    const uint128 low = ((uint128)a0 * b0 >> 64) + (uint64_t)middle + (uint64_t)other;
    return (((uint128)a1 * b1 + (middle >> 64) + (other >> 64)) << 4) + (low >> 60);
}

/* 1 / (n + 1)! in two words. */
static const uint64_t INVERSE_FACTORIALS[][2] = {
    {0x1000000000000000, 0x0000000000000000}, {0x0800000000000000, 0x0000000000000000},
    {0x02AAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAB}, {0x00AAAAAAAAAAAAAA, 0xAAAAAAAAAAAAAAAB},
    {0x0022222222222222, 0x2222222222222222}, {0x0005B05B05B05B05, 0xB05B05B05B05B05B},
    {0x0000D00D00D00D00, 0xD00D00D00D00D00D}, {0x00001A01A01A01A0, 0x1A01A01A01A01A02},
    {0x000002E3BC74AAD8, 0xE671F5583911CA00}, {0x00000049F93EDDE2, 0x7D71CBBC05B4FA9A},
    {0x00000006B99159FD, 0x5138E3F9D1F92E0E}, {0x000000008F76C77F, 0xC6C4BDAA26D4C3D6},
    {0x000000000B092309, 0xD43684BE51C198E9}, {0x0000000000C9CBA5, 0x4603E4E905D6F8A3},
    {0x00000000000D73F9, 0xF399DC0F88EC32B6}, {0x000000000000D73F, 0x9F399DC0F88EC32B},
    {0x0000000000000CA9, 0x63B81856A5359303}, {0x00000000000000B4, 0x13C31DCBECBBDD80},
    {0x0000000000000009, 0x7A4DA340A0AB9265}, {0x0000000000000000, 0x7950AE900808941F},
    {0x0000000000000000, 0x05C6E3BDB73D5C63}, {0x0000000000000000, 0x004338E5B6DFE14A},
    {0x0000000000000000, 0x0002EC368262C703}, {0x0000000000000000, 0x00001F2CF01972F5},
    {0x0000000000000000, 0x0000013F3CCDD166}, {0x0000000000000000, 0x0000000C4742FE35},
    {0x0000000000000000, 0x00000000746AC70B}, {0x0000000000000000, 0x000000000428628A},
    {0x0000000000000000, 0x000000000024B3F3}, {0x0000000000000000, 0x0000000000013933},
    {0x0000000000000000, 0x0000000000000A1A}};

static uint64_t high_product(uint64_t a, uint64_t b) { return (uint64_t)((uint128)a * b >> 64); }

static uint128 inverse_factorial(int n) {
    return (uint128)INVERSE_FACTORIALS[n][0] << 64 | INVERSE_FACTORIALS[n][1];
}

/* A number from 0 to 1.1, and the slope of an exponential function up to there. */
typedef struct line {
    uint128 a, slope;
} line;

/* (e^a - 1) / a for `rising`, (1 - e^-a) / a for `falling`, by Taylor's series: what is left out is below 2^-128. Roughly,
   within 2^-67: of fewer terms, those that are below 2^-4 with 64 bits. */
static void find_slopes(line *rising, line *falling, bool roughly) {
    enum { ALL = sizeof INVERSE_FACTORIALS / sizeof *INVERSE_FACTORIALS, ROUGHLY = 22, LONG = 3, BELOW = 56 };
    const uint64_t rising_a = (uint64_t)(rising->a >> 61), falling_a = (uint64_t)(falling->a >> 61);
    uint64_t up = 0, down = 0;
    for (int n = ROUGHLY; roughly && n-- > LONG;) {
        const uint64_t term = (uint64_t)(inverse_factorial(n) >> BELOW);
        up = term + 2 * high_product(rising_a, up);
        down = term - 2 * high_product(falling_a, down);
    }
    rising->slope = (uint128)up << BELOW;
    falling->slope = (uint128)down << BELOW;
    for (int n = roughly ? LONG : ALL; n-- > 0;) {
        rising->slope = inverse_factorial(n) + product(rising->a, rising->slope);
        falling->slope = inverse_factorial(n) - product(falling->a, falling->slope);
    }
}

/* e^-a = 2^-k e^r, 0 <= r <= ln 2, for 1/4 <= a <= 746. */
static uint128 reduce(double a, int *k) {
    const uint64_t units = (uint64_t)(a * 0x1p54);                      /* exact */
    const uint64_t log2_e[] = {0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89}; /* in 1 / 2^127 */
    const uint128 low = (uint128)units * log2_e[1], high = (uint128)units * log2_e[0] + (uint64_t)(low >> 64);
    const uint128 ln_2 =
        (uint128)0x0B17217F7D1CF79A << 64 | 0xBC9E3B39803F2F6A; /* high: a / ln 2 in 1 / 2^117 */
    const uint128 below =
        ((uint128)1 << 117) - (high & (((uint128)1 << 117) - 1)); /* the next whole number */
    *k = (int)(high >> 117) + 1;
    return product((below << 7) - ((uint64_t)low >> 57), ln_2);
}

static uint128 shift(uint128 x, int places) {
    return places >= 0 ? x << places : places > -128 ? x >> -places : 0;
}

/* e^smaller - (1 - e^larger) in units of e^smaller's power of two, 2^-k. Both are below 8 there, and right to 2^-116;
   roughly, to 2^-64. */
static int128 subtract(double larger, double smaller, bool roughly, int *k) {
    int exponent;
    const uint128 digits = (uint128)(uint64_t)(int64_t)(frexp(-larger, &exponent) * 0x1p53) << 71;
    line rising = {.a = reduce(-smaller, k)}, falling = {.a = shift(digits, exponent)};
    find_slopes(&rising, &falling, roughly);
    const uint128 power = ONE + product(rising.a, rising.slope);
    const uint128 missing = shift(product(digits, falling.slope), exponent + *k);
    return (int128)power - (int128)missing;
}

/* Roughly the difference is right to 56 bits where it is above 2^-8 of e^smaller, as it is 99 times in 100. Else it is to a
   double's 53 bits where it is above 2^-62 of it: for floats always, for doubles but once in 2^10 pairs between
   which and 0 there are no other. */
double fz__logaddexp_less_1(double larger, double smaller, double *low) {
    int k;
    int128 rest = subtract(larger, smaller, true, &k);
    if (rest < (int128)(ONE >> 8) && rest > -(int128)(ONE >> 8)) rest = subtract(larger, smaller, false, &k);
    const double high = (double)rest;
    *low = ldexp((double)(rest - (int128)high), -124 - k);
    return ldexp(high, -124 - k);
}
