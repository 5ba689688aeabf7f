/* Cache values: what is written is read back; whatever is damaged is a miss. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cache/entry_codec.h"
#include "tests/unit/cache/fixture.h"
#include "tests/unit/cache/random.h"

static const uint16_t types_a[] = {TYPE_A, TYPE_RRSIG, TYPE_NSEC, 0};

static struct cache_rr sample_rr(struct fixture *f)
{
    struct rrset rrset = fx_a(f, "www.example.", "example.");
    struct rrset nsec = fx_nsec(f, "example.", "a.example.", "z.example.", types_a);
    fx_rdata(f, &rrset, "\xc0\x00\x02\x02", 4);
    rrset.wildcard_labels = 2;
    struct cache_rr rr = fx_rr_entry(&rrset, 10, 600);
    assert_int_equal(rrset_list_add(f->arena, &rr.proof, &nsec), 0);
    return rr;
}

static struct cache_neg sample_neg(struct fixture *f)
{
    struct cache_neg neg = fx_neg(f, CACHE_NEG_NXDOMAIN, "example.", SECURITY_SECURE, 5, 300);
    struct rrset nsec = fx_nsec(f, "example.", "a.example.", "z.example.", types_a);
    assert_int_equal(rrset_list_add(f->arena, &neg.proof, &nsec), 0);
    neg.failures = 3;
    neg.ede_count = 2;
    neg.ede[0] = (struct answer_ede){.code = EDE_DNSSEC_BOGUS, .text_size = 4, .text = "text"};
    neg.ede[1] = (struct answer_ede){.code = EDE_OTHER};
    return neg;
}

static struct cache_zone sample_zone(struct fixture *f)
{
    struct cache_zone zone = {.has_delegation = true,
                              .has_dnskey = true,
                              .ds_state = DS_SECURE,
                              .ns_stored = NOW,
                              .ns_expires = {.s = NOW.s + 100},
                              .ds_expires = {.s = NOW.s + 300},
                              .ds_signature_expires = {.s = NOW.s + 301},
                              .ds_validated = NOW,
                              .dnskey_expires = {.s = NOW.s + 200},
                              .dnskey_signature_expires = {.s = NOW.s + 201},
                              .dnskey_validated = NOW};
    struct rrset glue = fx_a(f, "ns.example.", "example.");
    zone.ns = fx_rrset(f, "example.", TYPE_NS);
    fx_rdata(f, &zone.ns, "\2ns\7example\0", 12);
    zone.ds = fx_rrset(f, "example.", TYPE_DS);
    fx_rdata(f, &zone.ds,
             "\x12\x67\x0d\x02"
             "0123456789abcdef0123456789abcdef",
             36);
    fx_sign(f, &zone.ds, ".", -1, SIG_LATER);
    zone.dnskey = fx_rrset(f, "example.", TYPE_DNSKEY);
    fx_rdata(f, &zone.dnskey,
             "\x01\x01\x03\x0d"
             "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
             68);
    assert_int_equal(rrset_list_add(f->arena, &zone.glue, &glue), 0);
    return zone;
}

static void same_rrset(const struct rrset *a, const struct rrset *b)
{
    assert_true(name_equal(a->owner, b->owner));
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->class, b->class);
    assert_int_equal(a->ttl, b->ttl);
    assert_int_equal(a->sig_ttl, b->sig_ttl);
    assert_int_equal(a->rank, b->rank);
    assert_int_equal(a->security, b->security);
    assert_int_equal(a->wildcard_labels, b->wildcard_labels);
    assert_int_equal(a->sig_count, b->sig_count);
    assert_int_equal(a->sig[0].size, b->sig[0].size);
    assert_memory_equal(a->sig[0].data, b->sig[0].data, a->sig[0].size);
    assert_true(rrset_same_rdata(a, b));
}

static void an_rrset_is_read_back_with_proof_and_times(void **state)
{
    struct fixture *f = *state;
    struct cache_rr rr = sample_rr(f), back;
    struct cache_key key;
    struct slice value;
    assert_int_equal(cache_key_rr(rr.rrset.owner, TYPE_A, &key), 0);
    assert_int_equal(cache_rr_encode(f->arena, cache_key_slice(&key), &rr, &value), 0);
    assert_int_equal(cache_rr_decode(f->arena, cache_key_slice(&key), value, rr.rrset.owner, TYPE_A, &back),
                     0);
    same_rrset(&rr.rrset, &back.rrset);
    assert_int_equal(back.proof.count, 1);
    same_rrset(&rr.proof.items[0], &back.proof.items[0]);
    assert_int_equal(back.stored.s, rr.stored.s);
    assert_int_equal(back.expires.s, rr.expires.s);
    assert_int_equal(back.signature_expires.s, rr.signature_expires.s);
    assert_true(back.authentic);
    assert_int_equal(cache_value_expires(value).s, rr.expires.s);
    /* under another key, or as another type, it is a miss */
    struct cache_key other;
    assert_int_equal(cache_key_rr(fx_name(f, "w.example."), TYPE_A, &other), 0);
    assert_int_equal(cache_rr_decode(f->arena, cache_key_slice(&other), value, rr.rrset.owner, TYPE_A, &back),
                     CACHE_MISS);
    assert_int_equal(
        cache_rr_decode(f->arena, cache_key_slice(&key), value, rr.rrset.owner, TYPE_AAAA, &back),
        CACHE_MISS);
    struct cache_neg neg;
    assert_int_equal(cache_neg_decode(f->arena, cache_key_slice(&key), value, &neg), CACHE_MISS);
}

