"""Names outlive their servers as the configuration and the operator say, and come back with them."""

import json
import subprocess
import time

import dns.rcode
import pytest

import asker

MAX_TTL_S, CLIENT_TIMEOUT_S, ANSWER_TTL_S, RECHECK_S = 1, 0.6, 5, 5
EXTRA = {"cache": {"max_ttl": "1s"},
         "stale": {"client_timeout": "600ms", "answer_ttl": "5s", "recheck_interval": "5s",
                   "disabled_zones": '[ "org." ]'}}
AT_ONCE_S = 0.05


@pytest.fixture
def silence():
    """Takes the way to all servers of the lab away, and gives it back."""
    routes = [["-4", "10.53.0.0/16"], ["-6", "fd53::/16"]]

    def route(verb):
        for family, prefix in routes:
            subprocess.run(["ip", family, "route", verb, "blackhole", prefix, "metric", "1"], check=verb == "add",
                           capture_output=True)

    made = []

    class Silence:
        def begin(self):
            made.append(route("add"))

        def end(self):
            route("del")

    silence = Silence()
    yield silence
    if made:
        silence.end()


def timed(resolver, name, **kw):
    before = time.monotonic()
    response = asker.ask(name, "A", port=resolver.port, tries=1, **kw)
    return response, time.monotonic() - before


def codes(response):
    return [code for code, _ in asker.edes(response)]


def ctl(resolver, *args):
    said = resolver.ctl("--json=short", *args)
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def test_stale_answers_are_given_switched_counted_and_end_with_the_repair(lab, make_resolver, silence):
    hot = dict(map(tuple, lab.manifest["hot"]))
    com = next(n for n in hot if n.startswith("www.") and n.endswith(".com."))
    org = next(n for n in hot if n.startswith("www.") and n.endswith(".org."))
    other = next(n for n in hot if n.startswith("h1.") and n.endswith(".com."))
    r = make_resolver("stale", extra=EXTRA)
    for name in (com, org):
        response, _ = timed(r, name)
        assert asker.answer_lines(response) == ["a " + hot[name]]
        assert not asker.edes(response)

    silence.begin()
    time.sleep(MAX_TTL_S + 0.5)
    response, took = timed(r, com)
    assert asker.answer_lines(response) == ["a " + hot[com]] and 3 in codes(response), response
    assert response.answer[0].ttl <= ANSWER_TTL_S
    assert took < CLIENT_TIMEOUT_S + 0.5
    # Where the configuration says no, the failure is told.
    response, _ = timed(r, org, timeout=20)
    assert response.rcode() == dns.rcode.SERVFAIL and codes(response), response
    # Once the failure is known nobody waits, and the reason is beside it.
    deadline = time.monotonic() + 12
    while time.monotonic() < deadline and not {22, 23} & set(codes(timed(r, com)[0])):
        time.sleep(0.2)
    response, took = timed(r, com)
    assert {3} < set(codes(response)) and took < AT_ONCE_S, (response, took)

    # The operator's word goes before the configuration's, takes effect at once and outlives a crash.
    assert ctl(r, "serve-stale", "off")["serve_stale"] is False
    assert timed(r, com, timeout=20)[0].rcode() == dns.rcode.SERVFAIL
    assert ctl(r, "serve-stale", "on", "org.")["serve_stale"] is True
    assert 3 in codes(timed(r, org, timeout=20)[0])
    r.kill_all()
    r.start()
    assert ctl(r, "serve-stale", "status", other)["serve_stale"] is False
    assert {z["zone"]: z["serve_stale"] for z in ctl(r, "serve-stale", "status")["switched"]} == {
        ".": "off", "org.": "on"}
    assert r.ctl("serve-stale", "reset", "net.").returncode == 1
    assert ctl(r, "serve-stale", "reset")["serve_stale"] is True
    assert 3 in codes(timed(r, com, timeout=20)[0])
    assert timed(r, other, timeout=20)[0].rcode() == dns.rcode.SERVFAIL      # never known

    counted = ctl(r, "statistics")["netd"]
    assert counted["answered_stale"] >= 1 and counted["answered_servfail"] >= 1
    assert sum(counted["servfail_by_ede"].values()) == counted["answered_servfail"]

    silence.end()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and asker.edes(timed(r, com)[0]):
        time.sleep(0.5)
    response, _ = timed(r, com)
    assert asker.answer_lines(response) == ["a " + hot[com]] and not asker.edes(response), response


def asked_for(sniffer, mark, name):
    return [q for q in sniffer.since(mark) if q[1].lower().rstrip(".") == name.rstrip(".")]


def test_a_popular_name_is_fetched_once_before_it_expires_and_a_failing_refresh_does_not_hammer(
        lab, make_resolver, sniffer, silence):
    hot = dict(map(tuple, lab.manifest["hot"]))
    name = next(n for n in hot if n.startswith("www.") and n.endswith(".net."))
    r = make_resolver("prefetch", extra={"cache": {"max_ttl": "10s"}, "stale": {"client_timeout": "600ms"}})

    def ask_until(end, slowest):
        while time.monotonic() < end:
            response, took = timed(r, name)
            assert asker.answer_lines(response) == ["a " + hot[name]], response
            assert took < slowest, took
            time.sleep(0.1)

    timed(r, name)
    stored = time.monotonic()
    ask_until(stored + 2, 1)
    mark = sniffer.mark()
    ask_until(stored + 12.5, 0.5)
    assert len(asked_for(sniffer, mark, name)) == 1, asked_for(sniffer, mark, name)

    # It was fetched in its tenth second, so it is due again in the nineteenth; now nobody answers.
    fetches = ctl(r, "statistics")["validatord"]["fetches"]
    silence.begin()
    ask_until(stored + 24, 1.2)
    counted = ctl(r, "statistics")
    print("%d fetches of a failing refresh" % (counted["validatord"]["fetches"] - fetches))
    assert 1 <= counted["validatord"]["fetches"] - fetches <= 6
    assert counted["netd"]["answered_stale"] > 10
