# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""documented.py FOLDER: every pass that hone-opt has of Hone, and every operation of its dialects, is in a page."""
import pathlib
import re
import subprocess
import sys

folder = pathlib.Path(sys.argv[1])
sources = pathlib.Path(__file__).resolve().parent.parent.parent.parent / "dialects"
text = "\n".join(path.read_text() for path in folder.glob("*/*.md"))
shown = subprocess.run(["hone-opt", "--help"], capture_output=True, text=True, check=True).stdout
passes = re.findall(r"^ +--(hone-[a-z0-9-]+) ", shown.partition("Pass Pipelines:")[0], flags=re.MULTILINE)
missing = [name for name in passes if f"### `-{name}`" not in text]
# Each has its summary in its definition; traits, bases and multiclasses have none.
definitions = "\n".join(path.read_text() for path in sources.glob("*/*.td"))
operations = re.findall(r'^def \w+Op : \w+_\w*Op<"([a-z0-9_.]+)"', definitions, flags=re.MULTILINE)
missing += [name for name in operations if not re.search(rf"^### `hone(_rt)?\.{re.escape(name)}`", text, flags=re.MULTILINE)]
print(f"{len(passes)} passes, {len(operations)} operations")
sys.exit(f"not documented: {missing}" if missing or not passes or not operations else 0)
