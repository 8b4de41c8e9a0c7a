#!/usr/bin/env bash
# Transform a field of every record of a data set: `python main.py transform` with short flags.
#   bash scripts/run_infer.sh -m MODEL -i INPUT -o OUTPUT [-d DEVICE] [-P PROVIDER] [-S BATCH_SIZE] [-C CONCURRENCY]
#        [-n MAX_NEW_TOKENS] [-t TEMPERATURE] [-I INSTRUCTION] [-f FIELD] [-- any flag of transform]
# Without -m, MODEL_PATH of the environment is the model. Paths count from the caller's folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
instruction=$root/examples/prompts/refactor_python.j2
flags=()
while getopts "m:i:o:d:P:S:C:n:t:I:f:h" name; do
  case $name in
    m) flags+=(--model "$OPTARG") ;;
    i) flags+=(--input "$OPTARG") ;;
    o) flags+=(--output "$OPTARG") ;;
    d) flags+=(--device "$OPTARG") ;;
    P) flags+=(--provider "$OPTARG") ;;
    S) flags+=(--batch-size "$OPTARG") ;;
    C) flags+=(--concurrency "$OPTARG") ;;
    n) flags+=(--max-new-tokens "$OPTARG") ;;
    t) flags+=(--temperature "$OPTARG") ;;
    I) instruction=$OPTARG ;;
    f) flags+=(--field "$OPTARG") ;;
    *) sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
  esac
done
shift $((OPTIND - 1))
bash "$root/scripts/setup.sh" </dev/null || exit
exec "$root/.venv/bin/python" "$root/main.py" transform --instruction "$instruction" "${flags[@]}" "$@"
