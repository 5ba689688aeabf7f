#!/usr/bin/python3
"""A miniature Internet to run a resolver in: signed root, top-level domains and some hundreds of zones, healthy and
broken, on servers in network namespaces that this program makes and removes itself.

    lab.py up [--dir D]        bring it up in the background
    lab.py down [--dir D]      take it down
    lab.py exec [--dir D] CMD  run CMD in the resolver's namespace
    lab.py names [--dir D]     every name as JSON: type, expected data, AD, EDE
    lab.py run [--dir D] [--holdfastd PATH]   lab and resolver in the foreground
    lab.py serve --loopback    servers on 127.53.0.0/16 of this namespace, foreground (port 53: needs root)
    lab.py config --out FILE   write a holdfast.yaml for a resolver in the lab

As root it uses network namespaces, otherwise a user namespace as well. Debian: nsd python3-dnspython
python3-cryptography iproute2."""

import argparse
import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPO = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, HERE)

import catalogue                                   # noqa: E402
import world                                       # noqa: E402
from registry import GROUPS                        # noqa: E402

FRESH_S = 6 * 3600        # a signed tree is used again for so long; its signatures live three weeks


def cache_root():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    for candidate in (os.path.join(base, "holdfast-lab"), "/tmp/holdfast-lab-%d" % os.getuid()):
        try:
            os.makedirs(candidate, exist_ok=True)
            if os.access(candidate, os.W_OK):
                return candidate
        except OSError:
            continue
    raise SystemExit("lab: no directory to keep signed zones in")


def source_hash():
    h = hashlib.sha256()
    for name in sorted(os.listdir(HERE)):
        if name.endswith(".py") and name not in ("lab.py", "world.py", "sniff.py", "processes.py"):
            with open(os.path.join(HERE, name), "rb") as f:
                h.update(f.read())
    return h.hexdigest()[:12]


def file_name(origin):
    text = origin.to_text()
    return "root.zone" if text == "." else text + "zone"


_registry = None


def _sign_some(job):
    origins, directory = job
    for origin in origins:
        entry = _registry.entries[origin]
        entry.zone.sign()
        if entry.after:
            entry.after(entry.zone)
        with open(os.path.join(directory, file_name(origin)), "w") as f:
            f.write(entry.zone.text())
    return len(origins)


def build_tree(loopback=False):
    """Signs everything into a directory that is kept and used again while it is fresh; returns its path."""
    global _registry
    ipv6 = world.has_ipv6() and not loopback
    mode = ("loopback" if loopback else "namespace") + ("6" if ipv6 else "4")
    directory = os.path.join(cache_root(), "%s-%s" % (mode, source_hash()))
    manifest = os.path.join(directory, "manifest.json")
    if os.path.exists(manifest) and time.time() - os.path.getmtime(manifest) < FRESH_S:
        return directory
    for old in os.listdir(cache_root()):
        path = os.path.join(cache_root(), old)
        if old.startswith(mode) and time.time() - os.path.getmtime(path) > FRESH_S:
            shutil.rmtree(path, ignore_errors=True)
    work = directory + ".%d" % os.getpid()
    os.makedirs(work)
    _registry = r = catalogue.build(int(time.time()), ipv6, "127.53." if loopback else "10.53.")
    origins = list(r.entries)
    chunks = [(origins[i::16], work) for i in range(16)]
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        pool.map(_sign_some, chunks, chunksize=1)
    root = next(e for o, e in r.entries.items() if len(o) == 1)
    with open(os.path.join(work, "root.hints"), "w") as f:
        for name, (a, aaaa) in root.servers.items():
            f.write(". 3600000 IN NS %s\n%s 3600000 IN A %s\n" % (name, name, a))
            if aaaa:
                f.write("%s 3600000 IN AAAA %s\n" % (name, aaaa))
    with open(os.path.join(work, "root.anchor"), "w") as f:
        f.write("".join(". 86400 IN DS %s\n" % d for d in root.ds))
    zones = {g: [] for g in GROUPS}
    for origin, entry in r.entries.items():
        zones[entry.group].append(origin.to_text())
    with open(os.path.join(work, "manifest.json"), "w") as f:
        json.dump({"questions": r.questions, "hot": r.hot, "zones": zones, "loopback": loopback, "ipv6": ipv6,
                   "addresses": {g: r.addresses(g) for g in GROUPS}}, f, indent=1)
    shutil.rmtree(directory, ignore_errors=True)
    os.rename(work, directory)
    return directory


