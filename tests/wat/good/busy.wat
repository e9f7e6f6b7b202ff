;; Works for as many rounds as its record's first four bytes say, some 1 ns each, counts its calls
;; in a global, and answers with edits whose context is the count as one byte. Once per instance it
;; may be told to take another page: the fifth byte.
(module $busy
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 512) "\92\00\92\90\c4\01\00")
  (global $count (mut i32) (i32.const 0))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (local $left i32)
    (local.set $left (i32.load (local.get $start)))
    (block $done (loop $more
      (br_if $done (i32.eqz (local.get $left)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $more)))
    (if (i32.load8_u offset=4 (local.get $start)) (then (drop (memory.grow (i32.const 1)))))
    (call $reset)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store8 (i32.const 518) (global.get $count))
    (call $answer (i32.const 512) (i32.const 7))))
