#!/usr/bin/env bash
# Talk to a model in the terminal. Any variable may come from the environment, and further arguments go on to play.py:
#   model=abacus reward_model=abacus_prm bash scripts/dialogue.sh --method best_of_n --n 8
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

model=${model:-abacus}                        # a name of model_config.py
model_path=${model_path:-}                    # empty: the path in model_config.py
reward_model=${reward_model:-}                # with one, each reply is chosen by search and its score shown
reward_model_path=${reward_model_path:-}

bash "$root/scripts/setup.sh" </dev/null
[[ -z $reward_model_path ]] || set -- --reward-model-path "$reward_model_path" "$@"
[[ -z $reward_model ]] || set -- --reward-model "$reward_model" "$@"
[[ -z $model_path ]] || set -- --model-path "$model_path" "$@"
exec "$root/.venv/bin/python" "$root/play.py" --model "$model" "$@"
