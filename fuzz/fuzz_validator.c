/* validatord's core with make-believe cryptography, so that a fuzzer can sign: a signature is good when its
 * last octet is odd, a digest is 32 times the sum of what it covers, a hash is a mix of the name. That opens
 * the states behind a good signature to strange data, which real keys would keep shut. Whether forgeries pass
 * is fuzz_forgery's business.
 *
 * What must hold: every question gets one verdict, within its time; a verdict can be sent; what is written to
 * the cache can be read back. a script of events, each an octet and its arguments; evidence is given as
 * flags, counts and records behind the question */

#include "common/cache/memstore.h"
#include "common/wire/build.h"
#include "daemons/validatord/core/validator.h"
#include "fuzz/fuzz.h"

#define MAX_FETCHES   48u
#define MAX_QUESTIONS 8u
#define MAX_EVENTS    300u

struct open_fetch {
    uint64_t id;
    uint8_t qname[NAME_MAX], cut[NAME_MAX];
    uint16_t qtype;
};

struct harness {
    struct val_core *core;
    struct memstore *store;
    mono_ns now;
    struct random_pool pool;
    struct open_fetch fetches[MAX_FETCHES];
    size_t fetch_count;
    unsigned asked, verdicts[MAX_QUESTIONS];
};

/* The one key of every zone. */
static const uint8_t zone_key[] = "\1\1\3\15kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

static int fake_digest(void *ctx, uint8_t digest_type, const struct slice *parts, size_t count,
                       uint8_t ret_digest[48], size_t *ret_size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < parts[i].size; k++)
            sum = (uint8_t)(sum + parts[i].data[k]);
    *ret_size = digest_type == DIGEST_SHA1 ? 20 : 32;
    memset(ret_digest, sum, *ret_size);
    return digest_type != DIGEST_SHA256 && digest_type != DIGEST_SHA1;
}

static int fake_hash(void *ctx, const uint8_t *name, uint8_t algorithm, uint16_t iterations,
                     struct slice salt, uint8_t ret_hash[20])
{
    memset(ret_hash, 0, 20);
    for (size_t i = 0, size = name_size(name); i < size; i++)
        ret_hash[i % 20] = (uint8_t)(ret_hash[i % 20] * 31 + name[i]);
    return algorithm != 1;
}

static struct env harness_env(struct harness *h)
{
    for (size_t i = 0; i < RANDOM_POOL_BYTES; i++)
        h->pool.bytes[i] = (uint8_t)(i * 7 + h->now.ns);
    h->pool.left = RANDOM_POOL_BYTES;
    return (struct env){
        .mono = h->now, .wall = {1800000000 + (int64_t)(h->now.ns / NS_PER_S)}, .random = &h->pool};
}

static void check_write(const struct cache_write *write)
{
    struct arena *arena = arena_new(1u << 20);
    struct cache_rr rr;
    struct cache_neg neg;
    struct cache_zone zone;
    uint8_t name[NAME_MAX];
    uint16_t type;
    CHECK(arena && write->key.size && write->key.size <= CACHE_KEY_MAX &&
          write->value.size <= CACHE_ENTRY_MAX);
    if (!write->remove && write->db == CACHE_RR && cache_key_to_name(write->key, name, &type) == 0)
        CHECK(cache_rr_decode(arena, write->key, write->value, name, type, &rr) == 0);
    if (!write->remove && write->db == CACHE_NEG)
        CHECK(cache_neg_decode(arena, write->key, write->value, &neg) == 0);
    if (!write->remove && write->db == CACHE_ZONE && cache_key_to_name(write->key, name, &type) == 0)
        CHECK(cache_zone_decode(arena, write->key, write->value, name, &zone) == 0);
    arena_free(arena);
}

static void check_verdict(struct harness *h, const struct val_action *action)
{
    static uint8_t wire[MESSAGE_MAX];
    struct arena *arena = arena_new(8u << 20);
    struct answer back;
    CHECK(arena && action->id < h->asked && action->answer);
    CHECK(++h->verdicts[action->id] == 1);
    CHECK(action->answer->security <= SECURITY_SECURE);
    CHECK(!action->answer->authentic || action->answer->security == SECURITY_SECURE);
    size_t size = answer_to_wire(action->answer, (const uint8_t *)"\1x", TYPE_A, wire, sizeof(wire));
    CHECK(size && answer_from_wire(arena, wire, size, &back) == 0);
    CHECK(back.rcode == action->answer->rcode && back.answer.count == action->answer->answer.count);
    arena_free(arena);
}

