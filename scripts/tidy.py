#!/usr/bin/env python3
"""Checks the rules of this code base that a compiler does not.

Fails on includes that do not lead down, dead files, banned words and formatting. Lists, without
failing, what has grown large and the SPEC clauses that no test names.

Usage: tidy.py [--root DIR] [--spec]
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys

COLUMNS = 100
FUNCTION_LINES = 70
FILE_LINES = 400
HEADER_INCLUDES = 12

# Folders that hold module() calls, and the folders an #include is looked up in.
MODULE_LISTS = ["models", "platforms", "scenarios"]
INCLUDE_ROOTS = ["models", "platforms", ".", "tests", "tests/support"]

# A device sees its link only.
DEVICE_MODULES = {"base", "config", "stats", "trace", "sim", "pcie"}

# The kernel and KVM reach hardware only through the instructions of a core, and what firmware says.
SOFTWARE = ["platforms/kernel", "platforms/kvm"]
HARDWARE_MODULES = {"iommu", "cache", "pcie", "cpu", "devices", "memory", "machine"}
SEEN_BY_SOFTWARE = {"cpu/instructions.hpp", "cpu/memory_types.hpp", "cpu/msr.hpp", "cpu/fault.hpp",
                    "cpu/firmware.hpp"}

HOT = {"sim", "memory", "cache", "pcie", "cpu", "iommu", "devices"}

# Word as an opt-out names it, pattern, whether it also counts in comments and strings.
BANNED = [
    ("rand", r"(?<![\w.>])rand\s*\(", False),
    ("srand", r"(?<![\w.>])srand\s*\(", False),
    ("std::time", r"\bstd::time\b", False),
    ("gettimeofday", r"\bgettimeofday\b", False),
    ("std::random_device", r"\bstd::random_device\b", False),
    ("TO" "DO", r"\bTO" r"DO\b", True),
    ("FIX" "ME", r"\bFIX" r"ME\b", True),
    ("XXX", r"\bXXX\b", True),
]
BANNED_IN_HOT = [
    ("std::deque", r"\bstd::deque\b", False),
    ("std::map", r"\bstd::map\b", False),
    ("std::unordered_map", r"\bstd::unordered_map\b", False),
]

ALLOW = re.compile(r"//\s*tidy: allow (\S+): \S")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]')
CALL = re.compile(r"(\w+)\s*\(([^()]*)\)")

Module = collections.namedtuple("Module", "name floor folder")
Finding = collections.namedtuple("Finding", "path line rule message")


class Source:
    """A C++ file: its lines, and the same lines without comments and literals."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.code = blank_out(text).split("\n")
        self.includes = [(number, match[1]) for number, line in enumerate(self.lines, 1)
                         if (match := INCLUDE.match(line))]
        self.is_header = path.endswith(".hpp")


def blank_out(text):
    """Replaces comments and the contents of literals by blanks; keeps line breaks."""
    pattern = re.compile(
        r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"'
        r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'", re.DOTALL)
    return pattern.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def list_files(root):
    """Files that git tracks or would track; all of them where there is no git."""
    command = ["git", "-C", str(root), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
        names = listed.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(root)) for path in root.rglob("*")]
        names = [name for name in names if not name.startswith(("build/", ".git/"))]
    return sorted(name for name in set(names) if name and (root / name).is_file())


class Tree:
    """What the rules look at."""

    def __init__(self, root):
        self.root = root
        self.files = list_files(root)
        self.sources = [Source(name, self.read(name)) for name in self.files
                        if name.endswith((".cpp", ".hpp"))]
        self.cmake = {name: re.sub(r"#[^\n]*", "", self.read(name)) for name in self.files
                      if name.endswith(("CMakeLists.txt", ".cmake"))}
        self.modules = self.parse_modules()

    def read(self, name):
        return (self.root / name).read_text(encoding="utf-8", errors="replace")

    def parse_modules(self):
        modules = {}
        for folder in MODULE_LISTS:
            for word, arguments in CALL.findall(self.cmake.get(f"{folder}/CMakeLists.txt", "")):
                match = re.match(r"\s*(\w+)\s.*?\bFLOOR\s+(\d+)", arguments, re.DOTALL)
                if word == "module" and match:
                    name = match[1]
                    place = name if name == folder else f"{folder}/{name}"
                    modules[name] = Module(name, int(match[2]), place)
        return modules

    def module_of(self, path):
        for module in self.modules.values():
            if path.startswith(module.folder + "/"):
                return module
        return None

    def resolve(self, source, include):
        """The file an include names, or None if it is none of ours."""
        here = os.path.dirname(source.path)
        for folder in [here, *INCLUDE_ROOTS]:
            path = os.path.normpath(os.path.join(folder, include))
            if (self.root / path).is_file():
                return path
        return None

    def module_named_by(self, source, include):
        path = self.resolve(source, include)
        if path:
            return self.module_of(path)
        return self.modules.get(include.split("/")[0]) if "/" in include else None


