"""Namespaces and servers: a World is a `servers` namespace with NSD processes on addresses of its own, and a
`resolver` namespace behind a veth pair. One supervisor process owns both; when it ends, for whatever reason,
nothing of them is left."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """The machine lets us make no namespaces; the text says why."""


def _check(result, what):
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, "%s: %s" % (what, os.strerror(error)))


def unshare(flags):
    _check(libc.unshare(flags), "unshare")


def setns(path, flags=CLONE_NEWNET):
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(libc.setns(fd, flags), "setns " + path)
    finally:
        os.close(fd)


def can_make_namespaces():
    """Empty string, or why not."""
    flag = "-n" if os.geteuid() == 0 else "-rnm"
    done = subprocess.run(["unshare", flag, "ip", "link", "set", "lo", "up"], capture_output=True, text=True)
    return "" if done.returncode == 0 else "no network namespaces (unshare %s: %s)" % (flag, done.stderr.strip())


def become_root():
    """A user namespace of our own when we are not root; afterwards the calling process is root in it."""
    if os.geteuid() == 0:
        return
    uid, gid = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNS)
    except OSError as error:
        raise Unavailable("neither root nor user namespaces: %s" % error)
    for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % uid), ("gid_map", "0 %d 1" % gid)):
        with open("/proc/self/" + name, "w") as f:
            f.write(text)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def ip(*args):
    subprocess.run(["ip"] + list(args), check=True)


def ip_batch(lines):
    subprocess.run(["ip", "-force", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def has_ipv6():
    return os.path.exists("/proc/net/if_inet6")


def nsd_config(directory, name, addresses, zones, port=53):
    """zones: [(origin text, file)]. Small tables, no database, no control socket."""
    lines = ["server:", "  server-count: 1", '  username: ""', '  zonesdir: "%s"' % directory, '  database: ""',
             '  pidfile: "%s/%s.pid"' % (directory, name), '  logfile: "%s/%s.log"' % (directory, name),
             '  xfrdfile: "%s/%s.xfrd"' % (directory, name), '  zonelistfile: "%s/%s.list"' % (directory, name),
             "  port: %d" % port, "  tcp-count: 200", "  verbosity: 0", "  hide-version: yes", "  rrl-ratelimit: 0",
             "  rrl-whitelist-ratelimit: 0", "  ipv4-edns-size: 1232", "  ipv6-edns-size: 1232",
             '  xfrdir: "%s"' % directory, "  zonefiles-check: no", "  zonefiles-write: 0"]
    lines += ["  ip-address: %s" % a for a in addresses]
    lines += ["remote-control:", "  control-enable: no"]
    for origin, path in zones:
        lines += ["zone:", '  name: "%s"' % origin, '  zonefile: "%s"' % path]
    config = os.path.join(directory, name + ".nsd.conf")
    with open(config, "w") as f:
        f.write("\n".join(lines) + "\n")
    return config


class World:
    """servers: list of dicts {name, addresses, config} (NSD) or {name, addresses, command} (anything else)."""

    def __init__(self, directory, servers, label="lab"):
        self.directory, self.servers, self.label = directory, servers, label
        self.supervisor = None
        self.state = None

    # -- the supervisor: runs in the namespaces

    def _configure_servers(self, peer_pid):
        lines = ["link set lo up", "link add toresolver type veth peer name toservers netns %d" % peer_pid,
                 "link set toresolver up", "addr add 10.54.0.1/24 dev toresolver"]
        if has_ipv6():
            lines.append("addr add fd54::1/64 dev toresolver nodad")
        for server in self.servers:
            for address in server["addresses"]:
                if ":" not in address:
                    lines.append("addr add %s/32 dev lo" % address)
                elif has_ipv6():
                    lines.append("addr add %s/128 dev lo nodad" % address)
        ip_batch(lines)

    @staticmethod
    def _configure_resolver():
        lines = ["link set lo up", "link set toservers up", "addr add 10.54.0.2/24 dev toservers",
                 "route add default via 10.54.0.1"]
        if has_ipv6():
            lines += ["addr add fd54::2/64 dev toservers nodad", "route add default via fd54::1"]
        ip_batch(lines)

    def _supervise(self, ready):
        """Resolver namespace first (a child keeps it), then our own for the servers."""
        unshare(CLONE_NEWNET)
        read_end, write_end = os.pipe()
        keeper = os.fork()
        if keeper == 0:
            die_with_parent()
            os.close(write_end)
            os.read(read_end, 1)      # wait until the veth pair is there
            self._configure_resolver()
            os.close(ready)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            while True:
                signal.pause()
        os.close(read_end)
        unshare(CLONE_NEWNET)
        self._configure_servers(keeper)
        os.write(write_end, b"x")
        os.close(write_end)
        children = start_servers(self.servers)
        os.write(ready, json.dumps({"supervisor": os.getpid(), "resolver": keeper,
                                    "servers": {s["name"]: c.pid for s, c in zip(self.servers, children)}}).encode())
        os.close(ready)
        stop = []
        signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        while not stop:
            time.sleep(0.2)
        stop_servers(children)
        os.kill(keeper, signal.SIGKILL)
        os._exit(0)

    # -- for the caller

    def start(self, detach=False):
        """Starts the supervisor; when it returns, the servers answer. detach: it outlives us."""
        os.makedirs(self.directory, exist_ok=True)
        ready_read, ready_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                os.close(ready_read)
                if detach:
                    os.setsid()
                    if os.fork():
                        os._exit(0)
                    log = os.open(os.path.join(self.directory, "supervisor.log"),
                                  os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
                    null = os.open("/dev/null", os.O_RDONLY)
                    os.dup2(null, 0)
                    os.dup2(log, 1)
                    os.dup2(log, 2)
                    become_root()
                else:
                    die_with_parent()
                self._supervise(ready_write)
            except BaseException as error:
                sys.stderr.write("lab: %s\n" % error)
            os._exit(1)
        os.close(ready_write)
        with os.fdopen(ready_read) as f:
            text = f.read()
        if detach:
            os.waitpid(pid, 0)
        if not text:
            raise Unavailable("the lab did not start (see above, or supervisor.log in %s)" % self.directory)
        self.state = json.loads(text)
        self.supervisor = self.state["supervisor"]
        with open(os.path.join(self.directory, "state.json"), "w") as f:
            json.dump(self.state, f)
        with self.inside() if not detach else contextlib.nullcontext():
            if not detach:
                wait_for_servers(self.servers)
        return self

    def stop(self):
        if not self.supervisor:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.supervisor, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.supervisor, 0)
        self.supervisor = None

    def resolver_net(self):
        return "/proc/%d/ns/net" % self.state["resolver"]

    @contextlib.contextmanager
    def inside(self):
        """The calling thread lives in the resolver's namespace; what it starts, too."""
        home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        setns(self.resolver_net())
        try:
            yield self
        finally:
            _check(libc.setns(home, CLONE_NEWNET), "setns back")
            os.close(home)

    def nsenter(self):
        """The command prefix that runs something in the resolver's namespace, from outside."""
        pid = str(self.state["resolver"])
        user = [] if os.geteuid() == 0 else ["-U", "--preserve-credentials"]
        return ["nsenter", "-t", pid] + user + ["-n"]


def start_servers(servers):
    children = []
    for server in servers:
        command = server.get("command") or ["nsd", "-d", "-c", server["config"]]
        env = dict(os.environ, PATH="/usr/sbin:/usr/bin:/sbin:/bin")
        children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent, env=env,
                                         start_new_session=True))
    return children


def stop_servers(children):
    for child in children:
        child.terminate()
    deadline = time.monotonic() + 5
    for child in children:
        try:
            child.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def answers(address, timeout=0.2):
    """Whether a DNS server answers anything at that address."""
    query = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(timeout)
        try:
            s.connect((address, 53))
            s.send(query)
            return len(s.recv(4096)) >= 12
        except OSError:
            return False


def wait_for_servers(servers, seconds=30):
    deadline = time.monotonic() + seconds
    for server in servers:
        address = server["addresses"][0]
        if ":" in address and not has_ipv6():
            continue
        while not answers(address):
            if time.monotonic() > deadline:
                raise Unavailable("server %s at %s does not answer; see its log" % (server["name"], address))
            time.sleep(0.05)
