#!/usr/bin/env bash
# Rebuilds the kernel objects beside the committed ones and fails if they differ.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v clang-14 >/dev/null; then
  echo 'kernel objects not checked: clang-14 is not installed' >&2
  [ "${CI:-}" != true ]
  exit
fi
before=$(git ls-files -z 'bpf/**_bpfel.*' | xargs -0 sha256sum)
go generate ./bpf/...
after=$(git ls-files -z 'bpf/**_bpfel.*' | xargs -0 sha256sum)
if [ "$before" != "$after" ]; then
  echo 'kernel objects do not match their sources; commit the result of "make generate":' >&2
  diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") >&2 || true
  exit 1
fi
echo "kernel objects match their sources"
