"""The stage: two network namespaces (tests/lab/world.py), one NSD process per server, and what can be done to them
while a scenario runs: publish another zone, fall silent, refuse, be lame, come back."""

import contextlib
import os
import signal
import socket
import struct
import subprocess
import time

import wire
import world
import zones as zones_module

SERVERS_LINK = "toservers"


class Nsd:
    """One server process on its addresses."""

    def __init__(self, stage, name, addresses, zones, port=53):
        """zones: [(origin, path)]."""
        self.stage, self.name, self.addresses, self.zones, self.port = stage, name, addresses, list(zones), port
        self.directory = os.path.join(stage.directory, "nsd")
        self.process = None
        self.silent = False

    def config(self, zones):
        d, name = self.directory, self.name
        os.makedirs(d, exist_ok=True)
        lines = ["server:", "  server-count: 1", '  username: ""', '  zonesdir: "%s"' % d, '  database: ""',
                 '  pidfile: "%s/%s.pid"' % (d, name), '  logfile: "%s/%s.log"' % (d, name),
                 '  xfrdfile: "%s/%s.xfrd"' % (d, name), '  zonelistfile: "%s/%s.list"' % (d, name),
                 '  xfrdir: "%s"' % d, "  port: %d" % self.port, "  tcp-count: 200", "  verbosity: 0",
                 "  hide-version: yes", "  rrl-ratelimit: 0", "  rrl-whitelist-ratelimit: 0", "  ipv4-edns-size: 1232",
                 "  zonefiles-check: yes", "  zonefiles-write: 0"]
        lines += ["  ip-address: %s" % a for a in self.addresses] + ["remote-control:", "  control-enable: no"]
        for origin, path in zones:
            lines += ["zone:", '  name: "%s"' % origin, '  zonefile: "%s"' % path]
        path = os.path.join(d, name + ".conf")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        return path

    def start(self, zones=None):
        config = self.config(self.zones if zones is None else zones)
        self.process = self.stage.popen_servers(["/usr/sbin/nsd", "-d", "-c", config])

    def stop(self):
        if self.process is None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(3)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process = None

    def restart(self, zones=None):
        """With other zones, or none at all: then it answers REFUSED."""
        self.stop()
        self.start(zones)

    def reload(self):
        """Reads the zone files that changed."""
        self.process.send_signal(signal.SIGHUP)

    def pause(self):
        """Silence: the socket is there, nobody reads it."""
        self.silent = True
        os.killpg(self.process.pid, signal.SIGSTOP)

    def resume(self):
        if self.silent:
            self.silent = False
            os.killpg(self.process.pid, signal.SIGCONT)