def check_floors(tree):
    """Includes lead to lower floors."""
    for source in tree.sources:
        module = tree.module_of(source.path)
        if not module:
            continue
        for line, include in source.includes:
            other = tree.module_named_by(source, include)
            path = tree.resolve(source, include) or ""
            if path.startswith(("tests/", "bench/")):
                yield Finding(source.path, line, "floors",
                              f"{module.name} may not include a file of the tests: {include}")
            if not other or other.name == module.name or other.floor < module.floor:
                continue
            way = "sideways" if other.floor == module.floor else "upwards"
            yield Finding(source.path, line, "floors",
                          f"{module.name} (floor {module.floor}) may not include {way} "
                          f"{include} of {other.name} (floor {other.floor})")


def check_declared(tree):
    """Every folder of C++ in models/ and platforms/ is a module."""
    for source in tree.sources:
        parts = source.path.split("/")
        if parts[0] in ("models", "platforms") and not tree.module_of(source.path):
            yield Finding(source.path, 1, "floors",
                          f"in no module that {parts[0]}/CMakeLists.txt declares")


def check_firewalls(tree):
    """A device sees its link only; software reaches hardware only through instructions."""
    for source in tree.sources:
        for line, include in source.includes:
            other = tree.module_named_by(source, include)
            if not other:
                continue
            if source.path.startswith("models/devices/") and \
                    other.name not in DEVICE_MODULES | {"devices"}:
                yield Finding(source.path, line, "firewall",
                              f"a device sees its link only, not {include}")
            if source.path.startswith(tuple(f"{folder}/" for folder in SOFTWARE)) and \
                    other.name in HARDWARE_MODULES and include not in SEEN_BY_SOFTWARE:
                yield Finding(source.path, line, "firewall",
                              "software reaches hardware only through cpu/instructions.hpp, "
                              f"not {include}")


def check_dead_files(tree):
    """A header is included, a source is listed."""
    used = {tree.resolve(source, include) for source in tree.sources
            for _, include in source.includes
            if tree.resolve(source, include) != source.path}
    listed = listed_sources(tree)
    for source in tree.sources:
        if source.is_header and source.path not in used:
            yield Finding(source.path, 1, "dead", "nothing includes this header")
        if not source.is_header and source.path not in listed:
            yield Finding(source.path, 1, "dead", "no CMakeLists.txt lists this source")


def listed_sources(tree):
    """Sources named in CMakeLists.txt: relative to it, or to the folder that a call names."""
    listed = set()
    for path, text in tree.cmake.items():
        here = os.path.dirname(path)
        for word, arguments in CALL.findall(text):
            words = re.sub(r'"|\$\{CMAKE_CURRENT_\w+_DIR\}/', " ", arguments).split()
            first = words[0] if words else ""
            folder = {"module": "." if first == here else first, "suite": first,
                      "support": "support", "cli": "cli"}.get(word, ".")
            listed.update(os.path.normpath(os.path.join(here, folder, name))
                          for name in words if name.endswith(".cpp"))
    return listed


def check_banned(tree):
    """Nothing that breaks determinism or speed, and no notes to self."""
    for source in tree.sources:
        module = tree.module_of(source.path)
        hot = module and module.folder.startswith("models/") and module.name in HOT
        for number, line in enumerate(source.lines, 1):
            for word, pattern, everywhere in BANNED + (BANNED_IN_HOT if hot else []):
                text = line if everywhere else source.code[number - 1]
                if re.search(pattern, text) and not allows(source, number, word):
                    yield Finding(source.path, number, "banned", f"{word} is not used here")


def allows(source, number, word):
    """Whether the line, or a comment alone on the line above, opts out of a banned word."""
    candidates = [source.lines[number - 1]]
    if number > 1 and source.lines[number - 2].lstrip().startswith("//"):
        candidates.append(source.lines[number - 2])
    return any(match[1] == word for line in candidates for match in ALLOW.finditer(line))


def check_text(tree):
    """Tabs, blanks at line ends, long lines, the end of the file, #pragma once."""
    for name in tree.files:
        if not name.endswith((".cpp", ".hpp", ".py", ".sh", ".cmake", "CMakeLists.txt")):
            continue
        text = tree.read(name)
        if text and not text.endswith("\n"):
            yield Finding(name, text.count("\n") + 1, "text", "no newline at the end of the file")
        for number, line in enumerate(text.split("\n"), 1):
            if "\t" in line:
                yield Finding(name, number, "text", "a tab")
            if line != line.rstrip():
                yield Finding(name, number, "text", "blanks at the end of the line")
            if len(line) > COLUMNS:
                yield Finding(name, number, "text", f"{len(line)} columns, {COLUMNS} at most")
    for source in tree.sources:
        if source.is_header and not any(re.match(r"#pragma once\b", line) for line in source.code):
            yield Finding(source.path, 1, "text", "no #pragma once")


