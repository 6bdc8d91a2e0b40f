# Process 1 of the user-mode kernel that uml.ts boots: makes the guest fit to live in, runs the job,
# says on the kernel's console how it ended and powers off.
#
# The guest's root is the host's root; over it are mounted only the kernel's own file systems and
# those that must hold sockets or shared memory, which hostfs cannot. Perl, because it is on every
# Debian (perl-base) and can do all this by system calls: in a user-mode kernel starting a process
# takes 30 ms, and kmod and iproute2 may not be there at all.

use strict;
use warnings;

# Terminal 1 is the kernel's console, standard error of the host's process; terminal 0, its standard
# output, is for the job alone.
use constant { CONSOLE => "/dev/console", JOB_TERMINAL => "/dev/tty0" };

# Numbers of x86-64 Linux: asm/unistd_64.h, linux/reboot.h, asm-generic/ioctls.h, linux/sockios.h,
# linux/if.h.
use constant {
  SYS_MOUNT => 165,
  SYS_UMOUNT2 => 166,
  SYS_SYNC => 162,
  SYS_REBOOT => 169,
  SYS_INIT_MODULE => 175,
  LINUX_REBOOT_MAGIC1 => 0xfee1dead,
  LINUX_REBOOT_MAGIC2 => 672274793,
  LINUX_REBOOT_CMD_POWER_OFF => 0x4321fedc,
  TCSBRK => 0x5409,
  SIOCSIFFLAGS => 0x8914,
  IFF_UP_LOOPBACK_RUNNING => 0x1 | 0x8 | 0x40,
  AF_INET => 2,
  SOCK_DGRAM => 2,
};

my %job;

# Says how far the boot is; uml.ts knows the line by the job's token. Returns when it is out.
sub report {
  my ($text) = @_;
  open(my $console, ">", CONSOLE) or return;
  syswrite($console, "uml $job{token}[0] $text\n");
  ioctl($console, TCSBRK, 1);
}

sub power_off {
  syscall(SYS_SYNC);
  syscall(SYS_REBOOT, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF, 0);
}

sub give_up {
  my ($why) = @_;
  report("failed $why");
  power_off();
}

sub mount_at {
  my ($target, $type, $options) = @_;
  $options //= "";
  syscall(SYS_MOUNT, $type, $target, $type, 0, $options) == 0
    or give_up("$type does not mount on $target: $!");
}

sub make_folders {
  my ($path) = @_;
  my $folder = "";
  for my $name (grep { $_ ne "" } split(m{/}, $path)) {
    $folder .= "/$name";
    mkdir($folder);
  }
}

sub read_whole {
  my (@open) = @_;
  open(my $file, $open[0], @open[1 .. $#open]) or give_up("$open[-1]: $!");
  binmode($file);
  local $/;
  return <$file>;
}

sub load_module {
  my ($name, $release) = @_;
  my ($path) = map { glob("$_/$release/kernel/fs/fuse/$name.ko*") }
    ("/usr/lib/uml/modules", "/lib/modules");
  return give_up("there is no module $name for kernel $release") unless defined $path;
  my %unpack = (xz => "xz", zst => "zstd", gz => "gzip");
  my ($suffix) = $path =~ /\.ko\.(\w+)$/;
  my $image = defined $suffix
    ? read_whole("-|", $unpack{$suffix}, "-dc", $path)
    : read_whole("<", $path);
  my $parameters = "";
  syscall(SYS_INIT_MODULE, $image, length($image), $parameters) == 0
    or give_up("$path does not load: $!");
}

umask(022);
$ENV{PATH} = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
delete @ENV{"mem", "uml_dir"};

mount_at("/proc", "proc");
mount_at("/run", "tmpfs", "mode=755");

# The launcher's private memory file system, which the guest's own /dev hides, holds the job:
# key=value, each ended by a NUL.
mkdir("/run/job");
mount_at("/run/job", "hostfs", "/dev/shm");
for my $entry (split(/\0/, read_whole("<", "/run/job/job"))) {
  my ($key, $value) = split(/=/, $entry, 2);
  push(@{ $job{$key} }, $value);
}
my $job_folder = "/run/job";
syscall(SYS_UMOUNT2, $job_folder, 0);
rmdir($job_folder);

mount_at("/sys", "sysfs");
mount_at("/dev", "devtmpfs") unless read_whole("<", "/proc/mounts") =~ m{ /dev };
mkdir("/dev/pts");
mount_at("/dev/pts", "devpts", "mode=620,ptmxmode=666");
mkdir("/dev/shm");
mount_at("/dev/shm", "tmpfs", "mode=1777");
mount_at("/tmp", "tmpfs", "mode=1777");
symlink("/proc/self/fd", "/dev/fd");
symlink("/proc/self/fd/$_->[0]", "/dev/$_->[1]") for ([0, "stdin"], [1, "stdout"], [2, "stderr"]);

# Host folders that these mounts hide come back at their own places.
for my $folder (grep { m{^/(tmp|run)/} } @{ $job{folder} }) {
  make_folders($folder);
  mount_at($folder, "hostfs", $folder);
}

chomp(my $release = read_whole("<", "/proc/sys/kernel/osrelease"));
load_module("fuse", $release) unless read_whole("<", "/proc/filesystems") =~ /\bfuse$/m;
load_module("cuse", $release) unless -c "/dev/cuse";
-c "/dev/cuse" or give_up("the kernel made no /dev/cuse");
mount_at("/sys/fs/fuse/connections", "fusectl");

my $request = pack("a16 s x22", "lo", IFF_UP_LOOPBACK_RUNNING);
my $socket;
(socket($socket, AF_INET, SOCK_DGRAM, 0) && ioctl($socket, SIOCSIFFLAGS, $request))
  or give_up("the network interface lo does not come up: $!");

for my $variable (@{ $job{env} }) {
  my ($name, $value) = split(/=/, $variable, 2);
  $ENV{$name} = $value;
}
make_folders($_) for @ENV{"HOME", "XDG_RUNTIME_DIR"};
chmod(0700, $ENV{XDG_RUNTIME_DIR});
chdir($job{directory}[0]) or give_up("$job{directory}[0]: $!");
open(STDIN, "<", "/dev/null");
open(STDOUT, ">", JOB_TERMINAL);
open(STDERR, ">&", \*STDOUT);

report("ready");
my $child = fork() // give_up("fork: $!");
exec("sh", "-c", $job{script}[0]) if $child == 0;
# Orphans come to process 1 to be waited for.
1 while (wait() != $child);
my $status = $? & 127 ? 128 + ($? & 127) : $? >> 8;
ioctl(STDOUT, TCSBRK, 1);
report("status $status");
power_off();
