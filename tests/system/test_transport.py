"""netd's manners: TCP, truncation, EDNS, errors where they are due, special-use names."""

import socket
import struct
import time

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype
import pytest

import asker

GOOD = "www.p256-nsec.com."


def udp_raw(wire, port, timeout=3, source=None, address="127.0.0.1"):
    """The reply's octets, or None."""
    with socket.socket(asker.family(address), socket.SOCK_DGRAM) as s:
        if source:
            s.bind((source, 0))
        s.settimeout(timeout)
        s.connect((address, port))
        s.send(wire)
        try:
            return s.recv(65535)
        except OSError:
            return None


def header(flags=0x0100, counts=(1, 0, 0, 0), number=0x4242):
    return struct.pack("!HHHHHH", number, flags, *counts)


def question(name=b"\3www\11p256-nsec\3com\0", rdtype=1, rdclass=1):
    return name + struct.pack("!HH", rdtype, rdclass)


def opt(version=0, size=1232, options=b"", flags=0):
    return b"\0" + struct.pack("!HHBBHH", 41, size, 0, version, flags, len(options)) + options


def rcode_of(reply):
    return None if reply is None else reply[3] & 15


def framed(wire):
    return struct.pack("!H", len(wire)) + wire


def connect(resolver, address="127.0.0.1"):
    s = socket.create_connection((address, resolver.port), 5)
    s.settimeout(15)
    return s


def read_all(s, count):
    return [dns.message.from_wire(asker.read_tcp(s), ignore_trailing=True) for _ in range(count)]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_udp_and_tcp_answer_on_both_families(resolver, address):
    udp = asker.ask(GOOD, "A", address=address, port=resolver.port)
    tcp = asker.ask_tcp(asker.make_query(GOOD, "A"), address, resolver.port)
    assert udp.answer and asker.answer_lines(udp) == asker.answer_lines(tcp)


def test_pipelined_tcp_questions_are_all_answered(resolver, lab):
    names = [h[0] for h in lab.manifest["hot"][::40]]
    with connect(resolver) as s:
        stream = b""
        for i, name in enumerate(names):
            q = asker.make_query(name, "A")
            q.id = i
            stream += framed(q.to_wire())
        s.sendall(stream)
        replies = {r.id: r for r in read_all(s, len(names))}
    expected = dict(lab.manifest["hot"])
    for i, name in enumerate(names):
        assert asker.answer_lines(replies[i]) == ["a " + expected[name]]


def test_tcp_answers_overtake_each_other(resolver):
    resolver.ask(GOOD)
    slow, fast = asker.make_query("a1.slow.org.", "A"), asker.make_query(GOOD, "A")
    slow.id, fast.id = 1, 2
    with connect(resolver) as s:
        s.sendall(framed(slow.to_wire()) + framed(fast.to_wire()))
        assert [r.id for r in read_all(s, 2)] == [2, 1]


def test_tcp_octet_by_octet(resolver):
    with connect(resolver) as s:
        for octet in framed(asker.make_query(GOOD, "A").to_wire()):
            s.sendall(bytes([octet]))
            time.sleep(0.002)
        assert read_all(s, 1)[0].answer


def test_tcp_half_closed_client_still_gets_its_answer(resolver):
    with connect(resolver) as s:
        s.sendall(framed(asker.make_query("h3.p003.de.", "A").to_wire()))
        s.shutdown(socket.SHUT_WR)
        assert read_all(s, 1)[0].answer


@pytest.mark.parametrize("name,count,cached", [("txt.big.com.", 60, True), ("huge.big.com.", 80, True),
                                               ("huge.big.com.", 4, False)])