static void drop_fetch(struct harness *h, uint64_t id)
{
    for (size_t i = 0; i < h->fetch_count; i++)
        if (h->fetches[i].id == id)
            h->fetches[i--] = h->fetches[--h->fetch_count];
}

static void take_fetch(struct harness *h, const struct val_action *action)
{
    drop_fetch(h, action->fetch);
    if (h->fetch_count == MAX_FETCHES)
        return;
    struct open_fetch *f = &h->fetches[h->fetch_count++];
    f->id = action->fetch;
    f->qtype = action->qtype;
    name_copy(action->qname, f->qname);
    name_copy(action->cut ? action->cut : name_root, f->cut);
    CHECK(name_is_under(f->qname, f->cut));
}

static void drain(struct harness *h, const struct cache_view *view)
{
    struct val_action action;
    unsigned count = 0;
    while (val_core_next_action(h->core, &action)) {
        struct env env = harness_env(h);
        CHECK(++count < 20000);
        switch (action.kind) {
        case VAL_ACTION_FETCH:
            take_fetch(h, &action);
            break;
        case VAL_ACTION_CANCEL:
            drop_fetch(h, action.fetch);
            break;
        case VAL_ACTION_VERIFY: {
            struct slice s = action.request.signature;
            CHECK(action.request.data.size && action.request.key.data);
            enum verify_outcome outcome = s.size && s.data[s.size - 1] & 1 ? VERIFY_GOOD : VERIFY_BAD;
            CHECK(val_core_verified(h->core, &env, view, action.verify, outcome) == 0);
            break;
        }
        case VAL_ACTION_VERDICT:
            check_verdict(h, &action);
            break;
        case VAL_ACTION_WRITE:
            check_write(&action.write);
            CHECK(memstore_apply(h->store, &action.write, false) == 0);
            break;
        case VAL_ACTION_EVENT:
            CHECK(action.event->kind >= VAL_EVENT_INCIDENT_OPENED &&
                  action.event->kind <= VAL_EVENT_NTA_VALID);
            CHECK(strlen(action.event->text) <= ANSWER_EDE_TEXT);
            break;
        case VAL_ACTION_ANCHOR: {
            uint8_t zone[NAME_MAX];
            name_copy(action.zone, zone);
            CHECK(memstore_apply(h->store, &action.write, false) == 0);
            if (action.effective)
                val_core_anchor_written(h->core, &env, view, zone, true);
            break;
        }
        }
    }
}

static void advance(struct harness *h, const struct cache_view *view, uint64_t ms)
{
    mono_ns until = mono_add_ms(h->now, ms);
    for (mono_ns due; due = val_core_deadline(h->core), due.ns <= until.ns;) {
        /* A deadline that a tick does not move would hold the clock still. */
        h->now.ns = MAX(due.ns, h->now.ns + 1000);
        struct env env = harness_env(h);
        CHECK(val_core_tick(h->core, &env, view) == 0);
        drain(h, view);
    }
    h->now.ns = MAX(h->now.ns, until.ns);
}

static void event_ask(struct harness *h, const struct cache_view *view, struct fuzz_input *in)
{
    static const char names[][24] = {"www.example.com.", "example.com.", "a.b.example.com.", ".", "com."};
    uint8_t qname[NAME_MAX];
    struct env env = harness_env(h);
    if (h->asked == MAX_QUESTIONS)
        return;
    CHECK(name_from_text(names[fuzz_u8(in) % ARRAY_SIZE(names)], qname) == 0);
    struct val_question q = {.client = 1, .id = h->asked, .qname = qname, .budget = budget_fresh(h->now)};
    q.qtype = fuzz_u8(in);
    if (!q.qtype)
        q.qtype = TYPE_A;
    uint8_t flags = fuzz_u8(in);
    q.checking_disabled = flags & 1;
    q.refresh = flags & 2;
    h->asked++;
    CHECK(val_core_resolve(h->core, &env, view, &q) == 0);
}

