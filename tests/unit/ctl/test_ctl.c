/* holdfastctl's layouts and calls, against a stand-in for the daemons' control sockets that answers with
 * canned JSON. */

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/wire/name.h"
#include "daemons/holdfastctl/ctl.h"

struct run {
    struct ctl ctl;
    char *out, *err;
    size_t out_size, err_size;
};

static char directory[] = "/tmp/holdfastctl-XXXXXX";

static void begin(struct run *run)
{
    *run = (struct run){.ctl = {.runtime_directory = directory, .legend = true}};
    run->ctl.out = open_memstream(&run->out, &run->out_size);
    run->ctl.err = open_memstream(&run->err, &run->err_size);
}

static void end(struct run *run)
{
    fclose(run->ctl.out);
    fclose(run->ctl.err);
}

static void drop(struct run *run)
{
    free(run->out);
    free(run->err);
}

static void assert_holds(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("\"%s\" is in:\n%s", part, text);
}

/* Runs a verb as the command line would. argv ends with NULL. */
static int call(struct run *run, int (*verb)(struct ctl *, int, char **), const char *const *argv)
{
    int argc = 0;
    while (argv && argv[argc])
        argc++;
    int code = verb(&run->ctl, argc, (char **)argv);
    end(run);
    return code;
}

/* The stand-in. */

static void canned(void *ctx, const Holdfast__Control__Request *request, struct control_request *reply_to)
{
    const char *verb = request->verb, *json = "{}";
    const struct slice none = {0};
    char buf[512], name[NAME_TEXT_MAX];
    if (strcmp(verb, "status") == 0) {
        json = "{\"program\":\"holdfast-netd\",\"version\":\"9.8\",\"pid\":42,\"uptime_s\":3700,\"state\":"
               "\"running\","
               "\"cache\":{\"entries\":7,\"used_bytes\":2097152}}";
    } else if (strcmp(verb, "statistics") == 0) {
        json = "{\"queries\":1000,\"l1\":{\"hits\":900,\"misses\":100}}";
    } else if (strcmp(verb, "nta-list") == 0) {
        json = "{\"ntas\":[{\"name\":\"de.\",\"reason\":\"registry "
               "broken\",\"author\":\"ops\",\"lifetime_left_s\":3000,"
               "\"source\":\"operator\"}]}";
    } else if (strcmp(verb, "nta-add") == 0) {
        snprintf(buf, sizeof(buf), "{\"name\":\"%s\",\"lifetime\":\"%llu\",\"reason\":\"%s\",\"by\":\"%s\"}",
                 name_to_text(request->name.data, name), (unsigned long long)request->lifetime_ms,
                 request->reason, request->author);
        json = buf;
    } else if (strcmp(verb, "show-cache") == 0 && request->cursor.len == 0) {
        /* In two replies and a second round. */
        control_reply(
            reply_to, 0, NULL,
            "{\"entries\":[{\"db\":\"rr\",\"name\":\"a.\",\"type\":\"A\",\"ttl\":60,\"security\":\"secure\","
            "\"rank\":5,\"data\":[\"192.0.2.1\",\"192.0.2.2\"]}]}",
            none, none, false);
        control_reply(reply_to, 0, NULL,
                      "{\"entries\":[{\"db\":\"neg\",\"name\":\"b.\",\"type\":\"AAAA\",\"ttl\":5}]}", none,
                      slice_make("c", 1), true);
        return;
    } else if (strcmp(verb, "show-cache") == 0) {
        json =
            "{\"entries\":[{\"db\":\"rr\",\"name\":\"c.\",\"type\":\"MX\",\"ttl\":1,\"data\":[\"10 d.\"]}]}";
    } else if (strcmp(verb, "flush-caches") == 0) {
        snprintf(buf, sizeof(buf), "{\"flushed\":3,\"tree\":%s,\"bogus\":%s,\"negative\":%s,\"name\":\"%s\"}",
                 request->tree ? "true" : "false", request->bogus ? "true" : "false",
                 request->negative ? "true" : "false",
                 request->name.len ? name_to_text(request->name.data, name) : "all");
        json = buf;
    } else if (strcmp(verb, "cache-stats") == 0) {
        json = "{\"text\":\"a\\u001b[31m\\u009bb\\nc\\\\u001b\\u007f\xc2\x9b"
               "d\"}";
    } else if (strcmp(verb, "cache-verify") == 0) {
        json = "{\"checked\":10,\"damaged\":1}";
    } else if (strcmp(verb, "nta-remove") == 0) {
        control_reply(reply_to, ENOENT, "there is no NTA for this name", NULL, none, none, true);
        return;
    } else if (strcmp(verb, "trust-anchor-list") == 0) {
        json = "not json";
    }
    control_reply(reply_to, 0, NULL, json, none, none, true);
}

