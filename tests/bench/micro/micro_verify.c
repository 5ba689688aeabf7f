/* One signature checked as validatord does it: the pair of RRSIG and key chosen, the signed data put
 * together, OpenSSL asked. Keys and signatures are those of RFC 6605 6.1 and RFC 5702 6.2. */
#include "tests/bench/micro/micro.h"

#include "tests/unit/validatord/signature_fixture.h"

#define NOW_S 1282000000

struct context {
    struct fixture f;
    struct rrset *keys, *set;
};

static void *prepare(const char *key, const char *set)
{
    struct context *c = calloc(1, sizeof(*c));
    struct fixture texts = {.arena = arena_new(1 << 20)};
    c->f.arena = arena_new(1 << 20);
    if (verifier_new(&c->f.verifier) != 0)
        micro_fail("no verifier could be made");
    c->keys = read_set(&texts, key);
    c->set = read_set(&texts, set);
    return c;
}

static void *prepare_p256(void)
{
    return prepare(
        "example.net. 3600 IN DNSKEY 257 3 13 "
        "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==\n",
        "www.example.net. 3600 IN A 192.0.2.1\n"
        "www.example.net. 3600 IN RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. "
        "qx6wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==\n");
}

static void *prepare_rsa(void)
{
    return prepare(
        "example.net. 3600 IN DNSKEY 256 3 10 "
        "AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6r"
        "klMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7ZQBlZ3PFY12ZTSncorffcGmhOL\n",
        "www.example.net. 3600 IN A 192.0.2.91\n"
        "www.example.net. 3600 IN RRSIG A 10 3 3600 20300101000000 20000101000000 3740 example.net. "
        "tsb4wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/zpq"
        "+9fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw=\n");
}

static void run(void *ctx, unsigned count)
{
    struct context *c = ctx;
    for (unsigned n = 0; n < count; n++) {
        struct signature_try t;
        arena_reset(c->f.arena);
        if (validate(&c->f, &t, c->set, c->keys->owner, c->keys, &modern, NOW_S) != 0)
            micro_fail("a good signature was not accepted");
    }
}

const struct micro_case micro_verify_p256 = {"verify-p256", 16, prepare_p256, run, NULL};
const struct micro_case micro_verify_rsa = {"verify-rsa", 16, prepare_rsa, run, NULL};
