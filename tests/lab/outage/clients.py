"""The clients: stubs that ask on a schedule, whatever comes back, and retry as real ones do. A process of its own, so
that nothing else in the lab delays them; it leaves one record for each question a stub was asked.

A stub here is one with two servers in its resolv.conf, both of them this resolver: on SERVFAIL or REFUSED it asks the
next at once, up to three times in all; where nothing comes, it asks again after five seconds, twice in all."""

import heapq
import json
import os
import pickle
import random
import select
import socket
import struct
import time
import traceback
from collections import namedtuple

import wire

SOCKETS = 32

# name and rdtype say the question; sent, took: seconds (monotonic clock; until the last answer); first_took: until the
# first; tries: list of rcodes (-1: nothing came); answers: [(type, ttl, rdata)] and edes of the last answer.
Record = namedtuple("Record", "stream name rdtype zone index signed kind do sent took first_took tries flags rcode "
                              "answers edes authority")


class Question:
    __slots__ = ("row", "item", "do", "sent", "last", "tries", "timeouts", "tail", "first_took", "key", "most")

    def __init__(self, item, do, tail, most):
        self.item, self.do, self.tail, self.most = item, do, tail, most
        self.sent = self.last = 0.0
        self.tries, self.timeouts, self.first_took, self.key = [], 0, None, None


class Clients:
    def __init__(self, scale, address="127.0.0.1", port=53):
        self.scale = scale
        self.sockets = []
        for _ in range(SOCKETS):
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.setblocking(False)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            s.connect((address, port))
            self.sockets.append(s)
        self.poller = select.epoll()
        self.by_fd = {s.fileno(): n for n, s in enumerate(self.sockets)}
        for s in self.sockets:
            self.poller.register(s.fileno(), select.EPOLLIN)
        self.pending, self.timers, self.records = {}, [], []
        self.rng = random.Random(5)
        self.tails = {}
        self.counts = {}

    def _send(self, q, now):
        slot = self.rng.randrange(SOCKETS)
        ident = self.rng.randrange(65536)
        while (slot, ident) in self.pending:
            ident = self.rng.randrange(65536)
        q.key, q.last = (slot, ident), now
        self.pending[q.key] = q
        try:
            self.sockets[slot].send(wire.query_head(ident) + q.tail)
        except (BlockingIOError, ConnectionRefusedError, OSError):
            pass              # nobody listens just now: the stub's timeout deals with it
        heapq.heappush(self.timers, (now + self.scale.stub_timeout, q.key, id(q)))

    def ask(self, item, do, now, most):
        key = (item.name, item.rdtype, do)
        tail = self.tails.get(key)
        if tail is None:
            tail = self.tails[key] = wire.query_tail(item.name, wire.NUMBERS[item.rdtype], do)
        q = Question(item, do, tail, most)
        q.sent = now
        self._send(q, now)

    def _finish(self, q, now, reply):
        i = q.item
        self.records.append(Record(
            i.stream, i.name, i.rdtype, i.zone, i.index, i.signed, i.kind, q.do, q.sent, now - q.sent,
            q.first_took, q.tries, reply.flags if reply else 0, reply.rcode if reply else -1,
            reply.answers if reply else [], reply.edes if reply else [], reply.authority if reply else []))
        what = "timeout" if reply is None else "SERVFAIL" if reply.rcode == wire.SERVFAIL else \
            wire.RCODES.get(reply.rcode, "other") if reply.rcode not in (0, 3) else "ok"
        if what == "ok" and any(c in (3, 19) for c, _ in reply.edes):
            what = "ok+EDE3"
        self.counts[what] = self.counts.get(what, 0) + 1

    def _answered(self, slot, data, now):
        if len(data) < 12:
            return
        q = self.pending.pop((slot, data[0] << 8 | data[1]), None)
        if q is None:
            return
        try:
            reply = wire.Reply(data)
        except (IndexError, struct.error, ValueError):
            reply = None
        if q.first_took is None:
            q.first_took = now - q.sent
        q.tries.append(reply.rcode if reply else -2)
        if reply and reply.rcode in (wire.SERVFAIL, wire.REFUSED) and len(q.tries) < q.most:
            self._send(q, now)
            return
        self._finish(q, now, reply)

    def _expire(self, now):
        while self.timers and self.timers[0][0] <= now:
            _, key, ident = heapq.heappop(self.timers)
            q = self.pending.get(key)
            if q is None or id(q) != ident or q.key != key:
                continue
            del self.pending[key]
            q.tries.append(-1)
            q.timeouts += 1
            if q.timeouts < self.scale.stub_timeouts and len(q.tries) < q.most:
                self._send(q, now)
            else:
                self._finish(q, now, None)

    def run(self, rows, start, live=None):
        """rows: [(seconds, Item, DO)]; start: monotonic time of second 0. live: a descriptor for a line a second."""
        at, tick = 0, start
        while at < len(rows) or self.pending:
            now = time.monotonic()
            while at < len(rows) and start + rows[at][0] <= now:
                self.ask(rows[at][1], rows[at][2], now, self.scale.servfail_tries(rows[at][0]))
                at += 1
            self._expire(now)
            if now >= tick and live is not None:
                os.write(live, (json.dumps([round(now - start, 2), self.counts, len(self.pending)]) + "\n").encode())
                self.counts = {}
                tick += 1
            due = [tick] + [t[0] for t in self.timers[:1]]
            if at < len(rows):
                due.append(start + rows[at][0])
            for fd, _ in self.poller.poll(max(0.0, min(min(due) - time.monotonic(), 0.5))):
                slot = self.by_fd[fd]
                for _ in range(64):
                    try:
                        data = self.sockets[slot].recv(4096)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    self._answered(slot, data, time.monotonic())
        return self.records


def in_process(stage_net, rows, scale, start, path, live, setns):
    """Forks; the child asks in the resolver's namespace and leaves its records in `path`. The child's pid."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        setns(stage_net)
        records = Clients(scale).run(rows, start, live)
        with open(path + ".new", "wb") as f:
            pickle.dump([tuple(r) for r in records], f, protocol=4)
        os.rename(path + ".new", path)
        code = 0
    except Exception:
        traceback.print_exc()
    finally:
        os._exit(code)


def read_records(path):
    with open(path, "rb") as f:
        return [Record(*r) for r in pickle.load(f)]
