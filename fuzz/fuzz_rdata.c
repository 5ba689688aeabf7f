/* RDATA of every type: shape, text, canonical form, bit maps, signatures. The first two octets are the type.
 */

#include "common/wire/rdata.h"
#include "fuzz/fuzz.h"

static void check_text(uint16_t type, const struct rdata *rdata)
{
    size_t needed = rdata_to_text(type, rdata, NULL, 0);
    char *text = malloc(needed + 1), *cut = malloc(needed / 2 + 1);
    CHECK(text && cut);
    CHECK(rdata_to_text(type, rdata, text, needed + 1) == needed);
    CHECK(strlen(text) == needed);
    for (size_t i = 0; i < needed; i++)
        CHECK(text[i] >= ' ' && text[i] <= '~');
    CHECK(rdata_to_text(type, rdata, cut, needed / 2 + 1) == needed);
    CHECK(strlen(cut) == needed / 2 && memcmp(cut, text, needed / 2) == 0);
    free(text);
    free(cut);
}

static void check_canonical(uint16_t type, const struct rdata *rdata)
{
    uint8_t *once = malloc(rdata->size + 1u), *twice = malloc(rdata->size + 1u);
    CHECK(once && twice);
    rdata_canonicalize(type, rdata, once);
    struct rdata canonical = {.data = once, .size = rdata->size};
    CHECK(rdata_check(type, &canonical) == rdata_check(type, rdata));
    rdata_canonicalize(type, &canonical, twice);
    CHECK(memcmp(once, twice, rdata->size) == 0);
    free(once);
    free(twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint16_t type = fuzz_u16(&in);
    struct rdata rdata = {.data = in.data, .size = (uint16_t)MIN(in.left, (size_t)UINT16_MAX)};
    check_text(type, &rdata);
    check_canonical(type, &rdata);
    struct rrsig sig;
    if (rrsig_parse(&rdata, &sig) == 0) {
        CHECK(rdata_check(TYPE_RRSIG, &rdata) == 0);
        CHECK(sig.signature + sig.signature_size == rdata.data + rdata.size);
    }
    unsigned held = 0;
    for (unsigned t = 0; t < 65536; t += 257)
        held += type_bitmap_has(rdata.data, rdata.size, (uint16_t)t);
    CHECK(held <= 8u * rdata.size);
    char name[16];
    uint16_t back;
    CHECK(rrtype_from_text(rrtype_to_text(type, name), &back) == 0 && back == type);
    return 0;
}