class Stage:
    def __init__(self, directory, zones, middlebox=False):
        """middlebox: the servers listen on port 5300, so that somebody else can have port 53 of their addresses."""
        self.directory, self.zones = directory, zones
        self.port = 5300 if middlebox else 53
        self.world = world.World(os.path.join(directory, "world"), [])
        self.servers = {}
        self.live = os.path.join(directory, "live")
        os.makedirs(self.live, exist_ok=True)

    # -- processes in the namespaces

    def servers_net(self):
        return "/proc/%d/ns/net" % self.world.state["supervisor"]

    def popen_servers(self, command, **kw):
        return self._popen(self.servers_net(), command, **kw)

    def popen_resolver(self, command, **kw):
        return self._popen(self.world.resolver_net(), command, **kw)

    @staticmethod
    def _popen(net, command, before=None, **kw):
        def enter():
            world.setns(net)
            world.die_with_parent()
            if before:
                before()
        kw.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(command, preexec_fn=enter, start_new_session=True,
                                env=dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin", **kw.pop("env", {})), **kw)

    @contextlib.contextmanager
    def in_servers(self):
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        world.setns(self.servers_net())
        try:
            yield
        finally:
            world._check(world.libc.setns(home, world.CLONE_NEWNET), "setns back")
            os.close(home)

    # -- up and down

    def start(self):
        self.world.start()
        z = zones_module
        addresses = z.ROOT_ADDRESSES + z.DE_ADDRESSES + z.NET_ADDRESSES + z.CHILD_ADDRESSES + z.MOVED_ADDRESSES
        with self.in_servers():
            world.ip_batch(["addr add %s/32 dev lo" % a for a in addresses])
        root = self.link("root", self.zones.root())
        good = self.zones.de("good")
        self.servers["root"] = Nsd(self, "root", z.ROOT_ADDRESSES, [
            (".", root), ("root-servers.net.", self.zones.root_servers_net())], self.port)
        for n, a in enumerate(z.DE_ADDRESSES):
            self.servers["de%d" % n] = Nsd(self, "de%d" % n, [a], [("de.", self.link("de%d" % n, good))], self.port)
        self.servers["net"] = Nsd(self, "net", z.NET_ADDRESSES, [("net.", self.zones.net())], self.port)
        self.servers["children"] = Nsd(self, "children", z.CHILD_ADDRESSES, self.zones.children(), self.port)
        for server in self.servers.values():
            server.start()
        for server in self.servers.values():
            self.wait(server)
        return self

    def add(self, name, addresses, zones):
        """One more server."""
        self.servers[name] = Nsd(self, name, addresses, zones, self.port)
        self.servers[name].start()
        self.wait(self.servers[name])

    def stop(self):
        for server in self.servers.values():
            with contextlib.suppress(Exception):
                server.stop()
        self.world.stop()

    def de_servers(self):
        return [self.servers["de%d" % n] for n in range(len(zones_module.DE_ADDRESSES))]

    # -- publishing

    def link(self, name, target):
        """The file a server reads is a link that is moved from one publication to the next."""
        path = os.path.join(self.live, name + ".zone")
        os.utime(target)
        if os.path.lexists(path + ".new"):
            os.unlink(path + ".new")
        os.symlink(target, path + ".new")
        os.rename(path + ".new", path)
        return path

    def publish_de(self, path):
        """path: one for all servers of .de, or a list with one for each."""
        with self.changing([(a, "de.") for a in zones_module.DE_ADDRESSES]):
            for n, server in enumerate(self.de_servers()):
                self.link("de%d" % n, path[n] if isinstance(path, list) else path)
                server.reload()

    def publish_root(self, path):
        with self.changing([(zones_module.ROOT_ADDRESSES[0], ".")]):
            self.link("root", path)
            self.servers["root"].reload()

    @contextlib.contextmanager
    def changing(self, where):
        """Returns when the SOA with its signature is another one at all (address, zone) of `where`: no two
        publications have the same."""
        before = [self.raw(a, z, wire.SOA) for a, z in where]
        yield
        deadline = time.monotonic() + 3
        for (a, z), old in zip(where, before):
            while self.raw(a, z, wire.SOA) in (old, None):
                if time.monotonic() > deadline:
                    raise TimeoutError("%s does not serve the new %s" % (a, z))
                time.sleep(0.005)

    def publish_children(self):
        self.servers["children"].reload()

    # -- asking the servers themselves

    def ask(self, address, name, rdtype, timeout=0.5, do=False):
        """A Reply of a server, or None; asked inside the servers' namespace."""
        data = self.raw(address, name, rdtype, timeout, do)
        return wire.Reply(data) if data else None

    def raw(self, address, name, rdtype, timeout=0.5, do=True):
        with self.in_servers(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(timeout)
            try:
                s.sendto(struct.pack("!HHHHHH", 7, 0, 1, 0, 0, 1) + wire.query_tail(name, rdtype, do),
                         (address, self.port))
                return s.recv(4096)
            except OSError:
                return None

    def wait_served(self, zone, addresses, seconds=10):
        """Until each address answers for the zone."""
        deadline = time.monotonic() + seconds
        for address in addresses:
            while True:
                reply = self.ask(address, zone, wire.SOA)
                if reply and reply.rcode == wire.NOERROR and reply.answers:
                    break
                if time.monotonic() > deadline:
                    raise TimeoutError("%s does not serve %s" % (address, zone))
                time.sleep(0.02)

    def wait(self, server, seconds=20):
        deadline = time.monotonic() + seconds
        while self.ask(server.addresses[0], ".", wire.SOA, 0.1) is None:
            if time.monotonic() > deadline or server.process.poll() is not None:
                raise world.Unavailable("server %s does not answer; its log is %s/%s.log" % (
                    server.name, server.directory, server.name))
            time.sleep(0.02)
