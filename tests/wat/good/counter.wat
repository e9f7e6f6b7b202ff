;; Counts its calls in a global, and answers with edits whose context is the count as one byte;
;; traps on an empty record.
(module $counter
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 512) "\92\00\92\90\c4\01\00")
  (global $count (mut i32) (i32.const 0))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (if (i32.eqz (local.get $length)) (then unreachable))
    (call $reset)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 518) (global.get $count))
    (call $answer (i32.const 512) (i32.const 7))))
