/* The schema: every key a configuration may have, its kind, its place in the snapshot, its limits; and the
 * words to suggest when a key is not among them. The defaults are in compile_builtin.c, as the text a user
 * would write. */

#include <string.h>

#include "common/conf/compile_internal.h"

#define FIELD(name) .field = offsetof(Holdfast__Config__Snapshot, name)
#define ITEMS(name)                                                                                          \
    .field = offsetof(Holdfast__Config__Snapshot, n_##name),                                                 \
    .items = offsetof(Holdfast__Config__Snapshot, name)
#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define MEBI   1048576ull

// clang-format off
const struct conf_key conf_schema[] = {
    {"server.listen",             conf_set_endpoints,     ITEMS(listen)},
    {"server.workers",            conf_set_number,        FIELD(workers), .min = 1, .max = 64},
    {"server.allow",              conf_set_prefixes,      ITEMS(allow)},
    {"server.allow_snoop",        conf_set_prefixes,      ITEMS(allow_snoop)},
    {"server.minimal_responses",  conf_set_bool,          FIELD(minimal_responses)},
    {"server.special_use_names",  conf_set_bool,          FIELD(special_use_names)},
    {"process.users",             conf_set_bool,          FIELD(users)},
    {"process.sandbox",           conf_set_bool,          FIELD(sandbox)},
    {"cache.directory",           conf_set_directory,     FIELD(state_directory)},
    {"cache.size",                conf_set_size,          FIELD(cache_size_bytes), .min = 4 * MEBI, .max = 1048576 * MEBI},
    {"cache.min_ttl",             conf_set_duration,      FIELD(min_ttl_ms), .min = 0, .max = HOUR},
    {"cache.max_ttl",             conf_set_duration,      FIELD(max_ttl_ms), .min = SECOND, .max = 28 * DAY},
    {"cache.commit_interval",     conf_set_duration,      FIELD(commit_interval_ms), .min = 10, .max = 10 * SECOND},
    {"cache.prefetch",            conf_set_bool,          FIELD(prefetch)},
    {"stale.enabled",             conf_set_bool,          FIELD(stale_enabled)},
    {"stale.client_timeout",      conf_set_duration,      FIELD(stale_client_timeout_ms), .min = 0, .max = 10 * SECOND},
    {"stale.answer_ttl",          conf_set_duration,      FIELD(stale_answer_ttl_ms), .min = SECOND, .max = HOUR},
    {"stale.max_age",             conf_set_duration,      FIELD(stale_max_age_ms), .min = 0, .max = 28 * DAY},
    {"stale.delegation_max_age",  conf_set_duration,      FIELD(stale_delegation_max_age_ms), .min = 0, .max = 28 * DAY},
    {"stale.recheck_interval",    conf_set_duration,      FIELD(stale_recheck_interval_ms), .min = SECOND, .max = 5 * MINUTE},
    {"stale.disabled_zones",      conf_set_zones,         ITEMS(stale_disabled_zones)},
    {"resolve.root_hints",        conf_set_root_hints,    ITEMS(root_hints)},
    {"resolve.priming",           conf_set_bool,          FIELD(priming)},
    {"resolve.qname_minimisation", conf_set_minimisation, FIELD(qname_minimisation)},
    {"resolve.case_randomisation", conf_set_bool,         FIELD(case_randomisation)},
    {"resolve.edns_size",         conf_set_number,        FIELD(edns_size), .min = 512, .max = 4096},
    {"resolve.source_addresses",  conf_set_addresses,     ITEMS(source_addresses)},
    {"resolve.never_query",       conf_set_never_query,   ITEMS(never_query)},
    {"resolve.ipv4",              conf_set_bool,          FIELD(ipv4)},
    {"resolve.ipv6",              conf_set_bool,          FIELD(ipv6)},
    {"resolve.server_timeout",    conf_set_duration,      FIELD(server_timeout_ms), .min = 50, .max = 5 * SECOND},
    {"resolve.forward",           conf_set_zone_servers,  ITEMS(forward)},
    {"resolve.stub",              conf_set_zone_servers,  ITEMS(stub)},
    {"dnssec.validate",           conf_set_bool,          FIELD(validate)},
    {"dnssec.trust_anchors",      conf_set_trust_anchors, ITEMS(trust_anchors)},
    {"dnssec.anchor_updates",     conf_set_bool,          FIELD(anchor_updates)},
    {"dnssec.signalling",         conf_set_bool,          FIELD(signalling)},
    {"dnssec.error_reporting",    conf_set_bool,          FIELD(error_reporting)},
    {"dnssec.insecure_zones",     conf_set_zones,         ITEMS(insecure_zones)},
    {"dnssec.nta.lifetime",       conf_set_duration,      FIELD(nta_lifetime_ms), .min = MINUTE, .max = 7 * DAY},
    {"dnssec.nta.max_lifetime",   conf_set_duration,      FIELD(nta_max_lifetime_ms), .min = MINUTE, .max = 7 * DAY},
    {"dnssec.nta.probe_interval", conf_set_duration,      FIELD(nta_probe_interval_ms), .min = 5 * SECOND, .max = DAY},
    {"dnssec.aggressive_denial",  conf_set_bool,          FIELD(aggressive_denial)},
    {"dnssec.allow_sha1",         conf_set_bool,          FIELD(allow_sha1)},
    {"dnssec.nsec3_iterations",   conf_set_number,        FIELD(nsec3_iterations), .min = 0, .max = 150},
    {"dnssec.clock_override",     conf_set_time,          FIELD(clock_override_s)},
    {"log.level",                 conf_set_log_level,     FIELD(log_level)},
};
// clang-format on
const size_t conf_schema_size = ARRAY_SIZE(conf_schema);
static_assert(ARRAY_SIZE(conf_schema) <= CONF_MAX_KEYS, "lines[] has an entry for each key");

int conf_find_key(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(conf_schema); i++)
        if (strcmp(conf_schema[i].path, path) == 0)
            return (int)i;
    return -1;
}

