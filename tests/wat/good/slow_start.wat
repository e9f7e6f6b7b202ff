;; Works for some 5 ms in its start function, in _initialize and in configure, and answers nil.
(module $slow_start
  (memory (export "memory") 1)
;;@include allocator
  (func $work (local $left i32)
    (local.set $left (i32.const 15000000))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left))))
  (start $work)
  (func (export "_initialize") (call $work))
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param i32 i32) (result i32)
    (call $work)
    (i32.store (i32.const 16) (i32.const 0))
    (i32.const 16))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
