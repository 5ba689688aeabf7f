"""Asks many questions at once over UDP (TCP after TC) and compares answers with what the manifest expects."""

import select
import socket
import struct
import time

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

EDE = 15


def make_query(name, rdtype, cd=False, do=True, ad=False, rd=True):
    q = dns.message.make_query(name, rdtype, use_edns=0, want_dnssec=do, payload=1232)
    q.flags = (dns.flags.RD if rd else 0) | (dns.flags.CD if cd else 0) | (dns.flags.AD if ad else 0)
    return q


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def ask_tcp(q, address="127.0.0.1", port=53, timeout=15):
    """One question over TCP; the reply as a message."""
    wire = q if isinstance(q, bytes) else q.to_wire()
    with socket.create_connection((address, port), timeout) as s:
        s.settimeout(timeout)
        s.sendall(struct.pack("!H", len(wire)) + wire)
        return dns.message.from_wire(read_tcp(s), ignore_trailing=True)


def read_tcp(s):
    def exactly(n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError("connection closed after %d of %d octets" % (len(data), n))
            data += more
        return data
    return exactly(struct.unpack("!H", exactly(2))[0])


def ask(name, rdtype="A", address="127.0.0.1", port=53, timeout=15, tries=3, **flags):
    """One question, with TCP when truncated. None when nothing came."""
    q = make_query(name, rdtype, **flags)
    with socket.socket(family(address), socket.SOCK_DGRAM) as s:
        s.settimeout(timeout / tries)
        s.connect((address, port))
        for _ in range(tries):
            try:
                s.send(q.to_wire())
                r = dns.message.from_wire(s.recv(65535), ignore_trailing=True)
            except (OSError, dns.exception.DNSException):
                continue
            return ask_tcp(q, address, port, timeout) if r.flags & dns.flags.TC else r
    return None


def ask_many(questions, address="127.0.0.1", port=53, window=64, timeout=12, retry_s=4, cd=False, do=True):
    """questions: [(name, type)]. A list of (message or None, seconds), in order; at most `window` under way."""
    s = socket.socket(family(address), socket.SOCK_DGRAM)
    s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    s.connect((address, port))
    results, pending, at = [None] * len(questions), {}, 0
    queries = []
    for i, (name, rdtype) in enumerate(questions):
        q = make_query(name, rdtype, cd=cd, do=do)
        q.id = i & 0xFFFF
        queries.append(q.to_wire())
    while at < len(questions) or pending:
        while at < len(questions) and len(pending) < window:
            now = time.monotonic()
            pending[at & 0xFFFF] = [at, now, now]
            send(s, queries[at])
            at += 1
        if select.select([s], [], [], 0.2)[0]:
            for _ in range(256):
                try:
                    data = s.recv(65535)
                except BlockingIOError:
                    break
                except ConnectionRefusedError:
                    continue
                entry = pending.pop(struct.unpack("!H", data[:2])[0], None)
                if entry:
                    r = dns.message.from_wire(data, ignore_trailing=True)
                    if r.flags & dns.flags.TC:
                        r = ask_tcp(queries[entry[0]], address, port, timeout)
                    results[entry[0]] = (r, time.monotonic() - entry[1])
        now = time.monotonic()
        for key, entry in list(pending.items()):
            if now - entry[1] > timeout:
                results[entry[0]] = (None, now - entry[1])
                del pending[key]
            elif now - entry[2] > retry_s:
                entry[2] = now
                send(s, queries[entry[0]])
    s.close()
    return results


def send(s, wire):
    try:
        s.send(wire)
    except (ConnectionRefusedError, BlockingIOError):
        pass


def edes(response):
    """[(code, text)] of the response."""
    result = []
    for option in response.options:
        if int(option.otype) == EDE:
            if hasattr(option, "code"):
                result.append((int(option.code), option.text or ""))
            else:
                result.append((struct.unpack("!H", option.data[:2])[0], option.data[2:].decode("utf-8", "replace")))
    return result


def answer_lines(response):
    """The answer section without signatures, sorted, as the manifest writes it."""
    lines = set()
    for rrset in response.answer:
        if rrset.rdtype == dns.rdatatype.RRSIG:
            continue
        for rdata in rrset:
            lines.add("%s %s" % (dns.rdatatype.to_text(rrset.rdtype), rdata.to_text()))
    return sorted(line.lower() for line in lines)


def same_lines(response, expected):
    return answer_lines(response) == sorted(e.lower() for e in set(expected))


def complaint(question, response):
    """Empty where the response is what the manifest expects; else what is wrong with it."""
    if response is None:
        return "no answer"
    rcode = dns.rcode.to_text(response.rcode())
    if rcode != question["rcode"]:
        return "%s instead of %s %s" % (rcode, question["rcode"], edes(response))
    ad = bool(response.flags & dns.flags.AD)
    if question["ad"] is not None and ad != question["ad"]:
        return "AD %d instead of %d %s" % (ad, question["ad"], edes(response))
    if rcode == "YXDOMAIN":
        return ""
    if rcode != "SERVFAIL" and not same_lines(response, question["answer"]):
        return "answer %s instead of %s" % (answer_lines(response), question["answer"])
    if question["ede"] and not {c for c, _ in edes(response)} & set(question["ede"]):
        return "EDE %s instead of one of %s" % (edes(response), question["ede"])
    return ""
