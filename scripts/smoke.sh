#!/usr/bin/env bash
# A smoke run against a running system: scripts/smoke.sh [BASE_URL]. Each step prints five lines: its name, the call, the status, the
# start of the answer, the verdict. PLYRUM_DEMO_KEY is the client key; with PLYRUM_ADMIN_KEY set the ledger is looked at too.
set -uo pipefail

base="${1:-http://127.0.0.1:${PORT:-8787}}"
base="${base%/}"
key="${PLYRUM_DEMO_KEY:?set PLYRUM_DEMO_KEY to the key that npm start printed}"
model="${PLYRUM_SMOKE_MODEL:-openai/gpt-5-mini}"
body_file="$(mktemp)"
trap 'rm -f "$body_file"' EXIT
failures=0

# step NAME PATTERN METHOD PATH BEARER [BODY]: passes when the status is 200 and the answer matches the extended regular expression.
step() {
  local name="$1" pattern="$2" method="$3" path="$4" bearer="$5" body="${6:-}" status
  local arguments=(-s -N --max-time 60 -o "$body_file" -w '%{http_code}' -X "$method" -H "authorization: Bearer $bearer")
  [ -n "$body" ] && arguments+=(-H 'content-type: application/json' -d "$body")
  echo "step     $name"
  echo "call     $method $path"
  : >"$body_file"
  status="$(curl "${arguments[@]}" "$base$path")"
  echo "status   $status"
  echo "answer   $(head -c 160 "$body_file" | tr '\n' ' ')"
  if [ "$status" = 200 ] && grep -Eq "$pattern" "$body_file"; then
    echo "verdict  ok"
  else
    echo "verdict  FAILED: wanted 200 and /$pattern/"
    failures=$((failures + 1))
  fi
}

messages='"messages":[{"role":"user","content":"Say hello."}]'
step "health" '.' GET /healthz "$key"
if [ "$failures" -gt 0 ]; then
  echo "smoke: nothing healthy answers at $base"
  exit 1
fi
step "models" "\"$model\"" GET /v1/models "$key"
step "a streamed chat completion" '^data: \[DONE\]' POST /v1/chat/completions "$key" "{\"model\":\"$model\",\"stream\":true,$messages}"
step "a message" '"type": ?"message"' POST /v1/messages "$key" "{\"model\":\"$model\",\"max_tokens\":64,$messages}"
step "balance" '"available_micro_rub"' GET /v1/balance "$key"

# Rows reach D1 through the outbox and the queue, within a few seconds.
for _ in 1 2 3 4 5 6 7 8 9 10; do
  curl -sS --max-time 10 -H "authorization: Bearer $key" "$base/v1/usage" 2>/dev/null | grep -q '"cost_micro_rub"' && break
  sleep 1
done
step "usage" '"cost_micro_rub"' GET /v1/usage "$key"
if [ -n "${PLYRUM_ADMIN_KEY:-}" ]; then
  step "ledger" '"entries"' GET "/admin/accounts/demo/ledger?limit=10" "$PLYRUM_ADMIN_KEY"
fi

if [ "$failures" -gt 0 ]; then
  echo "smoke: $failures steps failed against $base"
  exit 1
fi
echo "smoke: all steps passed against $base"
