;; Answers on-response with its context, and writes the context of on-complete to the log.
(module $context
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/response-handler@0.1.0#on-response") (param i32 i32 i32 i32) (result i32)
    (call $reset)
    (call $answer (local.get 2) (local.get 3)))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (call $reset)
    (call $log (i32.const 2) (local.get 2) (local.get 3))))
