"""What figures depend on: the machine, its system, and the versions of the programs
that ours is compared with."""

import datetime
import os
import pathlib
import re
import shutil
import subprocess

# A program, how it is asked, and what of the answer is the version.
PROGRAMS = [
    ("GNU strings", ["strings", "--version"], r"^(GNU strings .*)"),
    ("file", ["file", "--version"], r"^file-([\d.]+)"),
    ("yara", ["yara", "--version"], r"([\d.]+)"),
    ("binwalk", ["binwalk", "--help"], r"Binwalk v([\w.]+)"),
    ("radare2", ["r2", "-v"], r"radare2 ([\w.]+)"),
    ("rustc", ["rustc", "--version"], r"rustc ([\w.-]+)"),
]
PACKAGES = ["lief", "pefile"]
# For a program that is only asked for its name.
PATIENCE = 20


def say(command):
    """What a program prints; nothing when it can't be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def first(pattern, text):
    found = re.search(pattern, text, re.MULTILINE)
    return found.group(1).strip() if found else None


def processor():
    return first(r"^model name\s*: (.*)$", pathlib.Path("/proc/cpuinfo").read_text(errors="replace")) or "unknown"


def memory_gib():
    kibibytes = first(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return round(int(kibibytes or 0) / (1 << 20), 1)


def versions(root):
    found = {name: first(pattern, say(command)) for name, command, pattern in PROGRAMS if shutil.which(command[0])}
    python = root / ".tools/bench-venv/bin/python"
    for package in PACKAGES if python.exists() else []:
        asked = f"import importlib.metadata as m; print('version', m.version('{package}'))"
        found[package] = first(r"^version (.*)$", say([python, "-c", asked]))
    return {name: version for name, version in found.items() if version}


def commit(root):
    """The commit, and whether the sources differ from it; nothing outside of a repository."""
    if not shutil.which("git"):
        return None
    named = say(["git", "-C", root, "rev-parse", "--short=12", "HEAD"]).strip()
    if not re.fullmatch(r"[0-9a-f]{12}", named):
        return None
    # The pages that this writes are no part of what is measured.
    changed = say(["git", "-C", root, "status", "--porcelain", "--", "crates", "scripts", "Cargo.toml", "Cargo.lock"])
    return named + (" with changes" if changed.strip() else "")


def describe(root, binary):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": memory_gib(),
        # The rest of it names who built it.
        "kernel": os.uname().release.split("-")[0],
        "system": first(r'^PRETTY_NAME="?([^"\n]*)', pathlib.Path("/etc/os-release").read_text())
        if pathlib.Path("/etc/os-release").exists() else None,
        "reversecore": first(r"reversecore ([\w.-]+)", say([binary, "--version"])),
        "commit": commit(root),
        "versions": versions(root),
    }
