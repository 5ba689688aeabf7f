/* A value of the cache as a damaged or hostile file may hold it. The checksum is made right, since a fuzzer
 * cannot guess one: what is left are the version, the bounds and the shapes inside. kind, key size, key, body
 * of the value behind its header */

#include "common/cache/entry_codec.h"
#include "common/cache/stale_switch.h"
#include "common/wire/rdata.h"
#include "fuzz/fuzz.h"

/* The header's time, which those inside are told against: what most seeds have (make_seeds_frames.c). */
#define EXPIRES UINT64_C(1800003600)

static void check_rrset(const struct rrset *set)
{
    CHECK(set->count && set->count <= CACHE_RDATA_MAX);
    for (unsigned i = 0; i < set->count; i++)
        CHECK(rdata_check_received(set->type, &set->rdata[i]) == 0);
    for (unsigned i = 0; i < set->sig_count; i++)
        CHECK(rdata_check(TYPE_RRSIG, &set->sig[i]) == 0);
}

static void check_list(const struct rrset_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        uint8_t copy[NAME_MAX];
        CHECK(name_from_bytes(list->items[i].owner, name_size(list->items[i].owner), copy) == 0);
        check_rrset(&list->items[i]);
    }
}

/* What was read can be written, and read again. */
static void check_rr(struct arena *arena, struct slice key, struct slice value)
{
    struct cache_rr rr, again;
    struct slice back;
    if (cache_rr_decode(arena, key, value, name_root, TYPE_A, &rr) != 0)
        return;
    check_rrset(&rr.rrset);
    check_list(&rr.proof);
    if (cache_rr_encode(arena, key, &rr, &back) != 0)
        return;
    CHECK(cache_rr_decode(arena, key, back, name_root, TYPE_A, &again) == 0);
    CHECK(rrset_same_rdata(&rr.rrset, &again.rrset));
    for (unsigned i = 0; i < rr.rrset.sig_count; i++)
        CHECK(rr.rrset.sig[i].size == again.rrset.sig[i].size &&
              memcmp(rr.rrset.sig[i].data, again.rrset.sig[i].data, rr.rrset.sig[i].size) == 0);
    CHECK(rr.rrset.ttl == again.rrset.ttl && rr.original_ttl == again.original_ttl);
    CHECK(rr.expires.s == again.expires.s && rr.stored.s == again.stored.s);
}

static void check_neg(struct arena *arena, struct slice key, struct slice value)
{
    struct cache_neg neg, again;
    struct slice back;
    if (cache_neg_decode(arena, key, value, &neg) != 0)
        return;
    check_list(&neg.proof);
    CHECK(neg.ede_count <= ANSWER_MAX_EDE);
    for (unsigned i = 0; i < neg.ede_count; i++)
        CHECK(neg.ede[i].text_size <= ANSWER_EDE_TEXT);
    if (cache_neg_encode(arena, key, &neg, &back) == 0)
        CHECK(cache_neg_decode(arena, key, back, &again) == 0 && again.kind == neg.kind);
}

static void check_zone(struct arena *arena, struct slice key, struct slice value)
{
    struct cache_zone zone, again;
    struct slice back;
    if (cache_zone_decode(arena, key, value, name_root, &zone) != 0)
        return;
    if (zone.has_delegation)
        check_rrset(&zone.ns);
    check_list(&zone.glue);
    check_list(&zone.ds_proof);
    if (zone.has_dnskey)
        check_rrset(&zone.dnskey);
    if (cache_zone_encode(arena, key, &zone, &back) == 0)
        CHECK(cache_zone_decode(arena, key, back, name_root, &again) == 0 && again.ds_state == zone.ds_state);
}

static void check_nta(struct arena *arena, struct slice key, struct slice value)
{
    struct cache_nta nta, again;
    struct slice back;
    if (cache_nta_decode(arena, key, value, &nta) != 0)
        return;
    CHECK(nta.reason.data + nta.reason.size <= value.data + value.size);
    CHECK(nta.author.data + nta.author.size <= value.data + value.size);
    if (cache_nta_encode(arena, key, &nta, &back) == 0)
        CHECK(cache_nta_decode(arena, key, back, &again) == 0 && again.source == nta.source);
}

static int get_value(void *ctx, enum cache_db db, struct slice key, struct slice *ret_value)
{
    *ret_value = *(const struct slice *)ctx;
    return 0;
}

