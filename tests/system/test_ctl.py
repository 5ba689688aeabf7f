"""holdfastctl: every verb as text and as JSON, exit codes, NTAs, flushing, explain."""

import json
import os
import subprocess
import time

import dns.flags
import dns.rcode
import pytest

import asker

GOOD, BROKEN = "www.p256-nsec.com", "www.bad-signature.com"
OK, FAILED, USAGE, NOT_RUNNING = 0, 1, 2, 3


def as_json(done):
    assert done.stdout.strip(), done
    return json.loads(done.stdout)


def has_word(value, word):
    return word in json.dumps(value)


@pytest.fixture(scope="module", autouse=True)
def warmed(resolver):
    resolver.ask(GOOD)
    resolver.ask(BROKEN)
    time.sleep(0.4)      # committed
    return resolver


READING = [["status"], ["statistics"], ["show-cache"], ["query", GOOD], ["query", GOOD, "AAAA"], ["nta", "list"],
           ["explain", GOOD], ["explain", BROKEN], ["version"], ["config", "show"], ["health"], ["metrics"],
           ["cache", "stats"]]
# Verbs that later work brings may be missing; those of the first list may not.
FIRST = {"status", "statistics", "show-cache", "query", "nta", "explain", "version", "config"}


@pytest.mark.parametrize("verb", READING, ids=" ".join)
def test_verbs_print_text_and_json(resolver, verb):
    arguments = verb + ([resolver.config] if verb[0] == "config" else [])
    text = resolver.ctl(*arguments)
    if verb[0] not in FIRST and text.returncode == USAGE:
        assert "unknown" in text.stderr.lower(), text
        return
    assert text.returncode in (OK, FAILED), text
    assert text.returncode == OK or verb[0] == "explain" and verb[1] == BROKEN, text
    assert len(text.stdout) > 5 or verb == ["nta", "list"], text
    for form in ("--json=short", "--json=pretty", "-j"):
        assert as_json(resolver.ctl(form, *arguments)) is not None


def test_query_shows_data_and_authentication(resolver):
    done = resolver.ctl("query", GOOD)
    address = asker.answer_lines(resolver.ask(GOOD))[0].split()[1]
    assert done.returncode == OK and GOOD in done.stdout and address in done.stdout
    assert "authenticated: yes" in done.stdout.lower(), done.stdout


def test_query_of_an_unsigned_name_is_not_authenticated(resolver):
    done = resolver.ctl("query", "www.plain.com")
    assert done.returncode == OK and "authenticated: no" in done.stdout.lower(), done.stdout


def test_query_of_a_broken_name_fails_and_names_the_reason(resolver):
    done = resolver.ctl("query", BROKEN)
    assert done.returncode == FAILED
    assert "bogus" in (done.stdout + done.stderr).lower() and "bad-signature.com" in done.stdout + done.stderr


def test_query_of_nothing_fails(resolver):
    assert resolver.ctl("query", "nothing-at-all.com").returncode == FAILED


def test_explain_shows_the_chain_of_a_healthy_name(resolver):
    done = resolver.ctl("explain", GOOD)
    assert done.returncode == OK, done
    lines = done.stdout
    for zone in ("com.", "p256-nsec.com."):
        assert zone in lines, lines
    assert "secure" in lines.lower()


def test_explain_names_the_failing_link(resolver):
    done = resolver.ctl("explain", BROKEN)
    text = done.stdout + done.stderr
    assert "bad-signature.com." in text and "bogus" in text.lower(), text
    resolver.ask("www.wrong-ds.com")
    done = resolver.ctl("explain", "www.wrong-ds.com")
    text = done.stdout + done.stderr
    assert "wrong-ds.com." in text and ("DS" in text or "DNSKEY" in text), text


def test_wrong_usage_exits_2_and_unknown_verbs_too(resolver):
    for arguments in (["no-such-verb"], ["query"], ["--no-such-option", "status"], ["nta", "add"], []):
        assert resolver.ctl(*arguments).returncode in ((USAGE,) if arguments else (USAGE, OK)), arguments


def test_errors_are_json_under_json(resolver):
    done = resolver.ctl("--json=short", "no-such-verb")
    assert done.returncode == USAGE and json.loads(done.stderr)


