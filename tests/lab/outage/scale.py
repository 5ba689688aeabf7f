"""What the lab compresses, and what it leaves as it is: all of it stands here.

Three hours of outage are played in `seconds`, 180 by default, so a factor of 60. Everything that the data says of
itself (TTLs, how long kept data may be used, how often a broken zone is tried) shrinks with it. What people and
machines do to each other (timeouts, retries, the client response timer) does not: a stub waits five seconds on the
lab's day as on any other."""

OUTAGE_S = 3 * 3600
FULL_S, SHORT_S = 180, 26

# Real seconds, each divided by the factor, at least 1 s in the lab. One hour for what the parent says is shorter than
# .de's day: within the outage every link then expires, which is the harder case.
SCALED = {
    "root_ttl": 3600,              # NS and DS of a TLD in the root, the root's DNSKEY
    "parent_ttl": 3600,            # delegations, DS, NSEC3 and DNSKEY of .de and of the healthy TLD
    "child_link_ttl": 3600,        # NS, DNSKEY of a child, addresses of name servers
    "negative_ttl": 600,           # SOA minimum of a child
    "answer_ttls": (300, 600, 1200, 3600),     # A records, one in four each
    "max_age": 3 * 86400,          # stale.max_age, serve-expired-ttl, max-stale-ttl and their kin
    "delegation_max_age": 7 * 86400,
    "recheck": 30,                 # RFC 8767 failure recheck timer of a name
    "bogus_ttl": 60,               # how long peers remember a failed validation (val-bogus-ttl and kin)
}

# Seconds in the lab, whatever the factor.
FIXED = {
    "stub_timeout": 5.0,           # a stub's patience with one server (resolv.conf: timeout:5)
    "stub_timeouts": 2,            # attempts:2
    "stub_servfail_tries": 3,      # a stub with several servers asks the next one on SERVFAIL
    "client_timeout_ms": 1800,     # RFC 8767 client response timer
    "answer_ttl": 1,               # of stale answers: 30 s would be half an hour of the day
    "probe_interval": 5,           # of an NTA and of an incident: the five minutes of RFC 9520, scaled by 60
    "advice_limit": 10,            # real seconds: people wait for it
    "nta_lifetime": 3600,          # ends by its probe, not by its time
    "prefetch_share": 0.1,         # a ratio
}

NTA_AT = 0.85                      # of the outage
# Scenario restart. Not one stub's timeout apart, or both of a stub's two attempts would fall into them.
KILL_AT, CLEAN_AT = 0.30, 0.65


class Scale:
    def __init__(self, seconds):
        self.seconds = float(seconds)
        self.factor = OUTAGE_S / self.seconds
        self.short = seconds < 60
        self.scaled = dict(SCALED)
        self.storm = None              # (from, to, tries): seconds between which stubs ask so often on SERVFAIL

    def override(self, real):
        """Other real seconds for this run."""
        self.scaled.update(real)

    def real(self, seconds):
        """Lab seconds, whole, at least one."""
        return max(1, round(seconds / self.factor))

    def servfail_tries(self, at):
        """How often a stub asks in all, of a question first asked at that second."""
        if self.storm and self.storm[0] <= at < self.storm[1]:
            return self.storm[2]
        return self.stub_servfail_tries

    def __getattr__(self, key):
        if key in SCALED:
            value = self.scaled[key]
            return tuple(map(self.real, value)) if isinstance(value, tuple) else self.real(value)
        if key in FIXED:
            return FIXED[key]
        raise AttributeError(key)

    def table(self):
        """Rows (what, real value, lab value) for reports."""
        rows = [(k, v, getattr(self, k)) for k, v in self.scaled.items()]
        return rows + [(k, v, v) for k, v in FIXED.items()]
