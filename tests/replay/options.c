#include "tests/replay/options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/replay/zone.h"

#define MAX_ITEMS 64u

struct mapping {
    struct world_config *config;
    struct rec_hint hints[MAX_ITEMS];
    struct rec_zone_servers zones[MAX_ITEMS];
    struct val_anchor anchors[MAX_ITEMS];
    struct prefix snoop[MAX_ITEMS], allow[2];
    const uint8_t *insecure[MAX_ITEMS], *stale_off[MAX_ITEMS], *forwards[MAX_ITEMS], *apart[MAX_ITEMS];
    uint8_t exempt[MAX_ITEMS][NAME_MAX];
    struct prefix never[MAX_ITEMS];
    /* the zone clause being read */
    const char *clause;
    unsigned clause_index;
    uint8_t clause_zone[NAME_MAX];
    bool clause_named, clause_first;
    struct address clause_to[32];
    size_t clause_count;
    bool date_off; /* val-override-date: -1 */
    char *why;
    size_t why_room;
};

static bool yes(const char *value)
{
    return strcasecmp(value, "yes") == 0 || strcasecmp(value, "on") == 0 || strcasecmp(value, "true") == 0;
}

static int refuse(struct mapping *m, const struct rpl_option *option)
{
    snprintf(m->why, m->why_room, "%s: %s has no counterpart", option->key, option->value);
    return 1;
}

static void *keep(const void *data, size_t size)
{
    void *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    return copy;
}

/* YYYYMMDDHHMMSS, or seconds since 1970. */
static int64_t to_time(const char *text)
{
    struct tm tm = {0};
    if (strlen(text) == 14 && strptime(text, "%Y%m%d%H%M%S", &tm))
        return timegm(&tm);
    return atoll(text);
}

static int anchor_from_rr(const ldns_rr *rr, struct val_anchor *ret_anchor)
{
    uint8_t *wire = NULL;
    size_t size = 0, name = ldns_rdf_size(ldns_rr_owner(rr));
    if (ldns_rr2wire(&wire, rr, LDNS_SECTION_ANSWER, &size) != LDNS_STATUS_OK ||
        name_from_bytes(wire, name, ret_anchor->zone) != 0)
        return 1;
    ret_anchor->type = (uint16_t)ldns_rr_get_type(rr);
    ret_anchor->rdata.size = (uint16_t)(size - name - 10);
    ret_anchor->rdata.data = keep(wire + name + 10, ret_anchor->rdata.size);
    return 0;
}

static int add_anchor(struct mapping *m, const struct rpl_option *option)
{
    ldns_rr *rr = NULL;
    struct val_config *val = &m->config->val;
    char line[4096];
    snprintf(line, sizeof(line), "%s", option->value);
    if (val->anchor_count == MAX_ITEMS ||
        ldns_rr_new_frm_str(&rr, line, 3600, NULL, NULL) != LDNS_STATUS_OK ||
        anchor_from_rr(rr, &m->anchors[val->anchor_count]))
        return refuse(m, option);
    val->anchor_count++;
    return 0;
}

/* "192.0.2.0/24", "2001:db8::1". 0 or 1. */
static int read_prefix(char *text, struct prefix *ret_prefix)
{
    struct address address;
    char *slash = strchr(text, '/');
    if (slash)
        *slash++ = '\0';
    if (scenario_address(text, &address))
        return 1;
    *ret_prefix = (struct prefix){.family = address.family,
                                  .length = slash                 ? (uint8_t)atoi(slash)
                                            : address.family == 4 ? 32
                                                                  : 128};
    memcpy(ret_prefix->bytes, address.bytes, sizeof(ret_prefix->bytes));
    return 0;
}

static int add_never(struct mapping *m, const struct rpl_option *option)
{
    char text[128];
    snprintf(text, sizeof(text), "%s", option->value);
    if (m->config->rec.never_query_count == MAX_ITEMS ||
        read_prefix(text, &m->never[m->config->rec.never_query_count]))
        return refuse(m, option);
    m->config->rec.never_query_count++;
    return 0;
}

