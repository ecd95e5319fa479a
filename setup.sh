#!/bin/sh
# What the Makefile needs from the machine: Python with venv, Node, and for the tests PostGIS, a browser, fonts, GDAL.
#   ./setup.sh venv     a virtual environment in .venv
#   ./setup.sh node     the machine's Node, or else one from a wheel, inside .venv
#   ./setup.sh system   what the tests use and pip cannot bring
# Installs system packages with apt where it has the rights; otherwise says once what to run, and fails.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-python3}
node_major=20

say() { printf 'lianpian setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

# apt_rights PACKAGE...: sets as_root, or says what a person with the rights has to run, and fails.
apt_rights() {
    has apt-get || fail "missing: $*. These are Debian's names, and there is no apt-get here: install them in this system's way, then run make again."
    if [ "$(id -u)" = 0 ]; then as_root=
    elif has sudo && sudo -n true 2>/dev/null; then as_root="sudo -n"
    else fail "missing: $*. Run this, then make again:
    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    fi
}

apt_install() {
    say "installing $*"
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 ||
        fail "apt-get could not install: $*. Its message is above."
}

# Debian keeps the pip that venv needs in a package of its own.
venv_package() {
    has "$python" || fail "no '$python' found. Install Python 3.11 or newer, or name one: make PYTHON=/usr/bin/python3.12 …"
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "'$python' is $("$python" --version 2>&1); 3.11 or newer is needed. Name one: make PYTHON=python3.12 …"
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo "$(basename "$python")-venv"
}

# Installs the packages given, if any. The tests run a PostgreSQL cluster of their own; the "main" one that Debian
# sets up with a server is not wanted beside it, so a first installation goes without.
install_missing() {
    [ $# -gt 0 ] || return 0
    apt_rights "$@"
    # One unreachable third-party source fails an update that fetched all the others; the installation decides.
    $as_root apt-get update -qq || say "apt-get update had errors; going on with the lists at hand"
    clusters=/etc/postgresql-common/createcluster.conf
    case " $* " in
        *" postgresql-postgis "*)
            if [ ! -e $clusters ]; then
                apt_install postgresql-common
                $as_root sed -i 's/^#create_main_cluster = true/create_main_cluster = false/' $clusters
                apt_install "$@"
                $as_root sed -i 's/^create_main_cluster = false/#create_main_cluster = true/' $clusters
                return
            fi ;;
    esac
    apt_install "$@"
}

setup_venv() {
    if .venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
    package=$(venv_package)
    # shellcheck disable=SC2086  # one word or none
    install_missing $package
    "$python" -m venv --clear .venv
}

setup_node() {
    if has npm && has node && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $node_major ]; then return; fi
    say "no Node $node_major with npm on this machine: taking Node from a wheel, into .venv"
    .venv/bin/python -m pip install -q --require-hashes -r requirements-node.lock
}

postgis_there() {
    for initdb in /usr/lib/postgresql/*/bin/initdb; do
        version=${initdb%/bin/initdb}
        version=${version##*/}
        if [ -x "$initdb" ] && [ -e "/usr/share/postgresql/$version/extension/postgis.control" ]; then return 0; fi
    done
    return 1
}

setup_system() {
    missing=$(venv_package)
    has ogrinfo || missing="$missing gdal-bin"
    if ! has fc-list || [ -z "$(fc-list :lang=zh-cn family)" ]; then missing="$missing fontconfig fonts-noto-cjk"; fi
    # Playwright's driver is a Node that links to it.
    /sbin/ldconfig -p | grep -q 'libatomic\.so\.1' || missing="$missing libatomic1"
    postgis_there || missing="$missing postgresql-postgis"
    # QGIS belongs to the system's Python.
    /usr/bin/python3 -c 'import qgis.core' 2>/dev/null || missing="$missing python3-qgis"
    if ! has chromium && ! has chromium-browser && ! has google-chrome; then
        # Ubuntu's packages of that name are stubs that fetch a snap.
        if grep -qs '^ID=ubuntu' /etc/os-release; then no_browser=yes; else missing="$missing chromium"; fi
    fi
    # shellcheck disable=SC2086  # a list of words
    install_missing $missing
    [ -z "${no_browser-}" ] || fail "no browser found, and Ubuntu has Chromium only as a snap. Run this, or install Google Chrome, then make again:
    sudo snap install chromium"
}

case ${1-} in
    venv) setup_venv ;;
    node) setup_node ;;
    system) setup_system ;;
    *) fail "usage: ./setup.sh venv|node|system" ;;
esac
