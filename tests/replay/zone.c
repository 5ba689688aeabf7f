#include "tests/replay/zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SIGNATURE_LIFE_S  (14 * 86400)
#define TRAP_SIGNATURES   40u  /* more than a step of the chain may check (KeyTrap) */
#define THRONG_SIGNATURES 15u  /* as many as a step of the chain may check, with the good one */
#define CROWD_SIGNATURES  7u   /* few enough for one RRset, too many for a chain of them */
#define RSA_KEYS          12u  /* of different zones may be the same: a DS holds the zone's name too */
#define RSA_BITS          1024 /* tests sign hundreds of zones: the least that every library verifies */
#define SOA_TEXT          "%s 3600 IN SOA ns.%s host.%s 1 3600 900 604800 900"

static int complain(char *why, size_t room, const char *what, const char *about)
{
    snprintf(why, room, "%s: %s", what, about);
    return 1;
}

static const struct {
    const char *word;
    enum zone_break how;
} break_words[] = {
    {"expired", BREAK_EXPIRED},
    {"notyet", BREAK_NOT_YET},
    {"badsig", BREAK_BAD_SIGNATURE},
    {"nosig", BREAK_NO_SIGNATURE},
    {"foreign", BREAK_FOREIGN_KEY},
    {"gone", BREAK_GONE},
    {"wrongsigner", BREAK_WRONG_SIGNER},
    {"longttl", BREAK_LONG_TTL},
    {"shortsig", BREAK_SHORT_SIGNATURE},
    {"garbled", BREAK_GARBLED_BESIDE},
    {"trap", BREAK_TRAP},
    {"crowd", BREAK_CROWD},
    {"throng", BREAK_THRONG},
};

static int set_parameter(struct play_zone *zone, const char *key, const char *value)
{
    if (strcmp(key, "sign") == 0) {
        if (strcasecmp(value, "none") == 0)
            return 0;
        const ldns_lookup_table *t = ldns_lookup_by_name(ldns_algorithms, value);
        if (!t)
            return 1;
        zone->algorithm = (ldns_signing_algorithm)t->id;
    } else if (strcmp(key, "denial") == 0) {
        zone->nsec3 = strcmp(value, "nsec") != 0;
        zone->optout = strcmp(value, "optout") == 0;
    } else if (strcmp(key, "iterations") == 0) {
        zone->iterations = (uint16_t)atoi(value);
    } else if (strcmp(key, "salt") == 0) {
        for (; value[0] && value[1] && zone->salt_size < sizeof(zone->salt); value += 2) {
            unsigned byte;
            if (sscanf(value, "%2x", &byte) != 1)
                return 1;
            zone->salt[zone->salt_size++] = (uint8_t)byte;
        }
    } else if (strcmp(key, "keys") == 0) {
        zone->two_keys = atoi(value) == 2;
    } else if (strcmp(key, "ds") == 0) {
        zone->digests = strdup(value);
    } else if (strcmp(key, "from") == 0) {
        zone->signed_from = atoll(value);
    } else if (strcmp(key, "until") == 0) {
        zone->signed_until = atoll(value);
    } else if (strcmp(key, "flags") == 0) {
        zone->key_flags = (uint16_t)atoi(value);
    } else if (strcmp(key, "like") == 0) {
        zone->like_before = strcmp(value, "before") == 0;
        return !zone->like_before;
    } else if (strcmp(key, "signer") == 0) {
        zone->foreign_signer = strcmp(value, "foreign") == 0;
        return !zone->foreign_signer;
    } else if (strcmp(key, "anchor") == 0) {
        zone->anchor = strcmp(value, "yes") == 0;
    } else if (strcmp(key, "steps") == 0) {
        return sscanf(value, "%u-%u", &zone->from, &zone->to) != 2;
    } else {
        return 1;
    }
    return 0;
}

