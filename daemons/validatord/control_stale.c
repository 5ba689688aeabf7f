/* serve-stale: where stale answers are given, shown and switched at run time (common/cache/stale_switch.h). A
 * change is one record of the cache, so netd and the core see it with the epoch that it raises, and it
 * outlives a restart: what an operator decided in the middle of an outage must not be lost with a process. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemons/validatord/control.h"

#define SWITCH_ARENA_BYTES 65536u

enum switch_to { SWITCH_OFF = 0, SWITCH_ON = 1, SWITCH_RESET = 2 };

struct switching {
    struct writer_op op;
    struct validatord *v;
    struct control_request *to;
    enum switch_to what;
    uint8_t zone[NAME_MAX];
    struct arena *arena;
    struct slice value;
    uint64_t epoch;
};

static json_t *report(struct validatord *v, const uint8_t *name)
{
    const struct stale_rule *rule = &v->settings.config.stale;
    json_t *switched = json_array(), *disabled = json_array();
    struct stale_switch set;

    loop_enter(v);
    stale_switch_read(&v->view, &set);
    bool allowed = stale_switch_allows(&v->view, rule, name);
    loop_settle(v);
    for (unsigned i = 0; i < set.count; i++)
        json_array_append_new(switched, json_pack("{s:o, s:s}", "zone", json_name(set.zones[i].zone),
                                                  "serve_stale", set.zones[i].on ? "on" : "off"));
    for (size_t i = 0; i < rule->disabled_zone_count; i++)
        json_array_append_new(disabled, json_name(rule->disabled_zones[i]));
    return json_pack("{s:o, s:b, s:b, s:I, s:I, s:o, s:o}", "name", json_name(name), "serve_stale", allowed,
                     "configured", rule->enabled, "max_age_s", (json_int_t)v->settings.config.stale_max_age_s,
                     "answer_ttl_s", (json_int_t)v->settings.config.stale_answer_ttl_s, "disabled_zones",
                     disabled, "switched", switched);
}

static int run_switch(struct writer_op *op, struct store *store)
{
    struct switching *s = CONTAINER_OF(op, struct switching, op);
    struct cache_write write = {.db = CACHE_META, .key = stale_switch_key(), .value = s->value};

    s->epoch = write.epoch = store_epoch(store) + 1;
    int r = store_commit(store, &write, 1, s->epoch, daemon_mono());
    return r < 0 ? r : store_sync(store);
}

static void done_switch(struct writer_op *op, int result)
{
    static const char words[][6] = {"off", "on", "reset"};
    struct switching *s = CONTAINER_OF(op, struct switching, op);
    char text[NAME_TEXT_MAX];

    if (result < 0) {
        control_refuse(s->to, -result, "the change could not be written to the cache: %s", strerror(-result));
    } else {
        control_raise_epoch(s->v, s->epoch);
        log_notice("serve-stale for %s: %s", name_to_text(s->zone, text), words[s->what]);
        control_answer(s->to, report(s->v, s->zone));
    }
    arena_free(s->arena);
    free(s);
}

/* 0, or 1: refused. */
static int make_value(struct switching *s)
{
    struct stale_switch set;
    char text[NAME_TEXT_MAX];
    int r;

    loop_enter(s->v);
    stale_switch_read(&s->v->view, &set);
    loop_settle(s->v);
    if (s->what == SWITCH_RESET) {
        if (stale_switch_clear(&set, s->zone) != 0) {
            control_refuse(s->to, ENOENT, "nothing is switched for %s; see serve-stale status",
                           name_to_text(s->zone, text));
            return 1;
        }
    } else if (stale_switch_set(&set, s->zone, s->what == SWITCH_ON) != 0) {
        control_refuse(s->to, ENOSPC, "%u zones are switched already; reset some first", STALE_SWITCH_MAX);
        return 1;
    }
    r = stale_switch_encode(s->arena, &set, &s->value);
    if (r != 0)
        control_refuse(s->to, r < 0 ? ENOMEM : ENOSPC,
                       "the switched zones do not fit into one record of the cache; "
                       "reset some first");
    return r != 0;
}

static void change(struct validatord *v, struct control_request *to, enum switch_to what, const uint8_t *zone)
{
    struct switching *s = calloc(1, sizeof(*s));

    if (s)
        s->arena = arena_new(SWITCH_ARENA_BYTES);
    if (!s || !s->arena) {
        control_refuse(to, ENOMEM, "out of memory");
        free(s);
        return;
    }
    s->op = (struct writer_op){.run = run_switch, .done = done_switch};
    s->v = v;
    s->to = to;
    s->what = what;
    name_copy(zone, s->zone);
    if (make_value(s) != 0) {
        arena_free(s->arena);
        free(s);
        return;
    }
    writer_submit(v->writer, &s->op);
}

void control_serve_stale(struct validatord *v, const control_message *message, struct control_request *to)
{
    const char *word = message->text;
    uint8_t zone[NAME_MAX];
    bool given;

    if (!control_name(message, to, zone, &given))
        return;
    if (word[0] == '\0' || strcmp(word, "status") == 0)
        control_answer(to, report(v, zone));
    else if (strcmp(word, "on") == 0)
        change(v, to, SWITCH_ON, zone);
    else if (strcmp(word, "off") == 0)
        change(v, to, SWITCH_OFF, zone);
    else if (strcmp(word, "reset") == 0)
        change(v, to, SWITCH_RESET, zone);
    else
        control_refuse(to, EINVAL, "serve-stale knows status, on, off and reset, not \"%.40s\"", word);
}
