#!/bin/sh
# Any verb of ozfig: `docker run ozfig tune --help`. Without one the model of OZFIG_MODEL is served.
set -eu
umask 077
[ $# -gt 0 ] || set -- serve

case "$1" in
  serve)
    data="${OZFIG_DATA:-${HOME:-/data}}"
    if [ "${OZFIG_OPEN:-}" != 1 ]; then
      # made once and printed once; another start reads what is kept
      for name in API_KEY PASSWORD; do
        eval "given=\${OZFIG_$name:-}"
        kept="$data/$name"
        if [ -z "$given" ]; then
          if [ ! -s "$kept" ]; then
            python -c 'import secrets; print(secrets.token_urlsafe(24))' > "$kept"
            echo "OZFIG_$name=$(cat "$kept")   (made now, kept in $kept, not shown again)" >&2
          fi
          given="$(cat "$kept")"
        fi
        export "OZFIG_$name=$given"
      done
    fi
    export OZFIG_DATABASE_URL="${OZFIG_DATABASE_URL:-$data/chat.db}"
    set -- "$@" --host "${HOST:-0.0.0.0}" --port "${PORT:-8080}"
    ;;
  run | tune)
    [ -z "${OZFIG_BASE:-}" ] || set -- "$@" --base "$OZFIG_BASE"
    ;;
esac
exec ozfig "$@"
