/* Keys as trust anchors, and keys that roll: versions of one zone share the keys that their KEY lines name,
 * so that a scenario can add, revoke and remove one from step to step. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/dns.h"
#include "tests/replay/zone.h"

int ring_line(struct play_zone *zone, const char *line, char *why, size_t room)
{
    char copy[256], *save;
    if (strncmp(line, "KEY ", 4) != 0)
        return -1;
    snprintf(copy, sizeof(copy), "%s", line + 4);
    char *word = strtok_r(copy, " \t", &save);
    if (!word || zone->ring_count == ZONE_MAX_RING) {
        snprintf(why, room, "KEY wants a name, and %u at most: %.100s", ZONE_MAX_RING, line);
        return 1;
    }
    struct ring_key *key = &zone->ring[zone->ring_count++];
    snprintf(key->name, sizeof(key->name), "%s", word);
    key->signs = true;
    while ((word = strtok_r(NULL, " \t", &save))) {
        if (strcmp(word, "nosign") == 0)
            key->signs = false;
        else if (strcmp(word, "revoked") == 0)
            key->revoked = true;
        else if (strcmp(word, "anchor") == 0)
            key->anchor = true;
        else {
            snprintf(why, room, "KEY: unknown word %.100s", word);
            return 1;
        }
    }
    return 0;
}

int ring_make(struct play_zone *zone, const struct play_zone *zones,
              ldns_key *(*make)(const struct play_zone *zone, uint16_t flags, int64_t now), int64_t now)
{
    ldns_key *signing = NULL;

    for (const struct play_zone *other = zones; other != zone; other = other->next) {
        if (!other->ring_count || ldns_dname_compare(other->apex, zone->apex) != 0)
            continue;
        signing = ldns_key_list_key(other->keys, 0);
        for (unsigned i = 0; i < zone->ring_count; i++)
            for (unsigned j = 0; j < other->ring_count; j++)
                if (strcmp(zone->ring[i].name, other->ring[j].name) == 0)
                    zone->ring[i].key = other->ring[j].key;
    }
    zone->keys = ldns_key_list_new();
    signing = signing ? signing : make(zone, LDNS_KEY_ZONE_KEY, now);
    zone->foreign = make(zone, LDNS_KEY_ZONE_KEY, now);
    for (unsigned i = 0; i < zone->ring_count; i++) {
        if (!zone->ring[i].key)
            zone->ring[i].key = make(zone, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY, now);
        if (!zone->ring[i].key)
            return 1;
    }
    if (!signing || !zone->foreign)
        return 1;
    ldns_key_list_push_key(zone->keys, signing);
    return 0;
}

static ldns_rr *record(const struct ring_key *key, bool revoked)
{
    uint16_t flags = ldns_key_flags(key->key);
    ldns_key_set_flags(key->key, flags | (revoked ? LDNS_KEY_REVOKE_KEY : 0));
    ldns_rr *rr = ldns_key2rr(key->key);
    ldns_key_set_flags(key->key, flags);
    return rr;
}

void ring_records(struct play_zone *zone, void (*add)(struct play_zone *zone, ldns_rr *rr))
{
    for (unsigned i = 0; i < zone->ring_count; i++)
        add(zone, record(&zone->ring[i], zone->ring[i].revoked));
}

void ring_sign(struct play_zone *zone, struct zone_set *set, int64_t from, int64_t until)
{
    for (unsigned i = 0; i < zone->ring_count; i++) {
        ldns_key *key = zone->ring[i].key;
        if (!zone->ring[i].signs)
            continue;
        ldns_rr *rr = record(&zone->ring[i], zone->ring[i].revoked);
        uint16_t flags = ldns_key_flags(key);
        ldns_key_list *one = ldns_key_list_new();
        ldns_key_set_inception(key, (uint32_t)from);
        ldns_key_set_expiration(key, (uint32_t)until);
        ldns_key_set_keytag(key, ldns_calc_keytag(rr));
        ldns_key_set_flags(key, LDNS_KEY_ZONE_KEY); /* libldns signs with no other */
        ldns_key_list_push_key(one, key);
        ldns_rr_list_cat(set->signatures, ldns_sign_public(set->records, one));
        ldns_key_set_flags(key, flags);
        ldns_rr_free(rr);
    }
}

ldns_rr *ring_ds(const struct play_zone *zone, unsigned index, ldns_hash digest)
{
    ldns_rr *rr = record(&zone->ring[index], false), *ds = ldns_key_rr2ds(rr, digest);
    ldns_rr_free(rr);
    return ds;
}

int ring_tag(const struct play_zone *zones, const char *name, size_t size, unsigned *ret_tag)
{
    for (const struct play_zone *zone = zones; zone; zone = zone->next)
        for (unsigned i = 0; i < zone->ring_count; i++) {
            if (strlen(zone->ring[i].name) != size || memcmp(zone->ring[i].name, name, size) != 0)
                continue;
            ldns_rr *rr = record(&zone->ring[i], false);
            *ret_tag = ldns_calc_keytag(rr);
            ldns_rr_free(rr);
            return 0;
        }
    return 1;
}

ldns_rr *zone_ds(const struct play_zone *zone, ldns_hash digest)
{
    if (zone->ring_count)
        return ring_ds(zone, 0, digest);
    ldns_rr *key = ldns_key2rr(ldns_key_list_key(zone->keys, 0)), *ds = ldns_key_rr2ds(key, digest);
    ldns_rr_free(key);
    return ds;
}

void zones_anchors(const struct play_zone *zones, void (*fn)(void *ctx, ldns_rr *ds), void *ctx)
{
    for (const struct play_zone *zone = zones; zone; zone = zone->next) {
        bool has_parent = false;
        for (unsigned i = 0; i < zone->ring_count; i++)
            if (zone->ring[i].anchor)
                fn(ctx, ring_ds(zone, i, LDNS_SHA256));
        if (zone->ring_count)
            continue;
        for (const struct play_zone *other = zones; other; other = other->next)
            has_parent |=
                other != zone && other->algorithm && ldns_dname_is_subdomain(zone->apex, other->apex);
        if (zone->algorithm && (!has_parent || zone->anchor))
            fn(ctx, zone_ds(zone, LDNS_SHA256));
    }
}
