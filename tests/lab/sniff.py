"""Counts the questions a resolver sends upstream: listens on the veth pair of the resolver's namespace."""

import socket
import struct
import threading
import time

MARK, MARK_ADDRESS = "sniffer-mark-", "10.54.0.1"
ETH_P_ALL, PACKET_OUTGOING = 3, 4
SO_RCVBUFFORCE = 33


def read_name(data, at):
    labels = []
    while at < len(data) and data[at] and data[at] < 64:
        labels.append(data[at + 1:at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return ".".join(labels).lower() + ".", at + 1


def parse_question(data):
    """(qname, qtype) of a DNS message, or None."""
    if len(data) < 17:
        return None
    name, at = read_name(data, 12)
    if at + 2 > len(data):
        return None
    return name, struct.unpack("!H", data[at:at + 2])[0]


def parse_packet(packet):
    """(server, qname, qtype, transport) of an IP packet that asks something at port 53, else None."""
    version = packet[0] >> 4
    if version == 4:
        start, protocol, server = (packet[0] & 15) * 4, packet[9], socket.inet_ntop(socket.AF_INET, packet[16:20])
    elif version == 6:
        start, protocol, server = 40, packet[6], socket.inet_ntop(socket.AF_INET6, packet[24:40])
    else:
        return None
    if len(packet) < start + 8 or struct.unpack("!H", packet[start + 2:start + 4])[0] != 53:
        return None
    if protocol == 17:
        transport, payload = "udp", packet[start + 8:]
    elif protocol == 6:
        transport, payload = "tcp", packet[start + (packet[start + 12] >> 4) * 4:]
        payload = payload[2:] if len(payload) > 2 else b""
    else:
        return None
    question = parse_question(payload)
    return (server, question[0], question[1], transport) if question else None


class Sniffer:
    """Make it inside the resolver's namespace. `log` grows with every question sent."""

    def __init__(self, interface="toservers"):
        self.log, self.marks, self.seen = [], 0, 0
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self.socket.bind((interface, 0))
        self.socket.settimeout(0.2)
        self.running = True
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.running:
            try:
                packet, address = self.socket.recvfrom(2048)
            except socket.timeout:
                continue
            if address[2] == PACKET_OUTGOING:
                question = parse_packet(packet)
                if question and question[1].startswith(MARK):
                    self.seen += 1
                elif question:
                    self.take(packet, question)

    def take(self, packet, question):
        """Of each packet that asks something; question as parse_packet() gives it."""
        self.log.append(question)

    def settle(self):
        """Returns when every packet sent before this call is in the log: a packet of our own comes last."""
        self.marks += 1
        label = "%s%d" % (MARK, self.marks)
        wire = bytes(4) + b"\0\1" + bytes(6) + bytes([len(label)]) + label.encode() + b"\0\0\1\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(wire, (MARK_ADDRESS, 53))
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.seen == self.marks:
                return
            time.sleep(0.001)
        raise AssertionError("the sniffer does not see its own packets")

    def mark(self):
        self.settle()
        return len(self.log)

    def since(self, mark):
        self.settle()
        return self.log[mark:]

    def close(self):
        self.running = False
        self.thread.join()
        self.socket.close()