static int add_snoop(struct mapping *m, const struct rpl_option *option)
{
    char prefix[128] = "", what[64] = "";
    if (sscanf(option->value, "%127s %63s", prefix, what) != 2)
        return refuse(m, option);
    if (strcmp(what, "allow") == 0)
        return 0;                                                         /* everybody is */
    if (strcmp(what, "refuse") == 0 && strncmp(prefix, "127.", 4) == 0) { /* where the questions come from */
        m->config->netd.allow_count = 0;
        return 0;
    }
    if (strcmp(what, "allow_snoop") != 0 || m->config->netd.allow_snoop_count == MAX_ITEMS ||
        read_prefix(prefix, &m->snoop[m->config->netd.allow_snoop_count]))
        return refuse(m, option);
    m->config->netd.allow_snoop_count++;
    return 0;
}

static int add_name(size_t *count, const uint8_t **items, const char *text)
{
    uint8_t name[NAME_MAX];
    if (*count == MAX_ITEMS || name_from_text(text, name) != 0)
        return 1;
    items[(*count)++] = keep(name, name_size(name));
    return 0;
}

/* The highest of the iteration counts of `val-nsec3-keysize-iterations: "1024 150 2048 500 …"`. */
static uint16_t highest_iterations(const char *value)
{
    unsigned highest = 0, size, count;
    int used;
    for (const char *p = value; sscanf(p, "%u %u%n", &size, &count, &used) == 2; p += used)
        highest = MAX(highest, count);
    return (uint16_t)highest;
}

static const struct {
    const char *key;
} ignored[] = {
    /* no bearing on what is compared, or always so in holdfast */
    {"target-fetch-policy"},
    {"iter-scrub-promiscuous"},
    {"rrset-roundrobin"},
    {"ede"},
    {"ede-serve-expired"},
    {"verbosity"},
    {"log-servfail"},
    {"val-log-level"},
    {"harden-referral-path"},
    {"harden-unknown-additional"},
    {"harden-unverified-glue"},
    {"prefetch-key"},
    {"rrset-cache-size"},
    {"msg-cache-size"},
    {"num-queries-per-thread"},
    {"discard-timeout"},
    {"outbound-msg-retry"},
    {"stub-prime"},
    {"do-not-query-localhost"},
    {"val-max-restart"},
    {"stub-name"}, /* of the server whose address stub-addr gives */
};

/* `min_ttl = 300`, `max_ttl = 600`: Deckard's form of the TTL limits. */
static int set_feature(struct mapping *m, const struct rpl_option *option)
{
    unsigned seconds;
    if (sscanf(option->value, "min_ttl = %u", &seconds) == 1)
        m->config->val.min_ttl_s = seconds;
    else if (sscanf(option->value, "max_ttl = %u", &seconds) == 1)
        m->config->val.max_ttl_s = m->config->netd.max_ttl_s = seconds;
    else
        return refuse(m, option);
    return 0;
}

static void set_date(struct mapping *m, const char *value)
{
    int64_t date = to_time(value);
    m->date_off = date <= 0;
    if (date > 0)
        m->config->start.s = date;
}

/* Deckard's files name the root's server outside any clause. */
static int add_root_hint(struct mapping *m, const struct rpl_option *option)
{
    char word[128] = "";
    struct rec_config *rec = &m->config->rec;
    struct address address;
    if (rec->hint_count == MAX_ITEMS || sscanf(option->value, "%127s", word) != 1 ||
        scenario_address(word, &address))
        return refuse(m, option);
    struct rec_hint *hint = &m->hints[rec->hint_count++];
    name_from_text("k.root-servers.net.", hint->name);
    hint->addresses = keep(&address, sizeof(address));
    hint->count = 1;
    return 0;
}

/* The same for a server that everything is forwarded to. */
static int add_root_forwarder(struct mapping *m, const struct rpl_option *option)
{
    char word[128] = "";
    struct rec_config *rec = &m->config->rec;
    struct val_config *val = &m->config->val;
    struct address address;
    if (rec->zone_count == MAX_ITEMS || sscanf(option->value, "%127s", word) != 1 ||
        scenario_address(word, &address))
        return refuse(m, option);
    struct rec_zone_servers *zone = &m->zones[rec->zone_count++];
    name_copy(name_root, zone->zone);
    zone->to = keep(&address, sizeof(address));
    zone->count = 1;
    zone->forward = true;
    m->forwards[val->forward_zone_count++] = m->apart[val->apart_zone_count++] = zone->zone;
    return 0;
}

