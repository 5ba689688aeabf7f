/* Requests to the daemons' control sockets. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "daemons/holdfastctl/ctl.h"

#define MAX_ROUNDS 1000000u /* of a walk in chunks: an end, should a daemon's cursor never come to one */

const char *ctl_daemon_name(enum ctl_daemon daemon)
{
    static const char names[CTL_DAEMON_COUNT][12] = {"netd", "validatord", "recursord"};
    return names[daemon];
}

struct call {
    bool for_eyes; /* goes to a terminal as text, not out again as JSON */
    json_t *json;  /* what all replies said together */
    int code;      /* of the reply that failed */
    char error[512];
    uint8_t *cursor; /* where the walk goes on */
    size_t cursor_size;
};

/* Objects by key, arrays under one key joined. */
static void merge(json_t *into, json_t *value)
{
    if (!json_is_object(value)) {
        json_object_set(into, json_is_array(value) ? "items" : "value", value);
        return;
    }
    const char *key;
    json_t *part;
    json_object_foreach(value, key, part)
    {
        json_t *there = json_object_get(into, key);
        if (json_is_array(there) && json_is_array(part))
            json_array_extend(there, part);
        else
            json_object_set(into, key, part);
    }
}

/* A daemon that was taken over, or whoever wrote a text that it passes on, must not steer the operator's
 * terminal: control characters, raw or as escapes of JSON, become question marks. In place; the text only
 * gets shorter. */
static void defuse(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];
        if (c == '\\' && next == 'u' && strncmp(from + 2, "00", 2) == 0 && from[4] && from[5] &&
            (strchr("0189", from[4]) || strncasecmp(from + 4, "7f", 2) == 0)) {
            *to++ = '?';
            from += 6;
        } else if (c == '\\' && next && strchr("bfnrt", next)) {
            *to++ = '?';
            from += 2;
        } else if (c == '\\' && next) {
            *to++ = *from++;
            *to++ = *from++;
        } else if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
            *to++ = '?';
            from += 2;
        } else {
            *to++ = c < 0x20 ? ' ' : c == 0x7f ? '?' : *from; /* below 0x20 is JSON's white space */
            from++;
        }
    }
    *to = '\0';
}

static int take_reply(void *ctx, const Holdfast__Control__Reply *reply)
{
    struct call *call = ctx;
    free(call->cursor);
    call->cursor = NULL;
    call->cursor_size = 0;
    if (reply->code != 0) {
        call->code = (int)reply->code;
        snprintf(call->error, sizeof(call->error), "%s",
                 reply->error && reply->error[0] ? reply->error : strerror((int)reply->code));
        defuse(call->error);
        return 0;
    }
    if (reply->json && reply->json[0]) {
        json_error_t fault;
        if (call->for_eyes)
            defuse(reply->json);
        json_t *value = json_loads(reply->json, JSON_DECODE_ANY, &fault);
        if (!value) {
            call->code = EBADMSG;
            snprintf(call->error, sizeof(call->error), "its reply is not JSON: %s", fault.text);
            return 0;
        }
        merge(call->json, value);
        json_decref(value);
    }
    if (reply->cursor.len > 0) {
        call->cursor = malloc(reply->cursor.len);
        if (!call->cursor)
            return -ENOMEM;
        memcpy(call->cursor, reply->cursor.data, reply->cursor.len);
        call->cursor_size = reply->cursor.len;
    }
    return 0;
}

static int explain_failure(struct ctl *ctl, const char *name, int r, char *ret_error, size_t room)
{
    if (r == -ENOENT || r == -ECONNREFUSED) {
        snprintf(ret_error, room, "holdfast-%s is not running (nobody answers on %s/%s.control)", name,
                 ctl->runtime_directory, name);
        return CTL_NOT_RUNNING;
    }
    if (r == -ENAMETOOLONG || r == -ENOTDIR) {
        snprintf(ret_error, room, "%s cannot hold sockets: %s; name the right --runtime-dir",
                 ctl->runtime_directory, strerror(-r));
        return CTL_FAILED;
    }
    snprintf(ret_error, room, "holdfast-%s does not answer: %s%s", name, strerror(-r),
             r == -EACCES ? "; do it as root or as the daemon's user" : "");
    return CTL_FAILED;
}

int ctl_request_quiet(struct ctl *ctl, enum ctl_daemon daemon, Holdfast__Control__Request *request,
                      json_t **ret_json, char *ret_error, size_t room)
{
    struct call call = {.json = json_object(), .for_eyes = ctl->json == CTL_JSON_OFF};
    const char *name = ctl_daemon_name(daemon);
    char path[4200];
    int r = 0;
    snprintf(path, sizeof(path), "%s/%s.control", ctl->runtime_directory, name);
    for (unsigned round = 0; r == 0 && call.code == 0 && round < MAX_ROUNDS; round++) {
        uint8_t *cursor = TAKE(call.cursor);
        request->cursor = (ProtobufCBinaryData){.data = cursor, .len = call.cursor_size};
        call.cursor_size = 0;
        r = control_call(path, request, take_reply, &call);
        request->cursor = (ProtobufCBinaryData){0};
        free(cursor);
        if (call.cursor_size == 0)
            break;
    }
    free(call.cursor);
    if (r == 0 && call.code == 0) {
        *ret_json = call.json;
        return CTL_OK;
    }
    json_decref(call.json);
    if (r < 0)
        return explain_failure(ctl, name, r, ret_error, room);
    snprintf(ret_error, room, "holdfast-%s: %s", name, call.error);
    return CTL_FAILED;
}

int ctl_request(struct ctl *ctl, enum ctl_daemon daemon, Holdfast__Control__Request *request,
                json_t **ret_json)
{
    char error[1024];
    int code = ctl_request_quiet(ctl, daemon, request, ret_json, error, sizeof(error));
    return code == CTL_OK ? CTL_OK : ctl_fail(ctl, code, "%s", error);
}
