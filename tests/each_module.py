"""Run each pure module's own test file and demand that it covers the module wholly.

A module that is covered only by its neighbours' tests can change its meaning unseen.
"""

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent


def pure_modules() -> list[Path]:
    """List the modules whose docstring begins with PURE: the rule of the house."""
    found = sorted((ROOT / "ingestd").rglob("*.py"))
    return [path for path in found if path.read_text().startswith('"""PURE')]


def shortfall(path: Path) -> str:
    """Say what the module's own test leaves uncovered; nothing if it covers it wholly."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    test = ROOT / "tests" / "unit" / f"test_{path.stem}.py"
    if path.name == "__init__.py":
        return ""
    if not test.exists():
        return f"{module} has no test file {test.relative_to(ROOT)}"
    with tempfile.TemporaryDirectory() as scratch:
        data = f"--data-file={scratch}/data"
        run = [sys.executable, "-m", "coverage"]
        tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
        source = ["run", data, "--branch", f"--source={module}", *tests]
        done = subprocess.run(
            [*run, *source], cwd=ROOT, capture_output=True, text=True, check=False
        )
        subprocess.run(
            [*run, "combine", "-q", data, scratch], cwd=ROOT, capture_output=True, check=False
        )
        report = subprocess.run(
            [*run, "report", data, "--fail-under=100", "--show-missing"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        return f"{module}: its own test fails\n{done.stdout[-2000:]}"
    return "" if report.returncode == 0 else f"{module}:\n{report.stdout}"


def main() -> None:
    """Check every pure module, two at a time; exit 1 with all that falls short."""
    modules = pure_modules()
    with ThreadPoolExecutor(2) as pool:
        found = [text for text in pool.map(shortfall, modules) if text]
    sys.stdout.write("\n".join([*found, f"{len(modules)} pure modules, {len(found)} fall short\n"]))
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