/* The parser lets RDATA of types whose inside nobody reads pass as it is; what was answered can be kept. */
static void rdata_that_nobody_reads_is_kept_whatever_its_shape(void **state)
{
    struct fixture *f = *state;
    struct rrset txt = fx_rrset(f, "x.example.", TYPE_TXT);
    fx_rdata(f, &txt, "\377short", 6);
    fx_sign(f, &txt, "example.", -1, SIG_LATER);
    struct cache_rr rr = fx_rr_entry(&txt, 0, 60), back;
    struct cache_key key;
    struct slice value;
    assert_int_equal(cache_key_rr(txt.owner, TYPE_TXT, &key), 0);
    assert_int_equal(cache_rr_encode(f->arena, cache_key_slice(&key), &rr, &value), 0);
    assert_int_equal(cache_rr_decode(f->arena, cache_key_slice(&key), value, txt.owner, TYPE_TXT, &back), 0);
    same_rrset(&txt, &back.rrset);
}

/* An address with a P-256 signature: 4 octets of data, 64 of signature, and not many more. */
static void what_can_be_told_from_the_rest_takes_no_room(void **state)
{
    struct fixture *f = *state;
    uint8_t sig[18 + 9 + 64] = {0, TYPE_A, 13, 2, 0, 0, 2, 0x58, 0x65, 0, 0, 0, 0x64, 0xf0, 0, 0, 1, 2};
    memcpy(sig + 18, "\7example", 9);
    for (unsigned i = 27; i < sizeof(sig); i++)
        sig[i] = (uint8_t)(3 * i);
    struct rrset rrset = fx_rrset(f, "www.example.", TYPE_A);
    fx_rdata(f, &rrset, "\xc0\x00\x02\x02", 4);
    rrset.sig = &(struct rdata){.data = sig, .size = sizeof(sig)};
    rrset.sig_count = 1;
    rrset.ttl = rrset.sig_ttl = 600;
    struct cache_rr rr = fx_rr_entry(&rrset, 10, 600), back;
    rr.original_ttl = 600;
    struct cache_key key;
    struct slice value;
    assert_int_equal(cache_key_rr(rrset.owner, TYPE_A, &key), 0);
    assert_int_equal(cache_rr_encode(f->arena, cache_key_slice(&key), &rr, &value), 0);
    assert_in_range(value.size, 4 + 64, 4 + 64 + 42);
    assert_int_equal(cache_rr_decode(f->arena, cache_key_slice(&key), value, rrset.owner, TYPE_A, &back), 0);
    same_rrset(&rr.rrset, &back.rrset);
    assert_int_equal(back.original_ttl, 600);
}

/* A signer in capitals, of another zone, of more labels than the owner; a type that is not the set's; no
 * RRSIG at all inside. Whatever was accepted is given out as it came. */
