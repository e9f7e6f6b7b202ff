;; Returns a result whose discriminant is the configuration's second byte, and whose message is the
;; whole configuration; traps when the configuration is empty (a map without entries).
(module $configure
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param $start i32) (param $length i32) (result i32)
    (if (i32.eq (local.get $length) (i32.const 1)) (then unreachable))
    (i32.store8 (i32.const 16) (i32.load8_u (i32.add (local.get $start) (i32.const 1))))
    (i32.store (i32.const 20) (local.get $start))
    (i32.store (i32.const 24) (local.get $length))
    (i32.const 16))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
