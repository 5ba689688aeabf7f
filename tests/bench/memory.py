"""A million names: octets of memory (PSS, all processes) and of disk for each cached RRset, and the hit rate of the same
list right after a kill -9."""

import os
import time

import hit
import rounds

NAMES = 1_000_000
FLUSH_S = 3


def run(stage, args):
    count = args.names or NAMES
    names = stage.write("memory.names", ("n%d.hit.bench" % n for n in range(count)))
    rows, checks = {}, []
    for name in args.servers:
        server = hit.make_servers(stage, [name])
        if not server:
            continue
        server = server[0]
        server.options["cache_mib"] = max(512, count // 1000)
        server.configure()
        server.start()
        try:
            empty = server.pss_kib() * 1024
            hit.fill(server, names, count)
            time.sleep(FLUSH_S)
            row = {"pss": server.pss_kib() * 1024, "disk": server.cache_bytes()}
            row["pss_each"] = (row["pss"] - empty) / count
            row["disk_each"] = row["disk"] / count if row["disk"] else None
            row["parts"] = server.pss_parts_kib()
            server.kill()
            server.start()
            before = sum(stage.asked())
            hit.fill(server, names, count)
            row["asked_again"] = sum(stage.asked()) - before
            rows[name] = row
            print("%-20s PSS %5d MiB, %5.0f octets a name; disk %s; after kill -9 %d upstream questions, hit rate %.2f %%" % (
                server.title, row["pss"] >> 20, row["pss_each"],
                "%d MiB, %.0f octets a name" % (row["disk"] >> 20, row["disk_each"]) if row["disk"] else "none",
                row["asked_again"], 100 * (1 - min(1, row["asked_again"] / count))))
            for process, parts in row["parts"].items():
                print("    %-26s %s" % (process, ", ".join("%s %.1f MiB" % (what, kib / 1024) for what, kib in
                                                          sorted(parts.items()))), flush=True)
        finally:
            server.kill()
    peers = {n: r for n, r in rows.items() if n != "holdfast"}
    ours = rows.get("holdfast")
    if ours:
        checks.append(rounds.check("upstream questions for the same list after kill -9", ours["asked_again"], 0))
    if ours and peers:
        checks.append(rounds.check("PSS, MiB, to the best peer's", ours["pss"] / min(r["pss"] for r in peers.values()), 1))
    if ours and "kresd" in rows:
        checks.append(rounds.check("octets on disk a name, to Knot Resolver's",
                                   ours["disk_each"] / rows["kresd"]["disk_each"], 1))
    rounds.save(args.out, "memory", [], checks, {"names": count, "servers": rows, "cores": os.cpu_count()})
