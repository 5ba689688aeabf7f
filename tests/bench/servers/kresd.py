import os

import servers


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
        return os.stat(path).st_blocks * 512 if os.path.exists(path) else None


SERVER = KnotResolver
