;; An interface that this guest was not granted.
;; expect: imports sentinel:gateway/clock@0.1.0 wall, which needs the grant "clock"
(module
  (import "sentinel:gateway/clock@0.1.0" "wall" (func (result i64)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
