"""One scenario with one resolver: raises the stage, starts the clients and the sniffer, does the steps at their time,
and hands what was seen to the judge."""

import json
import os
import signal
import threading
import time

import clients
import resolvers
import sniffing
import stage as stage_module
import wire
import world
import zones as zones_module


START_S = (2, 6, 20)   # for what is signed with the second of the start in mind; a busy machine gets more


class Run:
    def __init__(self, scenario, resolver_name, directory, chart=None):
        self.scenario, self.resolver_name, self.directory, self.chart = scenario, resolver_name, directory, chart
        self.scale, self.timeline = scenario.scale, scenario.timeline
        self.events = []          # (second, text)
        self.done = {}            # label of a step -> second at which it was certainly done
        self.versions = [(1, float("-inf"), float("-inf"))]     # (number, from, certainly from)
        self.nta_listed = []      # (second, list of NTAs)
        self.advice = []          # (second, what `nta advise` said)
        self.nta_reply = None
        self.delivered = []       # what an attacker delivered
        self.failures = []        # of the lab itself
        scenario.run = self

    def second(self):
        return time.monotonic() - self.start

    # -- what steps do

    def publish_version(self, number):
        """New publication of the zones that are asked for."""
        began = self.second()
        self.zones.put_version(number)
        self.stage.publish_children()
        net, index = self.scenario.changing()[0]
        probe = "www." + ("c%04d.de." % index)
        for _ in range(400):
            reply = self.stage.ask(zones_module.CHILD_ADDRESSES[0], probe, wire.A)
            if reply and reply.answers and reply.answers[0][2][1] == number:
                break
            time.sleep(0.01)
        else:
            self.failures.append("version %d was not published" % number)
        self.versions.append((number, began, self.second()))

    def add_nta(self, zone):
        self.nta_reply = self.resolver.nta_add(zone)
        self.events.append((self.second(), "NTA: %s" % str(self.nta_reply[1]).strip().split("\n")[0]))

    # -- the run

    def go(self):
        s = self.scenario
        self.zones = s.make_zones(os.path.join(self.directory, "zones"))
        self.stage = stage_module.Stage(self.directory, self.zones, s.middlebox)
        sniffer = client = None
        try:
            self.stage.start()
            s.prepare()
            for n in range(len(s.versions_at)):
                self.zones.write_version(n + 2, s.changing())
            net = self.stage.world.resolver_net()
            self.resolver = resolvers.ALL[self.resolver_name](self.stage, self.directory, self.zones, self.scale,
                                                              s.resolver_options)
            sniff_path = os.path.join(self.directory, "sniffed")
            records_path = os.path.join(self.directory, "records")
            sniffer = sniffing.start(net, sniff_path, world.setns)
            self.resolver.start()
            live_read, live_write = os.pipe()
            rows = s.schedule().rows
            for lead in START_S:
                planned = time.time() + lead
                s.just_before(planned)
                late = time.time() + 0.1 - planned
                if late <= 0:
                    break
            else:
                self.failures.append("the machine needed %.1f s more to begin" % late)
            self.start = time.monotonic() + max(0.1, planned - time.time())
            self.start_wall = time.time() - time.monotonic() + self.start
            client = clients.in_process(net, rows, self.scale, self.start, records_path, live_write,
                                        world.setns)
            os.close(live_write)
            self._play(live_read)
            os.waitpid(client, 0)
            client = None
            time.sleep(0.2)
            os.kill(sniffer, signal.SIGTERM)
            os.waitpid(sniffer, 0)
            sniffer = None
            self.records = clients.read_records(records_path)
            self.packets = sniffing.read_log(sniff_path)
            self.resolver.stop()
            s.finish()
        finally:
            for pid in (client, sniffer):
                if pid:
                    os.kill(pid, signal.SIGKILL)
                    os.waitpid(pid, 0)
            if getattr(self, "resolver", None):
                self.resolver.kill()
            s.finish()
            self.stage.stop()
        return self

    def _poll(self, stop):
        """Asks the resolver once a second what it says of itself."""
        while not stop.wait(max(0.1, 1.0 - self.second() % 1.0)):
            now = self.second()
            if self.resolver.process is None or now < self.timeline.broken - 3:
                continue
            try:
                if self.scenario.advice_rule or self.scenario.watch_advice:
                    advice = self.resolver.advice()
                    if advice is not None:
                        self.advice.append((now, advice))
                if self.scenario.nta and self.timeline.nta and now > self.timeline.nta:
                    listed = self.resolver.ntas()
                    if listed is not None:
                        self.nta_listed.append((now, listed))
            except Exception as error:                # a resolver that is being killed has no control socket
                self.failures.append("poll at %.1f s: %s" % (now, error))

    def _play(self, live):
        steps = sorted(self.scenario.steps(), key=lambda r: r[0])
        stop = threading.Event()
        poller = threading.Thread(target=self._poll, args=(stop,), daemon=True)
        poller.start()
        reader = threading.Thread(target=self._read_live, args=(live,), daemon=True)
        reader.start()
        # Publications take a moment to write; they do not hold up what breaks and mends.
        publisher = threading.Thread(target=self._do, args=([r for r in steps if r[1].startswith("version")],),
                                     daemon=True)
        publisher.start()
        self._do([r for r in steps if not r[1].startswith("version")])
        delay = self.start + self.timeline.end - time.monotonic()
        if delay > 0:
            time.sleep(delay)
        publisher.join(10)
        reader.join(30)
        stop.set()
        poller.join(10)

    def _do(self, steps):
        for at, label, function in steps:
            delay = self.start + at - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            began = self.second()
            try:
                function()
                self.done[label] = self.second()
            except Exception as error:
                self.failures.append("step %s: %s: %s" % (label, type(error).__name__, error))
            self.events.append((began, label))
            if self.chart and not label.startswith("version"):
                self.chart.event(began, label)

    def _read_live(self, live):
        with os.fdopen(live) as f:
            for line in f:
                at, counts, pending = json.loads(line)
                if self.chart:
                    self.chart.second(at, self.timeline, counts, pending)
