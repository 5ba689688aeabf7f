#pragma once
/* Zones that a scenario defines instead of writing every reply out: signed when the scenario is loaded, so
 * that no date rots and every algorithm is covered, and served by an authoritative server of the player's
 * own, which may misbehave. README.md has the words of ZONE_BEGIN, BREAK and MISBEHAVE. */

#include "tests/replay/scenario.h"

enum zone_break {
    BREAK_EXPIRED = 1,
    BREAK_NOT_YET,
    BREAK_BAD_SIGNATURE,
    BREAK_NO_SIGNATURE,
    BREAK_FOREIGN_KEY,
    BREAK_GONE,
    BREAK_WRONG_SIGNER,
    BREAK_LONG_TTL,
    BREAK_SHORT_SIGNATURE,
    BREAK_GARBLED_BESIDE,
    BREAK_TRAP,
    BREAK_CROWD,
    BREAK_THRONG,
};

struct zone_fault {
    enum zone_break how;
    ldns_rdf *name;
    ldns_rr_type type;
};

/* A false answer that a zone's server gives, made of what the zone has signed, or beside it. */
#define FORGERY_MAX_PROOFS 6u
struct zone_forgery {
    struct zone_forgery *next;
    enum { FORGE_DENY, FORGE_REFER, FORGE_STEAL, FORGE_ADD } kind;
    ldns_rdf *name;
    ldns_rr_type type; /* 0: whatever is asked */
    ldns_pkt_rcode rcode;
    struct {
        ldns_rdf *name;
        bool covers;
    } proofs[FORGERY_MAX_PROOFS];
    unsigned proof_count;
    ldns_rdf *source; /* STEAL: whose RRset is shown under the name */
    ldns_pkt_section section;
    ldns_rr *record; /* ADD */
};

/* One RRset with its signatures. */
struct zone_set {
    ldns_rdf *owner;
    ldns_rr_type type;
    ldns_rr_list *records, *signatures;
    ldns_rdf *hash; /* NSEC3: the hashed owner label's name, else NULL */
};

/* A key that several versions of a zone share, as KEY lines name them. */
#define ZONE_MAX_RING 16u
struct ring_key {
    char name[16];
    bool signs, revoked, anchor;
    ldns_key *key;
};

#define ZONE_MAX_SETS    4096u
#define ZONE_MAX_FAULTS  32u
#define ZONE_MAX_SERVERS 16u

struct play_zone {
    struct play_zone *next;
    ldns_rdf *apex;
    unsigned from, to;
    struct address servers[ZONE_MAX_SERVERS];
    unsigned server_count;
    ldns_signing_algorithm algorithm; /* 0: unsigned */
    bool nsec3, optout, two_keys, anchor;
    bool like_before;    /* the keys of the version before it */
    bool foreign_signer; /* all but the DNSKEY set is signed by a key that is not in it */
    uint16_t key_flags;
    const char *digests;               /* comma-separated; NULL: sha256 */
    int64_t signed_from, signed_until; /* seconds from the scenario's start */
    uint16_t iterations;
    uint8_t salt[32];
    uint8_t salt_size;
    struct zone_fault faults[ZONE_MAX_FAULTS];
    unsigned fault_count;
    struct zone_forgery *forgeries;
    bool reports; /* its servers send the Report-Channel option */
    uint8_t report[512];
    size_t report_size;
    ldns_rr_list *records; /* as written */
    ldns_key_list *keys;   /* [0] signs the DNSKEY set, the last signs all else */
    ldns_key *foreign;
    struct ring_key ring[ZONE_MAX_RING]; /* key signing keys; then keys[0] signs all but the DNSKEY set */
    unsigned ring_count;
    struct zone_set *sets;
    unsigned set_count;
};

/* One line of a ZONE block. 0; 1 and why. */
int zone_begin(const char *line, struct play_zone **ret_zone, char *why, size_t room);
int zone_line(struct play_zone *zone, const char *line, char *why, size_t room);
/* Makes what all scenarios of a run share: worth it before many. */
void zones_prepare(void);
/* Makes keys, DS records, denial chains and signatures of all zones, valid around now. 0; 1 and why. */
int zones_sign(struct play_zone *zones, int64_t now, char *why, size_t room);
/* DS records (text form, one per signed zone without a signed parent among the zones) that the player takes
 * as trust anchors. Calls fn for each. */
void zones_anchors(const struct play_zone *zones, void (*fn)(void *ctx, ldns_rr *ds), void *ctx);

