"""The commands as users type them, good and bad. The binary is that of the variable IOASIM."""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

IOASIM = os.environ["IOASIM"]
TOP = pathlib.Path(__file__).resolve().parents[2]

MACHINE = """\
name: small
cpu: {cores: 1}
iommus:
  iommu0: {}
root_ports:
  port0: {iommu: iommu0}
devices:
  dma0: {kind: dma-engine, port: port0}
"""


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        return name

    def ioasim(self, *arguments, **options):
        options.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([IOASIM, *arguments], cwd=self.folder, stderr=subprocess.PIPE,
                              encoding="utf-8", timeout=300, **options)

    def succeed(self, *arguments):
        result = self.ioasim(*arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def refuse(self, *arguments, **options):
        """The one line that says what is wrong; nothing printed, nothing written."""
        before = sorted(self.folder.rglob("*"))
        result = self.ioasim(*arguments, **options)
        self.assertEqual(result.returncode, 2, f"{result.stdout}{result.stderr}")
        self.assertFalse(result.stdout)
        self.assertRegex(result.stderr, r"\Aioasim: [^\n]+\n\Z")
        self.assertEqual(sorted(self.folder.rglob("*")), before)
        return result.stderr

    def read(self, name):
        return (self.folder / name).read_bytes()


class Mistakes(CliTest):
    def test_unknown_verb(self):
        self.assertIn('unknown verb "rnu"; did you mean run?', self.refuse("rnu", "first-dma"))

    def test_unknown_scenario(self):
        self.assertIn("did you mean first-dma?", self.refuse("run", "first-dam"))

    def test_unknown_platform(self):
        self.assertIn("did you mean server?",
                      self.refuse("run", "first-dma", "--platform", "sevrer"))

    def test_unknown_parameter(self):
        self.assertIn("did you mean iommu0.iotlb.entries?",
                      self.refuse("run", "first-dma", "--set", "iommu0.iotlb.entires=64"))
        self.assertIn("did you mean iommu0.iotlb.entries?",
                      self.refuse("run", "first-dma", "--set", "iotlb.entries=64"))

    def test_group_instead_of_parameter(self):
        self.assertIn("iommu0.iotlb.entries, iommu0.iotlb.ways",
                      self.refuse("run", "first-dma", "--set", "iommu0.iotlb=64"))

    def test_setting_without_value(self):
        self.assertIn("write --set PATH=VALUE",
                      self.refuse("run", "first-dma", "--set", "iommu0.lookup"))

    def test_missing_unit(self):
        self.assertIn("missing unit: write 300ns",
                      self.refuse("run", "first-dma", "--set", "memory.latency=300"))

    def test_wrong_unit(self):
        self.assertIn("use ps, ns, us, ms or s",
                      self.refuse("run", "first-dma", "--set", "memory.latency=300GB"))

    def test_out_of_range(self):
        self.assertIn("must be from 1 to 64",
                      self.refuse("run", "first-dma", "--set", "cpu.cores=65"))

    def test_parameters_that_conflict(self):
        message = self.refuse("run", "first-dma", "--set", "iommu0.iotlb.ways=3")
        self.assertIn("iommu0.iotlb.ways=3: iommu0.iotlb.entries=128: must be ways (3)", message)

    def test_scenarios_that_only_the_oracle_can_answer(self):
        for scenario in ("coherency-matrix", "snoop-vs-nosnoop", "false-sharing-dma",
                         "memory-types", "coherence-torture"):
            self.assertIn(f"simulation.oracle=false: {scenario} is answered by the oracle; "
                          "leave it on",
                          self.refuse("run", scenario, "--set", "simulation.oracle=false"))
        self.assertIn("held", self.succeed("run", "first-dma", "--set", "simulation.oracle=false"))

    def test_scenarios_that_the_machine_cannot_answer(self):
        self.assertIn("scenario.fill=1GiB: not more than cache.llc.capacity (20MiB)",
                      self.refuse("run", "wbinvd-cost", "--set", "scenario.fill=1GiB"))
        for path in ("dma0.function.no_snoop", "port0.honor_no_snoop"):
            self.assertIn(f"{path}=false: memory-types needs a device whose No Snoop requests",
                          self.refuse("run", "memory-types", "--set", f"{path}=false"))

    def test_malformed_yaml(self):
        self.write("bad.yaml", "cpu: {cores: 2\nmemory: x\n")
        for arguments in (["check", "bad.yaml"], ["run", "first-dma", "--platform", "bad.yaml"]):
            self.assertRegex(self.refuse(*arguments), r"bad\.yaml:2:\d+: malformed YAML")

    def test_mistakes_in_a_machine(self):
        for old, new, message in (
                ("cores: 1", "cores: 0", "bad.yaml:2:14: cpu.cores=0: out of range"),
                ("iommu: iommu0", "iommu: iomu0", "bad.yaml:6:18: port0.iommu=iomu0: "),
                ("port: port0", "port: prt0", "did you mean port0?"),
                ("dma-engine", "dma-engin", "did you mean dma-engine?"),
                ("cores", "coers", "bad.yaml:2:7: cpu.coers: unknown key; did you mean cores?"),
                ("  iommu0: {}", "\tiommu0: {}", "bad.yaml:4:1: a tab"),
                ("  iommu0: {}", "  iommu0: {}\n  iommu0: {}",
                 "bad.yaml:5:3: \"iommu0\" is given")):
            with self.subTest(new):
                self.write("bad.yaml", MACHINE.replace(old, new))
                self.assertIn(message, self.refuse("check", "bad.yaml"))

    def test_files_that_cannot_be_read(self):
        self.assertIn("No such file", self.refuse("check", "missing.yaml"))
        self.assertIn("is a directory", self.refuse("check", "."))
        (self.folder / "dangling.yaml").symlink_to("nowhere")
        self.assertIn("No such file", self.refuse("check", "dangling.yaml"))
        self.write("empty.yaml", "")
        self.assertIn("is empty", self.refuse("check", "empty.yaml"))

    @unittest.skipIf(os.geteuid() == 0, "root can read everything")
    def test_file_without_permission(self):
        self.write("secret.yaml", MACHINE)
        (self.folder / "secret.yaml").chmod(0)
        self.assertIn("Permission denied", self.refuse("check", "secret.yaml"))

    def test_out_that_cannot_be_used(self):
        (self.folder / "full").mkdir()
        self.write("full/file", "x")
        self.assertIn("is not empty", self.refuse("run", "first-dma", "--out", "full"))
        self.assertIn("is a file", self.refuse("run", "first-dma", "--out", "full/file"))
        self.assertIn("is no directory",
                      self.refuse("run", "first-dma", "--out", "full/file/below"))

    @unittest.skipIf(os.geteuid() == 0, "root can write everywhere")
    def test_out_without_permission(self):
        (self.folder / "closed").mkdir(mode=0o500)
        self.assertIn("Permission denied", self.refuse("run", "first-dma", "--out", "closed/out"))

    def test_unknown_option(self):
        self.assertIn("unknown option --sett; did you mean --set?",
                      self.refuse("run", "first-dma", "--sett", "a=b"))
        self.assertIn("unknown option --verison; did you mean --version?",
                      self.refuse("--verison"))

    def test_wrong_use_of_options(self):
        self.assertIn("did you mean json?", self.refuse("run", "first-dma", "--format", "jsn"))
        self.assertIn("--seed x: not a count", self.refuse("run", "first-dma", "--seed", "x"))
        self.assertIn("exactly one value", self.refuse("run", "first-dma", "--seed"))
        self.assertIn("exactly one value",
                      self.refuse("run", "first-dma", "--seed", "1", "--seed", "2"))
        self.assertIn("SCENARIO is required", self.refuse("run"))
        self.assertIn("one argument too many: more", self.refuse("run", "first-dma", "more"))

    def test_traces(self):
        self.assertIn("did you mean text?", self.refuse("run", "first-dma", "--trace", "txt"))
        for kind in ("perfetto", "vcd", "pcapng"):
            self.assertIn(f"--trace {kind} comes later",
                          self.refuse("run", "first-dma", "--trace", kind))
        self.assertIn("No such file",
                      self.refuse("run", "first-dma", "--trace", "text:missing/trace"))

    def test_verbs_that_come_later(self):
        self.assertIn("sweep comes later; today use ioasim run", self.refuse(
            "sweep", "first-dma", "--vary", "cpu.cores=1,2", "--vary", "memory.latency=50ns,60ns",
            "--repeat", "3", "--jobs", "2", "--out", "out", "--format", "json"))
        self.assertIn("report comes later",
                      self.refuse("report", "out", "--output", "report.html"))

    def test_full_disk(self):
        self.assertIn("No space left on device",
                      self.refuse("run", "first-dma", "--out", "a/b", "--trace", "text:/dev/full"))
        with open("/dev/full", "w", encoding="utf-8") as full:
            self.assertIn("cannot write to standard output: No space left on device",
                          self.refuse("list", stdout=full))

    def test_reader_that_has_gone_away(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            self.assertIn("cannot write to standard output: Broken pipe",
                          self.refuse("params", stdout=writer))
        finally:
            os.close(writer)

    def test_closed_stdout(self):
        result = subprocess.run(["/bin/sh", "-c", '"$0" list >&-', IOASIM], capture_output=True,
                                encoding="utf-8", check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn("ioasim: cannot write to standard output", result.stderr)

    def test_closed_stderr(self):
        result = subprocess.run(["/bin/sh", "-c", '"$0" rnu 2>&-', IOASIM], capture_output=True,
                                encoding="utf-8", check=False)
        self.assertEqual(result.returncode, 2)


class Answers(CliTest):
    def test_help(self):
        self.assertIn("run", self.succeed("--help"))
        self.assertIn("--platform", self.succeed("run", "--help"))
        self.assertRegex(self.succeed("--version"), r"\Aioasim \d+\.\d+\.\d+\n\Z")

    def test_no_arguments(self):
        result = self.ioasim()
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("ioasim run first-dma", result.stderr)

    def test_list(self):
        text = self.succeed("list")
        for word in ("first-dma", "server", "client", "dma-engine"):
            self.assertIn(word, text)
        self.assertNotIn("server", self.succeed("list", "devices"))

    def test_describe(self):
        self.assertIn("ioasim run first-dma", self.succeed("describe", "first-dma"))
        self.assertIn("iommu0", self.succeed("describe", "client"))
        self.assertIn("no_snoop", self.succeed("describe", "dma-engine"))

    def test_params(self):
        self.assertIn("iommu0.iotlb.entries", self.succeed("params"))
        rows = json.loads(self.succeed("params", "--platform", "client", "--format", "json"))
        values = {row["path"]: row["value"] for row in rows}
        self.assertEqual(values["iommu0.snoop_control"], "false")
        self.assertTrue(all(row["doc"] for row in rows))
        self.assertTrue(self.succeed("params", "--format", "csv").startswith("path,value,unit,"))

    def test_every_source_of_a_parameter_can_be_looked_up(self):
        sources = (TOP / "docs/sources.md").read_text(encoding="utf-8")
        listed = re.findall(r"^\| ([A-Z][A-Z0-9-]*\d|D-XE) \|", sources, re.MULTILINE)
        mark = re.compile(r"\b(?:[A-Z]+-\d+|D-XE|YZ24)\b")
        for platform in ("server", "client", "two-socket"):
            rows = json.loads(self.succeed("params", "--platform", platform, "--format", "json"))
            used = {found for row in rows for found in mark.findall(row["source"])}
            self.assertGreater(len(used), 20)
            self.assertEqual(sorted(used - set(listed) - {"JESD79-4"}), [], platform)

    def test_every_printed_value_is_accepted(self):
        for platform in ("server", "client"):
            rows = json.loads(self.succeed("params", "--platform", platform, "--format", "json"))
            settings = [word for row in rows for word in ("--set", f"{row['path']}={row['value']}")]
            self.assertEqual(
                json.loads(self.succeed("params", "--platform", platform, "--format", "json",
                                        *settings)), rows)

    def test_check(self):
        self.write("good.yaml", MACHINE)
        self.assertIn("valid", self.succeed("check", "good.yaml"))


class Refusals(CliTest):
    """What the modelled system refuses ends a scenario: one failed claim that names it, no more."""

    def refused(self, *arguments):
        result = self.ioasim("run", *arguments, "--format", "json")
        self.assertEqual((result.returncode, result.stderr), (1, ""), arguments)
        claims = json.loads(result.stdout)["claims"]
        return [f"{claim['text']}: {claim['detail']}" for claim in claims if not claim["held"]]

    def expect_refused(self, why, *arguments):
        self.assertEqual(self.refused(*arguments),
                         ["nothing that the scenario needs was refused: " + why])

    def test_memory_to_lock(self):
        for scenario in ("first-dma", "coherency-matrix", "invalidation-latency",
                         "false-sharing-dma", "memory-types", "coherence-torture"):
            with self.subTest(scenario):
                self.expect_refused("dma0: IOMMU_MAP_DMA of 4KiB: -12 (ENOMEM)",
                                    scenario, "--set", "kernel.memlock=4KiB")
        self.expect_refused("dma0: IOMMU_MAP_DMA of 8KiB: -12 (ENOMEM)",
                            "snoop-vs-nosnoop", "--set", "kernel.memlock=4KiB")
        self.expect_refused("dma0: IOMMU_MAP_DMA of 64KiB: -12 (ENOMEM)", "flush-crossover",
                            "--set", "kernel.memlock=4KiB", "--set", "scenario.largest=64KiB")

    def test_more_mappings(self):
        for scenario in ("first-dma", "snoop-vs-nosnoop", "flush-crossover", "ddio-window"):
            with self.subTest(scenario):
                self.assertRegex(
                    self.refused(scenario, "--set", "kernel.mappings_max=1")[0],
                    r"refused: dma0: IOMMU_MAP_DMA of \w+: -28 \(ENOSPC\)")

    def test_dma_that_does_not_snoop(self):
        for scenario in ("coherency-matrix", "snoop-vs-nosnoop", "false-sharing-dma",
                         "memory-types", "coherence-torture", "flush-crossover", "ddio-window"):
            with self.subTest(scenario):
                self.expect_refused("dma0: IOMMU_IOASID_ALLOC: -95 (EOPNOTSUPP)",
                                    scenario, "--set", "kernel.dma_no_snoop=false")

    def test_memory(self):
        little = ("--set", "memory.capacity=16MiB")
        self.expect_refused("memory: 20MiB asked for; memory.capacity is 16MiB",
                            "wbinvd-cost", *little, "--set", "scenario.fill=16MiB")
        self.expect_refused("memory: 64MiB asked for; memory.capacity is 16MiB",
                            "snoop-vs-nosnoop", *little, "--set", "scenario.set=64MiB")


class OtherMachines(CliTest):
    """What holds on machines and with sizes that are not the shipped ones."""

    def rows(self, *arguments):
        return json.loads(self.succeed("run", *arguments, "--format", "json"))["rows"]

    def test_devices_that_cannot_go_past_the_caches(self):
        for path in ("dma0.function.no_snoop", "port0.honor_no_snoop"):
            for scenario in ("snoop-vs-nosnoop", "false-sharing-dma"):
                self.rows(scenario, "--set", f"{path}=false")

    def test_slow_memory(self):
        self.rows("wbinvd-cost", "--set", "memory.refresh_interval=7.8us",
                  "--set", "scenario.fill=1MiB")
        self.rows("wbinvd-cost", "--set", "cache.home.write_buffers=1",
                  "--set", "scenario.fill=1MiB")
        self.rows("flush-crossover", "--set", "cpu.fill_buffers=1",
                  "--set", "scenario.largest=64KiB")

    def test_a_scenario_that_the_watchdog_ends(self):
        result = self.ioasim("run", "wbinvd-cost", "--set", "simulation.watchdog=1us",
                             "--format", "json")
        self.assertEqual(result.returncode, 1)
        self.assertIn("no progress for 1us of simulated time; if the work takes that long: "
                      "--set simulation.watchdog=10us\nnothing is listed as waiting\n",
                      result.stderr)
        report = json.loads(result.stdout)
        self.assertGreater(report["sim_time_ps"], 0)
        self.assertIn("the scenario came to its end",
                      [claim["text"] for claim in report["claims"] if not claim["held"]])

    def test_ddio_off(self):
        rows = self.rows("ddio-window", "--set", "port0.ddio=false")
        self.assertEqual([(row["ways"], row["hit_rate"]) for row in rows], [(0, 0)])

    def test_ddio_window_with_page_walks(self):
        for setting in ("kernel.superpages=false", "iommu0.iotlb.entries=16"):
            for row in self.rows("ddio-window", "--set", setting):
                self.assertAlmostEqual(row["hit_rate"], row["expected"], delta=0.03)

    def test_ddio_window_of_few_accesses(self):
        for seed in ("1", "2", "3"):
            self.rows("ddio-window", "--set", "scenario.accesses=1000", "--seed", seed)

    def test_ddio_ways_of_the_port(self):
        rows = self.rows("ddio-window", "--set", "port0.ddio_ways=4")
        self.assertEqual({row["ways"] for row in rows}, {4})


class FirstDma(CliTest):
    def test_the_same_command_gives_the_same_bytes(self):
        outputs = [self.succeed("run", "first-dma", "--format", form, "--out", f"{form}{n}")
                   for form in ("text", "json", "csv") for n in (1, 2)]
        for first, second in zip(outputs[::2], outputs[1::2]):
            self.assertEqual(first, second)
        for name in ("result.json", "config.yaml", "stats.json", "stats.txt"):
            self.assertEqual(self.read(f"text1/{name}"), self.read(f"text2/{name}"))
            self.assertEqual(self.read(f"text1/{name}"), self.read(f"csv1/{name}"))

    def test_what_out_holds(self):
        output = self.succeed("run", "first-dma", "--format", "json", "--out", "out",
                              "--trace", "text")
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()),
                         ["config.yaml", "result.json", "run.json", "stats.json", "stats.txt",
                          "trace.txt"])
        self.assertEqual(self.read("out/result.json").decode(), output)
        self.assertTrue(self.read("out/trace.txt"))
        facts = json.loads(self.read("out/run.json"))
        self.assertEqual(facts["output_hash"], json.loads(output)["output_hash"])
        self.assertIn("--trace", facts["command_line"])
        stats = json.loads(self.read("out/stats.json"))
        self.assertTrue(stats)
        for path, reading in stats.items():
            self.assertIn(".", path)
            self.assertEqual(sorted(reading), ["doc", "unit", "value"])

    def test_schema(self):
        result = json.loads(self.succeed("run", "first-dma", "--format", "json"))
        self.assertEqual(list(result),
                         ["schema", "version", "scenario", "question", "platform", "seed",
                          "sim_time_ps", "columns", "rows", "metrics", "claims", "stale_reads",
                          "output_hash"])
        self.assertEqual((result["schema"], result["scenario"], result["seed"]),
                         (1, "first-dma", 1))
        names = ["name"] + [column["name"] for column in result["columns"]]
        for row in result["rows"]:
            self.assertEqual(list(row), names)
        self.assertTrue(result["claims"])
        self.assertRegex(result["output_hash"], r"\A[0-9a-f]{16}\Z")

    def test_the_resolved_configuration_gives_the_same_result(self):
        first = self.succeed("run", "first-dma", "--set", "memory.latency=60ns", "--seed", "7",
                             "--format", "json", "--out", "a")
        second = self.succeed("run", "first-dma", "--platform", "a/config.yaml",
                              "--format", "json", "--out", "b")
        self.assertEqual(json.loads(first)["output_hash"], json.loads(second)["output_hash"])
        for name in ("result.json", "config.yaml", "stats.json"):
            self.assertEqual(self.read(f"a/{name}"), self.read(f"b/{name}"))
        self.assertIn("valid", self.succeed("check", "a/config.yaml"))

    def test_a_trace_does_not_change_the_result(self):
        plain = self.succeed("run", "first-dma", "--format", "json")
        self.assertEqual(plain, self.succeed("run", "first-dma", "--format", "json",
                                             "--trace", "text:trace.txt"))
        self.assertTrue(self.read("trace.txt"))

    def test_text(self):
        text = self.succeed("run", "first-dma", "--seed", "3")
        self.assertIn("seed 3", text)
        self.assertIn("held  ", text)
        self.assertNotIn("\033", text)
        self.assertNotIn("seed 3", self.succeed("run", "first-dma", "--seed", "3", "--quiet"))

    def test_reader_that_has_gone_away(self):
        reader, writer = os.pipe()
        os.close(reader)
        try:
            self.assertIn("Broken pipe", self.refuse("run", "first-dma", stdout=writer))
        finally:
            os.close(writer)


if __name__ == "__main__":
    unittest.main()
