#pragma once
/* A little Internet inside a test: signed zones made from text, servers that answer from them, a recursord
 * that walks over these, and a core with its cache, driven until it is at rest. Tests bend single replies to
 * play broken servers and liars. */

#include "common/cache/memstore.h"
#include "daemons/validatord/core/validator.h"
#include "daemons/validatord/crypto_openssl.h"
#include "zone_text.h"

#define LAB_ZONES    16u
#define LAB_FETCHES  64u
#define LAB_VERDICTS 32u
#define LAB_NOW      1700000000

enum lab_denial { LAB_UNSIGNED, LAB_NSEC, LAB_NSEC3, LAB_OPTOUT };

struct lab_key {
    void *pkey; /* EVP_PKEY, Ed25519 */
    struct rdata dnskey;
    uint16_t tag;
};

struct lab_zone {
    const uint8_t *name;
    enum lab_denial denial;
    struct rrset_list sets;
    struct lab_key key, extra;
    bool extra_key;
    /* to be set before lab_start */
    uint16_t iterations;
    bool no_ds; /* signed, but the parent has no DS */
    bool wrong_ds;
    uint8_t ds_digest;             /* default SHA-256 */
    uint8_t ds_algorithm;          /* as the DS says; default the key's */
    uint16_t key_flags;            /* default 257 */
    bool shared;                   /* on the servers of its parent: no referral is ever seen */
    int64_t inception, expiration; /* relative to the clock */
};

/* A reply before it is put into a message: tests edit it. */
struct lab_reply {
    bool referral;
    const uint8_t *cut; /* the zone whose server speaks */
    const uint8_t *qname;
    uint16_t qtype, rcode, flags;
    struct rrset_list section[3];
    bool silent; /* the servers do not answer */
};

struct lab_verdict {
    uint64_t client, id, epoch;
    struct answer answer;
};

struct lab_fetch_note {
    const uint8_t *qname;
    uint16_t qtype;
    size_t avoid_count;
};

struct lab {
    struct arena *arena;
    struct digester *digester;
    struct crypto_ops ops;
    struct verifier *verifier;
    struct lab_zone zones[LAB_ZONES];
    unsigned zone_count;
    struct val_config config;
    struct val_anchor anchors[4];
    struct val_core *core;
    struct memstore *store;
    struct cache_view view;
    struct random_pool pool;
    struct env env;
    /* called for every reply before it is sent */
    void (*bend)(struct lab *lab, struct lab_reply *reply);
    void *bend_ctx;
    unsigned bent;
    bool hold_fetches; /* fetches are noted, not answered */
    bool down;         /* every fetch ends unreachable */
    bool no_verify;    /* signature checks are answered BAD */
    bool anchors_unwritable;
    uint64_t epoch;
    unsigned anchor_events[32]; /* by enum anchor_event_kind */
    uint64_t held[LAB_FETCHES];
    unsigned held_count;
    /* what was seen */
    unsigned upstream, fetches, verifications, writes;
    struct lab_fetch_note fetched[LAB_FETCHES];
    struct lab_verdict verdicts[LAB_VERDICTS];
    unsigned verdict_count;
};

struct lab *lab_new(void);
void lab_free(struct lab *lab);
/* Adds a zone; its text without DNSSEC records. SOA, NS and an address for ns.<zone> are added. */
struct lab_zone *lab_zone(struct lab *lab, const char *name, enum lab_denial denial, const char *text);
struct lab_zone *lab_find(struct lab *lab, const char *name);
/* Makes the DS of a zone an anchor, instead of the root's when it is the first call. */
void lab_anchor(struct lab *lab, const char *zone);
/* Links parents and children, makes the core with the root as anchor unless lab_anchor was called. */
void lab_start(struct lab *lab);

/* Asks and drives until nothing moves; the last verdict. */
const struct answer *lab_ask(struct lab *lab, const char *name, uint16_t type);
const struct answer *lab_ask_cd(struct lab *lab, const char *name, uint16_t type, bool cd);
void lab_question(struct lab *lab, const char *name, uint16_t type, bool cd, uint64_t client,
                  struct budget *budget);
void lab_drive(struct lab *lab);
/* Time passes. */
void lab_pass(struct lab *lab, uint64_t seconds);
/* Drops the counters, and the cache when asked. */
void lab_reset(struct lab *lab, bool cache);

/* For editing replies. */
void lab_sign(struct lab *lab, const struct lab_zone *zone, struct rrset *rrset);
void lab_strip(struct lab_reply *reply, enum section section);
struct rrset *lab_add(struct lab *lab, struct lab_reply *reply, enum section section, const char *text);
bool lab_has_ede(const struct answer *answer, uint16_t code);
const char *lab_ede_text(const struct answer *answer, uint16_t code);
void lab_serve(struct lab *lab, const struct lab_zone *zone, const uint8_t *qname, uint16_t qtype,
               struct lab_reply *reply);
void lab_prepare_keys(struct lab *lab, struct lab_zone *zone);
void lab_link(struct lab *lab);