int zone_begin(const char *line, struct play_zone **ret_zone, char *why, size_t room)
{
    char copy[1024], *save;
    struct play_zone *zone = calloc(1, sizeof(*zone));
    snprintf(copy, sizeof(copy), "%s", line);
    char *word = strtok_r(copy, " \t", &save); /* ZONE_BEGIN */
    word = strtok_r(NULL, " \t", &save);
    if (!zone || !word || !(zone->apex = ldns_dname_new_frm_str(word)))
        return complain(why, room, "ZONE_BEGIN wants a name", line);
    ldns_dname2canonical(zone->apex);
    zone->to = UINT32_MAX;
    zone->key_flags = 257;
    zone->signed_from = -SIGNATURE_LIFE_S;
    zone->signed_until = SIGNATURE_LIFE_S;
    zone->records = ldns_rr_list_new();
    while ((word = strtok_r(NULL, " \t", &save))) {
        char *equals = strchr(word, '=');
        if (!equals)
            return complain(why, room, "ZONE_BEGIN: not key=value", word);
        *equals = '\0';
        if (set_parameter(zone, word, equals + 1))
            return complain(why, room, "ZONE_BEGIN: unknown parameter or value", word);
    }
    *ret_zone = zone;
    return 0;
}

static int add_fault(struct play_zone *zone, char *words, char *why, size_t room)
{
    char how[32], name[512], type[32];
    if (sscanf(words, "%31s %511s %31s", how, name, type) != 3 || zone->fault_count == ZONE_MAX_FAULTS)
        return complain(why, room, "BREAK wants how, name, type", words);
    struct zone_fault *fault = &zone->faults[zone->fault_count];
    for (unsigned i = 0; i < ARRAY_SIZE(break_words); i++)
        if (strcmp(break_words[i].word, how) == 0)
            fault->how = break_words[i].how;
    fault->type = ldns_get_rr_type_by_name(type);
    fault->name = ldns_dname_new_frm_str(name);
    if (!fault->how || !fault->type || !fault->name)
        return complain(why, room, "BREAK: unknown word", words);
    ldns_dname2canonical(fault->name);
    zone->fault_count++;
    return 0;
}

