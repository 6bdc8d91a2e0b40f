// The C library: the system calls that the devices are made of. Every wrapper either succeeds or
// throws a SystemError, except the calls of the data path, which return what the kernel returned.

import { ERRNO_NAMES } from "./errno.ts";

// Sizes that are size_t in C are passed as u32: no transfer here reaches 4 GiB, and a bigint or a
// 64-bit number for each call costs more than the call's own overhead.
const symbols = {
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
  // char *strerror(int errnum)
  strerror: { parameters: ["i32"], result: "pointer" },
  // int open(const char *path, int flags, mode_t mode)
  open: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // ssize_t read(int fd, void *buf, size_t count)
  read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // ssize_t write(int fd, const void *buf, size_t count)
  write: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // off_t lseek(int fd, off_t offset, int whence)
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  // ssize_t pread(int fd, void *buf, size_t count, off_t offset)
  pread: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  // ssize_t pwrite(int fd, const void *buf, size_t count, off_t offset)
  pwrite: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
  // int ioctl(int fd, unsigned long request, void *argument)
  ioctl: { parameters: ["i32", "usize", "buffer"], result: "i32" },
  // int dup(int fd)
  dup: { parameters: ["i32"], result: "i32" },
  // int fcntl(int fd, int op, int argument)
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
  mmap: { parameters: ["pointer", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int munmap(void *address, size_t length)
  munmap: { parameters: ["pointer", "usize"], result: "i32" },
  // int poll(struct pollfd *fds, nfds_t nfds, int timeout)
  poll: { parameters: ["buffer", "u32", "i32"], result: "i32" },
  // int epoll_create1(int flags)
  epoll_create1: { parameters: ["i32"], result: "i32" },
  // int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  // int epoll_wait(int epfd, struct epoll_event *events, int maxevents, int timeout)
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  // int eventfd(unsigned int initval, int flags)
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  // int timerfd_create(int clockid, int flags)
  timerfd_create: { parameters: ["i32", "i32"], result: "i32" },
  // int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
  timerfd_settime: { parameters: ["i32", "i32", "buffer", "pointer"], result: "i32" },
  // int mount(const char *source, const char *target, const char *type, unsigned long flags,
  //           const void *data)
  mount: { parameters: ["buffer", "buffer", "buffer", "usize", "buffer"], result: "i32" },
  // int umount2(const char *target, int flags)
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  // int execv(const char *path, char *const argv[])
  execv: { parameters: ["buffer", "buffer"], result: "i32" },
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // ssize_t sendto(int fd, const void *buf, size_t len, int flags, const struct sockaddr *to,
  //                socklen_t tolen)
  sendto: { parameters: ["i32", "buffer", "u32", "i32", "buffer", "u32"], result: "i32" },
  // int shutdown(int socket, int how)
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  // void *dlsym(void *handle, const char *symbol)
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
  // pid_t getpgid(pid_t pid), which may be any number that a kernel has sent
  getpgid: { parameters: ["u32"], result: "i32" },
  // pid_t getpgrp(void)
  getpgrp: { parameters: [], result: "i32" },
  // pid_t tcgetpgrp(int fd)
  tcgetpgrp: { parameters: ["i32"], result: "i32" },
} as const;

const libc = Deno.dlopen("libc.so.6", symbols).symbols;

/** `errno` values that the code names; `errnoName` knows all of them. */
export const EPERM = 1;
export const ENOENT = 2;
export const EINTR = 4;
export const EIO = 5;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ENOSPC = 28;
export const EPIPE = 32;
export const ENOSYS = 38;
export const EIDRM = 43;
export const EPROTO = 71;
export const EOPNOTSUPP = 95;
export const ENOTCONN = 107;

/** Flags of open(2), the numbers that x86-64 and arm64 share (asm-generic/fcntl.h). */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_EXCL = 0o200;
export const O_ACCMODE = 3;
export const O_CREAT = 0o100;
export const O_TRUNC = 0o1000;
export const O_NONBLOCK = 0o4000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;

/** Events of poll(2) and epoll(7). */
export const POLLIN = 0x001;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLRDNORM = 0x040;
export const POLLWRNORM = 0x100;

/** Flags of mount(2) and umount2(2). */
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MS_BIND = 4096;
export const MS_REC = 16384;
export const MNT_DETACH = 2;

/** A failed system call: errno's name, the call, and what the call was for. */
export class SystemError extends Error {
  override name = "SystemError";

  /**
   * @param errno the value of `errno`
   * @param call the name of the system call
   * @param what the object it was made on or the purpose it was made for
   */
  constructor(readonly errno: number, readonly call: string, readonly what: string) {
    super(`${what}: ${call}: ${errnoName(errno)} (${errnoText(errno)})`);
  }

  /** `errno`'s name, e.g. "ENOENT". */
  get code(): string {
    return errnoName(this.errno);
  }
}

/** The name of an `errno` value, e.g. "ENOENT"; "E<number>" for one that Linux does not name. */
export function errnoName(errno: number): string {
  return ERRNO_NAMES[errno] ?? `E${errno}`;
}

/** The C library's text for an `errno` value, e.g. "No such file or directory". */
export function errnoText(errno: number): string {
  return Deno.UnsafePointerView.getCString(libc.strerror(errno)!);
}

let errnoView: Deno.UnsafePointerView | undefined;

/** `errno` as the calling thread's last failed call left it. */
export function lastErrno(): number {
  // The location is a thread's own, and so is this module: each Worker loads it anew.
  errnoView ??= new Deno.UnsafePointerView(libc.__errno_location()!);
  return errnoView.getInt32();
}

const encoder = new TextEncoder();

/** A string as C has it: UTF-8 bytes and a NUL. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}

function check(result: number, call: string, what: string): number {
  if (result < 0) throw new SystemError(lastErrno(), call, what);
  return result;
}

/** open(2) with O_CLOEXEC added; `mode` is used when O_CREAT makes the file. */
export function open(path: string, flags: number, mode = 0o666): number {
  return check(libc.open(cString(path), flags | O_CLOEXEC, mode), "open", path);
}

/** close(2). A failure other than EBADF is not an error here: the descriptor is gone either way. */
export function close(fd: number): void {
  if (libc.close(fd) < 0 && lastErrno() === EBADF) {
    throw new SystemError(EBADF, "close", `fd ${fd}`);
  }
}

/** read(2) as it is: the number of bytes, or -1 with `lastErrno()`. For the data path. */
export function read(fd: number, buffer: Uint8Array<ArrayBuffer>, length: number): number {
  return libc.read(fd, buffer, length);
}

/** write(2) as it is: the number of bytes, or -1 with `lastErrno()`. For the data path. */
export function write(fd: number, buffer: Uint8Array<ArrayBuffer>, length: number): number {
  return libc.write(fd, buffer, length);
}

/** Whether an open file has offsets, as lseek(2) tells: a pipe, a socket and a terminal have none. */
export function isSeekable(fd: number): boolean {
  const SEEK_CUR = 1;
  return libc.lseek(fd, 0n, SEEK_CUR) >= 0n;
}

/** pread(2) as it is: the number of bytes, or -1 with `lastErrno()`. For the data path. */
export function pread(
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  length: number,
  offset: number,
): number {
  return libc.pread(fd, buffer, length, BigInt(offset));
}

/** pwrite(2) as it is: the number of bytes, or -1 with `lastErrno()`. For the data path. */
export function pwrite(
  fd: number,
  buffer: Uint8Array<ArrayBuffer>,
  length: number,
  offset: number,
): number {
  return libc.pwrite(fd, buffer, length, BigInt(offset));
}

/** ioctl(2) as it is, with a pointer to `argument`: the result, or -1 with `lastErrno()`. */
export function ioctl(fd: number, request: number, argument: Uint8Array<ArrayBuffer>): number {
  return libc.ioctl(fd, BigInt(request), argument);
}

/** dup(2): another descriptor of the same open file, which programs that are started inherit. */
export function dup(fd: number): number {
  return check(libc.dup(fd), "dup", `fd ${fd}`);
}

/** fcntl(2) F_SETFD: whether programs that are started inherit a descriptor. */
export function setInherited(fd: number, inherited: boolean): void {
  const F_SETFD = 2, FD_CLOEXEC = 1;
  check(libc.fcntl(fd, F_SETFD, inherited ? 0 : FD_CLOEXEC), "fcntl", `fd ${fd}`);
}

/** fcntl(2) F_SETFL: sets O_NONBLOCK of an open file, or takes it away. */
export function setNonBlocking(fd: number, nonBlocking: boolean): void {
  const F_GETFL = 3, F_SETFL = 4;
  const flags = check(libc.fcntl(fd, F_GETFL, 0), "fcntl", `fd ${fd}`);
  const wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  check(libc.fcntl(fd, F_SETFL, wanted), "fcntl", `fd ${fd}`);
}

/** Memory that is a file's. Nothing may touch `bytes` after `unmap`. */
export interface SharedMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly address: Deno.PointerObject;
}

/** mmap(2) of a file's first bytes, shared: to look at, and to change if `writable`. */
export function map(fd: number, length: number, writable: boolean): SharedMemory {
  const PROT_READ = 1, PROT_WRITE = 2, MAP_SHARED = 1;
  const protection = PROT_READ | (writable ? PROT_WRITE : 0);
  const address = libc.mmap(null, BigInt(length), protection, MAP_SHARED, fd, 0n);
  if (!address || Deno.UnsafePointer.value(address) === 0xffff_ffff_ffff_ffffn) {
    throw new SystemError(lastErrno(), "mmap", `fd ${fd}`);
  }
  const buffer = Deno.UnsafePointerView.getArrayBuffer(address, length);
  return { bytes: new Uint8Array(buffer), address };
}

/** munmap(2). */
export function unmap({ address, bytes }: SharedMemory): void {
  check(libc.munmap(address, BigInt(bytes.length)), "munmap", "memory");
}

/** poll(2) of one descriptor: the returned events, 0 when `timeoutMs` has passed (-1: never). */
export function poll(fd: number, events: number, timeoutMs: number): number {
  const pollfd = new Uint8Array(8);
  const view = new DataView(pollfd.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, events, true);
  if (libc.poll(pollfd, 1, timeoutMs) < 0 && lastErrno() !== EINTR) {
    throw new SystemError(lastErrno(), "poll", `fd ${fd}`);
  }
  return view.getInt16(6, true);
}

/** The bytes of one `struct pollfd`: i32 fd, i16 events, i16 revents. */
export const POLLFD_SIZE = 8;

/** poll(2) of the first `count` of an array of `struct pollfd`, which says what has come. */
export function pollAll(fds: Uint8Array<ArrayBuffer>, count: number, timeoutMs: number): void {
  if (libc.poll(fds, count, timeoutMs) < 0 && lastErrno() !== EINTR) {
    throw new SystemError(lastErrno(), "poll", `${count} descriptors`);
  }
}

/** The bytes of one `struct epoll_event`: u32 events, u64 data; packed on x86-64 alone. */
export const EPOLL_EVENT_SIZE = Deno.build.arch === "x86_64" ? 12 : 16;
const EPOLL_DATA_OFFSET = EPOLL_EVENT_SIZE - 8;

/** epoll_create1(2). */
export function epollCreate(): number {
  const EPOLL_CLOEXEC = O_CLOEXEC;
  return check(libc.epoll_create1(EPOLL_CLOEXEC), "epoll_create1", "event loop");
}

/** epoll_ctl(2) EPOLL_CTL_ADD, level-triggered; the event's data will be `fd`. */
export function epollAdd(epoll: number, fd: number, events: number): void {
  const EPOLL_CTL_ADD = 1;
  const event = new Uint8Array(EPOLL_EVENT_SIZE);
  const view = new DataView(event.buffer);
  view.setUint32(0, events, true);
  view.setUint32(EPOLL_DATA_OFFSET, fd, true);
  check(libc.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event), "epoll_ctl", `add fd ${fd}`);
}

