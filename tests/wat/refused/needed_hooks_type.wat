;; A sentinel_needed_hooks without a result.
;; expect: exports sentinel_needed_hooks as func (), expected func () -> i32
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "sentinel_needed_hooks"))
)
