;; As loop, for a whole request-head: loops for ever when its path, the second field, is as long as
;; "/loop".
(module $loop_far
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    ;; 9a, the method as a fixstr, then the path's fixstr header.
    (local.set $start (i32.add (i32.add (local.get $start) (i32.const 2))
      (i32.and (i32.load8_u offset=1 (local.get $start)) (i32.const 31))))
    (if (i32.eq (i32.load8_u (local.get $start)) (i32.const 0xa5)) (then (loop $again (br $again))))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
