// C functions on threads that are not JavaScript's: one that is called aside so that it can be waited
// for with a limit, and those that a library calls back by address, which so need no thread of ours.

import { errnoName } from "./libc.ts";

// The functions of <pthread.h>, <semaphore.h> and <dlfcn.h>. Since glibc 2.34 all lie in libc.so.6,
// which the names below lead to.
const threads = Deno.dlopen("libpthread.so.0", {
  // int pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
  pthread_create: { parameters: ["buffer", "pointer", "pointer", "pointer"], result: "i32" },
  // int pthread_clockjoin_np(pthread_t thread, void **result, clockid_t clock, const struct timespec *)
  pthread_clockjoin_np: { parameters: ["u64", "buffer", "i32", "buffer"], result: "i32" },
  // int pthread_join(pthread_t thread, void **result)
  pthread_join: { parameters: ["u64", "buffer"], result: "i32" },
  // int pthread_kill(pthread_t thread, int signal)
  pthread_kill: { parameters: ["u64", "i32"], result: "i32" },
  // pthread_t pthread_self(void), which is an address with glibc
  pthread_self: { parameters: [], result: "pointer" },
  // sighandler_t signal(int signum, sighandler_t handler)
  signal: { parameters: ["i32", "pointer"], result: "pointer" },
  // int clock_gettime(clockid_t clock, struct timespec *time)
  clock_gettime: { parameters: ["i32", "buffer"], result: "i32" },
  // int sem_init(sem_t *semaphore, int shared, unsigned int value)
  sem_init: { parameters: ["buffer", "i32", "u32"], result: "i32" },
  // int sem_trywait(sem_t *semaphore)
  sem_trywait: { parameters: ["buffer"], result: "i32" },
}).symbols;

const loader = Deno.dlopen("libdl.so.2", {
  // void *dlopen(const char *file, int mode)
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
  // void *dlsym(void *handle, const char *symbol)
  dlsym: { parameters: ["pointer", "buffer"], result: "pointer" },
}).symbols;

const RTLD_LAZY = 1;
const CLOCK_MONOTONIC = 1;

// The last of the real-time signals, which nobody else uses here: a thread that gets it ends.
const END_SIGNAL = 64;

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

/** The calling thread, as a `pthread_t`. */
export function currentThread(): Deno.PointerValue {
  return threads.pthread_self();
}

/** Memory whose address C keeps: a small typed array's own may be moved. */
function fixedBytes(length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(length));
}

/**
 * A semaphore: a callback of one argument, `void *`, can be `Semaphore.POST` with `bytes`, and what it
 * told is then found here. It must live for as long as the library may call.
 */
export class Semaphore {
  /** sem_post(3), which returns 0. */
  static readonly POST = functionAddress("sem_post");
  /** sem_wait(3). */
  static readonly WAIT = functionAddress("sem_wait");

  /** The `sem_t`. */
  readonly bytes = fixedBytes(32);

  constructor(value: number) {
    threads.sem_init(this.bytes, 0, value);
  }

  /** Takes one if there is one. */
  take(): boolean {
    return threads.sem_trywait(this.bytes) === 0;
  }

  /** Takes all there are; how many. */
  takeAll(): number {
    let taken = 0;
    while (this.take()) taken++;
    return taken;
  }
}

/**
 * A C function of one pointer, for which it is waited with a limit, though it may never return: each
 * call has a thread of its own, which a signal ends. It should hold no locks then.
 */
export class AsideCall {
  static #endSet = false;
  readonly #function: Deno.PointerObject;
  readonly #argument: Deno.PointerValue;
  readonly #threadId = new BigUint64Array(1); // pthread_t
  readonly #threadBytes = new Uint8Array(this.#threadId.buffer);
  readonly #result = new Int32Array(2);
  readonly #resultBytes = new Uint8Array(this.#result.buffer);
  readonly #limit = new Uint32Array(4); // struct timespec: numbers of 64 bits, the lower half first
  readonly #limitBytes = new Uint8Array(this.#limit.buffer);
  /** The thread of a started call. */
  #thread: bigint | undefined;

  constructor(address: Deno.PointerObject, argument: Deno.PointerValue) {
    this.#function = address;
    this.#argument = argument;
    if (!AsideCall.#endSet) threads.signal(END_SIGNAL, functionAddress("pthread_exit"));
    AsideCall.#endSet = true;
  }

  /** Calls it, unless it has been called and not been waited for to its end. */
  start(): void {
    if (this.#thread !== undefined) return;
    const { pthread_create } = threads;
    const errno = pthread_create(this.#threadBytes, null, this.#function, this.#argument);
    if (errno !== 0) throw new Error(`pthread_create: ${errnoName(errno)}`);
    this.#thread = this.#threadId[0];
  }

  /** Waits for the started call; its result's lower 32 bits, undefined if `ms` have passed. */
  wait(ms: number): number | undefined {
    if (this.#thread === undefined) return undefined;
    threads.clock_gettime(CLOCK_MONOTONIC, this.#limitBytes);
    const ns = this.#limit[2] + Math.round(ms * 1e6);
    this.#limit[0] += Math.floor(ns / 1e9);
    this.#limit[2] = ns % 1e9;
    const { pthread_clockjoin_np } = threads;
    const errno = pthread_clockjoin_np(
      this.#thread,
      this.#resultBytes,
      CLOCK_MONOTONIC,
      this.#limitBytes,
    );
    if (errno !== 0) return undefined;
    this.#thread = undefined;
    return this.#result[0];
  }

  /** Ends the started call wherever it is, if there is one. */
  abandon(): void {
    if (this.#thread === undefined) return;
    threads.pthread_kill(this.#thread, END_SIGNAL);
    threads.pthread_join(this.#thread, this.#resultBytes);
    this.#thread = undefined;
  }
}
