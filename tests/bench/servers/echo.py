"""The limits: bench-echo with batches of 64, and without."""

import servers


class Echo(servers.Server):
    """Not a resolver: answers are the questions."""
    mode, binary = "", ""

    @classmethod
    def installed(cls, stage):
        return True

    def configure(self):
        self.command = [self.stage.program("echo"), self.mode, "127.0.0.1", str(self.port)]

    def load(self, names, *options):
        return super().load(names, "--any-rcode", *options)


class Batch(Echo):
    name, title, port, mode = "echo", "echo, 64 at once", 5310, "batch"


class Plain(Echo):
    name, title, port, mode = "echo-plain", "echo, one by one", 5311, "plain"
