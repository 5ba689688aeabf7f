#pragma once
/* holdfastctl: one struct for what the command line said, one table of verbs, and what verbs share: calls to
 * the control sockets, tables, JSON, errors. */

#include <jansson.h>
#include <stdio.h>

#include "common/base/util.h"
#include "common/ipc/control.h"

/* Exit codes, the same for every verb. */
enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2, CTL_NOT_RUNNING = 3 };

enum ctl_json { CTL_JSON_OFF, CTL_JSON_SHORT, CTL_JSON_PRETTY };

/* Options that not every verb takes; a verb says which it takes. */
enum ctl_option {
    CTL_OPT_TYPE = 1 << 0,
    CTL_OPT_CLASS = 1 << 1,
    CTL_OPT_CD = 1 << 2,
    CTL_OPT_TCP = 1 << 3,
    CTL_OPT_TREE = 1 << 4,
    CTL_OPT_BOGUS = 1 << 5,
    CTL_OPT_NEGATIVE = 1 << 6,
    CTL_OPT_LIFETIME = 1 << 7,
    CTL_OPT_REASON = 1 << 8,
    CTL_OPT_OUTPUT = 1 << 9,
    CTL_OPT_STATE_DIR = 1 << 10,
    CTL_OPT_SERVER = 1 << 11,
    CTL_OPT_FORCE = 1 << 12,
};

struct ctl {
    const char *runtime_directory; /* absolute */
    const char *state_directory;   /* NULL: as configured */
    enum ctl_json json;
    bool legend;
    FILE *out; /* stdout; a memory stream in tests */
    FILE *err;
    unsigned given; /* enum ctl_option */
    const char *type, *class, *lifetime, *reason, *output, *server;
};

struct ctl_verb {
    const char *name; /* one or two words: "query", "nta add" */
    const char *arguments;
    const char *help;
    unsigned min_args, max_args;
    unsigned options;                                   /* enum ctl_option it takes */
    int (*run)(struct ctl *ctl, int argc, char **argv); /* arguments behind the verb; returns enum ctl_exit */
};

extern const struct ctl_verb ctl_verbs[];
extern const size_t ctl_verb_count;

#define CTL_MANY_ARGS 64u

