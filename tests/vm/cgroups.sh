# SPDX-License-Identifier: Apache-2.0
#
# The three ways in which a machine may have its cgroups, set up as systemd does it. To be
# sourced by the init of the test machine. Version 2 is set up first: on 5.10 what a pod's cgroup
# leaves in the memory controller of version 1 keeps it there for good.

# Before 5.11 a hierarchy of version 1 outlives its mount, and keeps its controllers, while pages
# are charged to a cgroup that was removed. The third column counts those too.
only_roots() {
  for _ in $(seq 100); do
    echo 3 >/proc/sys/vm/drop_caches
    awk '$2 != 0 && $3 > 1 { left = 1 } END { exit left }' /proc/cgroups && return
    sleep 0.1
  done
}

no_cgroups() {
  local mounted
  only_roots
  while mounted=$(awk '$2 ~ "^/sys/fs/cgroup" { print $2 }' /proc/mounts | sort -r) &&
    [ -n "$mounted" ]; do
    for each in $mounted; do
      umount "$each" || return 1
    done
  done
}

v1_hierarchies() {
  local mounted=
  mount -t tmpfs cgroup /sys/fs/cgroup
  for controller in memory cpu pids; do
    mkdir -p "/sys/fs/cgroup/$controller"
    # From 6.11 on Debian's kernels have no memory controller of version 1 any more.
    if mount -t cgroup -o "$controller" cgroup "/sys/fs/cgroup/$controller" 2>/dev/null; then
      mounted=yes
    else
      rmdir "/sys/fs/cgroup/$controller"
    fi
  done
  [ -n "$mounted" ]
}

v1_cgroups() {
  no_cgroups && v1_hierarchies
}

hybrid_cgroups() {
  [ ! -d /sys/fs/cgroup/unified ] || return 0
  no_cgroups && v1_hierarchies &&
    mkdir -p /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
}

v2_cgroups() {
  no_cgroups && mount -t cgroup2 cgroup2 /sys/fs/cgroup
}
