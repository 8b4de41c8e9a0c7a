#!/usr/bin/env bash
# Rebuild benchmark/abacus.jsonl and both bundled models from fixed seeds, then check the accuracies that their cards state.
# Needs 2 CPU cores (one thread for each training) and about 50 minutes. PYTHON names another interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python}

"$python" -m training.benchmark
"$python" -m training.policy &
policy=$!
"$python" -m training.reward_model
wait "$policy"
"$python" -m training.validate --check
