#include "daemons/validatord/core/anchor_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/cache/key.h"
#include "common/wire/sentinel.h"
#include "daemons/validatord/crypto_openssl.h"

#define DAY     INT64_C(86400)
#define START_S INT64_C(1700000000)

struct fixture {
    struct arena *arena;
    struct digester *digester;
    struct crypto_ops ops;
    struct anchor_rules rules;
    struct cache_anchor anchor;
    struct anchor_events events;
    struct anchor_set set;
    wall_s now;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    f->arena = arena_new(1 << 22);
    assert_int_equal(digester_new(&f->digester), 0);
    f->ops = digester_ops(f->digester);
    f->rules = (struct anchor_rules){.crypto = &f->ops, .updates = true};
    f->set.ttl_s = 172800;
    f->set.life_s = 20 * 86400;
    f->now.s = START_S;
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    digester_free(f->digester);
    arena_free(f->arena);
    test_free(f);
    return 0;
}

/* A DNSKEY of that number: P-256, as far as its shape goes. */
static struct rdata make_key(struct fixture *f, unsigned number, uint16_t flags, uint8_t algorithm)
{
    uint8_t *bytes = arena_alloc(f->arena, 68);

    memset(bytes, 0, 68);
    bytes[0] = (uint8_t)(flags >> 8);
    bytes[1] = (uint8_t)flags;
    bytes[2] = 3;
    bytes[3] = algorithm;
    bytes[4] = (uint8_t)(number + 1);
    return (struct rdata){.data = bytes, .size = 68};
}

/* The set is what is added from here on. */
static void begin_set(struct fixture *f)
{
    f->set.count = 0;
}

static void add(struct fixture *f, unsigned number, uint16_t flags, bool self_signed)
{
    struct rdata rdata = make_key(f, number, flags, ALG_ECDSAP256);
    struct rrset one = {.type = TYPE_DNSKEY, .count = 1, .rdata = &rdata};
    struct anchor_set parsed;

    assert_int_equal(anchor_set_from_rrset(f->arena, &one, &parsed), 0);
    assert_int_equal(parsed.count, 1);
    f->set.seen[f->set.count] = parsed.seen[0];
    f->set.seen[f->set.count++].self_signed = self_signed;
}

static int number_of(struct fixture *f, unsigned number)
{
    struct rdata rdata = make_key(f, number, 257, ALG_ECDSAP256);
    struct anchor_key key;

    assert_int_equal(anchor_key_from_rdata(&f->rules, name_root, TYPE_DNSKEY, &rdata, &key), 0);
    return anchor_find(&f->anchor, &key);
}

static enum anchor_state state_of(struct fixture *f, unsigned number)
{
    int at = number_of(f, number);
    return at < 0 ? ANCHOR_START : f->anchor.keys[at].state;
}

static void configure(struct fixture *f, unsigned number, enum anchor_source source)
{
    struct rdata rdata = make_key(f, number, 257, ALG_ECDSAP256);
    struct anchor_key key;
    int at = anchor_room(&f->anchor);

    assert_true(at >= 0);
    assert_int_equal(anchor_key_from_rdata(&f->rules, name_root, TYPE_DNSKEY, &rdata, &key), 0);
    key.state = ANCHOR_VALID;
    key.sources = source;
    key.since = f->now;
    f->anchor.keys[at] = key;
}

/* As kept and read back: what a restart leaves. */
static void restart(struct fixture *f)
{
    struct cache_key key;
    struct slice value;

    assert_int_equal(cache_key_name(name_root, &key), 0);
    assert_int_equal(cache_anchor_encode(f->arena, cache_key_slice(&key), &f->anchor, &value), 0);
    assert_true(value.size <= CACHE_ENTRY_MAX);
    memset(&f->anchor, 0xff, sizeof(f->anchor));
    assert_int_equal(cache_anchor_decode(cache_key_slice(&key), value, &f->anchor), 0);
}

/* The set is seen after so many days, signed by key number `signer` of the record (-1: by none). */
static bool see(struct fixture *f, int64_t days, int signer)
{
    f->now.s += days * DAY;
    f->events.count = 0;
    bool changed = anchor_observe(&f->rules, name_root, &f->set, signer < 0 ? 0 : UINT32_C(1) << signer,
                                  f->now, &f->anchor, &f->events);
    restart(f);
    return changed;
}

static bool happened(const struct fixture *f, enum anchor_event_kind kind)
{
    for (unsigned i = 0; i < f->events.count; i++)
        if (f->events.list[i].kind == kind)
            return true;
    return false;
}