static int map_server(struct mapping *m, const struct rpl_option *o)
{
    struct world_config *c = m->config;
    const char *k = o->key, *v = o->value;
    if (strcmp(k, "qname-minimisation") == 0 || strcmp(k, "query-minimization") == 0)
        c->rec.minimisation = yes(v) ? REC_MINIMISE_RELAXED : REC_MINIMISE_OFF;
    else if (strcmp(k, "qname-minimisation-strict") == 0)
        c->rec.minimisation = yes(v) ? REC_MINIMISE_STRICT : c->rec.minimisation;
    else if (strcmp(k, "val-override-date") == 0 || strcmp(k, "val-override-timestamp") == 0)
        set_date(m, v);
    else if (strcmp(k, "trust-anchor") == 0)
        return add_anchor(m, o);
    else if (strcmp(k, "stub-addr") == 0)
        return add_root_hint(m, o);
    else if (strcmp(k, "use-caps-for-id") == 0)
        c->rec.case_randomisation = yes(v);
    else if (strcmp(k, "priming") == 0) /* our own */
        c->rec.priming = yes(v);
    else if (strcmp(k, "anchor-updates") == 0) /* our own */
        c->val.anchor_updates = yes(v);
    else if (strcmp(k, "signalling") == 0) /* our own: RFC 8145 and 8509 */
        c->val.signalling = c->netd.signalling = yes(v);
    else if (strcmp(k, "error-reporting") == 0 || strcmp(k, "dns-error-reporting") == 0) /* RFC 9567 */
        c->val.error_reporting = yes(v);
    else if (strcmp(k, "probe-interval") == 0) /* our own */
        c->val.nta_probe_interval_s = (uint64_t)atoi(v);
    else if (strcmp(k, "trust-anchor-signaling") == 0 || strcmp(k, "root-key-sentinel") == 0)
        return 0; /* off here unless our own option says it: scenarios count questions */
    else if (strcmp(k, "do-not-query-address") == 0)
        return add_never(m, o);
    else if (strcmp(k, "do-ip6") == 0)
        c->rec.ipv6 = yes(v);
    else if (strcmp(k, "do-ip4") == 0)
        c->rec.ipv4 = yes(v);
    else if (strcmp(k, "fake-sha1") == 0)
        c->val.algorithms.allow_sha1 = yes(v);
    else if (strcmp(k, "serve-expired") == 0)
        c->netd.stale.enabled = c->val.stale.enabled = yes(v);
    else if (strcmp(k, "serve-expired-client-timeout") == 0)
        c->netd.stale_client_timeout_ms = (uint32_t)atoi(v);
    else if (strcmp(k, "serve-expired-reply-ttl") == 0)
        c->netd.stale_answer_ttl_s = c->val.stale_answer_ttl_s = (uint32_t)atoi(v);
    else if (strcmp(k, "serve-expired-ttl") == 0)
        c->netd.stale_max_age_s = c->val.stale_max_age_s = atoi(v) ? atoi(v) : INT32_MAX;
    else if (strcmp(k, "serve-expired-disabled-zone") == 0)
        return add_name(&c->val.stale.disabled_zone_count, m->stale_off, v) ? refuse(m, o) : 0;
    else if (strcmp(k, "prefetch") == 0)
        c->netd.prefetch = yes(v);
    else if (strcmp(k, "aggressive-nsec") == 0)
        c->netd.aggressive_denial = c->val.aggressive_denial = yes(v);
    else if (strcmp(k, "minimal-responses") == 0)
        c->netd.minimal_responses = yes(v);
    else if (strcmp(k, "module-config") == 0)
        c->val.validate = strstr(v, "validator") != NULL;
    else if (strcmp(k, "access-control") == 0)
        return add_snoop(m, o);
    else if (strcmp(k, "local-zone") == 0 && strstr(v, "nodefault"))
        c->netd.special_use_names =
            false; /* as it is here: scenarios use reserved names as if they were others */
    else if (strcmp(k, "special-use-names") == 0) /* our own */
        c->netd.special_use_names = yes(v);
    else if (strcmp(k, "domain-insecure") == 0)
        return add_name(&c->val.insecure_zone_count, m->insecure, v) ? refuse(m, o) : 0;
    else if (strcmp(k, "network-delay") == 0) /* our own: the player's, options_network_delay_ms() */
        return 0;
    else if (strcmp(k, "val-nsec3-keysize-iterations") == 0)
        c->val.nsec3_iterations = c->netd.nsec3_iterations = highest_iterations(v);
    else if (strcmp(k, "features") == 0)
        return set_feature(m, o);
    else if (strcmp(k, "cache-max-ttl") == 0)
        c->val.max_ttl_s = c->netd.max_ttl_s = (uint32_t)atoi(v);
    else if (strcmp(k, "cache-min-ttl") == 0)
        c->val.min_ttl_s = (uint32_t)atoi(v);
    else if (strcmp(k, "max-query-restarts") == 0) /* the limit of CNAME steps, BUDGET_CNAME_STEPS */
        return atoi(v) == 11 ? 0 : refuse(m, o);
    else if (strcmp(k, "serve-expired-ttl-reset") == 0) /* stale.max_age is a hard limit */
        return yes(v) ? refuse(m, o) : 0;
    else if (strcmp(k, "harden-glue") == 0 || strcmp(k, "harden-below-nxdomain") == 0)
        return yes(v) ? 0 : refuse(m, o); /* always so */
    else if (strcmp(k, "forward-addr") == 0)
        return add_root_forwarder(m, o);
    else if (strncmp(k, "log-", 4) == 0 || (strlen(k) > 6 && strcmp(k + strlen(k) - 6, "-slabs") == 0))
        return 0;
    else if (strcmp(k, "harden-algo-downgrade") == 0 || strcmp(k, "harden-dnssec-stripped") == 0)
        /* RFC 6840 5.11: any valid path suffices; a zone with a DS that is not signed is bogus */
        return yes(v) == (k[7] == 'd') ? 0 : refuse(m, o);
    else {
        for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
            if (strcmp(ignored[i].key, k) == 0)
                return 0;
        return refuse(m, o);
    }
    return 0;
}

