#!/bin/sh
# Installs Cairn on Debian, Ubuntu and their like: the binary, its configurations, units for systemd, and a user.
#
# From an archive of a release it takes the binary that lies beside it, from a checkout the one that was built there
# (`cargo xtask dist`, or `cargo build --release --package cairn`). Run again, it renews the binary and the units and
# changes nothing else.
set -eu
# Folders that others may enter, whatever the shell has: the servers do not run as root.
umask 022

usage() {
    cat <<'END'
Usage: install.sh [--start ROLE]... [--binary FILE] [--root DIR]
       install.sh --uninstall [--purge] [--root DIR]

  --start ROLE   start this now and at every boot: up (all in one process), tracker, storage, gateway or drive
  --binary FILE  install this program
  --root DIR     install into this folder instead of /, and start nothing
  --uninstall    stop everything, remove the program and its units; configurations and data stay
  --purge        with --uninstall: remove configurations, all stored files and the user as well
END
}

say() { printf '%s\n' "$*"; }
fail() {
    printf 'install.sh: %s\n' "$*" >&2
    exit 1
}

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=
binary=
roles=
uninstall=no
purge=no
while [ $# -gt 0 ]; do
    case "$1" in
        --start | --binary | --root)
            [ $# -ge 2 ] || fail "$1 needs a value"
            case "$1" in
                --start)
                    case "$2" in
                        up | tracker | storage | gateway | drive) roles="$roles $2" ;;
                        *) fail "no such role: $2" ;;
                    esac
                    ;;
                --binary) binary=$2 ;;
                --root) root=${2%/} ;;
            esac
            shift
            ;;
        --uninstall) uninstall=yes ;;
        --purge) purge=yes ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
    esac
    shift
done
[ "$purge" = no ] || [ "$uninstall" = yes ] || fail "--purge goes with --uninstall"

bin=$root/usr/local/bin
units=$root/etc/systemd/system
confs=$root/etc/cairn
data=$root/var/lib/cairn
users=$root/etc/sysusers.d

if [ -z "$root" ]; then
    [ "$(id -u)" = 0 ] || fail "run it as root"
    # shellcheck disable=SC2016 # dpkg's own name
    if [ "$(dpkg-query --show --showformat '${db:Status-Status}' cairn 2>/dev/null || true)" = installed ]; then
        fail "the package cairn is installed: use apt, or remove it first"
    fi
fi

# A machine that systemd runs, and not a folder or a container.
systemd_runs() { [ -z "$root" ] && [ -d /run/systemd/system ]; }

# In an archive folders lie beside this script, in a checkout one of them above.
from() {
    for folder in "$here" "$here/.."; do
        if [ -e "$folder/$1" ]; then
            say "$folder/$1"
            return
        fi
    done
    fail "no $1 beside this script"
}

# Puts a file in its place, and says so, unless just that is there.
put() { # MODE FROM TO
    if [ -f "$3" ] && cmp -s "$2" "$3"; then
        return
    fi
    # Beside, then over: a program that runs is not written to, and at no moment is a half file there.
    mkdir -p "$(dirname "$3")"
    install -m "$1" "$2" "$3.new"
    mv -f "$3.new" "$3"
    say "installed ${3#"$root"}"
    changed=yes
}

remove() {
    for file in "$@"; do
        if [ -e "$file" ] || [ -L "$file" ]; then
            rm -rf "$file"
            say "removed ${file#"$root"}"
        fi
    done
}

if [ "$uninstall" = yes ]; then
    if systemd_runs; then
        systemctl stop 'cairn-*.service' || true
        for unit in "$units"/cairn-*.service; do
            case "$unit" in
                *'*'* | *@.service) ;;
                *) systemctl disable --quiet "${unit##*/}" || true ;;
            esac
        done
    fi
    remove "$units"/cairn-*.service "$bin/cairn" "$users/cairn.conf"
    if systemd_runs; then
        systemctl daemon-reload
    fi
    if [ "$purge" = yes ]; then
        remove "$confs" "$data"
        if [ -z "$root" ] && getent passwd cairn >/dev/null; then
            userdel cairn
        fi
    else
        say "kept ${confs#"$root"} and ${data#"$root"}: --uninstall --purge removes them"
    fi
    exit 0
fi

if [ -z "$binary" ]; then
    target=${CARGO_TARGET_DIR:-$here/../target}
    for candidate in "$here/cairn" "$target/dist/cairn-release" "$target/release/cairn" "$target/quick/cairn"; do
        if [ -f "$candidate" ]; then
            binary=$candidate
            break
        fi
    done
fi
[ -n "$binary" ] || fail "no program to install: build it with 'cargo xtask dist', or name one with --binary"
"$binary" --version >/dev/null || fail "$binary does not run on this machine"
command -v systemd-sysusers >/dev/null || fail "no systemd-sysusers: this needs Debian 11, Ubuntu 20.04 or later"

from_units=$(from systemd)
from_confs=$(from conf)
changed=no
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
put 0755 "$binary" "$bin/cairn"
put 0644 "$from_units/cairn.sysusers" "$users/cairn.conf"
# Without a word when the user is there.
systemd-sysusers ${root:+"--root=$root"} cairn.conf
for unit in "$from_units"/*.service; do
    # The package has the program elsewhere.
    sed 's|=/usr/bin/cairn|=/usr/local/bin/cairn|' "$unit" >"$work/unit"
    put 0644 "$work/unit" "$units/${unit##*/}"
done
for conf in "$from_confs"/*.conf; do
    # What somebody has written stays.
    if [ ! -e "$confs/${conf##*/}" ]; then
        put 0644 "$conf" "$confs/${conf##*/}"
    fi
done
# Passwords go in here: whoever opens it first must not have to think of that.
for secrets in drive.env watch.env; do
    if [ ! -e "$confs/$secrets" ]; then
        (umask 077 && : >"$confs/$secrets")
    fi
done
mkdir -p "$data"

if systemd_runs; then
    if [ "$changed" = yes ]; then
        systemctl daemon-reload
        systemctl try-restart 'cairn-*.service'
    fi
    for role in $roles; do
        systemctl enable --now "cairn-$role.service"
    done
elif [ -n "$roles" ]; then
    say "no systemd runs here: nothing is started"
fi
if [ "$changed" = no ]; then
    say "everything is there already"
fi
