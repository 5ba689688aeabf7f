/* The control socket, both ways, and the configuration snapshot. The first octet picks. */

#include "fuzz/fuzz_frames.h"
#include "proto/config.pb-c.h"
#include "proto/control.pb-c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = {data, size};
    switch (fuzz_u8(&in) % 3) {
    case 0:
        fuzz_frame(&holdfast__control__request__descriptor, in.data, in.left);
        break;
    case 1:
        fuzz_frame(&holdfast__control__reply__descriptor, in.data, in.left);
        break;
    default:
        fuzz_frame(&holdfast__config__snapshot__descriptor, in.data, in.left);
        break;
    }
    return 0;
}
