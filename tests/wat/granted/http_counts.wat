;; Asks an HTTP service when its record begins with "w", counts its calls in a global, and answers
;; with edits whose context is the count as one byte: a call that lasts for as long as a test wants,
;; on any machine. Traps on an empty record.
(module $http_counts
  (import "sentinel:gateway/http-client@0.1.0" "send" (func $send (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 128) "\92\a3GET\acgood request")
  (data (i32.const 512) "\92\00\92\90\c4\01\00")
  (global $count (mut i32) (i32.const 0))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (if (i32.eqz (local.get $length)) (then unreachable))
    (if (i32.eq (i32.load8_u (local.get $start)) (i32.const 119))
      (then (call $send (i32.const 128) (i32.const 19) (i32.const 64))))
    (call $reset)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 518) (global.get $count))
    (call $answer (i32.const 512) (i32.const 7))))
