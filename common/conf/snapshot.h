#pragma once
/* The compiled configuration as daemons load it: read whole, unpacked with a budget, checked, handed out as
 * one protobuf. Text never comes here (DESIGN invariant 7). */

#include "common/base/address.h"
#include "proto/config.pb-c.h"

#define SNAPSHOT_MAX_BYTES 16777216u

/* 0; 1: not a usable snapshot (ret_error: what is wrong, static text); -errno. Free with snapshot_free. */
int snapshot_load(const char *path, Holdfast__Config__Snapshot **ret_snapshot, const char **ret_error);
int snapshot_load_fd(int fd, Holdfast__Config__Snapshot **ret_snapshot, const char **ret_error);
/* Are all files that the snapshot was made from still as they were then? A file that changed shortly before
 * it was read does not count: it could have changed again without a trace. */
bool snapshot_sources_unchanged(const Holdfast__Config__Snapshot *snapshot);
void snapshot_free(Holdfast__Config__Snapshot *snapshot);

/* Endpoint and Prefix messages as base types. 0, or 1: malformed. */
int snapshot_endpoint(const Holdfast__Config__Endpoint *endpoint, struct address *ret_address);
int snapshot_prefix(const Holdfast__Config__Prefix *prefix, struct prefix *ret_prefix);
