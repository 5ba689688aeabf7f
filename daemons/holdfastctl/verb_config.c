/* config check, show, compile: the only code of the project that reads configuration text. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf/compile.h"
#include "daemons/holdfastctl/ctl.h"
#include "holdfast_config.h"

/* Compiles, reporting mistakes: lines of text, or {"errors": [...]} under --json. */
static int compile(struct ctl *ctl, int argc, char **argv, struct conf **ret_conf)
{
    const char *path = argc > 0 ? argv[0] : HOLDFAST_SYSCONFDIR "/holdfast.yaml";
    const struct conf_overrides overrides = {.runtime_directory = ctl->runtime_directory,
                                             .state_directory = ctl->state_directory};
    struct conf *conf = NULL;
    int r = conf_compile_file(path, &overrides, &conf);
    if (r == -EFBIG)
        return ctl_fail(ctl, CTL_FAILED,
                        "%s is larger than a configuration may be (1 MiB); name the right file", path);
    if (r < 0)
        return ctl_fail(ctl, CTL_FAILED, "cannot read %s: %s; name the configuration file", path,
                        strerror(-r));
    if (r == 0) {
        *ret_conf = conf;
        return CTL_OK;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < conf_message_count(conf); i++) {
        if (ctl->json == CTL_JSON_OFF)
            fprintf(ctl->err, "%s\n", conf_message(conf, i));
        else
            json_array_append_new(list, json_string(conf_message(conf, i)));
    }
    if (ctl->json != CTL_JSON_OFF) {
        json_t *errors = json_pack("{s:o, s:i}", "errors", list, "code", CTL_FAILED);
        json_dumpf(errors, ctl->err, ctl->json == CTL_JSON_PRETTY ? JSON_INDENT(4) : JSON_COMPACT);
        fputc('\n', ctl->err);
        json_decref(errors);
    } else {
        json_decref(list);
    }
    conf_free(conf);
    return CTL_FAILED;
}

int ctl_verb_config_check(struct ctl *ctl, int argc, char **argv)
{
    _cleanup_(conf_freep) struct conf *conf = NULL;
    int code = compile(ctl, argc, argv, &conf);
    if (code != CTL_OK)
        return code;
    if (ctl->json != CTL_JSON_OFF) {
        json_t *good = json_pack("{s:b}", "good", 1);
        ctl_print_json(ctl, good);
        json_decref(good);
    } else if (ctl->legend) {
        fprintf(ctl->out, "%s: good\n", argc > 0 ? argv[0] : HOLDFAST_SYSCONFDIR "/holdfast.yaml");
    }
    return CTL_OK;
}

int ctl_verb_config_show(struct ctl *ctl, int argc, char **argv)
{
    _cleanup_(conf_freep) struct conf *conf = NULL;
    int code = compile(ctl, argc, argv, &conf);
    if (code != CTL_OK)
        return code;
    if (ctl->json == CTL_JSON_OFF) {
        conf_show(conf_snapshot(conf), ctl->out);
        return CTL_OK;
    }
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    if (!memory)
        return ctl_fail(ctl, CTL_FAILED, "memory is short");
    conf_show(conf_snapshot(conf), memory);
    fclose(memory);
    json_t *value = json_pack("{s:s}", "yaml", text);
    ctl_print_json(ctl, value);
    json_decref(value);
    free(text);
    return CTL_OK;
}

int ctl_verb_config_compile(struct ctl *ctl, int argc, char **argv)
{
    _cleanup_(conf_freep) struct conf *conf = NULL;
    char path[4200];
    int code = compile(ctl, argc, argv, &conf);
    if (code != CTL_OK)
        return code;
    snprintf(path, sizeof(path), "%s/config.pb", ctl->runtime_directory);
    const char *output = ctl->output ? ctl->output : path;
    int r = conf_write(conf, output);
    if (r < 0)
        return ctl_fail(ctl, CTL_FAILED, "cannot write %s: %s", output, strerror(-r));
    return CTL_OK;
}
