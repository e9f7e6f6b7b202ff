;; Calls an empty entry of its table.
(module $bad_indirect
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call_indirect (result i32) (i32.const 3)))
  (table 8 funcref))