static void a_signature_of_another_shape_is_read_back_too(void **state)
{
    static const char *const signers[] = {"\7Example", "\7example", "\3com", "\1a\3www\7example", ""};
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(signers); i++) {
        const char *signer = signers[i / 2];
        uint8_t sig[18 + 20 + 5] = {
            0, i % 2 ? TYPE_MX : TYPE_A, 8, 2, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 1,
            2};
        memcpy(sig + 18, signer, strlen(signer) + 1);
        struct rrset rrset = fx_rrset(f, "www.example.", TYPE_A);
        fx_rdata(f, &rrset, "\xc0\x00\x02\x02", 4);
        rrset.sig = &(struct rdata){.data = sig, .size = (uint16_t)(18 + strlen(signer) + 1 + 5)};
        rrset.sig_count = 1;
        struct cache_rr rr = fx_rr_entry(&rrset, 0, 60), back;
        struct slice value, key = slice_make("key", 3);
        assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
        assert_int_equal(cache_rr_decode(f->arena, key, value, rrset.owner, TYPE_A, &back), 0);
        same_rrset(&rr.rrset, &back.rrset);
    }
}

static void a_negative_entry_is_read_back_with_its_reasons(void **state)
{
    struct fixture *f = *state;
    struct cache_neg neg = sample_neg(f), back;
    struct slice value, key = slice_make("key", 3);
    assert_int_equal(cache_neg_encode(f->arena, key, &neg, &value), 0);
    assert_int_equal(cache_neg_decode(f->arena, key, value, &back), 0);
    assert_int_equal(back.kind, CACHE_NEG_NXDOMAIN);
    assert_int_equal(back.security, SECURITY_SECURE);
    assert_true(back.authentic);
    assert_int_equal(back.failures, 3);
    assert_int_equal(back.ede_count, 2);
    assert_int_equal(back.ede[0].code, EDE_DNSSEC_BOGUS);
    assert_int_equal(back.ede[0].text_size, 4);
    assert_memory_equal(back.ede[0].text, "text", 4);
    assert_int_equal(back.proof.count, 2);
    same_rrset(&back.proof.items[0], &neg.proof.items[0]);
    same_rrset(&back.proof.items[1], &neg.proof.items[1]);
}

static void a_zone_is_read_back_whole(void **state)
{
    struct fixture *f = *state;
    struct cache_zone zone = sample_zone(f), back;
    struct slice value, key = slice_make("key", 3);
    assert_int_equal(cache_zone_encode(f->arena, key, &zone, &value), 0);
    assert_int_equal(cache_zone_decode(f->arena, key, value, zone.ns.owner, &back), 0);
    assert_true(back.has_delegation && back.has_dnskey && !back.ds_optout);
    assert_int_equal(back.ds_state, DS_SECURE);
    same_rrset(&back.ds, &zone.ds);
    assert_true(rrset_same_rdata(&back.ns, &zone.ns));
    assert_true(rrset_same_rdata(&back.dnskey, &zone.dnskey));
    assert_int_equal(back.glue.count, 1);
    same_rrset(&back.glue.items[0], &zone.glue.items[0]);
    assert_int_equal(back.ns_stored.s, zone.ns_stored.s);
    assert_int_equal(back.dnskey_signature_expires.s, zone.dnskey_signature_expires.s);
    assert_int_equal(cache_value_expires(value).s, zone.ds_expires.s);
    /* a proof instead of a DS, and nothing else */
    struct cache_zone insecure = {.ds_state = DS_NONE, .ds_optout = true, .ds_expires = NOW};
    struct rrset soa = fx_soa(f, ".", 10, 10);
    assert_int_equal(rrset_list_add(f->arena, &insecure.ds_proof, &soa), 0);
    assert_int_equal(cache_zone_encode(f->arena, key, &insecure, &value), 0);
    assert_int_equal(cache_zone_decode(f->arena, key, value, zone.ns.owner, &back), 0);
    assert_true(!back.has_delegation && !back.has_dnskey && back.ds_optout && back.ds_state == DS_NONE);
    same_rrset(&back.ds_proof.items[0], &soa);
}