static pid_t stand_in = 0;

static void serve(sd_event *event, const char *daemon)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct control_server *server;
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s.control", directory, daemon);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 5) < 0 ||
        control_server_new(event, fd, canned, NULL, &server) < 0)
        _exit(1);
}

static int start_stand_in(void **state)
{
    int ready[2];
    char c;
    if (!mkdtemp(directory) || pipe(ready) < 0)
        return 1;
    stand_in = fork();
    if (stand_in == 0) {
        sd_event *event;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (sd_event_new(&event) < 0)
            _exit(1);
        serve(event, "netd");
        serve(event, "validatord");
        if (write(ready[1], "r", 1) == 1)
            sd_event_loop(event);
        _exit(1);
    }
    return read(ready[0], &c, 1) == 1 ? 0 : 1;
}

static int stop_stand_in(void **state)
{
    char path[64];
    kill(stand_in, SIGKILL);
    waitpid(stand_in, NULL, 0);
    snprintf(path, sizeof(path), "%s/netd.control", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/validatord.control", directory);
    unlink(path);
    return rmdir(directory);
}

/* Tests. recursord does not run. */

static void status_shows_each_daemon_and_who_does_not_run(void **state)
{
    struct run run;
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_status, NULL), CTL_FAILED);
    assert_holds(run.out, "holdfast-netd\n");
    assert_holds(run.out, "Version: 9.8\n");
    assert_holds(run.out, "PID: 42\n");
    assert_holds(run.out, "Uptime: 1h 1min\n");
    assert_holds(run.out, "Cache:\n");
    assert_holds(run.out, "Used: 2.0M\n");
    assert_holds(run.out, "State: not running\n");
    assert_holds(run.err, "holdfastctl: holdfast-recursord is not running");
    drop(&run);
}

static void json_on_stdout_is_one_value_and_errors_are_json_on_stderr(void **state)
{
    struct run run;
    begin(&run);
    run.ctl.json = CTL_JSON_SHORT;
    assert_int_equal(call(&run, ctl_verb_status, NULL), CTL_FAILED);
    json_t *out = json_loads(run.out, 0, NULL), *err = json_loads(run.err, 0, NULL);
    assert_non_null(out);
    assert_non_null(err);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(out, "netd"), "pid")), 42);
    assert_string_equal(json_string_value(json_object_get(json_object_get(out, "recursord"), "state")),
                        "not running");
    assert_holds(json_string_value(json_object_get(err, "error")), "not running");
    json_decref(out);
    json_decref(err);
    drop(&run);
}

static void nobody_running_is_exit_status_3(void **state)
{
    struct run run;
    begin(&run);
    run.ctl.runtime_directory = "/nonexistent";
    assert_int_equal(call(&run, ctl_verb_status, NULL), CTL_NOT_RUNNING);
    drop(&run);
    begin(&run);
    run.ctl.runtime_directory = "/nonexistent";
    assert_int_equal(call(&run, ctl_verb_nta_list, NULL), CTL_NOT_RUNNING);
    assert_holds(run.err, "/nonexistent/validatord.control");
    drop(&run);
    begin(&run);
    run.ctl.runtime_directory = "/nonexistent";
    const char *const name[] = {"example.com", NULL};
    assert_int_equal(call(&run, ctl_verb_query, name), CTL_NOT_RUNNING);
    drop(&run);
}

