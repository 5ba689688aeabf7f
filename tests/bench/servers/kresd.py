import os
import struct

import servers

META = struct.Struct("=16x II Q Q 48x I H H Q Q Q Q Q Q Q")      # page header, MDB_meta; 48x: the free list's tree


def lmdb_used_bytes(path):
    """Pages of the main tree of an LMDB file, in octets: of the newer one of its two meta pages."""
    with open(path, "rb") as f:
        head = f.read(65536)
    size = struct.unpack_from("=I", head, 16 + 24)[0]      # md_pad of the free list's tree is the page size
    metas = [META.unpack_from(head, at) for at in (0, size)]
    newest = max(metas, key=lambda meta: meta[-1])
    return sum(newest[7:10]) * size


class KnotResolver(servers.Server):
    name, title, port, binary = "kresd", "Knot Resolver", 5303, "/usr/sbin/kresd"

    def configure(self):
        d, s = self.directory, self.stage
        config = self.file("kresd.conf", """net.ipv6 = false
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
net.tcp_pipeline(256)
log_level('crit')
modules = {{ 'hints > iterate' }}
hints.root_file('{hints}')
trust_anchors.remove('.')
trust_anchors.add_file('{anchor}', true)
modules.unload('ta_signal_query')
modules.unload('ta_update')
modules.unload('priming')
modules.unload('detect_time_skew')
modules.unload('detect_time_jump')
cache.size = {size} * MB
""".format(port=self.port, hints=s.hints, anchor=s.anchor, size=self.options["cache_mib"]))
        self.command = [self.binary, "-n", "-c", config, d]

    def cache_bytes(self):
        path = os.path.join(self.directory, "data.mdb")
        return lmdb_used_bytes(path) if os.path.exists(path) else None


SERVER = KnotResolver
