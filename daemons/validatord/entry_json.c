#include <arpa/inet.h>
#include <stdlib.h>

#include "common/cache/entry.h"
#include "common/wire/rdata.h"
#include "daemons/validatord/control.h"

#define RDATA_TEXT_MAX 2048u /* of one record shown; longer ones end with an ellipsis */

json_t *json_name(const uint8_t *name)
{
    char text[NAME_TEXT_MAX];

    return json_string(name_to_text(name, text));
}

json_t *json_rrtype(uint16_t type)
{
    char text[16];

    return json_string(rrtype_to_text(type, text));
}

json_t *json_rdata(const struct rrset *rrset)
{
    json_t *array = json_array();
    char text[RDATA_TEXT_MAX + 4];

    for (unsigned i = 0; i < rrset->count; i++) {
        if (rdata_to_text(rrset->type, &rrset->rdata[i], text, RDATA_TEXT_MAX) >= RDATA_TEXT_MAX)
            json_array_append_new(array, json_sprintf("%s...", text));
        else
            json_array_append_new(array, json_string(text));
    }
    return array;
}

json_t *json_ede(const struct answer_ede *ede, unsigned count)
{
    json_t *array = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(array, json_pack("{s:i, s:s, s:s%}", "code", ede[i].code, "meaning",
                                               ede_to_text(ede[i].code), "text", ede[i].text,
                                               (size_t)ede[i].text_size));
    return array;
}

const char *security_word(enum security security)
{
    switch (security) {
    case SECURITY_BOGUS:
        return "bogus";
    case SECURITY_INDETERMINATE:
        return "indeterminate";
    case SECURITY_INSECURE:
        return "insecure";
    case SECURITY_SECURE:
        return "secure";
    }
    return "unknown";
}

const char *ds_state_word(enum ds_state state)
{
    switch (state) {
    case DS_UNKNOWN:
        return "unknown";
    case DS_SECURE:
        return "secure";
    case DS_NONE:
        return "none";
    case DS_UNSUPPORTED:
        return "unsupported";
    case DS_NOT_A_CUT:
        return "not-a-cut";
    }
    return "unknown";
}

json_t *json_address(const struct address *address)
{
    char text[INET6_ADDRSTRLEN] = "";

    inet_ntop(address->family == 4 ? AF_INET : AF_INET6, address->bytes, text, sizeof(text));
    return json_string(text);
}

/* Seconds left; below zero since when it has expired. */
static json_t *ttl_left(wall_s expires, wall_s now)
{
    return json_integer(expires.s - now.s);
}

static json_t *rr_entry(const struct cache_rr *rr, const char *db, wall_s now)
{
    json_t *json = json_pack(
        "{s:s, s:o, s:o, s:o, s:s, s:b, s:i, s:o, s:I, s:i}", "db", db, "name", json_name(rr->rrset.owner),
        "type", json_rrtype(rr->rrset.type), "ttl", ttl_left(rr->expires, now), "security",
        security_word(rr->rrset.security), "authentic", rr->authentic, "rank", (int)rr->rrset.rank, "data",
        json_rdata(&rr->rrset), "stored", (json_int_t)rr->stored.s, "signatures", rr->rrset.sig_count);

    if (json && rr->signature_expires.s)
        json_object_set_new(json, "signature_expires", json_integer(rr->signature_expires.s));
    if (json && rr->rrset.wildcard_labels) {
        unsigned labels = rr->rrset.wildcard_labels - 1u;
        uint8_t wildcard[NAME_MAX];

        if (labels <= name_labels(rr->rrset.owner) &&
            !name_make_wildcard(name_suffix(rr->rrset.owner, labels), wildcard))
            json_object_set_new(json, "wildcard", json_name(wildcard));
    }
    return json;
}

static json_t *neg_entry(const struct cache_neg *neg, const uint8_t *name, uint16_t type, wall_s now)
{
    static const char kinds[4][12] = {"unknown", "nodata", "nxdomain", "failure"};
    json_t *json = json_pack("{s:s, s:o, s:s, s:o, s:s, s:b, s:I}", "db", "neg", "name", json_name(name),
                             "kind", kinds[neg->kind <= CACHE_NEG_FAILURE ? neg->kind : 0], "ttl",
                             ttl_left(neg->expires, now), "security", security_word(neg->security),
                             "authentic", neg->authentic, "stored", (json_int_t)neg->stored.s);

    if (json && type)
        json_object_set_new(json, "type", json_rrtype(type));
    if (json && neg->kind == CACHE_NEG_FAILURE) {
        json_object_set_new(json, "failures", json_integer(neg->failures));
        json_object_set_new(json, "ede", json_ede(neg->ede, neg->ede_count));
    }
    return json;
}

