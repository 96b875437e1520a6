#!/bin/bash
# Runs a command in a network of its own where only the loopback range exists, so that ports never clash with the machine's
# and no packet can leave it.   in-namespace.sh COMMAND...   (root; util-linux and iproute2)
set -euo pipefail
if [ "${SIP2WA_PEERS_NAMESPACE:-}" != inside ]; then
  [ "$(id -u)" -eq 0 ] || { echo 'test:peers needs root: it makes a network namespace (unshare -n)' >&2; exit 1; }
  for tool in unshare ip; do
    command -v "$tool" >/dev/null || { echo "test:peers needs $tool: run test/support/peers/install.sh" >&2; exit 1; }
  done
  SIP2WA_PEERS_NAMESPACE=inside exec unshare --net -- "$BASH" "$0" "$@"
fi
ip link set lo up
exec "$@"
