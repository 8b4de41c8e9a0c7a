"""The pages: every command in them runs, every link leads somewhere, and every example is the file it says it is.

Why: a page that is wrong costs its reader more than no page.
Promises: a fenced `bash` block is run line by line, in a folder where each page starts afresh, with the program's own
registries whose models are scripted; `bash no-run` marks what needs the network, minutes, or another program.
"""

import io
import re
import shlex
from functools import partial
from pathlib import Path

import pytest
from fakes import Likes, SeededEngine

from data_config import supported_dataset
from inference_kit import cli, grader
from inference_kit.setup.registries import Registries
from model_config import reward_model_groups, sft_model_groups

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```bash\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
PYTHON_BLOCK = re.compile(r"^```python\n(\"\"\".*?)^```$", flags=re.DOTALL | re.MULTILINE)
EXPRESSION = re.compile(r"^ *((?:pool\.)?\w+\(.*\))(?:  |\n)# (.+)$", flags=re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]+)\)")


def commands_of(page: Path) -> list[str]:
    return [line for block in BLOCK.findall(page.read_text(encoding="utf-8")) for line in block.splitlines() if line]


@pytest.fixture
def registries() -> Registries:
    """The names that users see; behind those of models stand scripted ones."""
    models = {name: partial(SeededEngine, name) for name in sft_model_groups} | {"echo": sft_model_groups["echo"]}
    reward_models = {name: partial(Likes, name) for name in reward_model_groups}
    return Registries(models, reward_models, supported_dataset, ROOT)


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder from which the repository's data and examples are seen under their usual names."""
    for name in ("benchmark", "configs", "data", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)], ids=lambda page: page.name)
def test_every_command_of_a_page_works(
    page: Path,
    scratch: Path,
    registries: Registries,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """MAIN-10: what a page tells its reader to type does what it says."""
    for line in commands_of(page):
        said, _, command = line.rpartition(" | ")
        monkeypatch.setattr("sys.stdin", io.StringIO(typed(said)))
        python, program, *words = shlex.split(command)
        assert (python, program) == ("python", "main.py"), f"{line}: mark the block `bash no-run`"
        code = cli.main([each for word in words for each in braces(word)], registries)
        assert code == 0, f"{line}\n{capsys.readouterr().err}"


def typed(command: str) -> str:
    """What `printf '...'` in front of a pipe writes."""
    return shlex.split(command)[1].replace("\\n", "\n") if command else ""


def braces(word: str) -> list[str]:
    """What the shell makes of one `{a,b}`."""
    before, opened, rest = word.partition("{")
    inside, closed, after = rest.partition("}")
    return [f"{before}{each}{after}" for each in inside.split(",")] if opened and closed else [word]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()]
    assert not missing


def test_the_examples_of_extending_are_the_files() -> None:
    """MAIN-35: what the test of the examples shows to work is what the page prints."""
    shown = PYTHON_BLOCK.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))
    files = [path.read_text(encoding="utf-8") for path in (ROOT / "examples" / "extending").glob("*.py")]
    assert sorted(shown) == sorted(files)


def test_the_examples_of_grading_return_what_they_say() -> None:
    """MAIN-66, MAIN-67."""
    shown = EXPRESSION.findall((ROOT / "docs" / "grading.md").read_text(encoding="utf-8"))
    assert len(shown) == 5
    with grader.GraderPool(workers=1) as pool:
        for expression, result in shown:
            assert repr(eval(expression, vars(grader) | {"pool": pool})) == result


def test_the_readme_has_a_place_for_its_results() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert 0 < text.find("<!-- results -->\n") < text.find("<!-- /results -->\n")
