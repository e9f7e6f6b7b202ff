;; Writes to the log from its start function, before the host knows its memory.
(module $start_log
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 512) "starting")
  (func $start (call $log (i32.const 1) (i32.const 512) (i32.const 8)))
  (start $start)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
