"""Compares the packages of requirements.lock with the known vulnerabilities.

Called by `make audit`, in CI too. The data are OSV's (https://osv.dev); where they cannot be
reached, or pip-audit cannot be installed, it says so and counts as passed: neither is a fault of
the lock.
"""

import os
import subprocess
import sys
import urllib.error
import urllib.request

import install

_DATA = "https://api.osv.dev/v1/query"
_TOOL = install.VENV / "audit"  # apart: what it needs is none of ours


def why_no_data() -> str:
    """Why the vulnerabilities cannot be asked for, empty where they can."""
    try:
        with urllib.request.urlopen(urllib.request.Request(_DATA, data=b"{}"), timeout=10):
            return ""
    except urllib.error.HTTPError:
        return ""  # it answers: an empty question is none
    except OSError as error:
        return f"{_DATA} cannot be reached ({error})"


def main() -> int:
    """The status of pip-audit: 0 where nothing is known of any package."""
    reason = why_no_data()
    if not reason and not (_TOOL / "pip_audit").is_dir():
        words = [sys.executable, "-m", "pip", "install", "-q", "--target", str(_TOOL), "pip-audit"]
        if subprocess.run(words, check=False).returncode != 0:
            reason = "pip-audit cannot be installed"
    if reason:
        print(f"make audit: skipped, {reason}")
        return 0
    words = [sys.executable, "-m", "pip_audit", "--requirement", str(install.LOCK)]
    words += ["--require-hashes", "--disable-pip", "--vulnerability-service", "osv"]
    environment = {**os.environ, "PYTHONPATH": str(_TOOL)}
    return subprocess.run(words, env=environment, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