static void statistics_are_a_table_with_nested_counters_by_dotted_name(void **state)
{
    struct run run;
    begin(&run);
    call(&run, ctl_verb_statistics, NULL);
    assert_holds(run.out, "DAEMON");
    assert_holds(run.out, "l1.hits");
    assert_holds(run.out, "900\n");
    drop(&run);
    begin(&run);
    run.ctl.legend = false;
    call(&run, ctl_verb_statistics, NULL);
    assert_lacks(run.out, "DAEMON");
    assert_holds(run.out, "queries");
    drop(&run);
}

static void a_walk_in_chunks_reads_as_one_report(void **state)
{
    struct run run;
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_show_cache, NULL), CTL_OK);
    assert_holds(run.out, "a. 60 IN A 192.0.2.1 ");
    assert_holds(run.out, "-- rr; security secure; rank 5\n");
    assert_holds(run.out, "\na. 60 IN A 192.0.2.2\n");
    assert_holds(run.out, "b. 5 IN AAAA ");
    assert_holds(run.out, "c. 1 IN MX 10 d.");
    assert_holds(run.out, "-- 3 entries\n");
    drop(&run);
    begin(&run);
    run.ctl.json = CTL_JSON_PRETTY;
    assert_int_equal(call(&run, ctl_verb_show_cache, NULL), CTL_OK);
    json_t *out = json_loads(run.out, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(out, "entries")), 3);
    json_decref(out);
    drop(&run);
}

static void nta_list_is_a_table(void **state)
{
    struct run run;
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_nta_list, NULL), CTL_OK);
    assert_holds(run.out, "NAME");
    assert_holds(run.out, "LIFETIME LEFT");
    assert_holds(run.out, "50min");
    assert_holds(run.out, "registry broken");
    assert_holds(run.out, "\n1 listed.\n");
    drop(&run);
}

static void nta_add_sends_name_lifetime_reason_and_author(void **state)
{
    struct run run;
    const char *const name[] = {"De", NULL};
    setenv("SUDO_USER", "alice", 1);
    begin(&run);
    run.ctl.json = CTL_JSON_SHORT;
    run.ctl.lifetime = "30m";
    run.ctl.reason = "broken";
    assert_int_equal(call(&run, ctl_verb_nta_add, name), CTL_OK);
    assert_string_equal(
        run.out, "{\"name\":\"de.\",\"lifetime\":\"1800000\",\"reason\":\"broken\",\"by\":\"alice\"}\n");
    drop(&run);
    static const char *const wrong[] = {"30", "m", "0m", "-1h", "1y", "99999999d", ""};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        begin(&run);
        run.ctl.lifetime = wrong[i];
        assert_int_equal(call(&run, ctl_verb_nta_add, name), CTL_USAGE);
        assert_holds(run.err, "is no time");
        drop(&run);
    }
}

static void what_a_daemon_refuses_is_said_and_exit_status_1(void **state)
{
    struct run run;
    const char *const name[] = {"de", NULL};
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_nta_remove, name), CTL_FAILED);
    assert_string_equal(run.err, "holdfastctl: holdfast-validatord: there is no NTA for this name\n");
    drop(&run);
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_trust_anchor_list, NULL), CTL_FAILED);
    assert_holds(run.err, "not JSON");
    drop(&run);
}

static void flush_caches_sends_its_switches(void **state)
{
    struct run run;
    const char *const name[] = {"Example.com", NULL};
    begin(&run);
    run.ctl.given = CTL_OPT_TREE | CTL_OPT_NEGATIVE;
    run.ctl.json = CTL_JSON_SHORT;
    assert_int_equal(call(&run, ctl_verb_flush_caches, name), CTL_OK);
    assert_string_equal(
        run.out,
        "{\"flushed\":3,\"tree\":true,\"bogus\":false,\"negative\":true,\"name\":\"example.com.\"}\n");
    drop(&run);
    begin(&run);
    run.ctl.given = CTL_OPT_TREE;
    assert_int_equal(call(&run, ctl_verb_flush_caches, NULL), CTL_USAGE);
    drop(&run);
}