/* Reports a failure on ctl->err: a line of text, or {"error": ...} under --json. Returns code. */
int ctl_fail(struct ctl *ctl, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Prints a JSON value in the chosen form (ctl->json is not off). Borrows value. */
void ctl_print_json(struct ctl *ctl, const json_t *value);

/* Daemons by the name of their socket. */
enum ctl_daemon { CTL_NETD, CTL_VALIDATORD, CTL_RECURSORD };
#define CTL_DAEMON_COUNT 3u
/* "netd" and so on. */
const char *ctl_daemon_name(enum ctl_daemon daemon);

/* One request, all its replies. Their JSON values are merged: objects by key (arrays under one key are
 * joined), so that a report in chunks reads as one. Fills in the protocol version and follows cursors. CTL_OK
 * with *ret_json (a new reference; an empty object when there was none), or an exit code after reporting why.
 */
int ctl_request(struct ctl *ctl, enum ctl_daemon daemon, Holdfast__Control__Request *request,
                json_t **ret_json);
/* The same without reporting; ret_error gets the text, room bytes. */
int ctl_request_quiet(struct ctl *ctl, enum ctl_daemon daemon, Holdfast__Control__Request *request,
                      json_t **ret_json, char *ret_error, size_t room);

/* A name from the command line, international names to A-labels (IDNA 2008). CTL_OK or CTL_USAGE after
 * reporting. */
int ctl_name(struct ctl *ctl, const char *text, uint8_t ret_name[255], size_t *ret_size);
/* "1h" and the like in milliseconds. As above. */
int ctl_duration(struct ctl *ctl, const char *text, uint64_t *ret_ms);

/* The name of an address in in-addr.arpa or ip6.arpa. 0, or 1: not an address. */
int ctl_reverse_name(const char *text, char buf[80]);

/* Reports as text (layout.c). The end of a key tells the unit: _s, _ms, _us, _bytes, _at_s (a point in time).
 */
char *ctl_duration_text(int64_t seconds, char buf[48]);
char *ctl_size_text(uint64_t bytes, char buf[48]);
/* A value in one line; buf. */
char *ctl_value_text(const char *key, const json_t *value, char *buf, size_t room);
/* "ds_expires_s" as "Ds expires". */
char *ctl_label(const char *key, char buf[64]);
/* "label: value" lines, aligned; without the keys in skip (NULL-terminated, may be NULL). */
void ctl_print_fields(struct ctl *ctl, const json_t *object, const char *const *skip, int indent);
/* An array of objects as a table; the columns in `first` come first. Nothing for an empty one. An exit code.
 */
int ctl_print_table(struct ctl *ctl, const json_t *rows, const char *const *first);
/* A whole report: JSON as it is; else its array under that key as a table, and the rest as fields. An exit
 * code. */
int ctl_print_report(struct ctl *ctl, const json_t *value, const char *array, const char *const *columns);

/* An entry of the cache, or a record, as a zone file would have it, what else is known behind. */
void ctl_print_entry(struct ctl *ctl, const json_t *entry);
/* One daemon's statistics as OpenMetrics text, without the # EOF that ends the whole. */
void ctl_print_metrics(struct ctl *ctl, const char *daemon, const json_t *statistics);
/* An explain report as text; an exit code. */
int ctl_print_explanation(struct ctl *ctl, const json_t *report);

/* Verbs, by file. */
int ctl_verb_query(struct ctl *ctl, int argc, char **argv);
int ctl_verb_status(struct ctl *ctl, int argc, char **argv);
int ctl_verb_statistics(struct ctl *ctl, int argc, char **argv);
int ctl_verb_metrics(struct ctl *ctl, int argc, char **argv);
int ctl_verb_reset_statistics(struct ctl *ctl, int argc, char **argv);
int ctl_verb_health(struct ctl *ctl, int argc, char **argv);
int ctl_verb_log_level(struct ctl *ctl, int argc, char **argv);
int ctl_verb_version(struct ctl *ctl, int argc, char **argv);
int ctl_verb_show_cache(struct ctl *ctl, int argc, char **argv);
int ctl_verb_flush_caches(struct ctl *ctl, int argc, char **argv);
int ctl_verb_cache_stats(struct ctl *ctl, int argc, char **argv);
int ctl_verb_cache_verify(struct ctl *ctl, int argc, char **argv);
int ctl_verb_show_server_state(struct ctl *ctl, int argc, char **argv);
int ctl_verb_reset_server_features(struct ctl *ctl, int argc, char **argv);
int ctl_verb_nta_list(struct ctl *ctl, int argc, char **argv);
int ctl_verb_nta_add(struct ctl *ctl, int argc, char **argv);
int ctl_verb_nta_remove(struct ctl *ctl, int argc, char **argv);
int ctl_verb_nta_probe(struct ctl *ctl, int argc, char **argv);
int ctl_verb_nta_advise(struct ctl *ctl, int argc, char **argv);
int ctl_verb_stale_status(struct ctl *ctl, int argc, char **argv);
int ctl_verb_stale_on(struct ctl *ctl, int argc, char **argv);
int ctl_verb_stale_off(struct ctl *ctl, int argc, char **argv);
int ctl_verb_stale_reset(struct ctl *ctl, int argc, char **argv);
int ctl_verb_trust_anchor_list(struct ctl *ctl, int argc, char **argv);
int ctl_verb_trust_anchor_add(struct ctl *ctl, int argc, char **argv);
int ctl_verb_trust_anchor_remove(struct ctl *ctl, int argc, char **argv);
int ctl_verb_explain(struct ctl *ctl, int argc, char **argv);
int ctl_verb_config_check(struct ctl *ctl, int argc, char **argv);
int ctl_verb_config_show(struct ctl *ctl, int argc, char **argv);
int ctl_verb_config_compile(struct ctl *ctl, int argc, char **argv);
