"""What is installed: one list of dependencies, told in three places."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def names(text: str, pattern: str) -> set[str]:
    return set(re.findall(pattern, text, flags=re.MULTILINE))


def test_the_package_asks_for_what_requirements_txt_pins() -> None:
    """MAIN-02."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = names((ROOT / "requirements.txt").read_text(encoding="utf-8"), r"^([\w-]+)==")
    assert names("\n".join(project["dependencies"]), r"^([\w-]+)") == pinned


def test_every_dependency_has_its_line_in_the_documentation() -> None:
    documented = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for file in ("requirements.txt", "requirements-dev.txt"):
        for name in names((ROOT / file).read_text(encoding="utf-8"), r"^([\w-]+)=="):
            assert re.search(rf"\b{name}\b", documented), f"{name} has no line in docs/dependencies.md"


def test_the_top_level_holds_what_users_look_for() -> None:
    """MAIN-03."""
    folders = ("inference_kit", "benchmark", "scripts", "results")
    files = ("model_config.py", "data_config.py", "main.py", "play.py", "requirements.txt", "LICENSE")
    missing = [name for name in (*folders, *files) if not (ROOT / name).exists()]
    assert not missing
