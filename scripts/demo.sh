#!/usr/bin/env bash
# From a fresh clone to the running demo: installs the packages, builds, starts `nowconnect demo` with the arguments given.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash scripts/require-node.sh
npm ci --no-progress
npm run --silent build:product
exec node dist/cli/main.js demo "$@"
