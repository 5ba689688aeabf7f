"""What was resolved is there again after a restart and after kill -9."""

import socket
import subprocess
import time

import asker

START_LIMIT_MS, TRIES = 100, 8
# What the two programs on the way to the first answer need just to be started, on the reference machine when idle. Where
# starting them takes longer (a busy machine, a sanitizer), the limit is longer in the same ratio.
REFERENCE_EXEC_MS = 30
COMMIT_INTERVAL_S, READER_LEASE_S = 0.1, 0.5


def asked_upstream(log):
    """Questions that are neither priming nor signalling."""
    return [q for q in log if not (q[1] == "." or q[1].startswith("_ta-") or q[1].endswith("root-servers.net."))]


def ask_all(lab, port):
    """All 2,000 names; complains about each that is not the right answer."""
    hot = lab.manifest["hot"]
    wrong = []
    for (name, address), (r, _) in zip(hot, asker.ask_many([(n, "A") for n, _ in hot], port=port)):
        if r is None or asker.answer_lines(r) != ["a " + address]:
            wrong.append("%s: %s" % (name, r and (r.rcode(), asker.answer_lines(r), asker.edes(r))))
    assert len(hot) == 2000 and not wrong, "%d wrong: %s" % (len(wrong), wrong[:20])


def first_answer_ms(resolver, name):
    """From exec to the first answer from cache."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(0.002)
        s.connect(("127.0.0.1", resolver.port))
        wire = asker.make_query(name, "A").to_wire()
        resolver.start(wait=False)
        while time.monotonic() - resolver.started < 10:
            try:
                s.send(wire)
                reply = s.recv(4096)
                if reply[3] & 15 == 0 and reply[6:8] != b"\0\0":
                    return (time.monotonic() - resolver.started) * 1000
            except OSError:
                time.sleep(0.0005)
    raise AssertionError("no answer in 10 s:\n" + resolver.log_tail())


def check_again(lab, resolver, sniffer, how):
    """The 2,000 names without a packet upstream, and how long the first answer took."""
    mark = sniffer.mark()
    took = first_answer_ms(resolver, lab.manifest["hot"][0][0])
    ask_all(lab, resolver.port)
    time.sleep(0.3)
    upstream = asked_upstream(sniffer.since(mark))
    print("%s: first answer after %.0f ms, %d upstream packets" % (how, took, len(upstream)))
    assert not upstream, "%d upstream packets: %s" % (len(upstream), upstream[:20])
    return took


def exec_ms(resolver):
    """holdfastd and netd started one after the other, doing nothing."""
    begin = time.monotonic()
    for program in ("holdfastd", "holdfast-netd"):
        subprocess.run([resolver.programs[program], "--version"], stdout=subprocess.DEVNULL, check=True)
    return (time.monotonic() - begin) * 1000


def best_start_ms(resolver, name, first, stop):
    """The least of several starts: what else the machine does is not the resolver's."""
    taken, floor = [first], [exec_ms(resolver) for _ in range(5)]

    def limit():
        return START_LIMIT_MS * max(1, sorted(floor)[len(floor) // 2] / REFERENCE_EXEC_MS)
    while min(taken) > limit() and len(taken) < TRIES:
        stop()
        taken.append(first_answer_ms(resolver, name))
        floor.append(exec_ms(resolver))
    print("first answer after %.0f ms; limit here %.0f ms" % (min(taken), limit()))
    assert min(taken) <= limit(), "first answers after %s ms, limit here %.0f ms" % (
        ", ".join("%.0f" % t for t in taken), limit())


def test_a_clean_restart_keeps_all_2000_names(lab, make_resolver, sniffer):
    resolver = make_resolver("restart")
    ask_all(lab, resolver.port)
    assert resolver.stop() == 0
    took = check_again(lab, resolver, sniffer, "clean restart")
    best_start_ms(resolver, lab.manifest["hot"][0][0], took, resolver.stop)


def test_kill_9_of_all_keeps_all_2000_names(lab, make_resolver, sniffer):
    resolver = make_resolver("killed")
    ask_all(lab, resolver.port)
    time.sleep(2 * COMMIT_INTERVAL_S)
    resolver.kill_all()
    took = check_again(lab, resolver, sniffer, "kill -9")
    best_start_ms(resolver, lab.manifest["hot"][0][0], took, resolver.kill_all)


def test_many_kills_in_a_row_lose_nothing(lab, make_resolver, sniffer):
    resolver = make_resolver("kills")
    hot = lab.manifest["hot"]
    for round_number in range(5):
        part = hot[round_number * 100:(round_number + 1) * 100]
        asker.ask_many([(n, "A") for n, _ in part], port=resolver.port)
        # A restarted writer lets one lease pass before its first commit.
        time.sleep(READER_LEASE_S + 2 * COMMIT_INTERVAL_S)
        resolver.kill_all()
        resolver.start()
    mark = sniffer.mark()
    results = asker.ask_many([(n, "A") for n, _ in hot[:500]], port=resolver.port)
    wrong = [n for (n, a), (r, _) in zip(hot, results) if r is None or asker.answer_lines(r) != ["a " + a]]
    time.sleep(0.3)
    assert not wrong and not asked_upstream(sniffer.since(mark)), (wrong[:5], asked_upstream(sniffer.since(mark))[:5])
