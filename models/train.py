"""Train, quantise and export a model: `python models/train.py digits|nuclei|ecg|bigpicture [options of its script]`.

Makes a virtual environment in models/.cache/ with the requirements that the model pins, once, and runs its train.py in it.
Needs Python 3.11 or later with venv and pip, and the network the first time; `--help` shows the script's options.
"""

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

MODELS = Path(__file__).resolve().parent
TASKS = sorted(script.parent.name for script in MODELS.glob("*/train.py"))


def environment(requirements):
    """The Python of an environment that has these requirements, made if there is none yet."""
    name = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = MODELS / ".cache" / f"venv-{name}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    ready = folder / "ready"
    if not ready.exists():
        print(f"making {folder} with {', '.join(requirements.read_text().split())}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            venv.create(folder, with_pip=True)
        except subprocess.CalledProcessError:
            sys.exit("error: this Python cannot make a virtual environment with pip; on Debian, `sudo apt-get install python3-venv`.")
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements]
        if subprocess.run(pip).returncode != 0:
            sys.exit(f"error: pip could not install {requirements}; its reason is above.")
        ready.touch()
    return python


def main():
    task, options = sys.argv[1:2], sys.argv[2:]
    if not task or task[0] not in TASKS:
        reason = f"there is no task `{task[0]}`" if task else "a task is missing"
        sys.exit(f"error: {reason}; python models/train.py {'|'.join(TASKS)} [options]")
    folder = MODELS / task[0]
    python = environment(folder / "requirements.txt")
    sys.exit(subprocess.run([python, folder / "train.py", *options]).returncode)


if __name__ == "__main__":
    main()
