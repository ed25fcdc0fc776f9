#!/usr/bin/env python3
"""Runs the commands of README.md and docs/*.md and compares what the documents say they print.

```console blocks: a line `$ command`, then its output, to the byte.
```sh blocks: each command must succeed; nothing is compared.
README_UPDATE=1 rewrites the outputs instead.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

TOP = pathlib.Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(console|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# Not run: they build, test, install or measure, which is done elsewhere.
SKIPPED = ("scripts/test", "git ", "cmake", "ctest", "build/", "bench/", "clang-", "python3 ")


def run(command, directory):
    line = command.split("  #")[0].replace("scripts/ioasim", os.environ["IOASIM"])
    line = line.replace("docs/examples", str(TOP / "docs/examples"))
    return subprocess.run(line, shell=True, cwd=directory, capture_output=True, text=True,
                          check=False)


def refresh(kind, body, directory, problems, name):
    if kind == "sh":
        for command in filter(None, body.splitlines()):
            if command.startswith(SKIPPED):
                continue
            result = run(command, directory)
            if result.returncode != 0:
                problems.append(f"{name}: {command}: exit {result.returncode}\n{result.stderr}")
        return body
    shown = []
    for command in (line[2:] for line in body.splitlines() if line.startswith("$ ")):
        result = run(command, directory)
        if result.returncode != 0:
            problems.append(f"{name}: {command}: exit {result.returncode}\n{result.stderr}")
        shown.append(f"$ {command}\n{result.stdout}")
    return "".join(shown)


class Documents(unittest.TestCase):
    def check(self, path):
        text = path.read_text(encoding="utf-8")
        problems = []
        with tempfile.TemporaryDirectory() as directory:
            fresh = BLOCK.sub(
                lambda m: f"```{m[1]}\n{refresh(m[1], m[2], directory, problems, path.name)}```",
                text)
        self.assertEqual(problems, [])
        if os.environ.get("README_UPDATE"):
            path.write_text(fresh, encoding="utf-8")
        else:
            self.assertMultiLineEqual(text, fresh)

    def test_readme(self):
        self.check(TOP / "README.md")

    def test_docs(self):
        for path in sorted((TOP / "docs").glob("*.md")):
            with self.subTest(path.name):
                self.check(path)


if __name__ == "__main__":
    unittest.main()
