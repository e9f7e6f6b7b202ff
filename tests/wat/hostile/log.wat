;; Writes to the log whatever the record, three little-endian u32, says: level, pointer, length.
(module $log
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (call $reset)
    (call $log
      (i32.load (local.get $start)) (i32.load offset=4 (local.get $start)) (i32.load offset=8 (local.get $start)))
    (call $answer (i32.const 1) (i32.const 0))))
