#!/usr/bin/env bash
# Two result files of the same data set side by side: bash scripts/compare.sh A B [--show N] [--output F.json]
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
bash "$root/scripts/setup.sh" </dev/null
exec "$root/.venv/bin/python" "$root/main.py" compare "$@"