def servers_for(tree, directory):
    """The server processes of the lab, their configuration written into `directory`."""
    with open(os.path.join(tree, "manifest.json")) as f:
        manifest = json.load(f)
    os.makedirs(directory, exist_ok=True)
    servers = []
    for group in GROUPS:
        addresses = [a for pair in manifest["addresses"][group] for a in pair if a]
        if group == "dead" or not addresses:
            continue
        server = {"name": group, "addresses": addresses}
        if group == "script":
            server["command"] = ["/usr/bin/python3", os.path.join(HERE, "scripted.py")] + addresses
        else:
            # The lame servers run, and have none of the zones that are delegated to them.
            zones = [] if group == "lame" else [
                (z, os.path.join(tree, "root.zone" if z == "." else z + "zone")) for z in manifest["zones"][group]]
            server["config"] = world.nsd_config(directory, group, addresses, zones)
        servers.append(server)
    return servers


class Lab:
    """What tests and ./dev use: the tree, the world that serves it, the files a resolver needs."""

    def __init__(self, directory, loopback=False):
        self.directory = os.path.abspath(directory)
        self.tree = build_tree(loopback)
        with open(os.path.join(self.tree, "manifest.json")) as f:
            self.manifest = json.load(f)
        self.servers = servers_for(self.tree, self.directory)
        self.world = world.World(self.directory, self.servers)

    hints = property(lambda self: os.path.join(self.tree, "root.hints"))
    anchor = property(lambda self: os.path.join(self.tree, "root.anchor"))

    def resolver_settings(self):
        """The sections that make a resolver live in this lab."""
        return {"resolve": {"root_hints": self.hints, "never_query": "[ ]"},
                "dnssec": {"trust_anchors": self.anchor, "anchor_updates": "false"}}

    def write_config(self, path, listen=("127.0.0.1:53", "[::1]:53"), extra=None):
        """A holdfast.yaml for this lab. extra: {section: {key: text}} on top of it."""
        settings = {
            "server": {"listen": "[ %s ]" % ", ".join('"%s://%s"' % (t, a) for a in listen for t in ("udp", "tcp")),
                       "workers": "1"},
            # The sanitizers make system calls that are not ours.
            "process": {"users": "false", "sandbox": "false" if os.environ.get("HOLDFAST_SANITIZED") else "true"},
            "cache": {"directory": os.path.join(os.path.dirname(os.path.abspath(path)), "cache"), "size": "64M"},
            **self.resolver_settings(),
        }
        for section, values in (extra or {}).items():
            settings.setdefault(section, {}).update(values)
        return write_yaml(path, settings)


def write_yaml(path, settings):
    with open(path, "w") as f:
        for section, values in settings.items():
            f.write("%s:\n" % section)
            for key, value in values.items():
                f.write("  %s: %s\n" % (key, value))
    return path


def default_dir():
    return os.path.join("/tmp", "holdfast-lab-%d.run" % os.getuid())


def read_state(directory):
    try:
        with open(os.path.join(directory, "state.json")) as f:
            return json.load(f)
    except OSError:
        raise SystemExit("lab: not up in %s" % directory)


def alive(directory):
    try:
        with open(os.path.join(directory, "state.json")) as f:
            os.kill(json.load(f)["supervisor"], 0)
        return True
    except (OSError, ValueError):
        return False


def inside_prefix(directory):
    w = world.World(directory, [])
    w.state = read_state(directory)
    return w.nsenter()


