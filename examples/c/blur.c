/* Four threads blur one picture each, at the same time, sharing the library's one pool of workers.

       cc blur.c $(pkg-config --cflags --libs forzium) -lm -pthread && ./a.out */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "forzium.h"

enum { PICTURES = 4, SIDE = 360, WINDOW = 7, BLURRED = SIDE - WINDOW + 1 };

typedef struct picture {
    float pixels[SIDE][SIDE], blurred[BLURRED][BLURRED];
    int number;
    fz_status status;
    char message[256]; /* fz_error_message() belongs to the thread that failed */
} picture;

static picture pictures[PICTURES];
static float weights[WINDOW][WINDOW];

/* A Gaussian bell whose weights sum to one, so that blurring keeps the brightness. */
static void fill_weights(void) {
    float sum = 0;
    for (int p = 0; p < WINDOW; p++)
        for (int q = 0; q < WINDOW; q++) {
            float y = (float)(p - WINDOW / 2), x = (float)(q - WINDOW / 2);
            sum += weights[p][q] = expf(-(x * x + y * y) / 6);
        }
    for (int p = 0; p < WINDOW; p++)
        for (int q = 0; q < WINDOW; q++) weights[p][q] /= sum;
}

/* Rings with hard edges; each picture has its own width of them. */
static void draw(picture *p) {
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            float radius = hypotf((float)(i - SIDE / 2), (float)(j - SIDE / 2));
            p->pixels[i][j] = (int)(radius / (float)(40 + 5 * p->number)) % 2 ? 0 : 1;
        }
}

static fz_array view_square(void *data, const ptrdiff_t shape[2], ptrdiff_t strides[2]) {
    fz_contiguous_strides(FZ_FLOAT32, 2, shape, strides);
    return (fz_array){.data = data, .dtype = FZ_FLOAT32, .ndim = 2, .shape = shape, .strides = strides};
}

/* One caller's work. There is nothing to lock and nothing to set up: any thread may call at any time. */
static void *blur(void *argument) {
    picture *p = argument;
    ptrdiff_t x_strides[2], weight_strides[2], out_strides[2];
    fz_array x = view_square(p->pixels, (ptrdiff_t[]){SIDE, SIDE}, x_strides);
    fz_array weight = view_square(weights, (ptrdiff_t[]){WINDOW, WINDOW}, weight_strides);
    fz_array out = view_square(p->blurred, (ptrdiff_t[]){BLURRED, BLURRED}, out_strides);
    p->status = fz_conv2d(&x, &weight, NULL, NULL, &out);
    snprintf(p->message, sizeof p->message, "%s", fz_error_message());
    return NULL;
}

/* The largest difference from the loop that fz_conv2d stands for. */
static double measure_error(const picture *p) {
    double worst = 0;
    for (int i = 0; i < BLURRED; i++)
        for (int j = 0; j < BLURRED; j++) {
            double sum = 0;
            for (int k = 0; k < WINDOW * WINDOW; k++)
                sum += (double)p->pixels[i + k / WINDOW][j + k % WINDOW] * weights[k / WINDOW][k % WINDOW];
            worst = fmax(worst, fabs(p->blurred[i][j] - sum));
        }
    return worst;
}

static void print_picture(const picture *p) {
    for (int i = 0; i < BLURRED; i += 16) {
        for (int j = 0; j < BLURRED; j += 8) putchar(" .:-=+*#%@"[(int)(p->blurred[i][j] * 9.5f)]);
        putchar('\n');
    }
}

int main(void) {
    pthread_t threads[PICTURES];
    fill_weights();
    for (int t = 0; t < PICTURES; t++) {
        pictures[t].number = t;
        draw(&pictures[t]);
        if (pthread_create(&threads[t], NULL, blur, &pictures[t]) != 0) return EXIT_FAILURE;
    }
    double worst = 0;
    for (int t = 0; t < PICTURES; t++) {
        pthread_join(threads[t], NULL);
        if (pictures[t].status != FZ_OK) {
            fprintf(stderr, "picture %d: %s\n", t, pictures[t].message);
            return EXIT_FAILURE;
        }
        worst = fmax(worst, measure_error(&pictures[t]));
    }
    print_picture(&pictures[0]);
    printf("%d pictures blurred; the largest error is %.1e\n", PICTURES, worst);
    return worst < WINDOW * WINDOW * 0x1p-23 ? EXIT_SUCCESS : EXIT_FAILURE;
}
