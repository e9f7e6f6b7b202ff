;; Works for some 5 ms in on-complete, then logs its context.
(module $slow_complete
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete")
    (param $summary i32) (param $summary-length i32) (param $context i32) (param $length i32)
    (local $left i32)
    (local.set $left (i32.const 20000000))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $log (i32.const 2) (local.get $context) (local.get $length))
    (call $reset)))