def test_tcp_half_closed_client_gets_all_that_it_asked_for(resolver, name, count, cached):
    """Replies that are due together are sent together, as far as the client takes them: none is left behind when the
    connection ends with the last, and what the client's window holds back is not more than a client may have."""
    whole = asker.answer_lines(asker.ask_tcp(asker.make_query(name, "TXT"), port=resolver.port))
    if not cached:
        assert resolver.ctl("flush-caches", name).returncode == 0
    stream = b""
    for i in range(count):
        q = asker.make_query(name, "TXT")
        q.id = i
        stream += framed(q.to_wire())
    with connect(resolver) as s:
        s.sendall(stream)
        s.shutdown(socket.SHUT_WR)
        replies = read_all(s, count)
        assert s.recv(1) == b""
    assert sorted(r.id for r in replies) == list(range(count))
    assert all(asker.answer_lines(r) == whole for r in replies)


def test_tcp_keepalive_option_is_answered(resolver):
    wire = header(counts=(1, 0, 0, 1)) + question() + opt(options=struct.pack("!HH", 11, 0))
    with connect(resolver) as s:
        s.sendall(framed(wire))
        reply = read_all(s, 1)[0]
    assert 11 in [int(o.otype) for o in reply.options]


@pytest.mark.parametrize("name,rdtype", [("many.big.com.", "A"), ("txt.big.com.", "TXT"), ("huge.big.com.", "TXT")])
def test_big_answers_are_truncated_over_udp_and_whole_over_tcp(resolver, name, rdtype):
    reply = udp_raw(asker.make_query(name, rdtype).to_wire(), resolver.port, timeout=10)
    assert len(reply) <= 1232 and dns.message.from_wire(reply, ignore_trailing=True).flags & dns.flags.TC
    whole = asker.ask_tcp(asker.make_query(name, rdtype), port=resolver.port)
    assert not whole.flags & dns.flags.TC and whole.answer and whole.flags & dns.flags.AD


def test_without_edns_an_answer_fits_512_octets_and_has_no_opt(resolver):
    reply = udp_raw(header() + question(b"\4many\3big\3com\0"), resolver.port, timeout=10)
    assert len(reply) <= 512 and struct.unpack("!H", reply[2:4])[0] & dns.flags.TC
    small = dns.message.from_wire(udp_raw(header() + question(), resolver.port))
    assert small.answer and small.edns == -1


def test_edns_version_one_is_badvers(resolver):
    reply = dns.message.from_wire(udp_raw(header(counts=(1, 0, 0, 1)) + question() + opt(version=1), resolver.port))
    assert reply.rcode() == dns.rcode.BADVERS and reply.edns == 0


def test_unknown_edns_options_are_ignored(resolver):
    wire = header(counts=(1, 0, 0, 1)) + question() + opt(options=struct.pack("!HH", 65001, 4) + b"abcd")
    reply = dns.message.from_wire(udp_raw(wire, resolver.port))
    assert reply.rcode() == 0 and reply.answer


@pytest.mark.parametrize("what,wire,rcodes", [
    ("two questions", header(counts=(2, 0, 0, 0)) + question() + question(), {1}),
    ("no question", header(counts=(0, 0, 0, 0)), {1}),
    ("cut question", header() + question()[:-2], {1}),
    ("two OPT", header(counts=(1, 0, 0, 2)) + question() + opt() + opt(), {1}),
    ("OPT with an owner", header(counts=(1, 0, 0, 1)) + question() + b"\1a" + opt(), {1}),
    ("notify", header(flags=0x2000) + question(rdtype=6), {4, 5}),
    ("update", header(flags=0x2800) + question(rdtype=6), {4, 5}),
    ("status", header(flags=0x1000) + question(), {4}),
    ("iquery", header(flags=0x0800) + question(), {4}),
    ("chaos", header() + question(b"\7version\4bind\0", 16, 3), {5, 4}),
    ("hesiod", header() + question(rdclass=4), {5, 4}),
    ("axfr", header() + question(rdtype=252), {5, 4, 1}),
    ("ixfr", header() + question(rdtype=251), {5, 4, 1}),
    ("OPT as type", header() + question(rdtype=41), {1, 4, 5}),
    ("TSIG as type", header() + question(rdtype=250), {1, 4, 5}),
    ("TKEY as type", header() + question(rdtype=249), {1, 4, 5}),
    ("MAILB", header() + question(rdtype=253), {1, 4, 5}),
    ("no recursion desired", header(flags=0) + question(b"\5never\5asked\3com\0"), {5}),
])
def test_errors_where_they_are_due(resolver, what, wire, rcodes):
    reply = udp_raw(wire, resolver.port)
    assert rcode_of(reply) in rcodes, what
    assert reply[:2] == b"\x42\x42" and reply[2] & 0x80


