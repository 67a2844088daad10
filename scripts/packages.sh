# For the other scripts, which read it: installing what is missing.

say() { printf '%s\n' "$*" >&2; }
have() { command -v "$1" >/dev/null 2>&1; }

# Installs packages of Debian or Ubuntu, as root or by sudo; says which if neither can be had. There must be apt-get.
install_packages() {
    local sudo=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! have sudo; then
            say "As root, run: apt-get install $*"
            exit 1
        fi
        sudo=(sudo)
    fi
    say "Installing $* ..."
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}
