// Threads that are not JavaScript's: what a library calls there by address, and how a thread of
// JavaScript learns of it.

// The functions of <sched.h>, <semaphore.h>, <time.h> and <dlfcn.h>. Since glibc 2.34 all lie in
// libc.so.6, which the names below lead to.
const threads = Deno.dlopen("libpthread.so.0", {
  // int sched_setscheduler(pid_t thread, int policy, const struct sched_param *parameters)
  sched_setscheduler: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  // int clock_gettime(clockid_t clock, struct timespec *time)
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  // int sem_init(sem_t *semaphore, int shared, unsigned int value)
  sem_init: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int sem_post(sem_t *semaphore)
  sem_post: { parameters: ["buffer"], result: "i32" },
  // int sem_trywait(sem_t *semaphore)
  sem_trywait: { parameters: ["buffer"], result: "i32" },
  // int sem_getvalue(sem_t *semaphore, int *value)
  sem_getvalue: { parameters: ["pointer", "buffer"], result: "i32" },
  // int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *limit)
  sem_clockwait: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
}).symbols;

const loader = Deno.dlopen("libdl.so.2", {
  // void *dlopen(const char *file, int mode)
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  // void *dlsym(void *handle, const char *symbol)
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
}).symbols;

const RTLD_LAZY = 1;
const SCHED_OTHER = 0;
const SCHED_FIFO = 1;
const SCHED_RESET_ON_FORK = 0x40000000;
const CLOCK_MONOTONIC = 1;

const encoder = new TextEncoder();

/**
 * The address of a C function.
 *
 * @param library the file of the library that has it, by default any that the process was started with
 * @throws {Error} if there is no such function
 */
export function functionAddress(name: string, library?: string): Deno.PointerObject {
  const handle = library ? loader.dlopen(encoder.encode(library + "\0"), RTLD_LAZY) : null;
  const address = loader.dlsym(handle, encoder.encode(name + "\0"));
  if (!address) throw new Error(`${library ?? "libc"} has no function ${name}`);
  return address;
}

/** Real-time scheduling of the calling thread, which threads that it makes do not inherit (sched(7)). */
export class Realtime {
  #priority = 0;

  /** @param priority of SCHED_FIFO, 0 for none; one that is not allowed changes nothing */
  set(priority: number): void {
    if (priority === this.#priority) return;
    this.#priority = priority;
    const policy = SCHED_RESET_ON_FORK | (priority > 0 ? SCHED_FIFO : SCHED_OTHER);
    threads.sched_setscheduler(0, policy, new Int32Array([priority]));
  }
}

/** Memory whose address C keeps: a small typed array's own may be moved. */
export function fixedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

const value = new Int32Array(1);
const valueBytes = new Uint8Array(value.buffer);

/** Whether there is one to take of a semaphore of another thread's, by its address. */
export function isPosted(semaphore: Deno.PointerObject): boolean {
  threads.sem_getvalue(semaphore, valueBytes);
  return value[0] > 0;
}

/**
 * A semaphore: a callback of one argument, `void *`, can be `Semaphore.POST` with `bytes`, and what it
 * told is then found here. It must live for as long as the library may call.
 */
export class Semaphore {
  /** sem_post(3), which returns 0. */
  static readonly POST = functionAddress("sem_post");
  /** The `sem_t`. */
  readonly bytes = fixedBytes(32);
  readonly #limit = new Uint32Array(4); // struct timespec: numbers of 64 bits, the lower half first
  readonly #limitBytes = new Uint8Array(this.#limit.buffer);

  constructor(value: number) {
    threads.sem_init(this.bytes, 0, value);
  }

  /** Whether there is one to take. */
  get isPosted(): boolean {
    return isPosted(Deno.UnsafePointer.of(this.bytes)!);
  }

  /** Takes one if there is one. */
  take(): boolean {
    return threads.sem_trywait(this.bytes) === 0;
  }

  /** Takes one, when there is one; false if `ms` have passed without. */
  wait(ms: number): boolean {
    threads.clock_gettime(CLOCK_MONOTONIC, this.#limitBytes);
    const ns = this.#limit[2] + Math.round(ms * 1e6);
    this.#limit[0] += Math.floor(ns / 1e9);
    this.#limit[2] = ns % 1e9;
    return threads.sem_clockwait(this.bytes, CLOCK_MONOTONIC, this.#limitBytes) === 0;
  }

  post(): void {
    threads.sem_post(this.bytes);
  }

  /** Takes all there are; how many. */
  takeAll(): number {
    let taken = 0;
    while (this.take()) taken++;
    return taken;
  }
}
