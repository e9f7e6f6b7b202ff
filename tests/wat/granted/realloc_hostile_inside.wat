;; Its cabi_realloc answers what the record says when a host function calls it: the pointer -1,
;; 65536, or a trap.
(module $realloc_hostile_inside
  (import "sentinel:gateway/random@0.1.0" "bytes" (func $bytes (param i32 i32)))
  (memory (export "memory") 1)
  (global $inside (mut i32) (i32.const 0))
  (global $what (mut i32) (i32.const 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (if (i32.eqz (global.get $inside)) (then (return (i32.const 4096))))
    (if (i32.eqz (global.get $what)) (then unreachable))
    (global.get $what))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (global.set $inside (i32.const 1))
    (global.set $what (i32.load (local.get $start)))
    (call $bytes (i32.const 8) (i32.const 64))
    (i32.const 64)))
