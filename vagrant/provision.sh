#!/usr/bin/env bash
# Makes a fresh Debian 12 what a user's machine is before the first command of the README, and runs that command.
# Usage, as root: provision.sh REPOSITORY [xtask arguments; default: test]
set -euo pipefail

repository=${1:?usage: provision.sh REPOSITORY [xtask arguments]}
shift
if [ $# -eq 0 ]; then
    set -- test
fi

export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y install --no-install-recommends ca-certificates curl gcc libc6-dev

# The toolchain named in rust-toolchain.toml is fetched by rustup itself when cargo is first called.
if ! command -v cargo >/dev/null && [ ! -x "$HOME/.cargo/bin/cargo" ]; then
    curl --proto '=https' --tlsv1.2 -fsS https://sh.rustup.rs | sh -s -- -y --profile minimal --default-toolchain none
fi
export PATH="$HOME/.cargo/bin:$PATH"

cat >/usr/local/bin/interlock-dev <<EOF
#!/bin/sh
# Runs a command in the repository with the toolchain in PATH.
export PATH="$HOME/.cargo/bin:\$PATH"
cd "$repository" && exec "\$@"
EOF
chmod 755 /usr/local/bin/interlock-dev

cd "$repository"
exec cargo xtask "$@"
