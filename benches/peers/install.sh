#!/bin/sh
# Install the peers that whole-program benchmarks compare with, into $PEERS (default ~/.cache/dedup/peers): current
# restic and kopia where Go is there, rustic and bupstash through cargo, borg (and an older restic, where there is no
# Go) from Debian. What cannot be had is named and left out of the comparison. Nothing is installed twice.
set -u
PEERS=${PEERS:-$HOME/.cache/dedup/peers}
mkdir -p "$PEERS/bin"
missing=

note() { printf '%s\n' "$*" >&2; }

debian() { # PACKAGE...
    command -v apt-get >/dev/null 2>&1 || return 1
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get install -y --no-install-recommends "$@" >"$PEERS/apt.log" 2>&1 ||
        { $sudo apt-get update >>"$PEERS/apt.log" 2>&1 && $sudo apt-get install -y --no-install-recommends "$@" >>"$PEERS/apt.log" 2>&1; }
}

with_cargo() { # PROGRAM CRATE VERSION [FLAG...]
    program=$1 crate=$2 version=$3
    shift 3
    [ -x "$PEERS/bin/$program" ] && return
    note "building $crate $version"
    CARGO_TARGET_DIR="$PEERS/target" cargo install --locked --root "$PEERS" --version "$version" "$@" "$crate" \
        >"$PEERS/$program.log" 2>&1 || missing="$missing $program"
}

# Built from a module of our own, which needs no list of the versions that there are.
with_go() { # PROGRAM MODULE VERSION PACKAGE
    [ -x "$PEERS/bin/$1" ] && return
    command -v go >/dev/null 2>&1 || return 1
    note "building $2 $3"
    rm -rf "$PEERS/go" && mkdir -p "$PEERS/go" && (
        cd "$PEERS/go" && go mod init peer && go mod edit -require "$2@$3" && go mod download "$2@$3" &&
            printf 'package peer\nimport _ "%s"\n' "$4" >peer.go && go build -mod=mod -o "$PEERS/bin/$1" "$4"
    ) >"$PEERS/$1.log" 2>&1
}

with_go restic github.com/restic/restic v0.19.1 github.com/restic/restic/cmd/restic || { debian restic || missing="$missing restic"; }
with_go kopia github.com/kopia/kopia v0.22.3 github.com/kopia/kopia || missing="$missing kopia"
command -v borg >/dev/null 2>&1 || debian borgbackup || missing="$missing borg"
command -v rsync >/dev/null 2>&1 || debian rsync || missing="$missing rsync"
# bupstash links against libsodium. Its releases and rustic's are pinned, so that a table names what it compared.
[ -x "$PEERS/bin/bupstash" ] || debian pkg-config libsodium-dev
with_cargo bupstash bupstash 0.12.0
with_cargo rustic rustic-rs 0.11.4 --no-default-features --features mimalloc
rm -rf "$PEERS/target" "$PEERS/go"

[ -z "$missing" ] || note "could not be installed, and is left out:$missing (logs in $PEERS)"