def test_nxname_is_refused_with_its_reason(resolver):
    wire = header(counts=(1, 0, 0, 1)) + question(rdtype=128) + opt()
    reply = dns.message.from_wire(udp_raw(wire, resolver.port))
    assert reply.rcode() == dns.rcode.FORMERR and [c for c, _ in asker.edes(reply)] == [30]


@pytest.mark.parametrize("wire", [header(flags=0x8100) + question(), b"", b"\0" * 11],
                         ids=["response", "empty", "eleven octets"])
def test_what_is_no_question_gets_no_answer(resolver, wire):
    assert udp_raw(wire, resolver.port, timeout=0.5) is None
    assert resolver.ask(GOOD).answer


def test_the_question_comes_back_as_it_was_written(resolver):
    reply = resolver.ask("wWw.P256-nSeC.cOm.")
    assert reply.question[0].name.to_text() == "wWw.P256-nSeC.cOm."


def test_ttl_counts_down(resolver):
    first = resolver.ask("h1.p001.net.").answer[0].ttl
    time.sleep(2.1)
    assert first - 4 <= resolver.ask("h1.p001.net.").answer[0].ttl < first


def test_any_is_kept_small(resolver):
    reply = resolver.ask("p256-nsec.com.", "ANY")
    assert reply.rcode() == 0 and len(reply.to_wire()) <= 1232


@pytest.mark.parametrize("name,rdtype,rcode,answer", [
    ("localhost.", "A", "NOERROR", ["a 127.0.0.1"]),
    ("localhost.", "AAAA", "NOERROR", ["aaaa ::1"]),
    ("any.localhost.", "A", "NOERROR", ["a 127.0.0.1"]),
    ("1.0.0.127.in-addr.arpa.", "PTR", "NOERROR", ["ptr localhost."]),
    ("1." + "0." * 31 + "ip6.arpa.", "PTR", "NOERROR", ["ptr localhost."]),
    ("x.invalid.", "A", "NXDOMAIN", []),
    ("x.test.", "A", "NXDOMAIN", []),
    ("abc.onion.", "A", "NXDOMAIN", []),
    ("router.home.arpa.", "A", "NXDOMAIN", []),
    ("4.3.2.10.in-addr.arpa.", "PTR", "NXDOMAIN", []),
    ("1.1.168.192.in-addr.arpa.", "PTR", "NXDOMAIN", []),
    ("1.2.0.192.in-addr.arpa.", "PTR", "NXDOMAIN", []),
    ("1.0.0.0.d.f.ip6.arpa.", "PTR", "NXDOMAIN", []),
])
def test_special_use_names_never_leave(resolver, sniffer, name, rdtype, rcode, answer):
    mark = sniffer.mark()
    reply = resolver.ask(name, rdtype)
    assert dns.rcode.to_text(reply.rcode()) == rcode
    assert asker.answer_lines(reply) == answer
    time.sleep(0.05)
    assert not [q for q in sniffer.since(mark) if q[1] == name]


def test_strangers_are_refused(make_resolver):
    resolver = make_resolver("acl", port=5299, listen=("127.0.0.1:5299", "10.54.0.2:5299"))
    wire = asker.make_query(GOOD, "A").to_wire()
    assert rcode_of(udp_raw(wire, 5299, address="10.54.0.2", source="10.54.0.2")) in (None, 5)
    assert rcode_of(udp_raw(wire, 5299, timeout=10)) == 0
