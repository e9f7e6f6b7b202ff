;; Divides by zero.
(module $divide_by_zero
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (i32.div_u (local.get $length) (i32.const 0))))
