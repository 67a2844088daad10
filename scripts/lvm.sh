#!/usr/bin/env bash
# Runs the tests of snapshots on LVM in a virtual machine, for kernels without a device mapper, and because they make volume
# groups. Debian's kernel and programs are unpacked into a folder, not installed; with the tests they become the
# initial RAM disk, which is all that the machine has. The processor is emulated, so this takes some minutes.
#
# An argument is the name of a test, or the beginning of it. LVM_CHECK_SECONDS (default 1500) ends it.
set -euo pipefail
cd "$(dirname "$0")/.."
PATH=${HOME:+$HOME/.cargo/bin:}$PATH
. scripts/packages.sh
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$HOME/.cache/dedup/target}

folder=${DEDUP_LVM_GUEST:-$HOME/.cache/dedup/lvm}
only=${1:-source_snapshots::lvm::}
log=$folder/console.log
programs=(lvm2 thin-provisioning-tools e2fsprogs xfsprogs mount util-linux coreutils busybox-static udev kmod libstdc++6)
modules=(dm-mod dm-snapshot dm-thin-pool xfs loop)

if [ "$(uname -m)" != x86_64 ] || ! have apt-get; then
    say "This needs Debian or Ubuntu on x86_64."
    exit 1
fi
missing=()
have qemu-system-x86_64 || missing+=(qemu-system-x86)
have cpio || missing+=(cpio)
if [ "${#missing[@]}" -gt 0 ]; then
    install_packages "${missing[@]}"
fi

# What the machine consists of, with all that the programs depend on.
if [ ! -e "$folder/fetched" ]; then
    rm -rf "$folder"
    mkdir -p "$folder/packages" "$folder/kernel" "$folder/system"
    : >"$folder/nothing"
    apt=(apt-get -q -o "Dir::State::status=$folder/nothing" -o APT::Install-Recommends=0)
    mapfile -t names < <("${apt[@]}" -s install "${programs[@]}" | awk '$1 == "Inst" && $2 !~ /python/ {print $2}')
    kernel=$(apt-cache depends linux-image-cloud-amd64 | awk '$1 == "Depends:" {print $2; exit}')
    if [ "${#names[@]}" -eq 0 ] || [ -z "$kernel" ]; then
        say "apt-get does not know lvm2 or linux-image-cloud-amd64: run 'apt-get update'."
        exit 1
    fi
    (cd "$folder/packages" && apt-get -q download "${names[@]}" "$kernel")
    for package in "$folder"/packages/*.deb; do
        case $package in
            */linux-image-*) dpkg -x "$package" "$folder/kernel" ;;
            *) dpkg -x "$package" "$folder/system" ;;
        esac
    done
    rm -rf "$folder/packages" "$folder"/system/usr/share/{doc,man,locale,info}
    touch "$folder/fetched"
fi

# The tests, and the program at the place where they look for it.
built=$(cargo test --release --locked --package dedup-tests --test all --no-run --message-format=json |
    python3 -c '
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    if message.get("executable") and message["target"]["name"] in ("all", "dedup-under-test"):
        print(message["target"]["name"], message["executable"])')
tests=$(awk '$1 == "all" {print $2}' <<<"$built")
program=$(awk '$1 == "dedup-under-test" {print $2}' <<<"$built")

guest=$folder/guest
rm -rf "$guest"
cp -a "$folder/system" "$guest"
for path in "$tests" "$program"; do
    install -D "$path" "$guest$path"
    strip "$guest$path"
done
version=$(ls "$folder/kernel/lib/modules")
from=$folder/kernel/lib/modules/$version
mkdir -p "$guest/lib/modules/$version" "$guest"/{proc,sys,dev,run,tmp,root,etc}
cp "$from"/modules.* "$guest/lib/modules/$version/"
# With what they depend on.
for part in drivers/md drivers/block drivers/dax fs/xfs lib crypto; do
    [ ! -d "$from/kernel/$part" ] || (cd "$from" && find "kernel/$part" -name '*.ko' -exec cp --parents {} "$guest/lib/modules/$version/" \;)
done
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$guest/etc/passwd"
printf 'root:x:0:\n' >"$guest/etc/group"
cat >"$guest/init" <<END
#!/bin/busybox sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
busybox=/bin/busybox
\$busybox mount -t proc proc /proc
\$busybox mount -t sysfs sysfs /sys
\$busybox mount -t devtmpfs dev /dev
\$busybox mount -t tmpfs run /run
\$busybox mount -t tmpfs -o size=90% tmp /tmp
\$busybox mkdir -p /dev/shm
\$busybox mount -t tmpfs shm /dev/shm
\$busybox ln -sf /bin/busybox /bin/sh
depmod
for module in ${modules[*]}; do modprobe \$module; done
# It makes the names of volumes, as on any machine.
/lib/systemd/systemd-udevd --daemon
udevadm trigger
udevadm settle
$tests --test-threads=1 --nocapture '$only' </dev/null
echo "lvm-check ended with \$?"
\$busybox poweroff -f
END
chmod +x "$guest/init"
(cd "$guest" && find . | cpio -o -H newc --quiet) | gzip -1 >"$folder/guest.gz"

say "Starting the virtual machine; what it prints is in $log"
timeout "${LVM_CHECK_SECONDS:-1500}" qemu-system-x86_64 -accel tcg -cpu max,la57=off -m 3072 -smp 1 -nodefaults -no-reboot \
    -display none -serial stdio -kernel "$folder"/kernel/boot/vmlinuz-* -initrd "$folder/guest.gz" \
    -append 'console=ttyS0 loglevel=2 panic=-1' </dev/null >"$log" 2>&1 || true
tr -d '\r' <"$log" | grep -aE '^(test |running |failures:|---- )|nothing was tested|panicked|lvm-check ended' || true
if grep -aq 'nothing was tested' "$log" || ! grep -aq 'lvm-check ended with 0' "$log"; then
    say "FAILED: see $log"
    exit 1
fi
