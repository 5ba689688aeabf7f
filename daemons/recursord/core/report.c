/* How a fetch ended, with an extended DNS error for what went wrong on the transport (RFC 8914: 22 and 23).
 */

#include "common/base/text.h"
#include "common/wire/rdata.h"
#include "daemons/recursord/core/internal.h"

static void add_address(struct text *text, const struct address *a)
{
    if (a->family == 4) {
        for (unsigned i = 0; i < 4; i++) {
            if (i)
                text_add_char(text, '.');
            text_add_uint(text, a->bytes[i]);
        }
        return;
    }
    for (unsigned i = 0; i < 16; i += 2) {
        if (i)
            text_add_char(text, ':');
        text_add_hex(text, a->bytes + i, 2);
    }
}

static void add_zone(struct text *text, const struct task *task)
{
    char zone[NAME_TEXT_MAX];
    text_add(text, name_to_text(task->cut ? task->cut->zone : name_root, zone));
    text_add(text, ": ");
}

/* RFC 8914 4.23: no authority could be reached, or those that were refused; 4.24: one was, and it failed. */
static uint16_t code_of_bad(const struct task *task)
{
    bool refused = task->last_rcode == RCODE_REFUSED || (!task->last_rcode && !task->saw_malformed);
    return refused ? EDE_NO_REACHABLE_AUTHORITY : EDE_NETWORK_ERROR;
}

static void describe_bad(struct text *text, const struct task *task)
{
    char rcode[16];
    if (task->last_rcode) {
        text_add(text, rcode_to_text(task->last_rcode, rcode));
        text_add(text, " from ");
    } else {
        text_add(text, task->saw_malformed ? "malformed reply from " : "not served by ");
    }
    add_address(text, &task->last_server);
    text_add(text, ", no usable answer from any server");
}

static uint16_t describe(struct text *text, const struct task *task, enum rec_outcome outcome)
{
    if (outcome == REC_DONE_ANSWERED || outcome == REC_DONE_CANCELLED)
        return EDE_NONE;
    add_zone(text, task);
    if (outcome == REC_DONE_SERVFAIL) {
        describe_bad(text, task);
        return code_of_bad(task);
    } else if (outcome == REC_DONE_LOOP) {
        text_add(text, "its name servers' addresses depend on themselves");
    } else if (outcome == REC_DONE_BUDGET) {
        text_add(text, "a limit on the work for one question was reached");
        return EDE_OTHER;
    } else if (!task->servers_asked) {
        text_add(text, "no address of a name server found");
    } else if (task->saw_unreachable && !task->saw_silence) {
        text_add(text, "no route to its servers");
        return EDE_NETWORK_ERROR;
    } else {
        text_add(text, "no reply from its servers");
        if (task->last_server.family) {
            text_add(text, ", last asked ");
            add_address(text, &task->last_server);
        }
    }
    return EDE_NO_REACHABLE_AUTHORITY;
}

void report_done(struct rec_core *core, struct task *task, enum rec_outcome outcome)
{
    struct rec_action *action = core_action(core, REC_ACTION_DONE);
    if (!action)
        return;
    action->fetch = task->fetch_id;
    action->outcome = outcome;
    action->upstream_used = task->granted_queries - MIN(task->granted_queries, task->budget.upstream_queries);
    action->bytes_used = task->granted_bytes - MIN(task->granted_bytes, task->budget.bytes);
    action->servers_asked = task->servers_asked;
    struct text text = text_make(action->ede_text, sizeof(action->ede_text));
    action->ede_code = describe(&text, task, outcome);
}