/* A finished stub-zone or forward-zone clause. stub-zone "." is the root hint. */
static int finish_clause(struct mapping *m)
{
    struct rec_config *rec = &m->config->rec;
    if (!m->clause || !m->clause_named)
        return 0;
    struct address *to = keep(m->clause_to, m->clause_count * sizeof(*to));
    bool forward = strcmp(m->clause, "forward-zone") == 0;
    if (!forward && name_is_root(m->clause_zone)) {
        if (rec->hint_count == MAX_ITEMS)
            return 1;
        struct rec_hint *hint = &m->hints[rec->hint_count++];
        name_from_text("k.root-servers.net.", hint->name);
        hint->addresses = to;
        hint->count = m->clause_count;
    } else if (m->clause_count) {
        if (rec->zone_count == MAX_ITEMS)
            return 1;
        struct rec_zone_servers *zone = &m->zones[rec->zone_count++];
        name_copy(m->clause_zone, zone->zone);
        zone->to = to;
        zone->count = m->clause_count;
        zone->forward = forward;
        zone->first = m->clause_first;
        if (forward)
            m->forwards[m->config->val.forward_zone_count++] = zone->zone;
        m->apart[m->config->val.apart_zone_count++] = zone->zone;
        name_copy(zone->zone, m->exempt[m->config->netd.exempt_count++]);
    }
    m->clause_named = m->clause_first = false;
    m->clause_count = 0;
    return 0;
}

static int map_clause(struct mapping *m, const struct rpl_option *o)
{
    const char *k = o->key;
    if (strcmp(o->section, "stub-zone") != 0 && strcmp(o->section, "forward-zone") != 0) {
        snprintf(m->why, m->why_room, "%s has no counterpart", o->section);
        return 1;
    }
    if (strcmp(k, "name") == 0) {
        if (m->clause_named && finish_clause(m))
            return refuse(m, o);
        m->clause_named = true;
        return name_from_text(o->value, m->clause_zone) ? refuse(m, o) : 0;
    }
    if (strcmp(k, "stub-addr") == 0 || strcmp(k, "forward-addr") == 0) {
        char word[128] = "";
        if (m->clause_count == ARRAY_SIZE(m->clause_to) || sscanf(o->value, "%127s", word) != 1 ||
            scenario_address(word, &m->clause_to[m->clause_count]))
            return refuse(m, o);
        m->clause_count++;
        return 0;
    }
    if (strcmp(k, "forward-first") == 0) {
        m->clause_first = yes(o->value);
        return 0;
    }
    if (strcmp(k, "forward-host") == 0 || strcmp(k, "forward-no-cache") == 0 || strcmp(k, "root-hints") == 0)
        return refuse(m, o);
    /* an option of the server behind a clause, as some files have it */
    return map_server(m, o);
}

