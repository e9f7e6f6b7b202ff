;; Traps three functions deep.
(module $unreachable
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $outer))
  (func $outer (result i32) (i32.add (call $inner) (i32.const 1)))
  (func $inner (result i32) unreachable))