static void damage_found_is_exit_status_1(void **state)
{
    struct run run;
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_cache_verify, NULL), CTL_FAILED);
    assert_holds(run.out, "Checked: 10\n");
    assert_holds(run.out, "Damaged: 1\n");
    drop(&run);
}

static void no_text_of_a_daemon_steers_the_terminal(void **state)
{
    struct run run;
    begin(&run);
    assert_int_equal(call(&run, ctl_verb_cache_stats, NULL), CTL_OK);
    assert_string_equal(run.out, "Text: a?[31m?b?c\\u001b??d\n");
    drop(&run);
    begin(&run);
    run.ctl.json = CTL_JSON_SHORT; /* a program gets what was said */
    assert_int_equal(call(&run, ctl_verb_cache_stats, NULL), CTL_OK);
    assert_holds(run.out, "\\u001B[31m");
    drop(&run);
}

static void explain_shows_each_link_and_marks_the_one_that_fails(void **state)
{
    struct run run;
    json_t *report = json_loads(
        "{\"name\":\"www.broken.com.\",\"type\":\"A\",\"links\":["
        "{\"zone\":\".\",\"security\":\"secure\",\"anchor\":\"DS 20326\",\"keys\":[\"20326\",\"38696\"]},"
        "{\"zone\":\"com.\",\"security\":\"secure\",\"ds\":[\"19718 13 2 "
        "AB\"],\"ds_expires_s\":7200,\"keys\":[19718]},"
        "{\"zone\":\"broken.com.\",\"security\":\"bogus\",\"ds\":[\"1 8 2 CD\"],\"ede\":9,\"text\":\"no key "
        "matches\","
        "\"servers_tried\":2}],"
        "\"servers\":[{\"address\":\"192.0.2.53\",\"zone\":\"broken.com.\",\"rtt_ms\":12}],"
        "\"answer\":{\"rcode\":\"SERVFAIL\",\"ede\":[{\"code\":6,\"text\":\"all broken\"}]}}",
        0, NULL);
    assert_non_null(report);
    begin(&run);
    assert_int_equal(ctl_print_explanation(&run.ctl, report), CTL_OK);
    end(&run);
    assert_holds(run.out, "www.broken.com. A\n\nChain of trust\n  ok   .");
    assert_holds(run.out, "anchor: DS 20326\n");
    assert_holds(run.out, "DS for: 2h\n");
    assert_holds(run.out, "bogus   <== the chain breaks here\n");
    assert_holds(run.out, "why: no key matches\n");
    assert_holds(run.out, "reason: DNSKEY Missing (EDE 9)\n");
    assert_holds(run.out, "Servers tried: 2\n");
    assert_holds(run.out, "Servers asked\n");
    assert_holds(run.out, "192.0.2.53");
    assert_holds(run.out, "Rcode: SERVFAIL\n");
    assert_holds(run.out, "DNSSEC Bogus (EDE 6): all broken\n");
    assert_ptr_equal(strstr(run.out, "<=="), strstr(strstr(run.out, "broken.com. "), "<=="));
    drop(&run);
    json_decref(report);
}

static void explain_marks_the_name_itself_when_all_zones_are_right(void **state)
{
    struct run run;
    json_t *report =
        json_loads("{\"name\":\"www.a.\",\"type\":\"TXT\",\"links\":["
                   "{\"zone\":\"a.\",\"security\":\"secure\",\"ds_state\":\"secure\"}],"
                   "\"answer\":{\"rcode\":\"SERVFAIL\",\"security\":\"bogus\","
                   "\"ede\":[{\"code\":7,\"text\":\"since May\"}],\"records\":[\"x. 1 IN A 192.0.2.1\"]}}",
                   0, NULL);
    begin(&run);
    assert_int_equal(ctl_print_explanation(&run.ctl, report), CTL_OK);
    end(&run);
    assert_holds(run.out, "  ok   a.");
    assert_holds(run.out, "  FAIL  www.a. TXT                       bogus   <== the chain breaks here\n"
                          "             reason: Signature Expired (EDE 7): since May\n");
    assert_holds(run.out, "\n  x. 1 IN A 192.0.2.1\n");
    assert_lacks(run.out, "DS state");
    drop(&run);
    json_decref(report);
}

