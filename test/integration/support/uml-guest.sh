#!/bin/sh
# The first process of the guest: prepares it, runs the script with node, and switches the guest off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
export TMPDIR=/run HOME=/run XTABLES_LOCKFILE=/run/xtables.lock
# The one folder of the host that may be written to.
mount -t hostfs none /mnt -o "$SHARED"
for module in $(cat /mnt/modules); do
  busybox insmod "$module" || echo "insmod $module failed"
done
ip link set lo up
# Whoever started this may have been killed.
(sleep "$LIMIT" && busybox poweroff -f) &
"$NODE" /mnt/script.mjs
busybox poweroff -f