static json_t *zone_entry(const struct cache_zone *zone, const uint8_t *name, wall_s now)
{
    json_t *json = json_pack("{s:s, s:o, s:s}", "db", "zone", "name", json_name(name), "ds_state",
                             ds_state_word(zone->ds_state));

    if (!json)
        return NULL;
    if (zone->has_delegation) {
        json_object_set_new(json, "type", json_rrtype(TYPE_NS));
        json_object_set_new(json, "ttl", ttl_left(zone->ns_expires, now));
        json_object_set_new(json, "data", json_rdata(&zone->ns));
    }
    if (zone->ds_state != DS_UNKNOWN) {
        json_object_set_new(json, "ds_ttl", ttl_left(zone->ds_expires, now));
        json_object_set_new(json, "ds_validated", json_integer(zone->ds_validated.s));
        if (zone->ds_signature_expires.s)
            json_object_set_new(json, "ds_signature_expires", json_integer(zone->ds_signature_expires.s));
        json_object_set_new(json, "opt_out", json_boolean(zone->ds_optout));
    }
    if (zone->ds_state == DS_SECURE || zone->ds_state == DS_UNSUPPORTED)
        json_object_set_new(json, "ds", json_rdata(&zone->ds));
    if (zone->has_dnskey) {
        json_t *tags = json_array();

        for (unsigned i = 0; i < zone->dnskey.count; i++)
            json_array_append_new(tags, json_integer(dnskey_tag(&zone->dnskey.rdata[i])));
        json_object_set_new(json, "dnskey_tags", tags);
        json_object_set_new(json, "dnskey_ttl", ttl_left(zone->dnskey_expires, now));
        json_object_set_new(json, "dnskey_validated", json_integer(zone->dnskey_validated.s));
    }
    return json;
}

static const char base32hex[] = "0123456789abcdefghijklmnopqrstuv";

/* The owner of an NSEC3 is its hash: the last 20 octets of the key. */
static void hash_label(struct slice key, char ret_text[33])
{
    const uint8_t *hash = key.data + key.size - 20;

    for (unsigned i = 0; i < 32; i++) {
        unsigned bit = i * 5, value = (unsigned)hash[bit / 8] << 8;

        if (bit / 8 + 1 < 20)
            value |= hash[bit / 8 + 1];
        ret_text[i] = base32hex[value >> (11 - bit % 8) & 31];
    }
    ret_text[32] = '\0';
}

static json_t *denial_entry(struct arena *arena, enum cache_db db, struct slice key, struct slice value,
                            wall_s now, bool *ret_damaged)
{
    uint8_t zone[NAME_MAX], owner[NAME_MAX];
    struct cache_rr rr;
    size_t prefix;
    json_t *json;

    if (cache_key_to_zone(key, zone, &prefix) || (db == CACHE_NSEC3 && key.size < prefix + 20) ||
        (db == CACHE_NSEC && cache_key_to_owner(key, zone, owner)) ||
        cache_rr_decode(arena, key, value, db == CACHE_NSEC ? owner : zone,
                        db == CACHE_NSEC ? TYPE_NSEC : TYPE_NSEC3, &rr)) {
        *ret_damaged = true;
        return NULL;
    }
    json = rr_entry(&rr, db == CACHE_NSEC ? "nsec" : "nsec3", now);
    if (json && db == CACHE_NSEC3) {
        char label[33], text[NAME_TEXT_MAX];

        hash_label(key, label);
        json_object_set_new(json, "name",
                            json_sprintf("%s.%s", label, name_is_root(zone) ? "" : name_to_text(zone, text)));
    }
    if (json)
        json_object_set_new(json, "zone", json_name(zone));
    return json;
}

json_t *json_cache_entry(struct arena *arena, enum cache_db db, struct slice key, struct slice value,
                         wall_s now, bool *ret_damaged)
{
    uint8_t name[NAME_MAX];
    uint16_t type;
    union {
        struct cache_rr rr;
        struct cache_neg neg;
        struct cache_zone zone;
    } entry;

    *ret_damaged = false;
    if (db == CACHE_NSEC || db == CACHE_NSEC3)
        return denial_entry(arena, db, key, value, now, ret_damaged);
    if (cache_key_to_name(key, name, &type) == 0) {
        if (db == CACHE_RR && cache_rr_decode(arena, key, value, name, type, &entry.rr) == 0)
            return rr_entry(&entry.rr, "rr", now);
        if (db == CACHE_NEG && cache_neg_decode(arena, key, value, &entry.neg) == 0)
            return neg_entry(&entry.neg, name, type, now);
        if (db == CACHE_ZONE && cache_zone_decode(arena, key, value, name, &entry.zone) == 0)
            return zone_entry(&entry.zone, name, now);
    }
    *ret_damaged = true;
    return NULL;
}
