"""What of two replies is compared, and the reviewed list of differences that have a reason."""

import fnmatch

import dns.flags
import dns.rcode
import dns.rdatatype

import asker

FIELDS = ("answered", "rcode", "ad", "data", "ede")
EDE_CLASSES = {"unsupported": {1, 2, 27}, "stale": {3, 19}, "bogus": {5, 6, 7, 8, 9, 10, 11, 12}, "network": {22, 23}}


def ede_class(codes):
    names = {next((name for name, members in EDE_CLASSES.items() if code in members), "other") for code in codes}
    return "+".join(sorted(names)) or "none"


def digest(response, checked):
    """What is compared, as texts: {field: text}. Data is the set of answer records with their owners, so the CNAME
    chain and the final RRset; the order and signatures do not count. Without checking, AD and EDE do not either."""
    if response is None:
        return {"answered": "no"}
    lines = sorted({("%s %s %s" % (rrset.name, dns.rdatatype.to_text(rrset.rdtype), rdata)).lower()
                    for rrset in response.answer if rrset.rdtype != dns.rdatatype.RRSIG for rdata in rrset})
    result = {"answered": "yes", "rcode": dns.rcode.to_text(response.rcode()), "data": "; ".join(lines) or "none"}
    if checked:
        result["ad"] = "yes" if response.flags & dns.flags.AD else "no"
        result["ede"] = ede_class({code for code, _ in asker.edes(response)})
    return result


def differences(question, ours, theirs, peer):
    """The fields that differ, as dicts. Where the rcode differs, data, AD and EDE follow from it and are not counted
    again: one difference is one entry."""
    name, rdtype, checked = question
    result = []
    for field in FIELDS:
        mine, other = ours.get(field), theirs.get(field)
        if mine == other:
            continue
        result.append({"peer": peer, "field": field, "name": name.lower(), "type": rdtype,
                       "cd": not checked, "ours": mine, "theirs": other,
                       "ours_all": ours, "theirs_all": theirs})
        if field in ("answered", "rcode"):
            break
    return result


class Explained:
    """The reviewed list. A paragraph is one reason and the patterns it covers:

        reason: why neither is wrong, or why it is ours that is right
        match: PEER FIELD TYPE NAME OURS THEIRS

    Each of the six is a shell pattern without blanks; alternatives are separated by |. FIELD may end in /cd, which
    is the pass with CD=1. OURS and THEIRS are the texts of the field; of data, "none" or "some"."""

    def __init__(self, path):
        self.entries = []
        reason, lines = None, []
        with open(path) as f:
            for number, line in enumerate(f, 1):
                line = line.strip()
                if not line or line.startswith("#"):
                    continue
                key, _, value = line.partition(":")
                value = value.strip()
                if key == "reason":
                    reason, lines = value, []
                    self.entries.append({"reason": reason, "patterns": lines, "used": 0})
                elif key == "match" and reason and len(value.split()) == 6:
                    lines.append([part.split("|") for part in value.split()])
                elif key == "more" and reason:
                    self.entries[-1]["reason"] += " " + value
                else:
                    raise ValueError("%s:%d: neither reason, more nor a match of six" % (path, number))
        empty = [e["reason"] for e in self.entries if not e["patterns"]]
        if empty:
            raise ValueError("%s: no match for: %s" % (path, empty))

    @staticmethod
    def _values(difference):
        def short(text):
            if difference["field"] == "data":
                return "none" if text == "none" else "some"
            return text
        field = difference["field"] + ("/cd" if difference["cd"] else "")
        return [difference["peer"], field, difference["type"], difference["name"], short(difference["ours"]),
                short(difference["theirs"])]

    def reason(self, difference):
        """The reason of the first entry that covers it, or None."""
        values = self._values(difference)
        for entry in self.entries:
            for pattern in entry["patterns"]:
                if all(any(fnmatch.fnmatchcase(value, alternative) for alternative in part)
                       for value, part in zip(values, pattern)):
                    entry["used"] += 1
                    return entry["reason"]
        return None

    def unused(self):
        return [entry["reason"] for entry in self.entries if not entry["used"]]
