"""A scratch checkout whose Python is a stub that writes its calls down; no script in it installs or runs anything."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Checkout:
    """Its scripts are started from another folder, with no environment but what they are given."""

    root: Path

    def environment(self, **variables: str) -> dict[str, str]:
        return {
            "PATH": f"{self.root / 'bin'}:{os.environ['PATH']}",
            "PYTHON": str(self.root / "bin" / "stub_python"),
            "REAL_PYTHON": sys.executable,
            "CALLS": str(self.root / "calls"),
            **variables,
        }

    def start(self, script: str, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        command = ["bash", str(self.root / "scripts" / script), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.environment(**variables), cwd="/", stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def run(self, script: str, *arguments: str, **variables: str) -> tuple[int, str]:
        """The exit code and standard error of a script, started from another folder."""
        process = self.start(script, *arguments, **variables)
        _, said = process.communicate(timeout=60)
        return process.returncode, said

    def calls(self) -> list[str]:
        """What Python was asked to do since the last time; the way to the checkout is left out."""
        path = self.root / "calls"
        lines = path.read_text(encoding="utf-8").replace(f"{self.root}/", "").splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def installs(self) -> list[str]:
        """What pip was asked to install since the last time."""
        quiet = "-m pip install --no-input --disable-pip-version-check --progress-bar off "
        return [call.removeprefix(quiet) for call in self.calls() if call.startswith(quiet)]

    def program(self, name: str, text: str) -> None:
        """Put a program on the scripts' PATH."""
        path = self.root / "bin" / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
