#pragma once
/* A scenario's options as holdfast's configuration; the table of what maps to what is in README.md. */

#include "tests/replay/scenario.h"
#include "tests/replay/world.h"

/* 0; 1: an option that changes the outcome cannot be mapped, named in ret_why. Everything lives as long as
 * the process. */
int options_map(const struct scenario *scenario, struct world_config *ret_config, char *ret_why, size_t room);
/* After zones_sign(): the zones' trust anchors, where the options give none; the root zone's servers as
 * hints. */
void options_add_zones(const struct scenario *scenario, struct world_config *config);
/* How long a reply is under way, counted from its question; 0: the player's own choice. */
uint32_t options_network_delay_ms(const struct scenario *scenario);
