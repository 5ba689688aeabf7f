#pragma once
/* Plays one scenario; prints to stdout what went wrong. */

#include <stdbool.h>

enum play_result { PLAY_PASSED = 0, PLAY_FAILED = 1, PLAY_SKIPPED = 2 };

enum play_result play(const char *path, bool trace);
