/**
 * Promises whose callbacks run before a hook returns. The interpreter has promises of its own, and
 * nobody to run what waits for them: the host calls a hook and wants bytes. Async functions are
 * compiled to generators, so that they wait for these.
 */

type Job = () => void;
const jobs: Job[] = [];

export function runJobs(): void {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) job();
}

export function queueJob(job: Job): void {
  jobs.push(job);
}

export type State = "pending" | "fulfilled" | "rejected";

function thenOf(value: unknown): unknown {
  return (typeof value === "object" && value !== null) || typeof value === "function"
    ? (value as { then?: unknown }).then
    : undefined;
}

export class GuestPromise {
  state: State = "pending";
  value: unknown = undefined;
  private reactions: Job[] = [];

  constructor(executor: (resolve: (value?: unknown) => void, reject: (reason?: unknown) => void) => void) {
    const [resolve, reject] = this.resolvers();
    try {
      executor(resolve, reject);
    } catch (error) {
      reject(error);
    }
  }

  /** ECMA-262, section 27.2.1.3: the first of the two that is called counts. */
  private resolvers(): [(value?: unknown) => void, (reason?: unknown) => void] {
    let isDone = false;
    const once = (act: (value: unknown) => void) => (value?: unknown) => {
      if (isDone) return;
      isDone = true;
      act(value);
    };
    return [once((value) => this.resolve(value)), once((reason) => this.settle("rejected", reason))];
  }

  private resolve(value: unknown): void {
    if (value === this) return this.settle("rejected", new TypeError("a promise waits for itself"));
    try {
      const then = thenOf(value);
      if (typeof then !== "function") return this.settle("fulfilled", value);
      const [resolve, reject] = this.resolvers();
      queueJob(() => {
        try {
          then.call(value, resolve, reject);
        } catch (error) {
          reject(error);
        }
      });
    } catch (error) {
      this.settle("rejected", error);
    }
  }

  private settle(state: State, value: unknown): void {
    this.state = state;
    this.value = value;
    for (const reaction of this.reactions) queueJob(reaction);
    this.reactions = [];
  }

  // biome-ignore lint/suspicious/noThenProperty: this is the promise that others are made of.
  then(fulfilled?: unknown, rejected?: unknown): GuestPromise {
    return new GuestPromise((resolve, reject) => {
      const react = () => {
        const handler = this.state === "fulfilled" ? fulfilled : rejected;
        if (typeof handler !== "function") return this.state === "fulfilled" ? resolve(this.value) : reject(this.value);
        try {
          resolve(handler(this.value));
        } catch (error) {
          reject(error);
        }
      };
      if (this.state === "pending") this.reactions.push(react);
      else queueJob(react);
    });
  }

  catch(rejected: unknown): GuestPromise {
    return this.then(undefined, rejected);
  }

  finally(act: () => unknown): GuestPromise {
    return this.then(
      (value: unknown) => GuestPromise.resolve(act()).then(() => value),
      (reason: unknown) =>
        GuestPromise.resolve(act()).then(() => {
          throw reason;
        }),
    );
  }

  static resolve(value?: unknown): GuestPromise {
    return value instanceof GuestPromise ? value : new GuestPromise((resolve) => resolve(value));
  }

  static reject(reason?: unknown): GuestPromise {
    return new GuestPromise((_, reject) => reject(reason));
  }

  static all(values: Iterable<unknown>): GuestPromise {
    return collected(values, (promise, done, reject) => promise.then(done, reject));
  }

  static allSettled(values: Iterable<unknown>): GuestPromise {
    return collected(values, (promise, done) =>
      promise.then(
        (value: unknown) => done({ status: "fulfilled", value }),
        (reason: unknown) => done({ status: "rejected", reason }),
      ),
    );
  }

  static race(values: Iterable<unknown>): GuestPromise {
    return new GuestPromise((resolve, reject) => {
      for (const value of values) GuestPromise.resolve(value).then(resolve, reject);
    });
  }

  static any(values: Iterable<unknown>): GuestPromise {
    return new GuestPromise((resolve, reject) => {
      const failed = collected(values, (promise, done) => promise.then(resolve, done));
      failed.then((reasons: unknown) => reject(new AggregateError(reasons as unknown[], "all promises were rejected")));
    });
  }
}

type Collect = (promise: GuestPromise, done: (value: unknown) => void, reject: (reason: unknown) => void) => void;

function collected(values: Iterable<unknown>, collect: Collect): GuestPromise {
  return new GuestPromise((resolve, reject) => {
    const promises = [...values].map((value) => GuestPromise.resolve(value));
    const results: unknown[] = new Array(promises.length);
    let left = promises.length;
    if (left === 0) resolve(results);
    promises.forEach((promise, index) => {
      const done = (value: unknown): void => {
        results[index] = value;
        if (--left === 0) resolve(results);
      };
      collect(promise, done, reject);
    });
  });
}

/** What a promise comes to once all that waits has run. Throws its reason, and for one that nothing
 * settles. */
export function settled<T>(result: T | PromiseLike<T>): T {
  if (!(result instanceof GuestPromise)) return result as T;
  runJobs();
  if (result.state === "fulfilled") return result.value as T;
  if (result.state === "rejected") throw result.value;
  throw new Error("the hook waits for a promise that nothing settles");
}
