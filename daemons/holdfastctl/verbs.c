/* The verbs in the order in which --help shows them. Names and arguments follow resolvectl where it has them.
 */

#include "daemons/holdfastctl/ctl.h"

#define QUERY_OPTIONS (CTL_OPT_TYPE | CTL_OPT_CLASS | CTL_OPT_CD | CTL_OPT_TCP | CTL_OPT_SERVER)

// clang-format off
const struct ctl_verb ctl_verbs[] = {
    {"config check", "[FILE]", "all mistakes of a configuration", 0, 1, 0, ctl_verb_config_check},
    {"config show", "[FILE]", "every setting with its value", 0, 1, CTL_OPT_STATE_DIR, ctl_verb_config_show},
    {"config compile", "[FILE]", "the snapshot that the daemons load", 0, 1, CTL_OPT_OUTPUT | CTL_OPT_STATE_DIR, ctl_verb_config_compile},
};
// clang-format on
const size_t ctl_verb_count = ARRAY_SIZE(ctl_verbs);
