// libsndio, the client's side of sndiod: loaded when the first stream needs it.

// From sndio.h. Sizes that are size_t in C are passed as u32, as in libc.ts.
const symbols = {
  // void sio_initpar(struct sio_par *par)
  sio_initpar: { parameters: ["buffer"], result: "void" },
  // struct sio_hdl *sio_open(const char *name, unsigned int mode, int nbio_flag)
  sio_open: { parameters: ["buffer", "u32", "i32"], result: "pointer" },
  // void sio_close(struct sio_hdl *hdl)
  sio_close: { parameters: ["pointer"], result: "void" },
  // int sio_setpar(struct sio_hdl *hdl, struct sio_par *par)
  sio_setpar: { parameters: ["pointer", "buffer"], result: "i32" },
  // int sio_getpar(struct sio_hdl *hdl, struct sio_par *par)
  sio_getpar: { parameters: ["pointer", "buffer"], result: "i32" },
  // void sio_onmove(struct sio_hdl *hdl, void (*cb)(void *arg, int delta), void *arg)
  sio_onmove: { parameters: ["pointer", "function", "pointer"], result: "void" },
  // int sio_start(struct sio_hdl *hdl)
  sio_start: { parameters: ["pointer"], result: "i32" },
  // size_t sio_write(struct sio_hdl *hdl, const void *addr, size_t nbytes)
  sio_write: { parameters: ["pointer", "buffer", "u32"], result: "u32" },
  // size_t sio_read(struct sio_hdl *hdl, void *addr, size_t nbytes)
  sio_read: { parameters: ["pointer", "buffer", "u32"], result: "u32" },
  // int sio_nfds(struct sio_hdl *hdl)
  sio_nfds: { parameters: ["pointer"], result: "i32" },
  // int sio_pollfd(struct sio_hdl *hdl, struct pollfd *pfd, int events)
  sio_pollfd: { parameters: ["pointer", "buffer", "i32"], result: "i32" },
  // int sio_revents(struct sio_hdl *hdl, struct pollfd *pfd)
  sio_revents: { parameters: ["pointer", "buffer"], result: "i32" },
  // int sio_eof(struct sio_hdl *hdl)
  sio_eof: { parameters: ["pointer"], result: "i32" },
} as const;

/** The loaded library. */
export type Sndio = Deno.DynamicLibrary<typeof symbols>["symbols"];

/** Modes of sio_open. */
export const SIO_PLAY = 1;
export const SIO_REC = 2;

/** What `sio_onmove` takes: void (*)(void *arg, int delta). */
export const ON_MOVE = { parameters: ["pointer", "i32"], result: "void" } as const;

/** The words of 32 bits of struct sio_par that are used here, and its size. */
export const SIO_PAR = {
  BITS: 0,
  BPS: 1,
  SIG: 2,
  LE: 3,
  MSB: 4,
  RCHAN: 5,
  PCHAN: 6,
  RATE: 7,
  BUFSZ: 8,
  ROUND: 10,
  APPBUFSZ: 11,
  WORDS: 16,
} as const;

let library: Sndio | undefined;

/**
 * libsndio.
 *
 * @throws {Error} if it cannot be loaded, with one line that says what to do
 */
export function sndio(): Sndio {
  try {
    library ??= Deno.dlopen("libsndio.so.7", symbols).symbols;
  } catch {
    throw new Error("libsndio.so.7 cannot be loaded (apt-get install libsndio7.0)");
  }
  return library;
}
