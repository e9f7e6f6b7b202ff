;; Asks for as many random bytes as its record, a little-endian u32 and the return area's address,
;; says, and answers with the context that is the first eight of them and a random number.
(module $random
  (import "sentinel:gateway/random@0.1.0" "bytes" (func $bytes (param i32 i32)))
  (import "sentinel:gateway/random@0.1.0" "number" (func $number (result i64)))
  (memory (export "memory") 2)
;;@include allocator
  (data (i32.const 32) "\92\00\92\90\c4\10")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param i32) (result i32)
    (local $area i32)
    (local.set $area (i32.load offset=4 (local.get $start)))
    (call $bytes (i32.load (local.get $start)) (local.get $area))
    (i64.store (i32.const 38) (i64.load (i32.load (local.get $area))))
    (i64.store (i32.const 46) (call $number))
    (call $reset)
    (call $answer (i32.const 32) (i32.const 22))))
