/* The record of an open incident: key "incident", 0, the zone's lookup form; value fixed fields, the text,
 * the RRsets that failed. Little-endian as all of the cache, under its header and checksum. */

#include <string.h>

#include "daemons/validatord/core/incident.h"

#define RECORD_FIXED   17u /* since, probes, flags, EDE, size of the text, number of targets */
#define RECORD_MAX     (RECORD_FIXED + ANSWER_EDE_TEXT + VAL_PROBE_TARGETS * (NAME_MAX + 2u))
#define FLAG_TRANSPORT 1u
#define FLAG_DEGRADED  2u

static const char prefix[9] = "incident"; /* its 0 ends it */

int incident_key(const uint8_t *zone, struct cache_key *ret_key)
{
    struct cache_key name = {0};

    if (zone && cache_key_name(zone, &name))
        return 1;
    if (sizeof(prefix) + name.size > CACHE_KEY_MAX)
        return 1;
    memcpy(ret_key->bytes, prefix, sizeof(prefix));
    memcpy(ret_key->bytes + sizeof(prefix), name.bytes, name.size);
    ret_key->size = (uint16_t)(sizeof(prefix) + name.size);
    return 0;
}

int incident_key_zone(struct slice key, uint8_t ret_zone[NAME_MAX])
{
    uint16_t type;

    if (key.size <= sizeof(prefix) || memcmp(key.data, prefix, sizeof(prefix)) != 0)
        return 1;
    return cache_key_to_name(slice_make(key.data + sizeof(prefix), key.size - sizeof(prefix)), ret_zone,
                             &type) ||
           type != 0;
}

static void put16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)v;
    at[1] = (uint8_t)(v >> 8);
}

static uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

int incident_encode(struct arena *arena, struct slice key, const struct incident_record *record,
                    struct slice *ret_value)
{
    uint8_t blob[RECORD_MAX];
    size_t size = RECORD_FIXED;
    uint64_t since = (uint64_t)record->since.s;

    if (record->text.size > ANSWER_EDE_TEXT || record->target_count > VAL_PROBE_TARGETS)
        return 1;
    for (unsigned i = 0; i < 8; i++)
        blob[i] = (uint8_t)(since >> (8 * i));
    put16(blob + 8, record->probes_failed);
    blob[10] = (uint8_t)((record->transport ? FLAG_TRANSPORT : 0u) | (record->degraded ? FLAG_DEGRADED : 0u));
    put16(blob + 11, record->ede);
    put16(blob + 13, (uint16_t)record->text.size);
    put16(blob + 15, (uint16_t)record->target_count);
    memcpy(blob + size, record->text.data ? record->text.data : blob, record->text.size);
    size += record->text.size;
    for (unsigned i = 0; i < record->target_count; i++) {
        size += name_copy(record->targets[i].name, blob + size);
        put16(blob + size, record->targets[i].type);
        size += 2;
    }
    return cache_blob_encode(arena, key, slice_make(blob, size), ret_value);
}

int incident_decode(struct slice key, struct slice value, struct incident_record *ret_record)
{
    struct incident_record record = {0};
    struct slice blob;
    uint64_t since = 0;

    if (cache_blob_decode(key, value, &blob) || blob.size < RECORD_FIXED || blob.size > RECORD_MAX)
        return CACHE_MISS;
    for (unsigned i = 0; i < 8; i++)
        since |= (uint64_t)blob.data[i] << (8 * i);
    record.since.s = (int64_t)since;
    record.probes_failed = get16(blob.data + 8);
    record.transport = blob.data[10] & FLAG_TRANSPORT;
    record.degraded = blob.data[10] & FLAG_DEGRADED;
    record.ede = get16(blob.data + 11);
    size_t text = get16(blob.data + 13), at = RECORD_FIXED;
    record.target_count = get16(blob.data + 15);
    if (text > ANSWER_EDE_TEXT || text > blob.size - at || record.target_count > VAL_PROBE_TARGETS)
        return CACHE_MISS;
    record.text = slice_make(blob.data + at, text);
    at += text;
    for (unsigned i = 0; i < record.target_count; i++) {
        size_t used = 0;
        /* the name ends by its own root label: looked for before it is read */
        while (at + used < blob.size && blob.data[at + used] && used < NAME_MAX)
            used += blob.data[at + used] + 1u;
        used++;
        if (used > NAME_MAX || used + 2 > blob.size - at ||
            name_from_bytes(blob.data + at, used, record.targets[i].name))
            return CACHE_MISS;
        record.targets[i].type = get16(blob.data + at + used);
        at += used + 2;
    }
    *ret_record = record;
    return 0;
}
