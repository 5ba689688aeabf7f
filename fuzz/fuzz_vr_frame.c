/* The edge between validatord and recursord. */

#include "daemons/recursord/edge_frame.h"
#include "fuzz/fuzz_frames.h"
#include "proto/validatord_recursord.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct edge_request request;
    fuzz_frame(&holdfast__vr__vr_frame__descriptor, data, size);
    if (edge_request_read(slice_make(data, size), &request) == 0) {
        CHECK(request.kind == EDGE_HELLO || request.kind == EDGE_FETCH || request.kind == EDGE_CANCEL);
        CHECK(request.avoid_count <= EDGE_MAX_AVOID);
        if (request.kind == EDGE_FETCH) {
            CHECK(request.upstream_queries <= BUDGET_UPSTREAM_QUERIES && request.wall_ms <= BUDGET_WALL_MS);
            CHECK(name_size(request.qname) <= NAME_MAX && request.qtype);
            CHECK(request.delegation.size <= MESSAGE_MAX);
        }
        edge_request_free(&request);
    }
    return 0;
}
