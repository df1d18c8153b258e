#!/bin/sh
# Run by taskctl-jobs.service, the unit whose cgroup the jobs live in.
#
#   taskctl-jobs start   leaves a holder behind, and nothing else
#   taskctl-jobs stop    ends every job, for a shutdown or an administrator
set -eu

enter_cgroup() {
  own=$(sed -n 's/^0:://p' /proc/self/cgroup) # systemd may have put us somewhere below the unit's
  cd "/sys/fs/cgroup${own%%/taskctl-jobs.service*}/taskctl-jobs.service"
}

case "${1-}" in
  start)
    # systemd removes the cgroup of a unit without processes, so one must stay. It steps aside into
    # a cgroup of its own: one with processes in it could not hand controllers down to tasks/.
    # Without cgroup v2 it only keeps the unit alive.
    if enter_cgroup 2>/dev/null; then
      mkdir -p holder
      echo $$ >holder/cgroup.procs
      cd /
    fi
    sleep infinity &
    ;;
  stop)
    # First only the shims get a signal. If jobs and shims got it together, as from systemd, the
    # end of a job might look like its own failure. Each shim stops its tree with the grace
    # its task was submitted with and leaves a record; systemd's time-out bounds the wait.
    enter_cgroup 2>/dev/null && cd shims 2>/dev/null || exit 0
    while read -r pid; do
      kill -s TERM "$pid" 2>/dev/null || true # it may just have ended
    done <cgroup.procs
    while grep -qx 'populated 1' cgroup.events; do sleep 0.1; done
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 64
    ;;
esac
