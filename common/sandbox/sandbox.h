#pragma once
/* The sandbox of each role, one readable call at its entry once it is set up: no_new_privs, no new
 * capabilities, a seccomp list. DESIGN 1 (what each may never do) and invariant 5. */

enum sandbox_role { SANDBOX_NETD, SANDBOX_VALIDATORD, SANDBOX_RECURSORD };

/* Cannot be undone. 0 or -errno; the daemon then refuses to run, unless process.sandbox is off. */
int sandbox_enter(enum sandbox_role role);
