;; A 64-bit memory.
;; expect: memory64 must be enabled for 64-bit memories
(module
  (memory (export "memory") i64 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