unsigned conf_line_of(const struct conf *conf, const char *path)
{
    int index = conf_find_key(path);
    return index < 0 ? 0 : conf->lines[index];
}

bool conf_is_section(const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < ARRAY_SIZE(conf_schema); i++)
        if (strncmp(conf_schema[i].path, path, size) == 0 && conf_schema[i].path[size] == '.')
            return true;
    return false;
}

/* Edits (insert, delete, replace, swap of neighbours) from a to b, both at most 31 characters. */
static unsigned distance(const char *a, const char *b)
{
    enum { MOST = 31 };
    size_t a_size = strnlen(a, MOST), b_size = strnlen(b, MOST);
    unsigned rows[3][MOST + 1];
    for (size_t j = 0; j <= b_size; j++)
        rows[0][j] = (unsigned)j;
    unsigned *before = rows[2], *last = rows[0], *now = rows[1];
    for (size_t i = 1; i <= a_size; i++) {
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b_size; j++) {
            unsigned best = last[j - 1] + (a[i - 1] != b[j - 1]);
            best = MIN(best, last[j] + 1);
            best = MIN(best, now[j - 1] + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                best = MIN(best, before[j - 2] + 1);
            now[j] = best;
        }
        unsigned *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_size];
}

/* The word of `path` that comes after `section`, up to the next dot, into word; false when it is not below
 * it. */
static bool next_word(const char *path, const char *section, char word[32])
{
    size_t size = strlen(section);
    if (size > 0) {
        if (strncmp(path, section, size) != 0 || path[size] != '.')
            return false;
        path += size + 1;
    }
    size_t word_size = MIN(strcspn(path, "."), 31u);
    memcpy(word, path, word_size);
    word[word_size] = '\0';
    return true;
}

const char *conf_nearest(const char *section, const char *name)
{
    unsigned nearest = (unsigned)MAX(strlen(name) / 3, 1u) + 1;
    const char *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(conf_schema); i++) {
        char word[32];
        if (!next_word(conf_schema[i].path, section, word))
            continue;
        unsigned d = distance(name, word);
        if (d < nearest) {
            nearest = d;
            found = conf_schema[i].path + (section[0] ? strlen(section) + 1 : 0);
        }
    }
    return found;
}

const char *conf_section_of(const char *name, char buf[64])
{
    for (size_t i = 0; i < ARRAY_SIZE(conf_schema); i++) {
        const char *dot = strrchr(conf_schema[i].path, '.');
        if (strcmp(dot + 1, name) == 0) {
            size_t size = MIN((size_t)(dot - conf_schema[i].path), 63u);
            memcpy(buf, conf_schema[i].path, size);
            buf[size] = '\0';
            return buf;
        }
    }
    return NULL;
}
