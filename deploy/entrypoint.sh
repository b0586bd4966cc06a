#!/bin/sh
# Any verb of ozfig: `docker run ozfig tune --help`. Without one the model of OZFIG_MODEL is served.
set -eu
umask 077
[ $# -gt 0 ] || set -- serve

case "$1" in
  serve)
    # help needs no keys
    case " $* " in *" --help "* | *" -h "*) exec ozfig "$@" ;; esac
    data="${OZFIG_DATA:-${HOME:-/data}}"
    if [ ! -w "$data" ]; then
      echo "error $data: cannot be written; mount a volume there that user $(id -u) may write" >&2
      exit 2
    fi
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
    # what the command says itself goes first
    case " $* " in *" --host"[\ =]*) ;; *) set -- "$@" --host "${HOST:-0.0.0.0}" ;; esac
    case " $* " in *" --port"[\ =]*) ;; *) set -- "$@" --port "${PORT:-8080}" ;; esac
    ;;
  run | tune)
    [ -z "${OZFIG_BASE:-}" ] || set -- "$@" --base "$OZFIG_BASE"
    ;;
esac
exec ozfig "$@"
