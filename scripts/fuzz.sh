#!/usr/bin/env bash
# Runs every fuzz target of the module in turn. Usage: fuzz.sh [time each]
set -euo pipefail
cd "$(dirname "$0")/.."
each=${1:-30s}
for pkg in $(go list ./...); do
  for target in $(go test -list '^Fuzz' "$pkg" 2>/dev/null | grep '^Fuzz' || true); do
    echo "== $pkg $target ($each)"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$pkg"
  done
done
