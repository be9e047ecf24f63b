#!/usr/bin/env bash
# Makes sure that the programs the tests start are on this machine: installs Debian packages as root,
# otherwise says which are missing and what to type. Does nothing, quickly, when all are there.
set -euo pipefail

# program : Debian package that brings it
programs="
  slapd:slapd                ldapsearch:ldap-utils
  sshd:openssh-server        ssh:openssh-client      scp:openssh-client    sftp:openssh-client
  postgres:postgresql        initdb:postgresql       psql:postgresql-client
  squid:squid                htpasswd:apache2-utils  nginx:nginx-light
  promtool:prometheus        faketime:faketime       spin:spin             cc:gcc   cc:libc6-dev
  openssl:openssl            curl:curl               ps:procps             ss:iproute2
  setpriv:util-linux         python3:python3
"

# Debian keeps daemons where only root looks, and PostgreSQL's programs in a folder of their own.
PATH=$PATH:/usr/sbin:/sbin:$(printf '%s:' /usr/lib/postgresql/*/bin)

missing_packages() {
  local entry
  for entry in $programs; do
    command -v "${entry%%:*}" >/dev/null || echo "${entry##*:}"
  done | sort -u
}

missing=$(missing_packages)
[[ -z $missing ]] && exit 0

install="apt-get update && apt-get install --no-install-recommends $(echo $missing)"
if ! command -v apt-get >/dev/null; then
  echo "nowconnect: the tests need these Debian packages (or what they bring): $(echo $missing)" >&2
  exit 1
fi
if [[ $(id -u) -ne 0 ]]; then
  echo "nowconnect: the tests need Debian packages that are not installed: $(echo $missing)" >&2
  echo "nowconnect: type: sudo sh -c '$install'" >&2
  exit 1
fi

# The distribution's own services must not start: the tests run their own, in folders of their own.
policy=/usr/sbin/policy-rc.d
restore_policy() {
  rm -f "$policy"
  if [[ -e $policy.nowconnect ]]; then mv "$policy.nowconnect" "$policy"; fi
}
if [[ -e $policy && ! -e $policy.nowconnect ]]; then mv "$policy" "$policy.nowconnect"; fi
trap restore_policy EXIT
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod +x "$policy"
export DEBIAN_FRONTEND=noninteractive
echo "nowconnect: installing Debian packages: $(echo $missing)"
# A mirror that stumbles is asked again, and somebody else's apt-get is waited for.
apt="apt-get -q -o Acquire::Retries=5 -o DPkg::Lock::Timeout=300"
# shellcheck disable=SC2086 # options, a list of package names
{
  $apt update
  $apt install -y --no-install-recommends $missing
}

PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin)
missing=$(missing_packages)
if [[ -n $missing ]]; then
  echo "nowconnect: after the installation these packages still bring no program: $(echo $missing)" >&2
  exit 1
fi
