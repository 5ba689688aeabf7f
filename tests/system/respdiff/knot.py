"""Knot Resolver (Debian's 5.6) in the lab."""

import os
import subprocess
import time

import asker
import world

PROGRAM = "/usr/sbin/kresd"
CONFIG = """net.listen('127.0.0.1', %(port)d, { kind = 'dns' })
net.ipv6 = %(ipv6)s
cache.open(64 * MB, 'lmdb://%(directory)s/cache')
for _, name in ipairs({ 'ta_update', 'ta_signal_query', 'priming', 'detect_time_jump', 'detect_time_skew' }) do
  pcall(modules.unload, name)
end
trust_anchors.remove('.')
modules = { 'hints > iterate' }
hints.root_file('%(hints)s')
%(anchors)s
"""


class Knot:
    def __init__(self, lab, directory, port):
        self.port, self.directory = port, directory
        os.makedirs(directory, exist_ok=True)
        with open(lab.anchor) as f:
            anchors = "".join("trust_anchors.add('%s')\n" % line.strip() for line in f if line.strip())
        self.config = os.path.join(directory, "kresd.conf")
        with open(self.config, "w") as f:
            f.write(CONFIG % {"port": port, "directory": directory, "hints": lab.hints, "anchors": anchors,
                              "ipv6": "true" if lab.manifest["ipv6"] else "false"})
        with lab.world.inside(), open(os.path.join(directory, "log"), "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-n", "-c", self.config, directory], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, preexec_fn=world.die_with_parent)
            for _ in range(100):
                if self.process.poll() is not None:
                    raise AssertionError("kresd ended: see %s/log" % directory)
                if asker.ask(".", "NS", port=port, timeout=2, tries=1):
                    break
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