/* A record and, with signer, a signature over it that counts as good. */
static void put(struct builder *b, enum section section, const uint8_t *owner, uint16_t type,
                const void *rdata, size_t size, const uint8_t *signer)
{
    uint8_t sig[18 + NAME_MAX + 4] = {(uint8_t)(type >> 8), (uint8_t)type, ALG_ECDSAP256,
                                      (uint8_t)name_labels(owner)};
    struct rdata key = {zone_key, sizeof(zone_key) - 1};
    uint16_t tag = dnskey_tag(&key);
    build_rr(b, section, owner, type, CLASS_IN, 3600, rdata, (uint16_t)size);
    if (!signer)
        return;
    memcpy(sig + 4, "\0\0\16\20\177\377\377\377\1\0\0\0", 12); /* one hour, good from 1978 to 2038 */
    sig[16] = (uint8_t)(tag >> 8);
    sig[17] = (uint8_t)tag;
    size_t end = 18 + name_copy(signer, sig + 18);
    memcpy(sig + end, "sig", 3); /* 'g' is odd */
    build_rr(b, section, owner, TYPE_RRSIG, CLASS_IN, 3600, sig, (uint16_t)(end + 3));
}

static size_t make_ds(const uint8_t *owner, uint8_t ret_ds[36])
{
    struct rdata key = {zone_key, sizeof(zone_key) - 1};
    struct slice parts[2] = {{owner, name_size(owner)}, {zone_key, sizeof(zone_key) - 1}};
    uint16_t tag = dnskey_tag(&key);
    uint8_t digest[48];
    size_t size;
    ret_ds[0] = (uint8_t)(tag >> 8);
    ret_ds[1] = (uint8_t)tag;
    ret_ds[2] = ALG_ECDSAP256;
    ret_ds[3] = DIGEST_SHA256;
    fake_digest(NULL, DIGEST_SHA256, parts, 2, digest, &size);
    memcpy(ret_ds + 4, digest, 32);
    return 36;
}

/* What a tidy world might say to the fetch: every name with a DS and a key, every type with a record, or a
 * denial. */
static void put_tidy(struct builder *b, const struct open_fetch *f, struct fuzz_input *in)
{
    uint8_t ds[36], bits = fuzz_u8(in);
    const uint8_t *parent = name_parent(f->qname);
    const uint8_t *zone = name_suffix(f->qname, bits % (name_labels(f->qname) + 1));
    if (bits & 0x80) {
        uint8_t soa[] = "\0\0"
                        "\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\1";
        uint8_t nsec[NAME_MAX + 16];
        size_t at = name_copy(bits & 0x40 ? zone : parent, nsec);
        memcpy(nsec + at, "\0\6\100\0\0\0\0\3", 8); /* A, RRSIG, NSEC */
        nsec[at + 2] ^= bits & 0x20;                /* NS */
        put(b, SECTION_AUTHORITY, zone, TYPE_SOA, soa, 22, zone);
        put(b, SECTION_AUTHORITY, bits & 0x10 ? f->qname : zone, TYPE_NSEC, nsec, at + 8, zone);
    } else if (f->qtype == TYPE_DNSKEY) {
        put(b, SECTION_ANSWER, f->qname, TYPE_DNSKEY, zone_key, sizeof(zone_key) - 1, f->qname);
    } else if (f->qtype == TYPE_DS) {
        put(b, SECTION_ANSWER, f->qname, TYPE_DS, ds, make_ds(f->qname, ds), parent);
    } else if (bits & 0x20) { /* a referral */
        put(b, SECTION_AUTHORITY, zone, TYPE_NS, "\2ns\0", 4, NULL);
        put(b, SECTION_AUTHORITY, zone, TYPE_DS, ds, make_ds(zone, ds), name_parent(zone));
    } else if (bits & 0x10) {
        put(b, SECTION_ANSWER, f->qname, TYPE_CNAME, parent, name_size(parent), zone);
    } else {
        put(b, SECTION_ANSWER, f->qname, f->qtype, "\300\0\2\1", 4, zone);
    }
}

