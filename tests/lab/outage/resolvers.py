"""Five resolvers behind one interface: start, stop, kill, NTA. Each gets what its manual says for serving stale, with
the scaled times of scale.py; nothing of Debian's own services is touched, all state lies in a directory of the run."""

import ctypes
import json
import os
import shutil
import socket
import subprocess
import time

import processes
import wire
import world

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
MS_REC, MS_PRIVATE, MS_BIND = 0x4000, 1 << 18, 0x1000


def mount(source, target, flags):
    if world.libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None) != 0:
        raise OSError(ctypes.get_errno(), "mount %s" % target)


class Resolver:
    name = title = ""

    def __init__(self, stage, directory, zones, scale, options=None):
        self.stage, self.zones, self.scale, self.options = stage, zones, scale, options or {}
        self.directory = os.path.join(directory, self.name)
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        self.process, self.before = None, None
        self.configure()

    def file(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def spawn(self, command, **kw):
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = self.stage.popen_resolver(command, stdout=log, stderr=log, before=self.before, **kw)

    def start(self, wait=True):
        self.launch()
        deadline = time.monotonic() + 20
        while wait and not self.answers():
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise world.Unavailable("%s does not start: see %s/log" % (self.title, self.directory))
            time.sleep(0.02)
        return self

    def answers(self):
        with self.stage.world.inside(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(1)
            try:
                s.connect(("127.0.0.1", 53))
                s.send(wire.query_head(1) + wire.query_tail(".", wire.NS, False))
                return len(s.recv(4096)) > 12
            except OSError:
                return False

    def stop(self):
        if self.process is not None:
            processes.stop(self.process, 10)
        self.process = None

    def kill(self):
        """kill -9 of all of it at once."""
        if self.process is not None:
            processes.kill_at_once(self.process, processes.children_of(self.process.pid))
        self.process = None

    def new_boot_id(self):
        """From the next start on, the resolver sees another boot id, as after a reboot."""
        path = self.file("boot_id", "11111111-2222-4333-8444-555555555555\n")

        def before():
            world.unshare(world.CLONE_NEWNS)
            mount("none", "/", MS_REC | MS_PRIVATE)
            mount(path, "/proc/sys/kernel/random/boot_id", MS_BIND)
        self.before = before

    def control(self, *command, timeout=20):
        process = self.stage.popen_resolver(list(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            text, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return -1, "no reply in %d s" % timeout
        return process.returncode, text

    def advice(self):
        """What it says by itself about broken zones, parsed; None where it has no such thing."""
        return None

    def ntas(self):
        return None


class Holdfast(Resolver):
    name, title = "holdfast", "holdfast"

    def configure(self):
        s = self.scale
        build = os.environ.get("HOLDFAST_BUILD", os.path.join(REPO, "build"))
        self.bin = os.path.join(build, "daemons")
        self.ctl_path = os.path.join(self.bin, "holdfastctl", "holdfastctl")
        self.runtime = os.path.join(self.directory, "run")
        text = """server:
  listen: [ "udp://127.0.0.1:53", "tcp://127.0.0.1:53" ]
  workers: 1
process: {{ users: false, sandbox: {sandbox} }}
cache: {{ directory: {d}/cache, size: 64M }}
stale: {{ enabled: true, client_timeout: {ct}ms, answer_ttl: {at}s, max_age: {ma}s, delegation_max_age: {da}s,
  recheck_interval: {rc}s }}
resolve: {{ root_hints: {hints}, never_query: [ ] }}
dnssec:
  trust_anchors: {anchor}
  anchor_updates: false
  nta: {{ lifetime: {nl}s, max_lifetime: 7d, probe_interval: %ds }}
""".format(d=self.directory, ct=s.client_timeout_ms, at=s.answer_ttl, ma=s.max_age, rc=s.recheck,
           da=self.options.get("delegation_max_age", s.delegation_max_age), hints=self.zones.hints(),
           anchor=self.zones.anchor(), nl=s.nta_lifetime,
           sandbox="false" if os.environ.get("HOLDFAST_SANITIZED") else "true")
        self.notes = []
        for interval in (s.probe_interval, 10):
            self.config = self.file("holdfast.yaml", text % interval)
            done = subprocess.run([self.ctl_path, "config", "check", self.config], capture_output=True, text=True)
            if done.returncode == 0:
                break
            self.notes.append("with probe_interval %d s: %s" % (interval, (done.stderr or done.stdout).strip()))
        else:
            raise world.Unavailable("holdfast refuses its configuration: " + "; ".join(self.notes))

    def launch(self):
        self.spawn([os.path.join(self.bin, "holdfastd", "holdfastd"), "--config", self.config, "--runtime-dir",
                    self.runtime, "--state-dir", os.path.join(self.directory, "state")])

    def ctl(self, *args):
        return self.control(self.ctl_path, "--runtime-dir", self.runtime, *args)

    def nta_add(self, zone):
        return self.ctl("nta", "add", zone, "--lifetime=1h", "--reason=the registry signs badly")

    def advice(self):
        code, text = self.ctl("nta", "advise", "--json=short")
        try:
            return json.loads(text) if code == 0 else {"error": text.strip()[:200]}
        except ValueError:
            return {"error": text.strip()[:200]}

    def ntas(self):
        code, text = self.ctl("nta", "list", "--json=short")
        try:
            return [n["name"] for n in json.loads(text)["ntas"]] if code == 0 else None
        except (ValueError, KeyError, TypeError):
            return None


class Unbound(Resolver):
    name, title = "unbound", "Unbound"
    package = "unbound"

    def configure(self):
        s, d = self.scale, self.directory
        self.config = self.file("unbound.conf", """server:
  directory: "{d}"
  pidfile: "{d}/pid"
  username: ""
  chroot: ""
  use-syslog: no
  logfile: "{d}/unbound.log"
  interface: 127.0.0.1
  num-threads: 1
  do-not-query-localhost: no
  root-hints: "{hints}"
  trust-anchor-file: "{anchor}"
  module-config: "validator iterator"
  trust-anchor-signaling: no
  root-key-sentinel: no
  val-log-level: 1
  ede: yes
  ede-serve-expired: yes
  prefetch: yes
  prefetch-key: yes
  serve-expired: yes
  serve-expired-ttl: {ma}
  serve-expired-reply-ttl: {at}
  serve-expired-client-timeout: {ct}
  val-bogus-ttl: {bt}
  val-sig-skew-min: 0
  val-sig-skew-max: 0
remote-control:
  control-enable: yes
  control-interface: {d}/control
  control-use-cert: no
""".format(d=d, hints=self.zones.hints(), anchor=self.zones.anchor(), ma=s.max_age, at=s.answer_ttl,
           ct=s.client_timeout_ms, bt=s.bogus_ttl))

    def launch(self):
        self.spawn(["/usr/sbin/unbound", "-d", "-c", self.config])

    def nta_add(self, zone):
        # Its manual: the cache "may still be bogus, use flush_zone to remove it".
        self.control("/usr/sbin/unbound-control", "-c", self.config, "insecure_add", zone)
        return self.control("/usr/sbin/unbound-control", "-c", self.config, "flush_zone", zone)


class Bind(Resolver):
    name, title = "bind", "BIND"
    package = "bind9"

    def configure(self):
        s, d = self.scale, self.directory
        with open(self.zones.anchor_dnskey()) as f:
            fields = f.read().split()
        key = self.file("rndc.key", 'key "lab" { algorithm hmac-sha256; secret "aG9sZGZhc3QgbGFiIGtleQ=="; };\n')
        self.file("rndc.conf", 'include "%s";\noptions { default-key "lab"; default-server 127.0.0.1; '
                               "default-port 953; };\n" % key)
        self.config = self.file("named.conf", """include "{key}";
options {{
  directory "{d}";
  pid-file "{d}/named.pid";
  session-keyfile "{d}/session.key";
  managed-keys-directory "{d}";
  listen-on {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion yes;
  dnssec-validation yes;
  empty-zones-enable no;
  stale-answer-enable yes;
  stale-cache-enable yes;
  max-stale-ttl {ma};
  stale-answer-ttl {at};
  stale-answer-client-timeout {ct};
  stale-refresh-time {rc};
  nta-recheck {pi};
}};
controls {{ inet 127.0.0.1 port 953 allow {{ 127.0.0.1; }} keys {{ "lab"; }}; }};
trust-anchors {{ "." static-key {flags} {protocol} {algorithm} "{public}"; }};
zone "." {{ type hint; file "{hints}"; }};
""".format(d=d, key=key, ma=s.max_age, at=s.answer_ttl, ct=s.client_timeout_ms, rc=s.recheck, pi=s.probe_interval, hints=self.zones.hints(),
           flags=fields[4], protocol=fields[5], algorithm=fields[6], public="".join(fields[7:])))

    def launch(self):
        self.spawn(["/usr/sbin/named", "-g", "-n", "1", "-c", self.config])

    def nta_add(self, zone):
        return self.control("/usr/sbin/rndc", "-c", os.path.join(self.directory, "rndc.conf"), "nta", "-lifetime",
                            "3600", zone)


class KnotResolver(Resolver):
    name, title = "kresd", "Knot Resolver"
    package = "knot-resolver"

    def configure(self):
        d = self.directory
        self.config = self.file("kresd.conf", """net.listen('127.0.0.1', 53, {{ kind = 'dns' }})
net.listen('{d}/control', nil, {{ kind = 'control' }})
modules = {{ 'hints > iterate', 'serve_stale < cache', 'predict' }}
hints.root_file('{hints}')
trust_anchors.remove('.')
trust_anchors.add_file('{anchor}', true)
trust_anchors.signal_query = nil
modules.unload('ta_signal_query')
modules.unload('ta_update')
modules.unload('priming')
cache.size = 64 * MB
cache.min_ttl(1)
""".format(d=d, hints=self.zones.hints(), anchor=self.zones.anchor()))

    def launch(self):
        self.spawn(["/usr/sbin/kresd", "-n", "-c", self.config, self.directory])

    def nta_add(self, zone):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(os.path.join(self.directory, "control"))
            s.sendall(b"trust_anchors.set_insecure({ '%s' })\n" % zone.encode())
            time.sleep(0.2)
            return 0, s.recv(4096).decode()


class PowerDNS(Resolver):
    name, title = "pdns", "PowerDNS Recursor"
    package = "pdns-recursor"

    def configure(self):
        s, d = self.scale, self.directory
        lua = self.file("anchors.lua", 'clearTA()\naddTA(".", "%s")\n' % self._anchor())
        self.config = self.file("recursor.conf", """local-address=127.0.0.1
local-port=53
socket-dir={d}
hint-file={hints}
dnssec=validate
lua-config-file={lua}
threads=1
dont-query=
security-poll-suffix=
root-nx-trust=yes
serve-rfc1918=no
extended-resolution-errors=yes
serve-stale-extensions={extensions}
max-cache-bogus-ttl={bt}
packetcache-servfail-ttl={bt}
max-cache-ttl={day}
daemon=no
write-pid=no
""".format(d=d, hints=self.zones.hints(), lua=lua, bt=s.bogus_ttl, day=86400,
           extensions=max(1, s.max_age // 30)))

    def _anchor(self):
        with open(self.zones.anchor()) as f:
            return f.read().split("DS ")[1].strip()

    def launch(self):
        self.spawn(["/usr/sbin/pdns_recursor", "--config-dir=" + self.directory])

    def nta_add(self, zone):
        return self.control("/usr/bin/rec_control", "--socket-dir=" + self.directory, "add-nta", zone,
                            "the registry signs badly")


ALL = {r.name: r for r in (Holdfast, Unbound, Bind, KnotResolver, PowerDNS)}
PEERS = [r.name for r in (Unbound, Bind, KnotResolver, PowerDNS)]
