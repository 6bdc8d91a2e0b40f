// What every failed assertion throws.

/** A failed assertion; its name is "AssertionError". */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AssertionError";
  }
}
