;; Asks for the time and for random bytes in its start function, before its instance is known.
(module $start_clock
  (import "sentinel:gateway/clock@0.1.0" "wall" (func $wall (result i64)))
  (import "sentinel:gateway/random@0.1.0" "bytes" (func $bytes (param i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (start $begin)
  (func $begin
    (if (i64.eqz (call $wall)) (then unreachable))
    (call $bytes (i32.const 100) (i32.const 64))
    (if (i32.ne (i32.load (i32.const 68)) (i32.const 100)) (then unreachable)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $answer (i32.const 1) (i32.const 0))))
