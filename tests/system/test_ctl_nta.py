"""holdfastctl nta probe, advise, list and metrics; NTAs that a probe removes."""

import json
import re
import time

import dns.flags
import dns.rcode

import asker

OK, FAILED, USAGE = 0, 1, 2
GOOD_ZONE, BROKEN_ZONE = "p256-nsec.com", "expired.com"


def report(resolver, *arguments):
    done = resolver.ctl("--json=short", *arguments)
    assert done.stdout.strip(), done
    return json.loads(done.stdout), done


def test_probe_says_of_each_address_what_it_serves(resolver):
    assert resolver.ctl("nta", "add", BROKEN_ZONE, "--lifetime", "1h").returncode == OK
    resolver.ask("www." + BROKEN_ZONE)
    found, done = report(resolver, "nta", "probe", BROKEN_ZONE)
    assert done.returncode in (OK, FAILED), done
    assert found["servers"] and {"address", "udp", "tcp"} <= set(found["servers"][0]), found
    listed, _ = report(resolver, "nta", "list")
    mine = [n for n in listed["ntas"] if n["name"] == BROKEN_ZONE + "."]
    assert mine and mine[0]["probe"]["result"] == found["result"] and mine[0]["next_probe_s"] > 0, listed
    resolver.ctl("nta", "remove", BROKEN_ZONE)


def test_probe_that_validates_removes_the_nta_and_what_came_under_it(resolver):
    assert resolver.ctl("nta", "add", GOOD_ZONE, "--lifetime", "1h").returncode == OK
    under = resolver.ask("www." + GOOD_ZONE)
    assert under.rcode() == dns.rcode.NOERROR and not under.flags & dns.flags.AD, under
    found, done = report(resolver, "nta", "probe", GOOD_ZONE)
    assert done.returncode == OK and found["result"] == "valid", found
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        listed, _ = report(resolver, "nta", "list")
        if not [n for n in listed["ntas"] if n["name"] == GOOD_ZONE + "."]:
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the NTA stayed")
    after = resolver.ask("www." + GOOD_ZONE)
    assert after.flags & dns.flags.AD, after


def test_forced_nta_stays_when_the_zone_validates(resolver):
    assert resolver.ctl("nta", "add", GOOD_ZONE, "--lifetime", "1h", "--force").returncode == OK
    resolver.ask("www." + GOOD_ZONE)
    found, _ = report(resolver, "nta", "probe", GOOD_ZONE)
    assert found["result"] == "valid", found
    time.sleep(0.5)
    listed, _ = report(resolver, "nta", "list")
    assert [n for n in listed["ntas"] if n["name"] == GOOD_ZONE + "." and n["forced"]], listed
    assert resolver.ctl("nta", "remove", GOOD_ZONE).returncode == OK


def test_probe_of_what_has_no_nta_is_refused(resolver):
    done = resolver.ctl("nta", "probe", "nobody.example")
    assert done.returncode == FAILED and "no NTA" in done.stderr, done


def test_one_broken_zone_calls_for_no_nta(resolver):
    for host in ("www", "a", "b", "c"):
        resolver.ask(host + "." + BROKEN_ZONE)
    advice, done = report(resolver, "nta", "advise")
    assert done.returncode == OK and advice["advice"] == [], advice
    assert "No zone" in resolver.ctl("nta", "advise").stdout


def test_metrics_are_openmetrics_text(resolver):
    done = resolver.ctl("metrics")
    assert done.returncode == OK, done
    lines = done.stdout.splitlines()
    assert lines[-1] == "# EOF"
    for line in lines[:-1]:
        assert re.fullmatch(r"# TYPE [a-zA-Z_][a-zA-Z0-9_]* (counter|gauge)|[a-zA-Z_][a-zA-Z0-9_]* -?[0-9.e+-]+", line), line
    names = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(names) == len(set(names))
    for wanted in ("holdfast_netd_up", "holdfast_validatord_incidents_open", "holdfast_validatord_ntas",
                   "holdfast_validatord_probes", "holdfast_recursord_up"):
        assert wanted in names, names


def test_status_lists_incidents_and_ntas(resolver):
    found, done = report(resolver, "status")
    assert done.returncode == OK
    assert found["validatord"]["incidents"] == [] and "negative_trust_anchors" in found["validatord"], found


def test_nta_stays_while_what_it_was_added_for_still_fails(resolver):
    zone = "bad-signature.com"      # its apex is fine: one RRset is not
    resolver.ctl("flush-caches", zone, "--tree")
    assert resolver.ask("www." + zone).rcode() == dns.rcode.SERVFAIL
    time.sleep(0.3)                 # committed
    assert resolver.ctl("nta", "add", zone, "--lifetime", "1h").returncode == OK
    answer = resolver.ask("www." + zone)
    assert answer.rcode() == dns.rcode.NOERROR and 33 in [c for c, _ in asker.edes(answer)], answer
    found, done = report(resolver, "nta", "probe", zone)
    assert done.returncode == FAILED and found["result"] == "partly valid", found
    time.sleep(0.5)
    listed, _ = report(resolver, "nta", "list")
    assert [n for n in listed["ntas"] if n["name"] == zone + "."], listed
    assert resolver.ctl("nta", "remove", zone).returncode == OK
