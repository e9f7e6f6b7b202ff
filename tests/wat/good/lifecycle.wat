;; Logs that _initialize, configure (with the configuration) and on-request came in this order;
;; traps otherwise.
(module $lifecycle
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
;;@include allocator
  (global $state (mut i32) (i32.const 0))
  (data (i32.const 512) "initialized")
  (func $step (param $expected i32)
    (if (i32.ne (global.get $state) (local.get $expected)) (then unreachable))
    (global.set $state (i32.add (local.get $expected) (i32.const 1))))
  (func (export "_initialize")
    (call $step (i32.const 0))
    (call $log (i32.const 2) (i32.const 512) (i32.const 11)))
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param $start i32) (param $length i32) (result i32)
    (call $step (i32.const 1))
    (call $log (i32.const 2) (local.get $start) (local.get $length))
    (i32.store8 (i32.const 16) (i32.const 0))
    (i32.const 16))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (call $step (i32.const 2))
    (call $reset)
    (call $answer (i32.const 1) (i32.const 0))))
