// The FUSE and CUSE protocol as linux/fuse.h has it: opcodes, flags and struct layouts.

import { struct } from "../struct.ts";

/** The protocol version spoken; the kernel and the server use the lower minor of the two. */
export const FUSE_KERNEL_VERSION = 7;
export const FUSE_KERNEL_MINOR_VERSION = 39;

/** The node id of a mount's root directory. */
export const FUSE_ROOT_ID = 1;

/** enum fuse_opcode, as far as a device file or its directory can receive it. */
export const Opcode = {
  LOOKUP: 1,
  FORGET: 2,
  GETATTR: 3,
  SETATTR: 4,
  OPEN: 14,
  READ: 15,
  WRITE: 16,
  STATFS: 17,
  RELEASE: 18,
  FSYNC: 20,
  FLUSH: 25,
  INIT: 26,
  OPENDIR: 27,
  READDIR: 28,
  RELEASEDIR: 29,
  ACCESS: 34,
  CREATE: 35,
  INTERRUPT: 36,
  DESTROY: 38,
  IOCTL: 39,
  POLL: 40,
  NOTIFY_REPLY: 41,
  BATCH_FORGET: 42,
  CUSE_INIT: 4096,
} as const;

/** enum fuse_notify_code. */
export const NOTIFY_POLL = 1;
export const NOTIFY_STORE = 4;
export const NOTIFY_RETRIEVE = 5;

/** INIT flags. */
export const FUSE_ATOMIC_O_TRUNC = 1 << 3;
export const FUSE_BIG_WRITES = 1 << 5;
export const FUSE_AUTO_INVAL_DATA = 1 << 12;
export const FUSE_INIT_EXT = 1 << 30;

/** INIT flags, second word: a direct-I/O file may be mapped shared (bit 36 of all; Linux 6.6). */
export const FLAGS2_DIRECT_IO_ALLOW_MMAP = 1 << 4;

/** Flags of an answered OPEN. */
export const FOPEN_DIRECT_IO = 1 << 0;
export const FOPEN_NONSEEKABLE = 1 << 2;
export const FOPEN_STREAM = 1 << 4;
export const FOPEN_PARALLEL_DIRECT_WRITES = 1 << 6;

/** GETATTR: the attributes of an open file, not of a name. */
export const FUSE_GETATTR_FH = 1 << 0;

/** SETATTR's `valid`: the request changes the size. */
export const FATTR_SIZE = 1 << 3;

/** WRITE: a dirty page of a mapping written back, not a write() call. */
export const FUSE_WRITE_CACHE = 1 << 0;

/** READ: made by a read() call, not to fill a page of a mapping. */
export const FUSE_READ_LOCKOWNER = 1 << 1;

/** POLL: the caller sleeps; send NOTIFY_POLL when an event comes. */
export const FUSE_POLL_SCHEDULE_NOTIFY = 1 << 0;

/** The header of every request. */
export const InHeader = struct("fuse_in_header", {
  len: "u32",
  opcode: "u32",
  unique: "u64",
  nodeid: "u64",
  uid: "u32",
  gid: "u32",
  pid: "u32",
  total_extlen: "u16",
  padding: "u16",
});

/** The header of every reply (`error` is 0 or -errno) and notification (`unique` 0, `error` the code). */
export const OutHeader = struct("fuse_out_header", { len: "u32", error: "i32", unique: "u64" });

export const InitIn = struct("fuse_init_in", {
  major: "u32",
  minor: "u32",
  max_readahead: "u32",
  flags: "u32",
  flags2: "u32",
  unused: 44,
});

/** What INIT carries from kernels before 5.17, without the flags2 extension. */
export const INIT_IN_SIZE_7_34 = 16;

export const InitOut = struct("fuse_init_out", {
  major: "u32",
  minor: "u32",
  max_readahead: "u32",
  flags: "u32",
  max_background: "u16",
  congestion_threshold: "u16",
  max_write: "u32",
  time_gran: "u32",
  max_pages: "u16",
  map_alignment: "u16",
  flags2: "u32",
  unused: 28,
});

export const CuseInitIn = struct("cuse_init_in", {
  major: "u32",
  minor: "u32",
  unused: "u32",
  flags: "u32",
});

export const CuseInitOut = struct("cuse_init_out", {
  major: "u32",
  minor: "u32",
  unused: "u32",
  flags: "u32",
  max_read: "u32",
  max_write: "u32",
  dev_major: "u32",
  dev_minor: "u32",
  spare: 40,
});

export const Attr = struct("fuse_attr", {
  ino: "u64",
  size: "u64",
  blocks: "u64",
  atime: "u64",
  mtime: "u64",
  ctime: "u64",
  atimensec: "u32",
  mtimensec: "u32",
  ctimensec: "u32",
  mode: "u32",
  nlink: "u32",
  uid: "u32",
  gid: "u32",
  rdev: "u32",
  blksize: "u32",
  flags: "u32",
});

