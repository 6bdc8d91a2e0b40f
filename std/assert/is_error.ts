// assertIsError: a value is an error of a class, with a text in its message.

import { stripVTControlCharacters } from "node:util";
import { suffix } from "./_message.ts";
import { AssertionError } from "./assertion_error.ts";

/** A class of errors; its constructor's parameters do not matter here. */
export type ErrorClass<E extends Error> = abstract new (...args: never[]) => E;

/**
 * Throws an {@linkcode AssertionError} unless `error` is an Error, an instance of `ErrorClass`
 * where one is given, and its message holds `msgMatches` where that is given (colours do not count).
 */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: ErrorClass<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) {
    throw new AssertionError(`Expected "error" to be an Error object${suffix(msg)}`);
  }
  if (ErrorClass && !(error instanceof ErrorClass)) {
    throw new AssertionError(
      `Expected error to be instance of "${ErrorClass.name}", but was "${error.constructor?.name}"${
        suffix(msg)
      }`,
      { cause: error },
    );
  }
  const text = stripVTControlCharacters(error.message);
  const matches = typeof msgMatches === "string"
    ? text.includes(stripVTControlCharacters(msgMatches))
    : msgMatches?.test(text) ?? true;
  if (!matches) {
    const wanted = typeof msgMatches === "string" ? JSON.stringify(msgMatches) : msgMatches;
    const got = JSON.stringify(error.message);
    throw new AssertionError(
      `Expected error message to include ${wanted}, but got ${got}${suffix(msg)}`,
      { cause: error },
    );
  }
}