static void a_key_is_added_held_down_revoked_and_removed_across_restarts(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257, false);
    assert_false(see(f, 0, 0));
    assert_int_equal(state_of(f, 2), ANCHOR_ADDPEND);
    assert_false(see(f, 29, 0));
    assert_int_equal(state_of(f, 2), ANCHOR_ADDPEND);
    assert_true(see(f, 1, 0));
    assert_int_equal(state_of(f, 2), ANCHOR_VALID);
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 2);
    begin_set(f), add(f, 1, 257 | DNSKEY_FLAG_REVOKE, true), add(f, 2, 257, false);
    assert_true(see(f, 1, number_of(f, 2)));
    assert_int_equal(state_of(f, 1), ANCHOR_REVOKED);
    assert_false(see(f, 40, number_of(f, 2))); /* still shown: its hold-down begins when it is gone */
    assert_int_equal(state_of(f, 1), ANCHOR_REVOKED);
    begin_set(f), add(f, 2, 257, false);
    assert_false(see(f, 29, number_of(f, 2)));
    assert_int_equal(state_of(f, 1), ANCHOR_REVOKED);
    assert_false(see(f, 1, number_of(f, 2)));
    assert_int_equal(state_of(f, 1), ANCHOR_REMOVED);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257, false);
    assert_false(see(f, 60, number_of(f, 2)));
    assert_int_equal(state_of(f, 1), ANCHOR_REMOVED);
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 1);
}

static void a_revoked_key_is_no_witness_of_the_set_that_revokes_it(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    configure(f, 2, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257 | DNSKEY_FLAG_REVOKE, true), add(f, 3, 257, false);
    assert_true(see(f, 0, 0));
    assert_int_equal(state_of(f, 1), ANCHOR_REVOKED);
    assert_int_equal(state_of(f, 2), ANCHOR_VALID); /* that the set lacks it says nothing */
    assert_int_equal(state_of(f, 3), ANCHOR_START);
}

static void a_pending_key_that_revokes_itself_never_becomes_an_anchor(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257, false);
    see(f, 0, 0);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257 | DNSKEY_FLAG_REVOKE, true);
    assert_false(see(f, 1, 0));
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257, false);
    assert_false(see(f, 31, 0));
    assert_false(see(f, 31, 0));
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 1);
}

static void the_hold_down_is_the_ttl_where_that_is_longer(void **state)
{
    struct fixture *f = *state;

    f->set.ttl_s = 40 * 86400;
    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 257, false);
    see(f, 0, 0);
    assert_false(see(f, 39, 0));
    assert_true(see(f, 1, 0));
}

static void keys_without_sep_or_a_supported_algorithm_are_never_pending(void **state)
{
    struct fixture *f = *state;
    struct rdata odd = make_key(f, 3, 257, 250);
    struct rrset one = {.type = TYPE_DNSKEY, .count = 1, .rdata = &odd};
    struct anchor_set parsed;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false), add(f, 2, 256, false);
    assert_int_equal(anchor_set_from_rrset(f->arena, &one, &parsed), 0);
    f->set.seen[f->set.count++] = parsed.seen[0];
    see(f, 0, 0);
    assert_false(happened(f, ANCHOR_EVENT_PENDING));
}

static void a_silly_zone_fills_no_more_than_its_share(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false);
    for (unsigned i = 10; i < 60; i++)
        add(f, i, 257, false);
    see(f, 0, 0);
    assert_true(happened(f, ANCHOR_EVENT_FULL));
    unsigned pending = 0;
    for (unsigned i = 10; i < 60; i++)
        pending += state_of(f, i) == ANCHOR_ADDPEND;
    assert_int_equal(pending, ANCHOR_PENDING_MAX);
    assert_int_equal(state_of(f, 1), ANCHOR_VALID);
}

static void room_is_made_by_removed_keys_alone_and_never_by_configured_ones(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < CACHE_ANCHOR_KEYS; i++)
        configure(f, i, ANCHOR_LEARNED);
    assert_int_equal(anchor_room(&f->anchor), -1);
    f->anchor.keys[3].state = ANCHOR_REVOKED;
    f->anchor.keys[4].state = ANCHOR_REMOVED;
    f->anchor.keys[4].sources = ANCHOR_BUILTIN | ANCHOR_LEARNED;
    assert_int_equal(anchor_room(&f->anchor), -1);
    f->anchor.keys[5].state = ANCHOR_REMOVED;
    assert_int_equal(anchor_room(&f->anchor), 5);
}

static void learnt_keys_count_only_with_updates_and_a_foundation(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_OPERATOR);
    configure(f, 2, ANCHOR_LEARNED);
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 2);
    f->rules.updates = false;
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 1);
    f->rules.updates = true;
    f->anchor.keys[0] = (struct anchor_key){0};
    assert_int_equal(anchor_count_in_force(&f->rules, &f->anchor), 0);
}

static void all_keys_revoked_is_told(void **state)
{
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257 | DNSKEY_FLAG_REVOKE, true);
    assert_true(see(f, 0, -1));
    assert_true(happened(f, ANCHOR_EVENT_DELETED));
}

