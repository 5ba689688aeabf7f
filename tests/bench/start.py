"""Starts: the time from exec after a kill -9 of all processes to the first validated answer, and what the same names cost
upstream then."""

import socket
import statistics
import time

import hit
import rounds

NAMES, AGAIN = 100_000, 20_000
PATIENCE_S, LIMIT_MS = 20, 100


def query(name):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return b"\x05\x05\x01\x20\0\1\0\0\0\0\0\1" + labels + b"\0\0\1\0\1" + b"\0\0\x29\x04\xd0\0\0\x80\0\0\0"


def first_answer_ms(server, name):
    """From exec; asked over and over, a socket each time, until NOERROR with AD and data comes."""
    wire = query(name)
    start = time.monotonic()
    server.start(wait=False)
    with server.stage.world.inside():
        while time.monotonic() - start < PATIENCE_S:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.settimeout(0.004)
                try:
                    s.connect(("127.0.0.1", server.port))
                    s.send(wire)
                    # What is asked upstream takes longer than one try: the late answer counts, the next try is another.
                    reply = s.recv(4096)
                    if reply[3] & 15 == 0 and reply[3] & 0x20 and reply[6:8] != b"\0\0":
                        return (time.monotonic() - start) * 1000
                except OSError:
                    time.sleep(0.0005)
    raise RuntimeError("%s: no validated answer in %d s after the start" % (server.title, PATIENCE_S))


def run(stage, args):
    count = args.names or NAMES
    names = stage.write("start.names", ("n%d.hit.bench" % n for n in range(count)))
    again = stage.write("again.names", ("n%d.hit.bench" % n for n in range(min(AGAIN, count))))
    tested = hit.make_servers(stage, args.servers)
    times, upstream, checks = {s.name: [] for s in tested}, {}, []
    try:
        for server in tested:
            server.start()
            hit.fill(server, names, count)
            time.sleep(2)              # the last commit
        for number in range(args.rounds):
            for server in tested:
                server.kill()
                times[server.name].append(first_answer_ms(server, "n%d.hit.bench" % number))
        for server in tested:
            server.kill()
            server.start()
            before = sum(stage.asked())
            hit.fill(server, again, min(AGAIN, count))
            upstream[server.name] = sum(stage.asked()) - before
    finally:
        for server in tested:
            server.kill()
    print("\nkill -9, then the first validated answer, ms from exec: median of %d rounds; upstream questions of the next %d "
          "names" % (args.rounds, min(AGAIN, count)))
    for server in tested:
        took = times[server.name]
        print("%-20s %7.0f ms (%.0f to %.0f) %9d questions" % (server.title, statistics.median(took), min(took), max(took),
                                                               upstream[server.name]), flush=True)
    if "holdfast" in times:
        checks = [rounds.check("first validated answer after kill -9, ms", statistics.median(times["holdfast"]), LIMIT_MS),
                  rounds.check("upstream questions after a restart", upstream["holdfast"], 0)]
    rounds.save(args.out, "start", [], checks, {"first_answer_ms": times, "upstream": upstream, "names": count})
