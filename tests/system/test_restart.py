"""What was resolved is there again after a restart and after kill -9."""

import socket
import time

import asker


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
    mark = sniffer.mark()
    took = first_answer_ms(resolver, lab.manifest["hot"][0][0])
    ask_all(lab, resolver.port)
    time.sleep(0.3)
    upstream = asked_upstream(sniffer.since(mark))
    print("%s: first answer after %.0f ms, %d upstream packets" % (how, took, len(upstream)))
    assert not upstream, "%d upstream packets: %s" % (len(upstream), upstream[:20])
    return took


def test_restart_and_kill_keep_all_2000_names(lab, make_resolver, sniffer):
    resolver = make_resolver("restart")
    ask_all(lab, resolver.port)
    assert resolver.stop() == 0
    clean = check_again(lab, resolver, sniffer, "clean restart")
    resolver.kill_all()
    # Fresh cache, so that kill -9 is tried on what was just learnt.
    resolver = make_resolver("killed")
    ask_all(lab, resolver.port)
    time.sleep(0.2)        # two commit intervals
    resolver.kill_all()
    killed = check_again(lab, resolver, sniffer, "kill -9")
    assert clean <= 100, "first answer after a clean restart took %.0f ms" % clean
    assert killed <= 100, "first answer after kill -9 took %.0f ms" % killed