int zone_line(struct play_zone *zone, const char *line, char *why, size_t room)
{
    char copy[RPL_MAX_LINE], *save;
    snprintf(copy, sizeof(copy), "%s", line);
    if (strncmp(copy, "SERVER ", 7) == 0) {
        for (char *w = strtok_r(copy + 7, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
            if (zone->server_count == ZONE_MAX_SERVERS ||
                scenario_address(w, &zone->servers[zone->server_count++]))
                return complain(why, room, "SERVER: not an address", w);
        return 0;
    }
    if (strncmp(copy, "BREAK ", 6) == 0)
        return add_fault(zone, copy + 6, why, room);
    int ring = ring_line(zone, copy, why, room);
    if (ring >= 0)
        return ring;
    int reports = report_line(zone, copy, why, room);
    if (reports >= 0)
        return reports;
    int forged = forgery_line(zone, copy, why, room);
    if (forged >= 0)
        return forged;
    ldns_rr *rr = NULL;
    ldns_rdf *origin = ldns_rdf_clone(zone->apex), *previous = NULL;
    ldns_status status = ldns_rr_new_frm_str(&rr, copy, 3600, origin, &previous);
    ldns_rdf_deep_free(origin);
    if (status != LDNS_STATUS_OK)
        return complain(why, room, ldns_get_errorstr_by_id(status), line);
    if (ldns_dname_compare(ldns_rr_owner(rr), zone->apex) != 0 &&
        !ldns_dname_is_subdomain(ldns_rr_owner(rr), zone->apex))
        return complain(why, room, "outside its zone", line);
    ldns_dname2canonical(ldns_rr_owner(rr));
    ldns_rr_list_push_rr(zone->records, rr);
    return 0;
}

bool zone_fault_of(const struct play_zone *zone, const ldns_rdf *owner, ldns_rr_type type,
                   enum zone_break how)
{
    for (unsigned i = 0; i < zone->fault_count; i++) {
        const struct zone_fault *f = &zone->faults[i];
        if (f->how != how || f->type != type)
            continue;
        ldns_rdf *hashed = type == LDNS_RR_TYPE_NSEC3 ? zone_hash(zone, f->name) : NULL;
        bool here = ldns_dname_compare(hashed ? hashed : f->name, owner) == 0;
        ldns_rdf_deep_free(hashed);
        if (here)
            return true;
    }
    return false;
}

const struct zone_set *zone_find(const struct play_zone *zone, const ldns_rdf *owner, ldns_rr_type type)
{
    for (unsigned i = 0; i < zone->set_count; i++)
        if (zone->sets[i].type == type && ldns_dname_compare(zone->sets[i].owner, owner) == 0)
            return &zone->sets[i];
    return NULL;
}

static void add_record(struct play_zone *zone, ldns_rr *rr)
{
    struct zone_set *set = (struct zone_set *)zone_find(zone, ldns_rr_owner(rr), ldns_rr_get_type(rr));
    if (!set) {
        if (zone->set_count == ZONE_MAX_SETS)
            abort();
        set = &zone->sets[zone->set_count++];
        *set = (struct zone_set){.owner = ldns_rdf_clone(ldns_rr_owner(rr)),
                                 .type = ldns_rr_get_type(rr),
                                 .records = ldns_rr_list_new(),
                                 .signatures = ldns_rr_list_new()};
    }
    ldns_rr_list_push_rr(set->records, rr);
}

/* RSA keys take so long to make that they are made once for all scenarios of a run: by zones_prepare() in the
 * parent of the processes that play, else on first use. */
static ldns_key *rsa_keys[RSA_KEYS];

static ldns_key *rsa_key(unsigned index)
{
    if (!rsa_keys[index])
        rsa_keys[index] = ldns_key_new_frm_algorithm(LDNS_SIGN_RSASHA256, RSA_BITS);
    return rsa_keys[index];
}

void zones_prepare(void)
{
    for (unsigned i = 0; i < RSA_KEYS; i++)
        rsa_key(i);
}

static bool is_rsa(ldns_signing_algorithm algorithm)
{
    return algorithm == LDNS_SIGN_RSASHA1 || algorithm == LDNS_SIGN_RSASHA1_NSEC3 ||
           algorithm == LDNS_SIGN_RSASHA256 || algorithm == LDNS_SIGN_RSASHA512;
}

static ldns_key *new_key(ldns_signing_algorithm algorithm)
{
    static unsigned used;
    if (!is_rsa(algorithm))
        return ldns_key_new_frm_algorithm(algorithm, algorithm == LDNS_SIGN_ECDSAP384SHA384 ? 384 : 256);
    ldns_key *made = rsa_key(used++ % RSA_KEYS), *key = made ? ldns_key_new() : NULL;
    if (key) {
        ldns_key_set_algorithm(key, algorithm);
        ldns_key_set_evp_key(key, ldns_key_evp_key(made));
    }
    return key;
}

static ldns_key *make_key(const struct play_zone *zone, uint16_t flags, int64_t now)
{
    ldns_key *key = new_key(zone->algorithm);
    if (!key)
        return NULL;
    ldns_key_set_pubkey_owner(key, ldns_rdf_clone(zone->apex));
    ldns_key_set_flags(key, flags);
    ldns_key_set_origttl(key, 3600);
    ldns_key_set_inception(key, (uint32_t)(now - SIGNATURE_LIFE_S));
    ldns_key_set_expiration(key, (uint32_t)(now + SIGNATURE_LIFE_S));
    ldns_rr *public = ldns_key2rr(key);
    ldns_key_set_keytag(key, ldns_calc_keytag(public));
    ldns_rr_free(public);
    return key;
}

static bool is_delegation(const struct play_zone *zone, const ldns_rdf *name)
{
    return ldns_dname_compare(name, zone->apex) != 0 && zone_find(zone, name, LDNS_RR_TYPE_NS);
}

/* Below a zone cut of this zone: glue, not authoritative data. */
static bool is_below_cut(const struct play_zone *zone, const ldns_rdf *name)
{
    for (unsigned i = 0; i < zone->set_count; i++)
        if (zone->sets[i].type == LDNS_RR_TYPE_NS &&
            ldns_dname_compare(zone->sets[i].owner, zone->apex) != 0 &&
            ldns_dname_is_subdomain(name, zone->sets[i].owner))
            return true;
    return false;
}

ldns_rdf *zone_hash(const struct play_zone *zone, const ldns_rdf *name)
{
    ldns_rdf *label =
        ldns_nsec3_hash_name((ldns_rdf *)name, 1, zone->iterations, zone->salt_size, (uint8_t *)zone->salt);
    if (ldns_dname_cat(label, zone->apex) != LDNS_STATUS_OK)
        abort();
    return label;
}

static int compare_names(const void *a, const void *b)
{
    return ldns_dname_compare(*(ldns_rdf *const *)a, *(ldns_rdf *const *)b);
}

/* RFC 4034 4.1.2: windows of 256 types, a bit each. */
static ldns_rdf *bitmap_of(const bool types[65536])
{
    uint8_t out[8192];
    size_t size = 0;
    for (unsigned window = 0; window < 256 && size + 34 < sizeof(out); window++) {
        uint8_t bits[32] = {0};
        unsigned used = 0;
        for (unsigned i = 0; i < 256; i++)
            if (types[window * 256 + i]) {
                bits[i / 8] |= (uint8_t)(0x80 >> (i % 8));
                used = i / 8 + 1;
            }
        if (!used)
            continue;
        out[size++] = (uint8_t)window;
        out[size++] = (uint8_t)used;
        memcpy(out + size, bits, used);
        size += used;
    }
    return ldns_rdf_new_frm_data(LDNS_RDF_TYPE_NSEC, size, out);
}

static ldns_rdf *type_map(const struct play_zone *zone, const ldns_rdf *name, bool nsec3)
{
    static bool types[65536];
    bool cut = is_delegation(zone, name), any = false, signed_data = false;
    memset(types, 0, sizeof(types));
    for (unsigned i = 0; i < zone->set_count; i++) {
        const struct zone_set *set = &zone->sets[i];
        if (ldns_dname_compare(set->owner, name) != 0 || set->hash || set->type == LDNS_RR_TYPE_NSEC)
            continue;
        if (cut && set->type != LDNS_RR_TYPE_NS && set->type != LDNS_RR_TYPE_DS)
            continue;
        any = true;
        signed_data |= !cut || set->type == LDNS_RR_TYPE_DS;
        types[set->type] = true;
    }
    types[LDNS_RR_TYPE_RRSIG] = signed_data || (!nsec3 && any);
    types[LDNS_RR_TYPE_NSEC] = !nsec3;
    return bitmap_of(types);
}

/* Names that own a denial record: authoritative ones and cuts; for NSEC3 empty non-terminals too, less
 * opt-outs. */
static size_t denial_names(const struct play_zone *zone, ldns_rdf **names, size_t room)
{
    size_t count = 0;
    for (unsigned i = 0; i < zone->set_count; i++) {
        ldns_rdf *owner = zone->sets[i].owner;
        if (is_below_cut(zone, owner))
            continue;
        if (zone->optout && is_delegation(zone, owner) && !zone_find(zone, owner, LDNS_RR_TYPE_DS))
            continue;
        for (ldns_rdf *name = ldns_rdf_clone(owner); count < room; name = ldns_dname_left_chop(name)) {
            bool known = false;
            for (size_t k = 0; k < count; k++)
                known |= ldns_dname_compare(names[k], name) == 0;
            if (!known)
                names[count++] = name;
            if (!zone->nsec3 || ldns_dname_compare(name, zone->apex) == 0)
                break;
        }
    }
    return count;
}

static void build_denial(struct play_zone *zone)
{
    static ldns_rdf *names[ZONE_MAX_SETS], *owners[ZONE_MAX_SETS];
    size_t count = denial_names(zone, names, ZONE_MAX_SETS);
    ldns_rr **chain = calloc(count, sizeof(*chain));
    if (!chain)
        abort();
    if (!zone->nsec3)
        qsort(names, count, sizeof(*names), compare_names);
    for (size_t i = 0; i < count; i++)
        owners[i] = zone->nsec3 ? zone_hash(zone, names[i]) : names[i];
    for (size_t i = 0; i < count; i++) {
        /* the next owner in order, or the first */
        ldns_rdf *next = NULL, *least = owners[0];
        for (size_t k = 0; k < count; k++) {
            if (ldns_dname_compare(owners[k], owners[i]) > 0 &&
                (!next || ldns_dname_compare(owners[k], next) < 0))
                next = owners[k];
            if (ldns_dname_compare(owners[k], least) < 0)
                least = owners[k];
        }
        next = next ? next : least;
        ldns_rr *rr = zone->nsec3 ? ldns_rr_new_frm_type(LDNS_RR_TYPE_NSEC3) : ldns_rr_new();
        ldns_rr_set_owner(rr, ldns_rdf_clone(owners[i]));
        ldns_rr_set_ttl(rr, 900);
        ldns_rr_set_class(rr, LDNS_RR_CLASS_IN);
        if (zone->nsec3) {
            ldns_nsec3_add_param_rdfs(rr, 1, zone->optout ? 1 : 0, zone->iterations, zone->salt_size,
                                      zone->salt);
            ldns_rdf *label = ldns_dname_label(next, 0), *hash = NULL;
            char *text = ldns_rdf2str(label);
            text[strlen(text) - 1] = '\0'; /* the final dot */
            if (ldns_str2rdf_b32_ext(&hash, text) != LDNS_STATUS_OK)
                abort();
            free(text);
            ldns_rdf_deep_free(label);
            ldns_rr_set_rdf(rr, hash, 4);
            ldns_rr_push_rdf(rr, type_map(zone, names[i], true));
        } else {
            ldns_rr_set_type(rr, LDNS_RR_TYPE_NSEC);
            ldns_rr_push_rdf(rr, ldns_rdf_clone(next));
            ldns_rr_push_rdf(rr, type_map(zone, names[i], false));
        }
        chain[i] = rr;
    }
    for (size_t i = 0; i < count; i++) {
        add_record(zone, chain[i]);
        if (zone->nsec3)
            zone->sets[zone->set_count - 1].hash = owners[i];
    }
    free(chain);
}

static void garble(ldns_rr *rrsig, unsigned variant)
{
    ldns_rdf *signature = ldns_rr_rrsig_sig(rrsig);
    uint8_t *middle = ldns_rdf_data(signature) + ldns_rdf_size(signature) / 2;
    middle[0] ^= 0x55;
    middle[1] = (uint8_t)(middle[1] + variant);
}

/* Spoilt copies of the one good signature, before it. */
static void add_garbled(struct zone_set *set, unsigned count)
{
    ldns_rr_list *all = ldns_rr_list_new();
    for (unsigned i = 0; i < count; i++) {
        ldns_rr *copy = ldns_rr_clone(ldns_rr_list_rr(set->signatures, 0));
        garble(copy, i);
        ldns_rr_list_push_rr(all, copy);
    }
    ldns_rr_list_cat(all, set->signatures);
    set->signatures = all;
}

static void sign_set(struct play_zone *zone, struct zone_set *set, int64_t now)
{
    size_t last = ldns_key_list_key_count(zone->keys) - 1;
    ldns_key *key = ldns_key_list_key(zone->keys, set->type == LDNS_RR_TYPE_DNSKEY ? 0 : last);
    int64_t from = now + zone->signed_from, until = now + zone->signed_until;
    if (zone_fault_of(zone, set->owner, set->type, BREAK_NO_SIGNATURE))
        return;
    if (set->type == LDNS_RR_TYPE_DNSKEY && zone->ring_count) {
        ring_sign(zone, set, from, until);
        return;
    }
    if (zone_fault_of(zone, set->owner, set->type, BREAK_FOREIGN_KEY) ||
        (zone->foreign_signer && set->type != LDNS_RR_TYPE_DNSKEY))
        key = zone->foreign;
    if (zone_fault_of(zone, set->owner, set->type, BREAK_EXPIRED))
        until = now - 86400;
    if (zone_fault_of(zone, set->owner, set->type, BREAK_NOT_YET))
        from = now + 86400;
    if (zone_fault_of(zone, set->owner, set->type, BREAK_SHORT_SIGNATURE))
        until = now + 300;
    ldns_key_set_inception(key, (uint32_t)from);
    ldns_key_set_expiration(key, (uint32_t)until);
    ldns_rdf *owner = ldns_key_pubkey_owner(key), *parent = NULL;
    if (zone_fault_of(zone, set->owner, set->type, BREAK_WRONG_SIGNER)) {
        parent = ldns_dname_left_chop(zone->apex);
        ldns_key_set_pubkey_owner(key, parent);
    }
    uint16_t flags = ldns_key_flags(key);
    ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY); /* libldns signs with no other */
    ldns_key_list *one = ldns_key_list_new();
    ldns_key_list_push_key(one, key);
    set->signatures = ldns_sign_public(set->records, one);
    ldns_key_set_flags(key, flags);
    ldns_key_set_pubkey_owner(key, owner);
    if (zone_fault_of(zone, set->owner, set->type, BREAK_BAD_SIGNATURE))
        garble(ldns_rr_list_rr(set->signatures, 0), 0);
    if (zone_fault_of(zone, set->owner, set->type, BREAK_GARBLED_BESIDE))
        add_garbled(set, 1);
    if (zone_fault_of(zone, set->owner, set->type, BREAK_TRAP))
        add_garbled(set, TRAP_SIGNATURES);
    if (zone_fault_of(zone, set->owner, set->type, BREAK_CROWD))
        add_garbled(set, CROWD_SIGNATURES);
    if (zone_fault_of(zone, set->owner, set->type, BREAK_THRONG))
        add_garbled(set, THRONG_SIGNATURES);
    if (!zone_fault_of(zone, set->owner, set->type, BREAK_LONG_TTL))
        return;
    for (size_t i = 0; i < ldns_rr_list_rr_count(set->records); i++)
        ldns_rr_set_ttl(ldns_rr_list_rr(set->records, i), 86400);
    for (size_t i = 0; i < ldns_rr_list_rr_count(set->signatures); i++)
        ldns_rr_set_ttl(ldns_rr_list_rr(set->signatures, i), 86400);
}

/* The version of the zone that the scenario has before this one. */
static const struct play_zone *version_before(const struct play_zone *zones, const struct play_zone *zone)
{
    const struct play_zone *before = NULL;
    for (; zones != zone; zones = zones->next)
        if (zones->algorithm && ldns_dname_compare(zones->apex, zone->apex) == 0)
            before = zones;
    return before;
}

static int make_keys(const struct play_zone *zones, struct play_zone *zone, int64_t now)
{
    const struct play_zone *before = zone->like_before ? version_before(zones, zone) : NULL;
    if (before) {
        zone->keys = before->keys;
        zone->foreign = before->foreign;
        return 0;
    }
    zone->keys = ldns_key_list_new();
    ldns_key *first = make_key(zone, zone->key_flags, now),
             *second = zone->two_keys ? make_key(zone, 256, now) : NULL;
    zone->foreign = make_key(zone, 256, now);
    if (!first || !zone->foreign || (zone->two_keys && !second))
        return 1;
    ldns_key_list_push_key(zone->keys, first);
    if (second)
        ldns_key_list_push_key(zone->keys, second);
    return 0;
}

static void add_apex(struct play_zone *zone)
{
    if (!zone_find(zone, zone->apex, LDNS_RR_TYPE_SOA)) {
        char text[2048], *apex = ldns_rdf2str(zone->apex);
        const char *below = strcmp(apex, ".") == 0 ? "" : apex;
        ldns_rr *soa = NULL;
        snprintf(text, sizeof(text), SOA_TEXT, apex, below, below);
        if (ldns_rr_new_frm_str(&soa, text, 3600, NULL, NULL) != LDNS_STATUS_OK)
            abort();
        add_record(zone, soa);
        free(apex);
    }
    for (size_t i = 0; zone->algorithm && i < ldns_key_list_key_count(zone->keys); i++)
        add_record(zone, ldns_key2rr(ldns_key_list_key(zone->keys, i)));
    ring_records(zone, add_record);
}

/* One DS for each digest that the zone's ds= names. */
static void add_digests(struct play_zone *parent, const struct play_zone *child)
{
    char copy[128], *save;
    snprintf(copy, sizeof(copy), "%s", child->digests ? child->digests : "sha256");
    for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        if (strcmp(w, "none") == 0)
            continue;
        ldns_hash digest = strcmp(w, "sha1") == 0     ? LDNS_SHA1
                           : strcmp(w, "sha384") == 0 ? LDNS_SHA384
                                                      : LDNS_SHA256;
        ldns_rr *ds = zone_ds(child, digest);
        if (strncmp(w, "bad", 3) == 0)
            ldns_rdf_data(ldns_rr_rdf(ds, 3))[5] ^= 0x55;
        add_record(parent, ds);
    }
}

