;; Traps when it is asked for its argument area.
(module $argument_area_traps
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel_argument_area") (result i64) unreachable)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $reset)
    (call $answer (local.get 0) (local.get 1))))
