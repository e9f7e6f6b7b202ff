;; Its cabi_realloc loops for ever when a host function calls it.
(module $realloc_loops_inside
  (import "sentinel:gateway/random@0.1.0" "bytes" (func $bytes (param i32 i32)))
  (memory (export "memory") 1)
  (global $inside (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (global.get $inside) (then (loop $again (br $again))))
    (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (global.set $inside (i32.const 1))
    (call $bytes (i32.const 8) (i32.const 64))
    (i32.const 64)))