static void what_continuity_keeps_of_a_zone_is_read_back(void **state)
{
    struct fixture *f = *state;
    struct cache_zone zone = sample_zone(f), back;
    struct slice value, key = slice_make("key", 3);
    zone.ds_held = true;
    zone.ds_chain_expires.s = NOW.s + 250;
    zone.ds_inception.s = NOW.s - 1000;
    zone.loose = LOOSE_UNPROVEN;
    zone.loose_ns = zone.ns;
    zone.loose_glue = zone.glue;
    zone.loose_stored = NOW;
    zone.loose_expires.s = NOW.s + 900;
    assert_int_equal(cache_zone_encode(f->arena, key, &zone, &value), 0);
    assert_int_equal(cache_value_expires(value).s, NOW.s + 900);
    assert_int_equal(cache_zone_decode(f->arena, key, value, zone.ns.owner, &back), 0);
    assert_true(back.ds_held && back.has_delegation);
    assert_int_equal(back.ds_chain_expires.s, NOW.s + 250);
    assert_int_equal(back.ds_inception.s, NOW.s - 1000);
    assert_int_equal(back.loose, LOOSE_UNPROVEN);
    assert_int_equal(back.loose_stored.s, NOW.s);
    assert_int_equal(back.loose_expires.s, NOW.s + 900);
    assert_true(rrset_same_rdata(&back.loose_ns, &zone.ns));
    same_rrset(&back.loose_glue.items[0], &zone.glue.items[0]);
    /* the kept delegation goes before the loose one where there is room for one alone */
    for (unsigned i = 0; i < 40; i++) {
        struct rrset glue = fx_rrset(f, "glue-with-a-rather-long-name-indeed.example.", TYPE_A);
        for (unsigned j = 0; j < 60; j++)
            fx_rdata(f, &glue, (uint8_t[]){10, 0, (uint8_t)i, (uint8_t)j}, 4);
        assert_int_equal(rrset_list_add(f->arena, &zone.glue, &glue), 0);
    }
    for (unsigned i = 0; i < 10; i++) {
        uint8_t ns[200] = {63};
        ns[64] = 63;
        ns[128] = 63;
        ns[1] = (uint8_t)('a' + i);
        memset(ns + 2, 'a', 62);
        memset(ns + 65, 'b', 63);
        memset(ns + 129, 'c', 63);
        fx_rdata(f, &zone.loose_ns, ns, 193);
    }
    assert_int_equal(cache_zone_encode(f->arena, key, &zone, &value), 0);
    assert_int_equal(cache_zone_decode(f->arena, key, value, zone.ns.owner, &back), 0);
    assert_true(back.has_delegation);
    assert_int_equal(back.loose, LOOSE_NONE);
}

static void an_entry_says_that_it_rests_on_a_kept_link(void **state)
{
    struct fixture *f = *state;
    struct cache_rr rr = sample_rr(f), back;
    struct cache_neg neg = sample_neg(f), neg_back;
    struct slice value, key = slice_make("key", 3);
    rr.continued = true;
    rr.why = slice_make("kept DS", 7);
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
    assert_int_equal(cache_rr_decode(f->arena, key, value, rr.rrset.owner, TYPE_A, &back), 0);
    assert_true(back.continued);
    assert_int_equal(back.why.size, 7);
    assert_memory_equal(back.why.data, "kept DS", 7);
    same_rrset(&rr.rrset, &back.rrset);
    neg.continued = true;
    neg.signature_expires.s = NOW.s + 77;
    assert_int_equal(cache_neg_encode(f->arena, key, &neg, &value), 0);
    assert_int_equal(cache_neg_decode(f->arena, key, value, &neg_back), 0);
    assert_int_equal(neg_back.signature_expires.s, NOW.s + 77);
    assert_true(neg_back.continued && neg_back.authentic);
}

static void a_span_is_needed_as_long_as_it_is_signed(void **state)
{
    struct fixture *f = *state;
    struct cache_rr rr = sample_rr(f);
    struct slice value, key = slice_make("key", 3);
    rr.signature_expires.s = rr.expires.s + 5000;
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
    assert_int_equal(cache_value_expires(value).s, rr.expires.s);
    rr.rrset.type = TYPE_NSEC3;
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
    assert_int_equal(cache_value_expires(value).s, rr.signature_expires.s);
}

static void glue_gives_way_when_a_zone_record_is_full(void **state)
{
    struct fixture *f = *state;
    struct cache_zone zone = sample_zone(f), back;
    struct slice value, key = slice_make("key", 3);
    for (unsigned i = 0; i < 30; i++) {
        uint8_t name[] = "\2n0\7example";
        name[2] = (uint8_t)('a' + i % 26);
        name[1] = (uint8_t)('a' + i / 26);
        fx_rdata(f, &zone.ns, name, sizeof(name));
        struct rrset glue = fx_rrset(f, "glue-with-a-rather-long-name-indeed.example.", TYPE_A);
        for (unsigned j = 0; j < 60; j++)
            fx_rdata(f, &glue, (uint8_t[]){10, 0, (uint8_t)i, (uint8_t)j}, 4);
        assert_int_equal(rrset_list_add(f->arena, &zone.glue, &glue), 0);
    }
    assert_int_equal(cache_zone_encode(f->arena, key, &zone, &value), 0);
    assert_true(value.size <= CACHE_ENTRY_MAX);
    assert_int_equal(cache_zone_decode(f->arena, key, value, zone.ns.owner, &back), 0);
    assert_int_equal(back.ns.count, CACHE_NS_MAX);
    assert_true(back.glue.count > 5 && back.glue.count < 31);
}

