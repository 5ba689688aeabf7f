/* The record of an open incident as a damaged or hostile cache file may hold it, which validatord reads at
 * its start. The checksum is made right, since a fuzzer cannot guess one: what is left are the bounds and the
 * shapes inside. key size, key, the record's body */

#include "common/cache/entry.h"
#include "daemons/validatord/core/incident.h"
#include "fuzz/fuzz.h"

static void check_key(struct slice key)
{
    uint8_t zone[NAME_MAX], copy[NAME_MAX];
    struct cache_key again; /* of the zone, lower-cased: what a damaged key names may be written otherwise */
    if (incident_key_zone(key, zone) != 0)
        return;
    CHECK(name_from_bytes(zone, name_size(zone), copy) == 0);
    CHECK(incident_key(zone, &again) == 0);
    CHECK(incident_key_zone(cache_key_slice(&again), copy) == 0 && name_equal(copy, zone));
}

/* What was read lies inside the value, and can be written and read again. */
static void check_record(struct arena *arena, struct slice key, struct slice value)
{
    struct incident_record record, again;
    struct slice back;
    uint8_t copy[NAME_MAX];
    if (incident_decode(key, value, &record) != 0)
        return;
    CHECK(record.text.size <= ANSWER_EDE_TEXT && record.text.data >= value.data &&
          record.text.data + record.text.size <= value.data + value.size);
    CHECK(record.target_count <= VAL_PROBE_TARGETS);
    for (unsigned i = 0; i < record.target_count; i++)
        CHECK(name_from_bytes(record.targets[i].name, name_size(record.targets[i].name), copy) == 0);
    CHECK(incident_encode(arena, key, &record, &back) == 0);
    CHECK(incident_decode(key, back, &again) == 0);
    CHECK(again.since.s == record.since.s && again.probes_failed == record.probes_failed &&
          again.transport == record.transport && again.degraded == record.degraded &&
          again.ede == record.ede);
    CHECK(again.text.size == record.text.size &&
          memcmp(again.text.data, record.text.data, record.text.size) == 0);
    CHECK(again.target_count == record.target_count);
    for (unsigned i = 0; i < record.target_count; i++)
        CHECK(name_equal(again.targets[i].name, record.targets[i].name) &&
              again.targets[i].type == record.targets[i].type);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    struct slice key = fuzz_bytes(&in, fuzz_u8(&in)), value;
    struct arena *arena = arena_new(1u << 20);
    CHECK(arena);
    check_key(key);
    check_record(arena, key, slice_make(in.data, in.left));
    if (cache_blob_encode(arena, key, slice_make(in.data, in.left), &value) == 0)
        check_record(arena, key, value);
    arena_free(arena);
    return 0;
}
