#include "daemons/recursord/edge_frame.h"

#include <string.h>

#include "common/ipc/conn.h"
#include "proto/validatord_recursord.pb-c.h"

/* 4 or 16 octets. 0, or 1. */
static int read_address(const ProtobufCBinaryData *from, struct address *to)
{
    if (from->len != 4 && from->len != 16)
        return 1;
    *to = (struct address){.family = from->len == 4 ? 4 : 6};
    memcpy(to->bytes, from->data, from->len);
    return 0;
}

static int read_avoid(struct edge_request *request, const Holdfast__Vr__Fetch *fetch)
{
    if (fetch->n_avoid > EDGE_MAX_AVOID)
        return 1;
    for (size_t i = 0; i < fetch->n_avoid; i++)
        if (read_address(&fetch->avoid[i], &request->avoid[request->avoid_count++]))
            return 1;
    return 0;
}

static int read_fetch(struct edge_request *request, const Holdfast__Vr__Fetch *fetch)
{
    if (fetch->qtype == 0 || fetch->qtype > UINT16_MAX ||
        name_from_bytes(fetch->qname.data, fetch->qname.len, request->qname))
        return 1;
    request->kind = EDGE_FETCH;
    request->id = fetch->id;
    request->qtype = (uint16_t)fetch->qtype;
    request->generation = fetch->generation;
    request->has_cut = fetch->cut.len > 0;
    if (request->has_cut && name_from_bytes(fetch->cut.data, fetch->cut.len, request->cut))
        return 1;
    if (fetch->delegation.len > MESSAGE_MAX)
        return 1;
    request->delegation = slice_make(fetch->delegation.data, fetch->delegation.len);
    request->upstream_queries = MIN(fetch->upstream_queries, BUDGET_UPSTREAM_QUERIES);
    request->bytes_left = MIN(fetch->bytes_left, BUDGET_BYTES);
    request->wall_ms = MIN(fetch->wall_ms, BUDGET_WALL_MS);
    if (fetch->only_server.len && read_address(&fetch->only_server, &request->only))
        return 1;
    request->only_tcp = fetch->only_tcp;
    request->to_referral = fetch->to_referral;
    return read_avoid(request, fetch);
}

static int read_body(struct edge_request *request, const Holdfast__Vr__VrFrame *frame)
{
    switch (frame->body_case) {
    case HOLDFAST__VR__VR_FRAME__BODY_HELLO:
        request->kind = EDGE_HELLO;
        request->protocol_version = frame->hello->protocol_version;
        request->generation = frame->hello->generation;
        return 0;
    case HOLDFAST__VR__VR_FRAME__BODY_FETCH:
        return read_fetch(request, frame->fetch);
    case HOLDFAST__VR__VR_FRAME__BODY_CANCEL:
        request->kind = EDGE_CANCEL;
        request->id = frame->cancel->id;
        return 0;
    default: /* what only recursord itself sends, or nothing */
        return 1;
    }
}

int edge_request_read(struct slice frame, struct edge_request *ret_request)
{
    struct edge_request request = {0};
    ProtobufCMessage *unpacked = ipc_unpack(&holdfast__vr__vr_frame__descriptor, frame);
    if (!unpacked)
        return 1;
    if (read_body(&request, (Holdfast__Vr__VrFrame *)unpacked)) {
        ipc_unpack_free(unpacked);
        return 1;
    }
    request.unpacked = unpacked;
    *ret_request = request;
    return 0;
}

void edge_request_free(struct edge_request *request)
{
    ipc_unpack_free(request->unpacked);
    request->unpacked = NULL;
}
