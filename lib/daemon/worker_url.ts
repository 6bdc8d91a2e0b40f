// Where the module of the threads is: beside this one, and compiled where this one is.

/** The module that each thread of the daemon starts with. */
export const WORKER_URL = new URL(
  import.meta.url.endsWith(".js") ? "./worker.js" : "./worker.ts",
  import.meta.url,
);