static void names_are_checked_and_made_wire_form(void **state)
{
    struct run run;
    uint8_t name[NAME_MAX];
    size_t size;
    begin(&run);
    assert_int_equal(ctl_name(&run.ctl, "Example.COM", name, &size), CTL_OK);
    assert_int_equal(size, 13);
    assert_memory_equal(name, "\007example\003com", 13);
    assert_int_equal(ctl_name(&run.ctl, "bücher.example", name, &size), CTL_OK);
    assert_memory_equal(name, "\015xn--bcher-kva\007example", 23);
    assert_int_equal(ctl_name(&run.ctl, "", name, &size), CTL_USAGE);
    assert_int_equal(ctl_name(&run.ctl, "a..b", name, &size), CTL_USAGE);
    char reverse[80];
    assert_int_equal(ctl_reverse_name("192.0.2.1", reverse), 0);
    assert_string_equal(reverse, "1.2.0.192.in-addr.arpa.");
    assert_int_equal(ctl_reverse_name("2001:db8::1", reverse), 0);
    assert_string_equal(reverse, "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.");
    assert_int_equal(ctl_reverse_name("example.com", reverse), 1);
    end(&run);
    drop(&run);
}

static void values_are_shown_with_their_unit(void **state)
{
    static const struct {
        const char *key, *json, *shown;
    } cases[] = {
        {"uptime_s", "90061", "1d 1h"},
        {"x_s", "59", "59s"},
        {"x_s", "0", "0s"},
        {"x_s", "-61", "-1min 1s"},
        {"size_bytes", "1536", "1.5K"},
        {"size_bytes", "12", "12 bytes"},
        {"rtt_ms", "12", "12ms"},
        {"good", "true", "yes"},
        {"none", "null", "-"},
        {"list", "[]", "none"},
        {"list", "[1,\"b\"]", "1, b"},
        {"o", "{\"a\":1,\"b\":[2]}", "a=1 b=[...]"},
        {"seen_at_s", "0", "1970-01-01 00:00:00 UTC"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[128];
        json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
        assert_string_equal(ctl_value_text(cases[i].key, value, text, sizeof(text)), cases[i].shown);
        json_decref(value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_shows_each_daemon_and_who_does_not_run),
        cmocka_unit_test(json_on_stdout_is_one_value_and_errors_are_json_on_stderr),
        cmocka_unit_test(nobody_running_is_exit_status_3),
        cmocka_unit_test(statistics_are_a_table_with_nested_counters_by_dotted_name),
        cmocka_unit_test(a_walk_in_chunks_reads_as_one_report),
        cmocka_unit_test(nta_list_is_a_table),
        cmocka_unit_test(nta_add_sends_name_lifetime_reason_and_author),
        cmocka_unit_test(what_a_daemon_refuses_is_said_and_exit_status_1),
        cmocka_unit_test(flush_caches_sends_its_switches),
        cmocka_unit_test(damage_found_is_exit_status_1),
        cmocka_unit_test(no_text_of_a_daemon_steers_the_terminal),
        cmocka_unit_test(explain_shows_each_link_and_marks_the_one_that_fails),
        cmocka_unit_test(explain_marks_the_name_itself_when_all_zones_are_right),
        cmocka_unit_test(names_are_checked_and_made_wire_form),
        cmocka_unit_test(values_are_shown_with_their_unit),
    };
    return cmocka_run_group_tests(tests, start_stand_in, stop_stand_in);
}
