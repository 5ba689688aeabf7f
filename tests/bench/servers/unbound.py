import servers


class Unbound(servers.Server):
    name, title, port, binary = "unbound", "Unbound", 5301, "/usr/sbin/unbound"

    def configure(self):
        d, s = self.directory, self.stage
        config = self.file("unbound.conf", """server:
  directory: "{d}"
  pidfile: "{d}/pid"
  username: ""
  chroot: ""
  use-syslog: no
  logfile: "{d}/unbound.log"
  verbosity: 0
  interface: 127.0.0.1@{port}
  access-control: 127.0.0.0/8 allow
  do-ip6: no
  do-not-query-localhost: no
  num-threads: 1
  so-rcvbuf: 4m
  so-sndbuf: 4m
  outgoing-range: 4096
  num-queries-per-thread: 2048
  incoming-num-tcp: 128
  msg-cache-size: {half}m
  rrset-cache-size: {whole}m
  key-cache-size: 64m
  infra-cache-numhosts: 10000
  minimal-responses: yes
  prefetch: no
  module-config: "validator iterator"
  root-hints: "{hints}"
  trust-anchor-file: "{anchor}"
  trust-anchor-signaling: no
  root-key-sentinel: no
remote-control:
  control-enable: no
""".format(d=d, port=self.port, half=self.options["cache_mib"], whole=2 * self.options["cache_mib"], hints=s.hints,
           anchor=s.anchor))
        self.command = [self.binary, "-d", "-c", config]


SERVER = Unbound