/** epoll_ctl(2) EPOLL_CTL_DEL. */
export function epollRemove(epoll: number, fd: number): void {
  const EPOLL_CTL_DEL = 2;
  const unused = new Uint8Array(EPOLL_EVENT_SIZE);
  check(libc.epoll_ctl(epoll, EPOLL_CTL_DEL, fd, unused), "epoll_ctl", `remove fd ${fd}`);
}

/** epoll_wait(2) without an end: the number of events in `events`, 0 after EINTR. */
export function epollWait(
  epoll: number,
  events: Uint8Array<ArrayBuffer>,
  capacity: number,
): number {
  const count = libc.epoll_wait(epoll, events, capacity, -1);
  if (count < 0 && lastErrno() !== EINTR) throw new SystemError(lastErrno(), "epoll_wait", "loop");
  return count < 0 ? 0 : count;
}

/** The descriptor that event number `index` in an `epollWait` buffer is about. */
export function epollFd(events: DataView, index: number): number {
  return events.getUint32(index * EPOLL_EVENT_SIZE + EPOLL_DATA_OFFSET, true);
}

/** eventfd(2), non-blocking, at 0. */
export function eventFd(): number {
  return check(libc.eventfd(0, O_NONBLOCK | O_CLOEXEC), "eventfd", "wake-up");
}

