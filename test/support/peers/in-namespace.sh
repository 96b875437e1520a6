#!/bin/bash
# Runs a command in a network of its own, so that ports never clash with the machine's and no packet can leave it.
#   in-namespace.sh COMMAND...   (root; util-linux and iproute2)
# Beside loopback there is one route to everywhere else, and it ends in a trap: a cable whose other end nobody holds. It counts
# what was sent to an address outside 127.0.0.0/8, which the tests then fail on (escapes.ts).
set -euo pipefail
if [ "${SIP2WA_PEERS_NAMESPACE:-}" != inside ]; then
  [ "$(id -u)" -eq 0 ] || { echo 'test:peers needs root: it makes a network namespace (unshare -n)' >&2; exit 1; }
  for tool in unshare ip; do
    command -v "$tool" >/dev/null || { echo "test:peers needs $tool: run test/support/peers/install.sh" >&2; exit 1; }
  done
  SIP2WA_PEERS_NAMESPACE=inside exec unshare --net --mount --propagation private -- "$BASH" "$0" "$@"
fi
# peers that look up the machine's own name ask a server that is not there, instead of the machine's
if [ -e /etc/resolv.conf ]; then
  resolver=$(mktemp)
  echo 'nameserver 127.0.0.1' >"$resolver"
  mount --bind "$resolver" /etc/resolv.conf
  rm -f "$resolver"
fi
ip link set lo up
ip link add trap type veth peer name nobody
# no neighbour discovery of IPv6 of the kernel's own: every packet counted is one that a program wanted to send
for end in trap nobody; do
  ip link set "$end" addrgenmode none
  ip link set "$end" up
done
ip address add 198.51.100.1/32 dev trap
ip -6 address add 2001:db8::1/128 dev trap nodad
# the one address that the test of the trap itself sends to, so that its packet is not preceded by questions for it
ip neighbour add 203.0.113.5 lladdr 02:00:00:00:00:01 dev trap nud permanent
ip route add default dev trap
ip -6 route add default dev trap
exec "$@"
