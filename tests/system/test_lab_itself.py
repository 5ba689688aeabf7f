"""The lab's expectations against Unbound, so that a wrong expectation is not taken for a wrong resolver."""

import os

import asker
import peers

# Unbound is asked nothing about: what the design decides otherwise (policy), which EDE it gives, and servers that do
# not answer, because its patience with them is longer than this test's.
OTHERWISE = ("policy", "broken: dead", "broken: revoked", "broken: lame", "broken: glueless loop")


def test_unbound_agrees_with_the_manifest(lab, manifest, workspace):
    unbound = peers.Unbound(lab, os.path.join(workspace, "unbound-check"), port=53054)
    try:
        asked = [dict(q, ede=[]) for q in manifest if not q["kind"].startswith(OTHERWISE)]
        results = asker.ask_many([(q["name"], q["type"]) for q in asked], port=unbound.port, timeout=20, retry_s=21)
    finally:
        unbound.stop()
    wrong = ["%s %s (%s): %s" % (q["name"], q["type"], q["kind"], text)
             for q, (r, _) in zip(asked, results) for text in [asker.complaint(q, r)] if text]
    print("%d questions asked of Unbound" % len(asked))
    assert len(asked) > 1500 and not wrong, "\n".join(wrong[:30])
