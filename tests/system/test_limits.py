"""Servers that try to make a resolver work for them, or to slip something in (scripted.py). The budgets of one
question hold whatever a server says."""

import time

import dns.flags
import dns.rcode
import pytest

import asker

QUERIES_PER_QUESTION = 200
CNAME_STEPS = 11


def ask_counting(resolver, sniffer, name, rdtype="A", timeout=20):
    """(response, upstream questions, seconds)."""
    mark, start = sniffer.mark(), time.monotonic()
    r = resolver.ask(name, rdtype, timeout=timeout, tries=1)
    took = time.monotonic() - start
    time.sleep(0.3)
    return r, sniffer.since(mark), took


def test_nxns_referrals_cost_a_handful_of_lookups(resolver, sniffer):
    resolver.ask("nxns.org.", "SOA")
    r, upstream, took = ask_counting(resolver, sniffer, "a1.x1.nxns.org.")
    victims = {q[1] for q in upstream if "victim" in q[1] and q[1].startswith("ns")}
    assert r.rcode() == dns.rcode.SERVFAIL and took < 12
    assert 0 < len(victims) <= 5, "looked up %d of 60 name servers: %s" % (len(victims), sorted(victims)[:10])
    assert len(upstream) <= QUERIES_PER_QUESTION


def test_name_servers_that_point_at_each_other_end_soon(resolver, sniffer):
    resolver.ask("loop.org.", "SOA")
    r, upstream, took = ask_counting(resolver, sniffer, "www.z1.loop.org.")
    assert r.rcode() == dns.rcode.SERVFAIL and took < 12
    assert len(upstream) <= 40, len(upstream)


def test_an_endless_cname_chain_is_cut(resolver, sniffer):
    resolver.ask("cnames.org.", "SOA")
    r, upstream, took = ask_counting(resolver, sniffer, "c1.cnames.org.")
    assert r.rcode() == dns.rcode.SERVFAIL and took < 12
    asked = {q[1] for q in upstream if q[1].startswith("c") and q[1] != "cnames.org."}
    assert len(asked) <= CNAME_STEPS + 1, sorted(asked)


def test_a_silent_server_costs_bounded_time_and_is_remembered(resolver, sniffer):
    resolver.ask("silent.org.", "SOA")
    r, upstream, took = ask_counting(resolver, sniffer, "a1.silent.org.")
    assert r.rcode() == dns.rcode.SERVFAIL and took < 12
    assert {c for c, _ in asker.edes(r)} & {22, 23}
    again, upstream, took = ask_counting(resolver, sniffer, "a1.silent.org.")
    assert again.rcode() == dns.rcode.SERVFAIL and took < 0.5 and not upstream


def test_garbage_from_a_server_is_no_answer(resolver, sniffer):
    resolver.ask("garbage.org.", "SOA")
    r, upstream, took = ask_counting(resolver, sniffer, "a1.garbage.org.")
    assert r.rcode() == dns.rcode.SERVFAIL and took < 12
    assert len(upstream) <= 32


@pytest.mark.parametrize("victim,rdtype,stained", [
    ("www.plain.com.", "A", "192.0.2.66"), ("ns1.h2.hoster.net.", "A", "192.0.2.66"),
    ("a.gtld-servers.net.", "A", "192.0.2.66"), ("www.plain.org.", "A", "192.0.2.66")])
def test_unrelated_records_are_not_believed(resolver, victim, rdtype, stained):
    assert asker.answer_lines(resolver.ask("a1.flood.org.")) == ["a 192.0.2.66"]
    r = resolver.ask(victim, rdtype)
    assert r.rcode() == 0 and r.answer and stained not in " ".join(asker.answer_lines(r))


def test_com_is_not_moved_by_an_answers_authority(resolver, sniffer):
    resolver.ask("a2.flood.org.")
    mark = sniffer.mark()
    assert resolver.ask("p000.com.", "SOA").answer
    time.sleep(0.1)
    flooder = {"10.53.200.4", "fd53::c8:4"}
    assert not [q for q in sniffer.since(mark) if q[0] in flooder]


def test_one_client_does_not_multiply_a_slow_question(resolver, sniffer):
    """Many clients ask the same thing at once: one job upstream."""
    resolver.ask("slow.org.", "SOA")
    mark = sniffer.mark()
    results = asker.ask_many([("b1.slow.org.", "A")] * 50, port=resolver.port, retry_s=11)
    assert all(r is not None and asker.answer_lines(r) == ["a 192.0.2.7"] for r, _ in results)
    asked = [q for q in sniffer.since(mark) if q[1] == "b1.slow.org." and q[2] == 1]
    assert 1 <= len(asked) <= 6, asked
