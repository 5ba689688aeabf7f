/* bench-micro list: the cases, a line each with the number of times that the measured run does its work.
 * bench-micro about: the compiler and its options. bench-micro run NAME: one case. */
#include "tests/bench/micro/micro.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct micro_case *const cases[] = {
    &micro_parse_question, &micro_parse_response, &micro_l1,         &micro_l2,
    &micro_build,          &micro_verify_p256,    &micro_verify_rsa, &micro_ipc};

#ifdef __clang__
#define KEPT_WHOLE __attribute__((noinline))
#else
#define KEPT_WHOLE __attribute__((noinline, noclone))
#endif

/* callgrind collects between its entry and its return, so it has to stay a function. */
KEPT_WHOLE void micro_measured(const struct micro_case *c, void *ctx);
void micro_measured(const struct micro_case *c, void *ctx)
{
    c->run(ctx, c->count);
    __asm__ volatile("" ::: "memory"); /* not a tail call: that would end the function before its work */
}

void micro_fail(const char *what)
{
    fprintf(stderr, "bench-micro: %s\n", what);
    exit(1);
}

static int about(void)
{
#ifdef __clang__
    printf("clang %d.%d.%d " MICRO_OPTIONS "\n", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    printf("gcc %d.%d.%d " MICRO_OPTIONS "\n", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
    return 0;
}

static int run(const struct micro_case *c)
{
    void *ctx = c->prepare();
    c->run(ctx, c->count);
    micro_measured(c, ctx);
    if (c->finish)
        c->finish(ctx);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "about") == 0)
        return about();
    for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        if (argc == 2 && strcmp(argv[1], "list") == 0)
            printf("%s %u\n", cases[n]->name, cases[n]->count);
        if (argc == 3 && strcmp(argv[1], "run") == 0 && strcmp(argv[2], cases[n]->name) == 0)
            return run(cases[n]);
    }
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return 0;
    fprintf(stderr, "usage: bench-micro list | about | run NAME\n");
    return 2;
}
