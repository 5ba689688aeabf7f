"""What an off-path attacker has to guess is random: source port, id and case of each question (RFC 5452). The bounds are six
standard deviations wide and more: a sound generator fails them once in ten million runs, a counter or a narrow range at once."""

import collections
import math
import struct

import pytest

import asker
import conftest
import sniff

NAMES = 400
BUCKETS, CHI_SQUARE_MOST = 16, 65.0      # 15 degrees of freedom; more than that comes once in 30 million
SIGMAS = 6

Question = collections.namedtuple("Question", "port id name")


def udp_payload(packet):
    """(source port, payload) of a UDP packet to port 53, else None."""
    start = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
    if protocol != 17 or len(packet) < start + 8 + 17:
        return None
    source, target = struct.unpack("!HH", packet[start:start + 4])
    return (source, packet[start + 8:]) if target == 53 else None


def name_as_sent(message):
    labels, at = [], 12
    while at < len(message) and 0 < message[at] < 64:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels)


class Watch(sniff.Sniffer):
    """Every question that leaves over UDP, byte for byte."""

    def take(self, packet, question):
        found = udp_payload(packet)
        if found:
            self.log.append(Question(found[0], struct.unpack("!H", found[1][:2])[0], name_as_sent(found[1])))


def chi_square(values, least, most):
    """Of the values' spread over equal parts of the range."""
    counts = collections.Counter((v - least) * BUCKETS // (most + 1 - least) for v in values)
    expected = len(values) / BUCKETS
    return sum((counts[b] - expected) ** 2 / expected for b in range(BUCKETS))


def is_share(count, of, share):
    return abs(count - of * share) <= SIGMAS * math.sqrt(of * share * (1 - share))


def asked_by(maker, names, label):
    watch = Watch()
    try:
        resolver = maker(label)
        results = asker.ask_many([(n, "A") for n in names], port=resolver.port, timeout=15, retry_s=16)
        assert all(r is not None and r.answer for r, _ in results)
        resolver.stop()
        return watch.since(0)
    finally:
        watch.close()


@pytest.fixture(scope="module")
def runs(lab, programs, workspace):
    names = [name for name, _ in lab.manifest["hot"]][:NAMES]
    assert len(names) == NAMES
    maker = conftest.Maker(lab, programs, workspace)
    try:
        return [asked_by(maker, names, "random-%d" % n) for n in (1, 2)]
    finally:
        maker.finish()


def test_ports_and_ids_are_spread_over_their_whole_range(runs):
    for sent in runs:
        assert len(sent) >= NAMES
        assert all(q.port >= 1024 for q in sent)
        assert chi_square([q.port for q in sent], 1024, 65535) < CHI_SQUARE_MOST
        assert chi_square([q.id for q in sent], 0, 65535) < CHI_SQUARE_MOST
        for bit in range(16):
            assert is_share(sum(q.id >> bit & 1 for q in sent), len(sent), 0.5), "bit %d of the ids" % bit


def test_no_question_tells_the_next_ones_port_or_id(runs):
    for sent in runs:
        pairs = list(zip(sent, sent[1:]))
        for field, most in (("id", 65536), ("port", 65536 - 1024)):
            steps = [(getattr(b, field) - getattr(a, field)) % most for a, b in pairs]
            assert chi_square(steps, 0, most - 1) < CHI_SQUARE_MOST, "steps of the %s" % field
            # few come twice: n^2 / 2m of them by chance
            again = len(sent) - len({getattr(q, field) for q in sent})
            assert again <= 10 + 4 * len(sent) ** 2 / (2 * most), "%d times a %s again" % (again, field)
        assert chi_square([(q.id - q.port) % 65536 for q in sent], 0, 65535) < CHI_SQUARE_MOST


def test_a_new_start_is_another_sequence(runs):
    assert not {(q.port, q.id) for q in runs[0][:200]} & {(q.port, q.id) for q in runs[1][:200]}


def test_half_of_the_letters_are_upper_case(runs):
    for sent in runs:
        letters = [c for q in sent for c in q.name if c.isalpha()]
        assert len(letters) > 5 * NAMES
        assert is_share(sum(c.isupper() for c in letters), len(letters), 0.5)