static void set_defaults(struct mapping *m, struct world_config *c)
{
    memset(c, 0, sizeof(*c));
    m->allow[0] = (struct prefix){.family = 4};
    m->allow[1] = (struct prefix){.family = 6};
    c->seed = 20260505;
    c->start.s = 1577836800; /* 2020-01-01, where a scenario gives no date */
    c->rec = (struct rec_config){.generation = 1,
                                 .hints = m->hints,
                                 .zones = m->zones,
                                 .never_query = m->never,
                                 .ipv4 = true,
                                 .ipv6 = true,
                                 .edns_size = 1232,
                                 .server_timeout_ms = 400};
    c->val = (struct val_config){.generation = 1,
                                 .validate = true,
                                 .anchors = m->anchors,
                                 .insecure_zones = m->insecure,
                                 .stale = {.disabled_zones = m->stale_off},
                                 .forward_zones = m->forwards,
                                 .apart_zones = m->apart,
                                 .aggressive_denial = true,
                                 .nsec3_iterations = 150,
                                 .algorithms = {.allow_sha1 = true},
                                 .max_ttl_s = 86400,
                                 .stale_max_age_s = 3 * 86400,
                                 .stale_recheck_s = 30,
                                 .stale_answer_ttl_s = 30,
                                 .delegation_max_age_s = 7 * 86400,
                                 .nta_lifetime_s = 3600,
                                 .nta_max_lifetime_s = 7 * 86400,
                                 .nta_probe_interval_s = 300};
    c->netd = (struct netd_config){.generation = 1,
                                   .allow = m->allow,
                                   .allow_count = 2,
                                   .allow_snoop = m->snoop,
                                   .minimal_responses = true,
                                   .special_use_names = false,
                                   .exempt = (const uint8_t(*)[NAME_MAX])m->exempt,
                                   .aggressive_denial = true,
                                   .nsec3_iterations = 150,
                                   .edns_size = 1232,
                                   .stale_client_timeout_ms = 1800,
                                   .stale_answer_ttl_s = 30,
                                   .stale_max_age_s = 3 * 86400,
                                   .kept_max_age_s = 7 * 86400,
                                   .max_ttl_s = 86400};
}

/* A scenario without validation time is played an hour after its first signature was made. */
static int64_t first_signature(const struct scenario *scenario, int64_t otherwise)
{
    for (const struct rpl_range *range = scenario->ranges; range; range = range->next)
        for (const struct rpl_entry *entry = range->entries; entry; entry = entry->next)
            for (int s = 0; s < 3; s++)
                for (size_t i = 0; i < ldns_rr_list_rr_count(entry->section[s]); i++) {
                    const ldns_rr *rr = ldns_rr_list_rr(entry->section[s], i);
                    if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG)
                        return (int64_t)ldns_rdf2native_int32(ldns_rr_rrsig_inception(rr)) + 3600;
                }
    return otherwise;
}

/* A step wants to see the root's NS set asked for, so this one is about priming too. */
static bool wants_priming(const struct scenario *scenario)
{
    for (const struct rpl_step *step = scenario->steps; step; step = step->next) {
        const struct rpl_entry *entry = step->entry;
        if (step->kind != RPL_STEP_CHECK_OUT_QUERY || !entry || !ldns_rr_list_rr_count(entry->question))
            continue;
        const ldns_rr *question = ldns_rr_list_rr(entry->question, 0);
        if (ldns_rr_get_type(question) == LDNS_RR_TYPE_NS &&
            ldns_dname_label_count(ldns_rr_owner(question)) == 0)
            return true;
    }
    return false;
}

