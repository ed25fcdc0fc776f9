# The Debian packages ioasim is built from, how to get them, and how to cache compilations.
# Sourced by the scripts here, with root set to the top of the repository.

# To build and run.
build_packages=(
  ccache cmake g++ lld ninja-build pkg-config python3
  libbenchmark-dev libboost-dev libcli11-dev libfmt-dev libgmock-dev libgtest-dev
  libsystemc-dev libyaml-cpp-dev nlohmann-json3-dev
)

# To check a change as well.
check_packages=(clang-format git valgrind)

# missing_packages PACKAGE...: prints those that are not installed. Where there is no dpkg, the
# configure step finds out what is missing.
missing_packages() {
  command -v dpkg-query >/dev/null || return 0
  local installed package
  installed=$(dpkg-query --show --showformat='${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
    sed -n 's/^installed //p' || true)
  for package in "$@"; do
    grep -qxF "$package" <<<"$installed" || echo "$package"
  done
}

# install_packages PACKAGE...: installs what is missing, as root or through sudo; exits with 2
# if that cannot be done.
install_packages() {
  local missing as_root=()
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0

  if ((EUID != 0)); then
    as_root=(sudo)
    [[ -t 0 && -t 2 ]] || as_root=(sudo -n)
  fi
  echo "ioasim: installing with apt-get: ${missing[*]}" >&2
  if { ((EUID == 0)) || command -v sudo >/dev/null; } &&
    "${as_root[@]}" apt-get -qq update >&2 &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
      --no-install-recommends -o DPkg::Lock::Timeout=300 "${missing[@]}" >&2; then
    return 0
  fi
  echo "ioasim: these packages are needed and could not be installed; as root, run:" >&2
  echo "  apt-get update && apt-get install --yes ${missing[*]}" >&2
  exit 2
}

# Compiler cache: generous in size, and usable where there is no home folder.
export CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G}
if [[ -z ${CCACHE_DIR:-} && ! -w ${HOME:-/nonexistent} ]]; then
  export CCACHE_DIR=$root/build/ccache
fi
