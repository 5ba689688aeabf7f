"""A cold question costs no more upstream packets than Unbound sends for it."""

import collections
import os
import time

import dns.flags

import asker
import peers

SHARED = 10
UNBOUND_OPTIONS = """  target-fetch-policy: "0 0 0 0 0"
  prefetch-key: no
  prefetch: no
  qname-minimisation: yes
"""


def cost(names, port, sniffer):
    """Upstream packets for each name, asked one after the other; priming and signalling not counted."""
    costs = []
    for name in names:
        mark = sniffer.mark()
        r = asker.ask(name, "A", port=port)
        assert r is not None and r.answer and r.flags & dns.flags.AD, "%s at port %d: %s" % (name, port, r)
        time.sleep(0.01)
        costs.append(len([q for q in sniffer.since(mark) if not q[1].startswith("_ta-")]))
    return costs


def test_cold_questions_cost_at_most_what_unbound_pays(lab, make_resolver, sniffer, workspace):
    names = [name for name, _ in lab.manifest["hot"] if name.startswith("www.")]
    assert len(names) == 200
    unbound = peers.Unbound(lab, os.path.join(workspace, "unbound"), options=UNBOUND_OPTIONS)
    try:
        asker.ask(".", "NS", port=unbound.port)
        theirs = cost(names, unbound.port, sniffer)
    finally:
        unbound.stop()
    ours_resolver = make_resolver("packets")
    ours_resolver.ask(".", "NS")
    time.sleep(0.5)
    log = sniffer.mark()
    ours = cost(names, ours_resolver.port, sniffer)
    ours_total = len(sniffer.since(log))
    # The first names pay for what all share (top-level domains, the hoster), in an order of their own each: these
    # are compared together, the others one by one.
    dear = [(n, o, t) for n, o, t in list(zip(names, ours, theirs))[SHARED:] if o > t]
    print("upstream packets for 200 names: ours %d, Unbound %d; the first %d: %d and %d" % (
        ours_total, sum(theirs), SHARED, sum(ours[:SHARED]), sum(theirs[:SHARED])))
    kinds = collections.Counter((q[1].count("."), q[2]) for q in sniffer.since(log))
    assert sum(ours) <= sum(theirs), "ours %d, Unbound %d; first: %s; ours by (labels, type): %s" % (
        sum(ours), sum(theirs), list(zip(ours, theirs))[:SHARED], kinds.most_common(12))
    assert not dear, "dearer than Unbound: %s" % dear[:20]
