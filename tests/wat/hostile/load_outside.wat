;; Reads outside of its own memory.
(module $load_outside
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (i32.load (i32.const 0x7ffffffc))))
