"""What really went over the wire between the resolver and the servers: every question, and of every reply what it was
about. A process of its own on the resolver's end of the veth pair."""

import os
import pickle
import signal
import socket
import struct
import time
import traceback
from collections import namedtuple

import wire

ETH_P_ALL, ETH_P_IP, SO_RCVBUFFORCE, SO_TIMESTAMPNS = 3, 0x0800, 33, 35

# out: a question to a server (tcp: with payload). Replies have rcode, aa and the counts of their sections.
Packet = namedtuple("Packet", "at out server name rdtype tcp rcode aa an ns")


def parse(packet):
    """A Packet without its time and direction, or None."""
    start, protocol = (packet[0] & 15) * 4, packet[9]
    if protocol == 17:
        source, target = struct.unpack_from("!HH", packet, start)
        data, tcp = packet[start + 8:], False
    elif protocol == 6:
        source, target = struct.unpack_from("!HH", packet, start)
        data, tcp = packet[start + (packet[start + 12] >> 4) * 4 + 2:], True
    else:
        return None
    if 53 not in (source, target) or len(data) < 17:
        return None
    out = target == 53
    server = socket.inet_ntoa(packet[16:20] if out else packet[12:16])
    flags, _, an, ns = struct.unpack_from("!HHHH", data, 2)
    try:
        name, at = wire.read_name(data, 12)
        rdtype = struct.unpack_from("!H", data, at)[0]
    except (IndexError, struct.error, ValueError):
        return None
    return out, server, name, rdtype, tcp, flags & 15, bool(flags & wire.FLAG_AA), an, ns


def start(net, path, setns, interface="toservers"):
    """Forks; the child writes what it saw to `path` when it gets SIGTERM. The child's pid; returns when it listens."""
    ready_read, ready_write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(ready_write)
        os.read(ready_read, 1)
        os.close(ready_read)
        return pid
    code = 1
    try:
        setns(net)
        stop = []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
        s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        s.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        s.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        s.bind((interface, 0))
        s.settimeout(0.2)
        os.write(ready_write, b"x")
        seen = []
        # The kernel stamps a packet when it passes; this process may be scheduled long after the resolver's answer.
        clocks = time.monotonic() - time.time()
        while not stop:
            try:
                packet, notes, _, address = s.recvmsg(4096, 256)
            except socket.timeout:
                continue
            if address[1] != ETH_P_IP or not notes:
                continue
            seconds, nanoseconds = struct.unpack("ll", notes[0][2][:16])
            now = seconds + nanoseconds / 1e9 + clocks
            parsed = parse(packet)
            if parsed:
                seen.append((now,) + parsed)
        with open(path + ".new", "wb") as f:
            pickle.dump(seen, f, protocol=4)
        os.rename(path + ".new", path)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def read_log(path):
    with open(path, "rb") as f:
        return [Packet(*p) for p in pickle.load(f)]
