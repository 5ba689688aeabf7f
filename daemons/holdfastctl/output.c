/* Errors and JSON, in the form the command line asked for. */

#include <stdarg.h>
#include <string.h>

#include "daemons/holdfastctl/ctl.h"

int ctl_fail(struct ctl *ctl, int code, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (ctl->json == CTL_JSON_OFF) {
        fprintf(ctl->err, "holdfastctl: %s\n", text);
        return code;
    }
    json_t *error = json_pack("{s:s, s:i}", "error", text, "code", code);
    if (error) {
        json_dumpf(error, ctl->err, ctl->json == CTL_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT);
        fputc('\n', ctl->err);
    }
    json_decref(error);
    return code;
}

void ctl_print_json(struct ctl *ctl, const json_t *value)
{
    json_dumpf(value, ctl->out,
               JSON_ENCODE_ANY | JSON_REAL_PRECISION(6) |
                   (ctl->json == CTL_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT));
    fputc('\n', ctl->out);
}
