"""Has the original run the programs here and records what they give: `record.py PYTHON`, its interpreter."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
PROGRAMS = ("nets", "layers", "rnn", "seq2seq")

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        package = pathlib.Path(folder, "tests", "python", "recorded")
        shutil.copytree(HERE, package, ignore=shutil.ignore_patterns("*.txt", "__pycache__"))
        for name in PROGRAMS:
            command = [sys.argv[1], "-W", "ignore", "-m", f"tests.python.recorded.{name}"]
            text = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, check=True).stdout
            (HERE / f"{name}.txt").write_bytes(text[text.index(b"== ") :])
