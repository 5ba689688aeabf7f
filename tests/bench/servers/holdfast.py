import json
import os
import subprocess

import servers


def find(tree, key):
    """The object that has the key, however deep."""
    if isinstance(tree, dict) and key in tree:
        return tree
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ()
    return next((v for v in (find(value, key) for value in values) if v is not None), None)


class Holdfast(servers.Server):
    name, title, port = "holdfast", "holdfast", 5300

    @classmethod
    def installed(cls, stage):
        return True

    def configure(self):
        d, s = self.directory, self.stage
        self.cache = os.path.join(d, "cache")
        self.config = self.file("holdfast.yaml", """server:
  listen: [ "udp://127.0.0.1:{port}", "tcp://127.0.0.1:{port}" ]
  workers: {workers}
process: {{ users: false, sandbox: true }}
cache: {{ directory: {cache}, size: {size}M, prefetch: false }}
resolve: {{ root_hints: {hints}, never_query: [ ], ipv6: false }}
dnssec: {{ trust_anchors: {anchor}, anchor_updates: false, signalling: false }}
""".format(port=self.port, cache=self.cache, size=self.options["cache_mib"], hints=s.hints, anchor=s.anchor,
           workers=self.options.get("workers", 1)))
        self.command = [os.path.join(s.build, "daemons", "holdfastd", "holdfastd"), "--config", self.config,
                        "--runtime-dir", os.path.join(d, "run"), "--state-dir", self.cache]

    def cache_stats(self):
        ctl = os.path.join(self.stage.build, "daemons", "holdfastctl", "holdfastctl")
        done = subprocess.run([ctl, "--runtime-dir", os.path.join(self.directory, "run"), "cache", "stats", "--json=short"],
                              capture_output=True, text=True, check=True)
        return find(json.loads(done.stdout), "entries")

    def cache_bytes(self):
        """What it says itself: pages of data.mdb that hold something. The file is allocated whole."""
        return self.cache_stats()["used_bytes"]


SERVER = Holdfast