static void an_nta_is_read_back_and_its_texts_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct cache_nta nta = {.source = NTA_OPERATOR,
                            .forced = true,
                            .added = NOW,
                            .expires = {.s = NOW.s + 3600},
                            .reason = slice_make("registry", 8),
                            .author = slice_make("op", 2)},
                     back;
    struct slice value, key = slice_make("key", 3);
    assert_int_equal(cache_nta_encode(f->arena, key, &nta, &value), 0);
    assert_int_equal(cache_nta_decode(f->arena, key, value, &back), 0);
    assert_int_equal(back.source, NTA_OPERATOR);
    assert_true(back.forced);
    assert_int_equal(back.expires.s, nta.expires.s);
    assert_int_equal(back.reason.size, 8);
    assert_memory_equal(back.reason.data, "registry", 8);
    assert_memory_equal(back.author.data, "op", 2);
    uint8_t long_text[201] = {0};
    nta.reason = slice_make(long_text, sizeof(long_text));
    assert_int_equal(cache_nta_encode(f->arena, key, &nta, &value), 1);
}

static void what_is_too_big_is_not_encoded(void **state)
{
    struct fixture *f = *state;
    struct slice value, key = slice_make("key", 3);
    struct rrset rrset = fx_rrset(f, "big.example.", TYPE_TXT);
    uint8_t text[256] = {255};
    for (unsigned i = 0; i < 33; i++) {
        text[1] = (uint8_t)i;
        fx_rdata(f, &rrset, text, sizeof(text));
    }
    struct cache_rr rr = fx_rr_entry(&rrset, 0, 60);
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 1);
    rr.rrset.count = 20;
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
    struct rrset many = fx_rrset(f, "many.example.", TYPE_A);
    for (unsigned i = 0; i <= CACHE_RDATA_MAX; i++)
        fx_rdata(f, &many, (uint8_t[]){10, 0, 0, (uint8_t)i}, 4);
    rr = fx_rr_entry(&many, 0, 60);
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 1);
    rr.rrset.count = CACHE_RDATA_MAX;
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 0);
    rr.expires.s = -1;
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &value), 1);
}

/* decodes as all kinds; counts how many succeed */
static unsigned decode_all(struct fixture *f, struct slice key, struct slice value)
{
    struct cache_rr rr;
    struct cache_neg neg;
    struct cache_zone zone;
    struct cache_nta nta;
    struct slice blob;
    const uint8_t *owner = (const uint8_t *)"\7example";
    unsigned good = 0;
    int r[] = {cache_rr_decode(f->arena, key, value, owner, TYPE_A, &rr),
               cache_neg_decode(f->arena, key, value, &neg),
               cache_zone_decode(f->arena, key, value, owner, &zone),
               cache_nta_decode(f->arena, key, value, &nta), cache_blob_decode(key, value, &blob)};
    for (unsigned i = 0; i < ARRAY_SIZE(r); i++) {
        assert_true(r[i] == 0 || r[i] == CACHE_MISS);
        good += r[i] == 0;
    }
    return good;
}

static unsigned sample_values(struct fixture *f, struct slice key, struct slice values[5])
{
    struct cache_rr rr = sample_rr(f);
    struct cache_neg neg = sample_neg(f);
    struct cache_zone zone = sample_zone(f);
    struct cache_nta nta = {
        .source = NTA_CONFIG, .added = NOW, .expires = NOW, .reason = slice_make("why", 3)};
    assert_int_equal(cache_rr_encode(f->arena, key, &rr, &values[0]), 0);
    assert_int_equal(cache_neg_encode(f->arena, key, &neg, &values[1]), 0);
    assert_int_equal(cache_zone_encode(f->arena, key, &zone, &values[2]), 0);
    assert_int_equal(cache_nta_encode(f->arena, key, &nta, &values[3]), 0);
    assert_int_equal(cache_blob_encode(f->arena, key, slice_make("blob", 4), &values[4]), 0);
    return 5;
}

