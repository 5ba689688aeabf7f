#!/usr/bin/python3
"""An authoritative server that misbehaves on purpose, one zone an address (see catalogue.scripted). Its answers are
unsigned and made up from the question, so that no zone file bounds what it says."""

import os
import select
import socket
import struct
import sys
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

UDP_SIZE = 1232
ZONES = ("nxns", "loop", "cnames", "flood", "silent", "garbage", "slow", "versions")


def rr(name, ttl, kind, *texts):
    return dns.rrset.from_text(name, ttl, "IN", kind, *texts)


def number_of(label):
    digits = "".join(c for c in label if c.isdigit())
    return int(digits) if digits else 0


def soa(zone):
    return rr(zone, 60, "SOA", "ns1.%s h.%s 1 60 60 60 60" % (zone, zone))


def nxns(r, name, zone):
    """Every name below is a referral to many name servers that do not exist (NXNSAttack)."""
    cut = ".".join(name.split(".")[-4:])
    r.flags &= ~dns.flags.AA
    r.authority.append(rr(cut, 60, "NS", *["ns%d-%s.victim%d.org." % (i, name.split(".")[0], i) for i in range(60)]))


def loop(r, name, zone):
    """Zones whose name servers point at each other (tsuNAME)."""
    cut = ".".join(name.split(".")[-4:])
    n = number_of(cut.split(".")[0])
    r.flags &= ~dns.flags.AA
    r.authority.append(rr(cut, 60, "NS", "ns.z%d.%s" % ((n + 1) % 3, zone)))


def cnames(r, name, zone):
    """A CNAME chain without end."""
    r.answer.append(rr(name, 60, "CNAME", "c%d.%s" % (number_of(name.split(".")[0]) + 1, zone)))


def flood(r, name, zone):
    """An answer with unrelated records in every section."""
    r.answer.append(rr(name, 60, "A", "192.0.2.66"))
    r.answer.append(rr("www.plain.com.", 60, "A", "192.0.2.66"))
    r.authority.append(rr("com.", 60, "NS", "ns1.%s" % zone))
    r.authority.append(rr("plain.org.", 60, "NS", "ns1.%s" % zone))
    r.additional.append(rr("ns1.h2.hoster.net.", 60, "A", "192.0.2.66"))
    r.additional.append(rr("a.gtld-servers.net.", 60, "A", "192.0.2.66"))


def plain(r, name, zone):
    r.answer.append(rr(name, 60, "A", "192.0.2.7"))


def answer(query_wire, zone_label):
    """Reply octets, or None for silence."""
    query = dns.message.from_wire(query_wire)
    zone = zone_label + ".org."
    name = query.question[0].name.to_text().lower()
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    if zone_label == "silent" and name != zone:
        return None
    if zone_label == "garbage" and name != zone:
        return query_wire[:2] + os.urandom(60)
    if name == zone or name.startswith("ns1."):
        if name.startswith("ns1.") or query.question[0].rdtype != 6:
            response.authority.append(soa(zone))
        else:
            response.answer.append(soa(zone))
    elif zone_label in ("nxns", "loop", "cnames", "flood"):
        {"nxns": nxns, "loop": loop, "cnames": cnames, "flood": flood}[zone_label](response, name, zone)
    elif query.question[0].rdtype == 1:
        plain(response, name, zone)
    else:
        response.authority.append(soa(zone))
    return response.to_wire(max_size=65535)


def cut_for_udp(reply):
    """What fits a datagram whole, else header and question with TC."""
    if len(reply) <= UDP_SIZE:
        return reply
    end = 12
    while reply[end]:
        end += 1 + reply[end]
    return reply[:2] + bytes([reply[2] | 2, reply[3]]) + b"\0\1\0\0\0\0\0\0" + reply[12:end + 5]


def serve(addresses):
    """One thread, one poll: what is slow here is slow on purpose."""
    by_family = {4: [a for a in addresses if ":" not in a], 6: [a for a in addresses if ":" in a]}
    sockets, listeners, delayed = {}, {}, []
    for family, group in by_family.items():
        for label, address in zip(ZONES, group):
            kind = socket.AF_INET if family == 4 else socket.AF_INET6
            s = socket.socket(kind, socket.SOCK_DGRAM)
            s.bind((address, 53))
            sockets[s] = label
            t = socket.socket(kind, socket.SOCK_STREAM)
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            t.bind((address, 53))
            t.listen(64)
            listeners[t] = label
    while True:
        timeout = max(0, delayed[0][0] - time.monotonic()) if delayed else 5
        readable, _, _ = select.select(list(sockets) + list(listeners), [], [], timeout)
        for s in readable:
            try:
                if s in sockets:
                    data, peer = s.recvfrom(65535)
                    reply = answer(data, sockets[s])
                    if reply is None:
                        continue
                    if sockets[s] == "slow":
                        delayed.append((time.monotonic() + 0.6, s, reply, peer))
                    else:
                        s.sendto(cut_for_udp(reply), peer)
                else:
                    connection, _ = s.accept()
                    with connection:
                        connection.settimeout(0.5)
                        size = struct.unpack("!H", connection.recv(2, socket.MSG_WAITALL))[0]
                        reply = answer(connection.recv(size, socket.MSG_WAITALL), listeners[s])
                        if reply:
                            connection.sendall(struct.pack("!H", len(reply)) + reply)
            except Exception as error:      # a broken question must not end the server
                sys.stderr.write("scripted: %s\n" % error)
        while delayed and delayed[0][0] <= time.monotonic():
            _, s, reply, peer = delayed.pop(0)
            s.sendto(reply, peer)


if __name__ == "__main__":
    serve(sys.argv[1:])
