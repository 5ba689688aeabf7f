/* The edge between validatord and recursord. */

#include "daemons/recursord/edge_frame.h"
#include "fuzz/fuzz_frames.h"
#include "proto/validatord_recursord.pb-c.h"

/* What validatord reads of recursord's frames: a body that is named is there, and its bytes are. */
static void check_bodies(struct slice data)
{
    Holdfast__Vr__VrFrame *frame =
        (Holdfast__Vr__VrFrame *)ipc_unpack(&holdfast__vr__vr_frame__descriptor, data);
    uint8_t cut[NAME_MAX], copy = 0;
    volatile uint8_t sink;
    if (frame && frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_EVIDENCE) {
        const Holdfast__Vr__Evidence *evidence = frame->evidence;
        CHECK(evidence);
        if (name_from_bytes(evidence->cut.data, evidence->cut.len, cut) == 0)
            CHECK(name_size(cut) == evidence->cut.len);
        for (size_t i = 0; i < evidence->message.len; i++)
            copy ^= evidence->message.data[i];
    } else if (frame && frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_DONE) {
        CHECK(frame->done);
        for (size_t i = 0; i < frame->done->ede_text.len; i++)
            copy ^= frame->done->ede_text.data[i];
    } else if (frame && frame->body_case == HOLDFAST__VR__VR_FRAME__BODY_PRIMING) {
        CHECK(frame->priming);
        for (size_t i = 0; i < frame->priming->message.len; i++)
            copy ^= frame->priming->message.data[i];
    }
    sink = copy; /* so that the reads happen */
    (void)sink;
    ipc_unpack_free((ProtobufCMessage *)frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_request request;
    fuzz_frame(&holdfast__vr__vr_frame__descriptor, data, size);
    check_bodies(slice_make(data, size));
    if (edge_request_read(slice_make(data, size), &request) == 0) {
        CHECK(request.kind == EDGE_HELLO || request.kind == EDGE_FETCH || request.kind == EDGE_CANCEL);
        CHECK(request.avoid_count <= EDGE_MAX_AVOID);
        CHECK(request.only.family == 0 || request.only.family == 4 || request.only.family == 6);
        if (request.kind == EDGE_FETCH) {
            CHECK(request.upstream_queries <= BUDGET_UPSTREAM_QUERIES && request.wall_ms <= BUDGET_WALL_MS);
            CHECK(name_size(request.qname) <= NAME_MAX && request.qtype);
            CHECK(request.delegation.size <= MESSAGE_MAX);
        }
        edge_request_free(&request);
    }
    return 0;
}
