#!/usr/bin/env bash
# Run the benchmark on every combination of the names below: one `python main.py run` each, and a table of them all.
# Any variable may come from the environment, and further arguments go on to `main.py run`:
#   MODEL_NAME="abacus echo" LIMIT=50 bash scripts/run.sh --temperature 0.8
# Your own data: DATASET_PATH=my.jsonl, or `--dataset-path my.jsonl` among the arguments; docs/datasets.md has its fields.
# The same command again does only what is missing. Paths count from the caller's folder, work_dir from the project's.
set -uo pipefail
set -f
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

work_dir=${work_dir:-results}
MODEL_NAME=${MODEL_NAME:-abacus}              # names of model_config.py
MODEL_PATH=${MODEL_PATH:-}                    # empty: the path in model_config.py
REWARD_MODEL_NAME=${REWARD_MODEL_NAME:-}      # names of model_config.py, or none; empty: the one that belongs to the model
REWARD_MODEL_PATH=${REWARD_MODEL_PATH:-}
DATASET_PATH=${DATASET_PATH:-}                # a file of your own; with DATASET_NAME, in the form of that one
DATASET_NAME=${DATASET_NAME:-}                # names of data_config.py; empty: abacus, or the file alone
COT_METHOD=${COT_METHOD:-greedy best_of_n}    # search methods
VOTE=${VOTE:-all}                             # votes, free after the fact; all: those that the reward model allows
N=${N-16}                                     # candidates, or children of a node; empty: the method's own
EXP_NAME=${EXP_NAME:-default}                 # several N get one folder each: EXP_NAME-nN
LIMIT=${LIMIT-200}                            # the first problems; empty: all

is_list() { [[ $1 == *[![:space:]]*[[:space:]]*[![:space:]]* ]]; }

if { [[ -n $MODEL_PATH ]] && is_list "$MODEL_NAME"; } || { [[ -n $REWARD_MODEL_PATH ]] && is_list "$REWARD_MODEL_NAME"; }; then
  echo "error: one path cannot serve several models. Name one model, or register each path in model_config.py." >&2
  exit 2
fi
own_file=$DATASET_PATH
for word in "$@"; do
  [[ $word != --dataset[-_]path* ]] || own_file=$word
done
if [[ -n $DATASET_PATH ]] && is_list "$DATASET_NAME"; then
  echo "error: one path cannot serve several data sets. Name one data set, or register each path in data_config.py." >&2
  exit 2
fi
[[ -n $DATASET_NAME || -n $own_file ]] || DATASET_NAME=abacus
bash "$root/scripts/setup.sh" </dev/null || exit
[[ $work_dir == /* ]] || work_dir=$root/$work_dir
started=$(mktemp)
trap 'rm -f "$started"' EXIT
worst=0 sized=" " folders="" searches=0

main_py() { "$root/.venv/bin/python" "$root/main.py" "$@"; }

takes_n() { main_py run --help --method "$1" </dev/null 2>/dev/null | grep -c -e '--n ' >/dev/null; }

note_exit() {
  [[ $1 != 130 ]] || exit 130
  (($1 <= worst)) || worst=$1
}

run_cell() {
  local model=$1 reward_model=$2 dataset=$3 method=$4 n=$5 name=$EXP_NAME
  shift 5
  if [[ -n $n ]]; then
    set -- --n "$n" "$@"
    ! is_list "$N" || name=$EXP_NAME-n$n
  fi
  [[ -z $LIMIT ]] || set -- --limit "$LIMIT" "$@"
  [[ -z $DATASET_PATH ]] || set -- --dataset-path "$DATASET_PATH" "$@"
  [[ -z $MODEL_PATH ]] || set -- --model-path "$MODEL_PATH" "$@"
  [[ -z $REWARD_MODEL_PATH ]] || set -- --reward-model-path "$REWARD_MODEL_PATH" "$@"
  [[ -z $reward_model ]] || set -- --reward-model "$reward_model" "$@"
  [[ $folders == *"|$dataset $model $reward_model $name|"* ]] || folders+="|$dataset $model $reward_model $name|"
  [[ $method == greedy ]] || searches=$((searches + 1))
  printf '\n== %s ==\n' "${dataset:-$own_file}, $model${reward_model:+ with $reward_model}, $method${n:+ with n $n}" >&2
  main_py run --work-dir "$work_dir" --exp-name "$name" --model "$model" ${dataset:+--dataset "$dataset"} \
    --method "$method" --vote "${VOTE//[[:space:]]/,}" "$@"
  note_exit $?
}

[[ -z $N ]] || for method in $COT_METHOD; do
  ! takes_n "$method" || sized+="$method "
done

for dataset in ${DATASET_NAME:-""}; do
  for model in $MODEL_NAME; do
    for reward_model in ${REWARD_MODEL_NAME:-""}; do
      for method in $COT_METHOD; do
        sizes=
        [[ $sized != *" $method "* ]] || sizes=$N
        for n in ${sizes:-""}; do
          run_cell "$model" "$reward_model" "$dataset" "$method" "$n" "$@"
        done
      done
    done
  done
done

finals=()
while IFS= read -r file; do
  finals+=("$file")
done < <(find "$work_dir" -name '*.json' ! -name config.json -newer "$started" 2>/dev/null | sort)
# The table of a search shows the greedy answers beside it, so one search in one folder needs no other table.
if ((${#finals[@]})) && { ((searches > 1)) || [[ $folders == *"||"* ]]; }; then
  echo
  main_py evaluate "${finals[@]}"
  note_exit $?
fi
exit "$worst"
