"""The wall clock is set wrong, and right again, under the running daemons (libfaketime): nothing is thrown away, entries from
the future are stale at best, and validation follows the clock."""

import glob
import json
import os
import signal
import time

import dns.flags
import dns.rcode
import pytest

import asker

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
NOT_SANITIZED = pytest.mark.skipif(os.environ.get("HOLDFAST_SANITIZED") == "1",
                                   reason="a sanitizer has to be the first library, libfaketime wants to be it too")
pytestmark = [pytest.mark.skipif(not FAKETIME, reason="the package faketime is not installed"), NOT_SANITIZED]
STALE = {3, 19}
EXPIRED, NOT_YET_VALID = 7, 8
DAY = 86400


class Clock:
    """The file that the faked clock of all daemons follows."""

    def __init__(self, directory):
        self.path = os.path.join(str(directory), "clock")
        self.set("+0")
        self.env = {"LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1"}

    def set(self, offset):
        with open(self.path + ".new", "w") as f:
            f.write(offset + "\n")
        os.rename(self.path + ".new", self.path)      # never seen half written


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path)


def codes(response):
    return {code for code, _ in asker.edes(response)}


def signed_names(lab, count):
    return [q["name"] for q in lab.manifest["questions"]
            if q["ad"] and q["type"] == "A" and q["rcode"] == "NOERROR" and q["answer"] and q["needs"] != "ipv6"][:count]


def fresh(resolver, name):
    r = resolver.ask(name)
    return r is not None and r.rcode() == dns.rcode.NOERROR and r.flags & dns.flags.AD and not codes(r) & STALE


@pytest.mark.parametrize("offset", ["-40d", "+20y", "-3h", "+3h"])
def test_the_clock_is_stepped_and_set_right_again(lab, make_resolver, sniffer, clock, offset):
    resolver = make_resolver("clock", extra={"process": {"users": "false", "sandbox": "false"}}, env=clock.env)
    names = signed_names(lab, 13)
    known, unknown, last = names[:6], names[6:12], names[12]
    for name in known:
        assert fresh(resolver, name), (name, resolver.log_tail())
    time.sleep(1)      # in the file, not only in the writer's queue
    pids = resolver.pids()

    clock.set(offset)
    for name in known:
        r = resolver.ask(name)
        assert r is not None, "no answer under %s: %s" % (offset, resolver.log_tail())
        if offset == "+3h" or offset == "-3h":
            assert r.rcode() == dns.rcode.NOERROR, (name, asker.edes(r))
        elif offset == "-40d":
            # From the future, and its signatures do not hold at this time: what is given is stale, and says so.
            assert r.rcode() == dns.rcode.NOERROR and codes(r) & STALE and not r.flags & dns.flags.AD, (name, asker.edes(r))
        else:
            # Past every stale limit, and nothing validates.
            assert r.rcode() == dns.rcode.SERVFAIL and EXPIRED in codes(r), (name, asker.edes(r))
    for name in unknown:
        r = resolver.ask(name)
        assert r is not None
        if offset == "-40d":
            assert r.rcode() == dns.rcode.SERVFAIL and NOT_YET_VALID in codes(r), (name, r.rcode(), asker.edes(r))
        elif offset == "+20y":
            assert r.rcode() == dns.rcode.SERVFAIL and EXPIRED in codes(r), (name, r.rcode(), asker.edes(r))

    clock.set("+0")
    mark = sniffer.mark()
    asked = {name: resolver.ask(name) for name in known}
    for name, r in asked.items():
        assert r is not None and r.rcode() == dns.rcode.NOERROR and r.answer, (name, r and asker.edes(r))
    if offset in ("-40d", "+20y"):      # nothing took its place, so nothing has to be asked for
        # A question that has to go upstream goes behind all that the answers above may have set off.
        assert last.lower() not in known and resolver.ask(last) is not None
        sent = [q[1] for q in sniffer.since(mark)]
        assert last.lower() in sent, sent
        assert not set(sent) & {name.lower() for name in known}, sent
    assert resolver.pids() == pids, "a daemon was started anew: " + resolver.log_tail()
    assert resolver.stop() == 0


def validatord_status(resolver):
    said = json.loads(resolver.ctl("status", "--json=short").stdout)
    return said["validatord"]


def test_the_commit_sequence_does_not_fall_when_the_clock_was_set_back_and_validatord_restarts(lab, make_resolver, clock):
    """netd keeps what it has of a later commit, and would refuse all that comes after."""
    resolver = make_resolver("clock", extra={"process": {"users": "false", "sandbox": "false"}}, env=clock.env)
    names = signed_names(lab, 2)
    assert fresh(resolver, names[0])
    deadline = time.monotonic() + 60
    while validatord_status(resolver)["queued_writes"]:      # the number is written with the entries
        assert time.monotonic() < deadline
        time.sleep(0.05)
    before, pid = validatord_status(resolver), resolver.pids()["holdfast-validatord"]
    clock.set("-1h")
    os.kill(pid, signal.SIGKILL)
    while resolver.pids().get("holdfast-validatord", pid) == pid or not fresh(resolver, names[1]):
        assert time.monotonic() < deadline, resolver.log_tail()
        time.sleep(0.05)
    assert validatord_status(resolver)["commit_sequence"] > before["commit_sequence"]
    assert resolver.stop() == 0


@pytest.mark.parametrize("offset, rcode, ede", [("+0d", "NOERROR", None), ("-40d", "SERVFAIL", NOT_YET_VALID),
                                                ("+20y", "SERVFAIL", EXPIRED)])
@pytest.mark.parametrize("more", [{}, {"FAKETIME_DONT_FAKE_MONOTONIC": "1"}])
def test_the_clock_is_wrong_from_the_start(lab, make_resolver, offset, rcode, ede, more):
    env = dict({"LD_PRELOAD": FAKETIME[0], "FAKETIME": offset}, **more)
    resolver = make_resolver("clock", extra={"process": {"users": "false", "sandbox": "false"}}, env=env)
    r = resolver.ask(signed_names(lab, 1)[0])
    assert r is not None, resolver.log_tail()
    assert dns.rcode.to_text(r.rcode()) == rcode and (ede is None or ede in codes(r)), asker.edes(r)
    assert resolver.stop() == 0
