/* The verbs in the order in which --help shows them. Names and arguments follow resolvectl where it has them.
 */

#include "daemons/holdfastctl/ctl.h"

#define QUERY_OPTIONS (CTL_OPT_TYPE | CTL_OPT_CLASS | CTL_OPT_CD | CTL_OPT_TCP | CTL_OPT_SERVER)

// clang-format off
const struct ctl_verb ctl_verbs[] = {
    {"query", "NAME [TYPE...]", "ask the running resolver", 1, CTL_MANY_ARGS, QUERY_OPTIONS, ctl_verb_query},
    {"explain", "NAME [TYPE]", "the chain of trust link by link, and the servers asked", 1, 2, CTL_OPT_TYPE, ctl_verb_explain},
    {"status", "", "the daemons and how they are", 0, 0, 0, ctl_verb_status},
    {"statistics", "", "counters", 0, 0, 0, ctl_verb_statistics},
    {"metrics", "", "counters as OpenMetrics text", 0, 0, 0, ctl_verb_metrics},
    {"reset-statistics", "", "counters back to zero", 0, 0, 0, ctl_verb_reset_statistics},
    {"show-cache", "[NAME]", "what the cache holds, below NAME", 0, 1, 0, ctl_verb_show_cache},
    {"flush-caches", "[NAME]", "forget all, or NAME", 0, 1, CTL_OPT_TREE | CTL_OPT_BOGUS | CTL_OPT_NEGATIVE, ctl_verb_flush_caches},
    {"cache stats", "", "size and use of the cache file", 0, 0, 0, ctl_verb_cache_stats},
    {"cache verify", "", "check every entry of the cache file", 0, 0, 0, ctl_verb_cache_verify},
    {"show-server-state", "", "what is known of upstream servers", 0, 0, 0, ctl_verb_show_server_state},
    {"reset-server-features", "", "forget what is known of upstream servers", 0, 0, 0, ctl_verb_reset_server_features},
    {"nta list", "", "negative trust anchors", 0, 0, 0, ctl_verb_nta_list},
    {"nta add", "NAME", "accept NAME unvalidated for a while (RFC 7646)", 1, 1, CTL_OPT_LIFETIME | CTL_OPT_REASON | CTL_OPT_FORCE, ctl_verb_nta_add},
    {"nta remove", "NAME", "validate NAME again", 1, 1, 0, ctl_verb_nta_remove},
    {"nta probe", "NAME", "ask all servers of an NTA's or incident's zone now", 1, 1, 0, ctl_verb_nta_probe},
    {"nta advise", "", "zones that may call for one, with the evidence", 0, 0, 0, ctl_verb_nta_advise},
    {"serve-stale status", "[ZONE]", "where answers from expired data are given", 0, 1, 0, ctl_verb_stale_status},
    {"serve-stale on", "[ZONE]", "give them, for ZONE and below or at all", 0, 1, 0, ctl_verb_stale_on},
    {"serve-stale off", "[ZONE]", "do not", 0, 1, 0, ctl_verb_stale_off},
    {"serve-stale reset", "[ZONE]", "as the configuration says", 0, 1, 0, ctl_verb_stale_reset},
    {"trust-anchor list", "", "trust anchors and their state", 0, 0, 0, ctl_verb_trust_anchor_list},
    {"trust-anchor add", "RECORD", "trust a key from now on: a DS or DNSKEY record", 1, CTL_MANY_ARGS, 0, ctl_verb_trust_anchor_add},
    {"trust-anchor remove", "ZONE [KEY-TAG]", "trust the keys of ZONE, or one of them, no more", 1, 2, CTL_OPT_FORCE, ctl_verb_trust_anchor_remove},
    {"config check", "[FILE]", "all mistakes of a configuration", 0, 1, 0, ctl_verb_config_check},
    {"config show", "[FILE]", "every setting with its value", 0, 1, CTL_OPT_STATE_DIR, ctl_verb_config_show},
    {"config compile", "[FILE]", "the snapshot that the daemons load", 0, 1, CTL_OPT_OUTPUT | CTL_OPT_STATE_DIR, ctl_verb_config_compile},
    {"log-level", "[LEVEL]", "show or set: error, warning, notice, info, debug", 0, 1, 0, ctl_verb_log_level},
    {"health", "", "exit status 0 when it answers", 0, 0, 0, ctl_verb_health},
    {"version", "", "of this program and the daemons", 0, 0, 0, ctl_verb_version},
};
// clang-format on
const size_t ctl_verb_count = ARRAY_SIZE(ctl_verbs);