export const EntryOut = struct("fuse_entry_out", {
  nodeid: "u64",
  generation: "u64",
  entry_valid: "u64",
  attr_valid: "u64",
  entry_valid_nsec: "u32",
  attr_valid_nsec: "u32",
  attr: Attr,
});

export const AttrOut = struct("fuse_attr_out", {
  attr_valid: "u64",
  attr_valid_nsec: "u32",
  dummy: "u32",
  attr: Attr,
});

export const GetattrIn = struct("fuse_getattr_in", {
  getattr_flags: "u32",
  dummy: "u32",
  fh: "u64",
});

export const SetattrIn = struct("fuse_setattr_in", {
  valid: "u32",
  padding: "u32",
  fh: "u64",
  size: "u64",
  lock_owner: "u64",
  atime: "u64",
  mtime: "u64",
  ctime: "u64",
  atimensec: "u32",
  mtimensec: "u32",
  ctimensec: "u32",
  mode: "u32",
  unused4: "u32",
  uid: "u32",
  gid: "u32",
  unused5: "u32",
});

export const ForgetIn = struct("fuse_forget_in", { nlookup: "u64" });
export const ForgetOne = struct("fuse_forget_one", { nodeid: "u64", nlookup: "u64" });
export const BatchForgetIn = struct("fuse_batch_forget_in", { count: "u32", dummy: "u32" });

export const OpenIn = struct("fuse_open_in", { flags: "u32", open_flags: "u32" });
export const OpenOut = struct("fuse_open_out", { fh: "u64", open_flags: "u32", padding: "u32" });
export const CreateIn = struct("fuse_create_in", {
  flags: "u32",
  mode: "u32",
  umask: "u32",
  open_flags: "u32",
});

export const ReleaseIn = struct("fuse_release_in", {
  fh: "u64",
  flags: "u32",
  release_flags: "u32",
  lock_owner: "u64",
});

export const FlushIn = struct("fuse_flush_in", {
  fh: "u64",
  unused: "u32",
  padding: "u32",
  lock_owner: "u64",
});

export const FsyncIn = struct("fuse_fsync_in", { fh: "u64", fsync_flags: "u32", padding: "u32" });

export const ReadIn = struct("fuse_read_in", {
  fh: "u64",
  offset: "u64",
  size: "u32",
  read_flags: "u32",
  lock_owner: "u64",
  flags: "u32",
  padding: "u32",
});

export const WriteIn = struct("fuse_write_in", {
  fh: "u64",
  offset: "u64",
  size: "u32",
  write_flags: "u32",
  lock_owner: "u64",
  flags: "u32",
  padding: "u32",
});

export const WriteOut = struct("fuse_write_out", { size: "u32", padding: "u32" });

export const IoctlIn = struct("fuse_ioctl_in", {
  fh: "u64",
  flags: "u32",
  cmd: "u32",
  arg: "u64",
  in_size: "u32",
  out_size: "u32",
});

export const IoctlOut = struct("fuse_ioctl_out", {
  result: "i32",
  flags: "u32",
  in_iovs: "u32",
  out_iovs: "u32",
});

export const PollIn = struct("fuse_poll_in", { fh: "u64", kh: "u64", flags: "u32", events: "u32" });
export const PollOut = struct("fuse_poll_out", { revents: "u32", padding: "u32" });
export const NotifyPollWakeupOut = struct("fuse_notify_poll_wakeup_out", { kh: "u64" });

/** The data follows. */
export const NotifyStoreOut = struct("fuse_notify_store_out", {
  nodeid: "u64",
  offset: "u64",
  size: "u32",
  padding: "u32",
});

export const NotifyRetrieveOut = struct("fuse_notify_retrieve_out", {
  notify_unique: "u64",
  nodeid: "u64",
  offset: "u64",
  size: "u32",
  padding: "u32",
});

/** What NOTIFY_REPLY carries before the data; its `unique` is the retrieval's. */
export const NotifyRetrieveIn = struct("fuse_notify_retrieve_in", {
  dummy1: "u64",
  offset: "u64",
  size: "u32",
  dummy2: "u32",
  dummy3: "u64",
  dummy4: "u64",
});

export const InterruptIn = struct("fuse_interrupt_in", { unique: "u64" });

export const AccessIn = struct("fuse_access_in", { mask: "u32", padding: "u32" });

export const Statfs = struct("fuse_kstatfs", {
  blocks: "u64",
  bfree: "u64",
  bavail: "u64",
  files: "u64",
  ffree: "u64",
  bsize: "u32",
  namelen: "u32",
  frsize: "u32",
  padding: "u32",
  spare: 24,
});

/** A directory entry; the name follows, and the record is padded to 8 bytes. */
export const Dirent = struct("fuse_dirent", {
  ino: "u64",
  off: "u64",
  namelen: "u32",
  type: "u32",
});

/** The kernel refuses read buffers smaller than this. */
export const FUSE_MIN_READ_BUFFER = 8192;