def test_without_daemon_the_exit_code_is_3(resolver, tmp_path):
    made = resolver.ctl("version")
    assert made.returncode == OK
    for verb in (["status"], ["statistics"], ["nta", "list"], ["show-cache"]):
        done = subprocess.run([resolver.programs["holdfastctl"], "--runtime-dir", str(tmp_path)] + verb,
                                            capture_output=True, text=True, timeout=20)
        assert done.returncode == NOT_RUNNING, done


def upstream_of(sniffer, mark, name):
    time.sleep(0.1)
    return [q for q in sniffer.since(mark) if q[1] == name]


@pytest.mark.parametrize("arguments,gone,kept", [
    (["h1.p008.com"], ["h1.p008.com."], ["h2.p008.com."]),
    (["p009.net", "--tree"], ["h1.p009.net.", "h2.p009.net."], ["h1.p010.org."]),
    ([], ["h1.p011.de.", "h1.p012.com."], []),
], ids=["name", "tree", "all"])
def test_flush_caches_forgets_what_it_should(resolver, sniffer, arguments, gone, kept):
    for name in gone + kept:
        assert resolver.ask(name).answer
    mark = sniffer.mark()
    for name in gone + kept:
        resolver.ask(name)
    for name in gone + kept:
        assert not upstream_of(sniffer, mark, name), "not cached: " + name
    done = resolver.ctl("flush-caches", *arguments)
    assert done.returncode == OK, done
    mark = sniffer.mark()
    for name in gone + kept:
        assert resolver.ask(name).answer
    for name in gone:
        assert upstream_of(sniffer, mark, name), "still cached: " + name
    for name in kept:
        assert not upstream_of(sniffer, mark, name), "gone too: " + name


def test_a_negative_trust_anchor_works_persists_and_goes(make_resolver):
    resolver = make_resolver("nta")
    name, zone = "www.expired.com.", "expired.com"
    assert resolver.ask(name).rcode() == dns.rcode.SERVFAIL
    done = resolver.ctl("nta", "add", zone, "--lifetime", "1h", "--reason", "signatures expired, zone owner told")
    assert done.returncode == OK, done

    def accepted():
        r = resolver.ask(name)
        assert r.rcode() == 0 and r.answer and not r.flags & dns.flags.AD, (r.rcode(), asker.edes(r))
        assert 33 in [c for c, _ in asker.edes(r)], asker.edes(r)
    accepted()
    listed = resolver.ctl("nta", "list")
    assert zone in listed.stdout and "signatures expired" in listed.stdout, listed
    assert has_word(as_json(resolver.ctl("--json=short", "nta", "list")), zone)
    resolver.stop()
    resolver.start()
    assert zone in resolver.ctl("nta", "list").stdout
    accepted()
    assert resolver.ask("www.bad-signature.com.").rcode() == dns.rcode.SERVFAIL
    assert resolver.ctl("nta", "remove", zone).returncode == OK
    assert resolver.ask(name).rcode() == dns.rcode.SERVFAIL
    assert zone not in resolver.ctl("nta", "list").stdout
    assert resolver.ctl("nta", "remove", zone).returncode == FAILED


def test_an_nta_is_kept_over_kill_9_at_once(make_resolver):
    resolver = make_resolver("nta-kill")
    resolver.ask("com.", "SOA")
    assert resolver.ctl("nta", "add", "expired.com", "--reason", "test").returncode == OK
    resolver.kill_all()
    resolver.start()
    assert "expired.com" in resolver.ctl("nta", "list").stdout
    assert resolver.ask("www.expired.com.").rcode() == 0


def test_nta_lifetime_is_limited(resolver):
    assert resolver.ctl("nta", "add", "expired.com", "--lifetime", "30d").returncode in (FAILED, USAGE)
    assert resolver.ctl("nta", "add", "expired.com", "--lifetime", "soon").returncode in (FAILED, USAGE)


def test_reset_statistics_sets_counters_back(resolver):
    assert resolver.ctl("reset-statistics").returncode == OK


def test_control_sockets_are_private(resolver):
    for name in os.listdir(resolver.runtime):
        path = os.path.join(resolver.runtime, name)
        if name.endswith((".control", ".edge")):
            assert os.stat(path).st_mode & 0o077 == 0, name