/* A question is one of RFC 8509's: scenarios about it do not turn it on. */
static bool wants_sentinel(const struct scenario *scenario)
{
    static const char prefix[] = "root-key-sentinel-"; /* of the first label */
    for (const struct rpl_step *step = scenario->steps; step; step = step->next) {
        const struct rpl_entry *entry = step->entry;
        if (step->kind != RPL_STEP_QUERY || !entry || !ldns_rr_list_rr_count(entry->question))
            continue;
        const ldns_rdf *name = ldns_rr_owner(ldns_rr_list_rr(entry->question, 0));
        if (ldns_rdf_size(name) > sizeof(prefix) &&
            memcmp(ldns_rdf_data(name) + 1, prefix, sizeof(prefix) - 1) == 0)
            return true;
    }
    return false;
}

int options_map(const struct scenario *scenario, struct world_config *ret_config, char *ret_why, size_t room)
{
    struct mapping *m = calloc(1, sizeof(*m));
    if (!m)
        abort();
    m->config = ret_config;
    m->why = ret_why;
    m->why_room = room;
    set_defaults(m, ret_config);
    for (const struct rpl_option *o = scenario->options; o; o = o->next) {
        bool clause = strcmp(o->section, "server") != 0;
        if (clause && o->section_index != m->clause_index) {
            if (finish_clause(m))
                return refuse(m, o);
            m->clause = o->section;
            m->clause_index = o->section_index;
        }
        if (clause ? map_clause(m, o) : map_server(m, o))
            return 1;
    }
    ret_config->rec.priming |= wants_priming(scenario);
    if (wants_sentinel(scenario))
        ret_config->val.signalling = ret_config->netd.signalling = true;
    if (!scenario->zones)
        ret_config->val.stale_recheck_s = 5; /* a scenario of Unbound's, and its interval */
    if (m->date_off)
        ret_config->start.s = first_signature(scenario, ret_config->start.s);
    if (finish_clause(m)) {
        snprintf(ret_why, room, "more zones than the player holds");
        return 1;
    }
    ret_config->netd.stale = ret_config->val.stale;
    return 0;
}

static void add_zone_anchor(void *ctx, ldns_rr *ds)
{
    struct val_config *val = ctx;
    struct val_anchor *anchors = (struct val_anchor *)val->anchors; /* the mapping's array, writable */
    if (val->anchor_count < MAX_ITEMS && anchor_from_rr(ds, &anchors[val->anchor_count]) == 0)
        val->anchor_count++;
}

/* Where a scenario names no root server it is played against the real ones' addresses. */
static void add_real_hints(struct rec_config *rec)
{
    static const char *const addresses[] = {
        "198.41.0.4",   "170.247.170.2", "192.33.4.12",   "199.7.91.13",   "192.203.230.10",
        "192.5.5.241",  "192.112.36.4",  "198.97.190.53", "192.36.148.17", "192.58.128.30",
        "193.0.14.129", "199.7.83.42",   "202.12.27.33"};
    struct address list[ARRAY_SIZE(addresses)];
    struct rec_hint *hint = (struct rec_hint *)rec->hints;
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++)
        scenario_address(addresses[i], &list[i]);
    name_from_text("a.root-servers.net.", hint->name);
    hint->addresses = keep(list, sizeof(list));
    hint->count = ARRAY_SIZE(addresses);
    rec->hint_count = 1;
}

void options_add_zones(const struct scenario *scenario, struct world_config *config)
{
    if (config->val.anchor_count == 0)
        zones_anchors(scenario->zones, add_zone_anchor, &config->val);
    for (struct play_zone *zone = scenario->zones; zone && config->rec.hint_count == 0; zone = zone->next) {
        if (ldns_dname_label_count(zone->apex) != 0)
            continue;
        struct rec_hint *hint = (struct rec_hint *)config->rec.hints;
        name_from_text("ns.root-servers.test.", hint->name);
        hint->addresses = zone->servers;
        hint->count = zone->server_count;
        config->rec.hint_count = 1;
    }
    if (config->rec.hint_count == 0)
        add_real_hints(&config->rec);
}

uint32_t options_network_delay_ms(const struct scenario *scenario)
{
    uint32_t delay_ms = 0;
    for (const struct rpl_option *option = scenario->options; option; option = option->next)
        if (strcmp(option->key, "network-delay") == 0)
            delay_ms = (uint32_t)atoi(option->value);
    return delay_ms;
}