def cmd_up(args):
    if alive(args.dir):
        raise SystemExit("lab: already up in %s" % args.dir)
    lab = Lab(args.dir)
    lab.world.start(detach=True)
    prefix = " ".join(lab.world.nsenter())
    print("lab: up in %s, %d zones, %d questions in `names`" % (
        args.dir, sum(map(len, lab.manifest["zones"].values())), len(lab.manifest["questions"])))
    print("lab: root hints %s\nlab: trust anchor %s\nlab: inside: %s COMMAND" % (lab.hints, lab.anchor, prefix))


def cmd_down(args):
    state = read_state(args.dir)
    os.kill(state["supervisor"], signal.SIGTERM)
    for _ in range(100):
        if not alive(args.dir):
            break
        time.sleep(0.1)
    os.unlink(os.path.join(args.dir, "state.json"))


def cmd_exec(args):
    command = inside_prefix(args.dir) + args.command
    os.execvp(command[0], command)


def cmd_names(args):
    with open(os.path.join(build_tree(), "manifest.json")) as f:
        json.dump(json.load(f)["questions"], sys.stdout, indent=1)
    print()


def cmd_config(args):
    lab = Lab(args.dir, args.loopback)
    print(lab.write_config(args.out, tuple(args.listen) if args.listen else ("127.0.0.1:53",)))


def wait_for_signal(child=None):
    stop = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.append(1))
    while not stop and (child is None or child.poll() is None):
        time.sleep(0.1)


def cmd_run(args):
    """Lab and resolver until Ctrl-C."""
    world.become_root()
    lab = Lab(args.dir)
    lab.world.start()
    config = lab.write_config(os.path.join(args.dir, "holdfast.yaml"),
                              ("127.0.0.1:%d" % args.port, "[::1]:%d" % args.port))
    prefix = " ".join(lab.world.nsenter())
    try:
        with lab.world.inside():
            child = subprocess.Popen([args.holdfastd, "--config", config, "--runtime-dir",
                                      os.path.join(args.dir, "run"), "--state-dir", os.path.join(args.dir, "state")],
                                     preexec_fn=world.die_with_parent)
        print("lab: ask from outside: %s dig @127.0.0.1 -p %d www.p256-nsec.com" % (prefix, args.port), flush=True)
        wait_for_signal(child)
        child.terminate()
        child.wait()
    finally:
        lab.world.stop()


def cmd_serve(args):
    """Servers alone, in this namespace, on loopback addresses. Leaves in --dir the part of a holdfast.yaml that
    belongs to the lab, and a name to ask first."""
    if not args.loopback:
        raise SystemExit("lab: serve needs --loopback; `up` is the lab in namespaces")
    lab = Lab(args.dir, loopback=True)
    children = world.start_servers(lab.servers)
    try:
        world.wait_for_servers(lab.servers)
        write_yaml(os.path.join(args.dir, "holdfast.yaml"), lab.resolver_settings())
        with open(os.path.join(args.dir, "first-question"), "w") as f:
            f.write("www.p256-nsec.com\n")
        print("lab: ready: %d zones on %s0.0/16, root hints %s, trust anchor %s" % (
            sum(map(len, lab.manifest["zones"].values())), "127.53.", lab.hints, lab.anchor), flush=True)
        wait_for_signal()
    finally:
        world.stop_servers(children)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    sub = parser.add_subparsers(dest="verb", required=True)
    for name, function in (("up", cmd_up), ("down", cmd_down), ("exec", cmd_exec), ("names", cmd_names),
                           ("config", cmd_config), ("run", cmd_run), ("serve", cmd_serve)):
        p = sub.add_parser(name)
        p.set_defaults(function=function)
        p.add_argument("--dir", default=default_dir())
        p.add_argument("--loopback", action="store_true")
        p.add_argument("--listen", action="append")
        if name == "exec":
            p.add_argument("command", nargs=argparse.REMAINDER)
        if name == "config":
            p.add_argument("--out", required=True)
        if name == "run":
            p.add_argument("--holdfastd", default=os.path.join(REPO, "build", "daemons", "holdfastd", "holdfastd"))
            p.add_argument("--port", type=int, default=5300)
    args = parser.parse_args()
    try:
        args.function(args)
    except world.Unavailable as error:
        raise SystemExit("lab: %s" % error)


if __name__ == "__main__":
    main()
