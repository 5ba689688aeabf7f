"""kill -9 of each daemon in turn under load: nobody waits longer than two seconds, nobody gets a wrong answer."""

import os
import select
import signal
import socket
import struct
import time

import dns.flags
import dns.message
import dns.rcode

import asker

RATE, SECONDS = 500, 20
KILLS = ((3.0, "holdfast-recursord"), (8.0, "holdfast-validatord"), (13.0, "holdfast-netd"))
RETRY_S, LIMIT_S = 1.0, 2.0
STARTS = 4      # on a slow machine the limit is so many times what a start of all took
RETRY_ID = 0x8000      # its reply tells that the first packet was lost, and not merely late
SO_RCVBUFFORCE = 33


class Load:
    """An open-loop client: `RATE` questions a second, known names mostly, one in five not asked before."""

    def __init__(self, resolver, hot):
        self.resolver = resolver
        self.limit_s = max(LIMIT_S, STARTS * resolver.start_took)
        self.cached, self.fresh = hot[:200], hot[200:]
        self.sent, self.killed_at, self.records = {}, {}, []
        self.stalls = [(0.0, 0.0)]      # (when, how long) this process did not come to its turn
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A late wake-up of this process sends and gets hundreds at once; they must not be lost on this side.
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.setblocking(False)
        self.socket.connect(("127.0.0.1", resolver.port))

    def send(self, wire):
        try:
            self.socket.send(wire)
        except (ConnectionRefusedError, BlockingIOError):
            pass

    def next_question(self, number):
        if number % 5 == 4 and number // 5 < len(self.fresh):
            return self.fresh[number // 5], False
        return self.cached[number % len(self.cached)], True

    def receive(self):
        while True:
            try:
                data = self.socket.recv(65535)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue
            number = struct.unpack("!H", data[:2])[0]
            entry = self.sent.pop(number & ~RETRY_ID, None)
            if entry:
                entry["took"], entry["reply"] = time.monotonic() - entry["at"], data
                entry["lost"] = bool(number & RETRY_ID)
                self.records.append(entry)

    def stalled(self, entry):
        """Seconds of the question's life for which this process itself was held up: the machine's, not the resolver's."""
        return sum(length for when, length in self.stalls if entry["at"] <= when <= entry["at"] + entry["took"])

    def run(self):
        start, number, kills = time.monotonic(), 0, list(KILLS)
        turn = start
        assert RATE * SECONDS <= RETRY_ID
        while True:
            now = time.monotonic() - start
            if start + now - turn > 0.05:
                self.stalls.append((start + now, start + now - turn))
            turn = start + now
            while number < min(now, SECONDS) * RATE:
                (name, address), cached = self.next_question(number)
                q = asker.make_query(name, "A")
                q.id = number
                entry = {"name": name, "address": address, "cached": cached, "at": time.monotonic(), "when": now,
                         "wire": q.to_wire(), "tried": time.monotonic()}
                self.sent[q.id] = entry
                self.send(entry["wire"])
                number += 1
            if kills and now >= kills[0][0]:
                victim = kills.pop(0)[1]
                os.kill(self.resolver.pids()[victim], signal.SIGKILL)
                self.killed_at[victim] = now
            select.select([self.socket], [], [], 0.001)
            self.receive()
            moment = time.monotonic()
            for entry in self.sent.values():
                if moment - entry["tried"] > RETRY_S:
                    entry["tried"] = moment
                    self.send(struct.pack("!H", RETRY_ID | struct.unpack("!H", entry["wire"][:2])[0]) + entry["wire"][2:])
            if now > SECONDS + 1 + self.limit_s or (now > SECONDS and not self.sent):
                break
        return number


def test_kill_each_daemon_under_load(lab, make_resolver):
    resolver = make_resolver("kill", extra={"server": {"workers": "2"}})
    hot = [tuple(h) for h in lab.manifest["hot"]]
    asker.ask_many([(n, "A") for n, _ in hot[:200]], port=resolver.port)
    before = resolver.pids()
    load = Load(resolver, hot)
    total = load.run()
    after = resolver.pids()
    silent = ["%s at %.2f s" % (e["name"], e["when"]) for e in load.sent.values()]
    late, wrong, failed, uncached = [], [], 0, []
    netd_died = load.killed_at["holdfast-netd"]
    for e in load.records:
        if e["took"] > load.limit_s + load.stalled(e):
            late.append("%s at %.2f s took %.2f s" % (e["name"], e["when"], e["took"]))
        if e["lost"] and not netd_died - load.limit_s <= e["when"] <= netd_died + load.limit_s:
            late.append("%s at %.2f s was lost, and answered by the retry" % (e["name"], e["when"]))
        r = dns.message.from_wire(e["reply"])
        if r.rcode() == dns.rcode.SERVFAIL:
            failed += 1
            if e["cached"]:
                uncached.append("%s at %.2f s" % (e["name"], e["when"]))
            elif not asker.edes(r):
                wrong.append("%s at %.2f s: SERVFAIL without a reason" % (e["name"], e["when"]))
        elif asker.answer_lines(r) != ["a " + e["address"]]:
            wrong.append("%s at %.2f s: %s" % (e["name"], e["when"], r.answer))
    print("%d questions, %d SERVFAIL with a reason, %d answered to a retry, limit %.1f s" % (
        total, failed, sum(e["lost"] for e in load.records), load.limit_s))
    assert total >= RATE * SECONDS - 1
    assert not silent, "%d without an answer: %s" % (len(silent), silent[:10])
    assert not late, "%d late: %s" % (len(late), late[:10])
    assert not wrong, "%d wrong: %s" % (len(wrong), wrong[:10])
    assert not uncached, "%d known names failed: %s" % (len(uncached), uncached[:10])
    for name in before:
        assert after.get(name) not in (None, before[name]), "%s was not restarted" % name
