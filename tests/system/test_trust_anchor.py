"""trust-anchor list, add, remove: what they show and refuse, and that it is kept over kill -9 and a flush."""

import json
import os
import signal
import time

import pytest

OK, FAILED, USAGE = 0, 1, 2
# Of a zone that the lab does not have: nothing is ever asked for it.
KEY = ("island.test. DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+"
       "KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==")
KEY_TAG = 2371
DIGEST = "ab" * 32


def listed(resolver, zone=None):
    done = resolver.ctl("--json=short", "trust-anchor", "list")
    assert done.returncode == OK, done
    anchors = json.loads(done.stdout)["anchors"]
    return [a for a in anchors if zone is None or a["zone"] == zone]


def test_the_configured_anchors_are_listed(resolver):
    [root] = listed(resolver, ".")
    assert root["state"] == "valid" and root["source"] == "configured" and root["trusted"], root
    text = resolver.ctl("trust-anchor", "list")
    for word in (str(root["key_tag"]), root["algorithm"], "valid", "configured"):
        assert word in text.stdout, text


def test_a_key_is_added_is_kept_and_goes(resolver):
    done = resolver.ctl("trust-anchor", "add", *KEY.split())
    assert done.returncode == OK and "operator" in done.stdout, done
    pid = resolver.pids()["holdfast-validatord"]
    os.kill(pid, signal.SIGKILL)  # at once: what was answered was synced
    for _ in range(100):
        time.sleep(0.1)
        if resolver.pids().get("holdfast-validatord", pid) != pid and \
                resolver.ctl("trust-anchor", "list").returncode == OK:
            break
    assert resolver.ctl("flush-caches").returncode == OK
    [key] = listed(resolver, "island.test.")
    assert key["key_tag"] == KEY_TAG and key["source"] == "operator" and key["state"] == "valid", key
    assert key["trusted"] and key["algorithm"] == "ECDSAP256SHA256", key
    status = json.loads(resolver.ctl("--json=short", "status").stdout)
    assert '"trust_anchors": 2' in json.dumps(status), status
    assert resolver.ctl("trust-anchor", "add", *KEY.split()).returncode == OK  # again: nothing is wrong
    assert len(listed(resolver, "island.test.")) == 1
    assert resolver.ctl("trust-anchor", "remove", "island.test", str(KEY_TAG)).returncode == OK
    assert listed(resolver, "island.test.") == []
    gone = resolver.ctl("trust-anchor", "remove", "island.test", str(KEY_TAG))
    assert gone.returncode == FAILED and "island.test." in gone.stderr and "trust-anchor list" in gone.stderr, gone


def test_two_keys_go_one_by_one_or_together(resolver):
    for tag in (100, 200, 300):
        assert resolver.ctl("trust-anchor", "add", "pair.test. DS %d 13 2 %s" % (tag, DIGEST[:-4] + "%04x" % tag)
                            ).returncode == OK
    assert resolver.ctl("trust-anchor", "remove", "pair.test.", "200").returncode == OK
    assert [a["key_tag"] for a in listed(resolver, "pair.test.")] == [100, 300]
    assert resolver.ctl("trust-anchor", "remove", "pair.test.").returncode == OK
    assert listed(resolver, "pair.test.") == []


def test_a_configured_key_is_not_removed_here(resolver):
    done = resolver.ctl("trust-anchor", "remove", ".")
    assert done.returncode == FAILED and "dnssec.trust_anchors" in done.stderr, done
    assert listed(resolver, ".")[0]["trusted"]


@pytest.mark.parametrize("record, says", [
    ("island.test. A 192.0.2.1", "DS or DNSKEY"),
    ("island.test. DS 1 13 2 abcd", "size"),
    ("nonsense", "zone format"),
    (KEY.replace(" 257 ", " 385 "), "revoked"),
    (KEY.replace(" 257 ", " 1 "), "zone key"),
    ("island.test. DS 1 250 2 " + DIGEST, "not supported"),
])
def test_what_is_no_anchor_is_refused_with_the_reason(resolver, record, says):
    done = resolver.ctl("trust-anchor", "add", *record.split())
    assert done.returncode in (USAGE, FAILED) and says in done.stderr, done
    assert listed(resolver, "island.test.") == []
    as_json = resolver.ctl("--json=short", "trust-anchor", "add", *record.split())
    assert says in json.loads(as_json.stderr)["error"], as_json


def test_a_tag_that_is_none_is_wrong_usage(resolver):
    done = resolver.ctl("trust-anchor", "remove", ".", "70000")
    assert done.returncode == USAGE and "70000" in done.stderr, done


def test_an_anchor_takes_effect_at_once(resolver):
    """A key that the zone does not have makes its names bogus, and gives them back when it goes."""
    zone, name = "p256-nsec.com", "www.p256-nsec.com"
    assert resolver.ask(name).rcode() == 0
    assert resolver.ctl("trust-anchor", "add", zone + ". DS 1 13 2 " + DIGEST).returncode == OK
    broken = resolver.ask("www2." + name)
    assert broken.rcode() == 2, broken
    assert resolver.ctl("trust-anchor", "remove", zone).returncode == OK
    resolver.ctl("flush-caches", "--bogus")
    assert resolver.ask("www3." + name).rcode() in (0, 3)


def test_the_root_is_refreshed_and_signalled_once(make_resolver, sniffer):
    """RFC 5011 2.3 and RFC 8145: soon after the start, and not again after a kill -9."""
    resolver = make_resolver("refresh", extra={"dnssec": {"anchor_updates": "true", "signalling": "true"}}, start=False)
    mark = sniffer.mark()
    resolver.start()
    deadline = time.monotonic() + 40
    while not listed(resolver, ".")[0].get("refreshed_at_s"):
        assert time.monotonic() < deadline, (listed(resolver), resolver.log_tail())
        time.sleep(0.5)
    [root] = listed(resolver, ".")
    assert root["state"] == "valid" and 3500 < root["next_refresh_s"] <= 15 * 86400, root
    signals = [q for q in sniffer.since(mark) if q[1].startswith("_ta-")]
    assert {q[1].rstrip(".") for q in signals} == {"_ta-%04x" % root["key_tag"]}, signals
    pid = resolver.pids()["holdfast-validatord"]
    mark = sniffer.mark()
    time.sleep(0.5)  # a commit interval: the times are written like any entry
    os.kill(pid, signal.SIGKILL)
    time.sleep(14)   # longer than a refresh that is due waits after a start
    assert not [q for q in sniffer.since(mark) if q[1].startswith("_ta-")]
    assert listed(resolver, ".")[0]["refreshed_at_s"] == root["refreshed_at_s"]
