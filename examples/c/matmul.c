/* Multiplies two matrices and measures the error against a plain loop in long double.

       cc matmul.c $(pkg-config --cflags --libs forzium) -lm && ./a.out */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "forzium.h"

enum { M = 200, K = 300, N = 250 };

static double a[M][K], b[K][N], c[M][N];

/* A view borrows memory: the caller says where it is, how long its axes are and how far apart (in bytes)
   neighbours stand. Nothing is copied. */
static fz_array view_matrix(void *data, const ptrdiff_t shape[2], ptrdiff_t strides[2]) {
    fz_contiguous_strides(FZ_FLOAT64, 2, shape, strides);
    return (fz_array){.data = data, .dtype = FZ_FLOAT64, .ndim = 2, .shape = shape, .strides = strides};
}

/* The largest of |error| / (K * eps * (|a| |b|)): the library promises at most 1. */
static double measure_error(void) {
    double worst = 0;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < N; j++) {
            long double sum = 0, magnitude = 0;
            for (int p = 0; p < K; p++) {
                sum += (long double)a[i][p] * b[p][j];
                magnitude += fabsl((long double)a[i][p] * b[p][j]);
            }
            worst = fmax(worst, (double)(fabsl(c[i][j] - sum) / (K * (long double)DBL_EPSILON * magnitude)));
        }
    return worst;
}

int main(void) {
    for (int i = 0; i < M; i++)
        for (int p = 0; p < K; p++) a[i][p] = sin(i + 0.1 * p);
    for (int p = 0; p < K; p++)
        for (int j = 0; j < N; j++) b[p][j] = cos(p - 0.2 * j);

    ptrdiff_t a_strides[2], b_strides[2], c_strides[2];
    fz_array a_view = view_matrix(a, (ptrdiff_t[]){M, K}, a_strides);
    fz_array b_view = view_matrix(b, (ptrdiff_t[]){K, N}, b_strides);
    fz_array c_view = view_matrix(c, (ptrdiff_t[]){M, N}, c_strides);

    if (fz_matmul(&a_view, &b_view, &c_view) != FZ_OK) {
        fprintf(stderr, "%s\n", fz_error_message());
        return EXIT_FAILURE;
    }
    double error = measure_error();
    printf("(%d, %d) times (%d, %d) with %s on %d threads\n", M, K, K, N, fz_simd_name(),
           fz_get_num_threads());
    printf("error: %.3f of what the manual allows\n", error);

    /* Mistakes are told, not guessed around: the inner lengths of a times a differ. */
    if (fz_matmul(&a_view, &a_view, &c_view) != FZ_ERROR_SHAPE) return EXIT_FAILURE;
    printf("a times a is refused: %s\n", fz_error_message());
    return error <= 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
