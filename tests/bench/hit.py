"""Answers from the cache: UDP (without and with DO), persistent TCP connections, and latency at a fixed rate."""

import time

import rounds
import servers
from servers import echo

NAMES = 100_000
TCP_CONNECTIONS, TCP_WINDOW = 20, 5
CLOSED = ("--sockets", "8", "--window", "64")


def fill(server, names, count):
    """Asks each name once, 200 at a time. Where a server gave up on some of them (on a busy machine some take the
    authoritative server for dead), again with fewer at a time, when it has forgotten that."""
    for window in (25, 5, 2, 2, 2):
        said = server.load(names, "--once", "--sockets", "8", "--window", str(window), "--seconds", "600")
        if said and not said["failed"] and said["answered"] >= count:
            return said
        time.sleep(6)
    raise RuntimeError("%s did not resolve all names: %s" % (server.title, said))


def make_servers(stage, wanted):
    made = []
    for name in wanted:
        server = servers.make(name, stage)
        if server is None:
            print("%s is not installed: left out" % name)
        else:
            made.append(server)
    return made


def run(stage, args):
    count = args.names or NAMES
    names = stage.write("hit.names", ("n%d.hit.bench" % n for n in range(count)))
    limits = [echo.Batch(stage), echo.Plain(stage)]
    tested = make_servers(stage, args.servers)
    everything = limits + tested
    done, checks = [], []
    try:
        for server in limits:
            server.start(wait=False)
        for server in tested:
            server.start()
            said = fill(server, names, count)
            print("%-20s filled, %d answers/s" % (server.title, said["answered"] / said["seconds"]), flush=True)
        seconds = ["--seconds", str(args.seconds)]

        def warm(*options):
            for server in tested:
                server.load(names, "--once", "--seconds", "60", *options)

        def has_peer(r):
            return "holdfast" in r.titles and r.peers()

        if "udp" in args.parts:
            warm(*CLOSED)
            udp = rounds.Rounds("UDP, cache hits, closed loop", "cpu_ns")
            udp.play(args.rounds, everything, names, lambda s: [*CLOSED, *seconds]).show()
            done.append(udp)
            if has_peer(udp):
                checks += [rounds.check("UDP hits, CPU an answer to the batching echo server's", udp.ratio("holdfast", "echo"), 1.3),
                           rounds.check("UDP hits, CPU an answer to the best peer's", udp.ratio("holdfast", udp.peers()), 0.33),
                           rounds.check("UDP hits, best peer's answers/s to ours",
                                     udp.best_rate() / udp.median("holdfast", "rate"), 1 / 3)]
        if "do" in args.parts:
            warm("--do", *CLOSED)
            with_do = rounds.Rounds("UDP, cache hits with DO and signatures", "cpu_ns")
            with_do.play(args.rounds, everything, names, lambda s: ["--do", *CLOSED, *seconds]).show()
            done.append(with_do)
            if has_peer(with_do):
                checks.append(rounds.check("UDP hits with DO, CPU an answer to the best peer's",
                                            with_do.ratio("holdfast", with_do.peers()), 0.4))
        if "tcp" in args.parts:
            tcp_options = ["--tcp", "--sockets", str(TCP_CONNECTIONS), "--window", str(TCP_WINDOW)]
            warm(*tcp_options)
            tcp = rounds.Rounds("TCP, cache hits, %d connections with %d questions under way" % (
                TCP_CONNECTIONS, TCP_WINDOW), "cpu_ns")
            tcp.play(args.rounds, tested, names, lambda s: tcp_options + seconds).show()
            done.append(tcp)
            if has_peer(tcp):
                checks.append(rounds.check("TCP hits, CPU an answer to the best peer's", tcp.ratio("holdfast", tcp.peers()), 0.7))
        if "latency" in args.parts:
            rate = args.rate or next((r.best_rate() for r in done if r.title.startswith("UDP, cache hits, closed")), 0) / 2
            rate = rate or 40_000
            latency = rounds.Rounds("UDP, cache hits, latency at %d questions/s" % rate, "p99")
            latency.play(max(9, args.rounds), everything, names, lambda s: ["--rate", "%d" % rate, *seconds]).show()
            done.append(latency)
            if has_peer(latency):
                checks.append(rounds.check("p99 at %d/s to the best peer's" % rate,
                                            latency.ratio("holdfast", latency.peers()), 1))
    finally:
        for server in everything:
            server.kill()
    rounds.save(args.out, "hit", done, checks, {"names": count, "zipf": 1.0})