enum misbehaviour {
    MISBEHAVE_SILENT = 1,
    MISBEHAVE_RCODE,
    MISBEHAVE_BAD_ID,
    MISBEHAVE_MALFORMED,
    MISBEHAVE_NO_EDNS,
    MISBEHAVE_TRUNCATE,
    MISBEHAVE_UPWARD,
    MISBEHAVE_NO_UDP,
    MISBEHAVE_NO_TCP,
    MISBEHAVE_WRONG_NAME,
    MISBEHAVE_NO_QR,
    MISBEHAVE_NO_DNSSEC,
    MISBEHAVE_LOWER_CASE,
    MISBEHAVE_FORGER,
    MISBEHAVE_RESOLVER,
    MISBEHAVE_DROPS_EDNS,
};

struct play_server {
    struct play_server *next;
    struct address address;
    enum misbehaviour how;
    uint16_t rcode;
    unsigned from, to;
    uint16_t type; /* 0: every question */
};

/* A MISBEHAVE line. 0; 1 and why. */
int server_line(const char *line, struct play_server **ret_server, char *why, size_t room);
/* How that server misbehaves with this query at the step, or NULL. */
const struct play_server *server_fault(const struct play_server *servers, const struct address *address,
                                       unsigned step, struct slice query);
/* Clears the DO bit of a query, in place. */
void server_forget_do(uint8_t *query, size_t size);
/* Turns a good reply of size bytes at out into that server's; may return 0: silence. */
size_t server_spoil(const struct play_server *server, struct slice query, bool tcp, uint8_t *out,
                    size_t size);

/* The reply of the server at that address and step to a query. 0 bytes: no zone of this scenario lives there.
 */
size_t zone_answer(const struct play_zone *zones, const struct address *server, unsigned step,
                   struct slice query, bool tcp, uint8_t *out);

/* A KEY line. -1: it is none; 0; 1 and why. */
int ring_line(struct play_zone *zone, const char *line, char *why, size_t room);
/* Makes a zone's keys, or takes those of an earlier version. 0, or 1. */
int ring_make(struct play_zone *zone, const struct play_zone *zones,
              ldns_key *(*make)(const struct play_zone *zone, uint16_t flags, int64_t now), int64_t now);
/* The DNSKEY records of the ring, as this version has them. Calls add for each. */
void ring_records(struct play_zone *zone, void (*add)(struct play_zone *zone, ldns_rr *rr));
void ring_sign(struct play_zone *zone, struct zone_set *set, int64_t from, int64_t until);
/* The key tag of the key of that name, of size bytes, unrevoked. 0, or 1: there is none. */
int ring_tag(const struct play_zone *zones, const char *name, size_t size, unsigned *ret_tag);
/* The DS of the key that signs the DNSKEY set. */
ldns_rr *zone_ds(const struct play_zone *zone, ldns_hash digest);
ldns_rr *ring_ds(const struct play_zone *zone, unsigned index, ldns_hash digest);

/* A DENY, STEAL or ADD line. -1: it is none; 0; 1 and why. */
int forgery_line(struct play_zone *zone, const char *line, char *why, size_t room);

/* A REPORT line, RFC 9567. -1: it is none; 0; 1 and why. */
int report_line(struct play_zone *zone, const char *line, char *why, size_t room);
/* The option, where the zone's servers send it. */
void report_add(const struct play_zone *zone, ldns_pkt *pkt);

/* A reply that grows. */
struct zone_reply {
    const struct play_zone *zone;
    ldns_pkt *pkt;
    bool want_dnssec;
};
/* The set with its signatures, under its own name or another; nothing where the set is NULL or withheld. */
void reply_add_set(struct zone_reply *r, ldns_pkt_section section, const struct zone_set *set,
                   const ldns_rdf *owner);
/* The zone's denial record that matches the name, or covers it. NULL: there is none. */
const struct zone_set *zone_denial_of(const struct play_zone *zone, const ldns_rdf *name, bool match);
/* A forged answer of a zone that lives at that server. False: no forgery is about this question. */
bool forgery_answer(const struct play_zone *zones, const struct address *server, unsigned step,
                    const ldns_rdf *name, ldns_rr_type type, struct zone_reply *r);
/* Forged records beside what is in the reply. */
void forgery_add(const struct play_zone *zone, const ldns_rdf *name, ldns_rr_type type, struct zone_reply *r);
bool zone_lives_at(const struct play_zone *zone, const struct address *server, unsigned step);

/* Parts of a zone, shared by zone.c, zone_answer.c and zone_forge.c. */
const struct zone_set *zone_find(const struct play_zone *zone, const ldns_rdf *owner, ldns_rr_type type);
bool zone_fault_of(const struct play_zone *zone, const ldns_rdf *owner, ldns_rr_type type,
                   enum zone_break how);
ldns_rdf *zone_hash(const struct play_zone *zone, const ldns_rdf *name);
