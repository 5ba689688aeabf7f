import servers


class Bind(servers.Server):
    name, title, port, binary = "bind", "BIND", 5302, "/usr/sbin/named"

    def configure(self):
        d, s = self.directory, self.stage
        tag, algorithm, digest_type, digest = s.anchor_ds()
        config = self.file("named.conf", """options {{
  directory "{d}";
  pid-file "{d}/named.pid";
  session-keyfile "{d}/session.key";
  managed-keys-directory "{d}";
  listen-on port {port} {{ 127.0.0.1; }};
  listen-on-v6 {{ none; }};
  recursion yes;
  allow-recursion {{ 127.0.0.0/8; }};
  dnssec-validation yes;
  empty-zones-enable no;
  minimal-responses yes;
  max-cache-size {size}m;
  recursive-clients 10000;
  tcp-clients 1000;
  clients-per-query 0;
  fetches-per-zone 0;
  trust-anchor-telemetry no;
  querylog no;
}};
controls {{ }};
logging {{ category default {{ null; }}; category dnssec {{ null; }}; category lame-servers {{ null; }}; }};
trust-anchors {{ "." static-ds {tag} {algorithm} {digest_type} "{digest}"; }};
zone "." {{ type hint; file "{hints}"; }};
""".format(d=d, port=self.port, size=3 * self.options["cache_mib"], tag=tag, algorithm=algorithm,
           digest_type=digest_type, digest=digest, hints=s.hints))
        self.command = [self.binary, "-4", "-f", "-n", "1", "-c", config]


SERVER = Bind
