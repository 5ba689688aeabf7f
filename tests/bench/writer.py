"""The cache's writer: 20,000 new records a second into a map of a million, and what a reader notices."""

import json
import os
import subprocess

import rounds

RECORDS, RATE, SECONDS = 1_000_000, 20_000, 30


def run(stage, args):
    records = args.names or RECORDS
    rate = int(args.rate or RATE)
    seconds = args.seconds if args.seconds_given else SECONDS
    directory = os.path.join(stage.directory, "writer")
    mib = max(64, int((records + rate * seconds) * 400) >> 20)
    done = subprocess.run([stage.program("writer"), directory, str(mib), str(records), str(rate), str(seconds)],
                          stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(done.stdout)
    print("filled with %(records)d records, %(fill_per_second)d a second, %(octets_each).0f octets each" % said)
    print("then %(queued)d new ones in %(seconds).2f s: %(dropped)d dropped, %(queue_most)d queued at most, %(commits)d commits "
          "(%(failed_commits)d failed), %(cpu_us_each).1f us of CPU each, all threads" % said)
    print("a reader meanwhile: %(reads)d looks, %(reads_missing)d not found, %(reads_expired)d past the lease; "
          "p50 %(read_p50).0f us, p99 %(read_p99).0f us, longest %(read_max).0f us" % said, flush=True)
    checks = [rounds.check("new records a second that were asked of it, to those it took",
                           rate / max(1, (said["queued"] - said["dropped"]) / said["seconds"]), 1.02),
              rounds.check("records dropped", said["dropped"], 0),
              rounds.check("p99 of a reader's look, us", said["read_p99"], 5000)]
    rounds.save(args.out, "writer", [], checks, {"map_mib": mib, "writer": said})
