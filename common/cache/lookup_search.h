#pragma once
/* Inside of cache_answer(): one search, its links, and the sources that each link is looked for in.
 * Private to common/cache. */

#include "common/cache/lookup.h"

/* RFC 8198 5.4 and DESIGN 4: a synthesised denial lives an hour at most. */
#define SEARCH_DENIAL_TTL_MAX 3600u

struct search {
    const struct lookup *lookup;
    struct answer answer;
    int64_t stale_s;     /* how far past its expiry this pass may use an entry; < 0: not at all */
    int64_t oldest;      /* when the oldest entry that was looked at was stored */
    const uint8_t *next; /* SEARCH_CHASE: where the chain goes on */
};

/* Outcomes of one source, beside -errno. */
enum search_step {
    SEARCH_FOUND = 0,    /* the last link is in the answer */
    SEARCH_NONE = 1,     /* this source has nothing */
    SEARCH_CHASE = 2,    /* a CNAME was added, search->next is its target */
    SEARCH_TOO_LONG = 3, /* a DNAME was added whose substitution does not fit */
    SEARCH_BARRED = 4,   /* nothing, and no denial above may speak for the name either */
};

/* How an entry may be used at this moment. */
struct usable {
    uint32_t ttl;    /* 0: stale */
    uint32_t life;   /* the TTL it was stored with, at least 1 */
    bool signed_now; /* within its signatures' validity */
    bool due;        /* for a refresh */
};

/* What an entry says of the kept link it rests on goes into the answer; it is given out for answer_ttl at
 * most. */
void search_note_continued(struct search *search, const char *why, size_t why_size, struct usable *usable);

/* 0, or CACHE_MISS: not usable in this pass. signature_expires 0: unsigned. */
int search_judge(struct search *search, wall_s stored, wall_s expires, wall_s signature_expires,
                 struct usable *ret_usable);
/* A decoded, usable entry of rr, nsec or nsec3. 0, CACHE_MISS or -ENOMEM. */
int search_get_rr(struct search *search, enum cache_db db, struct slice key, struct slice value,
                  const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr, struct usable *ret_usable);
/* (owner, type) in the rr database. As above. */
int search_find_rr(struct search *search, const uint8_t *owner, uint16_t type, struct cache_rr *ret_rr,
                   struct usable *ret_usable);
/* Do all RRsets of the list lie within the validity of all their signatures? Asked of stale lists only: a
 * fresh one was validated by the signatures that are good, and its TTL ends with them. */
bool search_signatures_valid(const struct rrset_list *list, wall_s now);

/* Puts an RRset into a section and lowers the answer's TTL, security and authenticity by it. */
int search_add(struct search *search, struct rrset_list *section, const struct rrset *rrset,
               struct usable usable, enum security security, bool authentic);
/* A negative last link: rcode, and the list as authority. */
int search_add_denial(struct search *search, uint16_t rcode, const struct rrset_list *proof,
                      struct usable usable, enum security security, bool authentic);
/* A positive last link or, for a CNAME, one to chase. with_proof: the entry's own proof list as authority. */
int search_add_positive(struct search *search, const struct cache_rr *rr, uint16_t qtype,
                        struct usable usable, bool with_proof);

/* A configured zone's apex: what is above it says nothing of it but its DS. */
bool search_is_apart(const struct search *search, const uint8_t *zone);

/* Sources. */
int search_zone_record(struct search *search, const uint8_t *name, uint16_t qtype);
int search_denial(struct search *search, const uint8_t *name, uint16_t qtype);

/* What NSEC and NSEC3 have in common. */
struct denial_record {
    struct cache_rr rr;
    struct usable usable;
    const uint8_t *owner;
    const uint8_t *bitmap;
    size_t bitmap_size;
    /* NSEC */
    const uint8_t *next; /* lower case */
    /* NSEC3 */
    bool optout;
    uint8_t next_hash[20];
};

bool denial_record_has(const struct denial_record *record, uint16_t type);
/* The parent's side of a zone cut: it knows nothing but the DS (RFC 6840 4.1). */
static inline bool denial_is_parent_side(const struct denial_record *record)
{
    return denial_record_has(record, TYPE_NS) && !denial_record_has(record, TYPE_SOA);
}
/* May a record that is an ancestor's of a name speak about the name? Not across a cut or a DNAME (RFC
 * 6840 4.1, 5155 8.3). */
static inline bool denial_speaks_below(const struct denial_record *record)
{
    return !denial_is_parent_side(record) && !denial_record_has(record, TYPE_DNAME);
}
/* The record matches the name: does it prove the type absent there? */
bool denial_matches_nodata(const struct denial_record *record, uint16_t qtype);
/* Finishes a synthesised denial: SOA of the zone and the records, each once. SEARCH_NONE without a usable
 * SOA. */
int denial_finish(struct search *search, const uint8_t *zone, uint16_t rcode,
                  struct denial_record *const *records, unsigned count);
/* Positive answer from the zone's cached RRset (or CNAME) of *.encloser, `records` proving that nothing
 * closer exists. */
int denial_wildcard(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype,
                    const uint8_t *wildcard, struct denial_record *const *records, unsigned count);

/* The two kinds. zone is a candidate: an ancestor of name, or name itself. */
int search_nsec(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype);
int search_nsec3(struct search *search, const uint8_t *zone, const uint8_t *name, uint16_t qtype);

/* As cache_cut_denied(), by records of one kind. The search takes records of any age. */
int search_nsec_no_cut(struct search *search, const uint8_t *zone, const uint8_t *name, wall_s since,
                       struct cache_rr *ret_rr);
int search_nsec3_no_cut(struct search *search, const uint8_t *zone, const uint8_t *name, wall_s since,
                        struct cache_rr *ret_rr);
#define SEARCH_OLDER_MAX 16u /* records of before that are passed over on the way back to a later one */
/* The greatest key below this one, as far as keys go. False: there is none. */
bool search_key_before(struct slice key, struct cache_key *ret_key);

/* The RDATA, RFC 5155 3.2. 0, or 1: malformed. */
struct nsec3_parsed {
    uint8_t algorithm, flags;
    uint16_t iterations;
    struct slice salt, next, bitmap;
};
int nsec3_parse(const struct rdata *rdata, struct nsec3_parsed *ret);

/* lookup_nta.c: EDE 33 on a whole, insecure answer when an NTA in force is at or above a name of it. `name`
 * is the last link's. */
void search_note_nta(struct search *search, const uint8_t *name);
