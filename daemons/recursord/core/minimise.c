/* QNAME minimisation, RFC 9156: a server is asked only for the next label below its zone, as type A (2.1),
 * until it refers further down. When the zone is already the parent of the name, the full question is asked
 * at once. */

#include "daemons/recursord/core/internal.h"

#define MAX_MINIMISE_COUNT 10u /* RFC 9156 2.3 */
#define MINIMISE_ONE_LAB   4u  /* RFC 9156 2.3 */

static void ask_all(struct task *task)
{
    task->asked = task->labels;
    task->minimised = false;
}

void minimise_advance(struct task *task)
{
    unsigned left = task->labels - task->asked;
    bool off = task->config->c.minimisation == REC_MINIMISE_OFF && !task->locate;
    if (off || task->parent_side || task->cut->forward || task->whole ||
        task->minimise_count >= MAX_MINIMISE_COUNT || left <= 1) {
        ask_all(task);
        return;
    }
    unsigned step = 1;
    if (task->minimise_count >= MINIMISE_ONE_LAB)
        step = MAX(1u, left / (MAX_MINIMISE_COUNT - task->minimise_count));
    task->minimise_count++;
    if (step >= left) {
        ask_all(task);
        return;
    }
    task->asked += step;
    task->minimised = true;
}

void minimise_enter(struct task *task)
{
    task->whole = task->locate = false;
    task->asked = name_labels(task->cut->zone);
    minimise_advance(task);
}

void minimise_locate(struct task *task)
{
    task->whole = false;
    task->locate = true;
    task->minimise_count = 0;
    task->asked = name_labels(task->cut->zone);
    minimise_advance(task);
}

void minimise_stop(struct task *task)
{
    task->whole = true;
    ask_all(task);
}
