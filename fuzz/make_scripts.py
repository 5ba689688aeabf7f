#!/usr/bin/env python3
"""Seeds for the targets whose input is a script of events: fuzz_forgery and fuzz_validator.

    fuzz/make_scripts.py DIRECTORY [COUNT [SEED]]

Random, but by the grammar of each script, so that most of the bytes mean something: a fuzzer starts from runs in
which the network is honest most of the time. With a large COUNT the output serves for a quick run of its own:
    fuzz/make_scripts.py /tmp/scripts 5000 1 && build/fuzz/fuzz_forgery /tmp/scripts/fuzz_forgery
"""
import os
import random
import sys

NAMES, TYPES = 18, 10  # of fuzz/forgery.h
# How many octets each kind of edit takes in fuzz/forgery_net.c; forging (9) is a case of its own.
EDIT_ARGUMENTS = {0: 2, 1: 1, 2: 0, 3: 5, 4: 3, 5: 3, 6: 5, 7: 3, 8: 4, 10: 3, 11: 2}


def some(rnd, count):
    return bytes(rnd.randrange(256) for _ in range(count))


def forged_record(rnd):
    kind = rnd.randrange(TYPES + 2)
    head = bytes([rnd.randrange(4 * NAMES), rnd.randrange(3), kind])
    if kind == 0:  # A: the attacker's address
        return head
    if kind in (3, 7, 8):  # NS, CNAME, DNAME: a target
        return head + bytes([rnd.randrange(4 * NAMES)])
    size = rnd.randrange(40)
    return head + bytes([size]) + some(rnd, size)


def edit(rnd):
    kind = rnd.randrange(12)
    first = bytes([kind + 12 * rnd.randrange(20)])
    return first + (forged_record(rnd) if kind == 9 else some(rnd, EDIT_ARGUMENTS[kind]))


def forgery(rnd):
    script = some(rnd, 1)
    for _ in range(4):
        script += bytes([rnd.randrange(NAMES), rnd.randrange(TYPES), rnd.choice((0, 0, 3, 4, 12, 8))])
        for _ in range(rnd.randrange(14)):
            edits = rnd.choice((0, 0, 0, 1, 1, 2, 3))
            script += bytes([edits]) + b"".join(edit(rnd) for _ in range(edits))
    return script


def tidy_evidence(rnd):
    """Evidence with signed records for one of the open fetches, and the end of that fetch."""
    fetch = rnd.randrange(4)
    how = 0x82 | rnd.choice((0, 0, 0, 1))
    flags = rnd.choice((b"\x04\x00", b"\x04\x00", b"\x00\x00", b"\x04\x03"))
    kind = rnd.choice((2, 1, 0, 3, 0x20, 0x21, 0x22, 0x10, 0x81, 0x82, 0x92, rnd.randrange(256)))
    return bytes([7, fetch, how]) + flags + bytes([kind]) + bytes([6, fetch, 0])


def validator(rnd):
    script = bytes([1 | rnd.randrange(8), rnd.randrange(5), rnd.choice((1, 1, 2, 16, 28, 43, 48, 6)),
                    rnd.choice((0, 0, 0, 1, 2))])
    for _ in range(rnd.randrange(60)):
        event = rnd.randrange(20)
        if event < 13:
            script += tidy_evidence(rnd)
        elif event == 13:
            script += bytes([0]) + some(rnd, 3)
        elif event == 14:
            script += bytes([1]) + some(rnd, 2)
        elif event == 15:
            script += bytes([2])
        elif event == 16:
            script += bytes([3, rnd.randrange(2)])
        elif event == 17:
            script += bytes([5, rnd.randrange(3)])
        elif event == 18:
            script += bytes([6, rnd.randrange(4), rnd.randrange(8)])
    return script


def main():
    directory = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 24
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 77
    for target, make in (("fuzz_forgery", forgery), ("fuzz_validator", validator)):
        rnd = random.Random(seed)
        os.makedirs(f"{directory}/{target}", exist_ok=True)
        for number in range(count):
            with open(f"{directory}/{target}/mixed-{number}", "wb") as file:
                file.write(make(rnd))
    # Every name of fuzz_forgery once from an honest network: four questions a script.
    pairs = [(name, kind) for name in range(NAMES) for kind in (0, 4)]
    for start in range(0, len(pairs), 4):
        script = bytes([start])
        for name, kind in pairs[start:start + 4]:
            script += bytes([name, kind, 0]) + bytes(12)
        with open(f"{directory}/fuzz_forgery/honest-{start}", "wb") as file:
            file.write(script)


if __name__ == "__main__":
    main()
