#pragma once
/* Frames of an edge: whatever comes either unpacks within the budget or is refused, and is freed whole. What
 * it unpacks to can be measured and packed without reading beyond it. (That a hostile frame packs to the same
 * bytes again is not promised by protobuf-c, and nothing here relies on it.) */

#include "common/ipc/conn.h"
#include "fuzz/fuzz.h"

static inline void fuzz_frame(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t size)
{
    ProtobufCMessage *message = ipc_unpack(descriptor, slice_make(data, MIN(size, (size_t)IPC_FRAME_MAX)));
    if (!message)
        return;
    size_t packed_size = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(packed_size + 1);
    CHECK(packed && protobuf_c_message_check(message));
    CHECK(protobuf_c_message_pack(message, packed) == packed_size);
    free(packed);
    ipc_unpack_free(message);
}
