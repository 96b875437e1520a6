#!/bin/bash
# Runs a drachtio-server and ends it once it answers nobody, so that whoever started this starts it again.
#
#   supervise.sh HOST PORT COMMAND...      HOST and PORT: where it takes SIP over UDP
#
# A drachtio-server that waits for a dead resolver keeps its command connection up and answers no SIP at all. So it is asked
# by OPTIONS every 2 s; after three without an answer, one after the other, it is killed, and the exit status is 1. One that
# has never answered is left alone: it may still be starting, or a packet filter keeps us from its port.
set -u
host=$1 port=$2
shift 2
# Closes a TCP or TLS connection to the PBX on which three requests in a row were not answered. Off by default, and no key of
# drachtio.conf.xml says it.
export DRACHTIO_TPORT_MAX_CONSECUTIVE_TIMEOUTS="${DRACHTIO_TPORT_MAX_CONSECUTIVE_TIMEOUTS:-3}"
"$@" &
server=$!
trap 'kill -TERM "$server" 2>/dev/null' TERM INT

asked=0
answers() {
  asked=$((asked + 1))
  local id="supervise-$$-$asked" first
  exec 3<>"/dev/udp/$host/$port" || return 1
  printf '%s\r\n' "OPTIONS sip:$host:$port SIP/2.0" "Via: SIP/2.0/UDP $host;rport;branch=z9hG4bK$id" \
    'Max-Forwards: 0' "From: <sip:supervise@$host>;tag=$id" "To: <sip:$host>" "Call-ID: $id" 'CSeq: 1 OPTIONS' \
    'Content-Length: 0' '' | dd obs=65536 >&3 2>/dev/null # one datagram, where printf writes line by line
  # One byte: bash reads byte by byte, and the rest of the datagram goes with the first.
  IFS= read -r -t 1 -N 1 first <&3 2>/dev/null
  local status=$?
  exec 3>&-
  return $status
}

misses=0 has_answered=no
while kill -0 "$server" 2>/dev/null; do
  # in the background, so that a signal is not kept waiting
  sleep 2 &
  wait $! 2>/dev/null
  if answers; then
    misses=0 has_answered=yes
  elif [ $has_answered = yes ]; then
    misses=$((misses + 1))
  fi
  if [ $misses -ge 3 ]; then
    echo "supervise: no answer to $misses OPTIONS: killed" >&2
    kill -KILL "$server"
    wait "$server" 2>/dev/null
    exit 1
  fi
done
wait "$server"
