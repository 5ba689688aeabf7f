import servers


class PowerDNS(servers.Server):
    name, title, port, binary = "pdns", "PowerDNS Recursor", 5304, "/usr/sbin/pdns_recursor"

    def configure(self):
        d, s = self.directory, self.stage
        lua = self.file("anchors.lua", 'clearTA()\naddTA(".", "%s")\n' % " ".join(s.anchor_ds()))
        self.file("recursor.conf", """local-address=127.0.0.1
local-port={port}
allow-from=127.0.0.0/8
socket-dir={d}
hint-file={hints}
dnssec=validate
lua-config-file={lua}
threads=1
pdns-distributes-queries=no
reuseport=no
dont-query=
quiet=yes
loglevel=3
security-poll-suffix=
serve-rfc1918=no
max-mthreads=4096
max-cache-entries=4000000
max-packetcache-entries=4000000
packetcache-ttl=86400
max-tcp-clients=256
max-tcp-per-client=0
max-tcp-queries-per-connection=0
max-concurrent-requests-per-tcp-connection=256
nothing-below-nxdomain=dnssec
daemon=no
write-pid=no
""".format(port=self.port, d=d, hints=s.hints, lua=lua))
        self.command = [self.binary, "--config-dir=" + d]


SERVER = PowerDNS
