;; Writes a line that ASCII lacks a character for, and 50 lines of 8,000 bytes.
(module $log_pages
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 98304) "caf\c3\a9")
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (local $left i32)
    (call $reset)
    (call $log (i32.const 2) (i32.const 98304) (i32.const 5))
    (memory.fill (i32.const 100000) (i32.const 120) (i32.const 8000))
    (local.set $left (i32.const 50))
    (loop $more
      (call $log (i32.const 2) (i32.const 100000) (i32.const 8000))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $answer (i32.const 1) (i32.const 0))))
