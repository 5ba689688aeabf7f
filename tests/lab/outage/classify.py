"""Every answer into one class, by what was true and not by what it says of itself."""

from collections import namedtuple

import truth as truth_module
import wire

FRESH, CONTINUED, STALE, SERVFAIL, TIMEOUT, WRONG = "fresh", "continued", "stale", "SERVFAIL", "timeout", "wrong"
CHANGED = 200          # publications from there on are those of a zone that its parent changed (changes.py)
CLASSES = (FRESH, CONTINUED, STALE, SERVFAIL, TIMEOUT, WRONG)

# at: seconds from the start at which it was asked; answered: when the last answer came; cls; useful; version: of a
# positive answer; marked: EDE 3 or 19 is there; obtained: second at
# which its data can have been fetched; why: for what is wrong
Judged = namedtuple("Judged", "record at answered cls useful version marked ede ad ttl why obtained")


def codes(record):
    return [c for c, _ in record.edes]


def judge_one(truth, r):
    at = r.sent - truth.start
    answered = at + r.took
    ede = codes(r)
    marked = 3 in ede or 19 in ede
    ad = bool(r.flags & wire.FLAG_AD)

    def result(cls, useful=False, version=None, ttl=None, why="", obtained=None):
        return Judged(r, at, answered, cls, useful, version, marked, ede, ad, ttl, why, obtained)

    if r.rcode == -1:
        return result(TIMEOUT)
    if r.rcode not in (wire.NOERROR, wire.NXDOMAIN):
        return result(SERVFAIL, why=wire.RCODES.get(r.rcode, str(r.rcode)))
    if r.flags & wire.FLAG_TC:
        return result(WRONG, why="truncated")
    version, ttl = None, None
    if r.kind == "positive":
        addresses = [(t, d) for k, t, d in r.answers if k == wire.A]
        if r.rcode != wire.NOERROR or not addresses:
            return result(WRONG, why="%s, no address" % wire.RCODES[r.rcode])
        ttl, rdata = addresses[0]
        version = truth_module.right_address(r, rdata)
        if len(addresses) != 1 or version is None:
            return result(WRONG, why="address %s" % ", ".join(truth_module.address_of(d) for _, d in addresses))
        if version < CHANGED and not truth.ever(version, answered):
            return result(WRONG, why="publication %d, not yet out" % version)
    else:
        want = wire.NXDOMAIN if r.kind in ("nxdomain", "gap") else wire.NOERROR
        if r.rcode != want or r.answers:
            return result(WRONG, why="%s with %d records" % (wire.RCODES[r.rcode], len(r.answers)))
        soa = next((row for row in r.authority if row[0] == wire.SOA), None)
        if soa:
            ttl, version = soa[1], truth.version_of(r, soa[2])
    if r.kind == "gap":       # denied from any NSEC that the zone sent: its age cannot be told
        return result(STALE if marked else FRESH, True, None, ttl)
    obtained = truth.obtained(r, answered, version)
    if not obtained:
        return result(STALE, True, version, ttl)
    if r.zone.endswith(".de.") and all(truth.link_expired(r.zone, at) for at in obtained):
        return result(CONTINUED, True, version, ttl, obtained=min(obtained))
    return result(FRESH, True, version, ttl, obtained=min(obtained))


def judge_all(truth, records):
    return [judge_one(truth, r) for r in records]
