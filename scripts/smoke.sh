#!/usr/bin/env bash
# A smoke run against a running system: scripts/smoke.sh [BASE_URL]. Each step prints five lines: its name, the call, the status, the
# start of the answer, the verdict. PLYRUM_DEMO_KEY is the client key; with PLYRUM_ADMIN_KEY set the ledger is looked at too, and with
# STANDARD_WEBHOOK_SECRET (the system's own, whsec_…) an order is paid, refunded in part and charged back by signed webhooks. Where the
# system is on this machine and has no real providers, its own webhooks are received here and their signatures checked.
set -uo pipefail

base="${1:-http://127.0.0.1:${PORT:-8787}}"
base="${base%/}"
key="${PLYRUM_DEMO_KEY:?set PLYRUM_DEMO_KEY to the key that npm start printed}"
model="${PLYRUM_SMOKE_MODEL:-openai/gpt-5-mini}"
body_file="$(mktemp)"
work_folder="$(mktemp -d)"
receiver_pid=""
trap 'rm -rf "$body_file" "$work_folder"; [ -z "$receiver_pid" ] || kill "$receiver_pid" 2>/dev/null' EXIT
failures=0

# step NAME PATTERN METHOD PATH BEARER [BODY [CURL ARGUMENT...]]: passes when the status is 200 and the answer matches the extended regular expression.
step() {
  local name="$1" pattern="$2" method="$3" path="$4" bearer="$5" body="${6:-}" status
  local arguments=(-s -N --max-time 60 -o "$body_file" -w '%{http_code}' -X "$method" -H "authorization: Bearer $bearer")
  [ -n "$body" ] && arguments+=(-H 'content-type: application/json' -d "$body")
  [ $# -gt 6 ] && arguments+=("${@:7}")
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
  curl -sS --max-time 10 -H "authorization: Bearer $key" "$base/v1/usage" 2>/dev/null | grep -q '"request_id"' && break
  sleep 1
done
step "usage" '"request_id"' GET /v1/usage "$key"

# paid NAME BODY: a payment provider's webhook, signed by the Standard Webhooks specification; the same message twice.
paid() {
  local name="$1" body="$2" id now signature
  id="msg_$RANDOM$RANDOM" now="$(date +%s)"
  signature="$(printf '%s.%s.%s' "$id" "$now" "$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$webhook_key" -binary | openssl base64 -A)"
  for time in once "once more"; do
    step "$name, told $time" '"received":true' POST /webhooks/standard "" "$body" \
      -H "webhook-id: $id" -H "webhook-timestamp: $now" -H "webhook-signature: v1,$signature"
  done
}
if [ -n "${STANDARD_WEBHOOK_SECRET:-}" ]; then
  webhook_key="$(printf '%s' "${STANDARD_WEBHOOK_SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')"
  step "an order" '"state":"pending"' POST /v1/orders "$key" '{"provider":"standard","amount":"100.00"}'
  order="$(grep -o 'ord_[0-9A-Za-z]*' "$body_file" | head -n 1)"
  facts="\"payment_id\":\"smoke-$order\",\"order_id\":\"$order\",\"currency\":\"RUB\""
  paid "the order's payment" "{\"type\":\"payment.succeeded\",\"data\":{$facts,\"amount\":\"100.00\"}}"
  step "the order is paid" '"state":"paid"' GET "/v1/orders/$order" "$key"
  paid "a refund of it" "{\"type\":\"payment.refunded\",\"data\":{$facts,\"refund_id\":\"refund-$order\",\"amount\":\"40.00\"}}"
  paid "a chargeback of it" "{\"type\":\"payment.charged_back\",\"data\":{$facts,\"refund_id\":\"dispute-$order\",\"amount\":\"60.00\"}}"
  step "all of it went back" '"returned_micro_rub":100000000' GET "/v1/orders/$order" "$key"
fi
# answer NAME: that text field of the last answer.
answer() { sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p" "$body_file" | head -n 1; }

# start_receiver: sets `receiver` to its address.
start_receiver() {
  "$(dirname "$0")/node" "$(dirname "$0")/smoke/receiver.ts" "$work_folder/secret" >"$work_folder/port" &
  receiver_pid=$!
  for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$work_folder/port" ] && break; sleep 0.3; done
  receiver="http://127.0.0.1:$(cat "$work_folder/port")"
}

# came EVENT: waits for an event at the receiver.
came() {
  echo "step     our webhook $1 arrives, signed"
  echo "call     POST $receiver (from the system)"
  for _ in $(seq 1 40); do curl -s --max-time 5 "$receiver" | grep -q "^$1 " && break; sleep 0.5; done
  echo "status   -"
  echo "answer   $(curl -s --max-time 5 "$receiver" | grep "^$1 " | head -n 1)"
  if curl -s --max-time 5 "$receiver" | grep -q "^$1 signed" && ! curl -s --max-time 5 "$receiver" | grep -q FORGED; then
    echo "verdict  ok"
  else
    echo "verdict  FAILED: wanted $1, signed by the secret of the webhook"
    failures=$((failures + 1))
  fi
}

if [ -n "${PLYRUM_ADMIN_KEY:-}" ]; then
  admin="$PLYRUM_ADMIN_KEY"
  step "ledger" '"entries"' GET "/admin/accounts/demo/ledger?limit=10" "$admin"
  step "an account" '"id"' POST /admin/accounts "$admin" '{"name":"smoke"}'
  account="$(answer id)"
  webhook=""
  if curl -s --max-time 10 -H "authorization: Bearer $key" "$base/v1/usage" | grep -q '"evidence": *"offline"' && [[ "$base" =~ ^http://(127\.0\.0\.1|localhost) ]]; then
    start_receiver
    step "a webhook of ours" '"secret"' POST "/admin/accounts/$account/webhooks" "$admin" \
      "{\"url\":\"$receiver/\",\"events\":[\"balance.updated\",\"request.settled\"]}"
    webhook="$(answer id)"
    answer secret >"$work_folder/secret"
  else
    echo "smoke: our own webhooks are not received: this machine cannot be reached from $base"
  fi
  step "a credit" '"state": ?"credited"' POST "/admin/accounts/$account/credits" "$admin" '{"amount_micro_rub":5000000,"reference":"smoke"}'
  step "the same credit again" '"state": ?"exists"' POST "/admin/accounts/$account/credits" "$admin" '{"amount_micro_rub":5000000,"reference":"smoke"}'
  step "a key" '"key"' POST "/admin/accounts/$account/keys" "$admin" '{"name":"smoke"}'
  account_key="$(answer key)"
  step "a completion on it" '"usage"' POST /v1/chat/completions "$account_key" "{\"model\":\"$model\",$messages}"
  if [ -n "$webhook" ]; then
    came balance.updated
    came request.settled
    step "the log of deliveries" '"delivered"' GET "/admin/webhooks/$webhook/deliveries" "$admin"
  fi
  step "a refund" '"state": ?"credited"' POST "/admin/accounts/$account/refunds" "$admin" '{"amount_micro_rub":1000000,"reference":"smoke-refund"}'
  step "the same refund again" '"state": ?"exists"' POST "/admin/accounts/$account/refunds" "$admin" '{"amount_micro_rub":1000000,"reference":"smoke-refund"}'
  step "a chargeback of more than is left" '"balance_micro_rub": ?-[0-9]+' POST "/admin/accounts/$account/chargebacks" "$admin" \
    '{"amount_micro_rub":4000000,"reference":"smoke-chargeback","fee_micro_rub":500000}'
  step "its ledger" '"chargeback"' GET "/admin/accounts/$account/ledger" "$admin"
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl -s --max-time 20 -X POST -H "authorization: Bearer $admin" -H 'content-type: application/json' -d "{\"account_id\":\"$account\"}" "$base/admin/reconcile" | grep -q '"gaps": *\[\]' && break
    sleep 1
  done
  step "ledger and database agree" '"gaps": ?\[\]' POST /admin/reconcile "$admin" "{\"account_id\":\"$account\"}"
  step "the facts of the cost report" '"rates"' GET /admin/report/facts "$admin"
  step "the exchange rate" '"age_days"' GET /admin/fx "$admin"
fi

if [ "$failures" -gt 0 ]; then
  echo "smoke: $failures steps failed against $base"
  exit 1
fi
echo "smoke: all steps passed against $base"
