;; Writes its record to the log at the level that the record's first byte says, and answers nil.
(module $log
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 3)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $log
      (i32.load8_u (local.get $start))
      (i32.add (local.get $start) (i32.const 1))
      (i32.sub (local.get $length) (i32.const 1)))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
