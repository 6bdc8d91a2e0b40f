// equal: two values have the same content, however deep.

type Keyed = Map<unknown, unknown> | Set<unknown>;

/** Classes whose values are equal when their texts are; their state is in no property. */
const EQUAL_BY_TEXT: ReadonlySet<object> = new Set<object>([
  Intl.Locale.prototype,
  RegExp.prototype,
  URL.prototype,
  URLSearchParams.prototype,
]);

/**
 * Whether the values have the same content: primitives by `===` or `Object.is` (so 0 equals -0 and
 * NaN equals NaN), functions by identity, dates by time, typed arrays and buffers by element, maps
 * and sets in any order, other objects by prototype and properties. An object without a prototype
 * equals a plain one. A property that is undefined is not a missing one.
 *
 * @throws {TypeError} for two WeakMaps or WeakSets, whose content cannot be seen.
 */
export function equal(a: unknown, b: unknown): boolean {
  return new Comparison().equal(a, b);
}

/** One call of {@linkcode equal}; it holds the pairs under way, so that cycles end. */
class Comparison {
  #underWay = new Map<object, object>();

  equal(a: unknown, b: unknown): boolean {
    if (a === b || Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (prototypeOf(a) !== prototypeOf(b)) return false;
    if (this.#underWay.get(a) === b) return true;
    this.#underWay.set(a, b);

    if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
    if (isElements(a)) return equalElements(a, b as ArrayLike<unknown>);
    if (isBuffer(a)) return equalElements(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
    if (a instanceof WeakRef) return this.equal(a.deref(), (b as WeakRef<WeakKey>).deref());
    if (a instanceof WeakMap || a instanceof WeakSet) {
      throw new TypeError(`Cannot compare ${a[Symbol.toStringTag]} instances`);
    }
    if (EQUAL_BY_TEXT.has(Object.getPrototypeOf(a))) return String(a) === String(b);
    if (isKeyed(a)) return this.#equalKeyed(a, b as Keyed);
    return this.#equalProperties(a as Record<PropertyKey, unknown>, b as typeof a);
  }

  #equalKeyed(a: Keyed, b: Keyed): boolean {
    if (a.size !== b.size) return false;
    const unmatched = new Map(b.entries());
    for (const [key, value] of a.entries()) {
      const match = isObject(key) ? this.#find(unmatched, key, value) : key;
      if (!unmatched.has(match)) return false;
      // A set's value is its key, whose equality is known.
      if (a instanceof Map && !this.equal(value, unmatched.get(match))) return false;
      unmatched.delete(match);
    }
    return true;
  }

  /** The key of an entry with the same content; undefined, which is no object, where none has. */
  #find(entries: Map<unknown, unknown>, key: unknown, value: unknown): unknown {
    for (const [otherKey, otherValue] of entries) {
      if (!isObject(otherKey) || !this.equal(key, otherKey)) continue;
      if (key === value || this.equal(value, otherValue)) return otherKey;
    }
    return NO_KEY;
  }

  #equalProperties(a: object, b: object): boolean {
    if (Object.keys(a).length !== Object.keys(b).length) return false;
    for (const key of new Set([...comparedKeys(a), ...comparedKeys(b)])) {
      if ((key in a) !== (key in b)) return false;
      if (!this.equal(Reflect.get(a, key), Reflect.get(b, key))) return false;
    }
    return true;
  }
}

/** Found in no map. */
const NO_KEY = Symbol("no key");

function prototypeOf(object: object): object {
  return Object.getPrototypeOf(object) ?? Object.prototype;
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function isKeyed(object: object): object is Keyed {
  return object instanceof Map || object instanceof Set;
}

function isElements(object: object): object is ArrayLike<unknown> & object {
  return ArrayBuffer.isView(object) && !(object instanceof DataView);
}

function isBuffer(object: object): object is ArrayBuffer | SharedArrayBuffer {
  return object instanceof ArrayBuffer || object instanceof SharedArrayBuffer;
}

function equalElements(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i] && !Object.is(a[i], b[i])) return false;
  }
  return true;
}

/**
 * A plain object's or array's enumerable keys; any other object's keys with those of its classes,
 * so that what a getter answers counts.
 */
function comparedKeys(object: object): PropertyKey[] {
  const prototype = prototypeOf(object);
  if (prototype === Object.prototype || prototype === Array.prototype) {
    return Reflect.ownKeys(object).filter((key) =>
      Object.prototype.propertyIsEnumerable.call(object, key)
    );
  }
  const keys: PropertyKey[] = [];
  for (
    let holder: object | null = object;
    holder !== null && holder !== Object.prototype && holder !== Array.prototype;
    holder = Object.getPrototypeOf(holder)
  ) keys.push(...Reflect.ownKeys(holder));
  return keys;
}