/** timerfd_create(2) on CLOCK_MONOTONIC, non-blocking, disarmed. */
export function timerFd(): number {
  const CLOCK_MONOTONIC = 1;
  return check(
    libc.timerfd_create(CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC),
    "timerfd_create",
    "timer",
  );
}

const timerSpec = new Uint8Array(32); // struct itimerspec: interval, then value, as s and ns
const timerView = new DataView(timerSpec.buffer);

/** Arms a `timerFd` to expire once after `delayMs` (fractions count); 0 or less: at once. */
export function timerSet(fd: number, delayMs: number): void {
  const ns = Math.max(1, Math.round(delayMs * 1e6)); // zero would disarm it
  const seconds = Math.floor(ns / 1e9);
  timerView.setUint32(16, seconds, true);
  timerView.setUint32(24, ns - seconds * 1e9, true);
  check(libc.timerfd_settime(fd, 0, timerSpec, null), "timerfd_settime", "timer");
}

/** mount(2). An empty `data` is passed as an empty string. */
export function mount(
  source: string,
  target: string,
  type: string,
  flags: number,
  data = "",
): void {
  check(
    libc.mount(cString(source), cString(target), cString(type), BigInt(flags), cString(data)),
    "mount",
    target,
  );
}

/** umount2(2). */
export function umount(target: string, flags: number): void {
  check(libc.umount2(cString(target), flags), "umount2", target);
}

