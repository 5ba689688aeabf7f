"""Whoever sits in the path: a process that has port 53 of all servers' addresses, hands questions on to the servers
behind it (port 5300 of the same addresses), and in an attack to servers of its own, or nowhere. It writes down every
answer that it delivered instead of the true one."""

import os
import pickle
import select
import signal
import socket
import struct
import threading
import time
import traceback
from collections import namedtuple

import wire

PORT, BEHIND = 53, 5300
DROP = "drop"

# What was delivered in place of the true answer: when, by whose address, for what, and which kind of forgery.
Delivered = namedtuple("Delivered", "at server name rdtype kind")


class Middlebox:
    def __init__(self, addresses, policy):
        """policy.route(mode, address, name, rdtype): None to pass on, DROP, or (address to ask instead, kind)."""
        self.policy, self.mode, self.delivered = policy, "", []
        self.poller, self.sockets, self.pending, self.idents = select.epoll(), {}, {}, {}
        self.tcp = []
        for a in addresses:
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            s.bind((a, PORT))
            s.setblocking(False)
            self._watch(s, ("client", a))
            up = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            up.setblocking(False)
            up.bind((a, 0))
            self._watch(up, ("server", a))
            self.idents[a] = [0, s, up]
            t = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            t.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            t.bind((a, PORT))
            t.listen(64)
            threading.Thread(target=self._accept, args=(t, a), daemon=True).start()

    def _watch(self, s, what):
        self.sockets[s.fileno()] = (s,) + what
        self.poller.register(s.fileno(), select.EPOLLIN)

    def _question(self, data):
        name, at = wire.read_name(data, 12)
        return name, struct.unpack_from("!H", data, at)[0]

    def _from_client(self, s, a, data, client):
        try:
            name, rdtype = self._question(data)
        except (IndexError, struct.error, ValueError):
            return
        route = self.policy.route(self.mode, a, name, rdtype)
        if route == DROP:
            self.delivered.append((time.monotonic(), a, name, rdtype, DROP))
            return
        target, kind = route or (a, None)
        entry = self.idents[a]
        entry[0] = (entry[0] + 1) & 0xFFFF
        self.pending[(a, entry[0])] = (client, data[:2], name, rdtype, kind)
        entry[2].sendto(struct.pack("!H", entry[0]) + data[2:], (target, BEHIND))

    def _from_server(self, a, data):
        waiting = self.pending.pop((a, struct.unpack_from("!H", data)[0]), None)
        if waiting is None:
            return
        client, ident, name, rdtype, kind = waiting
        if kind:
            self.delivered.append((time.monotonic(), a, name, rdtype, kind))
        self.idents[a][1].sendto(ident + data[2:], client)

    # -- TCP: seldom, so a thread each

    def _accept(self, listener, a):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection, a), daemon=True).start()

    @staticmethod
    def _exactly(s, n):
        data = b""
        while len(data) < n:
            more = s.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def _serve(self, connection, a):
        try:
            with connection:
                connection.settimeout(10)
                while True:
                    data = self._exactly(connection, struct.unpack("!H", self._exactly(connection, 2))[0])
                    name, rdtype = self._question(data)
                    route = self.policy.route(self.mode, a, name, rdtype)
                    if route == DROP:
                        return
                    target, kind = route or (a, None)
                    with socket.create_connection((target, BEHIND), 3) as s:
                        s.sendall(struct.pack("!H", len(data)) + data)
                        reply = self._exactly(s, struct.unpack("!H", self._exactly(s, 2))[0])
                    if kind:
                        self.delivered.append((time.monotonic(), a, name, rdtype, kind))
                    connection.sendall(struct.pack("!H", len(reply)) + reply)
        except (OSError, EOFError, struct.error, ValueError, IndexError):
            pass

    def run(self, control, stop):
        self._watch_control(control)
        while not stop:
            for fd, _ in self.poller.poll(0.2):
                if fd == control:
                    text = os.read(control, 4096).decode()
                    if not text:
                        return
                    self.mode = text.split("\n")[-2]
                    continue
                s, what, a = self.sockets[fd]
                for _ in range(64):
                    try:
                        data, peer = s.recvfrom(4096)
                    except (BlockingIOError, ConnectionRefusedError):
                        break
                    if len(data) < 17:
                        continue
                    if what == "client":
                        self._from_client(s, a, data, peer)
                    else:
                        self._from_server(a, data)

    def _watch_control(self, control):
        os.set_blocking(control, False)
        self.poller.register(control, select.EPOLLIN)


class Attacker:
    """The caller's handle on the process."""

    def __init__(self, net, setns, addresses, policy, path):
        self.path = path
        read_end, self.control = os.pipe()
        ready_read, ready_write = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(read_end)
            os.close(ready_write)
            if os.read(ready_read, 1) != b"x":
                raise OSError("the middlebox did not start")
            os.close(ready_read)
            return
        code = 1
        try:
            os.close(self.control)
            setns(net)
            stop = []
            signal.signal(signal.SIGTERM, lambda *_: stop.append(1))
            box = Middlebox(addresses, policy)
            os.write(ready_write, b"x")
            box.run(read_end, stop)
            with open(path + ".new", "wb") as f:
                pickle.dump(box.delivered, f, protocol=4)
            os.rename(path + ".new", path)
            code = 0
        except Exception:
            traceback.print_exc()
        finally:
            os._exit(code)

    def mode(self, name):
        os.write(self.control, (name + "\n").encode())

    def stop(self):
        """Ends it; what it delivered."""
        if self.pid is None:
            return []
        os.kill(self.pid, signal.SIGTERM)
        os.waitpid(self.pid, 0)
        self.pid = None
        try:
            with open(self.path, "rb") as f:
                return [Delivered(*d) for d in pickle.load(f)]
        except OSError:
            return []
