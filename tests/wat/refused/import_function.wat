;; A function that log does not have.
;; expect: imports sentinel:gateway/log@0.1.0 flush, which this host does not offer
(module
  (import "sentinel:gateway/log@0.1.0" "flush" (func))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
