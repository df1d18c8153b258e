# shellcheck shell=bash
# Sourced by check-systemd: a Debian 12 root folder of its own, booted with systemd as PID 1 in
# systemd-nspawn, on machines that themselves run systemd or do not. No network inside.
#
#   container_cannot_run              prints why containers cannot run here; false when they can
#   container_prepare CACHE PACKAGE…  a fresh root in $container_root, from a copy kept in CACHE
#   container_boot                    boots it, and waits until its systemd has finished
#   container_run COMMAND…            runs a command inside, as root
#   container_reboot                  an orderly reboot
#   container_crash                   kills all processes at once, and boots again
#   container_remove                  ends everything and removes all but the cached copy

container_dir=
container_root=
container_leader=
container_supervisor=
container_cgroups=()

# The mount points of the hierarchies that systemd uses: cgroup v2, and v1's own if present.
container_hierarchies() {
  findmnt -rn -t cgroup2 -o TARGET
  findmnt -rn -t cgroup -O name=systemd -o TARGET
}

container_cannot_run() {
  local tool hierarchy probe
  if [ "$(id -u)" != 0 ]; then
    echo "containers need root"
    return 0
  fi
  for tool in systemd-nspawn mmdebstrap nsenter findmnt; do
    if ! command -v "$tool" >/dev/null; then
      echo "there is no $tool"
      return 0
    fi
  done
  if ! mountpoint -q /; then
    echo "this is a chroot, where no other systemd boots"
    return 0
  fi
  hierarchy=$(findmnt -rn -t cgroup2 -o TARGET | head -n 1)
  probe=$hierarchy/taskd-check-probe
  if [ -z "$hierarchy" ] || ! { mkdir "$probe" && rmdir "$probe"; } 2>/dev/null; then
    echo "there is no cgroup v2 hierarchy that may be written to"
    return 0
  fi
  return 1
}

# container_sources : apt's own lists, so that mirrors and proxies set up for this machine are used.
container_sources() {
  local file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources \
    /etc/apt/sources.list.d/*.list; do
    if [ -s "$file" ] && grep -q bookworm "$file" && grep -q debian "$file"; then echo "$file"; fi
  done
}

# container_build ROOT PACKAGE… : takes half a minute and 170 MB; creates all of it or nothing.
container_build() {
  local root=$1 log packages sources
  shift
  packages=$(IFS=,; echo "$*")
  mapfile -t sources < <(container_sources)
  log=$(mktemp)
  rm -rf --one-file-system "${root%/*}"/root-* # of other packages, or half made
  if ! mmdebstrap --variant=minbase --include="$packages" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' \
    bookworm "$root.new" "${sources[@]}" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -rf --one-file-system "$root.new" "$log"
    return 1
  fi
  rm -f "$log"
  echo taskd-check >"$root.new/etc/hostname"
  # Without an id each boot would be a first boot, which presets all units.
  tr -d - </proc/sys/kernel/random/uuid >"$root.new/etc/machine-id"
  ln -sf /usr/lib/systemd/system/multi-user.target "$root.new/etc/systemd/system/default.target"
  local unit
  for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer \
    e2scrub_all.timer e2scrub_reap.service getty.target systemd-update-utmp.service \
    systemd-timesyncd.service systemd-networkd.service; do
    ln -sf /dev/null "$root.new/etc/systemd/system/$unit"
  done
  mv "$root.new" "$root"
}

container_prepare() {
  local cache=$1 kept
  shift
  container_dir=$cache/run
  container_root=$container_dir/root
  kept=$cache/root-$(printf '%s\n' "$@" | sort | sha256sum | cut -c 1-12)
  mkdir -p "$cache"
  # One run at a time per cache; first removes what a killed run left behind.
  exec {container_lock}>"$cache/lock"
  flock "$container_lock"
  local hierarchy
  while read -r hierarchy; do
    container_cgroups+=("$hierarchy/taskd-check")
  done < <(container_hierarchies)
  container_remove
  [ -d "$kept" ] || container_build "$kept" "$@" || return 1
  mkdir -p "$container_dir"
  cp -a --reflink=auto "$kept" "$container_root"
}

# Runs in the background: one systemd-nspawn after another, as long as the container reboots.
container_supervise() {
  local cgroup status
  for cgroup in "${container_cgroups[@]}"; do
    echo "$BASHPID" >"$cgroup/cgroup.procs"
  done
  while :; do
    status=0
    SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 setsid systemd-nspawn --quiet --boot --keep-unit \
      --register=no --console=pipe --private-network --machine=taskd-check \
      --directory="$container_root" </dev/null >>"$container_dir/console" 2>&1 &
    echo "$!" >"$container_dir/nspawn.pid"
    wait "$!" || status=$?
    [ "$status" = 133 ] || break # 133: it asked for a reboot
  done
}

container_boot() {
  mkdir -p "${container_cgroups[@]}"
  container_supervise {container_lock}>&- &
  container_supervisor=$!
  container_wait
}

container_wait() {
  local nspawn children child state _
  for _ in $(seq 600); do
    nspawn=$(cat "$container_dir/nspawn.pid" 2>/dev/null) || nspawn=0
    read -ra children <<<"$(cat "/proc/$nspawn/task/$nspawn/children" 2>/dev/null)"
    for child in "${children[@]}"; do
      # Before its own /run is mounted, the child is not yet the container.
      [ -S "/proc/$child/root/run/systemd/private" ] || continue
      container_leader=$child
      state=$(container_run systemctl is-system-running 2>/dev/null) || true
      case $state in running | degraded) return 0 ;; esac
    done
    kill -0 "$container_supervisor" 2>/dev/null || break
    sleep 0.1
  done
  echo "the container does not boot:" >&2
  tail -n 20 "$container_dir/console" >&2
  return 1
}

container_reboot() {
  local old=$container_leader
  container_run systemctl reboot || true # may be killed with the connection
  while [ -e "/proc/$old" ]; do sleep 0.1; done
  container_wait
}

container_crash() {
  container_stop
  container_boot
}

container_run() {
  nsenter -t "$container_leader" -a env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
    LC_ALL=C.UTF-8 "$@"
}

# container_stop : ends all of its processes at once, and removes its cgroups.
container_stop() {
  local cgroup folder _
  if [ -n "$container_supervisor" ]; then
    kill "$container_supervisor" 2>/dev/null || true
    wait "$container_supervisor" 2>/dev/null || true
    container_supervisor=
  fi
  for cgroup in "${container_cgroups[@]}"; do
    # v1 has no cgroup.kill, but all of its processes are in the v2 hierarchy, too.
    [ ! -e "$cgroup/cgroup.kill" ] || echo 1 >"$cgroup/cgroup.kill"
  done
  for cgroup in "${container_cgroups[@]}"; do
    for _ in $(seq 100); do
      [ -d "$cgroup" ] || break
      while read -r folder; do rmdir "$folder" 2>/dev/null || true; done \
        < <(find "$cgroup" -depth -type d 2>/dev/null)
      [ ! -d "$cgroup" ] || sleep 0.1
    done
    [ ! -d "$cgroup" ] || echo "left behind: $cgroup" >&2
  done
}

container_remove() {
  container_stop
  rm -rf --one-file-system "$container_dir"
}
