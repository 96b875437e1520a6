#!/bin/bash
# Installs, as root on Debian 12, the independent peers that `npm run test:peers` talks to. Running it again costs a second.
#   sip-tester (sipp), baresip-core (phone), rtpengine-daemon (ICE-lite relay), asterisk with Opus (PBX), chromium (browser), tshark (reads recordings), sngrep (takes HEP), zsh and fish (complete command lines), and what rtpload is built with.
# Debian 12 has no Asterisk; Debian 11's is installed next to it from a source pinned so low that nothing else comes from there,
# and the source is taken away again. The mirror is the one apt uses here already: no address is written down.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
packages=(sip-tester baresip-core rtpengine-daemon iproute2 curl gcc libc6-dev libsrtp2-dev libssl-dev libopus-dev chromium tshark sngrep zsh fish)
pbx=(asterisk asterisk-opus)
apt_get=(apt-get -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Acquire::Check-Valid-Until=false)

if [ "$(dpkg-query -W -f '${db:Status-Status}\n' "${packages[@]}" "${pbx[@]}" 2>/dev/null | grep -c '^installed$')" -eq $((${#packages[@]} + ${#pbx[@]})) ]; then
  echo 'all peers are installed'
  exit 0
fi

source_list=/etc/apt/sources.list.d/sip2wa-peers.list
pin=/etc/apt/preferences.d/sip2wa-peers
policy=/usr/sbin/policy-rc.d
own_policy=
cleanup() {
  rm -f "$source_list" "$pin"
  if [ -n "$own_policy" ]; then rm -f "$policy"; fi
}
trap cleanup EXIT

"${apt_get[@]}" update
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages' | awk '$2 == "bookworm" { print $1; exit }')
[ -n "$mirror" ] || { echo 'apt knows no source for Debian 12 (bookworm)' >&2; exit 1; }

# Debian starts what it installs; the peers are started by the tests, in a network of their own.
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
  own_policy=yes
fi
printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg check-valid-until=no] %s bullseye main\n' "$mirror" >"$source_list"
printf 'Package: *\nPin: release n=bullseye\nPin-Priority: 50\n' >"$pin"
"${apt_get[@]}" update
"${apt_get[@]}" install -y --no-install-recommends "${packages[@]}" "${pbx[@]}"