/* The value is copied to a block of exactly its size, so that a sanitizer sees one octet too many. */
static unsigned decode_exact(struct fixture *f, struct slice key, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    memcpy(exact, bytes, size);
    unsigned good = decode_all(f, key, slice_make(exact, size));
    free(exact);
    return good;
}

static void every_cut_and_every_changed_octet_is_a_miss(void **state)
{
    struct fixture *f = *state;
    struct slice values[5], key = slice_make("key", 3);
    unsigned count = sample_values(f, key, values);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(decode_all(f, key, values[i]), 1);
        for (size_t size = 0; size < values[i].size; size++)
            assert_int_equal(decode_exact(f, key, values[i].data, size), 0);
        uint8_t *copy = malloc(values[i].size);
        for (size_t at = 0; at < values[i].size; at++)
            for (unsigned flip = 1; flip < 256; flip++) {
                memcpy(copy, values[i].data, values[i].size);
                copy[at] ^= (uint8_t)flip;
                assert_int_equal(decode_all(f, key, slice_make(copy, values[i].size)), 0);
            }
        free(copy);
    }
}

/* With the checksum made right again the bounds checks stand alone: anything may come out but a crash. */
static void a_forged_value_with_a_right_checksum_never_leads_outside(void **state)
{
    struct fixture *f = *state;
    struct slice values[5], key = slice_make("key", 3);
    unsigned count = sample_values(f, key, values);
    struct arena *kept = f->arena;
    f->arena = arena_new(1u << 20);
    uint64_t seed = 21;
    for (unsigned i = 0; i < count; i++)
        for (unsigned round = 0; round < 20000; round++) {
            size_t size = values[i].size -
                          (round % 4 ? 0 : random_up_to(&seed, (uint32_t)values[i].size - ENTRY_HEADER));
            uint8_t *copy = malloc(size);
            memcpy(copy, values[i].data, size);
            for (unsigned n = random_up_to(&seed, 3); n-- > 0;)
                copy[ENTRY_CHECKSUM + random_up_to(&seed, (uint32_t)size - ENTRY_CHECKSUM)] =
                    (uint8_t)random_next(&seed);
            entry_store_le(copy, entry_checksum(key, slice_make(copy, size)), ENTRY_CHECKSUM);
            decode_all(f, key, slice_make(copy, size));
            free(copy);
            arena_reset(f->arena);
        }
    arena_free(f->arena);
    f->arena = kept;
}

static void a_full_arena_is_reported_as_such(void **state)
{
    struct fixture *f = *state;
    struct slice values[5], key = slice_make("key", 3);
    struct cache_rr rr;
    sample_values(f, key, values);
    _cleanup_(arena_freep) struct arena *tiny = arena_new(1);
    assert_int_equal(cache_rr_decode(tiny, key, values[0], name_root, TYPE_A, &rr), -ENOMEM);
}

static void time_left_obeys_the_clock_step_rule(void **state)
{
    wall_s at[] = {{100}, {200}, {300}};
    assert_int_equal(cache_ttl_left(at[0], at[2], at[1]), 100);
    assert_int_equal(cache_ttl_left(at[0], at[1], at[1]), 0);
    assert_int_equal(cache_ttl_left(at[0], at[1], at[2]), 0);
    assert_int_equal(cache_ttl_left(at[1], at[2], at[0]), 0); /* stored in the future */
    assert_int_equal(cache_ttl_left(at[0], (wall_s){.s = INT64_C(1) << 39}, at[0]), INT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_rrset_is_read_back_with_proof_and_times, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(rdata_that_nobody_reads_is_kept_whatever_its_shape, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_can_be_told_from_the_rest_takes_no_room, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_signature_of_another_shape_is_read_back_too, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_negative_entry_is_read_back_with_its_reasons, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_zone_is_read_back_whole, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_continuity_keeps_of_a_zone_is_read_back, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(an_entry_says_that_it_rests_on_a_kept_link, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_span_is_needed_as_long_as_it_is_signed, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(glue_gives_way_when_a_zone_record_is_full, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(an_nta_is_read_back_and_its_texts_are_bounded, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_too_big_is_not_encoded, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(every_cut_and_every_changed_octet_is_a_miss, fixture_setup,
                                        fixture_teardown),
        cmocka_unit_test_setup_teardown(a_forged_value_with_a_right_checksum_never_leads_outside,
                                        fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_reported_as_such, fixture_setup, fixture_teardown),
        cmocka_unit_test(time_left_obeys_the_clock_step_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