static void add_child_ds(struct play_zone *parent, const struct play_zone *zones)
{
    for (const struct play_zone *child = zones; child; child = child->next) {
        bool same_time = child->from <= parent->to && parent->from <= child->to;
        if (child == parent || !child->algorithm || !same_time || !is_delegation(parent, child->apex))
            continue;
        bool own = false; /* the zone says itself, or a version before it with the same keys has */
        for (const struct play_zone *other = zones; other != child; other = other->next)
            own |= other->keys == child->keys && other->from <= parent->to && parent->from <= other->to;
        for (size_t i = 0; i < ldns_rr_list_rr_count(parent->records); i++) {
            const ldns_rr *rr = ldns_rr_list_rr(parent->records, i);
            own |= ldns_rr_get_type(rr) == LDNS_RR_TYPE_DS &&
                   ldns_dname_compare(ldns_rr_owner(rr), child->apex) == 0;
        }
        if (!own && !zone_fault_of(parent, child->apex, LDNS_RR_TYPE_DS, BREAK_GONE))
            add_digests(parent, child);
    }
}

int zones_sign(struct play_zone *zones, int64_t now, char *why, size_t room)
{
    for (struct play_zone *zone = zones; zone; zone = zone->next) {
        zone->sets = calloc(ZONE_MAX_SETS, sizeof(*zone->sets));
        if (!zone->sets)
            abort();
        for (size_t i = 0; i < ldns_rr_list_rr_count(zone->records); i++)
            add_record(zone, ldns_rr_list_rr(zone->records, i));
        if (zone->algorithm &&
            (zone->ring_count ? ring_make(zone, zones, make_key, now) : make_keys(zones, zone, now)))
            return complain(why, room, "cannot make a key", "this algorithm is not in libldns here");
        add_apex(zone);
    }
    for (struct play_zone *zone = zones; zone; zone = zone->next) {
        add_child_ds(zone, zones);
        if (!zone->algorithm)
            continue;
        build_denial(zone);
        for (unsigned i = 0; i < zone->set_count; i++) {
            struct zone_set *set = &zone->sets[i];
            if (is_below_cut(zone, set->owner) ||
                (is_delegation(zone, set->owner) && set->type != LDNS_RR_TYPE_DS &&
                 set->type != LDNS_RR_TYPE_NSEC))
                continue;
            sign_set(zone, set, now);
        }
    }
    return 0;
}
