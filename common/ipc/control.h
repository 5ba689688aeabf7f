#pragma once
/* The control socket, daemon side: requests in, JSON replies out (proto/control.proto). */

#include "common/ipc/conn.h"
#include "proto/control.pb-c.h"

struct control_server;
struct control_request; /* one request that waits for its replies */

/* Called for each request. Answer now or later with control_reply; the request stays valid until `last` was
 * sent or the peer closed (then control_reply does nothing). */
typedef void (*control_handler)(void *ctx, const Holdfast__Control__Request *request,
                                struct control_request *reply_to);

int control_server_new(sd_event *event, int listen_fd, control_handler handler, void *ctx,
                       struct control_server **ret_server);
void control_server_free(struct control_server *server);
/* code 0 or an errno; json or error may be NULL; cursor may be empty. */
void control_reply(struct control_request *request, int code, const char *error, const char *json,
                   struct slice message, struct slice cursor, bool last);

/* Client side, blocking, for holdfastctl: one request, fn for each reply; 0, -errno (-ECONNREFUSED, -ENOENT:
 * the daemon is not running). */
int control_call(const char *socket_path, const Holdfast__Control__Request *request,
                 int (*fn)(void *ctx, const Holdfast__Control__Reply *reply), void *ctx);
