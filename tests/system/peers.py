"""Unbound (Debian's 1.17) in the lab: the reference for what a lab name should give and for how many packets a cold
question may cost."""

import os
import subprocess
import time

import asker
import world


class Unbound:
    def __init__(self, lab, directory, port=53053, options=""):
        self.port = port
        self.directory = directory
        os.makedirs(directory, exist_ok=True)
        with open(lab.anchor) as f:
            anchor = f.read()
        anchor_file = os.path.join(directory, "anchor")
        with open(anchor_file, "w") as f:
            f.write(anchor)
        self.config = os.path.join(directory, "unbound.conf")
        with open(self.config, "w") as f:
            f.write("""server:
  directory: "%s"
  pidfile: "%s/pid"
  username: ""
  chroot: ""
  use-syslog: no
  logfile: "%s/log"
  interface: 127.0.0.1
  port: %d
  num-threads: 1
  do-not-query-localhost: no
  root-hints: "%s"
  trust-anchor-file: "%s"
  module-config: "validator iterator"
  local-zone: "10.in-addr.arpa." nodefault
  val-clean-additional: yes
  ede: yes
  val-log-level: 2
  trust-anchor-signaling: no
  root-key-sentinel: no
%s
remote-control:
  control-enable: no
""" % (directory, directory, directory, port, lab.hints, anchor_file, options))
        with lab.world.inside():
            self.process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", self.config],
                                            preexec_fn=world.die_with_parent)
            for _ in range(100):
                if asker.ask(".", "NS", port=port, timeout=2, tries=1):
                    break
                time.sleep(0.05)

    def stop(self):
        self.process.terminate()
        self.process.wait()
