;; Works for some 5 ms when its record begins with "s", and answers nil; traps on an empty record.
(module $slow_answer
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (local $left i32)
    (if (i32.eqz (local.get $length)) (then unreachable))
    (if (i32.eq (i32.load8_u (local.get $start)) (i32.const 115))
      (then
        (local.set $left (i32.const 20000000))
        (loop $more
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $more (local.get $left)))))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
