;; The echo that benchmarks call: one hook, as a component too; "repeat" does the same work without
;; the host.
(module $echo
  (memory (export "memory") 2)
;;@include allocator
  (func $echo (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32)
    (result i32) (local $copy i32)
    (local.set $copy (call $alloc (local.get $length)))
    (memory.copy (local.get $copy) (local.get $start) (local.get $length))
    (call $answer (local.get $copy) (local.get $length)))
  (func (export "cabi_post_sentinel:gateway/request-handler@0.1.0#on-request") (param i32) (call $reset))
  (func (export "repeat") (param $times i32) (param $length i32)
    (loop $more
      (drop (call $echo (call $alloc (local.get $length)) (local.get $length)))
      (call $reset)
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $more (local.get $times)))))
