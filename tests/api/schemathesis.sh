#!/bin/sh
# Lets Schemathesis (https://schemathesis.io, `pip install schemathesis`) ask the live API for SECONDS (600): no 5xx, no status that the
# document does not name, no answer that breaks its schema, no bad request that is taken. Not part of the default test run.
#
#   tests/api/schemathesis.sh [SECONDS] [further options of `schemathesis run`]
#
# SCHEMATHESIS names the program (`schemathesis`); CRM_API_URL and CRM_API_KEY a host that runs already, instead of the tests' own world. The
# check `positive_data_acceptance` is left out: a request that fits its schema may still be refused for the state of things, such as an
# If-Match of an older version, or an Idempotency-Key that was used for another body. `revoke_api_key` is left out too: it would revoke the
# key that asks, and everything after it would be 401.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-600}
[ $# -eq 0 ] || shift
work=$(mktemp -d)
trap 'exec 3>&-; rm -rf "$work"' EXIT
if [ -z "${CRM_API_URL:-}" ]; then
    cargo build --quiet -p crm-api-tests --bin serve
    mkfifo "$work/until"
    "${CARGO_TARGET_DIR:-target}/debug/serve" <"$work/until" >"$work/ready" &
    # The server runs until this end of its standard input is closed.
    exec 3>"$work/until"
    while [ ! -s "$work/ready" ]; do sleep 0.2; done
    value() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" "$work/ready"; }
    CRM_API_URL=$(value url)
    CRM_API_KEY=$(value key)
fi
"${SCHEMATHESIS:-schemathesis}" run "$CRM_API_URL/openapi.json" --header "Authorization: Bearer $CRM_API_KEY" \
    --exclude-operation-id revoke_api_key --exclude-checks positive_data_acceptance --continue-on-failure --max-time "$seconds" "$@"
