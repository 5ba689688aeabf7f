#pragma once
/* The snapshot as the core's configuration. Owns the arrays that val_config points to. */

#include "common/conf/snapshot.h"
#include "daemons/validatord/core/validator.h"

struct settings {
    struct val_config config;
    struct val_anchor *anchors;
    uint8_t (*names)[NAME_MAX];
    const uint8_t **insecure, **forward, **stale_disabled;
};

/* The snapshot must outlive the settings (RDATA points into it). 0; 1: a name or record in it is malformed;
 * -ENOMEM. */
int settings_init(struct settings *settings, const Holdfast__Config__Snapshot *snapshot);
void settings_fini(struct settings *settings);