static void event_evidence(struct harness *h, const struct cache_view *view, struct fuzz_input *in)
{
    static uint8_t wire[70000];
    struct builder b;
    if (!h->fetch_count)
        return;
    const struct open_fetch *f = &h->fetches[fuzz_u8(in) % h->fetch_count];
    uint8_t how = fuzz_u8(in);
    struct val_evidence evidence = {
        .fetch = f->id, .kind = how & 1 ? 1 : 2, .server = {.family = 4, .port = 53}};
    /* As recursord may say it: any cut from the root to the name. */
    unsigned labels = name_labels(f->qname);
    evidence.cut = how & 2 ? f->cut : name_suffix(f->qname, how / 4u % (labels + 1));
    build_begin(&b, wire, sizeof(wire), 0, (uint16_t)(FLAG_QR | fuzz_u16(in)));
    build_question(&b, f->qname, f->qtype, CLASS_IN);
    if (how & 0x80)
        put_tidy(&b, f, in);
    size_t size = build_end(&b);
    struct slice records = {0};
    if (how & 0x40) { /* in the section that the tidy records end in, or after them */
        for (unsigned i = 0; i < 3; i++)
            wire[7 + 2 * i] = (uint8_t)(wire[7 + 2 * i] + fuzz_u8(in));
        records = fuzz_bytes(in, fuzz_u16(in));
    }
    if (records.size)
        memcpy(wire + size, records.data, records.size);
    evidence.message = slice_make(wire, size + records.size);
    struct env env = harness_env(h);
    CHECK(val_core_evidence(h->core, &env, view, &evidence) == 0);
}

static void event_done(struct harness *h, const struct cache_view *view, struct fuzz_input *in)
{
    if (!h->fetch_count)
        return;
    struct val_done done = {.fetch = h->fetches[fuzz_u8(in) % h->fetch_count].id,
                            .upstream_used = 1,
                            .bytes_used = 100,
                            .ede_code = EDE_NONE};
    done.outcome = fuzz_u8(in) % 8;
    struct env env = harness_env(h);
    drop_fetch(h, done.fetch);
    CHECK(val_core_done(h->core, &env, view, &done) == 0);
}

static void step(struct harness *h, const struct cache_view *view, struct fuzz_input *in)
{
    struct env env = harness_env(h);
    uint8_t nta[NAME_MAX];
    switch (fuzz_u8(in) % 12) {
    case 0:
        event_ask(h, view, in);
        break;
    case 1:
        advance(h, view, fuzz_u16(in));
        break;
    case 2:
        CHECK(val_core_recursord_lost(h->core, &env, view) == 0);
        h->fetch_count = 0;
        break;
    case 3:
        CHECK(name_from_text("example.com.", nta) == 0);
        if (fuzz_u8(in) & 1)
            CHECK(val_core_nta_add(h->core, &env, nta, (wall_s){env.wall.s + 100}, fuzz_u8(in) & 1) == 0);
        else
            val_core_nta_remove(h->core, nta);
        break;
    case 4: {
        struct slice message = fuzz_bytes(in, fuzz_u16(in));
        CHECK(val_core_primed(h->core, &env, view, message) == 0);
        break;
    }
    case 5:
        val_core_set_epoch(h->core, fuzz_u8(in));
        break;
    case 6:
        event_done(h, view, in);
        break;
    default:
        event_evidence(h, view, in);
        break;
    }
    drain(h, view);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    uint8_t how = fuzz_u8(&in);
    uint8_t ds[36];
    struct val_anchor anchor = {.type = TYPE_DS, .rdata = {ds, (uint16_t)make_ds(name_root, ds)}};
    struct val_config config = {.generation = 1,
                                .validate = how & 1,
                                .anchors = &anchor,
                                .anchor_count = 1,
                                .aggressive_denial = how & 2,
                                .error_reporting = true,
                                .nsec3_iterations = 50,
                                .max_ttl_s = 86400,
                                .stale = {.enabled = !(how & 4)},
                                .stale_max_age_s = 3 * 86400,
                                .stale_answer_ttl_s = 30,
                                .delegation_max_age_s = 7 * 86400,
                                .nta_lifetime_s = 3600,
                                .nta_max_lifetime_s = 86400};
    struct crypto_ops ops = {.digest = fake_digest, .nsec3_hash = fake_hash};
    struct siphash_key key = {1, 2};
    struct harness *h = calloc(1, sizeof(*h));
    struct cache_view view;
    CHECK(h && (h->store = memstore_new()) && (h->core = val_core_new(&config, &ops, &key)));
    memstore_view(h->store, NULL, &view);
    h->now.ns = NS_PER_S;
    event_ask(h, &view, &in);
    drain(h, &view);
    for (unsigned events = 0; in.left && events < MAX_EVENTS; events++)
        step(h, &view, &in);
    for (unsigned s = 0; s <= BUDGET_WALL_MS / 1000; s++)
        advance(h, &view, 1000);
    for (unsigned i = 0; i < h->asked; i++)
        CHECK(h->verdicts[i] == 1);
    val_core_free(h->core);
    memstore_free(h->store);
    free(h);
    return 0;
}
