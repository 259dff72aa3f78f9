#!/bin/busybox sh
# SPDX-License-Identifier: Apache-2.0
#
# Process 1 of the test machine. Runs each row of /rows and writes all that comes to the
# second serial line, framed by lines that begin with "@vm ". The console is the kernel's.
export PATH=/usr/sbin:/usr/bin HOME=/root LANG=C
/bin/busybox mkdir /usr/lib/busybox
/bin/busybox --install -s /usr/lib/busybox
PATH=$PATH:/usr/lib/busybox

mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tracefs trace /sys/kernel/tracing
ip link set lo up

report=/dev/$(sed -n 's/.*masflow.report=\([^ ]*\).*/\1/p' /proc/cmdline)
stty -F "$report" raw -echo 2>/dev/null
exec >"$report" 2>&1 </dev/null

say() { echo "@vm $*"; }

say "kernel $(uname -r)"
for module in /modules/*.ko; do
  [ ! -e "$module" ] || insmod "$module" || say "no module $module"
done

# name|forced mechanisms|seconds|command
while IFS='|' read -r name forced seconds command; do
  say "begin $name"
  MASFLOW_TEST_SLOWNESS=100 MASFLOW_TEST_FORCE=$forced timeout -s KILL "$seconds" sh -c "$command"
  say "end $name $?"
done </rows
say "done"
sync
poweroff -f