static void times_of_refresh_keep_to_the_bounds_of_rfc_5011(void **state)
{
    static const struct {
        uint32_t ttl_s, life_s, interval_s, retry_s;
    } cases[] = {
        {172800, 20 * 86400, 86400, 17280},          /* the root's */
        {60, 20 * 86400, 3600, 3600},                /* never more often than once an hour */
        {90 * 86400, 90 * 86400, 15 * 86400, 86400}, /* never more seldom than that */
        {10 * 86400, 2 * 86400, 86400, 17280},       /* the signature ends first */
        {172800, 0, 3600, 3600},
    };
    struct fixture *f = *state;

    configure(f, 1, ANCHOR_BUILTIN);
    begin_set(f), add(f, 1, 257, false);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        f->set.ttl_s = cases[i].ttl_s;
        f->set.life_s = cases[i].life_s;
        see(f, 1, 0);
        assert_int_equal(f->anchor.interval_s, cases[i].interval_s);
        assert_int_equal(f->anchor.retry_s, cases[i].retry_s);
        assert_int_equal(anchor_refresh_left_s(&f->anchor, f->now), cases[i].interval_s);
        f->anchor.attempted = f->now;
        assert_int_equal(anchor_refresh_left_s(&f->anchor, f->now), cases[i].retry_s);
    }
    wall_s before = {.s = f->now.s - 10 * DAY}; /* the clock stepped back */
    assert_int_equal(anchor_refresh_left_s(&f->anchor, before), 0);
}

static void a_ds_of_another_digest_is_the_same_key(void **state)
{
    struct fixture *f = *state;
    struct rdata rdata = make_key(f, 1, 257, ALG_ECDSAP256);
    const struct slice parts[2] = {slice_make(name_root, 1), slice_make(rdata.data, rdata.size)};
    uint8_t ds[52] = {0, 0, ALG_ECDSAP256, DIGEST_SHA384};
    struct dnskey key;
    struct anchor_key anchor;
    size_t size;

    assert_int_equal(f->ops.digest(f->ops.ctx, DIGEST_SHA384, parts, 2, ds + 4, &size), 0);
    assert_int_equal(size, 48);
    assert_int_equal(dnskey_parse(&rdata, &key), 0);
    ds[0] = (uint8_t)(key.tag >> 8);
    ds[1] = (uint8_t)key.tag;
    struct rdata as_ds = {.data = ds, .size = sizeof(ds)};
    assert_int_equal(anchor_key_from_rdata(&f->rules, name_root, TYPE_DS, &as_ds, &anchor), 0);
    anchor.state = ANCHOR_VALID;
    assert_true(anchor_is(&f->rules, name_root, &anchor, &key));
    ds[51] ^= 1;
    assert_int_equal(anchor_key_from_rdata(&f->rules, name_root, TYPE_DS, &as_ds, &anchor), 0);
    anchor.state = ANCHOR_VALID;
    assert_false(anchor_is(&f->rules, name_root, &anchor, &key));
}

static void a_sentinel_label_has_five_digits_and_is_a_key_tag(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
        bool is, is_ta;
        uint16_t tag;
    } cases[] = {
        {"root-key-sentinel-is-ta-20326.example.", TYPE_A, true, true, 20326},
        {"root-key-sentinel-not-ta-00042.example.", TYPE_AAAA, true, false, 42},
        {"root-key-sentinel-is-ta-65535.", TYPE_A, true, true, 65535},
        {"root-key-sentinel-is-ta-65536.", TYPE_A, false, false, 0},
        {"root-key-sentinel-is-ta-99999.", TYPE_A, false, false, 0},
        {"root-key-sentinel-is-ta-20326.", TYPE_TXT, false, false, 0},
        {"root-key-sentinel-is-ta-42.", TYPE_A, false, false, 0},
        {"root-key-sentinel-is-ta-2032a.", TYPE_A, false, false, 0},
        {"root-key-sentinel-is-ta-020326.", TYPE_A, false, false, 0},
        {"a.root-key-sentinel-is-ta-20326.", TYPE_A, false, false, 0},
        {".", TYPE_A, false, false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t name[NAME_MAX];
        bool is_ta;
        uint16_t tag;
        assert_int_equal(name_from_text(cases[i].name, name), 0);
        assert_int_equal(sentinel_parse(name, cases[i].type, &is_ta, &tag), cases[i].is);
        if (cases[i].is) {
            assert_int_equal(is_ta, cases[i].is_ta);
            assert_int_equal(tag, cases[i].tag);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_added_held_down_revoked_and_removed_across_restarts),
        TEST(a_revoked_key_is_no_witness_of_the_set_that_revokes_it),
        TEST(a_pending_key_that_revokes_itself_never_becomes_an_anchor),
        TEST(the_hold_down_is_the_ttl_where_that_is_longer),
        TEST(keys_without_sep_or_a_supported_algorithm_are_never_pending),
        TEST(a_silly_zone_fills_no_more_than_its_share),
        TEST(room_is_made_by_removed_keys_alone_and_never_by_configured_ones),
        TEST(learnt_keys_count_only_with_updates_and_a_foundation),
        TEST(all_keys_revoked_is_told),
        TEST(times_of_refresh_keep_to_the_bounds_of_rfc_5011),
        TEST(a_ds_of_another_digest_is_the_same_key),
        cmocka_unit_test(a_sentinel_label_has_five_digits_and_is_a_key_tag),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
