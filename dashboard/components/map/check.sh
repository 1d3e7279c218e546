#!/bin/sh
# Builds the map's bundle again and fails where the one in the repository differs. `check.sh --write` keeps the new one.
set -eu
cd "$(dirname "$0")"
if ! command -v node >/dev/null 2>&1; then
  echo "map bundle: not checked, there is no node here" >&2
  exit 0
fi
old=$(mktemp -d)
trap 'rm -rf "$old"' EXIT
cp -R dist THIRD_PARTY_LICENSES.txt "$old/" 2>/dev/null || true
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
npm run --silent build -- --logLevel error
node licences.mjs
[ "${1:-}" = "--write" ] && exit 0
if diff -r "$old/dist" dist >/dev/null && diff "$old/THIRD_PARTY_LICENSES.txt" THIRD_PARTY_LICENSES.txt >/dev/null; then
  echo "map bundle: the same as its source builds"
else
  rm -rf dist && cp -R "$old/dist" "$old/THIRD_PARTY_LICENSES.txt" .
  echo "map bundle: differs from what its source builds; run dashboard/components/map/check.sh --write" >&2
  exit 1
fi
