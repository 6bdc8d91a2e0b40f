// Functions in the machine's own words, for threads of libraries on which no JavaScript can run.

const memory = Deno.dlopen("libc.so.6", {
  // void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
  // int mprotect(void *address, size_t length, int protection)
  mprotect: { parameters: ["pointer", "usize", "i32"], result: "i32" },
}).symbols;

const PROT_READ = 1;
const PROT_WRITE = 2;
const PROT_EXEC = 4;
const MAP_PRIVATE = 2;
const MAP_ANONYMOUS = 0x20;

const PAGE_BYTES = 4096;

/** A function's code for each processor, of a page at most. */
export type MachineCode = Readonly<Record<typeof Deno.build.arch, ArrayLike<number>>>;

/**
 * The address of a function. Its memory is never given back: make each one once.
 *
 * @throws {Error} where the system refuses memory that holds code
 */
export function loadCode(code: MachineCode): Deno.PointerObject {
  const flags = MAP_PRIVATE | MAP_ANONYMOUS;
  const page = memory.mmap(0n, BigInt(PAGE_BYTES), PROT_READ | PROT_WRITE, flags, -1, 0n)!;
  new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(page, PAGE_BYTES))
    .set(code[Deno.build.arch]);
  if (memory.mprotect(page, BigInt(PAGE_BYTES), PROT_READ | PROT_EXEC) !== 0) {
    throw new Error("this machine refuses memory that holds code");
  }
  return page;
}
