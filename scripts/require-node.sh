#!/usr/bin/env bash
# Says in clear words when Node is missing or older than the floor, before npm would say it less clearly.
set -euo pipefail

floor=20.19.0
if ! command -v node >/dev/null; then
  echo "nowconnect: Node.js is not installed (no 'node' on the PATH). Install Node $floor or newer and try again." >&2
  exit 1
fi
found=$(node -p 'process.versions.node')
if [[ $(printf '%s\n%s\n' "$floor" "$found" | sort -V | head -n 1) != "$floor" ]]; then
  echo "nowconnect: this machine has Node $found; NowConnect needs Node $floor or newer. Install a newer one and try again." >&2
  exit 1
fi
