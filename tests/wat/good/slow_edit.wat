;; Works for some 5 ms in on-request, then appends x-slow: 1 and leaves the context "slow".
(module $slow_edit
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (data (i32.const 512) "\92\00\92\91\92\01\92\a6x-slow\c4\011\c4\04slow")
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (local $left i32)
    (local.set $left (i32.const 20000000))
    (loop $more
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $more (local.get $left)))
    (call $reset)
    (call $answer (i32.const 512) (i32.const 23)))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (call $reset)
    (call $log (i32.const 2) (local.get 2) (local.get 3))))
