#include <stdlib.h>

#include "common/ipc/conn.h"

/* A frame of 64 KiB of empty sub-messages unpacks to 4.4 MB without a limit: so every allocation pays. */
struct unpack_budget {
    size_t left;
};

static void *budget_alloc(void *ctx, size_t size)
{
    struct unpack_budget *budget = ctx;
    if (size > budget->left)
        return NULL;
    budget->left -= size;
    return malloc(size);
}

static void budget_free(void *ctx, void *pointer)
{
    free(pointer);
}

ProtobufCMessage *ipc_unpack_within(const ProtobufCMessageDescriptor *descriptor, struct slice frame,
                                    size_t limit)
{
    struct unpack_budget budget = {.left = limit};
    ProtobufCAllocator allocator = {.alloc = budget_alloc, .free = budget_free, .allocator_data = &budget};
    return protobuf_c_message_unpack(descriptor, &allocator, frame.size, frame.data);
}

ProtobufCMessage *ipc_unpack(const ProtobufCMessageDescriptor *descriptor, struct slice frame)
{
    return ipc_unpack_within(descriptor, frame, IPC_UNPACK_MAX);
}

void ipc_unpack_free(ProtobufCMessage *message)
{
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}
