"""Invariant 1: a recursord that lies cannot make holdfast say anything false about a signed name, not now and not
after a restart. tests/tools/liar.py plays the taken-over process."""

import os
import shutil

import sys

import dns.rcode
import pytest

import asker

TOOLS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tools")
sys.path.insert(0, TOOLS)

import liar      # noqa: E402


def liars_programs(programs, directory, lie):
    """holdfastd and its daemons in one directory, where recursord is the liar."""
    os.makedirs(directory)
    made = dict(programs)
    for name, path in programs.items():
        target = os.path.join(directory, name)
        if name == "holdfastd":
            shutil.copy(path, target)      # it looks for the others beside its own executable
        elif name != "holdfast-recursord":
            os.symlink(path, target)
        made[name] = target
    # Passed descriptors and LISTEN_* survive both execs of the shell.
    with open(made["holdfast-recursord"], "w") as f:
        f.write('#!/bin/sh\nexport LIAR_LIE=%s LIAR_MANIFEST="$LIAR_MANIFEST"\nexec /usr/bin/python3 "%s"\n' % (
            lie, os.path.join(TOOLS, "liar.py")))
    os.chmod(made["holdfast-recursord"], 0o755)
    return made


def questions(lab):
    """Signed names of many kinds, existing and not; hot names, so that each lie finds fresh ones."""
    hot = lab.manifest["hot"]
    asked = [{"name": n, "type": "A", "rcode": "NOERROR", "answer": ["A " + a]} for n, a in hot[:400:11]]
    asked += [q for q in lab.manifest["questions"] if q["ad"] and q["type"] in ("A", "TXT") and " child " not in q["kind"]
              and q["rcode"] in ("NOERROR", "NXDOMAIN")][::23]
    return asked


def falsehood(question, response):
    """What is false about it. Failing is allowed: suppressing the truth is in a recursord's power."""
    if response is None or response.rcode() == dns.rcode.SERVFAIL:
        return ""
    rcode = dns.rcode.to_text(response.rcode())
    if rcode != question["rcode"] or not asker.same_lines(response, question["answer"]):
        return "%s %s: %s %s" % (question["name"], question["type"], rcode, asker.answer_lines(response))
    return ""


def check(lab, resolver, when):
    asked = questions(lab)
    results = asker.ask_many([(q["name"], q["type"]) for q in asked], port=resolver.port, timeout=15, retry_s=16)
    false = [text for q, (r, _) in zip(asked, results) for text in [falsehood(q, r)] if text]
    assert not false, "%s: %d of %d false: %s" % (when, len(false), len(asked), false[:10])
    return sum(1 for r, _ in results if r is not None and r.rcode() != dns.rcode.SERVFAIL), len(asked)


@pytest.mark.parametrize("lie", sorted(liar.LIES))
def test_no_lie_about_a_signed_name_is_believed(lab, make_resolver, programs, workspace, lie):
    resolver = make_resolver("liar", start=False, env={"LIAR_MANIFEST": os.path.join(lab.tree, "manifest.json")})
    honest = resolver.programs
    resolver.programs = liars_programs(programs, os.path.join(resolver.directory, "bin"), lie)
    resolver.start()
    told, total = check(lab, resolver, "under the lie")
    check(lab, resolver, "asked again")
    resolver.stop()
    resolver.programs = honest
    resolver.start()
    check(lab, resolver, "after a restart with an honest recursord")
    # Remembered failures may outlive the lie for a while; what else it left behind may not be there at all.
    assert resolver.ctl("flush-caches", ".", "--tree", "--bogus").returncode == 0
    right, _ = check(lab, resolver, "with failures forgotten")
    assert right == total
    print("%s: %d of %d answered under the lie, %d after" % (lie, told, total, right))
    assert "validatord left: BrokenPipe" not in resolver.log_text()
    if lie in ("truth_itself", "slipped_in"):
        assert told > total * 0.9, "the truth, alone or beside a lie, should have been found:\n" + resolver.log_tail()
