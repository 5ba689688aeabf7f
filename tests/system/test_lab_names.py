"""Every name of the lab, healthy and broken, against what the manifest says."""

import dns.flags
import dns.rcode
import dns.rdatatype
import pytest

import asker


def names(questions):
    return [(q["name"], q["type"]) for q in questions]


def complaints(questions, results):
    wrong = []
    for question, (response, _) in zip(questions, results):
        text = asker.complaint(question, response)
        if text:
            wrong.append("%s %s (%s): %s" % (question["name"], question["type"], question["kind"], text))
    return wrong


def report(wrong, total):
    return "%d of %d wrong:\n%s" % (len(wrong), total, "\n".join(wrong[:60]))


@pytest.fixture(scope="module")
def healthy(manifest):
    return [q for q in manifest if q["rcode"] != "SERVFAIL"]


@pytest.fixture(scope="module")
def broken(manifest):
    return [q for q in manifest if q["rcode"] == "SERVFAIL"]


def test_every_healthy_name_gives_the_right_data_and_ad_exactly_where_signed(resolver, healthy):
    results = asker.ask_many(names(healthy), port=resolver.port)
    wrong = complaints(healthy, results)
    print("%d healthy questions" % len(healthy))
    assert not wrong, report(wrong, len(healthy))


def test_every_broken_name_fails_with_the_true_reason(resolver, broken):
    results = asker.ask_many(names(broken), port=resolver.port, timeout=20, retry_s=21)
    wrong = complaints(broken, results)
    print("%d broken questions" % len(broken))
    assert not wrong, report(wrong, len(broken))


def test_checking_disabled_gives_the_bytes_of_broken_names(resolver, broken):
    asked = [q for q in broken if q["cd"] is not None]
    results = asker.ask_many(names(asked), port=resolver.port, timeout=20, cd=True)
    wrong = []
    for q, (r, _) in zip(asked, results):
        if r is None or r.rcode() == dns.rcode.SERVFAIL or not asker.same_lines(r, q["cd"]):
            wrong.append("%s %s: %s" % (q["name"], q["type"], r and (r.rcode(), asker.answer_lines(r), asker.edes(r))))
        elif r.flags & dns.flags.AD:
            wrong.append("%s %s: AD on unchecked data" % (q["name"], q["type"]))
    assert asked and not wrong, report(wrong, len(asked))


def test_what_was_learnt_for_cd_does_not_answer_without_it(resolver, broken):
    asked = [q for q in broken if q["cd"]]
    results = asker.ask_many(names(asked), port=resolver.port, timeout=20)
    wrong = [q["name"] for q, (r, _) in zip(asked, results) if r is None or r.rcode() != dns.rcode.SERVFAIL]
    assert not wrong


def test_the_cache_says_the_same_again(resolver, healthy):
    asker.ask_many(names(healthy), port=resolver.port)
    results = asker.ask_many(names(healthy), port=resolver.port)
    wrong = complaints(healthy, results)
    assert not wrong, report(wrong, len(healthy))


def test_signed_answers_carry_signatures_with_do_and_none_without(resolver, healthy):
    asked = [q for q in healthy if q["ad"] and q["answer"] and q["rcode"] == "NOERROR"]
    with_do = asker.ask_many(names(asked), port=resolver.port)
    without = asker.ask_many(names(asked), port=resolver.port, do=False)
    wrong = []
    for q, (signed, _), (plain, _) in zip(asked, with_do, without):
        covered = {r.covers for r in signed.answer if r.rdtype == dns.rdatatype.RRSIG}
        synthesised = any(r.rdtype == dns.rdatatype.DNAME for r in signed.answer)
        for rrset in signed.answer:
            if rrset.rdtype == dns.rdatatype.CNAME and synthesised:
                continue
            if rrset.rdtype != dns.rdatatype.RRSIG and rrset.rdtype not in covered:
                wrong.append("%s %s: no RRSIG" % (q["name"], q["type"]))
        if plain is None or any(r.rdtype == dns.rdatatype.RRSIG for s in (plain.answer, plain.authority) for r in s):
            wrong.append("%s %s: RRSIG without DO" % (q["name"], q["type"]))
        elif plain.flags & dns.flags.AD:
            wrong.append("%s %s: AD for a question without DO and AD" % (q["name"], q["type"]))
    assert not wrong, report(wrong, len(asked))


def test_negative_answers_carry_soa_and_proof(resolver, healthy):
    asked = [q for q in healthy if q["ad"] and not q["answer"]]
    wrong = []
    for q, (r, _) in zip(asked, asker.ask_many(names(asked), port=resolver.port)):
        kinds = {s.rdtype for s in r.authority}
        if dns.rdatatype.SOA not in kinds or not kinds & {dns.rdatatype.NSEC, dns.rdatatype.NSEC3}:
            wrong.append("%s %s: authority has %s" % (q["name"], q["type"], sorted(map(dns.rdatatype.to_text, kinds))))
    assert asked and not wrong, report(wrong, len(asked))
