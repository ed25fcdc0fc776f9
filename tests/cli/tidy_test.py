"""Each rule of scripts/tidy.py: a clean tree passes, a violation of the rule fails."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

CLEAN = {
    "models/CMakeLists.txt":
        "module(base FLOOR 0 SOURCES units.cpp)\n"
        "module(stats FLOOR 1 DEPENDS base)\n"
        "module(trace FLOOR 1 DEPENDS base)\n"
        "module(sim FLOOR 2 DEPENDS base)\n"
        "module(memory FLOOR 3 DEPENDS sim)\n"
        "module(cache FLOOR 4 DEPENDS memory)\n"
        "module(pcie FLOOR 4 SOURCES link.cpp DEPENDS sim)\n"
        "module(iommu FLOOR 5 DEPENDS pcie)\n"
        "module(cpu FLOOR 5 DEPENDS sim)\n"
        "module(devices FLOOR 5\n  SOURCES\n    dma.cpp  # one a line\n  DEPENDS pcie)\n",
    "platforms/CMakeLists.txt":
        "module(uapi FLOOR 0)\n"
        "module(machine FLOOR 6 DEPENDS base)\n"
        "module(kernel FLOOR 7 SOURCES ioas.cpp DEPENDS cpu)\n",
    "scenarios/CMakeLists.txt":
        "module(scenarios FLOOR 9 ROOT ${PROJECT_SOURCE_DIR} SOURCES stale.cpp)\n"
        "program(ioasim SOURCES main.cpp)\n",
    "tests/CMakeLists.txt":
        "support(SOURCES fake.cpp)\n"
        "suite(unit SOURCES base/units_test.cpp DEPENDS base)\n",
    "models/base/units.hpp": "#pragma once\n",
    "models/base/units.cpp": '#include "base/units.hpp"\n',
    "models/pcie/link.hpp": '#pragma once\n\n#include "base/units.hpp"\n',
    "models/pcie/link.cpp": '#include "pcie/link.hpp"\n',
    "models/cpu/instructions.hpp": "#pragma once\n",
    "models/devices/dma.cpp": '#include "pcie/link.hpp"\n',
    "platforms/uapi/vfio.hpp": "#pragma once\n",
    "platforms/kernel/ioas.cpp": '#include "cpu/instructions.hpp"\n#include "uapi/vfio.hpp"\n',
    "scenarios/scenario.hpp": "#pragma once\n",
    "scenarios/stale.cpp": '#include "scenarios/scenario.hpp"\n',
    "scenarios/main.cpp": "int main() {}\n",
    "tests/support/fake.hpp": "#pragma once\n",
    "tests/support/fake.cpp": '#include "support/fake.hpp"\n',
    "tests/unit/base/units_test.cpp": '#include "base/units.hpp"\n',
}


class TidyTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        shutil.copy(ROOT / ".clang-format", self.root)
        for name, text in CLEAN.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def append(self, name, text):
        self.write(name, (self.root / name).read_text(encoding="utf-8") + text)

    def tidy(self, *arguments):
        command = [sys.executable, "-B", str(ROOT / "scripts/tidy.py"),
                   "--root", str(self.root), *arguments]
        return subprocess.run(command, capture_output=True, text=True)

    def expect_pass(self):
        result = self.tidy()
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout

    def expect_fail(self, *texts):
        result = self.tidy()
        self.assertEqual(result.returncode, 1, result.stdout + result.stderr)
        self.assertIn(" 1 findings", result.stdout)
        for text in texts:
            self.assertIn(text, result.stdout)


class CleanTree(TidyTest):
    def test_passes_and_lists_nothing(self):
        self.assertRegex(self.expect_pass(), r"\Atidy: \d+ C\+\+ files, 0 findings\n\Z")

    def test_ignores_what_git_ignores(self):
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        self.write(".gitignore", "/build/\n")
        self.write("build/models/base/junk.cpp", "int a;\t\n")
        self.expect_pass()

    def test_sees_what_git_does_not_track_yet(self):
        subprocess.run(["git", "init", "-q", str(self.root)], check=True)
        self.write("models/base/junk.cpp", "int a;\n")
        self.expect_fail("models/base/junk.cpp:1: dead")


class Floors(TidyTest):
    def test_upwards(self):
        self.append("models/base/units.cpp", '\n#include "pcie/link.hpp"\n')
        self.expect_fail("models/base/units.cpp:3: floors: base (floor 0)", "upwards",
                         "pcie (floor 4)")

    def test_upwards_in_angle_brackets(self):
        self.append("models/base/units.hpp", "\n#include <pcie/link.hpp>\n")
        self.expect_fail("floors: base (floor 0)")

    def test_upwards_by_relative_path(self):
        self.append("models/base/units.cpp", '\n#include "../pcie/link.hpp"\n')
        self.expect_fail("floors: base (floor 0)")

    def test_sideways(self):
        self.append("models/cpu/instructions.hpp", '\n#include "iommu/walk.hpp"\n')
        self.expect_fail("models/cpu/instructions.hpp:3: floors", "sideways", "iommu (floor 5)")

    def test_from_models_to_platforms_and_scenarios(self):
        self.append("models/cpu/instructions.hpp", '\n#include "scenarios/scenario.hpp"\n')
        self.expect_fail("upwards", "scenarios (floor 9)")

    def test_from_models_to_tests(self):
        self.append("models/cpu/instructions.hpp", '\n#include "support/fake.hpp"\n')
        self.expect_fail("models/cpu/instructions.hpp:3: floors", "file of the tests")

    def test_folder_without_a_module_call(self):
        self.write("models/extra/a.hpp", "#pragma once\n")
        self.append("models/cpu/instructions.hpp", '\n#include "extra/a.hpp"\n')
        self.expect_fail("models/extra/a.hpp:1: floors")


class Firewalls(TidyTest):
    def test_device_sees_its_link_only(self):
        self.write("models/devices/dma.cpp",
                   '#include "memory/store.hpp"\n#include "pcie/link.hpp"\n')
        self.expect_fail("models/devices/dma.cpp:1: firewall")

    def test_kernel_reaches_hardware_through_instructions(self):
        for module in ["iommu", "cache", "pcie", "devices", "memory", "machine"]:
            with self.subTest(module):
                includes = sorted(["cpu/instructions.hpp", f"{module}/a.hpp", "uapi/vfio.hpp"])
                self.write("platforms/kernel/ioas.cpp",
                           "".join(f'#include "{name}"\n' for name in includes))
                self.expect_fail("platforms/kernel/ioas.cpp:", f"not {module}/a.hpp")

    def test_kernel_does_not_see_into_a_core(self):
        self.write("models/cpu/core.hpp", "#pragma once\n")
        self.write("platforms/kernel/ioas.cpp",
                   '#include "cpu/core.hpp"\n#include "cpu/instructions.hpp"\n'
                   '#include "uapi/vfio.hpp"\n')
        self.expect_fail("platforms/kernel/ioas.cpp:1: firewall", "not cpu/core.hpp")

    def test_kvm_reaches_hardware_through_instructions(self):
        self.append("platforms/CMakeLists.txt", "module(kvm FLOOR 8 SOURCES vm.cpp)\n")
        self.write("platforms/kvm/vm.cpp", '#include "iommu/walk.hpp"\n')
        self.expect_fail("platforms/kvm/vm.cpp:1: firewall")


class DeadFiles(TidyTest):
    def test_header_that_nothing_includes(self):
        self.write("models/sim/old.hpp", "#pragma once\n")
        self.expect_fail("models/sim/old.hpp:1: dead")

    def test_header_that_only_includes_itself(self):
        self.write("models/sim/old.hpp", '#pragma once\n\n#include "sim/old.hpp"\n')
        self.expect_fail("models/sim/old.hpp:1: dead")

    def test_source_that_nothing_lists(self):
        self.write("models/sim/old.cpp", "int old = 0;\n")
        self.expect_fail("models/sim/old.cpp:1: dead")

    def test_source_that_only_a_comment_lists(self):
        self.append("models/CMakeLists.txt", "# module(sim SOURCES old.cpp)\n")
        self.write("models/sim/old.cpp", "int old = 0;\n")
        self.expect_fail("models/sim/old.cpp:1: dead")

    def test_source_that_another_module_lists(self):
        self.write("models/sim/units.cpp", "int units = 0;\n")
        self.expect_fail("models/sim/units.cpp:1: dead")


class Banned(TidyTest):
    def expect_banned(self, word, line, name="models/base/units.cpp"):
        with self.subTest(word):
            self.write(name, line + "\n")
            self.expect_fail(f"{name}:1: banned: {word}")
            self.write(name, f"{line}  // tidy: allow {word}: a reason\n")
            self.expect_pass()
            self.write(name, f"// tidy: allow {word}: a reason\n{line}\n")
            self.expect_pass()
            self.write(name, f"{line}  // tidy: allow {word}:\n")
            self.expect_fail("banned")
            self.write(name, f"{line}  // tidy: allow other: a reason\n")
            self.expect_fail("banned")
            self.write(name, CLEAN[name])

    def test_everywhere(self):
        self.expect_banned("rand", "int a = rand();")
        self.expect_banned("srand", "int a = (srand(1), 1);")
        self.expect_banned("std::time", "auto a = std::time(nullptr);")
        self.expect_banned("gettimeofday", "int a = gettimeofday(nullptr, nullptr);")
        self.expect_banned("std::random_device", "std::random_device a;")

    def test_notes_to_self(self):
        for word in ["TO" "DO", "FIX" "ME", "XXX"]:
            with self.subTest(word):
                self.append("models/base/units.cpp", f"// {word} later\n")
                self.expect_fail(f"models/base/units.cpp:2: banned: {word}")
                self.write("models/base/units.cpp", CLEAN["models/base/units.cpp"])

    def test_slow_containers_in_hot_modules(self):
        self.expect_banned("std::deque", "std::deque<int> a;", "models/pcie/link.cpp")
        self.expect_banned("std::map", "std::map<int, int> a;", "models/pcie/link.cpp")
        self.expect_banned("std::unordered_map", "std::unordered_map<int, int> a;",
                           "models/pcie/link.cpp")

    def test_slow_containers_elsewhere_are_fine(self):
        self.append("platforms/kernel/ioas.cpp", "std::deque<int> a;\n")
        self.append("platforms/kernel/ioas.cpp", "std::map<int, int> a;\n")
        self.append("models/base/units.cpp", "std::unordered_map<int, int> a;\n")
        self.expect_pass()

    def test_comments_strings_and_like_named_things_are_fine(self):
        self.append("models/base/units.cpp",
                    "// never rand() nor std::time\n"
                    'auto a = "rand()";\n'
                    "int b = operand(prng.rand());\n"
                    "int c = 1'000 + rand_max('\"');\n")
        self.expect_pass()


class Text(TidyTest):
    def test_tab(self):
        self.append("models/base/units.cpp", '// a\ttab\n')
        self.expect_fail("models/base/units.cpp:2: text: a tab")

    def test_blanks_at_the_end_of_a_line(self):
        self.append("models/CMakeLists.txt", "# blank \n")
        self.expect_fail("models/CMakeLists.txt:", "text: blanks")

    def test_long_line(self):
        self.append("models/base/units.cpp", f"// {'a' * 97}\n")
        self.expect_pass()
        self.append("models/base/units.cpp", f"// {'a' * 98}\n")
        self.expect_fail("models/base/units.cpp:3: text: 101 columns")

    def test_columns_are_characters(self):
        self.append("models/base/units.cpp", f"// {'µ' * 97}\n")
        self.expect_pass()

    def test_no_newline_at_the_end(self):
        self.append("models/CMakeLists.txt", "# end")
        self.expect_fail("text: no newline")

    def test_no_pragma_once(self):
        self.write("models/base/units.hpp", "// #pragma once\n")
        self.expect_fail("models/base/units.hpp:1: text: no #pragma once")

    @unittest.skipUnless(shutil.which("clang-format"), "needs clang-format")
    def test_format(self):
        self.append("models/base/units.cpp", "int   a=1;\n")
        self.expect_fail("models/base/units.cpp:2: format")


class Lists(TidyTest):
    def test_large_functions(self):
        body = "  ++a;\n" * 68
        self.append("models/base/units.cpp",
                    f"\nnamespace n {{\n\nvoid fits(int a) {{\n{body}}}\n\n"
                    f"S::S(int b) : a{{b}}, c{{1}} {{\n{body}  ++a;\n}}\n\n}}  // namespace n\n")
        output = self.expect_pass()
        self.assertIn("functions over 70 lines:\n  models/base/units.cpp:76: 71 lines\n", output)

    def test_large_files(self):
        self.write("models/base/units.cpp", "// line\n" * 400)
        self.assertNotIn("files over", self.expect_pass())
        self.append("models/base/units.cpp", "// line\n")
        self.assertIn("files over 400 lines:\n  models/base/units.cpp: 401", self.expect_pass())

    def test_wide_headers(self):
        includes = "".join(f"#include <a{index:02}>\n" for index in range(13))
        self.write("models/base/units.hpp", f"#pragma once\n\n{includes}")
        self.assertIn("models/base/units.hpp: 13 includes", self.expect_pass())

    def test_clauses_without_a_test(self):
        self.append("models/base/units.cpp",
                    '\nvoid f() {\n  SPEC("VT-d 1.1");\n  SPEC("VT-d 1.2");\n}\n')
        self.append("tests/unit/base/units_test.cpp",
                    '\nvoid g() { EXPECT_SPEC("VT-d 1.1"); }\n')
        output = self.expect_pass()
        self.assertIn("clauses without a test:\n  models/base/units.cpp:5: VT-d 1.2\n", output)
        table = self.tidy("--spec").stdout
        self.assertRegex(table, r"VT-d 1\.1 +models/base/units\.cpp:4 +tests/unit/\S+:3\n")
        self.assertRegex(table, r"VT-d 1\.2 +models/base/units\.cpp:5 +-\n")


if __name__ == "__main__":
    unittest.main()