def check_format(tree):
    """clang-format has nothing to change."""
    tool = shutil.which("clang-format")
    names = [source.path for source in tree.sources]
    if not names:
        return
    if not tool:
        print("tidy: clang-format not found, formatting not checked", file=sys.stderr)
        return

    def run(batch):
        command = [tool, "--dry-run", "--style=file", "--fallback-style=Google", *batch]
        return subprocess.run(command, cwd=tree.root, capture_output=True, text=True).stderr

    batches = [names[start:start + 16] for start in range(0, len(names), 16)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        output = "".join(pool.map(run, batches))
    seen = set()
    for path, line in re.findall(r"^(\S+?):(\d+):\d+: (?:warning|error): ", output, re.MULTILINE):
        if path not in seen:
            seen.add(path)
            yield Finding(path, int(line), "format", "clang-format -i would change this file")


CHECKS = [check_floors, check_declared, check_firewalls, check_dead_files, check_banned,
          check_text, check_format]


def list_large_functions(tree):
    for source in tree.sources:
        for first, last in functions(source.code):
            if last - first + 1 > FUNCTION_LINES:
                yield f"{source.path}:{first}: {last - first + 1} lines"


def functions(code):
    """First and last line of every function body, by its braces; good enough for a list."""
    kinds = []
    statement = ""
    first = 0
    for number, line in enumerate(code, 1):
        if line.lstrip().startswith("#"):
            continue
        for char in line + "\n":
            if char == "{":
                kind = kind_of_block(statement, "function" in kinds)
                kinds.append(kind)
                if kind == "function":
                    begin = first
                if kind != "value":
                    statement = ""
            elif char == "}" and kinds:
                kind = kinds.pop()
                if kind == "function":
                    yield begin, number
                if kind != "value":
                    statement = ""
            elif char == ";" and "value" not in kinds:
                statement = ""
            else:
                if not statement.strip():
                    first = number
                statement += char


def kind_of_block(statement, in_function):
    """What an opening brace begins, given the text between the last statement and it."""
    if in_function:
        return "block"
    if re.search(r"\b(namespace|class|struct|union|enum)\b[^()=]*$", statement) or \
            re.search(r"\bextern\s*$", statement):
        return "scope"
    if not re.search(r"[\s)]$", statement) or re.search(r"=\s*$", statement):
        return "value"  # as in member_{1} or = {1}
    return "function" if ")" in statement else "scope"


def list_large_files(tree):
    for source in tree.sources:
        lines = source.text.count("\n")
        if lines > FILE_LINES:
            yield f"{source.path}: {lines} lines"


def list_wide_headers(tree):
    for source in tree.sources:
        if source.is_header and len(source.includes) > HEADER_INCLUDES:
            yield f"{source.path}: {len(source.includes)} includes"


def spec_clauses(tree):
    """Clause -> (places that model it, places that test it)."""
    clauses = collections.defaultdict(lambda: ([], []))
    for source in tree.sources:
        in_tests = source.path.startswith("tests/")
        if not in_tests and not source.path.startswith(("models/", "platforms/")):
            continue
        macro = r'\bEXPECT(?:_SPEC)?\s*\(\s*"([^"]+)"' if in_tests else r'\bSPEC\s*\(\s*"([^"]+)"'
        for match in re.finditer(macro, source.text):
            line = source.text.count("\n", 0, match.start()) + 1
            clauses[match[1]][in_tests].append(f"{source.path}:{line}")
    return clauses


def list_untested_clauses(tree):
    for clause, (modelled, tested) in sorted(spec_clauses(tree).items()):
        if modelled and not tested:
            yield f"{modelled[0]}: {clause}"


LISTS = [
    (f"functions over {FUNCTION_LINES} lines", list_large_functions),
    (f"files over {FILE_LINES} lines", list_large_files),
    (f"headers with over {HEADER_INCLUDES} includes", list_wide_headers),
    ("clauses without a test", list_untested_clauses),
]


def print_spec_table(tree):
    rows = [("clause", "modelled at", "tested at")]
    for clause, (modelled, tested) in sorted(spec_clauses(tree).items()):
        places = max(len(modelled), len(tested))
        for index in range(places):
            rows.append((clause if index == 0 else "",
                         *("".join(column[index:index + 1]) or "-"
                           for column in (modelled, tested))))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", type=pathlib.Path, metavar="DIR",
                        default=pathlib.Path(__file__).resolve().parent.parent,
                        help="the tree to check; the one this script is in unless given")
    parser.add_argument("--spec", action="store_true",
                        help="print which clauses are modelled and tested, check nothing")
    options = parser.parse_args()

    tree = Tree(options.root.resolve())
    if options.spec:
        print_spec_table(tree)
        return 0

    for title, produce in LISTS:
        entries = list(produce(tree))
        if entries:
            print(f"{title}:", *(f"  {entry}" for entry in entries), sep="\n")

    findings = sorted({finding for check in CHECKS for finding in check(tree)})
    for finding in findings:
        print(f"{finding.path}:{finding.line}: {finding.rule}: {finding.message}")
    print(f"tidy: {len(tree.sources)} C++ files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
