/* The edge between netd and validatord. */

#include "common/wire/answer.h"
#include "fuzz/fuzz_frames.h"
#include "proto/netd_validatord.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_frame(&holdfast__nv__nv_frame__descriptor, data, size);
    Holdfast__Nv__NvFrame *frame =
        (Holdfast__Nv__NvFrame *)ipc_unpack(&holdfast__nv__nv_frame__descriptor, slice_make(data, size));
    if (frame && frame->body_case == HOLDFAST__NV__NV_FRAME__BODY_VERDICT) {
        struct arena *arena = arena_new(4u << 20);
        struct answer answer;
        CHECK(arena);
        int r = answer_from_wire(arena, frame->verdict->answer.data, frame->verdict->answer.len, &answer);
        CHECK(r == 0 || r == 1 || r < 0);
        if (r == 0)
            CHECK(answer.ede_count <= ANSWER_MAX_EDE);
        arena_free(arena);
    }
    ipc_unpack_free((ProtobufCMessage *)frame);
    return 0;
}