/** execv(3): on success this process is another program; `argv[0]` is its own name. */
export function exec(path: string, argv: string[]): never {
  const strings = argv.map(cString);
  const pointers = new BigUint64Array(argv.length + 1);
  strings.forEach((bytes, i) =>
    pointers[i] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))
  );
  libc.execv(cString(path), new Uint8Array(pointers.buffer));
  throw new SystemError(lastErrno(), "execv", path);
}

/**
 * Sends one datagram to a UNIX socket.
 *
 * @param path a path, or a name in the abstract namespace written with a leading "@"
 */
export function sendDatagram(path: string, text: string): void {
  const AF_UNIX = 1, SOCK_DGRAM = 2;
  const name = encoder.encode(path);
  const address = new Uint8Array(2 + name.length + 1); // struct sockaddr_un
  address[0] = AF_UNIX;
  address.set(name, 2);
  let length = address.length;
  if (path.startsWith("@")) {
    address[2] = 0;
    length -= 1;
  }
  const bytes = encoder.encode(text);
  const fd = check(libc.socket(AF_UNIX, SOCK_DGRAM | O_CLOEXEC, 0), "socket", path);
  try {
    check(libc.sendto(fd, bytes, bytes.length, 0, address, length), "sendto", path);
  } finally {
    close(fd);
  }
}

/** shutdown(2), both ways: whoever waits at either end of a socket does so no longer. */
export function shutdown(fd: number): void {
  const SHUT_RDWR = 2;
  libc.shutdown(fd, SHUT_RDWR); // a failure means that there is nothing to shut down
}

// Names that C code may point to: they stay where they are.
const programNames = new Map<string, Uint8Array<ArrayBuffer>>();

/** Sets what libraries take for this program's name, in the whole process. */
export function setProgramName(name: string): void {
  const location = libc.dlsym(null, cString("__progname")); // char *__progname
  if (!location) return;
  const bytes = programNames.get(name) ?? cString(name);
  programNames.set(name, bytes);
  const pointer = new BigUint64Array(Deno.UnsafePointerView.getArrayBuffer(location, 8));
  pointer[0] = Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

/** Whether this process's group is the one that the terminal on descriptor `fd` sends signals to. */
export function isTerminalForeground(fd: number): boolean {
  return libc.tcgetpgrp(fd) === libc.getpgrp();
}

/** The process group of a process, or of a thread's; -1 when it is gone. */
export function getpgid(pid: number): number {
  return libc.getpgid(pid);
}
