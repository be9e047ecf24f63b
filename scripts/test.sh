#!/usr/bin/env bash
# From a fresh clone to all tests: Debian packages, npm packages, build, checks, every suite.
# The last line of the output is "N passed, N failed"; the exit code is 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

trap 'echo "0 passed, 1 failed"' ERR
bash scripts/require-node.sh
bash scripts/setup-packages.sh
npm ci --no-progress
npm ci --no-progress --prefix test/node24
# npm takes a failed download of this optional package for none.
ls test/node24/node_modules/node-*/bin/node >/dev/null || npm ci --no-progress --prefix test/node24
trap - ERR
exec node scripts/check.js "$@"
