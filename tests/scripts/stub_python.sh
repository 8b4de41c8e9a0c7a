#!/usr/bin/env bash
# A Python that installs nothing: `-c` goes to the real one, every other call is a line of $CALLS.
# STUB_PIP_FAILS is a pattern: a pip call that matches it fails and says what STUB_PIP_SAYS holds.
# STUB_MAIN_FAILS is one for main.py, which exits with STUB_MAIN_EXIT; a run that does not fail leaves a final file.
case "$1" in
  --version) echo "Python ${STUB_VERSION:-3.11.7}" ;;
  -c)
    case "$2" in
      *version_info*) [[ ${STUB_VERSION:-3.11.7} != 3.[0-9].* ]] ;;
      *'version("torch")'*) [[ -n ${STUB_TORCH:-} ]] && echo "$STUB_TORCH" ;;
      *urlopen*) [[ -n ${STUB_REACHABLE:-} ]] ;;
      *) exec "$REAL_PYTHON" "$@" ;;
    esac
    ;;
  *)
    echo "$*" >>"$CALLS"
    if [[ $2 == venv ]]; then
      mkdir -p "${!#}/bin" && cp "$0" "${!#}/bin/python"
    elif [[ $2 == pip && -n ${STUB_PIP_FAILS:-} && $* == *$STUB_PIP_FAILS* ]]; then
      printf '%b\n' "${STUB_PIP_SAYS:-ERROR: No matching distribution found for it}"
      exit 1
    elif [[ $1 == */main.py ]]; then
      [[ " $* " == *" --help "* && $* == *best_of_n* ]] && echo "  --n N  candidates"
      [[ -z ${STUB_MAIN_FAILS:-} || $* != *$STUB_MAIN_FAILS* ]] || exit "${STUB_MAIN_EXIT:-1}"
      [[ $3 != --work-dir ]] || { mkdir -p "$4" && touch "$4/$8-${12}.json" "$4/config.json"; }
    fi
    ;;
esac
