;; Traps when it is asked which hooks it needs.
(module $needed_hooks_traps
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel_needed_hooks") (result i32) unreachable)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
