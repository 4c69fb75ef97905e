/* Messages: what a failing call says, to the thread that made it and to no other. */
#include <pthread.h>

#include "check.h"
#include "internal.h"

static void *read_message_of_new_thread(void *text) {
    snprintf(text, 64, "%s", fz_error_message());
    return NULL;
}

static void test_message_is_the_threads_own(void) {
    check_case("messages of threads");
    CHECK(strcmp(fz_error_message(), "") == 0, "'%s' before any failure", fz_error_message());
    CHECK(fz__fail(FZ_ERROR_VALUE, "%s is %d", "answer", 41) == FZ_ERROR_VALUE);
    CHECK(strcmp(fz_error_message(), "answer is 41") == 0, "'%s'", fz_error_message());

    char other[64] = "not read";
    pthread_t thread;
    pthread_create(&thread, NULL, read_message_of_new_thread, other);
    pthread_join(thread, NULL);
    CHECK(strcmp(other, "") == 0, "'%s' in a thread where nothing failed", other);

    CHECK(fz__fail(FZ_ERROR_SHAPE, "second") == FZ_ERROR_SHAPE);
    CHECK(strcmp(fz_error_message(), "second") == 0, "'%s'", fz_error_message());
}

static void test_long_message_is_cut(void) {
    check_case("long message");
    enum { LENGTH = 100000 };
    char *text = malloc(LENGTH + 1);
    memset(text, 'x', LENGTH);
    text[LENGTH] = 0;
    CHECK(fz__fail(FZ_ERROR_MEMORY, "%s", text) == FZ_ERROR_MEMORY);
    size_t kept = strlen(fz_error_message());
    CHECK(kept >= 100 && kept <= LENGTH && strncmp(fz_error_message(), text, 100) == 0, "%zu characters kept",
          kept);
    free(text);
}

static void test_shapes_are_written_as_in_python(void) {
    check_case("shape text");
    static const struct {
        int ndim;
        ptrdiff_t shape[3];
        const char *text;
    } cases[] = {
        {0, {0}, "()"},          {1, {5}, "(5,)"},
        {2, {2, 3}, "(2, 3)"},   {3, {0, 1, PTRDIFF_MAX}, "(0, 1, 9223372036854775807)"},
        {2, {-1, 4}, "(-1, 4)"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fz__shape_text buffer;
        const char *text = fz__format_shape(&buffer, cases[i].ndim, cases[i].shape);
        CHECK(text == buffer.text && strcmp(text, cases[i].text) == 0, "'%s', not '%s'", text, cases[i].text);
    }
}

static void test_longest_shape_fits(void) {
    check_case("text of the longest shape");
    ptrdiff_t shape[FZ_MAX_NDIM];
    for (int d = 0; d < FZ_MAX_NDIM; d++) shape[d] = PTRDIFF_MAX;
    struct {
        fz__shape_text text;
        char after[16];
    } buffer;
    memset(&buffer, 'x', sizeof buffer);
    fz__format_shape(&buffer.text, FZ_MAX_NDIM, shape);
    size_t length = strnlen(buffer.text.text, sizeof buffer.text.text);
    CHECK(length < sizeof buffer.text.text, "not terminated");
    CHECK(strncmp(buffer.text.text, "(9223372036854775807, ", 22) == 0, "'%.127s'", buffer.text.text);
    for (size_t i = 0; i < sizeof buffer.after; i++) CHECK(buffer.after[i] == 'x', "wrote past the buffer");
}

int main(void) {
    check_begin();
    test_message_is_the_threads_own();
    test_long_message_is_cut();
    test_shapes_are_written_as_in_python();
    test_longest_shape_fits();
    return check_end();
}
