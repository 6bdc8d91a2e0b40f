# Process 1 of the kernel that qemu.ts boots, run twice by a busybox: first in the initial memory
# file system, where it mounts the host's root, then on that root, where it makes the guest fit to
# live in, runs the job, says on the kernel's console how it ended and powers off.
#
# /job holds what qemu.ts made: `token`, `modules` (the first that are needed, in order), `shares`
# (lines of: mount tag, ro or rw, path), `kernel` (the folder of all its modules) and `run`, a script.

busybox=/bin/busybox
export PATH=/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin

# qemu.ts knows the line by the job's token.
report() {
  echo "qemu $(cat "$job/token") $*" >/dev/console
}

give_up() {
  report "failed $*"
  $busybox poweroff -f
}

# The host's files do not change while a guest that cannot write to them lives; others may.
mount_share() {
  case $2 in ro) options=ro,cache=loose ;; rw) options=rw,cache=mmap ;; esac
  mkdir -p "$3" && mount -t 9p -o "trans=virtio,version=9p2000.L,msize=512000,$options" "$1" "$3" ||
    give_up "9p does not mount on $3"
}

mount_at() {
  mkdir -p "$1" && mount -t "$2" -o "${3:-rw}" "$2" "$1" || give_up "$2 does not mount on $1"
}

if [ "$1" != switched ]; then
  job=/job
  mount_at /proc proc
  mount_at /sys sysfs
  mount_at /dev devtmpfs
  for module in $(cat $job/modules); do
    insmod "/modules/$module.ko" || give_up "the module $module does not load"
  done
  mount_share root ro /root
  mount_at /root/run tmpfs mode=755
  cp -r /job /bin/busybox /init /root/run/ || give_up "the job does not copy"
  for place in proc sys dev; do mount -o move /$place /root/$place; done
  exec switch_root /root /run/busybox sh /run/init switched
fi

busybox=/run/qemu/busybox
mkdir -m 700 /run/qemu
mv /run/job /run/busybox /run/init /run/qemu/
job=/run/qemu/job
mkdir -p /dev/pts /dev/shm
mount_at /dev/pts devpts mode=620,ptmxmode=666
mount_at /dev/shm tmpfs mode=1777
mount_at /tmp tmpfs mode=1777
mount_at /sys/fs/fuse/connections fusectl
ln -s /proc/self/fd /dev/fd
ln -s /proc/self/fd/0 /dev/stdin
ln -s /proc/self/fd/1 /dev/stdout
ln -s /proc/self/fd/2 /dev/stderr
while read -r tag mode path; do
  [ "$tag" = root ] || mount_share "$tag" "$mode" "$path"
done <$job/shares

# The first card has /dev/dsp, the second /dev/dsp1 and, as its other end, /dev/adsp1.
kernel=$(cat $job/kernel)
for module in cuse "snd-dummy index=0 fake_buffer=0" "snd-aloop index=1" snd-pcm-oss snd-mixer-oss; do
  /sbin/modprobe -d "$kernel" $module || give_up "the module $module does not load"
done
for device in cuse fuse dsp dsp1 adsp1 mixer; do
  [ -c /dev/$device ] || give_up "the kernel made no /dev/$device"
done
$busybox ip link set lo up || give_up "the network interface lo does not come up"

# The job has a terminal of its own, so that nothing of the kernel's gets among its output.
stty -F /dev/hvc0 -echo -opost
report ready
setsid sh $job/run </dev/null >/dev/hvc0 2>&1 &
child=$!
wait $child
status=$?
report "status $status"
$busybox poweroff -f
