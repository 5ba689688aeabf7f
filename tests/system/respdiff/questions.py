"""The questions of the comparison, made from the lab's manifest."""

import re

import dns.name

TYPES = ("A", "AAAA", "TXT", "MX", "NS", "SOA", "DS", "DNSKEY", "CNAME", "TYPE65281")
# The many zones that differ in algorithm and denial alone: every name of theirs gets one type more, which rotates.
ALIKE = re.compile(r"(\S+ nsec\S* in \S+.*|unsigned.*)$")
# Servers that do not answer cost each resolver its whole patience: one question for each such name.
SLOW = ("broken: dead", "broken: lame", "broken: glueless loop")


def sibling(name, label):
    """A name beside this one that is in no zone of the lab (where no wildcard makes it one); the root's: below it."""
    parsed = dns.name.from_text(name)
    parent = parsed.parent() if len(parsed) > 1 else parsed
    return dns.name.Name((label,) + parent.labels).to_text()


def below(name, label):
    """A name below this one, or None when it would be too long."""
    try:
        return dns.name.Name((label,) + dns.name.from_text(name).labels).to_text()
    except dns.name.NameTooLong:
        return None


def build(manifest):
    """[(name, type, checked, slow)] without doubles, in the manifest's order: all with CD=0, the broken with CD=1."""
    asked = {}
    for number, question in enumerate(manifest):
        name, kind = question["name"], question["kind"]
        broken = question["rcode"] == "SERVFAIL"
        slow = kind.startswith(SLOW)
        chosen = {(name, question["type"]): None}
        if not slow and ALIKE.match(kind):
            chosen[(name, TYPES[number % len(TYPES)])] = None
            if number % 4 == 0:
                chosen[(sibling(name, b"respdiff-%d" % (number % 7)), TYPES[number // 4 % len(TYPES)])] = None
        elif not slow:
            chosen.update({(name, rdtype): None for rdtype in TYPES})
            chosen[(sibling(name, b"respdiff"), "A")] = None
            chosen[(sibling(name, b"respdiff"), "DS")] = None
            child = below(name, b"respdiff")
            if child:
                chosen[(child, "TXT")] = None
        for pair in chosen:
            for checked in (True, False) if broken else (True,):
                asked[pair + (checked, slow)] = None
    return list(asked)
