;; Writes 10,000 lines of 100 bytes in one call.
(module $log_flood
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (data (i32.const 1024) "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (local $left i32)
    (call $reset)
    (local.set $left (i32.const 10000))
    (loop $more
      (call $log (i32.const 3) (i32.const 1024) (i32.const 100))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $answer (i32.const 1) (i32.const 0))))
