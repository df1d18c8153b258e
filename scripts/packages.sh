# Sourced by the other scripts: lists and installs the required Debian packages.

BUILD_PACKAGES="g++ cmake ninja-build pkg-config
  libsqlitecpp-dev libsqlite3-dev libcpp-httplib-dev nlohmann-json3-dev libspdlog-dev doctest-dev
  libcli11-dev libtomlplusplus-dev libsystemd-dev libssl-dev libabsl-dev libgoogle-perftools-dev
  librapidcheck-dev tzdata curl openssl"
CHECK_PACKAGES="clang-14"  # for scripts/check beside them

# install_packages NAME... : installs what is missing; needs root or sudo only then.
install_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' ||
      missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
      echo "These Debian packages are missing, and there is no sudo to install them:" >&2
      echo "  ${missing[*]}" >&2
      return 77
    fi
    as_root=(sudo)
  fi
  echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${as_root[@]}" apt-get update &&
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
      apt-get install -y --no-install-recommends "${missing[@]}"; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "The packages could not be installed; the whole story is in $log" >&2
    return 1
  fi
  rm -f "$log"
}
