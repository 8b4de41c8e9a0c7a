#!/usr/bin/env bash
# Rebuild benchmark/abacus.jsonl and both bundled models from fixed seeds, then check the accuracies that their cards state.
# About 20 minutes for the policy (one thread) and an hour for the reward model on 2 idle CPU cores, one after the other.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh requirements-dev.txt </dev/null
python=.venv/bin/python

"$python" -m training.benchmark
"$python" -m training.policy
"$python" -m training.reward_model
"$python" -m training.validate --check
