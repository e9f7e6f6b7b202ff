;; Has a use for on-response alone, and traps in the hooks that it says it does not need. Of the
;; bits, 128 means nothing.
(module $needed_hooks
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel_needed_hooks") (result i32) (i32.const 130))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) unreachable)
  (func (export "sentinel:gateway/response-handler@0.1.0#on-response") (param i32 i32 i32 i32) (result i32)
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0)))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32) unreachable))
