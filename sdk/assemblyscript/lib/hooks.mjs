// The hooks of the contract, and how the methods of a guest become exports.

/** One entry per hook, keyed by the method that an author writes. */
export const HOOKS = {
  configure: { interface: "lifecycle", function: "configure" },
  onRequest: { interface: "request-handler", function: "on-request", open: "openRequest", lists: ["head"] },
  onResponse: {
    interface: "response-handler",
    function: "on-response",
    open: "openResponse",
    lists: ["head", "context"],
  },
  onComplete: {
    interface: "completion-handler",
    function: "on-complete",
    open: "openSummary",
    lists: ["summary", "context"],
  },
  onRequestChunk: {
    interface: "request-body-handler",
    function: "on-request-chunk",
    open: "openRequestChunk",
    lists: ["chunk", "context"],
  },
  onResponseChunk: {
    interface: "response-body-handler",
    function: "on-response-chunk",
    open: "openResponseChunk",
    lists: ["chunk", "context"],
  },
};

/** The method that is no hook: it tells which of them are called. Its name, and that of its
 * export. */
export const NEEDED_HOOKS = { method: "neededHooks", export: "sentinel_needed_hooks" };

/** Other names that an author may use for a hook. */
export const SYNONYMS = { process: "onRequest" };

/** Every name that an author may write. */
export const METHODS = [...Object.keys(HOOKS), ...Object.keys(SYNONYMS)];

/** The hook's name in the contract, for example
 * `sentinel:gateway/request-handler@0.1.0#on-request`. */
export function canonicalName(hook, version) {
  return `sentinel:gateway/${HOOKS[hook].interface}@${version}#${HOOKS[hook].function}`;
}
