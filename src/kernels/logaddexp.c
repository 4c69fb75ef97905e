/* What vectors of logaddexp leave to whole numbers of 128 bits: results near 0, where its terms cancel. */
#include <math.h>
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

/* (e^r - 1) / r for r = a or -a by Taylor's series, 0 <= a <= ln 2: what is left out is below 2^-128. */
static uint128 exp_slope(uint128 a, int negative) {
    uint128 sum = 0;
    for (int n = sizeof INVERSE_FACTORIALS / sizeof *INVERSE_FACTORIALS - 1; n >= 0; n--) {
        const uint128 term = (uint128)INVERSE_FACTORIALS[n][0] << 64 | INVERSE_FACTORIALS[n][1];
        sum = negative ? term - product(a, sum) : term + product(a, sum);
    }
    return sum;
}

/* e^-a = 2^-k times the result, which is 1 to 2, for 1/4 <= a <= 746. */
static uint128 exp_of_minus(double a, int *k) {
    const uint64_t units = (uint64_t)(a * 0x1p54);                      /* exact */
    const uint64_t log2_e[] = {0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89}; /* in 1 / 2^127 */
    const uint128 low = (uint128)units * log2_e[1], high = (uint128)units * log2_e[0] + (uint64_t)(low >> 64);
    const uint128 ln_2 =
        (uint128)0x0B17217F7D1CF79A << 64 | 0xBC9E3B39803F2F6A; /* high: a / ln 2 in 1 / 2^117 */
    const uint128 below =
        ((uint128)1 << 117) - (high & (((uint128)1 << 117) - 1)); /* the next whole number */
    *k = (int)(high >> 117) + 1;
    const uint128 r = product((below << 7) - ((uint64_t)low >> 57), ln_2);
    return ONE + product(r, exp_slope(r, 0));
}

/* In units of e^smaller's power of two, e^smaller and 1 - e^larger are below 8, and right to 2^-116. Their difference is
   right to a double's 53 bits where it is above 2^-62 of either: for floats always, for doubles but once in 2^10 pairs
   between which and 0 there are no other. */
double fz__logaddexp_less_1(double larger, double smaller, double *low) {
    int k, exponent;
    const uint128 power = exp_of_minus(-smaller, &k);
    const double fraction = frexp(-larger, &exponent);
    const double within = exponent > -124 ? -larger : 0;
    const uint128 slope = exp_slope((uint128)(within * 0x1p124), 1);
    const uint128 missing = product((uint128)(fraction * 0x1p53) << 71, slope);
    const int places = exponent + k;
    const int128 rest = (int128)power - (int128)(places < 0 ? missing >> -places : missing << places);
    const double high = (double)rest;
    *low = ldexp((double)(rest - (int128)high), -124 - k);
    return ldexp(high, -124 - k);
}