/* A record that says the wrong things may switch the wrong zones, but nothing else. */
static void check_switch(struct arena *arena, struct slice body)
{
    struct stale_switch set, again;
    struct slice value;
    struct cache_view view = {.ctx = &value, .get = get_value};
    uint8_t copy[NAME_MAX];
    if (cache_blob_encode(arena, stale_switch_key(), body, &value) != 0)
        return;
    stale_switch_read(&view, &set);
    CHECK(set.count <= STALE_SWITCH_MAX);
    for (unsigned i = 0; i < set.count; i++)
        CHECK(name_from_bytes(set.zones[i].zone, name_size(set.zones[i].zone), copy) == 0);
    if (stale_switch_encode(arena, &set, &value) != 0)
        return;
    stale_switch_read(&view, &again);
    CHECK(again.count == set.count);
}

static void check_anchor(struct arena *arena, struct slice key, struct slice value)
{
    struct cache_anchor anchor, again;
    struct slice back;
    if (cache_anchor_decode(key, value, &anchor) != 0)
        return;
    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++) {
        CHECK(anchor.keys[i].state <= ANCHOR_REMOVED && anchor.keys[i].digest_size <= CACHE_ANCHOR_DIGEST);
        CHECK(anchor.keys[i].state == ANCHOR_START || anchor.keys[i].digest_size > 0);
    }
    CHECK(cache_anchor_encode(arena, key, &anchor, &back) == 0);
    CHECK(cache_anchor_decode(key, back, &again) == 0 && memcmp(&anchor, &again, sizeof(anchor)) == 0);
}

static void check_all(struct arena *arena, struct slice key, struct slice value)
{
    struct slice blob;
    check_rr(arena, key, value);
    check_neg(arena, key, value);
    check_zone(arena, key, value);
    check_nta(arena, key, value);
    check_anchor(arena, key, value);
    if (cache_blob_decode(key, value, &blob) == 0)
        CHECK(blob.data + blob.size == value.data + value.size);
    cache_value_expires(value);
}

static void check_key(struct slice key)
{
    uint8_t name[NAME_MAX];
    uint16_t type;
    size_t prefix;
    struct cache_key again;
    if (cache_key_to_name(key, name, &type) == 0) {
        uint8_t back[NAME_MAX];
        uint16_t same_type;
        CHECK(cache_key_rr(name, type, &again) == 0);
        CHECK(cache_key_to_name(cache_key_slice(&again), back, &same_type) == 0);
        CHECK(name_equal(back, name) && same_type == type);
    }
    if (cache_key_to_zone(key, name, &prefix) == 0) {
        uint8_t owner[NAME_MAX];
        CHECK(prefix <= key.size);
        if (cache_key_to_owner(key, name, owner) == 0)
            CHECK(name_is_under(owner, name));
    }
    if (key.size <= CACHE_KEY_MAX && cache_key_before(key, &again) == 0)
        CHECK(cache_key_compare(cache_key_slice(&again), key) < 0);
    if (key.size <= CACHE_KEY_MAX && cache_key_after(key, &again) == 0)
        CHECK(cache_key_compare(cache_key_slice(&again), key) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t kind = fuzz_u8(&in);
    struct slice key = fuzz_bytes(&in, fuzz_u8(&in));
    struct arena *arena = arena_new(1u << 20);
    CHECK(arena);
    check_key(key);
    check_all(arena, key, slice_make(in.data, in.left));
    check_switch(arena, slice_make(in.data, in.left));
    if (in.left <= CACHE_ENTRY_MAX - ENTRY_HEADER) {
        uint8_t *value = arena_alloc(arena, ENTRY_HEADER + in.left);
        CHECK(value);
        value[ENTRY_CHECKSUM] = ENTRY_WHAT(kind % (ENTRY_KIND_MAX + 1));
        entry_store_le(value + 5, EXPIRES, 5);
        if (in.left)
            memcpy(value + ENTRY_HEADER, in.data, in.left);
        entry_store_le(value, entry_checksum(key, slice_make(value, ENTRY_HEADER + in.left)), ENTRY_CHECKSUM);
        check_all(arena, key, slice_make(value, ENTRY_HEADER + in.left));
    }
    arena_free(arena);
    return 0;
}
